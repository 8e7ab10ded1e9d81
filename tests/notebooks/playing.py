"""Runs a notebook of others on ipykernel and on drupe by nbclient, and tells where what it shows differs.

Called by `test_notebooks.py`, for a few, and by `run.py`, for all that `notebooks.toml` names. Nothing of a notebook is kept:
it is copied with its folder to where it runs, and the outputs that it was published with are not looked at.

What a notebook shows must not depend on chance or on a network, so both kernels run with seeds, with fixed hashes, and with
proxies that nobody answers for.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import tomllib
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "parity")]
import normal  # noqa: E402  (the tests' folders are no packages)
import sources  # noqa: E402

DRUPE = Path(os.environ.get("DRUPE", ROOT / "target" / "release" / "drupe"))
# The environment that has what the notebooks import, which `make` fills.
PYTHON = ROOT / ".cache" / "parity" / "bin" / "python"
KERNELS = {
    "ipykernel": [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "drupe": [str(DRUPE), "-f", "{connection_file}", "--python", str(PYTHON)],
}

# Seconds that a cell may take; it is interrupted then, and the next begins.
TIMEOUT = 60

SEEDS = """\
import random as _random, numpy as _numpy
_random.seed(0)
_numpy.random.seed(0)
_numpy.random.default_rng = (lambda make: lambda seed=None: make(0 if seed is None else seed))(_numpy.random.default_rng)
del _random, _numpy
"""


@dataclass
class Notebook:
    """A row of the table."""

    package: str
    version: str
    sha256: str
    path: str
    differences: list = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.package}: {self.path}"


def table(key: str = "notebooks") -> list[Notebook]:
    """All notebooks, or those of each package's `short` list."""
    with open(HERE / "notebooks.toml", "rb") as file:
        packages = tomllib.load(file)
    return [
        Notebook(
            package,
            row["version"],
            row["sha256"],
            path,
            [entry for entry in row.get("differs", []) if entry["notebook"] == path],
        )
        for package, row in packages.items()
        for path in row.get(key, [])
    ]


@dataclass
class Played:
    """What a notebook showed on one kernel."""

    cells: list
    widgets: list
    seconds: float
    own: dict
    end: str | None

    def errors(self) -> int:
        return sum(m["msg_type"] == "error" for cell in self.cells for m in cell["messages"])

    def outputs(self) -> int:
        return sum(len(cell["messages"]) for cell in self.cells)


def play(notebook: Notebook, kernel: str) -> Played:
    """Run it in a copy of its folder."""
    source = sources.fetch(notebook.package, notebook.version, notebook.sha256)
    with tempfile.TemporaryDirectory(prefix="notebook-") as made:
        folder = Path(os.path.realpath(made))
        file = source / notebook.path
        shutil.copytree(file.parent, folder / "work")
        content = nbformat.read(file, as_version=4)
        for cell in content.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        begin = time.monotonic()
        end = asyncio.run(_execute(content, KERNELS[kernel], folder))
        seconds = time.monotonic() - begin
    cells = [
        {
            "reply": {"execution_count": cell.execution_count},
            "messages": [_message(output) for output in cell.outputs],
        }
        for cell in content.cells
        if cell.cell_type == "code"
    ]
    states = content.metadata.get("widgets", {}).values()
    widgets = [model for state in states for model in state["state"].values()]
    return Played(cells, widgets, seconds, {str(folder): "FOLDER"}, end)


async def _execute(content, argv: list, folder: Path) -> str | None:
    """What ended the run before the last cell, if anything did."""
    manager = AsyncKernelManager()
    manager._kernel_spec = KernelSpec(argv=argv, language="python", interrupt_mode="message")
    client = NotebookClient(
        content,
        km=manager,
        timeout=TIMEOUT,
        startup_timeout=TIMEOUT,
        interrupt_on_timeout=True,
        allow_errors=True,
        record_timing=False,
        resources={"metadata": {"path": str(folder / "work")}},
    )
    with open(folder / "log", "w") as log:
        try:
            await client.async_execute(env=_environment(folder), stdout=log, stderr=log)
        except DeadKernelError as error:
            return str(error)
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
            await manager.shutdown_kernel(now=True)
    return None


def _environment(folder: Path) -> dict:
    # ipykernel leaves the descriptors alone where it finds pytest's variables.
    env = {name: value for name, value in os.environ.items() if name[:6] != "PYTEST"}
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "seeds.py").write_text(SEEDS)
    (folder / "matplotlibrc").write_text("svg.hashsalt: notebooks\n")
    home = folder / "home"
    home.mkdir()
    return env | {
        "HOME": str(home),
        "IPYTHONDIR": str(folder / "ipython"),
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        "MPLCONFIGDIR": str(_matplotlib()),
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "0",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }


@functools.cache
def _matplotlib() -> Path:
    """matplotlib's folder, with its list of fonts: whoever has to make that first, and is slow, says so on stderr."""
    folder = sources.CACHE / "matplotlib"
    env = os.environ | {"MPLCONFIGDIR": str(folder)}
    subprocess.run([PYTHON, "-c", "import matplotlib.font_manager"], env=env, check=True)
    return folder


def _message(output) -> dict:
    content = dict(output)
    return {"msg_type": content.pop("output_type"), "content": content}


def differences(notebook: Notebook, ours: Played, theirs: Played) -> tuple[list, list]:
    """Lines that say where drupe differs and no entry allows it; and the entries that allowed nothing."""
    lines = []
    for number, (one, other) in enumerate(zip(ours.cells, theirs.cells, strict=True), 1):
        one, other = normal.normal(one, ours.own), normal.normal(other, theirs.own)
        lines += [f"{number}{line}" for line in normal.differences(one, other)]
    one, other = (
        sorted(
            json.dumps(normal.plain(widget, played.own), sort_keys=True)
            for widget in played.widgets
        )
        for played in (ours, theirs)
    )
    if one != other:
        lines.append(f"widgets: {_only(other, one)} != {_only(one, other)}")
    if ours.end != theirs.end:
        lines.append(f"end: {theirs.end} != {ours.end}")
    unused = []
    for entry in notebook.differences:
        left = [line for line in lines if not normal.matches(line, entry["places"])]
        if left == lines and not entry.get("sometimes"):
            unused.append(entry)
        lines = left
    return lines, unused


def _only(some: list, others: list) -> list:
    left = list(some)
    for other in others:
        if other in left:
            left.remove(other)
    return [text[:600] for text in left[:3]]
