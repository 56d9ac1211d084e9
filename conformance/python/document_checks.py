"""What the login API promises beside its schemas; Schemathesis loads this file as its hooks.

The document allows one HTTP status for everything in compat mode, so the checks that come with Schemathesis see little
there. These look into the envelope: its code is what they judge by.

`DOCUMENT` in the environment holds JSON: the mode, who may log in, and where to write what was seen.
"""

import atexit
import hashlib
import json
import os
import threading
from collections import Counter, defaultdict

import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection

TOLD = json.loads(os.environ["DOCUMENT"])
STRICT = TOLD["mode"] == "strict"
lock = threading.Lock()
codes = defaultdict(Counter)
turns = Counter()


# ---- who calls -----------------------------------------------------------------------------------------------------


@schemathesis.hook
def before_call(context, case, kwargs):
    """Brings the credentials that the operation wants; where it also goes without, every second time."""
    label = case.operation.label
    wanted = case.operation.definition.raw.get("security") or []
    with lock:
        turns[label] += 1
        turn = turns[label]
    headers = case.headers
    for name in [name for name in headers if name.lower() in ("authorization", "cookie")]:
        del headers[name]
    case.cookies.clear()
    session = TOLD["spare"].get(label, TOLD["session"])
    if {"service": []} in wanted:
        headers["Authorization"] = TOLD["service"]
    elif {"session": []} in wanted and ({} not in wanted or turn % 2):
        headers["Authorization"] = f"Bearer {session['token']}"
    if not is_invalid(case):
        likely(case, label, session, turn)


def likely(case, label, session, turn):
    """What no schema can say of sound data: a device that was given, a number of a phone, a signature. Mostly: what is
    merely of the right form is to be tried too."""
    if turn % 3:
        case.headers["X-Yufu-Device"] = session["device"]
        if isinstance(case.body, dict) and isinstance(case.body.get("phone"), str):
            case.body["phone"] = f"139{turn:08}"
    if label == "GET /hooks/wechat/events":
        parts = sorted([TOLD["push_token"], str(case.query["timestamp"]), str(case.query["nonce"])])
        case.query["signature"] = hashlib.sha1("".join(parts).encode("utf-8", "replace")).hexdigest()
        case.query["echostr"] = "4375120948345356249"


def is_invalid(case):
    return case.meta is not None and case.meta.generation.mode.is_negative


# ---- what every answer holds ---------------------------------------------------------------------------------------


def documented(case):
    """The statuses of each code that the document names for a call; None for what has no envelope."""
    answers = case.operation.definition.raw["responses"]
    schema = answers["200"]["content"].get("application/json", {}).get("schema", {})
    if "oneOf" not in schema:
        return None
    known = {code: set() for code in codes_of(schema["oneOf"][1])}
    for status, answer in answers.items():
        if status != "200":
            for code in codes_of(answer["content"]["application/json"]["schema"]):
                known.setdefault(code, set()).add(int(status))
    known[0] = {200}
    return known


def codes_of(schema):
    return schema["allOf"][1]["properties"]["code"]["enum"]


def read(response):
    try:
        told = json.loads(response.content)
    except ValueError:
        told = None
    assert isinstance(told, dict), f"no envelope: {response.content[:200]!r}"
    return told


@schemathesis.check
def envelope(ctx, response, case):
    """{code, msg, data, request_id}, each of its type; the code is one of the call's own, the status the code's own."""
    known = documented(case)
    method = response.request.method
    if known is None or method in ("HEAD", "OPTIONS"):
        return
    told = read(response)
    assert list(told) == ["code", "msg", "data", "request_id"], f"no envelope: its members are {list(told)}"
    types = {"code": int, "msg": str, "data": dict, "request_id": str}
    wrong = [name for name, kind in types.items() if type(told[name]) is not kind]
    wrong += [name for name in ("msg", "request_id") if name not in wrong and not told[name].strip()]
    assert not wrong, f"no envelope: wrong or empty: {wrong}"
    assert response.headers.get("x-request-id") == [told["request_id"]], "X-Request-Id is not request_id"
    assert response.headers.get("cache-control") == ["no-store"], "caches may keep it"
    code, status = told["code"], response.status_code
    # Compat mode sends those with HTTP 200, where no other check sees them.
    assert "incident" not in told["data"], f"a fault of the server: code {code}"
    # What reaches no call has the status of that in both modes.
    if status == 405 and method != case.operation.method.upper():
        assert code == 1001, f"a method that is none, with code {code}"
    elif status == 404 and "path" in told["data"].get("field", ""):
        assert code == 1001 and case.operation.path_parameters, "a documented path that leads nowhere"
    else:
        assert code in known, f"an undocumented code: {code} is not among {sorted(known)}"
        fine = known[code] if STRICT else {200}
        assert status in fine, f"a status that is not the code's: {code} with HTTP {status}, documented: {sorted(fine)}"


@schemathesis.check
def invalid_data_is_refused(ctx, response, case):
    """Schemathesis' own check of that, for whatever has no code to tell it or has the code of success."""
    if documented(case) is None or response.request.method == "HEAD" or read(response).get("code") == 0:
        return negative_data_rejection(ctx, response, case)


# ---- what was seen, and the breaks ---------------------------------------------------------------------------------


@schemathesis.hook
def after_call(context, case, response):
    """Counts the codes, and breaks the answer where the run is to show that the checks see it."""
    label, said = case.operation.label, response.status_code
    has_envelope = documented(case) is not None and response.request.method not in ("HEAD", "OPTIONS")
    if has_envelope:
        told = read(response)
        said = told.get("code")
    with lock:
        codes[label][said] += 1
    if has_envelope and label in TOLD["broken"]:
        breaks(case, response, told, TOLD["broken"][label])


def breaks(case, response, told, way):
    if way == "an empty msg":
        told["msg"] = ""
    elif way == "a code of no call":
        told["code"] = 4999
    elif way == "data that is a list":
        told["data"] = []
    elif way == "a status of another code":
        response.status_code = 400 if told["code"] == 0 else 409
    elif way == "a page instead of JSON":
        response.headers["content-type"] = ["text/html"]
    elif way == "a fault of the server":
        told["data"]["incident"] = "0000"
    elif way == "invalid data accepted" and is_invalid(case):
        told.update(code=0, data={"resend_after": 1, "ttl": 1})
        response.status_code = 200
    response.content = json.dumps(told).encode()


@atexit.register
def write():
    with open(TOLD["seen"], "w", encoding="utf-8") as file:
        json.dump({label: {str(code): count for code, count in counts.items()} for label, counts in codes.items()}, file)
