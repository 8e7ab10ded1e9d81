"""Environments that drupe is installed into, made as its users make them, and what is asked of a kernel in them.

No Rust is on the PATH of anything that runs here. `uv` is only the tool that fills an environment in seconds; where an installer is what is
tested, the test says which.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV = os.environ.get("UV", str(ROOT / ".cache/tools/bin/uv"))
SYSTEM_PATH = "/usr/bin:/bin"

ASK = Path(__file__).with_name("ask.py")
"""Starts a kernel as Jupyter does, by the Python that runs it, and prints what it answers."""

CLIENT = ["jupyter_client>=8.6"]
"""What a Jupyter server is, as far as kernels are concerned."""


def run(*command: str | Path, check: bool = True, **options) -> subprocess.CompletedProcess:
    """Run a command to its end, ten minutes at most; its output is text, and shown where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, **options)
    if check:
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done


def surroundings(home: Path, **more: str) -> dict[str, str]:
    """Environment variables without Rust, without an active environment, with everything of a user's in `home`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "UV_", "LANG", "LC_", "SSL_"))
        or name.lower().endswith("_proxy")
    }
    # What the user's own home says of an index, and what has been fetched already.
    kept.setdefault("UV_CACHE_DIR", run(UV, "cache", "dir").stdout.strip())
    return kept | {"HOME": str(home), "PATH": SYSTEM_PATH, "JUPYTER_PLATFORM_DIRS": "1"} | more


@dataclass
class Environment:
    """A folder with a `bin/python`."""

    prefix: Path
    home: Path

    @property
    def python(self) -> Path:
        return self.prefix / "bin" / "python"

    @property
    def drupe(self) -> Path:
        return self.prefix / "bin" / "drupe"

    @classmethod
    def made(cls, prefix: Path, base: str, home: Path) -> Environment:
        """By `python -m venv`, pip included."""
        run(base, "-m", "venv", prefix, env=surroundings(home))
        return cls(prefix, home)

    def pip(self, *words: str | Path) -> None:
        command = [self.python, "-m", "pip", "--disable-pip-version-check", "-q", *words]
        run(*command, env=surroundings(self.home))

    def uv(self, *words: str | Path) -> None:
        run(UV, "-q", "pip", *words, "--python", self.python, env=surroundings(self.home))

    def ask(self, code: str, kernel: str = "drupe", **more: str) -> str:
        """What a cell prints, in a kernel that this environment's Jupyter starts."""
        return run(
            self.python, ASK, kernel, code, env=surroundings(self.home, **more)
        ).stdout.strip()

    def fails(self, kernel: str = "drupe", **more: str) -> str:
        """What a kernel that does not start says on its standard error."""
        command = [self.python, ASK, kernel, "pass"]
        done = run(*command, check=False, env=surroundings(self.home, **more))
        assert done.returncode != 0, done.stdout
        return done.stderr


NEWER = ROOT / ".cache/newer-pythons/bin"
"""Those that `make newer-pythons` brings, in a root of their own."""


def ordinary() -> dict[str, str]:
    """The machine's own Pythons by their names, the oldest first and the system's last."""
    lines = run(sys.executable, ROOT / "tests/pythons.py").stdout.splitlines()
    known = dict(line.split(" ", 1) for line in lines)
    by_age = sorted(known, key=lambda name: int(name.rpartition(".")[2]))
    return {
        name: known[name] for name in sorted(by_age, key=lambda name: name.startswith("system"))
    }


def pythons() -> dict[str, str]:
    """The Pythons to test with, by their names: DRUPE_TEST_WHEEL_PYTHONS has some of those that are here."""
    known = ordinary()
    for path in sorted(NEWER.glob("python3.*")):
        known.setdefault(path.name.removeprefix("python"), str(path))
    systems = [name for name in known if name.startswith("system")]
    own = [name for name in known if name not in systems] or systems
    special = {"oldest": own[0], "newest": own[-1], "system": (systems or own)[0]}
    wanted = os.environ.get("DRUPE_TEST_WHEEL_PYTHONS", "").split()
    for name in wanted:
        if name not in {*special, *known}:
            raise SystemExit(f"there is no Python {name} here: {', '.join(known)}")
    chosen = {special.get(name, name) for name in wanted} or set(known)
    return {name: path for name, path in known.items() if name in chosen}
