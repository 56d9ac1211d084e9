"""Faults and clock jumps of the sandbox, and what each library makes of them.

A case is a fault as the sandbox takes it, and for each library that it is tried on the words by which that library is
known to notice it; None where the library is known not to notice. A case counts when every
library does what is written here, and the fault played.
"""

import http.client
import json
import queue
import re
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from .drivers import DRIVERS, Driver


@dataclass(frozen=True)
class Case:
    name: str
    fault: dict
    says: dict        # driver -> how and in which words it notices, or None where it does not
    word: str = ""    # more about it, for the page


def at(endpoint, kind, **more):
    return {"kind": kind, "endpoint": endpoint, **more}


EXCHANGE, USERINFO, REFRESH = "access_token", "userinfo", "refresh_token"


def refuses(words):
    """The library throws, or its page refuses the login."""
    return "refuses", words


def hands(words):
    """The library takes it, and its user is told something else than the truth: what the driver's own checks see."""
    return "hands it on", words


CASES = [
    Case("errcode -1", at(EXCHANGE, "errcode", code=-1), {
        "wechatpy": refuses('WeChatOAuthException: Error code: -1, messag'),
        "weixin-python": refuses('WeixinLoginError: -1 system error, rid:'),
        "co-wechat-oauth": refuses('WeChatAPIError: system error, rid:'),
        "logto-wechat-web": refuses('Error: ConnectorError:'),
    }),
    Case("errcode 45011", at(EXCHANGE, "errcode", code=45011), {
        "wechatpy": refuses('WeChatOAuthException: Error code: 45011, mes'),
        "weixin-python": refuses('WeixinLoginError: 45011 api minute-quota rea'),
        "co-wechat-oauth": refuses('WeChatAPIError: api minute-quota reach limit'),
        "passport-wechat": refuses('logged in: 500, not 200'),
        "logto-wechat-web": refuses('Error: ConnectorError:'),
        "better-auth": refuses('logged in: "/no?error=invalid_code", not "/i'),
    }),
    Case("errcode 45009", at(EXCHANGE, "errcode", code=45009), {
        "wechatpy": refuses('WeChatOAuthException: Error code: 45009, mes'),
        "weixin-python": refuses('WeixinLoginError: 45009 reach max api daily'),
        "co-wechat-oauth": refuses('WeChatAPIError: reach max api daily quota li'),
        "logto-wechat-web": refuses('Error: ConnectorError:'),
    }),
    Case("errcode 40001", at(USERINFO, "errcode", code=40001), {
        "wechatpy": refuses('WeChatOAuthException: Error code: 40001, mes'),
        "weixin-python": refuses('WeixinLoginError: 40001 invalid credential,'),
        "co-wechat-oauth": refuses('WeChatAPIError: invalid credential, access_t'),
        "logto-wechat-web": refuses('Error: ConnectorError: "invalid credential,'),
        "django-allauth": refuses("KeyError: 'openid'"),
    }),
    Case("slow", at(EXCHANGE, "slow", ms=6500), {
        "wechat-oauth": refuses('WeChatAPIResponseTimeoutError: Response time'),
        "co-wechat-oauth": refuses('WeChatAPIRequestTimeoutError: ReadTimeout(30'),
        "node-socialite": None,
        "better-auth": None,
    }),
    Case("drop after", at(EXCHANGE, "drop"), {
        "wechatpy": refuses('ConnectionError'),
        "weixin-python": refuses('ConnectionError'),
        "co-wechat-oauth": refuses('WeChatAPIError: socket hang upGET https://ap'),
        "logto-wechat-web": refuses('RequestError: socket hang up'),
        "django-allauth": refuses("logged in: (401, None), not (302, '/in/')"),
    }),
    Case("drop before", at(USERINFO, "drop", when="before"), {
        "wechatpy": refuses('ConnectionError'),
        "weixin-python": refuses('ConnectionError'),
        "co-wechat-oauth": refuses('WeChatAPIError: socket hang upGET https://ap'),
        "logto-wechat-web": refuses('RequestError: socket hang up'),
    }),
    Case("status 502", at(EXCHANGE, "status", status=502), {
        "wechatpy": refuses('WeChatOAuthException: Error code: None, mess'),
        "weixin-python": refuses('JSONDecodeError: Expecting value:'),
        "co-wechat-oauth": refuses("WeChatAPISyntaxError: Unexpected token '<',"),
        "logto-wechat-web": refuses('HTTPError: Request failed with status code 5'),
        "auth-core": refuses('logged in: "http://127.0.0.1:8000/auth/error'),
    }),
    Case("html", at(EXCHANGE, "html"), {
        "wechatpy": refuses('JSONDecodeError: Expecting value:'),
        "weixin-python": refuses('JSONDecodeError: Expecting value:'),
        "co-wechat-oauth": refuses("WeChatAPISyntaxError: Unexpected token '<',"),
        "logto-wechat-web": refuses('Error: ConnectorError'),
        "auth-core": refuses('logged in: "http://127.0.0.1:8000/auth/error'),
    }),
    Case("truncated", at(EXCHANGE, "truncated"), {
        "wechatpy": refuses('JSONDecodeError: Unterminated string startin'),
        "weixin-python": refuses('JSONDecodeError: Unterminated string startin'),
        "co-wechat-oauth": refuses('WeChatAPISyntaxError: Unterminated string in'),
        "logto-wechat-web": refuses('Error: ConnectorError'),
        "grant": hands('token:'),
    }),
    Case("content_type exchange", at(EXCHANGE, "content_type", type="text/html"), {
        "wechatpy": None,
        "weixin-python": None,
        "co-wechat-oauth": None,
        "logto-wechat-web": None,
        "auth-core": None,
        "grant": None,
    }),
    Case("content_type userinfo", at(USERINFO, "content_type", type="text/plain; charset=utf-8"), {
        "social-core-weixin": refuses("UnicodeDecodeError: 'utf-8' codec can't deco"),
        "django-allauth": refuses("UnicodeDecodeError: 'utf-8' codec can't deco"),
        "wechatpy": None,
    }),
    Case("errcode_zero", at(EXCHANGE, "errcode_zero"), {
        "wechatpy": None,
        "weixin-python": None,
        "co-wechat-oauth": None,
        "logto-wechat-web": None,
        "social-core-weixin": None,
    }),
    Case("extra token_type", at(EXCHANGE, "extra"), {
        "wechatpy": None,
        "weixin-python": None,
        "co-wechat-oauth": None,
        "logto-wechat-web": None,
        "auth-core": refuses('logged in: "http://127.0.0.1:8000/auth/error'),
    }),
    Case("missing openid", at(EXCHANGE, "missing", field="openid"), {
        "wechatpy": refuses("KeyError: 'openid'"),
        "weixin-python": hands('openid: {}'),
        "co-wechat-oauth": hands('openid: ""'),
        "logto-wechat-web": refuses('Error: ConnectorError: invalid_response'),
    }),
    Case("missing unionid", at(USERINFO, "missing", field="unionid"), {
        "wechatpy": hands("KeyError: 'unionid'"),
        "weixin-python": hands('unionid: {}'),
        "co-wechat-oauth": hands('unionid: ""'),
        "logto-wechat-web": hands('unionid: undefined, not "o'),
        "auth-core": hands('unionid as account: "'),
        "better-auth": None,
        "passport-weixin": hands('unionid as id: "undefined"'),
    }),
    Case("missing refresh_token", at(EXCHANGE, "missing", field="refresh_token"), {
        "wechatpy": refuses("KeyError: 'refresh_token'"),
        "weixin-python": refuses('WeixinLoginError: 41003 refresh_token missin'),
        "co-wechat-oauth": refuses('WeChatAPIError: refresh_token missing, rid:'),
        "logto-wechat-web": None,
        "better-auth": refuses('refresh: 400, not 200'),
    }),
    Case("missing refresh_token renewed", at(REFRESH, "missing", field="refresh_token"), {
        "wechatpy": refuses("KeyError: 'refresh_token'"),
        "weixin-python": None,
        "co-wechat-oauth": None,
        "better-auth": None,
    }),
    Case("duplicate openid", at(EXCHANGE, "duplicate", field="openid"), {
        "wechatpy": hands("openid: 'duplicate'"),
        "weixin-python": hands("openid: 'duplicate'"),
        "co-wechat-oauth": hands('openid: "duplicate"'),
        "logto-wechat-web": None,
    }),
    Case("strings", at(EXCHANGE, "strings"), {
        "wechatpy": hands("expires_in: '7200', not 7200"),
        "weixin-python": hands("expires_in: '7200', not 7200"),
        "co-wechat-oauth": hands('expires_in: "7200", not 7200'),
        "logto-wechat-web": refuses('Error: ConnectorError:'),
    }),
    Case("other_openid", at(USERINFO, "other_openid"), {
        "wechatpy": hands("openid again: 'o"),
        "weixin-python": hands("openid again: 'o"),
        "co-wechat-oauth": hands('openid again: "o'),
        "logto-wechat-web": None,
        "auth-core": hands('openid again: "o'),
    }),
    Case("mojibake latin1", at(USERINFO, "mojibake"), {
        "wechatpy": hands("nickname: 'æ¢\\x85 ZoÃ© ð\\x9f\\x90\\x9f', not '"),
        "weixin-python": hands("nickname: 'æ¢\\x85 ZoÃ© ð\\x9f\\x90\\x9f', not '"),
        "co-wechat-oauth": hands('nickname: "æ¢ ZoÃ© ð\x9f\x90\x9f", not "梅 Zoé 🐟"'),
        "logto-wechat-web": hands('nickname: "æ¢ ZoÃ© ð\x9f\x90\x9f", not "梅 Zoé 🐟"'),
    }),
    Case("mojibake bytes", at(USERINFO, "mojibake", how="bytes"), {
        "wechatpy": None,
        "weixin-python": refuses("UnicodeDecodeError: 'utf-8' codec can't deco"),
        "co-wechat-oauth": hands('nickname: "梅 Zoé 🐟�", not "梅 Zoé 🐟"'),
        "logto-wechat-web": hands('nickname: "梅 Zoé 🐟�", not "梅 Zoé 🐟"'),
    }),
    Case("mojibake control", at(USERINFO, "mojibake", how="control"), {
        "wechatpy": hands("nickname: '梅 Zoé 🐟\\x02', not '梅 Zoé 🐟'"),
        "weixin-python": refuses('JSONDecodeError: Invalid control character a'),
        "co-wechat-oauth": refuses('WeChatAPISyntaxError: Bad control character'),
        "logto-wechat-web": refuses('Error: ConnectorError'),
    }),
    Case("code_expired", {"kind": "code_expired"}, {
        "wechatpy": refuses('WeChatOAuthException: Error code: 40029, mes'),
        "weixin-python": refuses('WeixinLoginError: 40029 invalid code, rid:'),
        "co-wechat-oauth": refuses('WeChatAPIError: invalid code, rid:'),
        "logto-wechat-web": refuses('Error: ConnectorError: "invalid code, rid:'),
    }),
    Case("access_expired", {"kind": "access_expired"}, {
        "wechatpy": refuses('WeChatOAuthException: Error code: 42001, mes'),
        "weixin-python": refuses('WeixinLoginError: 42001 access_token expired'),
        "co-wechat-oauth": refuses('WeChatAPIError: access_token expired, rid:'),
        "logto-wechat-web": refuses('Error: ConnectorError:'),
    }),
    Case("refresh_dead expired", {"kind": "refresh_dead"}, {
        "wechatpy": refuses('WeChatOAuthException: Error code: 42002, mes'),
        "weixin-python": refuses('WeixinLoginError: 42002 refresh_token expire'),
        "co-wechat-oauth": refuses('WeChatAPIError: refresh_token expired, rid:'),
        "better-auth": refuses('refresh: 400, not 200'),
    }),
    Case("refresh_dead revoked", {"kind": "refresh_dead", "how": "revoked"}, {
        "wechatpy": refuses('WeChatOAuthException: Error code: 40030, mes'),
        "co-wechat-oauth": refuses('WeChatAPIError: invalid refresh_token, rid:'),
    }),
    Case("userinfo_denied", {"kind": "userinfo_denied"}, {
        "wechatpy": refuses('WeChatOAuthException: Error code: 48001, mes'),
        "weixin-python": refuses('WeixinLoginError: 48001 api unauthorized, ri'),
        "co-wechat-oauth": refuses('WeChatAPIError: api unauthorized, rid:'),
        "logto-wechat-web": refuses('Error: ConnectorError:'),
        "better-auth": refuses('logged in: "/no?error=unable_to_get_user_inf'),
    }),
    Case("clock_skew", at(USERINFO, "clock_skew", by="3h"), {
        "wechatpy": refuses('WeChatOAuthException: Error code: 42001, mes'),
        "weixin-python": refuses('WeixinLoginError: 42001 access_token expired'),
        "co-wechat-oauth": refuses('WeChatAPIError: access_token expired, rid:'),
        "logto-wechat-web": refuses('Error: ConnectorError:'),
    }),
    Case("scan_expired", {"kind": "scan_expired"}, {
        "wechatpy": refuses("browser: the poll ended with 402"),
    }),
    Case("callback_twice", {"kind": "callback_twice"}, {
        "callback-twice": refuses('the second time: "40163 code been used", not'),
    }),
    Case("other_code", {"kind": "other_code"}, {
        "wechatpy": hands("nickname: '阿伟', not '梅 Zoé 🐟'"),
        "weixin-python": hands("nickname: '阿伟', not '梅 Zoé 🐟'"),
        "co-wechat-oauth": hands('nickname: "阿伟", not "梅 Zoé 🐟"'),
        "logto-wechat-web": hands('nickname: "阿伟", not "梅 Zoé 🐟"'),
    }),
    Case("other_state", {"kind": "other_state"}, {
        "wechatpy": hands("state: 'another-state', not 's7Kd-2_x9'"),
        "weixin-python": hands("state: 'another-state', not 's7Kd-2_x9'"),
        "co-wechat-oauth": hands('state: "another-state", not "s7Kd-2_x9"'),
        "passport-wechat": hands('state: "another-state", not "s7Kd-2_x9"'),
        "logto-wechat-web": hands('state: "another-state", not "s7Kd-2_x9"'),
        "social-core-weixin": refuses('AuthSessionError: The authentication session'),
        "django-allauth": refuses("logged in: (401, None), not (302, '/in/')"),
        "auth-core": refuses('logged in: "http://127.0.0.1:8000/auth/error'),
        "better-auth": refuses('logged in: "http://127.0.0.1:8000/api/auth/e'),
        "grant": refuses('TypeError: Cannot read properties of undefin'),
    }),
    Case("no_state", {"kind": "no_state"}, {
        "wechatpy": hands("KeyError: 'state'"),
        "weixin-python": hands("KeyError: 'state'"),
        "co-wechat-oauth": hands('state: undefined, not "s7Kd-2_x9"'),
        "logto-wechat-web": hands('state: undefined, not "s7Kd-2_x9"'),
        "social-core-weixin": refuses("AuthInputError: A required authentication parameter is missing"),
        "django-allauth": refuses("logged in: (401, None)"),
        "auth-core": refuses('logged in: "http://127.0.0.1:8000/auth/error'),
        "better-auth": refuses("error?error=state_not_found"),
        "grant": refuses("TypeError: Cannot read properties of undefined"),
    }),
]

# These need steps of their own.
STEPS = [
    Driver("callback-twice", "node", "passport-wechat", "service"),
]
CLOCK = [
    Driver("clock-wechatpy", "python", "wechatpy", "website", refreshes=True),
    Driver("clock-co-wechat-oauth", "node", "co-wechat-oauth", "service", refreshes=True),
]


class Control:
    """The control of a running sandbox."""

    def __init__(self, world):
        self._at, self._token = urlsplit(world["platform"]), world["token"]

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection(self._at.hostname, self._at.port, timeout=20)
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            connection.request(method, f"/_sandbox{path}", json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            told = json.loads(answer.read() or b"null")
            if answer.status != 200:
                raise RuntimeError(f"{method} {path}: {told}")
            return told
        finally:
            connection.close()


def names():
    """The drivers that only this part has."""
    return {driver.name for driver in [*STEPS, *CLOCK]}


def run(places, world, only, deadline_left):
    """Runs every case on every library, one worker for each kind of client, since a fault is set for a client."""
    control = Control(world)
    drivers = {driver.name: driver for driver in [*DRIVERS, *STEPS, *CLOCK]}
    jobs = {"website": queue.Queue(), "service": queue.Queue()}
    results = {}
    for case in CASES:
        for name in case.says:
            if only and name not in only:
                continue
            jobs[drivers[name].kind].put((case, drivers[name]))
            results[case.name, name] = {"said": "", "failed": ["it never ran"], "played": 0}

    def work(kind, place):
        while True:
            try:
                case, driver = jobs[kind].get_nowait()
            except queue.Empty:
                return
            try:
                results[case.name, driver.name] = one(control, case, place.shift(driver))
            except Exception as problem:  # one driver's trouble must not hide the others' results
                results[case.name, driver.name] = {"said": "", "failed": [f"the runner itself: {problem!r}"], "played": 0}

    workers = [threading.Thread(target=work, args=job, daemon=True) for job in zip(jobs, places)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(0, deadline_left()))
    control.call("DELETE", "/faults")
    # The clock is everybody's: these run alone.
    for driver in CLOCK:
        if only and driver.name not in only:
            continue
        shift = places[0].shift(driver)
        shift.front.begin(None)
        saw, failed, wrote = shift.talk()
        results["clock", driver.name] = {"said": "", "failed": failed, "played": 1, "passed": saw.get("passed", []), "wrote": wrote}
        control.call("POST", "/clock", {"real": True})
    return results


def one(control, case, shift):
    fault = {**case.fault, "client": shift.client["appid"]}
    [added] = control.call("POST", "/faults", fault)["faults"]
    shift.front.begin(None)
    try:
        saw, failed, wrote = shift.talk()
    finally:
        listed = control.call("GET", "/faults")["faults"]
        control.call("DELETE", f"/faults/{added['id']}")
    played = next(fault["played"] for fault in listed if fault["id"] == added["id"])
    return {"said": masked(failed[0]) if failed else "", "failed": [], "all": failed, "played": played, "wrote": wrote,
            "passed": saw.get("passed", [])}


def masked(words):
    """What differs from run to run, taken out."""
    words = re.sub(r"[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}", "…", words)
    words = re.sub(r"\b8\d_[0-9A-Za-z_-]{20,}", "8…", words)
    words = re.sub(r"\bo[0-9A-Za-z_-]{27}\b", "o…", words)
    words = re.sub(r"\b0[0-9A-Za-z]{31}\b", "0…", words)
    words = re.sub(r"\bwx[0-9a-f]{16}\b", "wx…", words)
    words = re.sub(r"\b[0-9a-f]{32}\b", "…", words)
    return re.sub(r"\s+", " ", words)


def verdict(case, name, result):
    """(passed, why)."""
    if result["failed"]:
        return False, result["failed"]
    if not result["played"]:
        return False, ["the fault never played", *result.get("all", [])]
    wanted = case.says[name]
    if wanted is None:
        return not result["said"], [] if not result["said"] else [f"was not known to notice, and says {result['said']}"]
    _, wanted = wanted
    good = (wanted in " ".join(map(masked, result["all"])))
    return good, [] if good else [f"says {result['said'] or 'nothing'!r}, not {wanted!r}"]


def judge(results):
    cases = {case.name: case for case in CASES}
    judged = []
    for (name, driver), result in results.items():
        if name == "clock":
            passed, why = not result["failed"], result["failed"]
        else:
            passed, why = verdict(cases[name], driver, result)
        case = cases.get(name)
        how = "turns" if case is None else (case.says[driver] or ("does not notice", ""))[0]
        judged.append({"case": name, "driver": driver, "how": how, "fault": case.fault if case else None, "passed": passed, "why": why, "said": result["said"],
                       "checks": result.get("passed", []), "wrote": result.get("wrote", "")})
    return judged


def text(judged, verbose):
    lines = ["With the sandbox's faults, what each library says:", ""]
    for one in judged:
        said = "; ".join(one["checks"]) if one["case"] == "clock" else one["said"]
        ok = "ok" if one["passed"] else "FAILED"
        lines.append(f"{one['case']:30} {one['driver']:22} {ok:6} {one['how']:16} {said[:110]}".rstrip())
        lines += [f"    {why}" for why in one["why"]]
        if verbose and not one["passed"]:
            lines += [f"    | {line[:300]}" for line in one["wrote"].strip().splitlines()[-20:]]
    return "\n".join(lines)


HEAD = """# What client libraries notice of the sandbox's faults

Written by `run.py --faults --write`. Each line is a whole login by a library as it comes from its registry, with one fault
of the sandbox (`docs/sandbox-faults.md`) set by REST. **refuses**: the library throws, crashes, or its page turns the
login away. **hands it on**: the library takes the answer, and its user is told something else than the truth; that is
what the driver's own checks see. **does not notice**: the login ends as if nothing had been. Words that differ from run
to run are written as …

| fault | library | | what it says |
|---|---|---|---|
"""

CLOCK_HEAD = """
## The clock

Turned by REST while a library is logged in; each step was seen by the library.

| library | steps |
|---|---|
"""


def page(judged, version):
    """FAULTS.md."""
    packages = {driver.name: (driver.language, driver.package) for driver in [*DRIVERS, *STEPS, *CLOCK]}

    def library(name):
        language, package = packages[name]
        return f"{package} {version(language, package)}"

    def cell(text):
        text = text if len(text) <= 150 else text[:150] + "…"
        return text.replace("|", "\\|").replace("<", "&lt;").replace("\x80", "…")

    lines, last = [HEAD], None
    for one in judged:
        if one["case"] == "clock":
            continue
        fault = json.dumps(one["fault"], ensure_ascii=False) if one["case"] != last else ""
        last = one["case"]
        said = f"`{cell(one['said'])}`" if one["said"] else ""
        lines.append(f"| {f'`{fault}`' if fault else ''} | {library(one['driver'])} | {one['how']} | {said} |\n")
    lines.append(CLOCK_HEAD)
    for one in judged:
        if one["case"] == "clock":
            lines.append(f"| {library(one['driver'])} | {'; '.join(one['checks'])} |\n")
    silent = sorted({one["case"] for one in judged if one["case"] != "clock"}
                    - {one["case"] for one in judged if one["how"] != "does not notice"})
    lines.append("\nNobody notices: " + (", ".join(silent) or "every fault is noticed by somebody") + ".\n")
    return "".join(lines)
