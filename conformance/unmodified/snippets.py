"""The snippets of docs/ci.md, run as they stand there: the files into an empty folder, beside the app that the page names;
the commands through a shell, in a sandbox of their own.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab import prepare

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "ci.md"
JUNIT = Path("/usr/share/java/junit-platform-console-standalone.jar")
SECONDS = 180


@dataclass(frozen=True)
class Snippet:
    # The heading of the page.
    name: str
    # What stands beside the snippet's files, from examples/.
    app: str
    # What its tests say when all of them have passed.
    says: tuple


SNIPPETS = [
    Snippet("pytest", "flask/app.py", ("3 passed",)),
    Snippet("Vitest", "express/app.mjs", ("2 passed",)),
    Snippet("JUnit", "", ("1 tests successful", "0 tests failed")),
    Snippet("GitHub Actions", "flask/app.py", ("3 passed",)),
    Snippet("GitLab", "flask/app.py", ("3 passed",)),
]


def section(name):
    return re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## )", PAGE.read_text(), re.M | re.S).group(1)


def commands(name):
    """The lines that the section tells its reader to type; of a pipeline, those with yufu in them."""
    text = section(name)
    pipelines = re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S)
    if not pipelines:
        blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
        return [line for line in "".join(blocks).splitlines() if line.strip()]
    read = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
    done = subprocess.run([str(prepare.PYTHON), "-c", read], input=pipelines[0], capture_output=True, text=True, check=True)
    pipeline = json.loads(done.stdout)
    login = pipeline.get("jobs", pipeline)["login"]
    lines = login["script"] if "script" in login else [step["run"] for step in login["steps"] if "run" in step]
    return [line for line in lines if "yufu" in line]


def lay_out(snippet, folder):
    """The section's files, as a reader would save them."""
    names = re.findall(r"^<!-- examples/(ci/\S+) -->$", section(snippet.name), re.M)
    if snippet.app == "flask/app.py":  # the pipelines run pytest's files
        names += re.findall(r"^<!-- examples/(ci/\S+) -->$", section("pytest"), re.M)
    for name in filter(None, {*names, snippet.app}):
        shutil.copy(ROOT / "examples" / name, folder)
    if snippet.app.endswith(".mjs"):
        (folder / "node_modules").symlink_to(prepare.MODULES)
    if snippet.name == "JUnit":
        (folder / JUNIT.name).symlink_to(JUNIT)


def tried(snippet, yufu, environment, bare):
    """(what went wrong, what it wrote); bare is without the sandbox, where it has to fail."""
    with tempfile.TemporaryDirectory(prefix="yufu-snippet-") as name:
        folder = Path(name)
        lay_out(snippet, folder)
        for inner in ("bin", "home", "tmp"):
            (folder / inner).mkdir()
        (folder / "bin" / "yufu").symlink_to(yufu)
        path = os.pathsep.join([str(folder / "bin"), str(prepare.PYTHON.parent), environment["PATH"]])
        # With a folder for temporary files of its own there is no sandbox that it could join.
        own = {**environment, "PATH": path, "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
        lines = commands(snippet.name)
        if not any("yufu run -- " in line for line in lines):
            return f"docs/ci.md has no command below {snippet.name}", ""
        script = "\n".join(["set -e", *lines]).replace("yufu run -- ", "" if bare else "yufu run -- ")
        process = subprocess.Popen(["sh", "-c", script], cwd=folder, env=own, start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            out, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            return f"not done after {SECONDS} s", out.decode("utf-8", "replace")
        left = [name for name in os.listdir(folder / "tmp") if name.startswith("yufu")]
    wrote = re.sub(r"\x1b\[[0-9;]*m", "", out.decode("utf-8", "replace"))
    if bare:
        return ("it should have failed" if process.returncode == 0 else ""), wrote
    if process.returncode:
        return f"ended with status {process.returncode}", wrote
    unsaid = [words for words in snippet.says if words not in wrote]
    return "".join([*(f"does not say {words}; " for words in unsaid), *(f"left {name} behind; " for name in left)]), wrote
