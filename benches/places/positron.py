"""Positron's own language server around an IPython shell that has run a session, over standard input and output.

    python benches/places/positron.py FOLDER SESSION

FOLDER holds `positron_lsp.py` as Positron has it; what Positron ships beside it is taken from the environment where it is not there.
In Positron it runs in a thread of the kernel; here the kernel's cells run in a thread beside it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import types
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

SHIPPED = (
    "attrs",
    "cattrs",
    "lsprotocol",
    "lsprotocol.types",
    "pygls",
    "pygls.io_",
    "pygls.lsp",
    "pygls.lsp.server",
    "pygls.protocol",
)


def package(name: str, folder: Path | None = None) -> types.ModuleType:
    """A package that is empty but for what the folder holds."""
    module = types.ModuleType(name)
    module.__path__ = [str(folder)] if folder else []
    sys.modules[name] = module
    return module


def server(folder: Path):
    """Positron's server, its package's own beginning left out, which would bring the whole kernel."""
    package("positron", folder)
    if not (folder / "_vendor").is_dir():
        vendored = package("positron._vendor")
        for name in SHIPPED:
            module = sys.modules[f"positron._vendor.{name}"] = importlib.import_module(name)
            if "." not in name:
                setattr(vendored, name, module)
        # The topics of its help pane, which no place asks for.
        package("positron.help_comm").ShowHelpTopicParams = object
    return importlib.import_module("positron.positron_lsp").POSITRON


def main() -> None:
    folder, session = map(Path, sys.argv[1:])
    shell = InteractiveShell.instance()
    shell.run_cell(session.read_text(), silent=True).raise_error()
    positron = server(folder)
    positron.shell = shell
    cells: list[threading.Thread] = []

    @positron.feature("places/run")
    def run(params) -> None:
        cell = threading.Thread(target=exec, args=(params.code, {}), daemon=True)
        cells.append(cell)
        cell.start()

    @positron.feature("places/wait")
    def wait(_params) -> None:
        while cells:
            cells.pop().join()

    positron.start_io()


if __name__ == "__main__":
    main()
