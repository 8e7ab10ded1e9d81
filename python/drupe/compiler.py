"""The names of cells' code: files that JupyterLab, VS Code and a debugger compute from the cell's text, too.

A name is `ipykernel_<pid>/<hash>.py` in the folder for temporary files; the hash is MurmurHash2 of the text. There is such a
file only where a debugger has had it written, which the core does. Tracebacks say `Cell In[n]` all the same: IPython knows which
cell a name belongs to. The variable IPYKERNEL_CELL_NAME overrides the name.
"""

from __future__ import annotations

import os

from IPython.core.compilerop import CachingCompiler

from . import _drupe
from .facade import named

# Of the hash; front-ends have the same.
SEED = 0xC70F6907


def file_name(code: str) -> str:
    """The name of a cell's code."""
    name = os.environ.get("IPYKERNEL_CELL_NAME")
    if name:
        return name
    return _drupe.cell_file(code.encode("utf-8", "surrogatepass"))


@named("compiler")
class XCachingCompiler(CachingCompiler):
    """Gives cells their names."""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return file_name(raw_code)
