"""How each kernel under test is started, and which rows of the table it can be asked to play."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
EXTENSION = ROOT / "tests" / "hazards" / "ext"

NAMES = ("drupe", "ipykernel", "xeus-python")


class KernelMissing(Exception):
    """The kernel or something it needs is not installed; the message says what."""


@dataclass(frozen=True)
class Kernel:
    """One kernel on one Python."""

    name: str
    python: str
    command: tuple[str, ...]
    """The command, in which "{connection_file}" stands for the path of the connection file."""
    abilities: frozenset[str] = field(default_factory=frozenset)
    """What rows may ask for in `needs`: importable modules, "lsp", "subshells", and "drupe" for drupe's own ways."""

    def argv(self, connection_file: Path) -> list[str]:
        return [part.replace("{connection_file}", str(connection_file)) for part in self.command]

    def environment(self, scratch: Path) -> dict[str, str]:
        """The kernel's environment: the runner's, with every path that it would write to moved."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("JPY_", "PYTEST_"))}
        env.pop("VIRTUAL_ENV", None)
        env.pop("PYTHONPATH", None)
        env["IPYTHONDIR"] = str(scratch / "ipython")
        env["JUPYTER_RUNTIME_DIR"] = str(scratch / "runtime")
        env["HAZARD_EXT"] = str(extension_folder())
        env["HAZARD_PYTHON"] = self.python
        return env


def find(name: str, python: str) -> Kernel:
    """The kernel called `name` on the interpreter `python`; `KernelMissing` when it cannot run."""
    # Each kernel has a folder of its own; a venv's link must not be followed.
    python = os.path.abspath(python)
    modules = _importable(python)
    if name == "drupe":
        binary = os.environ.get("DRUPE") or str(ROOT / "target" / "release" / "drupe")
        if not Path(binary).is_file():
            raise KernelMissing(f"{binary} is not there: run `make build`")
        command = (binary, "-f", "{connection_file}", "--python", python)
        return Kernel(name, python, command, modules | {"drupe", "lsp", "subshells"})
    if name == "ipykernel":
        if "ipykernel" not in modules:
            raise KernelMissing(f"{python} has no ipykernel")
        command = (python, "-m", "ipykernel_launcher", "-f", "{connection_file}")
        # From 7 on, which is the one that requirements/bench.txt names.
        return Kernel(name, python, command, modules | {"subshells"})
    if name == "xeus-python":
        if "xpython_launcher" not in modules:
            raise KernelMissing(f"{python} has no xeus-python")
        command = (python, "-m", "xpython_launcher", "-f", "{connection_file}")
        return Kernel(name, python, command, modules)
    raise KernelMissing(f"no such kernel: {name} (one of {', '.join(NAMES)})")


@cache
def extension_folder() -> Path:
    """Where the built test-only extension is put (see `build_extension`)."""
    return Path(os.environ.get("HAZARD_EXT") or ROOT / "target" / "hazard-ext")


def build_extension() -> Path | None:
    """Build the test-only extension once; None (and a line on stderr) where that fails."""
    module = extension_folder() / "hazard_ext.abi3.so"
    sources = [EXTENSION / "Cargo.toml", *(EXTENSION / "src").glob("*.rs")]
    if module.exists() and module.stat().st_mtime > max(s.stat().st_mtime for s in sources):
        return module
    target = extension_folder() / "target"
    command = ["cargo", "build", "--quiet", "--release"]
    command += ["--manifest-path", str(EXTENSION / "Cargo.toml"), "--target-dir", str(target)]
    try:
        done = subprocess.run(command, check=False)
    except FileNotFoundError:
        print(
            "cargo is not installed: rows with the native extension are left out", file=sys.stderr
        )
        return None
    built = target / "release" / "libhazard_ext.so"
    if done.returncode or not built.exists():
        print("the native extension did not build: its rows are left out", file=sys.stderr)
        return None
    partial = module.with_suffix(f".{os.getpid()}")
    shutil.copy(built, partial)
    partial.replace(module)
    return module


@cache
def _importable(python: str) -> frozenset[str]:
    """Which of the optional modules this interpreter finds."""
    names = [
        *("ipykernel", "xpython_launcher", "trio", "psutil", "numpy", "matplotlib", "tqdm"),
        *("distributed", "ipyparallel", "joblib", "multiprocess", "pebble"),
        *("aiohttp", "apscheduler", "uvicorn", "watchdog", "debugpy"),
    ]
    code = "import importlib.util, json, sys; " + (
        f"print(json.dumps([n for n in {names!r} if importlib.util.find_spec(n)]))"
    )
    try:
        out = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    except OSError as error:
        raise KernelMissing(f"{python}: {error.strerror}") from error
    if out.returncode:
        raise KernelMissing(f"{python} does not run: {out.stderr.strip()[-200:]}")
    found = set(json.loads(out.stdout))
    if (extension_folder() / "hazard_ext.abi3.so").exists():
        found.add("hazard_ext")
    return frozenset(found)
