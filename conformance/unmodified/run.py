#!/usr/bin/env python3
"""Programs that know nothing of yufu log in under `yufu run`: the platform's hosts stand in their source, and every other
host is verified as ever. In a private network, so that whoever goes past the sandbox reaches nobody. See README.md beside
this file.
"""

import argparse
import json
import os
import queue
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import snippets  # noqa: E402
from lab import certificates, prepare  # noqa: E402

ROOT = HERE.parent.parent
# Where systems keep their roots; the first that is here gets one more for this run.
BUNDLES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
           "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"]
TOOLS = {"java": "openjdk-17-jdk-headless", "javac": "openjdk-17-jdk-headless", "curl": "curl", "cargo": "the Rust toolchain"}
REDIRECT = "http://127.0.0.1:8000/callback"
WORKERS = 2
PROGRAM_SECONDS = 60
RUN_SECONDS = 300
INSIDE = "YUFU_PROGRAMS_INSIDE"


@dataclass(frozen=True)
class Program:
    name: str
    command: tuple
    state: str
    net: bool = False
    # A program that must not come through: it proves that the others could have failed.
    fails: bool = False
    bare: bool = False
    # A snippet of docs/ci.md, with commands of its own.
    snippet: snippets.Snippet | None = None


def programs(rust):
    python, node = str(prepare.PYTHON), "node"
    http, url = ("java", "Login.java", "HttpClient"), ("java", "Login.java", "HttpURLConnection")
    return [
        Program("python requests", (python, "python_requests.py"), "from-requests"),
        Program("python httpx", (python, "python_httpx.py"), "from-httpx"),
        Program("python urllib", (python, "python_urllib.py"), "from-urllib"),
        Program("node fetch", (node, "node_fetch.mjs"), "from-fetch"),
        Program("node axios", (node, "node_axios.mjs"), "from-axios"),
        Program("node got", (node, "node_got.mjs"), "from-got"),
        Program("node https", (node, "node_https.cjs"), "from-https"),
        Program("curl", ("sh", "curl.sh"), "from-curl"),
        Program("rust reqwest", (str(rust),), "from-reqwest"),
        Program("java HttpClient", http, "from-java"),
        Program("java HttpURLConnection", url, "from-java"),
        # Programs that want no proxy, in a network of their own.
        Program("python urllib, no proxy", (python, "python_stubborn.py"), "from-urllib", net=True),
        Program("python httpx, no trust_env", (python, "python_trustless.py"), "from-trustless", net=True),
        Program("node fetch", (node, "node_fetch.mjs"), "from-fetch", net=True),
        Program("java HttpClient, no proxy", (*http, "direct"), "from-java", net=True),
        Program("java HttpURLConnection, no proxy", (*url, "direct"), "from-java", net=True),
        Program("python urllib, no proxy", (python, "python_stubborn.py"), "from-urllib", fails=True),
        Program("java HttpClient, no proxy", (*http, "direct"), "from-java", fails=True),
        Program("node fetch, without yufu run", (node, "node_fetch.mjs"), "from-fetch", fails=True, bare=True),
        Program("curl, without yufu run", ("sh", "curl.sh"), "from-curl", fails=True, bare=True),
        *(Program(f"docs/ci.md, {one.name}", (), "", snippet=one) for one in snippets.SNIPPETS),
        # The pipelines run what pytest's line runs.
        *(Program(f"docs/ci.md, {one.name}, without", (), "", snippet=one, fails=True, bare=True) for one in snippets.SNIPPETS[:3]),
    ]


def main():
    options = arguments()
    if os.environ.get(INSIDE) != "1":
        wanted = {**TOOLS, **prepare.TOOLS}
        missing = [f"{tool} (from {source})" for tool, source in wanted.items() if not shutil.which(tool)]
        if missing:
            return stop("missing: " + ", ".join(missing))
        if not snippets.JUNIT.is_file():
            return stop(f"missing: {snippets.JUNIT} (from junit5)")
        if prepare.stale():
            try:
                prepare.prepare(say)
            except subprocess.CalledProcessError as problem:
                return stop(f"the libraries could not be installed ({problem}); that needs the package registries")
        if not options.yufu.is_file():
            return stop(f"no yufu at {options.yufu}; build it or name it with --yufu")
        if not options.rust.is_file():
            return stop(f"no program at {options.rust}; cargo build --package yufu --example wechat_login makes it")
        as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", *as_root, "--net", "--mount", "--", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return run(options)


def arguments():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(description="Unmodified programs log in under yufu run.")
    parser.add_argument("--yufu", type=Path, default=target / "release" / "yufu", metavar="PATH", help="the binary")
    parser.add_argument("--rust", type=Path, default=target / "debug" / "examples" / "wechat_login", metavar="PATH",
                        help="the Rust program, built from crates/yufu/examples/wechat_login.rs")
    parser.add_argument("--only", metavar="WORD", help="the programs with this in their name")
    parser.add_argument("--verbose", action="store_true", help="with every program, what it wrote")
    options = parser.parse_args()
    options.yufu, options.rust = options.yufu.resolve(), options.rust.resolve()
    return options


def say(words):
    print(f"programs: {words}", file=sys.stderr, flush=True)


def stop(words):
    say(words)
    return 1


# ---- the place -----------------------------------------------------------------------------------------------------


class Other:
    """Another host of the web: says hello to whoever trusts its certificate."""

    def __init__(self, name, leaf, key):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(leaf, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.greeting = f"hello from {name}"
        self.port = self._listener.getsockname()[1]
        self.url = f"https://{name}:{self.port}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            stream, _ = self._listener.accept()
            threading.Thread(target=self._answer, args=(stream,), daemon=True).start()

    def _answer(self, stream):
        body = self.greeting.encode()
        try:
            stream.settimeout(20)
            with self._context.wrap_socket(stream, server_side=True) as tls:
                tls.recv(65536)
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        except OSError:
            pass  # whoever does not trust us says so


def furnish(folder):
    """Two other hosts, one of them with an authority that the system trusts, by files mounted over the system's own."""
    names = ("trusted.example", "untrusted.example")
    others = []
    for name in names:
        inner = folder / name
        inner.mkdir()
        authority, leaf, key = certificates.make(inner, [name])
        others.append((Other(name, leaf, key), authority))
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {name}\n" for name in names))
    system = next((path for path in BUNDLES if os.path.exists(path)), None)
    if system is None:
        raise RuntimeError("this system has no file of roots; install ca-certificates")
    bundle = folder / "roots.pem"
    bundle.write_bytes(Path(system).read_bytes() + b"\n" + others[0][1].read_bytes())
    for source, target in ((hosts, "/etc/hosts"), (bundle, os.path.realpath(system))):
        subprocess.run(["mount", "--bind", str(source), target], check=True)
    return others[0][0], others[1][0], others[0][1]


def environment(folder):
    """No proxies, no certificates, no settings of whoever runs this: only what a program needs."""
    keep = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    keep["PATH"] = os.pathsep.join([keep.get("PATH", ""), "/usr/sbin", "/sbin"])
    return {**keep, "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}


class Sandbox:
    """`yufu dev`, with somebody who agrees to everything."""

    def __init__(self, yufu, folder):
        (folder / "home").mkdir()
        (folder / "tmp").mkdir()
        self.line = folder / "ready.json"
        self._process = subprocess.Popen([str(yufu), "dev", "--json", "--port", "0", "--until-stdin-closes"], cwd=folder,
                                         stdin=subprocess.PIPE, stdout=self.line.open("w"), env=environment(folder))
        for _ in range(300):
            if self.line.read_text().endswith("\n"):
                break
            time.sleep(0.1)
        self.ready = json.loads(self.line.read_text())
        self.ask("PUT", "/_sandbox/auto", {"person": self.ready["people"][0]["name"], "decision": "allow"})

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.ready["platform"] + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"authorization": "Bearer " + self.ready["token"], "content-type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return json.loads(answer.read() or "null")

    def end(self):
        self._process.stdin.close()
        try:
            return self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return "killed"


# ---- the run -------------------------------------------------------------------------------------------------------


def run(options):
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="yufu-programs-") as name:
        folder = Path(name)
        trusted, untrusted, authority = furnish(folder)
        sandbox = Sandbox(options.yufu, folder)
        jobs, results = queue.Queue(), []
        for number, program in enumerate(programs(options.rust)):
            if not options.only or options.only in program.name:
                jobs.put((number, program))

        def work():
            while time.monotonic() - started < RUN_SECONDS:
                try:
                    number, program = jobs.get_nowait()
                except queue.Empty:
                    return
                try:
                    outcome = tried(program, options, sandbox, folder, trusted, untrusted, authority)
                except Exception as problem:  # one program's trouble must not hide the others' results
                    outcome = (f"the runner itself: {problem!r}", 0, "")
                results.append((number, program, *outcome))

        workers = [threading.Thread(target=work) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        left = os.listdir(folder / "tmp")
        status = sandbox.end()
        return report(sorted(results, key=lambda row: row[0]), jobs.qsize(), left, status, options, time.monotonic() - started)


def tried(program, options, sandbox, folder, trusted, untrusted, authority):
    """(what went wrong, seconds, what it wrote)"""
    if program.snippet:
        began = time.monotonic()
        wrong, wrote = snippets.tried(program.snippet, options.yufu, environment(folder), program.bare)
        return wrong, time.monotonic() - began, wrote
    client = sandbox.ready["clients"][0]
    own = {**environment(folder), "APPID": client["appid"], "SECRET": client["secret"], "REDIRECT": REDIRECT,
           "TRUSTED": trusted.url, "UNTRUSTED": untrusted.url,
           # Node has roots of its own built in; this is how its users add theirs.
           "NODE_EXTRA_CA_CERTS": str(authority)}
    # The other hosts are this machine, too; a program in a network of its own is let through to them.
    net = ["--net", *(f"--reach={other.port}" for other in (trusted, untrusted))] if program.net else []
    line = [str(options.yufu), "run", "--sandbox", str(sandbox.line), *net, "--"]
    began = time.monotonic()
    process = subprocess.Popen([*([] if program.bare else line), *program.command], cwd=HERE, env=own, start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, errors = process.communicate(timeout=PROGRAM_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, errors = process.communicate()
        return f"not done after {PROGRAM_SECONDS} s", PROGRAM_SECONDS, (out + errors).decode("utf-8", "replace")
    wrote = (out + errors).decode("utf-8", "replace")
    seconds = time.monotonic() - began
    if program.fails:
        return ("it should have failed" if process.returncode == 0 else ""), seconds, wrote
    if process.returncode:
        last = wrote.strip().splitlines()[-1:] or [""]
        return f"ended with status {process.returncode}: {last[0][:200]}", seconds, wrote
    said = json.loads(out.decode().strip().splitlines()[-1])
    wanted = {"nickname": sandbox.ready["people"][0]["nickname"], "state": program.state, "trusted": trusted.greeting, "untrusted": "refused"}
    wrong = [f"{key} is {said.get(key)!r}, not {value!r}" for key, value in wanted.items() if said.get(key) != value]
    if not said.get("openid"):
        wrong.append("no openid")
    return "; ".join(wrong), seconds, wrote


def report(results, untried, left, status, options, seconds):
    failed = untried
    for _, program, wrong, took, wrote in results:
        failed += bool(wrong)
        how = "alone" if program.bare else "yufu run --net" if program.net else "yufu run"
        verdict = "FAILED" if wrong else "fails, as it must" if program.fails else "ok"
        print(f"{program.name:34} {how:15} {verdict:18} {took:5.1f} s")
        if wrong:
            print(f"    {wrong}")
        if (wrong or options.verbose) and wrote.strip():
            print("".join(f"    | {line[:300]}\n" for line in wrote.strip().splitlines()[-25:]), end="")
    # The sandbox's own folder and the one where it is told of are there until it ends.
    mine = [name for name in left if name.startswith(("yufu-run", "yufu-net"))]
    if mine:
        failed += 1
        print(f"yufu run left {', '.join(mine)} behind")
    if status != 0:
        failed += 1
        print(f"yufu dev ended with {status}")
    print(f"\n{len(results) - failed} passed, {failed} failed, {seconds:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
