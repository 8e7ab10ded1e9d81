"""What a string may hold that is an argument of a call: columns, keys, variables of the environment, what a `Literal` allows."""

from __future__ import annotations

import enum
import os
import re
import types
from typing import Any

from . import frames, hints
from .annotations import Scope, allowed
from .bindings import Found
from .parameters import DOUBLE_STARRED, Parameter, function_of, signature
from .results import Resolver, overloads
from .statics import (
    MAPPINGS,
    MAX_KEYS,
    MAX_LOOSELY,
    MISSING,
    Unknown,
    family,
    fitting,
    is_exactly,
    isinstance_static,
    module_of,
    name_of,
    own,
    type_dict,
)

# Calls around a string that are looked at, and tables of a namespace whose columns are offered together.
MAX_CALLS = 10
MAX_TABLES = 20

# Parameters of pandas' methods that take columns.
_PANDAS = {
    method: names.split()
    for method, names in {
        "agg": "func kwargs",
        "aggregate": "func kwargs",
        "astype": "dtype",
        "boxplot": "column by",
        "dissolve": "by",
        "drop": "labels columns",
        "drop_duplicates": "subset",
        "dropna": "subset",
        "duplicated": "subset",
        "explode": "column",
        "explore": "column",
        "fillna": "value",
        "filter": "arg items",
        "get": "key",
        "groupby": "by",
        "hist": "column by",
        "isin": "values",
        "join": "on",
        "melt": "id_vars value_vars",
        "merge": "on left_on right_on",
        "nlargest": "columns",
        "nsmallest": "columns",
        "pivot": "index columns values",
        "pivot_table": "index columns values",
        "plot": "x y column",
        "pop": "item",
        "reindex": "columns",
        "rename": "columns mapper",
        "replace": "to_replace",
        "resample": "on",
        "rolling": "on",
        "sample": "weights",
        "set_geometry": "col",
        "set_index": "keys",
        "sort_values": "by",
        "to_csv": "columns",
        "to_excel": "columns",
        "to_html": "columns",
        "transform": "func",
        "value_counts": "subset",
    }.items()
}
# Methods whose string is an expression: its last word is a column.
_EXPRESSIONS = {
    "pandas": ("query", "eval"),
    "geopandas": ("query", "eval"),
    "duckdb": ("filter", "project", "select", "order", "sort", "aggregate", "query", "unique"),
    "polars": ("sql",),
}
# Arguments that never name a column.
_NEVER = frozenset("how strategy dtype kind name orient engine path file validate suffix".split())
# Functions whose string names a column of the table around them.
_NAMING = ("polars.functions", "polars.expr", "polars.selectors")
_OF_MAPPINGS = ("get", "pop", "setdefault")
_LAST_WORD = re.compile(r"\w*\Z")


def strings(resolver: Resolver, calls: list[dict], prefix: str) -> list[dict] | None:
    """Candidates for a string within calls, of which the innermost is the first; None when nothing is known."""
    for number, call in enumerate(calls[:MAX_CALLS]):
        try:
            function = resolver.resolve(call["callee"])
        except Unknown:
            return None
        if _names_columns(function):
            around = calls[number + 1 :]
            return _columns(_tables_around(resolver, around), prefix)
        return _of_call(resolver, function, call, prefix)
    return None


def _of_call(resolver: Resolver, function: Found, call: dict, prefix: str) -> list[dict] | None:
    method = call["callee"].rpartition(".")[2].strip()
    parameter = _parameter(function, call)
    names = list(dict.fromkeys(_allowed(function, parameter)))
    if names:
        return [_item(name, "keyword", "str") for name in fitting(names, prefix)]
    owner = _owner(resolver, call["callee"])
    if owner is not None:
        held = owner.value
        if method in _OF_MAPPINGS and call["index"] == 0:
            if type(held) in MAPPINGS:
                return [_item(name, "property", "key") for name in fitting(held, prefix, MAX_KEYS)]
            if held is os.environ:
                return _environment(prefix)
        table = frames.table_of(held) if owner.is_known else MISSING
        table = function.table if table is MISSING else table
        if table is not MISSING:
            return _of_table(resolver, table, owner, call, parameter, prefix)
    if function.value is os.getenv and call["index"] == 0:
        return _environment(prefix)
    if isinstance_static(function.value, enum.EnumMeta) and call["index"] == 0:
        members = own(type_dict(function.value), "_value2member_map_")
        values = list(members) if type(members) is dict else []
        return [_item(name, "keyword", "str") for name in fitting(values, prefix)]
    if _is_of_seaborn(function) and call["keyword"]:
        return _columns(_tables(resolver), prefix)
    return None


def _of_table(
    resolver: Resolver,
    table: Any,
    owner: Found,
    call: dict,
    parameter: Parameter | None,
    prefix: str,
) -> list[dict] | None:
    method = call["callee"].rpartition(".")[2].strip()
    library = family(type(table)).partition(".")[0]
    if method in _EXPRESSIONS.get(library, ()):
        word = _LAST_WORD.search(prefix)
        head = prefix[: word.start()] if word is not None else ""
        found = _columns([table], prefix[len(head) :])
        return [item | {"name": head + item["name"]} for item in found]
    name = parameter.name if parameter is not None else call["keyword"] or ""
    if library in ("pandas", "geopandas"):
        kinds = owner.kinds
        plot = bool(kinds) and (name_of(kinds[0]) == "PlotAccessor" or method == "plot")
        takes = _PANDAS.get("plot" if plot else method)
        if plot and call["keyword"] in ("x", "y", "column"):
            return _columns([table], prefix)
        if takes is None or name not in takes:
            return None
        many = method in ("merge", "join") and name == "right_on"
        return None if many else _columns([table], prefix)
    if name in _NEVER or method.partition("_")[0] in ("write", "sink", "to", "from"):
        return None
    if family(type(table)) == "polars.LazyFrame":
        return _columns(_tables(resolver, frames.POLARS), prefix)
    return _columns([table], prefix)


def _columns(tables: list[Any], prefix: str) -> list[dict]:
    most = MAX_LOOSELY if prefix else MAX_KEYS
    names = dict.fromkeys(name for table in tables for name in frames.columns(table, most))
    return [_item(name, "property", "column") for name in fitting(names, prefix, MAX_KEYS)]


def _tables_around(resolver: Resolver, calls: list[dict]) -> list[Any]:
    """The table whose method is called around a place, else all of polars'."""
    for call in calls[:MAX_CALLS]:
        owner = _owner(resolver, call["callee"])
        if owner is None:
            continue
        table = frames.table_of(owner.value) if owner.is_known else owner.table
        if table is not MISSING and frames.columns(table, 1):
            return [table]
    return _tables(resolver, frames.POLARS)


def _tables(
    resolver: Resolver, kinds: tuple[str, ...] = (*frames.PANDAS, *frames.POLARS)
) -> list[Any]:
    found = [value for value in resolver.values() if family(type(value)) in kinds]
    return found[-MAX_TABLES:]


def _owner(resolver: Resolver, callee: str) -> Found | None:
    """What the method that is called is one of."""
    before, dot, _ = callee.rpartition(".")
    try:
        return resolver.resolve(before) if dot else None
    except Unknown:
        return None


def _names_columns(function: Found) -> bool:
    value = function.value
    if value is MISSING:
        return False
    if isinstance_static(value, type):
        return is_exactly(value, "pandas", "Grouper")
    home: Any = module_of(type(value))
    inner = function_of(value)
    if type(inner) is types.FunctionType:
        home = inner.__module__
    return type(home) is str and home.startswith(_NAMING)


def _is_of_seaborn(function: Found) -> bool:
    inner = function_of(function.value)
    home = inner.__module__ if type(inner) is types.FunctionType else ""
    return type(home) is str and home.partition(".")[0] in ("seaborn", "plotly", "altair", "hvplot")


def _parameter(function: Found, call: dict) -> Parameter | None:
    try:
        found = signature(function).at(call["index"], call["keyword"])
    except Exception:
        return None
    return found if found is None or found.kind != DOUBLE_STARRED or call["keyword"] else None


def _allowed(function: Found, parameter: Parameter | None) -> list[str]:
    """The strings that the annotation of a parameter allows, in the function or in what it is overloaded as."""
    if parameter is None:
        return []
    names = allowed(parameter.annotation, parameter.scope._replace(owner=function.owner))
    inner = function_of(function.value)
    if type(inner) is types.FunctionType:
        for overload in overloads(inner):
            note = own(hints.texts_of(overload), parameter.name)
            names += allowed(note, Scope.of(overload))
    return names


def _environment(prefix: str) -> list[dict]:
    names = fitting(sorted(os.environ), prefix)
    return [_item(name, "property", "environment variable") for name in names]


def _item(name: str, kind: str, shown: str) -> dict:
    return {"name": name, "kind": kind, "type": shown}
