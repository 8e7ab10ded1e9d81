"""What jupyter-lsp is told of drupe's language server: an entry point of the group `jupyter_lsp_spec_v1`.

Loaded in the Jupyter server, by its language servers' manager; it imports nothing that takes time.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def folders() -> Iterator[Path]:
    """Where the programs of the wheel may lie: beside this package, where they were put with it (`pip install --target`), in the
    environment, in the user's own folder."""
    yield Path(__file__).resolve().parents[1] / "bin"
    for scheme in (sysconfig.get_default_scheme(), f"{os.name}_user"):
        yield Path(sysconfig.get_path("scripts", scheme))


def program() -> str | None:
    """The path of `drupe`."""
    for folder in folders():
        if found := shutil.which("drupe", path=str(folder)):
            return found
    return shutil.which("drupe")


def spec(manager: object) -> dict[str, dict[str, Any]]:
    """The server by its name; none where the program is not there."""
    drupe = program()
    if drupe is None:
        return {}
    return {
        "drupe": {
            "version": 2,
            "argv": [drupe, "lsp", "--jupyter", "--python", sys.executable],
            "display_name": "drupe",
            "languages": ["python"],
            "mime_types": ["text/x-python", "text/x-ipython", "text/python"],
            "requires_documents_on_disk": False,
            "install": {"pip": "pip install drupe", "uv": "uv pip install drupe"},
        }
    }
