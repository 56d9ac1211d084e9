#!/usr/bin/env python3
"""Drives real WeChat client libraries through a whole login against yufu, and proves that each driver can fail. Then calls
the login API by its own OpenAPI document, and proves the same of the checks.

The libraries have the platform's hosts built in, so the run takes place in a private network where those hosts are
this machine. Nothing leaves it. See README.md beside this file.
"""

import argparse
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from lab import certificates, document, faults, prepare, wire
from lab.browser import Stuck, World
from lab.drivers import DRIVERS
from lab.front import BREAKS, EXPECTED, FINE_BREAKS, Front

HERE = Path(__file__).resolve().parent
HOSTS = ["open.weixin.qq.com", "api.weixin.qq.com", "lp.open.weixin.qq.com", "long.open.weixin.qq.com",
         "res.wx.qq.com", "thirdwx.qlogo.cn"]
WORKERS = 2
DRIVER_SECONDS = 40
RUN_SECONDS = 300
INSIDE = "YUFU_CONFORMANCE_INSIDE"


def main():
    options = arguments()
    if options.list:
        for driver in DRIVERS:
            print(f"{driver.name:22} {driver.kind:8} {driver.package} {prepare.version(driver.language, driver.package)}")
        print(f"{document.NAME:22} {'-':8} {document.PACKAGE} {prepare.version('python', document.PACKAGE)}")
        return 0
    inside = os.environ.get(INSIDE) == "1"
    if not inside:
        missing = prepare.missing_tools(installing=bool(prepare.stale()))
        if missing:
            return stop("missing: " + ", ".join(missing))
        if prepare.stale():
            try:
                prepare.prepare(say)
            except subprocess.CalledProcessError as problem:
                return stop(f"the environment could not be made ({problem}); --prepare needs the package registries")
        if options.prepare:
            say("the environment is ready")
            return 0
        if not options.yufu.is_file():
            return stop(f"no yufu at {options.yufu}; build it or name it with --yufu")
        enter_private_network()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return run(options)


def arguments():
    parser = argparse.ArgumentParser(description="Real WeChat client libraries against yufu.")
    parser.add_argument("--yufu", type=Path, default=HERE.parent / "target" / "release" / "yufu", metavar="PATH",
                        help="the binary (default: target/release/yufu of this repository)")
    parser.add_argument("--only", action="append", metavar="NAME", help="this driver alone; may be given again")
    parser.add_argument("--no-breaks", action="store_true", help="without the broken answers")
    parser.add_argument("--faults", action="store_true", help="the sandbox's faults and clock alone")
    parser.add_argument("--no-faults", action="store_true", help="without the sandbox's faults and clock")
    parser.add_argument("--write", action="store_true", help="write what came of the faults into FAULTS.md")
    parser.add_argument("--prepare", action="store_true", help="install the libraries and stop")
    parser.add_argument("--list", action="store_true", help="name the drivers and stop")
    parser.add_argument("--json", action="store_true", help="the report as one JSON document")
    parser.add_argument("--verbose", action="store_true", help="with every failure, what the driver wrote")
    options = parser.parse_args()
    options.yufu = options.yufu.resolve()
    unknown = set(options.only or ()) - {driver.name for driver in DRIVERS} - {document.NAME} - faults.names()
    if unknown:
        parser.error(f"no driver is named {', '.join(sorted(unknown))}; --list names them")
    return options


def say(words):
    print(f"conformance: {words}", file=sys.stderr, flush=True)


def stop(words):
    say(words)
    return 1


def enter_private_network():
    """Starts this program again where no network is but its own, and mounts are its own."""
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", *as_root, "--net", "--mount", "--", sys.executable, *sys.argv])


# ---- the run -------------------------------------------------------------------------------------------------------


class Processes:
    """Everything started here, so that it can be ended: by its own id, never by a name."""

    def __init__(self):
        self._alive, self._lock, self._over = set(), threading.Lock(), False

    def start(self, command, **more):
        with self._lock:
            if self._over:
                raise RuntimeError("the run is over")
            process = subprocess.Popen(command, start_new_session=True, **more)
            self._alive.add(process)
        return process

    def end(self, process):
        with self._lock:
            self._alive.discard(process)
        if process.poll() is None:
            # It leads a process group of its own, whose id is its process id.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end_all(self):
        with self._lock:
            self._over = True
            alive = list(self._alive)
        for process in alive:
            self.end(process)


def run(options):
    started = time.monotonic()
    processes = Processes()
    drivers = [driver for driver in DRIVERS if not options.only or driver.name in options.only]

    with tempfile.TemporaryDirectory(prefix="yufu-conformance-") as name:
        folder = Path(name)
        try:
            results, faulty = {}, {}
            with_faults = not options.no_faults and (not options.only or set(options.only) & faults.names())
            if drivers or with_faults:
                with (folder / "yufu.err").open("wb") as errors:
                    house, world = start_yufu(options.yufu, folder, errors, processes)
                if world is None:
                    return stop("yufu dev did not come up: " + ((folder / "yufu.err").read_text("utf-8", "replace")[-600:] or "it said nothing"))
                made = certificates.make(folder, HOSTS)
                places = [Place(number, folder, world, made, processes) for number in range(WORKERS)]
                if not options.faults:
                    results = drive(drivers, options, places, started + RUN_SECONDS)
                    if results is None:
                        return stop(f"still running after {RUN_SECONDS} s; given up")
                if with_faults:
                    until = time.monotonic() + RUN_SECONDS
                    faulty = faults.run(places, world, options.only, lambda: until - time.monotonic())
                for place in places:
                    place.front.close()
                if house.poll() is not None:
                    say(f"yufu ended during the run, with status {house.returncode}: " + (folder / "yufu.err").read_text("utf-8", "replace")[-600:])
                processes.end(house)
            is_asked = not options.faults and (not options.only or document.NAME in options.only)
            documented = by_document(options, folder, processes) if is_asked else {}
        finally:
            processes.end_all()
    return report(results, faulty, documented, options, time.monotonic() - started)


def by_document(options, folder, processes):
    """Both modes beside each other; the broken answers last, alone, so that they cannot disturb."""
    results = {mode: nothing("it never ran") for mode in document.MODES}

    def work(mode, broken=False):
        name = document.BROKEN if broken else mode
        try:
            results[name] = document.run(options.yufu, mode, folder / f"document-{name}", processes, plain_environment(folder), broken)
        except Exception as problem:  # one mode's trouble must not hide the other's result
            results[name] = nothing(f"the runner itself: {problem!r}")

    (folder / "home").mkdir(exist_ok=True)
    workers = [threading.Thread(target=work, args=(mode,)) for mode in document.MODES]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if not options.no_breaks:
        work(document.MODES[0], broken=True)
    return results


def start_yufu(binary, folder, errors, processes):
    (folder / "home").mkdir()
    process = processes.start([str(binary), "dev", "--json", "--port", "0", "--until-stdin-closes"], cwd=folder / "home",
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=plain_environment(folder))
    first = queue.SimpleQueue()

    def read():
        first.put(process.stdout.readline())
        while process.stdout.read(4096):
            pass  # whatever else it says must not fill the pipe

    threading.Thread(target=read, daemon=True).start()
    try:
        return process, json.loads(first.get(timeout=30))
    except (queue.Empty, ValueError):
        return process, None


def plain_environment(folder):
    """No proxies, no settings of the one who calls: only what a program needs to run."""
    keep = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**keep, "HOME": str(folder / "home"), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1", "NODE_NO_WARNINGS": "1"}


def drive(drivers, options, places, deadline):
    jobs = queue.Queue()
    for broken in [None, *([] if options.no_breaks else BREAKS)]:
        for driver in drivers:
            jobs.put((driver, broken))
    # One driver is enough for the fine print of the contract check; it has to be one that makes every call.
    probe = next((driver for driver in drivers if driver.refreshes), None)
    for broken in FINE_BREAKS if probe and not options.no_breaks else ():
        jobs.put((probe, broken))
    # What never runs has failed, whatever the reason.
    results = {(driver.name, broken): nothing("it never ran") for driver, broken in jobs.queue}
    known = {}

    def work(place):
        while True:
            try:
                driver, broken = jobs.get_nowait()
            except queue.Empty:
                return
            try:
                results[driver.name, broken] = place.shift(driver).result(broken, known)
            except Exception as problem:  # one driver's trouble must not hide the others' results
                results[driver.name, broken] = nothing(f"the runner itself: {problem!r}")

    workers = [threading.Thread(target=work, args=(place,), daemon=True) for place in places]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(0, deadline - time.monotonic()))
    return None if any(worker.is_alive() for worker in workers) else results


class Place:
    """A network place of its own for each worker: an address, a front on it, and a hosts file that leads there."""

    def __init__(self, number, folder, world, certificates_, processes):
        authority, leaf, key = certificates_
        upstream = urlsplit(world["platform"])
        address = f"127.0.0.{number + 2}"
        self._hosts = folder / f"hosts-{number}"
        self._hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {host}\n" for host in HOSTS))
        self._world, self._folder, self._processes, self._authority = world, folder, processes, authority
        self.front = Front(address, (upstream.hostname, upstream.port), leaf, key)
        # Person 1 has the name that breaks careless clients; person 2 never agrees to anything.
        self._people = World(address, authority, HOSTS, world["platform"], *world["people"][:2])

    def shift(self, driver):
        world = self._world
        client = next((one for one in world["clients"] if one["kind"] == driver.kind), None)
        if client is None:
            raise LookupError(f"yufu dev names no client of kind {driver.kind}")
        return Shift(driver, client, world, self.front, self._people, self._hosts, self._authority, self._folder, self._processes)


def nothing(why):
    return {"failed": [why], "findings": [], "saw": {}, "wrote": "", "applied": 0, "seconds": 0}


class Shift:
    """One driver, once: started, served with callbacks, watched, judged."""

    def __init__(self, driver, client, world, front, place, hosts, authority, folder, processes):
        self.driver, self.client, self.world, self.front, self.place = driver, client, world, front, place
        self.person = world["people"][0]
        self.hosts, self.authority, self.folder, self.processes = hosts, authority, folder, processes
        self.mobile = next((one for one in world["clients"] if one["kind"] == "mobile"), None)

    def result(self, broken, known):
        began = time.monotonic()
        self.front.begin(broken)
        saw, failed, wrote = self.talk()
        findings = wire.check(self.front.answers, self.client, self.person, self.driver.refreshes, known)
        failed += [f"front: {words}" for words in self.front.problems]
        return {"failed": failed, "findings": findings, "saw": saw, "wrote": wrote,
                "applied": sum(answer.broken for answer in self.front.answers),
                "seconds": round(time.monotonic() - began, 2)}

    def talk(self):
        """The line protocol: the driver asks for a person's answer, gets a callback URL, and says a result at the end."""
        runtime = str(prepare.PYTHON) if self.driver.language == "python" else shutil.which("node")
        asked = {"appid": self.client["appid"], "secret": self.client["secret"], "kind": self.client["kind"],
                 "nickname": self.person["nickname"], "person": self.person["name"], "mobile": self.mobile,
                 "callback": "http://127.0.0.1:8000/callback"}
        environment = {**plain_environment(self.folder), "CONFORMANCE": json.dumps(asked),
                       "REQUESTS_CA_BUNDLE": str(self.authority), "SSL_CERT_FILE": str(self.authority),
                       "NODE_EXTRA_CA_CERTS": str(self.authority)}
        with tempfile.TemporaryFile(dir=self.folder) as errors:
            process = self.processes.start(
                ["unshare", "--mount", "--", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"',
                 str(self.hosts), runtime, str(HERE / self.driver.script)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=HERE, env=environment, text=True, encoding="utf-8")
            late = threading.Timer(DRIVER_SECONDS, self.processes.end, (process,))
            late.start()
            saw, failed = {}, []
            try:
                for line in process.stdout:
                    try:
                        message = json.loads(line)
                    except ValueError:
                        continue  # a library that prints
                    if "authorize" in message:
                        self.answer(process, message, failed)
                    elif "sandbox" in message:
                        answer = faults.Control(self.world).call(*message["sandbox"])
                        process.stdin.write(json.dumps({"answer": answer}) + "\n")
                        process.stdin.flush()
                    elif "result" in message:
                        saw = message["result"]
                process.wait()
            except (BrokenPipeError, ValueError):
                pass
            finally:
                in_time = late.is_alive()
                late.cancel()
                self.processes.end(process)
            errors.seek(0)
            wrote = errors.read().decode("utf-8", "replace")
        failed += saw.get("failed", [])
        if not in_time:
            failed.append(f"not done after {DRIVER_SECONDS} s")
        elif process.returncode and not failed:
            last = [line for line in wrote.strip().splitlines() if line.strip()][-1:]
            failed.append(f"ended with status {process.returncode}: {''.join(last)[:200]}")
        elif not saw and not failed:
            failed.append("ended without a result")
        return saw, failed, wrote

    def answer(self, process, message, failed):
        try:
            callback = self.place.authorize(message["authorize"], message["redirect"], bool(message.get("refuse")))
            reply = {"callback": callback}
        except (Stuck, OSError, KeyError, HTTPException) as problem:
            failed.append(f"browser: {problem}" if isinstance(problem, Stuck) else f"browser: {problem!r}")
            reply = {"error": str(problem)}
        process.stdin.write(json.dumps(reply) + "\n")
        process.stdin.flush()


# ---- the report ----------------------------------------------------------------------------------------------------


def verdict(result, broken):
    """(passed, one word, why). With a break the driver has to fail, and to fail by seeing that very break."""
    kinds = {kind for kind, _ in result["findings"]}
    if broken is None:
        why = result["failed"] + [f"{kind}: {words}" for kind, words in result["findings"]]
        return not why, "ok" if not why else "FAILED", why
    if not result["applied"]:
        return False, "UNTRIED", ["no answer was broken", *result["failed"]]
    if EXPECTED[broken] not in kinds:
        return False, "MISSED", [f"the contract check has no finding of kind {EXPECTED[broken]}", *result["failed"]]
    return True, "library" if result["failed"] else "wire", result["failed"]


def report(results, faulty, documented, options, seconds):
    names = [driver for driver in DRIVERS if (driver.name, None) in results]
    rows, passed, failed = [], 0, 0
    for driver in names:
        row = {"driver": driver.name, "package": driver.package, "version": prepare.version(driver.language, driver.package), "runs": {}}
        for broken in [None, *EXPECTED]:
            if (driver.name, broken) not in results:
                continue
            result = results[driver.name, broken]
            good, word, why = verdict(result, broken)
            passed, failed = passed + good, failed + (not good)
            row["runs"][broken or "login"] = {"passed": good, "word": word, "why": why, "seconds": result["seconds"],
                                              "checks": result["saw"].get("passed", [])}
        rows.append(row)
    judged = faults.judge(faulty)
    passed += sum(one["passed"] for one in judged)
    failed += sum(not one["passed"] for one in judged)
    if judged and options.write:
        (HERE / "FAULTS.md").write_text(faults.page(judged, prepare.version))
    passed += sum(not result["failed"] for result in documented.values())
    failed += sum(bool(result["failed"]) for result in documented.values())
    if options.json:
        api = {name: {"passed": not result["failed"], "why": result["failed"], "seconds": result["seconds"], "calls": result.get("calls", 0)}
               for name, result in documented.items()}
        print(json.dumps({"passed": passed, "failed": failed, "seconds": round(seconds, 1), "drivers": rows, "faults": judged, document.NAME: api},
                         ensure_ascii=False, indent=1))
    else:
        if rows:
            as_text(rows, results, options)
        if judged:
            print("\n" + faults.text(judged, options.verbose))
        if documented:
            print(f"\nThe login API by its own document, with {document.PACKAGE} {prepare.version('python', document.PACKAGE)}:\n")
        for name, result in documented.items():
            word = "FAILED" if result["failed"] else "ok"
            told = f"{result.get('calls', 0)} calls" + (f", {result['fine']} operations succeeded" if "fine" in result else "")
            print(f"{name:22} {word:6} {result['seconds']:5.1f} s  {told}")
            print("".join(f"    {words}\n" for words in result["failed"]), end="")
            if result["failed"] and (options.verbose or name != document.BROKEN):
                print("".join(f"    | {line[:300]}\n" for line in result["wrote"].strip().splitlines()[-80:]), end="")
        print(f"\n{passed} passed, {failed} failed, {seconds:.0f} s")
    return 1 if failed else 0


def as_text(rows, results, options):
    for row in rows:
        login = row["runs"]["login"]
        print(f"{row['driver']:22} {row['version']:9} {login['word']:6} {login['seconds']:5.1f} s  {', '.join(login['checks'])}")
        for broken, run_ in row["runs"].items():
            if not run_["passed"]:
                print("".join(f"    {broken}: {words}\n" for words in run_["why"]), end="")
                wrote = results[row["driver"], None if broken == "login" else broken].get("wrote", "")
                if options.verbose and wrote.strip():
                    print("".join(f"    | {line}\n" for line in wrote.strip().splitlines()[-30:]), end="")
    if not options.no_breaks:
        print("\nWith one detail of the answers broken: “library” where the library fails or tells its user "
              "something else, “wire” where only the check of its answers sees it.\n")
        columns = ["login", *BREAKS]
        print(f"{'':22} {'':9} " + " ".join(f"{column:>14}" for column in columns))
        for row in rows:
            print(f"{row['driver']:22} {row['version']:9} " + " ".join(f"{row['runs'].get(column, {}).get('word', '-'):>14}" for column in columns))
        for row in rows:
            fine = [broken for broken in FINE_BREAKS if row["runs"].get(broken, {}).get("passed")]
            if fine:
                print(f"\nThe check of the answers, tried on {row['driver']}, also sees: {', '.join(fine)}")
        if options.verbose:
            for row in rows:
                for broken, run_ in row["runs"].items():
                    if run_["word"] == "library":
                        print(f"{row['driver']} / {broken}: " + re.sub(r"\s+", " ", "; ".join(run_["why"]))[:300])


if __name__ == "__main__":
    # A polite end runs the clean-up: every process started here is ended with the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
