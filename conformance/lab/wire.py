"""The wire contract: what every answer under /sns/ must look like, whatever a library makes of it.

A finding is a pair (kind, words). The kinds named like a break are those that break must raise.
"""

import json
import re

from .front import PROFILE_PATH, TOKEN_PATHS

ERROR = re.compile(r'\{"errcode":-?\d+,"errmsg":"[^"]+?,? rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}"\}\Z')
OPENID = re.compile(r"o[0-9A-Za-z_-]{27}\Z")
EXCHANGE_KEYS = ["access_token", "expires_in", "refresh_token", "openid", "scope", "unionid"]
REFRESH_KEYS = ["openid", "access_token", "expires_in", "refresh_token", "scope"]
PROFILE_KEYS = ["openid", "nickname", "sex", "language", "city", "province", "country", "headimgurl", "privilege", "unionid"]


def check(answers, client, person, refreshes, known):
    """Findings over all answers one driver got. `known` carries openid and unionid from driver to driver."""
    found = []
    for answer in answers:
        found += [(kind, f"{answer.path}: {words}") for kind, words in _one(answer, client, person, known)]
    exchange, refresh = TOKEN_PATHS
    good = {answer.path for answer in answers if not answer.failed}
    for path, needed in ((exchange, True), (PROFILE_PATH, True), (refresh, refreshes)):
        if needed and path not in good:
            found.append(("missing", f"the driver never got a good answer from {path}"))
    if not any(answer.path == exchange and "40163" in answer.text for answer in answers):
        found.append(("missing", "the used code was never answered with 40163"))
    found += [("tokens", words) for words in _renewal(answers)]
    return found


def _one(answer, client, person, known):
    json_asked = answer.path in TOKEN_PATHS and "application/json" in answer.accept
    wanted = "application/json" if json_asked else "text/plain"
    if answer.content_types != [wanted]:
        yield "charset", f"Content-Type is {answer.content_types}, not exactly {wanted}"
    if answer.status != 200:
        yield "http400", f"HTTP {answer.status}; the platform always says 200"
    said = answer.json
    if said is None:
        yield "shape", f"no JSON object: {answer.text[:80]!r}"
        return
    if "expires_in" in said and type(said["expires_in"]) is not int:
        yield "string-errcode", f"expires_in is {said['expires_in']!r}, not a number"
    if answer.path == "/sns/auth" and said.get("errcode") == 0:
        if answer.text != '{"errcode":0,"errmsg":"ok"}':
            yield "shape", answer.text[:80]
        return
    if answer.failed:
        if type(said.get("errcode")) is not int:
            yield "string-errcode", f"errcode is {said.get('errcode')!r}, not a number"
        if not ERROR.match(answer.text):
            yield "shape", f"not the form of an error: {answer.text[:120]!r}"
        return
    if "errcode" in answer.text:
        yield "errcode0", "a good answer that says errcode"
    if "token_type" in said:
        yield "token-type", f"token_type {said['token_type']!r}"
    yield from _shape(answer, said, client, person)
    yield from _subject(said, client, known)


def _shape(answer, said, client, person):
    exchange, _ = TOKEN_PATHS
    keys = {exchange: EXCHANGE_KEYS, PROFILE_PATH: PROFILE_KEYS}.get(answer.path, REFRESH_KEYS)
    allowed = [keys] if client["kind"] != "service" else [keys, [key for key in keys if key != "unionid"]]
    if list(said) not in allowed:
        yield "shape", f"keys are {', '.join(said)}"
    # Compact, raw UTF-8, and every slash escaped: the bytes have one spelling.
    spelled = json.dumps(said, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
    if answer.text != spelled:
        yield "shape", f"not spelled as the platform spells it: {answer.text[:160]!r}"
    if answer.path == PROFILE_PATH:
        if said["nickname"] != person["nickname"]:
            yield "nickname", f"{said['nickname']!r}, not {person['nickname']!r}"
        if type(said.get("sex")) is not int or type(said.get("privilege")) is not list:
            yield "shape", "sex must be a number and privilege a list"
    elif said.get("expires_in") not in (7200, "7200"):
        yield "shape", f"expires_in is {said.get('expires_in')}"


def _subject(said, client, known):
    """openid is one per person and client, unionid one per person and developer, everywhere and always."""
    for key, owner in (("openid", client["appid"]), ("unionid", client["developer"])):
        if key not in said:
            continue
        if not OPENID.match(str(said[key])):
            yield "subject", f"{key} {said[key]!r} has not the platform's shape"
        first = known.setdefault((key, owner), said[key])
        if first != said[key]:
            yield "subject", f"{key} was {first} before and is {said[key]} now"


def _renewal(answers):
    """Renewing while the access token lives gives the same two tokens back."""
    issued = {}
    for answer in answers:
        said = answer.json or {}
        if answer.failed or "refresh_token" not in said:
            continue
        if answer.path == TOKEN_PATHS[0]:
            issued[said["refresh_token"]] = said["access_token"]
        elif said["refresh_token"] != answer.sent.get("refresh_token"):
            yield "the refresh token changed"
        elif issued.get(said["refresh_token"]) != said["access_token"]:
            yield "the access token changed although it was alive"
