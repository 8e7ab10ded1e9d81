"""The parameters of what can be called, read from code objects, dictionaries and C's own texts; nothing is asked for its signature."""

from __future__ import annotations

import ast
import enum
import functools
import inspect
import types
from typing import Any, NamedTuple

from . import hints
from .annotations import Scope, text
from .bindings import MAX_WRAPPED, Found, call_of
from .statics import (
    BUILTIN_FUNCTIONS,
    MAPPINGS,
    MISSING,
    PLAIN,
    Unknown,
    class_attribute,
    family,
    instance_dict,
    isinstance_static,
    kind_of,
    module_of,
    name_of,
    own,
    plain,
    slot,
    type_dict,
    type_mro,
)

POSITIONAL_ONLY, POSITIONAL, STARRED, KEYWORD_ONLY, DOUBLE_STARRED = range(5)
_STARS = {STARRED: "*", DOUBLE_STARRED: "**"}
_UFUNC = "({0}, /, out=None, *, where=True, casting='same_kind', order='K', dtype=None, subok=True)"
_text_of_class = type.__dict__["__text_signature__"].__get__


class Parameter(NamedTuple):
    """One parameter. `default` is a text, or None; `annotation` is as it was found, and `scope` where to look up its names."""

    name: str
    kind: int = POSITIONAL
    default: str | None = None
    annotation: Any = MISSING
    scope: Scope = Scope()


class Signature(NamedTuple):
    """Parameters, and what is annotated to be returned."""

    parameters: list[Parameter]
    returned: Any = MISSING

    def __str__(self) -> str:
        result = "" if self.returned is MISSING else f" -> {text(self.returned)}"
        return f"({', '.join(_texts(self.parameters))}){result}"

    def at(self, index: int, keyword: str | None) -> Parameter | None:
        """The parameter that an argument of a call is for."""
        if keyword is not None:
            for parameter in self.parameters:
                if parameter.name == keyword and parameter.kind in (POSITIONAL, KEYWORD_ONLY):
                    return parameter
            return next((it for it in self.parameters if it.kind == DOUBLE_STARRED), None)
        for number, parameter in enumerate(self.parameters):
            if parameter.kind == STARRED or number == index and parameter.kind <= POSITIONAL:
                return parameter
        return None


def signature(found: Found) -> Signature:
    """That of a function or class, without what it is bound to; Unknown where it cannot be told without running code."""
    return _signature(found.value, found.is_bound, 0)


def function_of(value: Any) -> Any:
    """The function that others stand around: decorators, partial applications, caches."""
    for _ in range(MAX_WRAPPED):
        inner = _inside(value)
        if inner is MISSING or kind_of(inner) not in ("function", "class"):
            break
        value = inner
    return value


def _inside(value: Any) -> Any:
    kind = type(value)
    if kind is types.MethodType or kind is staticmethod or kind is classmethod:
        return value.__func__
    if kind is functools.partial:
        return value.func
    if kind is functools.partialmethod or kind is functools.singledispatchmethod:
        return own(instance_dict(value), "func")
    if kind_of(value) == "function":
        return own(instance_dict(value), "__wrapped__")
    return MISSING


def _signature(value: Any, is_bound: bool, depth: int) -> Signature:
    kind = type(value)
    if depth > MAX_WRAPPED:
        raise Unknown
    if isinstance_static(value, type):
        return _of_class(value, depth)
    if kind is types.GenericAlias:
        return _signature(value.__origin__, False, depth + 1)
    if kind is types.MethodType:
        return _signature(value.__func__, True, depth + 1)
    if kind is staticmethod or kind is classmethod:
        return _signature(value.__func__, is_bound, depth + 1)
    if kind is functools.partial:
        inner = _signature(value.func, False, depth + 1)
        return _drop(_applied(inner, value.args, value.keywords), is_bound)
    if kind is functools.partialmethod:
        held = instance_dict(value)
        inner = _drop(_signature(own(held, "func"), False, depth + 1), is_bound)
        return _applied(inner, own(held, "args"), own(held, "keywords"))
    if kind is functools.singledispatchmethod:
        return _signature(own(instance_dict(value), "func"), is_bound, depth + 1)
    if kind_of(value) != "function":
        called = call_of(kind)
        if called is MISSING or kind_of(called) != "function":
            raise Unknown
        return _signature(called, True, depth + 1)
    said = own(instance_dict(value), "__signature__") if kind not in BUILTIN_FUNCTIONS else MISSING
    if type(said) is inspect.Signature:
        return _drop(_of_signature(said), is_bound)
    inside = _inside(value)
    if inside is not MISSING and kind_of(inside) in ("function", "class"):
        return _signature(inside, is_bound, depth + 1)
    if kind is types.FunctionType:
        return _drop(_of_function(value), is_bound)
    if kind in BUILTIN_FUNCTIONS:
        # A module's function or a bound method has its receiver already.
        bound = kind is types.BuiltinFunctionType or kind is types.MethodWrapperType
        return _of_text(value.__text_signature__, is_bound or bound)
    if family(kind) == "numpy.ufunc":
        inputs = ("x",) if value.nin == 1 else tuple(f"x{i + 1}" for i in range(value.nin))
        return _of_text(_UFUNC.format(", ".join(inputs)), False)
    raise Unknown


def _of_class(kind: type, depth: int) -> Signature:
    meta = type(kind)
    if module_of(meta) in ("typing", "typing_extensions") and name_of(meta) == "_TypedDictMeta":
        return _of_typed_dict(kind)
    if own(type_dict(kind), "_is_protocol") is True:
        raise Unknown
    if isinstance_static(kind, enum.EnumMeta):
        return Signature([Parameter("value")])
    if class_attribute(meta, "__call__") is not type.__dict__["__call__"]:
        raise Unknown
    said = own(type_dict(kind), "__signature__")
    if type(said) is inspect.Signature:
        return _of_signature(said)
    if module_of(type(said)) == "pydantic.utils":  # the first version of pydantic keeps one there
        if type(slot(said, "value")) is inspect.Signature:
            return _of_signature(slot(said, "value"))
    for base in type_mro(kind):
        if base is object:
            break
        if module_of(base) == "pydantic.main" and name_of(base) == "BaseModel":
            return _of_model(kind)
        for name in ("__init__", "__new__"):
            maker = own(type_dict(base), name)
            if maker is MISSING:
                continue
            maker = maker.__func__ if type(maker) is staticmethod else maker
            if type(maker) in BUILTIN_FUNCTIONS:
                return _of_text(_text_of_class(base), True)
            found = _drop(_signature(maker, False, depth + 1), True)
            fields = own(type_dict(base), "__dataclass_fields__")
            if type(fields) is dict and name == "__init__":
                found = found._replace(parameters=_annotated(found.parameters, fields, base))
            return found._replace(returned=MISSING)
    return Signature([])


def _of_function(function: types.FunctionType) -> Signature:
    code = function.__code__
    texts, scope = hints.texts_of(function), Scope.of(function)
    named = code.co_argcount
    names = list(code.co_varnames[: named + code.co_kwonlyargcount])
    extra = list(code.co_varnames[len(names) :])
    defaults = function.__defaults__ if type(function.__defaults__) is tuple else ()
    by_name = function.__kwdefaults__ if type(function.__kwdefaults__) is dict else {}
    first = named - len(defaults)
    found = []
    for number, name in enumerate(names):
        kind = POSITIONAL_ONLY if number < code.co_posonlyargcount else POSITIONAL
        default = None
        if number >= named:
            kind = KEYWORD_ONLY
            held = own(by_name, name)
            default = None if held is MISSING else _default(held)
        elif number >= first:
            default = _default(defaults[number - first])
        if number == named and code.co_flags & inspect.CO_VARARGS:
            found.append(Parameter(extra[0], STARRED, None, own(texts, extra[0]), scope))
        found.append(Parameter(name, kind, default, own(texts, name), scope))
    if code.co_flags & inspect.CO_VARARGS:
        if len(names) == named:
            found.append(Parameter(extra[0], STARRED, None, own(texts, extra[0]), scope))
        extra = extra[1:]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        found.append(Parameter(extra[0], DOUBLE_STARRED, None, own(texts, extra[0]), scope))
    return Signature(found, own(texts, "return"))


def _of_signature(said: inspect.Signature) -> Signature:
    found = []
    for parameter in list(slot(said, "_parameters").values()):
        if type(parameter) is not inspect.Parameter:
            raise Unknown
        empty = inspect.Parameter.empty
        default = None if parameter.default is empty else _default(parameter.default)
        annotation = MISSING if parameter.annotation is empty else parameter.annotation
        found.append(Parameter(parameter.name, int(parameter.kind), default, annotation))
    returned = said.return_annotation
    return Signature(found, MISSING if returned is inspect.Signature.empty else returned)


def _of_text(written: Any, is_bound: bool) -> Signature:
    """A signature as C functions have it: a text, with a dollar sign before the receiver, which goes where it is given."""
    if type(written) is not str or len(written) > 10_000:
        raise Unknown
    try:
        arguments = ast.parse(f"def f{written.replace('$', '')}: ...").body[0].args  # type: ignore[attr-defined]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Unknown from None
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    found = [
        Parameter(
            argument.arg,
            POSITIONAL_ONLY if number < len(arguments.posonlyargs) else POSITIONAL,
            ast.unparse(default) if default else None,
        )
        for number, (argument, default) in enumerate(zip(positional, defaults, strict=True))
    ]
    if is_bound and "($" in written:
        found = found[1:]
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, STARRED))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(
            Parameter(argument.arg, KEYWORD_ONLY, ast.unparse(default) if default else None)
        )
    if arguments.kwarg:
        found.append(Parameter(arguments.kwarg.arg, DOUBLE_STARRED))
    return Signature(found)


def _of_typed_dict(kind: type) -> Signature:
    texts, required = hints.texts_of(kind), own(type_dict(kind), "__required_keys__")
    scope = Scope.of(kind)
    required = required if type(required) is frozenset else frozenset()
    return Signature(
        [
            Parameter(name, KEYWORD_ONLY, None if name in required else "…", note, scope)
            for name, note in texts.items()
            if type(name) is str
        ]
    )


def _of_model(kind: type) -> Signature:
    """The fields of a pydantic model, which has no signature before it is asked for."""
    for name in ("__pydantic_fields__", "model_fields"):
        fields = class_attribute(kind, name)
        if type(fields) is dict:
            break
    else:
        raise Unknown
    found = []
    for name, field in list(fields.items()):
        if type(name) is not str or slot(field, "init") is False:
            continue
        alias = slot(field, "alias")
        default = slot(field, "default")
        text_of_default: str | None = _default(default)
        if name_of(type(default)) == "PydanticUndefinedType":
            makes = slot(field, "default_factory")
            text_of_default = None if makes is None or makes is MISSING else "…"
        shown = alias if type(alias) is str and alias.isidentifier() else name
        annotation = slot(field, "annotation")
        found.append(Parameter(shown, KEYWORD_ONLY, text_of_default, annotation, Scope.of(kind)))
    return Signature(found)


def _annotated(parameters: list[Parameter], fields: dict, kind: type) -> list[Parameter]:
    """The parameters of a data class's own constructor, with what its fields are annotated as."""
    scope = Scope.of(kind)
    found = []
    for parameter in parameters:
        field = own(fields, parameter.name)
        if module_of(type(field)) == "dataclasses":
            parameter = parameter._replace(annotation=slot(field, "type"), scope=scope)
        found.append(parameter)
    return found


def _drop(found: Signature, is_bound: bool) -> Signature:
    parameters = found.parameters
    if not is_bound or not parameters or parameters[0].kind == STARRED:
        return found
    return found._replace(parameters=parameters[1:])


def _applied(found: Signature, arguments: Any, keywords: Any) -> Signature:
    """What is left when some arguments are given: those by name become defaults, and what follows has to be named, too."""
    left = list(found.parameters)
    kept: list[Parameter] = []
    for argument in arguments if type(arguments) is tuple else ():
        if not left or left[0].kind not in (POSITIONAL_ONLY, POSITIONAL):
            break
        first = left.pop(0)
        if name_of(type(argument)) == "_PlaceholderType":
            kept.append(first._replace(kind=POSITIONAL_ONLY, default=None))
    named = False
    for parameter in left:
        given = own(keywords, parameter.name) if type(keywords) is dict else MISSING
        can = parameter.kind in (POSITIONAL, KEYWORD_ONLY)
        if given is not MISSING and can:
            named = True
            parameter = parameter._replace(default=_default(given))
        if named and parameter.kind == STARRED:
            continue
        if named and can:
            parameter = parameter._replace(kind=KEYWORD_ONLY)
        kept.append(parameter)
    return found._replace(parameters=kept)


def _texts(parameters: list[Parameter]) -> list[str]:
    texts: list[str] = []
    positional_only = False
    starred = False
    for parameter in parameters:
        if positional_only and parameter.kind != POSITIONAL_ONLY:
            texts.append("/")
        positional_only = parameter.kind == POSITIONAL_ONLY
        if parameter.kind == KEYWORD_ONLY and not starred:
            texts.append("*")
        starred = starred or parameter.kind in (STARRED, KEYWORD_ONLY)
        written = _STARS.get(parameter.kind, "") + parameter.name
        annotated = parameter.annotation is not MISSING
        if annotated:
            written += f": {text(parameter.annotation)}"
        if parameter.default is not None:
            written += f"{' = ' if annotated else '='}{parameter.default}"
        texts.append(written)
    if positional_only:
        texts.append("/")
    return texts


def _default(value: Any) -> str:
    kind = type(value)
    if kind in PLAIN:
        return plain(value)
    if (kind in MAPPINGS or kind in _EMPTY) and not len(value):
        return repr(kind()) if kind in _EMPTY else "{}"
    if isinstance_static(value, type):
        return type.__dict__["__qualname__"].__get__(value)
    if kind is types.FunctionType:
        return value.__qualname__
    return "…"


_EMPTY = type(PLAIN)(list, tuple, set, dict)
