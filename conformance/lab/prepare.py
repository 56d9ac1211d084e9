"""The environment: pinned packages from PyPI and npm, installed once, and the tools the run needs."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VENV = HERE / ".venv"
MODULES = HERE / "node_modules"
PYTHON = VENV / "bin" / "python"

# tool -> where it usually comes from
TOOLS = {
    "unshare": "util-linux",
    "mount": "util-linux",
    "ip": "iproute2",
    "openssl": "openssl",
    "node": "nodejs (20 or newer)",
}
INSTALL_TOOLS = {"npm": "npm"}


def missing_tools(installing):
    wanted = {**TOOLS, **(INSTALL_TOOLS if installing else {})}
    said = [f"{tool} (from {source})" for tool, source in wanted.items() if not shutil.which(tool)]
    if installing:
        probe = subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True)
        if probe.returncode:
            said.append("Python's venv and ensurepip (from python3-venv)")
    return said


def _digest(*files, extra=""):
    seen = hashlib.sha256(extra.encode())
    for name in files:
        seen.update((HERE / name).read_bytes())
    return seen.hexdigest()


def _stamps():
    """What each half was made from; a half is made again when this changes."""
    return {
        VENV / "made-from": _digest("requirements.txt", extra=sys.version),
        MODULES / ".made-from": _digest("package.json", "package-lock.json"),
    }


def stale():
    return [path for path, wanted in _stamps().items() if not path.exists() or path.read_text() != wanted]


def prepare(say):
    """Installs what is stale. Needs the registries; the run itself does not."""
    wanted = _stamps()
    for stamp in stale():
        if stamp.parent == VENV:
            say("installing the Python libraries")
            shutil.rmtree(VENV, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
            subprocess.run(
                [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
                 # The list is complete, so nothing else may come in.
                 "--no-deps", "--use-pep517",
                 "-r", str(HERE / "requirements.txt")],
                check=True)
            subprocess.run([str(PYTHON), "-m", "pip", "--quiet", "check"], check=True)
        else:
            say("installing the Node libraries")
            # No package needs its install scripts here.
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"],
                           cwd=HERE, check=True, stdout=subprocess.DEVNULL)
        stamp.write_text(wanted[stamp])


def version(language, package):
    """The pinned version."""
    if language == "node":
        return json.loads((HERE / "package.json").read_text())["dependencies"].get(package, "?")
    pin = re.search(rf"^{re.escape(package)}==(\S+)", (HERE / "requirements.txt").read_text(), re.M)
    return pin.group(1) if pin else "?"
