#!/usr/bin/env python3
"""Judges real login libraries by `yufu check`, and compares with what is known of them.

Auth.js and better-auth run as small servers, below `yufu run`, with the recipes that come with the program. The verdicts
are kept in verdicts.json; one that changed is a failure here, in either direction. --bless keeps the new ones, and prints
the table of docs/check.md anew.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from lab import prepare  # noqa: E402

KNOWN = HERE / "verdicts.json"
DOCUMENT = ROOT / "docs" / "check.md"
START = "<!-- verdicts: printed by conformance/check/run.py --bless -->\n"
END = "<!-- end of verdicts -->"
SECONDS = 400

# name -> (its title, the package, the recipe, the server)
SERVERS = {
    "authjs": ("Auth.js", "@auth/core", "authjs", "auth_js.mjs"),
    "better-auth": ("better-auth", "better-auth", "better-auth", "better_auth.mjs"),
}


def main():
    parser = argparse.ArgumentParser(description="Real login libraries under yufu check.")
    parser.add_argument("--yufu", type=Path, default=ROOT / "target" / "release" / "yufu", metavar="PATH",
                        help="the binary (default: target/release/yufu of this repository)")
    parser.add_argument("--only", action="append", choices=SERVERS, help="this library alone; may be given again")
    parser.add_argument("--bless", action="store_true", help="keep the verdicts, and print the table of docs/check.md anew")
    parser.add_argument("--verbose", action="store_true", help="tell every failure in full")
    options = parser.parse_args()
    options.yufu = options.yufu.resolve()
    if not options.yufu.is_file():
        return stop(f"no yufu at {options.yufu}; build it or name it with --yufu")
    if not shutil.which("node"):
        return stop("missing: node (20 or newer)")
    stamp = prepare.MODULES / ".made-from"
    if stamp in prepare.stale():
        return stop("the Node libraries are not there; python3 conformance/run.py --prepare installs them")
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    names = options.only or list(SERVERS)
    wrong = 0
    for name in names:
        began = time.monotonic()
        report = judge(options, name)
        if report is None:
            return 1
        outcomes = {verdict["id"]: verdict["outcome"] for verdict in report["verdicts"]}
        wrong += tell(options, name, report, outcomes, known.get(name, {}), time.monotonic() - began)
        known[name] = outcomes
    if options.bless:
        KNOWN.write_text(json.dumps(known, indent=1) + "\n")
        bless(known, report["verdicts"])
        return 0
    return 1 if wrong else 0


def say(words):
    print(f"check: {words}", file=sys.stderr, flush=True)


def stop(words):
    say(words)
    return 1


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def judge(options, name):
    """The report of `yufu check` on a server of this library."""
    title, _, recipe, script = SERVERS[name]
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="yufu-check-") as folder:
        keep = {key: os.environ[key] for key in ("PATH",) if key in os.environ}
        # Folders of its own, or it would join a sandbox that somebody else runs here.
        environment = {**keep, "HOME": folder, "TMPDIR": folder, "XDG_RUNTIME_DIR": folder, "LANG": "C.UTF-8", "NODE_NO_WARNINGS": "1",
                       "PORT": str(port)}
        os.chmod(folder, 0o700)
        with tempfile.TemporaryFile(dir=folder) as errors:
            process = subprocess.Popen(
                [str(options.yufu), "check", "--like", recipe, "--base", f"http://127.0.0.1:{port}", "--start",
                 f"exec node {HERE / script}", "--json", "-"],
                cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL,
                start_new_session=True)
            try:
                out, _ = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                out = b""
            finally:
                end(process)
            errors.seek(0)
            wrote = errors.read().decode("utf-8", "replace").strip()
    try:
        return json.loads(out)
    except ValueError:
        say(f"{title}: no verdict within {SECONDS} s, or none at all\n{wrote[-2000:]}")
        return None


def end(process):
    """By its own id: it leads a process group of its own."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def tell(options, name, report, outcomes, before, seconds):
    title, package, _, _ = SERVERS[name]
    tally = report["tally"]
    version = prepare.version("node", package)
    print(f"{title} {version}: {tally['pass']} pass, {tally['fail']} fail, {tally['skipped']} skipped, "
          f"{tally['error']} errors ({seconds:.0f} s)")
    wrong = 0
    for verdict in report["verdicts"]:
        row, outcome = verdict["id"], verdict["outcome"]
        changed = before.get(row) != outcome
        wrong += changed or outcome == "error"
        if changed or outcome == "error":
            print(f"  {row} is {outcome}, and was {before.get(row, 'not known')}: {verdict.get('seen', '')}")
        elif options.verbose and outcome == "fail":
            print(f"  {row} {verdict['seen']}")
        if options.verbose:
            for note in verdict.get("notes", []):
                print(f"  {row} * {note}")
    return wrong


def bless(known, verdicts):
    """Prints the table of the document."""
    words = {"pass": "pass", "fail": "**fail**", "skipped": "–", "error": "error"}
    titles = [f"{title} {prepare.version('node', package)}" for title, package, _, _ in SERVERS.values()]
    lines = ["| | " + " | ".join(titles) + " |", "|---|" + "---|" * len(titles)]
    for word in ("pass", "fail", "skipped"):
        counts = [sum(outcome == word for outcome in known.get(name, {}).values()) for name in SERVERS]
        lines.append(f"| {word} | " + " | ".join(map(str, counts)) + " |")
    lines += ["", "| Row | What must hold | " + " | ".join(titles) + " |", "|---|---|" + "---|" * len(titles)]
    for verdict in verdicts:
        outcomes = [known.get(name, {}).get(verdict["id"], "skipped") for name in SERVERS]
        if any(outcome != "skipped" for outcome in outcomes):
            lines.append(f"| {verdict['id']} | {verdict['holds']} | " + " | ".join(words[it] for it in outcomes) + " |")
    text = DOCUMENT.read_text()
    head, rest = text.split(START)
    _, tail = rest.split(END)
    DOCUMENT.write_text(head + START + "\n".join(lines) + "\n" + END + tail)


if __name__ == "__main__":
    # A polite end runs the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
