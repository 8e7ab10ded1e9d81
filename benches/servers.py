"""The language servers that are compared: how each is started, and what stands behind those that know a session."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from editor import Editor
from jupyter_client.manager import KernelManager
from kernels import DRUPE, version_of

HERE = Path(__file__).parent / "places"
BIN = Path(sys.executable).parent
REST = 1
"""Seconds after a cell in which a kernel comes to rest."""

BUSY = {
    "loop": "import time as _time\n_end = _time.time() + {0}\nwhile _time.time() < _end: pass",
    "lock": "import ctypes as _ctypes\n_ctypes.PyDLL(None).sleep({0})",
}
"""Cells that keep a kernel busy for so many seconds."""


@dataclass
class Running:
    """A server with an editor, and its session where it has one."""

    editor: Editor
    run: Callable[[str], None] | None = None
    """Starts a cell."""
    wait: Callable[[], None] | None = None
    """Waits for its end."""


@dataclass(frozen=True)
class Server:
    """One column of the table."""

    name: str
    version: str
    start: Callable[[Path], contextlib.AbstractContextManager[Running]]
    """Starts it in a folder of its own, with the cells of session.cells run where it has a session."""


def environment() -> dict[str, str]:
    """That of an activated environment."""
    return os.environ | {"VIRTUAL_ENV": sys.prefix, "PATH": f"{BIN}:{os.environ['PATH']}"}


def alone(*command: str) -> Callable[[Path], contextlib.AbstractContextManager[Running]]:
    """A server that has no session."""

    @contextlib.contextmanager
    def start(folder: Path) -> Iterator[Running]:
        argv = [str(BIN / command[0]), *command[1:]]
        editor = Editor(argv, folder, folder.with_suffix(".log"), environment())
        try:
            yield Running(editor)
        finally:
            editor.close()

    return start


def drupe(types: str) -> Callable[[Path], contextlib.AbstractContextManager[Running]]:
    """A kernel of drupe's with an editor that is bridged to it."""

    @contextlib.contextmanager
    def start(folder: Path) -> Iterator[Running]:
        manager = KernelManager()
        kernel_cmd = [str(DRUPE), "-f", "{connection_file}", "--python", sys.executable]
        manager.kernel_spec.argv = [*kernel_cmd, *([f"--lsp-types={types}"] if types else [])]
        manager.start_kernel(cwd=str(folder), env=environment())
        kernel = manager.blocking_client()
        kernel.start_channels()
        try:
            kernel.wait_for_ready(timeout=60)
            reply = kernel.execute_interactive((HERE / "session.cells").read_text(), timeout=120)
            assert reply["content"]["status"] == "ok", reply["content"]
            time.sleep(REST)
            command = [str(DRUPE), "lsp", "--existing", manager.connection_file]
            editor = Editor(command, folder, folder.with_suffix(".log"), environment())
            try:
                yield Running(
                    editor,
                    run=kernel.execute,
                    wait=lambda: kernel.get_shell_msg(timeout=30),
                )
            finally:
                editor.close()
        finally:
            kernel.stop_channels()
            manager.shutdown_kernel()

    return start


def positron(sources: Path) -> Callable[[Path], contextlib.AbstractContextManager[Running]]:
    """Positron's own server, from a checkout, around an IPython shell."""

    @contextlib.contextmanager
    def start(folder: Path) -> Iterator[Running]:
        command = [
            sys.executable,
            str(HERE / "positron.py"),
            str(sources),
            str(HERE / "session.cells"),
        ]
        editor = Editor(command, folder, folder.with_suffix(".log"), environment())

        def run(code: str) -> None:
            editor.tell("places/run", {"code": code})

        try:
            yield Running(editor, run=run, wait=lambda: editor.ask("places/wait", {}, 30))
        finally:
            editor.close()

    return start


def all_of(sources: Path | None) -> list[Server]:
    """Those that are here, drupe first. `sources` holds Positron's `positron_lsp.py`."""
    told = subprocess.run([DRUPE, "--version"], check=True, capture_output=True, text=True)
    version = told.stdout.split()[-1]
    found = [
        Server("drupe", version, drupe("")),
        Server("drupe without a checker", version, drupe("off")),
    ]
    if sources:
        found.append(Server("Positron", "", positron(sources)))
    for name, package, command in (
        ("pylsp", "python-lsp-server", ["pylsp"]),
        ("basedpyright", "basedpyright", ["basedpyright-langserver", "--stdio"]),
        ("ty", "ty", ["ty", "server"]),
        ("Pyrefly", "pyrefly", ["pyrefly", "lsp"]),
    ):
        if version := version_of(package):
            found.append(Server(name, version, alone(*command)))
    return found


def describe(servers: list[Server]) -> dict[str, str]:
    return {server.name: server.version for server in servers}


def versions() -> str:
    """What is completed."""
    names = ("pandas", "polars", "numpy", "scikit-learn")
    return ", ".join(f"{name} {version_of(name)}" for name in names)
