"""What is measured: the three kernels, as a front-end starts them, and the floor beneath them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DRUPE = Path(os.environ.get("DRUPE", ROOT / "target" / "release" / "drupe"))
# As it was built for the bench, or else for the tests.
FLOORS = [DRUPE.parent / "examples/floor", ROOT / "target/quick/examples/floor"]


@dataclass(frozen=True)
class Contestant:
    name: str
    version: str
    argv: list[str]
    """As in a kernelspec."""
    language_server: bool = False
    """An editor is attached to it."""

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}"


def version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def drupe(folder: Path) -> Contestant | None:
    """From a kernelspec that `drupe install` wrote."""
    if not DRUPE.exists():
        return None
    install = ["install", "--name", "bench", "--prefix", str(folder), "--python", sys.executable]
    subprocess.run([DRUPE, *install], check=True, stdout=subprocess.DEVNULL)
    spec = json.loads((folder / "share/jupyter/kernels/bench/kernel.json").read_text())
    version = subprocess.run([DRUPE, "--version"], check=True, capture_output=True, text=True)
    return Contestant("drupe", version.stdout.split()[-1], spec["argv"])


def by_module(name: str, module: str) -> Contestant | None:
    version = version_of(name)
    argv = [sys.executable, "-m", module, "-f", "{connection_file}"]
    return Contestant(name, version, argv) if version else None


def ipykernel(_: Path) -> Contestant | None:
    return by_module("ipykernel", "ipykernel_launcher")


def xeus_python(_: Path) -> Contestant | None:
    return by_module("xeus-python", "xpython_launcher")


KERNELS = {"drupe": drupe, "ipykernel": ipykernel, "xeus-python": xeus_python}


def floor() -> Contestant | None:
    """The do-nothing kernel of `floor.rs`."""
    built = next((str(file) for file in FLOORS if file.exists()), None)
    return Contestant("floor", "", [built, "{connection_file}"]) if built else None
