"""What every Python driver shares: the question it was started with, a person to ask, and a list of checks.

The runner speaks with a driver in JSON lines: {"authorize", "redirect"} goes out, {"callback"} comes in, and
{"result"} closes the talk.
"""

import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

client = json.loads(os.environ["CONFORMANCE"])
STATE = "s7Kd-2_x9"
_passed, _failed = [], []


def authorize(url, redirect, refuse=False):
    """Lets the person answer at `url`; returns the callback URL, or None when a refusal leads nowhere."""
    print(json.dumps({"authorize": url, "redirect": redirect, "refuse": refuse}), flush=True)
    answer = json.loads(sys.stdin.readline() or '{"error": "the runner is gone"}')
    if "error" in answer:
        finish(f"no callback: {answer['error']}")
    return answer["callback"]


def sandbox(method, path, body=None):
    """A call of the sandbox's control, made by the runner; returns its answer."""
    print(json.dumps({"sandbox": [method, path, body]}), flush=True)
    return json.loads(sys.stdin.readline())["answer"]


def query(url):
    """The callback's parameters, each once."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def same(what, got, wanted):
    if got == wanted and type(got) is type(wanted):
        _passed.append(what)
    else:
        _failed.append(f"{what}: {got!r}, not {wanted!r}")


def holds(what, truth, seen=""):
    (_passed if truth else _failed).append(what if truth else f"{what}: {seen!r}")


def subject(what, got):
    """An openid or unionid as the platform shapes them."""
    holds(what, isinstance(got, str) and len(got) == 28 and got[0] == "o", got)


def finish(problem=None):
    if problem:
        _failed.append(problem)
    print(json.dumps({"result": {"passed": _passed, "failed": _failed}}), flush=True)
    sys.exit(1 if _failed else 0)


def drive(steps):
    """Runs the driver; an exception that the library lets out is a failure like any other."""
    try:
        steps()
    except SystemExit:
        raise
    except Exception as problem:
        finish(f"{type(problem).__name__}: {problem}"[:300])
    finish()
