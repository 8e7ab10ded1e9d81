"""Words about objects: type, signature, documentation, a short preview. As careful as the reading itself."""

from __future__ import annotations

import inspect
import types
from typing import Any

from . import hints
from .statics import (
    BUILTIN_FUNCTIONS,
    FUNCTIONS,
    MAPPINGS,
    MISSING,
    PLAIN,
    instance_dict,
    is_exactly,
    isinstance_static,
    kind_of,
    type_dict,
    type_mro,
    type_name,
    unwrap,
)

# Bounds on documentation, in characters: for who looks at one object, and for each of many.
MAX_DOC = 8_000
MAX_SHORT_DOC = 1_000


def describe(value: Any, most_doc: int, owner: Any = MISSING) -> dict:
    """Type, signature, documentation and a harmless preview."""
    kind = kind_of(value)
    bound = owner is not MISSING and not (
        isinstance_static(owner, type) or isinstance_static(owner, types.ModuleType)
    )
    return {
        "kind": kind,
        "type": type_name(value),
        "topic": topic(value),
        "signature": signature(value, bound=bound) if kind in ("function", "class") else "",
        "doc": documentation(value)[:most_doc],
        "preview": preview(value),
    }


def short(value: Any) -> dict:
    return describe(value, MAX_SHORT_DOC)


def topic(value: Any) -> str:
    """The dotted name under which `pydoc` finds it; that of the type for instances."""
    if isinstance_static(value, types.ModuleType):
        name = instance_dict(value).get("__name__", "")
        return name if type(name) is str else ""
    if kind_of(value) == "instance":
        value = type(value)
    if isinstance_static(value, type):
        module = type_dict(value).get("__module__", "builtins")
        name = type.__dict__["__qualname__"].__get__(value)
    elif type(value) in (*FUNCTIONS, *BUILTIN_FUNCTIONS):
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
    if type(value) in (*FUNCTIONS, *BUILTIN_FUNCTIONS):
        text = value.__doc__
    elif type(value) is property:
        text = value.__doc__
    elif isinstance_static(value, types.ModuleType):
        text = instance_dict(value).get("__doc__")
    else:
        kind = value if isinstance_static(value, type) else type(value)
        if kind in PLAIN:
            return ""
        for base in type_mro(kind):
            text = type_dict(base).get("__doc__")
            if type(text) is str and base is not object:
                break
            if type(text) is types.GetSetDescriptorType:
                text = None
    return inspect.cleandoc(text) if type(text) is str else ""


def signature(value: Any, *, bound: bool = False) -> str:
    """`(a, b=1) -> int`; empty when it cannot be told without running code."""
    skip = 1 if bound else 0
    if isinstance_static(value, type):
        value, skip = _constructor(value), 1
    elif type(value) is types.MethodType:
        value, skip = value.__func__, 1
    try:
        if type(value) is types.FunctionType:
            found = hints.signature_or_text(value)
        elif type(value) in BUILTIN_FUNCTIONS:
            # The C signature of an unbound method still names its receiver; that of a bound one does not.
            skip = skip if type(value) is not types.BuiltinFunctionType else 0
            found = inspect.signature(value)
        else:
            return ""
    except Exception:
        return ""
    parameters = list(found.parameters.values())[skip:]
    texts = [text for text in _parameters(parameters)]
    result = ""
    if found.return_annotation is not inspect.Signature.empty:
        result = f" -> {_annotation(found.return_annotation)}"
    return f"({', '.join(texts)}){result}"


def preview(value: Any) -> str:
    """A short text for exact builtin types and well-known tables."""
    kind = type(value)
    try:
        if kind in PLAIN:
            if kind is int and value.bit_length() > 1_000:
                return f"int of {value.bit_length()} bits"
            if kind in (str, bytes) and len(value) > 200:
                return repr(value[:200]) + "…"
            return repr(value)
        if kind in (list, tuple, set, frozenset, *MAPPINGS):
            return f"{len(value)} item{'s' if len(value) != 1 else ''}"
        if is_exactly(kind, "pandas", "DataFrame") or is_exactly(kind, "polars", "DataFrame"):
            return f"{value.shape[0]} rows × {value.shape[1]} columns"
        if is_exactly(kind, "numpy", "ndarray"):
            return f"shape {value.shape}, {value.dtype}"
    except Exception:
        return ""
    return ""


def _constructor(kind: type) -> Any:
    for base in type_mro(kind):
        if base is object:
            break
        for name in ("__init__", "__new__"):
            found = type_dict(base).get(name)
            if found is not None:
                return unwrap(found)
    return None


def _parameters(parameters: list[inspect.Parameter]) -> list[str]:
    texts: list[str] = []
    positional_only = False
    starred = False
    for parameter in parameters:
        if positional_only and parameter.kind is not parameter.POSITIONAL_ONLY:
            texts.append("/")
        positional_only = parameter.kind is parameter.POSITIONAL_ONLY
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            texts.append("*")
            starred = True
        text = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            text, starred = f"*{text}", True
        elif parameter.kind is parameter.VAR_KEYWORD:
            text = f"**{text}"
        annotated = parameter.annotation is not parameter.empty
        if annotated:
            text += f": {_annotation(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f"{' = ' if annotated else '='}{_default(parameter.default)}"
        texts.append(text)
    if positional_only:
        texts.append("/")
    return texts


def _annotation(annotation: Any) -> str:
    if type(annotation) is str:
        return annotation
    if isinstance_static(annotation, type):
        return type.__dict__["__qualname__"].__get__(annotation)
    if annotation is None:
        return "None"
    # The reprs of typing's own objects are Python's code; those inside them are reached by it only for classes.
    if type(annotation).__module__ in ("typing", "types") and annotation is not ...:
        try:
            return repr(annotation).replace("typing.", "")[:200]
        except Exception:
            return "…"
    return "…"


def _default(value: Any) -> str:
    if type(value) in PLAIN:
        return preview(value)
    if type(value) in (list, tuple, dict, set) and not value:
        return repr(value)
    if isinstance_static(value, type) or type(value) in FUNCTIONS:
        return topic(value)
    return "…"
