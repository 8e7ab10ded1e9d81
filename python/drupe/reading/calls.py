"""What a call gives, as the function says itself, or as is written down here of Python's own and of a few libraries."""

from __future__ import annotations

import ast
import builtins
import contextlib
import dis
import enum
import inspect
import io
import sys
import types
import typing
from typing import Any

from . import hints, libraries
from .annotations import Scope, types_of
from .bindings import Found, call_of
from .parameters import function_of
from .standard import is_path, noted, owner_of, written_at
from .statics import (
    BUILTIN_FUNCTIONS,
    MISSING,
    Unknown,
    class_attribute,
    function_name,
    instance_dict,
    isinstance_static,
    kind_of,
    module_of,
    name_of,
    own,
)

_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_WORDS = {
    kind: names.split()
    for kind, names in {
        int: "len hash id ord round",
        str: "ascii bin chr format hex input oct repr",
        bool: "all any callable hasattr isinstance issubclass",
        list: "dir sorted",
        dict: "globals locals vars",
    }.items()
}
# What Python's own functions and methods give, which have no annotations.
_BUILTINS = {name: kind for kind, names in _WORDS.items() for name in names}
_OF_TEXT = """capitalize casefold center expandtabs format format_map join ljust lower lstrip removeprefix removesuffix replace
    rjust rstrip strip swapcase title translate upper zfill"""
_ASKED = "startswith endswith isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper"
_COUNTED = "count find index rfind rindex"
_OF_SETS = "copy difference intersection symmetric_difference union"
_TABLE: dict[type, dict[Any, str]] = {
    str: {str: _OF_TEXT, list: "split rsplit splitlines", tuple: "partition rpartition", bytes: "encode", int: _COUNTED, bool: _ASKED},
    bytes: {bytes: _OF_TEXT, list: "split rsplit splitlines", tuple: "partition rpartition", str: "decode hex", int: _COUNTED, bool: _ASKED},
    list: {list: "copy", int: "count index"},
    tuple: {int: "count index"},
    dict: {dict: "copy fromkeys", _VIEWS[0]: "keys", _VIEWS[1]: "values", _VIEWS[2]: "items", tuple: "popitem"},
    set: {set: _OF_SETS, bool: "isdisjoint issubset issuperset"},
    frozenset: {frozenset: _OF_SETS, bool: "isdisjoint issubset issuperset"},
    int: {int: "bit_length bit_count conjugate from_bytes", bytes: "to_bytes", tuple: "as_integer_ratio", bool: "is_integer"},
    float: {str: "hex", bool: "is_integer", tuple: "as_integer_ratio", float: "conjugate fromhex"},
}  # fmt: skip
_METHODS = {
    kind: {name: result for result, names in table.items() for name in names.split()}
    for kind, table in _TABLE.items()
}
# What methods of pandas give that have no annotation of their own, by the class that they were found through.
_UNANNOTATED = {
    "StringMethods": "Series",
    "CombinedDatetimelikeProperties": "Series",
    "DatetimeProperties": "Series",
    "TimedeltaProperties": "Series",
    "PeriodProperties": "Series",
    "SeriesGroupBy": "Series",
    "DataFrameGroupBy": "DataFrame",
    "Series": "Series",
    "DataFrame": "DataFrame",
    **dict.fromkeys(
        ("Window", "Rolling", "Expanding", "ExponentialMovingWindow"), "DataFrame Series"
    ),
    **dict.fromkeys(("Resampler", "DatetimeIndexResampler", "RollingGroupby"), "DataFrame Series"),
}
_SCALARS = (
    "all any item kurt kurtosis max mean median min nunique prod product sem skew std sum var"
)
_CONTEXTS = {
    "contextmanager": "_GeneratorContextManager",
    "asynccontextmanager": "_AsyncGeneratorContextManager",
}


def returned(found: Found, node: ast.Call | None, *, awaited: bool = False) -> tuple[type, ...]:
    """The classes of what a call gives, as it says itself or as is written down here; Unknown where neither says anything."""
    value, owner = found.value, found.owner
    if not found.is_known:
        for kind in found.types:
            called = call_of(kind)
            if kind_of(called) == "function":
                return returned(Found(called, owner=kind), node, awaited=awaited)
        raise Unknown
    if type(value) is types.GenericAlias:
        value = value.__origin__
    if isinstance_static(value, type):
        meta_call = class_attribute(type(value), "__call__")
        if (
            value is type
            or meta_call is not type.__dict__["__call__"]
            and not isinstance_static(value, enum.EnumMeta)
        ):
            if name_of(type(value)) == "_TypedDictMeta" and module_of(type(value)) == "typing":
                return (dict,)
            raise Unknown
        return (value,)
    if kind_of(value) != "function":
        called = call_of(type(value))
        if kind_of(called) != "function":
            raise Unknown
        return returned(Found(called, owner=type(value)), node, awaited=awaited)
    owner = owner_of(value, owner)
    if type(value) in BUILTIN_FUNCTIONS:
        return _of_builtin(value, owner, node)
    context = _context(value)
    if context is not None:
        return (context,)
    function = function_of(value)
    kinds = result_types(function, owner, awaited=awaited)
    if not kinds and found.is_bound and _is_method(function, owner):
        if "return" not in hints.texts_of(function) and gives_itself(function):
            return (owner,)
    kinds = kinds or types_of(*noted(value, owner, node))
    if not kinds:
        raise Unknown
    return kinds


def result_types(function: Any, owner: Any, *, awaited: bool = False) -> tuple[type, ...]:
    """The classes of what a function gives that was found through `owner`; nothing where it does not say."""
    if type(function) in BUILTIN_FUNCTIONS:
        return ()
    if isinstance_static(function, type):
        return (function,)
    if type(function) is not types.FunctionType:
        return ()
    flags = function.__code__.co_flags
    if flags & inspect.CO_COROUTINE and not awaited:
        return (types.CoroutineType,)
    texts, scope = hints.texts_of(function), Scope.of(function, owner)
    if "return" in texts:
        kinds = types_of(texts["return"], scope)
        if kinds or texts["return"] is None:
            return kinds
    for overload in overloads(function):
        kinds = types_of(hints.texts_of(overload).get("return"), scope)
        if kinds:
            return kinds
    if flags & inspect.CO_GENERATOR:
        return (types.GeneratorType,)
    shown = libraries.shown_by_pyplot(function, owner)
    if shown is not MISSING:
        return types_of(hints.texts_of(shown).get("return"), Scope.of(shown))
    if isinstance_static(owner, type) and module_of(owner).startswith("pandas."):
        name, known = function_name(function), name_of(owner)
        if known == "Series" and name in _SCALARS.split():
            return ()
        if "return" not in texts:
            named = _UNANNOTATED.get(known, "").split()
            return tuple(kind for name in named for kind in libraries.of_pandas(name))
    return ()


def _is_method(function: Any, owner: Any) -> bool:
    """Whether it is called with the instance, not with its class."""
    if type(function) is not types.FunctionType or not isinstance_static(owner, type):
        return False
    return type(class_attribute(owner, function_name(function))) is types.FunctionType


def overloads(function: types.FunctionType) -> list[types.FunctionType]:
    """What `typing` has been told that a function can be called as, read from its register."""
    register = getattr(typing, "_overload_registry", None)  # of CPython 3.11 and newer
    if register is None:
        return []
    module = own(register, function.__module__) if type(function.__module__) is str else MISSING
    name = function.__qualname__
    found = own(module, name) if module is not MISSING and type(name) is str else MISSING
    if found is MISSING:
        return []
    return [it for it in list(found.values())[:20] if type(it) is types.FunctionType]


def _of_builtin(value: Any, owner: Any, node: ast.Call | None) -> tuple[type, ...]:
    name = value.__name__
    receiver = getattr(value, "__self__", None)
    if type(value) is types.BuiltinFunctionType:
        if receiver is builtins:
            found = _BUILTINS.get(name)
            if found is None:
                raise Unknown
            return (found,)
    for kind, table in _METHODS.items():
        if owner is kind and name in table:
            return (table[name],)
    kinds = types_of(*noted(value, owner, node))
    if not kinds:
        raise Unknown
    return kinds


def _context(value: Any) -> type | None:
    """The class that `contextlib`'s decorators make of a generator."""
    if type(value) is types.FunctionType and value.__globals__ is vars(contextlib):
        # From 3.11 on a function's code has the name of the function around it.
        around, inside, _ = getattr(value.__code__, "co_qualname", "").partition(".<locals>.")
        made = _CONTEXTS.get(around) if inside else None
        made = made or ("_GeneratorContextManager" if value.__code__.co_name == "helper" else None)
        return None if made is None else vars(contextlib)[made]
    return None


def says(function: Found, node: ast.Call | None) -> tuple[Any, Scope]:
    """What a call says that it gives, and where the names in that are looked up."""
    value = function.value
    if kind_of(value) != "function":
        value = call_of(type(value)) if function.is_known else MISSING
    owner = owner_of(value, function.owner)
    inner = function_of(value)
    if type(inner) is types.FunctionType and "return" in (texts := hints.texts_of(inner)):
        return texts["return"], Scope.of(inner, owner)
    return noted(value, owner, node)


def opened(function: Found, node: ast.Call) -> tuple[type, ...]:
    """What `open` gives, or a path's, for the mode that is written; nothing for all other calls."""
    place = _place_of_mode(function)
    if place is None:
        return ()
    if any(isinstance(it, ast.Starred) for it in node.args) or any(
        it.arg is None for it in node.keywords
    ):
        raise Unknown
    if len(node.args) > place + 1 or any(it.arg == "buffering" for it in node.keywords):
        raise Unknown
    modes = [*node.args[place : place + 1], *(it.value for it in node.keywords if it.arg == "mode")]
    mode = "r" if not modes else modes[0].value if isinstance(modes[0], ast.Constant) else None
    if type(mode) is not str:
        raise Unknown
    if "b" not in mode:
        return (io.TextIOWrapper,)
    if "+" in mode:
        return (io.BufferedRandom,)
    return (io.BufferedReader if "r" in mode else io.BufferedWriter,)


def _place_of_mode(function: Found) -> int | None:
    """The place of the mode among the arguments of a call of `open`; None for another."""
    # What stands in front of Python's own in IPython.
    ipython = sys.modules.get("IPython.core.interactiveshell")
    guarded = MISSING if ipython is None else own(instance_dict(ipython), "_modified_open")
    if function.value is open or function.is_known and function.value is guarded:
        return 1
    return (
        0 if is_path(function.owner) and written_at(function.value) == ("pathlib", "open") else None
    )


def gives_itself(function: types.FunctionType) -> bool:
    """Whether each `return` of a method is `return self`."""
    code = function.__code__
    names = code.co_varnames[: min(code.co_argcount, 1)]
    before: str | None = None
    given: list[str | None] = []
    for step in dis.get_instructions(code):
        if step.opname.startswith(("STORE_", "DELETE_")) and step.argval in names:
            return False
        if step.opname == "RETURN_VALUE":
            given.append(before)
        elif step.opname == "RETURN_CONST":
            given.append(None)
        before = step.argval if step.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) else None
    return bool(given) and bool(names) and all(name == names[0] for name in given)
