"""Which columns a file of comma-separated values has that is about to be read: those that its head names.

Asked for `df["` where `df = pd.read_csv("name")` stands above and has not run, on the thread of the language server's questions alone: a file
system may not answer for ever, and for that the main thread has no time. Of a file at most `MOST` bytes are read, and none of what
is no ordinary file: a pipe would give its text to us and not to the cell.
"""

from __future__ import annotations

import ast
import csv
import os
import stat
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from types import FunctionType
from typing import Any

from .bindings import Found
from .libraries import loaded
from .statics import Unknown, function_name, isinstance_static, name_of

MOST = 65_536

# What each library calls the same: separator, whether there is a head, the names instead of it, which columns are wanted.
_PANDAS = ("sep", "header", "names", "usecols")
_POLARS = ("separator", "has_header", "new_columns", "columns")
_READERS = {
    ("pandas", "read_csv"): (_PANDAS, ","),
    ("pandas", "read_table"): (_PANDAS, "\t"),
    ("polars", "read_csv"): (_POLARS, ","),
    ("polars", "scan_csv"): (_POLARS, ","),
}
# With one of these the head is elsewhere, or what comes is no table.
_OTHERWISE = frozenset(
    """chunksize iterator skiprows comment compression skip_rows skip_lines comment_prefix quotechar quote_char dialect escapechar
    skipinitialspace lineterminator eol_char storage_options glob include_file_paths row_index_name schema""".split()
)
# Any other may be one that the user has registered.
_ENCODINGS = (
    "utf-8",
    "utf8",
    "utf-8-sig",
    "utf-16",
    "latin-1",
    "latin1",
    "iso-8859-1",
    "cp1252",
    "ascii",
)
_GZIP = b"\x1f\x8b"

_Of = Callable[[ast.expr], Found]


def columns(function: Any, node: ast.Call, of: _Of) -> list[str] | None:
    """The columns of what a call of `function` reads; None where it reads no such file, or the file does not say."""
    reader = _reader(function)
    if reader is None or threading.current_thread() is threading.main_thread():
        return None
    words, separator = reader
    given = {it.arg: it.value for it in node.keywords}
    if None in given or given.keys() & _OTHERWISE or len(node.args) > 1:
        return None
    where = node.args[0] if node.args else given.get("filepath_or_buffer", given.get("source"))
    separated, headed, named, wanted = (given.get(word) for word in words)
    try:
        separator = _constant(separated or given.get("delimiter"), separator)
        if named is not None:
            names = [name for name in _list(named) if type(name) is str]
        elif _is_first(_constant(headed, True)):
            encoding = _constant(given.get("encoding"), "utf-8")
            names = _head(_path(where, of), separator, encoding)
            if words is _PANDAS:
                names = _told_apart(names)
            elif len(set(names)) < len(names) or "" in names:
                return None
        else:
            return None
        if wanted is not None:
            chosen = _list(wanted)
            names = [name for place, name in enumerate(names) if name in chosen or place in chosen]
        rows = _list(given["index_col"]) if "index_col" in given else []
    except Unknown:
        return None
    return [name for place, name in enumerate(names) if name not in rows and place not in rows]


def _reader(function: Any) -> tuple[tuple[str, ...], str] | None:
    """How a function reads, if it is one of those."""
    if type(function) is not FunctionType or type(function.__module__) is not str:
        return None
    library = function.__module__.partition(".")[0]
    return _READERS.get((library, function_name(function)))


def _constant(node: ast.expr | None, default: Any) -> Any:
    if node is None:
        return default
    if isinstance(node, ast.Constant):
        return node.value
    raise Unknown


def _is_first(head: Any) -> bool:
    """Whether the first line is the head."""
    return head is True or type(head) in (str, int) and head in ("infer", 0)


def _list(node: ast.expr) -> list[Any]:
    """The constants of a list, or the only one."""
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    found = [_constant(it, None) for it in elements]
    # `index_col=False` and `index_col=None` name nobody.
    return [it for it in found if it is not False and it is not None]


def _path(node: ast.expr | None, of: _Of) -> str:
    """The name of a file: a string, a path, and what is joined of them."""
    if node is None:
        raise Unknown
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return os.path.join(_path(node.left, of), _path(node.right, of))
    if isinstance(node, ast.Call) and not node.keywords and node.args:
        kind = of(node.func).value
        if isinstance_static(kind, type) and _is_of_pathlib(kind):
            return os.path.join(*(_path(it, of) for it in node.args))
        raise Unknown
    found = of(node).value
    if type(found) is str or _is_of_pathlib(type(found)):
        return str(found)
    raise Unknown


def _is_of_pathlib(kind: type) -> bool:
    """Whether it is one of Python's own classes of paths, whose text runs nobody's code."""
    return any(kind is it for it in loaded("pathlib", name_of(kind)))


def _head(path: str, separator: Any, encoding: Any) -> list[str]:
    """The names in a file's first line that is not empty."""
    if type(separator) is not str or not (len(separator) == 1 or separator == r"\s+"):
        raise Unknown
    if encoding not in _ENCODINGS:
        raise Unknown
    try:
        # What stands before the text to say how it is written is no part of the first name.
        text = _begin(os.path.expanduser(path)).decode(encoding).removeprefix("\ufeff")
        lines = [line for line in text.split("\n") if line.strip()]
        if "\0" in text or not lines:
            raise Unknown
        one = csv.reader(lines, delimiter=separator) if len(separator) == 1 else None
        names = lines[0].split() if one is None else next(one)
    except (StopIteration, ValueError, TypeError, csv.Error):
        raise Unknown from None
    return [name.rstrip("\r") for name in names]


def _told_apart(names: list[str]) -> list[str]:
    """As pandas calls those that are empty, or there twice."""
    times: Counter[str] = Counter()
    found = []
    for place, name in enumerate(names):
        name = name or f"Unnamed: {place}"
        found.append(f"{name}.{times[name]}" if times[name] else name)
        times[name] += 1
    return found


def _begin(path: str) -> bytes:
    """The first bytes of an ordinary file, unpacked; the last line is left out where it may go on."""
    if "://" in path:
        raise Unknown
    try:
        # Who has opened a pipe alone is let write into it, and writes to nobody when it is closed.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Unknown
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.read(descriptor, MOST)
        finally:
            os.close(descriptor)
        if found.startswith(_GZIP):
            found = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(found, MOST)
    except (OSError, ValueError, zlib.error):
        raise Unknown from None
    if len(found) < MOST:
        return found
    whole, end, _ = found.rpartition(b"\n")
    if not end:
        raise Unknown
    return whole
