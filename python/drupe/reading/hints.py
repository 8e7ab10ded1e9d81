"""Annotations that are read, not evaluated.

From CPython 3.14 on (PEP 649) an annotation is code that runs when somebody asks for it: it may fail, since a name is bound later;
import what was to be imported lazily; or do whatever else its author wrote. Completion and inspection ask all the time, and a
completion that fails for one method's annotation is none for its class. `patches.py` gives IPython and jedi the functions of this
module, and `describing.py` uses them. Even Python's own way to the texts of annotations runs them (to see whether it can go
another way), so it is not taken. What a text names is looked up in dictionaries, so that a completion still knows what a
function returns. Nothing here may run code of the user's.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .statics import (
    FUNCTIONS,
    MISSING,
    Kinds,
    Unknown,
    class_attribute,
    instance_dict,
    isinstance_static,
    module_of,
    own,
    type_dict,
    type_mro,
)

if sys.version_info >= (3, 14):
    from annotationlib import Format, call_annotate_function

    annotate_of = type.__dict__["__annotate__"].__get__

    class _Written:
        """The function that a compiler has made of annotations. Says of itself that it cannot be asked, only read."""

        def __init__(self, function: types.FunctionType) -> None:
            self._function = function

        def __call__(self, form: Any) -> Any:
            raise NotImplementedError if form == Format.STRING else RuntimeError

        def __getattr__(self, name: str) -> Any:
            return getattr(self._function, name)

    def _kept_by(value: type) -> dict[str, Any]:
        """The annotations that a class holds. To ask it for them is to ask its metaclass, which may be anybody's."""
        for name in ("__annotations__", "__annotations_cache__"):
            found = own(type_dict(value), name)
            if type(found) is dict:
                return dict(found)
        return {}

    def texts_of(value: Any) -> dict[str, Any]:
        """The annotations of a function or class as they were written, or as somebody has set them."""
        is_class = isinstance_static(value, type)
        if type(value) is types.MethodType:
            value = value.__func__
        if not is_class and type(value) is not types.FunctionType:
            return {}
        try:
            annotate: Any = annotate_of(value) if is_class else value.__annotate__
        except AttributeError:
            return {}
        if annotate is None:
            return _kept_by(value) if is_class else dict(value.__annotations__)
        code = getattr(annotate, "__code__", None)
        if code is not None and code.co_name == "__annotate__" and code.co_nlocals == 1:
            if any(type(constant) is types.CodeType for constant in code.co_consts):
                return {}  # a lambda there could be called
            annotate = _Written(annotate)
        try:
            return call_annotate_function(annotate, Format.STRING, owner=value)
        except Exception:
            return {}

else:

    def texts_of(value: Any) -> dict[str, Any]:
        """The annotations of a function or class, which were evaluated when it was made."""
        if isinstance_static(value, type):
            found = own(type_dict(value), "__annotations__")
        else:
            if type(value) is types.MethodType:
                value = value.__func__
            found = value.__annotations__ if type(value) is types.FunctionType else None
        return dict(found) if type(found) is dict else {}


# What a subscript can be applied to without running code of the user's, beside what typing has.
GENERIC = Kinds(list, dict, tuple, set, frozenset, type)
LAZY_IMPORT = getattr(types, "LazyImportType", None)


class Text:
    """An annotation whose names are not all known; it is shown as it was written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def signature(value: Any, **options: Any) -> inspect.Signature:
    """As `inspect.signature`; an annotation is the object that it names, or its `Text`."""
    return _SIGNATURE(inspect.Signature, value, **options)


def signature_or_text(value: Any, **options: Any) -> inspect.Signature:
    """The same, with strings, as annotations in quotes have always been."""
    return _SIGNATURE_OR_TEXT(inspect.Signature, value, **options)


def annotations_of(
    value: Any, *, unknown: Callable[[str], Any] = str, **_options: Any
) -> dict[str, Any]:
    """As `inspect.get_annotations`: the object that each names, or what `unknown` makes of its text."""
    names = names_of(value)
    return {name: _known(text, names, unknown) for name, text in texts_of(value).items()}


def returned(value: Any) -> Any:
    """What a function is annotated to return; None where it is not, or where that is not known."""
    if type(value) not in FUNCTIONS:
        return None
    return _known(texts_of(value).get("return"), names_of(value), lambda _text: None)


def has_attribute(value: Any, name: str) -> bool:
    """As `hasattr`, for which the annotations of a function would be evaluated."""
    if name == "__annotations__" and type(value) in FUNCTIONS:
        return True
    return hasattr(value, name)


def attribute(value: Any, name: str, *default: Any) -> Any:
    """As `getattr`, but for annotations: who asks wants to know what kind of thing they are."""
    if name == "__annotations__" and (isinstance_static(value, type) or type(value) in FUNCTIONS):
        return {}
    return getattr(value, name, *default)


def _reading(get_annotations: Callable[..., dict[str, Any]]) -> Any:
    """`inspect.Signature.from_callable` that gets annotations so: Python's own functions, in a namespace beside theirs."""
    names = dict(vars(inspect))

    def again(function: Any) -> Any:
        made = types.FunctionType(
            function.__code__, names, function.__name__, function.__defaults__, function.__closure__
        )
        made.__kwdefaults__ = function.__kwdefaults__
        return made

    for name, value in vars(inspect).items():
        if type(value) is types.FunctionType and value.__module__ == inspect.__name__:
            names[name] = again(value)
    names["get_annotations"] = get_annotations
    return again(vars(inspect.Signature)["from_callable"].__func__)


def _known(text: Any, names: Mapping[str, Any], unknown: Callable[[str], Any]) -> Any:
    """The object that an annotation names, or what `unknown` makes of its text."""
    if type(text) is not str:
        return text
    try:
        return _resolve(ast.parse(text.strip(), mode="eval").body, names)
    except (Unknown, SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return unknown(text)


def names_of(value: Any) -> Mapping[str, Any]:
    """The names that the annotations of a function or class can use, but for those of functions around it."""
    if isinstance_static(value, type):
        for base in type_mro(value):
            maker = own(type_dict(base), "__init__")
            if base is not object and type(maker) is types.FunctionType:
                return maker.__globals__
        return instance_dict(sys.modules.get(module_of(value)))
    if type(value) is types.MethodType:
        value = value.__func__
    for _ in range(100):  # a decorator's function says whose place it takes
        inner = own(instance_dict(value), "__wrapped__")
        if type(inner) is not types.FunctionType:
            break
        value = inner
    return value.__globals__ if type(value) is types.FunctionType else {}


def _resolve(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant) and (node.value is None or node.value is ...):
        return node.value
    if isinstance(node, ast.Name):
        for scope in (names, vars(builtins)):
            if node.id in scope:
                return _loaded(scope[node.id])
    elif isinstance(node, ast.Attribute):
        owner = _resolve(node.value, names)
        if isinstance_static(owner, types.ModuleType) and node.attr in instance_dict(owner):
            return _loaded(instance_dict(owner)[node.attr])
    elif isinstance(node, ast.Subscript):
        base = _resolve(node.value, names)
        if base in GENERIC or module_of(type(base)) == "typing":
            return base[_harmless(_resolve(node.slice, names))]
    elif isinstance(node, ast.Tuple):
        return tuple(_resolve(part, names) for part in node.elts)
    elif isinstance(node, ast.List):
        return [_resolve(part, names) for part in node.elts]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        parts = _resolve(node.left, names), _resolve(node.right, names)
        if all(
            type(part) in (type, types.NoneType, types.GenericAlias, types.UnionType)
            for part in parts
        ):
            return parts[0] | parts[1]
    raise Unknown


def _harmless(part: Any) -> Any:
    """What a subscript may be: it is hashed, which a class of the user's may have its own idea of."""
    for inner in part if type(part) in (tuple, list) else (part,):
        if (
            isinstance_static(inner, type)
            and class_attribute(type(inner), "__hash__") is not type.__hash__
        ):
            raise Unknown
        if (
            module_of(type(inner)) == "typing"
            and own(instance_dict(inner), "__metadata__") is not MISSING
        ):
            raise Unknown
    return part


def _loaded(value: Any) -> Any:
    """What a name stands for, where that has been imported."""
    if LAZY_IMPORT is not None and type(value) is LAZY_IMPORT:
        raise Unknown
    return value


if sys.version_info >= (3, 14):
    _SIGNATURE = _reading(partial(annotations_of, unknown=Text))
    _SIGNATURE_OR_TEXT = _reading(annotations_of)
else:
    _SIGNATURE = _SIGNATURE_OR_TEXT = vars(inspect.Signature)["from_callable"].__func__
