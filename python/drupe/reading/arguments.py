"""What a string may hold that is an argument of a call: columns, keys, variables of the environment, what a `Literal` allows."""

from __future__ import annotations

import ast
import enum
import os
import re
import types
from typing import Any

from . import frames, hints
from .annotations import Scope, allowed
from .bindings import Found, members_of
from .calls import overloads
from .parameters import DOUBLE_STARRED, Parameter, function_of, signature
from .results import Resolver
from .statics import (
    MAX_KEYS,
    MAX_LOOKED_AT,
    MAX_LOOSELY,
    MISSING,
    Unknown,
    family,
    first_keys,
    fitting,
    function_name,
    is_exactly,
    isinstance_static,
    module_of,
    name_of,
    own,
    type_dict,
)
from .words import REDUCING, words
from .written import Written, read

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
# Parameters of its functions that take columns of a table that is another argument.
_OF_FUNCTIONS = {
    method: names.split()
    for method, names in {
        "get_dummies": "columns",
        "melt": "id_vars value_vars",
        "merge": "on left_on right_on",
        "merge_asof": "on left_on right_on by left_by right_by",
        "merge_ordered": "on left_on right_on left_by right_by",
        "pivot": "index columns values",
        "pivot_table": "index columns values",
        "wide_to_long": "i",
    }.items()
}
_LEFT = ("left", "frame", "data", "df")
_RIGHT = ("right", "other")
# Parameters that take the labels of rows.
_ROWS = [("drop", "index"), ("reindex", "index"), ("rename", "index")]
# Methods whose string is an expression: its last word is a column.
_EXPRESSIONS = {
    "pandas": ("query", "eval"),
    "geopandas": ("query", "eval"),
    "duckdb": ("filter", "project", "select", "order", "sort", "aggregate", "query", "unique"),
    "polars": ("sql",),
}
# Arguments that never name a column.
_NEVER = frozenset(
    """how strategy dtype kind name orient engine path file validate suffix title label marker linestyle palette
    cmap template""".split()
)
# Methods of polars' whose argument is a column though it is called a name.
_NAMED = ("get_column", "get_column_index", "drop_in_place")
# Functions whose string names a column of the table around them.
_NAMING = ("polars.functions", "polars.expr", "polars.selectors")
_OF_MAPPINGS = ("get", "pop", "setdefault")
_OF_ATTRIBUTES = frozenset(map(id, (getattr, hasattr, setattr, delattr)))
_PLOTTING = ("seaborn", "plotly", "altair", "hvplot")
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
            parameter = _parameter(function, call)
            if parameter is not None and parameter.name == "aggfunc":
                return [_item(name, "keyword", "str") for name in fitting(REDUCING, prefix)]
            tables = _tables_around(resolver, around)
            return _columns(tables, prefix)
        return _of_call(resolver, function, call, prefix)
    return None


def _of_call(resolver: Resolver, function: Found, call: dict, prefix: str) -> list[dict] | None:
    method = call["callee"].rpartition(".")[2].strip()
    written = read(call["written"])
    parameter = _parameter(function, call)
    names = list(dict.fromkeys(_allowed(function, parameter)))
    owner = _owner(resolver, call["callee"])
    if not names and owner is not None:
        name = call["keyword"] if method == "plot" or parameter is None else parameter.name
        names = words(owner.kinds, method, name or "", written)
    if names:
        return [_item(name, "keyword", "str") for name in fitting(names, prefix)]
    if owner is not None:
        held = owner.value
        if method in _OF_MAPPINGS and call["index"] == 0:
            known = first_keys(held, MAX_LOOKED_AT)
            if known is not None:
                return [_item(name, "property", "key") for name in fitting(known, prefix, MAX_KEYS)]
            if held is os.environ:
                return _environment(prefix)
        table = frames.table_of(held) if owner.is_known else MISSING
        table = function.table if table is MISSING else table
        if table is not MISSING:
            if written is not None and "value" in written.around:
                return []  # Columns are the keys.
            right = _argument(resolver, function, written, _RIGHT)
            return _of_table(resolver, table, owner, call, parameter, right, prefix)
    if function.value is os.getenv and call["index"] == 0:
        return _environment(prefix)
    if isinstance_static(function.value, enum.EnumMeta) and call["index"] == 0:
        members = own(type_dict(function.value), "_value2member_map_")
        values = list(members) if type(members) is dict else []
        return [_item(name, "keyword", "str") for name in fitting(values, prefix)]
    if id(function.value) in _OF_ATTRIBUTES and call["index"] == 1 and written is not None:
        return _attributes(resolver, written.positional[0], prefix) if written.positional else None
    return _of_function(resolver, function, call, parameter, written, prefix)


def _of_function(
    resolver: Resolver,
    function: Found,
    call: dict,
    parameter: Parameter | None,
    written: Written | None,
    prefix: str,
) -> list[dict] | None:
    """For a function that is given the table as another argument."""
    inner = function_of(function.value)
    home = inner.__module__ if type(inner) is types.FunctionType else ""
    library = home.partition(".")[0] if type(home) is str else ""
    name = parameter.name if parameter is not None else ""
    if library == "pandas":
        method = function_name(inner)
        left = _argument(resolver, function, written, _LEFT)
        if left is not MISSING:
            names = words((frames.class_of(left),), method, name, written)
            if names:
                return [_item(name, "keyword", "str") for name in fitting(names, prefix)]
        if name not in _OF_FUNCTIONS.get(method, ()):
            return None
        return _of_two(left, _argument(resolver, function, written, _RIGHT), name, prefix)
    if library in (*_PLOTTING, "matplotlib") and call["keyword"] not in _NEVER:
        table = _argument(resolver, function, written, ("data", "data_frame"))
        if table is not MISSING:
            return _columns([table], prefix)
        if library in _PLOTTING and call["keyword"]:
            return _columns(_tables(resolver), prefix)
    return None


def _of_two(left: Any, right: Any, name: str, prefix: str) -> list[dict] | None:
    """Columns of one of two tables that are put together, or those that both have; None where it is not known."""
    if name.startswith("right"):
        return None if right is MISSING else _columns([right], prefix)
    if left is MISSING:
        return None
    found = _columns([left], prefix)
    if name.startswith("left") or right is MISSING:
        return found
    others = set(frames.columns(right, MAX_LOOSELY))
    return [item for item in found if item["name"] in others] or found


def _argument(
    resolver: Resolver, function: Found, written: Written | None, names: tuple[str, ...]
) -> Any:
    """The table that a call is given as one of these parameters; `MISSING` for none."""
    if written is None:
        return MISSING
    given = dict(written.keywords)
    for index, node in enumerate(written.positional[:MAX_CALLS]):
        parameter = _parameter(function, {"index": index, "keyword": None})
        if parameter is not None:
            given.setdefault(parameter.name, node)
    for name in names:
        if name in given:
            try:
                found = resolver.of(given[name])
            except Unknown:
                continue
            table = frames.table_in(found)
            if table is not MISSING:
                return table
    return MISSING


def _attributes(resolver: Resolver, node: ast.expr, prefix: str) -> list[dict] | None:
    try:
        members = members_of(resolver.of(node), prefix)
    except Unknown:
        return None
    return [it for it in members if prefix.startswith("_") or not it["name"].startswith("_")]


def _of_table(
    resolver: Resolver,
    table: Any,
    owner: Found,
    call: dict,
    parameter: Parameter | None,
    right: Any,
    prefix: str,
) -> list[dict] | None:
    method = call["callee"].rpartition(".")[2].strip()
    library = family(frames.class_of(table)).partition(".")[0]
    if method in _EXPRESSIONS.get(library, ()):
        word = _LAST_WORD.search(prefix)
        head = prefix[: word.start()] if word is not None else ""
        found = _columns([table], prefix[len(head) :])
        return [item | {"name": head + item["name"]} for item in found]
    name = parameter.name if parameter is not None else call["keyword"] or ""
    if library in ("pandas", "geopandas"):
        kinds = owner.kinds
        plot = bool(kinds) and (name_of(kinds[0]) == "PlotAccessor" or method == "plot")
        if (method, name) in _ROWS:
            labels = fitting(frames.labels(table, MAX_LOOKED_AT), prefix, MAX_KEYS)
            return [_item(label, "property", "label") for label in labels]
        takes = _PANDAS.get("plot" if plot else method)
        if plot and call["keyword"] in ("x", "y", "column"):
            return _columns([table], prefix)
        if takes is None or name not in takes:
            return None
        return _of_two(table, right if method == "merge" else MISSING, name, prefix)
    if (
        name in _NEVER
        and method not in _NAMED
        or method.partition("_")[0] in ("write", "sink", "to", "from")
    ):
        return None
    if family(frames.class_of(table)) == "polars.LazyFrame":
        return _columns(_tables(resolver, frames.POLARS), prefix)
    return _columns([table], prefix)


def _columns(tables: list[Any], prefix: str) -> list[dict]:
    most = MAX_LOOSELY if prefix else MAX_KEYS
    names = dict.fromkeys(name for table in tables for name in frames.columns(table, most))
    return [_item(name, "property", "column") for name in fitting(names, prefix, MAX_KEYS)]


def _tables_around(resolver: Resolver, calls: list[dict]) -> list[Any]:
    """The table whose method is called around a place, else all of polars'; none where it is one that is not there yet."""
    for call in calls[:MAX_CALLS]:
        owner = _owner(resolver, call["callee"])
        if owner is None:
            continue
        table = frames.table_in(owner)
        if table is not MISSING and frames.columns(table, 1):
            return [table]
        if table is MISSING and not owner.is_known:
            home = module_of(owner.kinds[0]) if owner.kinds else ""
            if home.startswith(("polars.dataframe", "polars.lazyframe")):
                return []
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
        return any(is_exactly(value, "pandas", name) for name in ("Grouper", "NamedAgg"))
    home: Any = module_of(type(value))
    inner = function_of(value)
    if type(inner) is types.FunctionType:
        home = inner.__module__
    return type(home) is str and home.startswith(_NAMING)


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
