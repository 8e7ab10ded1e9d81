"""Reading objects without running the code of their types.

Used by the inspection of the session. Nothing here may call `__getattr__`, a property, `__repr__`, `__len__` or
`__dir__` of a type that the user wrote: values are read from instance and class dictionaries only. The exceptions are
exact types of well-known libraries (a pandas DataFrame's columns), whose code is trusted to be quick.
"""

from __future__ import annotations

import os
import sys
import types
from collections import OrderedDict, defaultdict
from itertools import islice
from typing import Any

# Bounds on what is read of one object.
MAX_MEMBERS = 1_000
MAX_KEYS = 1_000
# Keys of a mapping that are looked at for a beginning.
MAX_LOOKED_AT = 100_000

MAPPINGS = (dict, OrderedDict, defaultdict)
FUNCTIONS = (types.FunctionType, types.MethodType)
BUILTIN_FUNCTIONS = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.MethodWrapperType,
)
PLAIN = (int, bool, float, complex, str, bytes, type(None))
MISSING = object()

type_dict = type.__dict__["__dict__"].__get__
type_mro = type.__dict__["__mro__"].__get__


class Unknown(Exception):
    """The expression names nothing that can be found without running code."""


def isinstance_static(value: Any, kind: type) -> bool:
    """As `isinstance`, without asking the object's `__class__`."""
    return kind in type_mro(type(value))


def type_name(value: Any) -> str:
    """The name of the type, as a reader would write it."""
    kind = type(value)
    return type.__dict__["__name__"].__get__(kind)


def kind_of(value: Any) -> str:
    """`function`, `class`, `module`, `property` or `instance`."""
    if isinstance_static(value, type):
        return "class"
    if isinstance_static(value, types.ModuleType):
        return "module"
    if type(value) in (property, types.GetSetDescriptorType, types.MemberDescriptorType):
        return "property"
    if type(value) in (staticmethod, classmethod):
        return "function"
    if isinstance_static(value, types.FunctionType) or type(value) in (
        *FUNCTIONS,
        *BUILTIN_FUNCTIONS,
    ):
        return "function"
    return "instance"


def instance_dict(value: Any) -> dict:
    """The instance's own dictionary; empty when it has none that can be read without running code."""
    if isinstance_static(value, type):
        return dict(type_dict(value))
    for kind in type_mro(type(value)):
        descriptor = type_dict(kind).get("__dict__")
        if descriptor is not None:
            # Anything but CPython's own descriptor would be the user's code.
            if type(descriptor) not in (types.GetSetDescriptorType, types.MemberDescriptorType):
                return {}
            break
    try:
        found = object.__getattribute__(value, "__dict__")
    except Exception:
        return {}
    return found if isinstance_static(found, dict) else {}


def attribute(owner: Any, name: str) -> Any:
    """The attribute as its dictionaries have it: methods unbound, properties as properties."""
    own = instance_dict(owner)
    if isinstance_static(owner, type):
        for kind in type_mro(owner):
            found = type_dict(kind).get(name, MISSING)
            if found is not MISSING:
                return unwrap(found)
        raise Unknown
    found = dict.get(own, name, MISSING)
    if found is not MISSING:
        return found
    for kind in type_mro(type(owner)):
        found = type_dict(kind).get(name, MISSING)
        if found is not MISSING:
            if type(found) is types.MemberDescriptorType:
                try:
                    return found.__get__(owner)
                except AttributeError:
                    raise Unknown from None
            return unwrap(found)
    if name in columns_of(owner):
        return owner[name]
    raise Unknown


def item(owner: Any, key: Any) -> Any:
    """`owner[key]` for builtin containers and well-known tables."""
    try:
        if type(owner) in MAPPINGS:
            found = dict.get(owner, key, MISSING)
            if found is not MISSING:
                return found
        elif type(owner) in (list, tuple, str, bytes) and type(key) is int:
            return owner[key]
        elif type(key) is str and key in columns_of(owner):
            return owner[key]
    except (IndexError, KeyError, TypeError):
        pass
    raise Unknown


def members_of(value: Any, prefix: str = "") -> list[dict]:
    """All members with their kinds, from the instance's and the classes' dictionaries."""
    if isinstance_static(value, types.ModuleType):
        return module_members(value, prefix)
    if isinstance_static(value, type):
        return class_members(value, prefix)
    own = _sorted_items(instance_dict(value), prefix)
    found = {name: _member(name, held) for name, held in own}
    for member in class_members(type(value), prefix):
        found.setdefault(member["name"], member)
    for name in columns_of(value):
        if name.isidentifier() and fits(name, prefix):
            found.setdefault(name, {"name": name, "kind": "property", "type": "column"})
    return list(found.values())[:MAX_MEMBERS]


def module_members(module: types.ModuleType, prefix: str = "") -> list[dict]:
    """The names of a module that is loaded. A lazy one shows what it has, and stays unloaded."""
    found = _sorted_items(instance_dict(module), prefix)
    return [_member(name, held) for name, held in found[:MAX_MEMBERS]]


def class_members(kind: type, prefix: str = "") -> list[dict]:
    """The names of a class and its bases."""
    found: dict[str, dict] = {}
    for base in type_mro(kind):
        for name, held in _sorted_items(dict(type_dict(base)), prefix):
            found.setdefault(name, _member(name, held))
    return list(found.values())[:MAX_MEMBERS]


def columns_of(value: Any) -> list[str]:
    """The columns of an exact pandas or polars table, or the fields of a structured array."""
    kind = type(value)
    try:
        if is_exactly(kind, "pandas", "DataFrame"):
            return [name for name in value.columns[:MAX_KEYS] if type(name) is str]
        if is_exactly(kind, "polars", "DataFrame"):
            return value.columns[:MAX_KEYS]
        if is_exactly(kind, "numpy", "ndarray") and value.dtype.names:
            return list(value.dtype.names[:MAX_KEYS])
    except Exception:
        return []
    return []


def keys_of(value: Any, prefix: str = "") -> list[str]:
    """String keys of a mapping, columns of a table, labels of a series."""
    found: Any = columns_of(value)
    try:
        if type(value) in MAPPINGS:
            # The first of them, where there are many: to look at all takes as long as there are many.
            found = list(islice(value, MAX_LOOKED_AT if prefix else MAX_KEYS))
        elif is_exactly(type(value), "pandas", "Series"):
            found = list(value.index[:MAX_KEYS])
        elif type(value) is type(os.environ):
            found = list(os.environ)
    except Exception:
        return []
    return [key for key in found if type(key) is str and fits(key, prefix)][:MAX_KEYS]


def unwrap(found: Any) -> Any:
    return found.__func__ if type(found) in (staticmethod, classmethod) else found


def _member(name: str, value: Any) -> dict:
    kind = kind_of(value)
    return {"name": name, "kind": kind, "type": "" if kind == "property" else type_name(value)}


def _sorted_items(held: dict, prefix: str) -> list[tuple[str, Any]]:
    items = [
        (name, value)
        for name, value in list(held.items())
        if type(name) is str and fits(name, prefix)
    ]
    # Private names last: where the list is cut, they are what is lost.
    return sorted(items, key=lambda pair: (pair[0].startswith("__"), pair[0].startswith("_")))


def is_exactly(kind: type, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and instance_dict(loaded).get(name) is kind


def size_of(value: Any) -> Any:
    """Something that changes with the keys; None for what has none."""
    kind = type(value)
    if kind in MAPPINGS:
        return len(value)
    if is_exactly(kind, "pandas", "DataFrame"):
        return (value.shape, id(value.columns))
    if is_exactly(kind, "pandas", "Series"):
        return (value.shape, id(value.index))
    if is_exactly(kind, "polars", "DataFrame"):
        return value.shape
    return None


def fits(name: str, prefix: str) -> bool:
    return name[: len(prefix)].lower() == prefix.lower()
