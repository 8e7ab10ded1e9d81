"""Where functions and classes were written: a file and a line, or the text of a cell."""

from __future__ import annotations

import linecache
import os
import re
import sys
import types
from typing import Any

from .parameters import function_of
from .statics import (
    instance_dict,
    isinstance_static,
    module_of,
    own,
    type_dict,
)

# The longest text of a cell and of a file that is looked into, in bytes, and the cells in which a class is looked for.
MAX_CELL = 64 * 1024
MAX_FILE = 2 * 1024 * 1024
MAX_CELLS = 500


def place(value: Any) -> dict[str, Any]:
    """`file` and `line` (from 1), and `cell` where it was made in one; empty when unknown."""
    if type(value) is property:
        value = value.fget
    value = function_of(value)
    if type(value) is types.FunctionType:
        return _at(value.__code__.co_filename, value.__code__.co_firstlineno)
    if isinstance_static(value, type):
        return _of_class(value)
    if isinstance_static(value, types.ModuleType):
        file = own(instance_dict(value), "__file__")
        return _at(file, 1) if type(file) is str and file.endswith(".py") else {}
    return {}


def _of_class(kind: type) -> dict[str, Any]:
    line = own(type_dict(kind), "__firstlineno__")
    name = type.__dict__["__qualname__"].__get__(kind)
    code = _first_code(kind, name)
    file = code.co_filename if code is not None else _file_of(kind)
    if file:
        if type(line) is not int:
            line = _line_of(file, name, code.co_firstlineno if code is not None else 0)
        return _at(file, line) if line else {}
    # A class without functions does not know its file; a cell's is found by its text.
    written = _pattern(name)
    for file in reversed(list(linecache.cache)[-MAX_CELLS:]):
        text = _cell(file)
        lines = [_line_at(text, match.start()) for match in written.finditer(text)]
        if lines and (type(line) is not int or any(abs(line - at) <= 50 for at in lines)):
            return _at(file, line if type(line) is int else lines[-1])
    return {}


def _first_code(kind: type, name: str) -> types.CodeType | None:
    for held in list(type_dict(kind).values())[:200]:
        held = function_of(held.fget if type(held) is property else held)
        if type(held) is types.FunctionType and held.__qualname__.startswith(f"{name}."):
            # What a data class was given has no file.
            if not held.__code__.co_filename.startswith("<"):
                return held.__code__
    return None


def _file_of(kind: type) -> str:
    module = module_of(kind)
    loaded = sys.modules.get(module) if module != "__main__" else None
    file = own(instance_dict(loaded), "__file__") if loaded is not None else ""
    return file if type(file) is str and file.endswith(".py") else ""


def _line_of(file: str, name: str, before: int) -> int:
    """The line of the last `class NAME` above a line of its own, or of the first in the file."""
    text = _cell(file)
    if not text:
        try:
            if os.path.getsize(file) > MAX_FILE:
                return before
            with open(file, encoding="utf-8", errors="replace") as opened:
                text = opened.read()
        except OSError:
            return before
    lines = [_line_at(text, match.start()) for match in _pattern(name).finditer(text)]
    if before:
        lines = [line for line in lines if line <= before][-1:] or [before]
    return lines[0] if lines else 0


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*class[ \t]+{re.escape(name.rpartition('.')[2])}\b", re.MULTILINE)


def _line_at(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _at(file: str, line: int) -> dict[str, Any]:
    cell = _cell(file)
    return {"file": file, "line": line} | ({"cell": cell} if cell else {})


def _cell(file: str) -> str:
    """The text of a cell, as IPython keeps it for tracebacks: without a time, since there is no file."""
    entry = linecache.cache.get(file)
    if type(entry) is not tuple or len(entry) != 4 or entry[1] is not None:
        return ""
    return "".join(entry[2])[:MAX_CELL]
