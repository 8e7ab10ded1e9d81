"""Reading objects without running the code of their types.

Used by the inspection of the session. Nothing here may call `__getattr__`, a property, `__repr__`, `__len__`, `__dir__`, `__eq__` or
`__hash__` of a type that the user wrote, or of its metaclass: values are read from instance and class dictionaries only, types are
compared by identity, and a dictionary is asked for a key only where none of its keys could be asked back.
"""

from __future__ import annotations

import functools
import re
import sys
import types
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

# Bounds on what is read of one object.
MAX_MEMBERS = 1_000
MAX_KEYS = 1_000
# Names of which the beginning is looked at, and of these those that are looked at for letters in between.
MAX_LOOKED_AT = 100_000
MAX_LOOSELY = 20_000
# Keys that are held against each other's types before one of them is asked for.
MAX_ASKED = 200_000

MISSING: Any = object()


class Kinds:
    """Some types, told by identity: a metaclass could have its own idea of being equal."""

    def __init__(self, *kinds: type) -> None:
        self.kinds = kinds
        self.ids = frozenset(map(id, kinds))

    def __contains__(self, kind: Any) -> bool:
        return id(kind) in self.ids


MAPPINGS = Kinds(dict, OrderedDict, defaultdict)
FUNCTIONS = Kinds(types.FunctionType, types.MethodType)
BUILTIN_FUNCTIONS = Kinds(
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.MethodWrapperType,
)
# What stands for a function, and says in its own dictionary which.
WRAPPERS = Kinds(
    staticmethod,
    classmethod,
    functools.partial,
    functools.partialmethod,
    functools.singledispatchmethod,
    type(functools.lru_cache(len)),
)
SLOTS = Kinds(types.GetSetDescriptorType, types.MemberDescriptorType)
PROPERTIES = Kinds(property, functools.cached_property, *SLOTS.kinds)
PLAIN = Kinds(int, bool, float, complex, str, bytes, type(None))
_TEXT = Kinds(str)
_LONG = Kinds(str, bytes)

type_dict = type.__dict__["__dict__"].__get__
type_mro = type.__dict__["__mro__"].__get__
_module_of_static = type.__dict__["__module__"].__get__
_is_subtype = type.__subclasscheck__


class Unknown(Exception):
    """The expression names nothing that can be found without running code."""


def isinstance_static(value: Any, kind: type) -> bool:
    """As `isinstance`, without asking the object's `__class__`. `kind` has no metaclass of its own."""
    return _is_subtype(kind, type(value))


def name_of(kind: type) -> str:
    """`__name__` of a type, whatever its metaclass says."""
    return type.__dict__["__name__"].__get__(kind)


def type_name(value: Any) -> str:
    """The name of the type, as a reader would write it."""
    return name_of(type(value))


def function_name(function: Any) -> str:
    """`__name__` of a function of Python's or C's; empty where somebody has set it to a text of a class of their own."""
    name = function.__name__
    return name if type(name) is str else ""


def module_of(kind: type) -> str:
    """The module that a type says it is from; empty where it says nothing."""
    module = own(type_dict(kind), "__module__")
    if module is MISSING:
        try:
            # That of one of C's own is in its name.
            module = _module_of_static(kind)
        except AttributeError:
            return ""
    return module if type(module) is str else ""


def own(held: Mapping, key: Any) -> Any:
    """What a dictionary has under a plain key; `MISSING` where it has nothing, or is too large to be asked safely."""
    if len(held) > MAX_ASKED:
        return MISSING
    plain = _TEXT if type(key) is str else PLAIN
    if plain.ids.issuperset(map(id, map(type, held))):
        return (
            held.get(key, MISSING)
            if type(held) is not defaultdict
            else dict.get(held, key, MISSING)
        )
    for known, value in list(held.items()):
        if type(known) in PLAIN and known == key:
            return value
    return MISSING


def first_keys(value: Any, most: int) -> list[Any] | None:
    """The first keys of a dictionary, as `dict` itself has them; None for what is none."""
    if not isinstance_static(value, dict):
        return None
    if type(value) in MAPPINGS:
        return list(islice(value, most))
    return list(islice(dict.__iter__(value), most))


def class_attribute(kind: type, name: str) -> Any:
    """What a class or the first of its bases has in its dictionary; `MISSING` for nothing."""
    for base in type_mro(kind):
        found = own(type_dict(base), name)
        if found is not MISSING:
            return found
    return MISSING


def kind_of(value: Any) -> str:
    """`function`, `class`, `module`, `property` or `instance`."""
    kind = type(value)
    if isinstance_static(value, type):
        return "class"
    if isinstance_static(value, types.ModuleType):
        return "module"
    if kind in PROPERTIES:
        return "property"
    if kind in FUNCTIONS or kind in BUILTIN_FUNCTIONS or kind in WRAPPERS:
        return "function"
    return "function" if family(kind) in ("numpy.ufunc", "numpy.dispatcher") else "instance"


def instance_dict(value: Any) -> Mapping:
    """The instance's own dictionary; empty when it has none that can be read without running code."""
    if isinstance_static(value, type):
        return type_dict(value)
    for kind in type_mro(type(value)):
        descriptor = own(type_dict(kind), "__dict__")
        if descriptor is not MISSING:
            # Anything but CPython's own descriptor would be the user's code.
            if type(descriptor) not in SLOTS:
                return {}
            break
    try:
        found = object.__getattribute__(value, "__dict__")
    except Exception:
        return {}
    # One of another type could answer as it likes.
    if type(found) in MAPPINGS:
        return found
    return dict(dict.items(found)) if isinstance_static(found, dict) else {}


def slot(value: Any, name: str) -> Any:
    """What an instance has in a slot or in its dictionary; `MISSING` for nothing."""
    descriptor = class_attribute(type(value), name)
    if type(descriptor) is types.MemberDescriptorType:
        try:
            return descriptor.__get__(value)
        except AttributeError:
            return MISSING
    return own(instance_dict(value), name)


def module_members(module: types.ModuleType, prefix: str = "") -> list[dict]:
    """The names of a module that is loaded. A lazy one shows what it has, and stays unloaded."""
    return [_member(name, held) for name, held in _sorted_items(instance_dict(module), prefix)]


def class_members(kind: type, prefix: str = "") -> list[dict]:
    """The names of a class and its bases."""
    found: dict[str, dict] = {}
    for base in type_mro(kind):
        for name, held in _sorted_items(type_dict(base), prefix):
            found.setdefault(name, _member(name, held))
    # Before CPython 3.12 a member of an enumeration is in none of its dictionaries.
    members = own(type_dict(kind), "_member_map_")
    if type(members) in MAPPINGS:
        for name, held in _sorted_items(members, prefix):
            found[name] = _member(name, held)
    return list(found.values())[:MAX_MEMBERS]


def own_members(value: Any, prefix: str = "") -> list[dict]:
    """The names in an instance's own dictionary."""
    return [_member(name, held) for name, held in _sorted_items(instance_dict(value), prefix)]


def is_exactly(kind: type, module: str, name: str) -> bool:
    """Whether a type is what a loaded module has under this name."""
    loaded = sys.modules.get(module)
    return loaded is not None and own(instance_dict(loaded), name) is kind


# Types of well-known libraries whose insides are known, by name: where the library has it, and what it is called here.
_FAMILIES = {
    "DataFrame": [("pandas", "DataFrame"), ("polars", "DataFrame")],
    "Series": [("pandas", "Series"), ("polars", "Series")],
    "LazyFrame": [("polars", "LazyFrame")],
    "Expr": [("polars", "Expr")],
    "GeoDataFrame": [("geopandas", "GeoDataFrame")],
    "GeoSeries": [("geopandas", "GeoSeries")],
    "DataFrameGroupBy": [("pandas.core.groupby.generic", "DataFrameGroupBy")],
    "SeriesGroupBy": [("pandas.core.groupby.generic", "SeriesGroupBy")],
    "_LocIndexer": [("pandas.core.indexing", "_LocIndexer")],
    "_iLocIndexer": [("pandas.core.indexing", "_iLocIndexer")],
    "_AtIndexer": [("pandas.core.indexing", "_AtIndexer")],
    "ndarray": [("numpy", "ndarray")],
    "ufunc": [("numpy", "ufunc")],
    "_ArrayFunctionDispatcher": [("numpy._core._multiarray_umath", "_ArrayFunctionDispatcher")],
    "Table": [("pyarrow", "Table")],
    "RecordBatch": [("pyarrow", "RecordBatch")],
    "Schema": [("pyarrow", "Schema")],
    "DuckDBPyRelation": [("duckdb", "DuckDBPyRelation")],
    "Dataset": [("xarray", "Dataset")],
    "DataArray": [("xarray", "DataArray")],
}
_known_families: dict[int, tuple[weakref.ref, str]] = {}
_CALLED = {"_ArrayFunctionDispatcher": "numpy.dispatcher"}


def family(kind: type) -> str:
    """`pandas.DataFrame` and the like for the exact types of well-known libraries, else empty."""
    name = name_of(kind)
    if name not in _FAMILIES:
        return ""
    known = _known_families.get(id(kind))
    if known is not None and known[0]() is kind:
        return known[1]
    for module, inside in _FAMILIES[name]:
        if is_exactly(kind, module, inside):
            found = _CALLED.get(name) or f"{module.partition('.')[0]}.{name}"
            _known_families[id(kind)] = (weakref.ref(kind), found)
            return found
    return ""


def plain(value: Any) -> str:
    """The text of a value of one of the `PLAIN` types, cut to size."""
    if type(value) is int and value.bit_length() > 1_000:
        return f"int of {value.bit_length()} bits"
    if type(value) in _LONG and len(value) > 200:
        return repr(value[:200]) + "…"
    return repr(value)


def fits(name: str, prefix: str) -> bool:
    """Whether a name begins with what was typed or has its letters in this order, in either case."""
    begins, loosely = _matchers(prefix)
    return bool(begins(name) or loosely(name))


def fitting(names: Iterable[Any], prefix: str, most: int = MAX_MEMBERS) -> list[str]:
    """Those of some names that fit; where there are too many, those that begin so."""
    if not prefix:
        return list(islice((name for name in names if type(name) is str), most))
    begins, loosely = _matchers(prefix)
    exact: list[str] = []
    loose: list[str] = []
    for number, name in enumerate(islice(names, MAX_LOOKED_AT)):
        if type(name) is not str:
            continue
        if begins(name):
            exact.append(name)
            if len(exact) >= most:
                break
        elif number < MAX_LOOSELY and len(loose) < most and loosely(name):
            loose.append(name)
    return (exact + loose)[:most]


@functools.lru_cache(maxsize=16)
def _matchers(prefix: str) -> tuple[Callable[[str], Any], Callable[[str], Any]]:
    # One letter is in almost every name: it has to begin a word there.
    letters = [re.escape(letter) for letter in prefix[:100]]
    spread = ".*?".join(letters)
    if len(letters) == 1:
        spread = f"(?:^|[^a-zA-Z0-9])(?i:{spread})|(?<=[a-z0-9]){re.escape(prefix.upper())}"
    else:
        spread = f"(?i:{spread})"
    begins = re.compile(re.escape(prefix), re.IGNORECASE).match
    return begins, re.compile(spread, re.DOTALL).search


def _member(name: str, value: Any) -> dict:
    kind = kind_of(value)
    return {"name": name, "kind": kind, "type": "" if kind == "property" else type_name(value)}


def _sorted_items(held: Mapping, prefix: str) -> list[tuple[str, Any]]:
    items = [
        (name, value)
        for name, value in list(islice(held.items(), MAX_LOOKED_AT))
        if type(name) is str and (not prefix or fits(name, prefix))
    ]
    # Where the list is cut: what begins as was typed stays, private names are lost.
    begins, _ = _matchers(prefix)
    items.sort(
        key=lambda pair: (not begins(pair[0]), pair[0].startswith("__"), pair[0].startswith("_"))
    )
    return items[:MAX_MEMBERS]
