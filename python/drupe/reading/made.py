"""Which columns a table will have that is not there yet, as far as the code that makes it says so."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from . import frames
from .bindings import Found
from .statics import MISSING, Unknown, family

# Of a table with columns and these arguments: the columns of what the method gives.
_Of = Callable[[ast.expr], Found]


def constructed(kind: type, node: ast.Call) -> Any:
    """The columns of `DataFrame({"a": …}, columns=[…])`; `MISSING` where they are not written there."""
    given = {word.arg: word.value for word in node.keywords}
    named = given.get("columns", given.get("schema"))
    data = node.args[0] if node.args else given.get("data")
    for written in (named, data):
        if isinstance(written, ast.Dict) or isinstance(written, ast.List) and written is named:
            names = texts(written)
            return frames.Made(kind, names) if names is not None else MISSING
    if isinstance(data, ast.List) and data.elts and isinstance(data.elts[0], ast.Dict):
        names = texts(data.elts[0])
        return frames.Made(kind, names) if names else MISSING
    return MISSING


def read(kind: type, function: Any, node: ast.Call, of: _Of) -> Any:
    """The columns of a file that a call reads; `MISSING` where it reads none of which they can be told."""
    from . import files

    names = files.columns(function, node, of)
    return MISSING if names is None else frames.Made(kind, names)


# Functions of pandas' that put tables together, which are their arguments.
MERGING = ("merge", "merge_asof", "merge_ordered", "concat")


def changed(method: str, node: ast.Call, table: Any, of: _Of) -> Any:
    """The columns of what a method of a table gives; the table itself where it leaves them as they are, `MISSING` where nobody knows."""
    change = _CHANGES.get(method)
    if change is None:
        return table if method in frames.KEEPING else MISSING
    try:
        names = change(frames.columns(table), node, of)
    except Unknown:
        return MISSING
    return MISSING if names is None else frames.Made(frames.class_of(table), names)


def selected(what: ast.expr, table: Any) -> Any:
    """The columns of `table[["a", "b"]]`."""
    names = texts(what)
    return (
        table if names is None or table is MISSING else frames.Made(frames.class_of(table), names)
    )


def texts(node: ast.expr | None) -> list[str] | None:
    """The strings of a list, or that are keys of a dictionary; None where not all of them are written."""
    if isinstance(node, ast.Dict):
        nodes: list[Any] = node.keys
    elif isinstance(node, ast.List | ast.Tuple):
        nodes = node.elts
    elif isinstance(node, ast.Constant):
        nodes = [node]
    else:
        return None
    found = [it.value for it in nodes if isinstance(it, ast.Constant) and type(it.value) is str]
    return found if len(found) == len(nodes) else None


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((it.value for it in node.keywords if it.arg == name), None)


def _assign(names: list[str], node: ast.Call, _: _Of) -> list[str]:
    return list(dict.fromkeys([*names, *(it.arg for it in node.keywords if it.arg)]))


def _aggregate(names: list[str], node: ast.Call, _: _Of) -> list[str]:
    """Of groups: those by which they were made come back with `reset_index`."""
    new = [it.arg for it in node.keywords if it.arg and isinstance(it.value, ast.Tuple | ast.Call)]
    return list(dict.fromkeys([*new, *names]))


def _filter(names: list[str], node: ast.Call, _: _Of) -> list[str]:
    items = texts(_keyword(node, "items"))
    return names if items is None else [name for name in names if name in items]


def _set_index(names: list[str], node: ast.Call, _: _Of) -> list[str]:
    if _keyword(node, "drop") is not None:
        return names
    gone = texts(node.args[0] if node.args else _keyword(node, "keys"))
    return [name for name in names if name not in (gone or ())]


def _rename(names: list[str], node: ast.Call, _: _Of) -> list[str] | None:
    by_name = _keyword(node, "columns")
    mapping = by_name or (node.args[0] if node.args else None)
    if not isinstance(mapping, ast.Dict):
        return names if _keyword(node, "index") is not None else None
    new: dict[Any, Any] = {
        key.value: value.value
        for key, value in zip(mapping.keys, mapping.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
    }
    found = [new.get(name, name) for name in names]
    # pandas' first argument names rows, polars' columns.
    kept = names if by_name is None else []
    return list(dict.fromkeys(name for name in (*found, *kept) if type(name) is str))


def _drop(names: list[str], node: ast.Call, _: _Of) -> list[str]:
    gone = [*node.args, _keyword(node, "columns")]
    axis = _keyword(node, "axis")
    by_columns = isinstance(axis, ast.Constant) and axis.value in (1, "columns")
    gone = gone if by_columns else gone[len(node.args) :]
    without = {name for it in gone for name in texts(it) or ()}
    return [name for name in names if name not in without]


def _merge(names: list[str], node: ast.Call, of: _Of) -> list[str]:
    other = node.args[0] if node.args else _keyword(node, "right") or _keyword(node, "other")
    if other is None:
        raise Unknown
    return list(dict.fromkeys([*names, *frames.columns(frames.table_in(of(other)))]))


def _melt(names: list[str], node: ast.Call, _: _Of) -> list[str]:
    kept = _keyword(node, "id_vars")
    known = texts(kept) if kept is not None else []
    new = [
        texts(_keyword(node, word)) or [word.removesuffix("_name").replace("var", "variable")]
        for word in ("var_name", "value_name")
    ]
    return [*(names if known is None else known), *new[0], *new[1]]


_CHANGES = {
    "aggregate": _aggregate,
    "assign": _assign,
    "with_columns": _assign,
    "rename": _rename,
    "drop": _drop,
    "filter": _filter,
    "merge": _merge,
    "join": _merge,
    "melt": _melt,
    "set_index": _set_index,
}


def merged(node: ast.Call, of: _Of) -> Any:
    """The columns of `pd.merge(a, b)` and `pd.concat([a, b])`; `MISSING` where none of the tables is known."""
    tables = node.args[:2]
    if tables and isinstance(tables[0], ast.List):
        tables = tables[0].elts[:20]
    names: list[str] = []
    kind = None
    for it in tables:
        try:
            table = frames.table_in(of(it))
        except Unknown:
            continue
        if table is not MISSING and family(frames.class_of(table)) in frames.TABLES:
            kind = kind or frames.class_of(table)
            names += frames.columns(table)
    return MISSING if kind is None else frames.Made(kind, list(dict.fromkeys(names)))
