"""Words about objects: type, signature, documentation, where it was written, a short preview. As careful as the reading itself."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any

from .bindings import Found
from .parameters import function_of, signature
from .places import place
from .previews import preview
from .statics import (
    BUILTIN_FUNCTIONS,
    FUNCTIONS,
    MISSING,
    PLAIN,
    Unknown,
    instance_dict,
    isinstance_static,
    kind_of,
    module_of,
    name_of,
    own,
    type_dict,
    type_mro,
    type_name,
)

# Bounds on documentation, in characters: for who looks at one object, and for each of many.
MAX_DOC = 8_000
MAX_SHORT_DOC = 1_000


def describe(found: Found, most_doc: int) -> dict:
    """Type, signature, documentation and a harmless preview."""
    value = found.value
    if not found.is_known:
        return _unmade(found, most_doc)
    kind = kind_of(value)
    return {
        "kind": kind,
        "type": type_name(value),
        "topic": topic(value),
        "signature": _signature(found)
        if kind in ("function", "class") or _is_called(value)
        else "",
        "doc": documentation(value)[:most_doc],
        "preview": preview(value),
    }


def located(found: Found, most_doc: int) -> dict:
    """The same, and where it was written, where that is known."""
    described = describe(found, most_doc)
    value = found.value if found.is_known else found.descriptor
    return described if value is MISSING else described | place(value)


def short(value: Any) -> dict:
    return describe(Found(value), MAX_SHORT_DOC)


def _unmade(found: Found, most_doc: int) -> dict:
    """What is known of something that is not there: the classes that it may be of, and the property that would give it."""
    by = found.descriptor
    if not found.types and by is MISSING:
        raise Unknown
    names = " | ".join(name_of(kind) for kind in found.types)
    doc = "" if by is MISSING else documentation(by)
    if not doc and found.types:
        doc = _of_class(found.types[0])
    return {
        "kind": "instance" if by is MISSING else "property",
        "type": names or type_name(by),
        "topic": topic(by) if by is not MISSING else topic(found.types[0]),
        "signature": "",
        "doc": doc[:most_doc],
        "preview": "",
    }


def topic(value: Any) -> str:
    """The dotted name under which `pydoc` finds it; that of the type for instances."""
    if isinstance_static(value, types.ModuleType):
        name = own(instance_dict(value), "__name__")
        return name if type(name) is str else ""
    if type(value) is property:
        value = value.fget
    elif type(value) is functools.cached_property:
        value = own(instance_dict(value), "func")
    kind = kind_of(value)
    if kind == "function":
        value = function_of(value)
    elif kind != "class":
        value = type(value)
    if isinstance_static(value, type):
        module: Any = module_of(value) or "builtins"
        name = type.__dict__["__qualname__"].__get__(value)
    elif type(value) is types.FunctionType or type(value) in BUILTIN_FUNCTIONS:
        module = getattr(value, "__module__", None)
        name = getattr(value, "__qualname__", "")
    else:
        return ""
    if type(module) is not str or module in ("builtins", "__main__"):
        return name
    return f"{module}.{name}"


def documentation(value: Any) -> str:
    """The docstring, cleaned; that of the type for instances of types that have one of their own."""
    text: Any = None
    if kind_of(value) == "function":
        # A decorator's function has the text of that which it stands around.
        text = own(instance_dict(value), "__doc__") if type(value) not in FUNCTIONS else None
        inner = function_of(value)
        # A method of something else than a function has nothing of its own.
        if type(inner) is types.FunctionType or type(inner) in BUILTIN_FUNCTIONS:
            text = text if type(text) is str else inner.__doc__
    elif type(value) is property:
        text = value.__doc__
    elif kind_of(value) == "property":
        getter = own(instance_dict(value), "func")
        text = getter.__doc__ if type(getter) is types.FunctionType else None
    elif isinstance_static(value, types.ModuleType):
        text = own(instance_dict(value), "__doc__")
    else:
        kind = value if isinstance_static(value, type) else type(value)
        return "" if kind in PLAIN else _of_class(kind)
    return inspect.cleandoc(text) if type(text) is str else ""


def _of_class(kind: type) -> str:
    for base in type_mro(kind):
        text = own(type_dict(base), "__doc__")
        if type(text) is str and base is not object:
            return inspect.cleandoc(text)
    return ""


def _is_called(value: Any) -> bool:
    """Whether a call of an instance is worth a signature: a function of Python's does it."""
    return kind_of(value) == "instance" and type(value) not in PLAIN


def _signature(found: Found) -> str:
    try:
        return str(signature(found))
    except Exception:
        return ""
