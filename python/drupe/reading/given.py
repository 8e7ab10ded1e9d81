"""What names are that code above the cursor binds and that has not run, told from the texts that they have their values from.

Imported with the first question that comes with such names. As everywhere here no code of the user's runs: a text is only read.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import sys
import types
from collections import deque
from itertools import islice
from typing import Any

from . import frames
from .annotations import HOLDING, Scope, inner_types, types_of
from .bindings import Found
from .calls import gives_itself, says
from .hints import LAZY_IMPORT
from .libraries import loaded
from .parameters import function_of
from .results import Resolver, held_in
from .statics import (
    MAPPINGS,
    MISSING,
    Kinds,
    Unknown,
    class_attribute,
    family,
    function_name,
    instance_dict,
    isinstance_static,
    kind_of,
    module_of,
    name_of,
    own,
)
from .written import parse

# Names that are read, and how often something may be taken out of something.
MAX_GIVEN = 50
MAX_STEPS = 5

_ELEMENT = "element"
_ENTERED = "entered"
_SEQUENCES = Kinds(list, tuple, str, bytes, range, deque)
_SETS = Kinds(set, frozenset)
# What gives the elements of its first argument as they are.
_PASSING = frozenset("reversed sorted list tuple set frozenset iter tqdm track".split())
# What `contextlib`'s decorators make of a generator.
_CONTEXTS = Kinds(
    *(
        vars(contextlib)[name]
        for name in ("_GeneratorContextManager", "_AsyncGeneratorContextManager")
    )
)
_FILES = Kinds(io.TextIOWrapper, io.StringIO)
_SERIES = ("pandas", "Series")


def after(resolver: Resolver, given: list[dict]) -> Resolver:
    """What `resolver` would be if these names were bound, one after the other."""
    told: dict[str, Found | None] = {}
    reading = resolver.telling(told)
    for it in given[:MAX_GIVEN]:
        if it["before"] or not resolver.has(it["name"]):
            try:
                told[it["name"]] = _found(reading, it)
            except (Unknown, RecursionError):
                told[it["name"]] = None
    return reading


def _found(reading: Resolver, given: dict) -> Found:
    text, how = given["text"], given["how"]
    if not text:
        raise Unknown
    if how == "imported":
        return _imported(text)
    if how in ("annotated", "returns"):
        # It may go on in the next line.
        kinds = types_of(f"({text}\n)", Scope(reading.names(), "__main__"))
        if how == "returns":
            return Found(types=(types.FunctionType,), holds=kinds)
        if not kinds:
            raise Unknown
        return Found(types=kinds)
    try:
        node = parse(f"({text}\n)")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Unknown from None
    first = {"iterated": [_ELEMENT], "entered": [_ENTERED]}.get(how, [])
    found = _follow(reading, node, [*first, *given["places"]])
    if not found.is_known and not found.types:
        # What gives it is known, and not what that gives.
        raise Unknown
    return found


def _imported(text: str) -> Found:
    """A module, or what a module has (`pathlib:Path`), where it is loaded: to load it would run its code."""
    module, _, member = text.partition(":")
    found: Any = sys.modules.get(module, MISSING)
    if member:
        inside = MISSING if found is MISSING else own(instance_dict(found), member)
        found = inside if inside is not MISSING else sys.modules.get(f"{module}.{member}", MISSING)
    # Of a name that is imported when it is used for the first time, nothing is known before.
    is_lazy = LAZY_IMPORT is not None and type(found) is LAZY_IMPORT
    if found is MISSING or is_lazy or not member and found is None:
        raise Unknown
    return Found(found)


def _follow(reading: Resolver, node: ast.expr, steps: list[str | int]) -> Found:
    """What is reached from an expression by these steps: an element of it, what it gives to a `with`, its part at a place."""
    if not steps:
        return reading.of(node)
    if len(steps) > MAX_STEPS:
        raise Unknown
    step, *rest = steps
    if step == _ELEMENT:
        return _element(reading, node, rest)
    if step == _ENTERED:
        return _parts(_entered(reading, node), rest)
    if isinstance(node, ast.Tuple | ast.List) and isinstance(step, int):
        if step >= len(node.elts) or any(isinstance(it, ast.Starred) for it in node.elts):
            raise Unknown
        return _follow(reading, node.elts[step], rest)
    return _unpacked(reading, node, steps)


def _unpacked(reading: Resolver, node: ast.expr, places: list[Any]) -> Found:
    """A part of a tuple that an expression gives."""
    if isinstance(node, ast.Call):
        function = reading.of(node.func)
        found = _subplots(function, node, places) or _split(reading, function, node, places)
        if found is not None:
            return found
        note, scope = says(function, node)
        kinds = inner_types(note, scope, places[0]) if len(places) == 1 else ()
        if kinds:
            return Found(types=kinds)
    return _parts(reading.of(node), places)


def _parts(found: Found, places: list[Any]) -> Found:
    for place in places:
        if type(found.value) not in _SEQUENCES or place >= len(found.value):
            raise Unknown
        found = Found(found.value[place])
    return found


def _element(reading: Resolver, node: ast.expr, places: list[Any]) -> Found:
    """What an expression gives one after the other, or the part at `places` of that."""
    if isinstance(node, ast.Call):
        found = _of_call(reading, node, places)
        if found is not None:
            return found
    if isinstance(node, ast.List | ast.Tuple | ast.Set) and node.elts:
        return _follow(reading, node.elts[0], places)
    if isinstance(node, ast.Attribute):
        flat = _flat(reading.of(node.value), node.attr, places)
        if flat is not None:
            return flat
    found = reading.of(node)
    if found.is_known:
        return _parts(Found(_first(found.value)), places)
    first = family(found.kinds[0]) if found.kinds else ""
    if found.holds and first == "numpy.ndarray" and not places:
        return held_in(found, 0)
    if found.holds and len(found.kinds) == 1 and found.kinds[0] in HOLDING and not places:
        return Found(types=found.holds)
    if first in frames.PANDAS and not places:
        if found.table is not MISSING and not frames.columns(found.table, 1):
            raise Unknown
        return Found(types=(str,))
    if found.kinds and found.kinds[0] in _FILES and not places:
        return Found(types=(str,))
    if first == "pandas.DataFrameGroupBy" and places == [1]:
        return Found(types=loaded("pandas", "DataFrame"), table=found.table)
    if first == "pandas.SeriesGroupBy" and places == [1]:
        return Found(types=loaded(*_SERIES))
    raise Unknown


def _of_call(reading: Resolver, node: ast.Call, places: list[Any]) -> Found | None:
    """The elements of what a well-known function or method gives; None for others."""
    name = _passing(reading, node.func)
    plain = bool(node.args) and not any(isinstance(it, ast.Starred) for it in node.args)
    if name == "range" and not places:
        return Found(types=(int,))
    if name == "enumerate" and plain and places:
        place, *rest = places
        return Found(types=(int,)) if place == 0 else _element(reading, node.args[0], rest)
    if name == "zip" and plain and places and places[0] < len(node.args):
        return _element(reading, node.args[places[0]], places[1:])
    if name in _PASSING and plain:
        return _element(reading, node.args[0], places)
    if isinstance(node.func, ast.Attribute):
        owner = reading.of(node.func.value)
        found = _flat(owner, node.func.attr, places) or _of_method(owner, node.func.attr, places)
        if found is not None:
            return found
    note, scope = says(reading.of(node.func), node)
    kinds = inner_types(note, scope, None) if not places else ()
    return Found(types=kinds) if kinds else None


def _passing(reading: Resolver, function: ast.expr) -> str:
    """The name of one of Python's functions that gives what its argument has, or of a progress bar; empty for all others."""
    if not isinstance(function, ast.Name):
        return ""
    found = reading.of(function).value
    if found is own(vars(builtins), function.id):
        return function.id
    inner = function_of(found)
    home: Any = inner.__module__ if type(inner) is types.FunctionType else ""
    if isinstance_static(found, type):
        home = module_of(found)
    is_bar = type(home) is str and home.partition(".")[0] in ("tqdm", "rich")
    return function.id if is_bar else ""


def _of_method(owner: Found, method: str, places: list[Any]) -> Found | None:
    first = family(owner.kinds[0]) if owner.kinds else ""
    if first in frames.PANDAS and method in ("items", "iterrows"):
        if places == [1]:
            # A row has the columns as its labels.
            table = frames.table_in(owner) if method == "iterrows" else MISSING
            return Found(types=loaded(*_SERIES), table=table)
        known = frames.columns(frames.table_in(owner), 1)
        return Found(types=(str,)) if places == [0] and method == "items" and known else None
    if type(owner.value) in MAPPINGS and method in ("keys", "values", "items") and owner.value:
        key, value = next(iter(dict.items(owner.value)))
        part = {"keys": key, "values": value, "items": (key, value)}[method]
        return _parts(Found(part), places)
    return None


def _flat(owner: Found, name: str, places: list[Any]) -> Found | None:
    """The first element of `array.flat` and the like; None for what is not that."""
    is_array = owner.is_known and family(type(owner.value)) == "numpy.ndarray"
    if name not in ("flat", "ravel", "flatten") or not is_array or places or not owner.value.size:
        return None
    return Found(owner.value.flat[0])


def _first(value: Any) -> Any:
    """The first element of a builtin container or the name of a table's first column."""
    if type(value) in _SEQUENCES or type(value) in _SETS or type(value) in MAPPINGS:
        for element in islice(iter(value), 1):
            return element
    if family(type(value)) == "numpy.ndarray" and value.ndim and value.size:
        return value[0]
    if frames.family_of_index(value) and (label := frames.label(value, 0)) is not MISSING:
        return label
    if family(type(value)) in frames.PANDAS:
        for name in frames.columns(value, 1):
            return name
    raise Unknown


def _entered(reading: Resolver, node: ast.expr) -> Found:
    """What an expression gives to a `with`."""
    found = reading.of(node)
    is_general = bool(found.kinds) and name_of(found.kinds[0]) in (
        "AbstractContextManager",
        "AbstractAsyncContextManager",
    )
    if isinstance(node, ast.Call) and found.kinds and (found.kinds[0] in _CONTEXTS or is_general):
        note, scope = says(reading.of(node.func), node)
        return Found(types=inner_types(note, scope, None))
    for kind in found.kinds:
        enter = class_attribute(kind, "__enter__")
        if enter is MISSING:
            continue
        if kind_of(enter) == "function" and type(function_of(enter)) is types.FunctionType:
            if gives_itself(function_of(enter)):
                return found
            note, scope = says(Found(enter, owner=kind), None)
            kinds = types_of(note, scope)
            if not kinds:
                raise Unknown
            return Found(types=kinds)
        if module_of(kind) in ("_io", "io", "mmap", "sqlite3", "select"):
            return found
    raise Unknown


def _subplots(function: Found, node: ast.Call, places: list[Any]) -> Found | None:
    """What `fig, ax = plt.subplots()` binds: matplotlib says `Any` of the second."""
    inner = function_of(function.value)
    if type(inner) is not types.FunctionType or function_name(inner) != "subplots":
        return None
    if type(inner.__module__) is not str or not inner.__module__.startswith("matplotlib."):
        return None
    if places == [0]:
        return Found(types=loaded("matplotlib.figure", "Figure"))
    is_clear = not any(isinstance(it, ast.Starred) for it in node.args)
    if not is_clear or any(it.arg in (None, "squeeze") for it in node.keywords):
        raise Unknown
    counts = {"nrows": 1, "ncols": 1}
    counts |= dict(zip(counts, [_count(it) for it in node.args]))
    counts |= {it.arg: _count(it.value) for it in node.keywords if it.arg in counts}
    dimensions = sum(count != 1 for count in counts.values())
    axes, array = loaded("matplotlib.axes", "Axes"), loaded("numpy", "ndarray")
    # By dimension: of two, a row is an array itself.
    found = (
        Found(types=array, holds=axes) if dimensions < 2 else Found(types=array, holds=array + axes)
    )
    found = found if dimensions else Found(types=axes)
    for place in places[1:]:
        found = held_in(found, place) if found.holds else Found()
    return found


def _count(node: ast.expr) -> int:
    """How many; some where that is not written."""
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else 2


def _split(reading: Resolver, function: Found, node: ast.Call, places: list[Any]) -> Found | None:
    """What `a, b, c, d = train_test_split(x, y)` binds: of each argument two parts."""
    inner = function_of(function.value)
    if (
        type(inner) is not types.FunctionType
        or function_name(inner) != "train_test_split"
        or len(places) != 1
    ):
        return None
    home: Any = inner.__module__
    if (
        type(home) is not str
        or home != "sklearn.model_selection._split"
        or places[0] // 2 >= len(node.args)
    ):
        return None
    found = reading.of(node.args[places[0] // 2])
    return Found(types=found.kinds, table=frames.table_in(found))
