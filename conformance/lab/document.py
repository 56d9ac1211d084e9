"""The login API against its own OpenAPI document: Schemathesis calls everything that the document names.

Twice, for `login.statuses` is either: each time a fresh backend whose upstream is a closed port and whose passcodes go to
its standard error stream. Then once more with broken answers, which the checks have to see.
"""

import base64
import json
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from .prepare import VENV

HERE = Path(__file__).resolve().parent.parent
NAME = "login-api"
MODES = ["compat", "strict"]
BROKEN = "broken"
PACKAGE = "schemathesis"
# The whole of one run, in seconds, and the most examples that are drawn for one call.
SECONDS = 25
EXAMPLES = 12
COMMON = ["not_a_server_error", "response_schema_conformance", "content_type_conformance", "status_code_conformance",
          "response_headers_conformance", "unsupported_method", "allow_header_conformance", "envelope",
          "invalid_data_is_refused"]
# What is not asked, and why. Everything else that Schemathesis can check is asked above.
LEFT_OUT = {
    "negative_data_rejection": "asked by invalid_data_is_refused, which knows that the code and not the status refuses",
    "positive_data_acceptance": "sound data is refused all the time: a passcode or state that was drawn is nobody's",
    "missing_required_header": "no header is required",
    "use_after_free": "the document links no calls", "ensure_resource_availability": "the document links no calls",
    "ignored_auth": "it would send the credentials that these hooks bring; the tests of the code try every call without",
    "object_level_authorization": "one account alone is logged in",
}
# Calls that nothing but a user at the upstream, or what an earlier call said, can make succeed: only their refusals are
# seen. Every other one must have succeeded at least once, or the run has shown nothing.
REFUSED = {
    "POST /user/wechat/login": "the upstream is nobody", "POST /user/wechat/link": "the upstream is nobody",
    "POST /user/wechat/unlink": "there is no identity to take away",
    "POST /user/wechat/bind": "wants a ticket of a login at the upstream", "POST /user/wechat/merge": "wants a ticket",
    "POST /user/phone/login": "wants a passcode that was sent", "POST /user/phone/change": "wants passcodes",
    "POST /user/session/refresh": "wants a refresh token", "POST /user/wechat/relogin": "wants a refresh token",
    "DELETE /user/sessions/{id}": "wants the id of a session", "POST /user/wechat/prepare/close": "wants a state",
    "POST /user/account/delete/cancel": "wants a ticket",
}
# What is not behind an envelope: pages and the upstream's own ways in. Their statuses and types are checked all the same.
UNREACHED = {
    "POST /hooks/wechat/events": "wants an encrypted, signed push: the fuzz target `push` and the tests of the code do that",
    "POST /hooks/sms/{gateway}": "wants a gateway's receipts: the fuzz target `sms` and the tests of the code do that",
    "GET /login/wechat/callback": "wants a browser that began there", "POST /login": "wants the form of the page before",
    "POST /login/bind": "wants the form of the page before", "GET /login/wechat": "wants an app for websites",
}

# Whose answers are broken in which way, and what the checks say of that.
BREAKS = {
    "GET /user/me": ("an empty msg", "wrong or empty: ['msg']"),
    "GET /user/sessions": ("a code of no call", "an undocumented code: 4999"),
    "GET /user/identities": ("data that is a list", "wrong or empty: ['data']"),
    "GET /user/config": ("a status of another code", "a status that is not the code's"),
    "POST /user/session/jwt": ("a page instead of JSON", "Undocumented Content-Type"),
    "POST /user/session/refresh": ("a fault of the server", "a fault of the server: code"),
    "POST /user/sms/send": ("invalid data accepted", "Schema-violating request accepted"),
}

MASTER = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
SECRET = "a-secret-of-the-conformance-run"
PUSH_TOKEN = "a-token-of-pushes"
CONFIG = """
[login]
public_url = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
store_path = "login.db"
statuses = "{mode}"
outgoing_allow = ["127.0.0.1"]
# The limits are tried elsewhere; here they would hide everything behind them.
passcode_resend = 1
passcodes_hourly = 100_000
passcodes_daily = 100_000
address_passcodes = 100_000
network_passcodes = 100_000
device_passcodes = 100_000
country_passcodes = 100_000
all_passcodes = 100_000
address_failures = 100_000
address_transactions = 100_000

[keys]
master = "{MASTER}"

[[upstream]]
name = "phone"
kind = "wechat-mobile"
appid = "wx0123456789abcdef"
secret = "{SECRET}"
base_url = "http://127.0.0.1:{closed}"
push_token = "{PUSH_TOKEN}"
push_key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"

[[sms_gateway]]
name = "here"
kind = "console"

[[service]]
name = "orders"
secret = "{SECRET}"
"""


class Backend:
    """A login backend of its own, and the sessions of two people there."""

    def __init__(self, binary, folder, mode, processes, environment):
        self.folder, self.processes = folder, processes
        (folder / "home").mkdir(parents=True)
        port, closed = free_ports()
        config = CONFIG.format(port=port, closed=closed, mode=mode, MASTER=MASTER, SECRET=SECRET, PUSH_TOKEN=PUSH_TOKEN)
        (folder / "yufu.toml").write_text(config)
        self.url = f"http://127.0.0.1:{port}"
        self.errors = folder / "yufu.err"
        with self.errors.open("wb") as errors:
            self.process = processes.start([str(binary), "serve", "--config", "yufu.toml"], cwd=folder, env=environment,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        self.until(self.answers, "it does not answer")

    def until(self, there, what):
        late = time.monotonic() + 30
        while True:
            found = there()
            if found:
                return found
            if time.monotonic() > late or self.process.poll() is not None:
                raise RuntimeError(f"yufu serve: {what}: {self.said()[-600:]}")
            time.sleep(0.05)

    def said(self):
        return self.errors.read_text("utf-8", "replace")

    def answers(self):
        try:
            with opener().open(f"{self.url}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def call(self, path, device="", **fields):
        headers = {"Content-Type": "application/json", "X-Yufu-Device": device}
        request = urllib.request.Request(self.url + path, json.dumps(fields).encode(), headers)
        with opener().open(request, timeout=10) as answer:
            told = json.load(answer)
        if told["code"] != 0:
            raise RuntimeError(f"{path}: {told['code']} {told['msg']} {told['data']}")
        return told["data"]

    def log_in(self, phone):
        device = self.call("/user/sms/send", phone=phone, scene="login")["device_secret"]
        sent = self.until(lambda: re.findall(rf"SMS to \+86{phone}: (\d+)", self.said()), "it sends no passcode")
        data = self.call("/user/phone/login", device, phone=phone, sms_code=sent[-1], consent_version="1", device_id="lab", platform="ios")
        return {"token": data["token"], "device": device}


def opener():
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_ports():
    """One to listen at, one that nobody listens at. Nobody else is in this network."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def run(binary, mode, folder, processes, environment, broken=False):
    """{failed: [...], seconds, calls, succeeded}; with broken answers `failed` is what the checks said of them."""
    began = time.monotonic()
    backend = Backend(binary, folder, mode, processes, environment)
    service = base64.b64encode(f"orders:{SECRET}".encode()).decode()
    told = {"mode": mode, "broken": {label: way for label, (way, _) in BREAKS.items()} if broken else {}, "seen": str(folder / "seen.json"), "service": f"Basic {service}",
            "session": backend.log_in("13800000001"),
            # What these calls end is nobody else's.
            "spare": {"POST /user/session/logout": backend.log_in("13800000002"),
                      "POST /user/account/delete": backend.log_in("13800000003")},
            "push_token": PUSH_TOKEN}
    report = folder / "report.json"
    narrowed = [word for label in BREAKS for word in ("--include-name", label)] if broken else []
    command = [str(VENV / "bin" / "python"), "-m", "schemathesis.cli", "--no-color", "run", f"{backend.url}/openapi.json",
               "--phases", "coverage" if broken else "examples,coverage,fuzzing", "--max-time", str(SECONDS),
               "--max-examples", str(EXAMPLES), "--seed", "1", "--generation-database", "none", "--no-shrink",
               "--continue-on-failure", "--checks", ",".join(COMMON), "--max-redirects", "0", "--request-timeout", "10",
               "--report", "json", "--report-json-path", str(report), "--warnings", "off", *narrowed]
    environment = {**environment, "SCHEMATHESIS_HOOKS": "document_checks", "PYTHONPATH": str(HERE / "python"),
                   "DOCUMENT": json.dumps(told)}
    with (folder / "schemathesis.out").open("wb") as said:
        process = processes.start(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            process.wait(timeout=2 * SECONDS + 30)
        except subprocess.TimeoutExpired:
            pass
    in_time = process.poll() is not None
    processes.end(process)
    result = {"failed": [], "calls": 0, "seconds": 0, "wrote": (folder / "schemathesis.out").read_text("utf-8", "replace")}
    if not in_time or not report.is_file():
        result["failed"].append("schemathesis came to no end" if not in_time else "schemathesis made no report")
    else:
        judge(result, json.loads(report.read_text()), json.loads((folder / "seen.json").read_text()), broken)
    if backend.process.poll() is not None:
        result["failed"].append(f"yufu ended: {backend.said()[-300:]}")
    processes.end(backend.process)
    result["seconds"] = round(time.monotonic() - began, 2)
    return result


def judge(result, report, seen, broken):
    result["calls"] = report["test_cases"]["generated"]
    if broken:
        unseen = [way for way, words in BREAKS.values() if words not in result["wrote"]]
        result["failed"] += [f"no check sees {way}" for way in unseen]
        return
    for failure in report["failures"]:
        result["failed"].append(f"{failure['title']}: {', '.join(failure['operations'])} ({failure['count']})")
    result["failed"] += [f"schemathesis: {problem}" for problem in report["errors"]]
    operations = report["operations"]
    if operations["tested"] != operations["total"]:
        result["failed"].append(f"{operations['tested']} of {operations['total']} calls were made at all")
    fine = {label for label, counts in seen.items() if {"0", "200", "303"} & counts.keys()}
    result["fine"] = len(fine)
    result["failed"] += [f"never succeeded: {label}" for label in sorted(seen.keys() - fine - REFUSED.keys() - UNREACHED.keys())]
    if report["exit_code"] and not result["failed"]:
        result["failed"].append(f"schemathesis ended with status {report['exit_code']}")
