"""The names of cells' code: files that JupyterLab, VS Code and a debugger compute from the cell's text, too.

A name is `ipykernel_<pid>/<hash>.py` in the folder for temporary files; the hash is MurmurHash2 of the text. There is such a
file only where a debugger has written it. Tracebacks say `Cell In[n]` all the same: IPython knows which cell a name belongs to.
The variable IPYKERNEL_CELL_NAME overrides the name.
"""

import os
import struct
import tempfile

from IPython.core.compilerop import CachingCompiler

from .facade import named

_MASK = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995
SEED = 0xC70F6907


def murmur2(data: bytes, seed: int = SEED) -> int:
    """Austin Appleby's MurmurHash2, 32 bits."""
    whole = len(data) & ~3
    mixed = seed ^ len(data)
    for word in struct.unpack(f"<{whole // 4}I", data[:whole]):
        word = word * _MULTIPLIER & _MASK
        word = (word ^ word >> 24) * _MULTIPLIER & _MASK
        mixed = mixed * _MULTIPLIER & _MASK ^ word
    if whole < len(data):
        mixed = (mixed ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    mixed = (mixed ^ mixed >> 13) * _MULTIPLIER & _MASK
    return mixed ^ mixed >> 15


def folder() -> str:
    """Where the files would be."""
    try:
        place = tempfile.gettempdir()
    except OSError:
        # There is none that can be written to, and a cell needs a name all the same.
        place = os.sep + "tmp"
    return os.path.join(place, f"ipykernel_{os.getpid()}")


def file_name(code: str) -> str:
    """The name of a cell's code."""
    name = os.environ.get("IPYKERNEL_CELL_NAME")
    if name:
        return name
    return os.path.join(folder(), f"{murmur2(code.encode('utf-8', 'surrogatepass'))}.py")


@named("compiler")
class XCachingCompiler(CachingCompiler):
    """Gives cells their names."""

    def get_code_name(self, raw_code, transformed_code, number):
        return file_name(raw_code)
