"""What annotations say: a text to show, the classes that they mean, the strings that they allow.

An annotation may hold anything. Only exact types of `typing`'s are looked into, by their dictionaries and slots; nothing is
subscripted, evaluated or shown by its `__repr__`.
"""

from __future__ import annotations

import ast
import builtins
import sys
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from . import hints
from .statics import (
    MISSING,
    PLAIN,
    Kinds,
    Unknown,
    instance_dict,
    isinstance_static,
    module_of,
    name_of,
    own,
    plain,
    slot,
    type_dict,
    type_mro,
)

# The longest text of an annotation, and how deep one is looked into.
MAX_TEXT = 200
MAX_DEPTH = 10
# Parts of one annotation.
MAX_PARTS = 50

# What is known to hold instances of some class, one after the other.
HOLDING = Kinds(list, set, types.GeneratorType, Iterator, Sequence)
# Of these not more is known than that.
ABSTRACT = Kinds(Iterator, Sequence)
_typing = instance_dict(typing)
_TYPING = ("typing", "typing_extensions")
# What stands around the type that is meant.
_AROUND = ("Annotated", "ClassVar", "Final", "Required", "NotRequired", "ReadOnly", "Unpack")
# Where a name was found that a module has imported only for a type checker.
_elsewhere: dict[tuple[str, str], tuple[int, str]] = {}


class Scope(NamedTuple):
    """Where the names of an annotation are looked up."""

    names: Mapping = {}
    module: str = ""
    # What `Self` is.
    owner: Any = None
    # Where they are looked up besides.
    besides: Mapping = {}

    @classmethod
    def of(cls, value: Any, owner: Any = None) -> Scope:
        """That of a function's or class's annotations."""
        names = hints.names_of(value)
        module = own(names, "__name__")
        if isinstance_static(value, type) and type(module) is not str:
            module = module_of(value)
        return cls(names, module if type(module) is str else "", owner)


def text(annotation: Any, depth: int = 0) -> str:
    """An annotation as it would be written; `…` stands for what cannot be told."""
    return _text(annotation, depth)[:MAX_TEXT]


def types_of(annotation: Any, scope: Scope) -> tuple[type, ...]:
    """The classes that a value so annotated may be an instance of, but for None."""
    kinds: list[type] = []
    for part, is_value in _parts_of(annotation, scope):
        kind = type(part) if is_value else part
        if kind is type(None) or kind is object or any(kind is known for known in kinds):
            continue
        kinds.append(kind)
    return tuple(kinds)


def inner_types(annotation: Any, scope: Scope, place: int | None) -> tuple[type, ...]:
    """The classes of what is in a value so annotated: at a place of a tuple, or one after the other for None."""
    kinds: list[type] = []
    try:
        inner = _inner(annotation, place)
        parts = (
            _parts_of_code(inner, scope, 1)
            if isinstance(inner, ast.expr)
            else _parts(inner, scope, 1)
        )
        for kind, is_value in islice(parts, MAX_PARTS):
            if not is_value and kind is not type(None) and kind is not object:
                kinds.append(kind)
    except (Unknown, SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return ()
    return tuple(kinds)


# Classes of which an annotation says in brackets what is in them; the first of several is what they give one after the other.
_HOLDING = frozenset(
    """list tuple set frozenset deque dict iterator iterable sequence mutablesequence collection generator asyncgenerator asynciterator
    asynciterable mapping defaultdict abstractset contextmanager abstractcontextmanager asynccontextmanager
    abstractasynccontextmanager""".split()
)


def _inner(annotation: Any, place: int | None, depth: int = 0) -> Any:
    """`X` of `list[X]`, of `tuple[Y, X]` and the like, as it is written there; None where there is no such."""
    if depth > MAX_DEPTH:
        return None
    if type(annotation) is str or type(annotation) is hints.Text:
        annotation = ast.parse(f"({str(annotation)[:1_000].strip()})", mode="eval").body
    if not isinstance_static(annotation, ast.expr):
        return _inner_of_object(annotation, place, depth)
    if isinstance(annotation, ast.BinOp):
        # Of `list[X] | None` the side that holds something.
        left = _inner(annotation.left, place, depth + 1)
        return _inner(annotation.right, place, depth + 1) if left is None else left
    if isinstance(annotation, ast.Constant) and type(annotation.value) is str:
        return _inner(annotation.value, place, depth + 1)
    if not isinstance(annotation, ast.Subscript):
        return None
    inner = annotation.slice
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    rest = bool(parts) and isinstance(parts[-1], ast.Constant) and parts[-1].value is ...
    return _chosen(_last_name(annotation.value), parts, rest, place, depth)


def _inner_of_object(annotation: Any, place: int | None, depth: int) -> Any:
    origin, parts = _split(annotation)
    name = name_of(origin) if isinstance_static(origin, type) else ""
    if name in ("", "UnionType"):
        name = _name(annotation)
    return _chosen(name, parts, bool(parts) and parts[-1] is ..., place, depth)


def _chosen(name: str, parts: Any, rest: bool, place: int | None, depth: int) -> Any:
    """Of the parts of `name[…]` that at a place, or the first."""
    if not parts:
        return None
    if name in ("Optional", "Annotated"):
        return _inner(parts[0], place, depth + 1)
    if name in ("Union", "UnionType"):
        known = [part for part in parts if part is not type(None)]
        return _inner(known[0], place, depth + 1) if len(known) == 1 else None
    if name.lower() not in _HOLDING:
        return None
    is_tuple = name.lower() == "tuple"
    if place is None or is_tuple and rest:
        return parts[0]
    return parts[place] if is_tuple and place < len(parts) else None


def allowed(annotation: Any, scope: Scope) -> list[str]:
    """The strings that the `Literal`s of an annotation allow."""
    parts = _parts_of(annotation, scope)
    return list(dict.fromkeys(part for part, is_value in parts if is_value and type(part) is str))


def _text(annotation: Any, depth: int) -> str:
    kind = type(annotation)
    if kind is str:
        return annotation
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is ...:
        return "..."
    if depth > MAX_DEPTH:
        return "…"
    if isinstance_static(annotation, type):
        return type.__dict__["__qualname__"].__get__(annotation)
    if kind is tuple or kind is list:
        return f"[{', '.join(_text(part, depth + 1) for part in annotation[:MAX_PARTS])}]"
    if kind is hints.Text:
        return str(annotation)
    origin, arguments = _split(annotation)
    if origin is not MISSING:
        name = _name(annotation) or _text(origin, depth + 1)
        if name in ("Literal",):
            parts = [plain(part) if type(part) in PLAIN else "…" for part in arguments]
        elif name == "Annotated":
            parts = [_text(arguments[0], depth + 1), "…"]
        elif name in ("Union", "Optional", "UnionType"):
            return " | ".join(_text(part, depth + 1) for part in arguments)
        elif name == "Callable" and len(arguments) > 1:
            inner = ", ".join(_text(part, depth + 1) for part in arguments[:-1])
            inner = "..." if arguments[0] is ... else f"[{inner}]"
            parts = [inner, _text(arguments[-1], depth + 1)]
        else:
            parts = [_text(part, depth + 1) for part in arguments]
        return f"{name}[{', '.join(parts)}]" if parts else name
    return _name(annotation) or "…"


def _name(annotation: Any) -> str:
    """What `typing` calls one of its own; empty for what is none."""
    kind = type(annotation)
    if kind is types.UnionType or kind is _typing.get("_UnionGenericAlias"):
        return "Union"
    if kind is _typing.get("_AnnotatedAlias"):
        return "Annotated"
    if kind is _typing.get("_LiteralGenericAlias"):
        return "Literal"
    if module_of(kind) not in _TYPING and kind is not typing.ForwardRef:
        return ""
    if _is_of_typing(kind):
        for name in ("_name", "__forward_arg__", "__arg__", "__name__"):
            try:
                found = slot(annotation, name)
                if found is MISSING and name == "__name__":
                    found = object.__getattribute__(annotation, name)
            except Exception:
                continue
            if type(found) is str:
                return found
    return ""


def _is_of_typing(kind: type) -> bool:
    loaded = sys.modules.get(module_of(kind))
    return (
        kind is typing.ForwardRef
        or loaded is not None
        and own(instance_dict(loaded), name_of(kind)) is kind
    )


def _split(annotation: Any) -> tuple[Any, tuple]:
    """`list` and `(int,)` of `list[int]`; `MISSING` for what has no parts."""
    kind = type(annotation)
    if kind is types.UnionType:
        return types.UnionType, annotation.__args__
    if kind is types.GenericAlias:
        return annotation.__origin__, annotation.__args__
    if name_of(kind) == "_CallableGenericAlias" and _is_of(kind, "collections.abc"):
        return annotation.__origin__, annotation.__args__
    if module_of(kind) in _TYPING and _is_of_typing(kind):
        held = instance_dict(annotation)
        origin, arguments = own(held, "__origin__"), own(held, "__args__")
        if origin is not MISSING and type(arguments) is tuple:
            if kind is _typing.get("_AnnotatedAlias"):
                return origin, (origin,)
            return origin, arguments
    return MISSING, ()


def _is_of(kind: type, module: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and own(instance_dict(loaded), name_of(kind)) is kind


def _parts_of(annotation: Any, scope: Scope) -> list[tuple[Any, bool]]:
    found: list[tuple[Any, bool]] = []
    try:
        for part in _parts(annotation, scope, 0):
            found.append(part)
            if len(found) >= MAX_PARTS:
                break
    except (Unknown, SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return []
    return found


def _parts(annotation: Any, scope: Scope, depth: int) -> Iterator[tuple[Any, bool]]:
    """Classes (and False), and values of `Literal`s (and True)."""
    if depth > MAX_DEPTH or annotation is None:
        return
    kind = type(annotation)
    if kind is str or kind is hints.Text:
        written = str(annotation)[:1_000].strip()
        yield from _parts_of_code(ast.parse(written, mode="eval").body, scope, depth + 1)
        return
    if isinstance_static(annotation, type):
        if annotation is not _typing["Any"]:
            yield annotation, False
        return
    origin, arguments = _split(annotation)
    if origin is not MISSING:
        name = _name(annotation)
        if name == "Literal":
            for value in arguments:
                if type(value) in PLAIN:
                    yield value, True
        elif name in ("Union", "Optional"):
            for part in arguments:
                yield from _parts(part, scope, depth + 1)
        elif name in _AROUND:
            yield from _parts(arguments[0], scope, depth + 1)
        elif isinstance_static(origin, type):
            yield origin, False
        elif _name(origin) in (*_AROUND, "Union", "Optional"):
            for part in arguments:
                yield from _parts(part, scope, depth + 1)
        return
    if kind is typing.TypeVar:
        yield from _parts(_meant(annotation, scope.owner), scope, depth + 1)
    elif kind is typing.NewType:
        yield from _parts(own(instance_dict(annotation), "__supertype__"), scope, depth + 1)
    elif kind is typing.ForwardRef:
        yield from _parts(_name(annotation) or None, scope, depth + 1)
    elif _name(annotation) == "Self" and isinstance_static(scope.owner, type):
        yield scope.owner, False
    elif isinstance_static(own(instance_dict(annotation), "__origin__"), type):
        yield own(instance_dict(annotation), "__origin__"), False  # `typing.List` alone


def _parts_of_code(node: ast.expr, scope: Scope, depth: int) -> Iterator[tuple[Any, bool]]:
    if depth > MAX_DEPTH:
        return
    if isinstance(node, ast.Constant) and type(node.value) is str:
        yield from _parts(node.value, scope, depth + 1)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _parts_of_code(node.left, scope, depth)
        yield from _parts_of_code(node.right, scope, depth)
    elif isinstance(node, ast.Name | ast.Attribute):
        if _last_name(node) == "Self" and isinstance_static(scope.owner, type):
            yield scope.owner, False
        else:
            yield from _parts(_object(node, scope), scope, depth + 1)
    elif isinstance(node, ast.Subscript):
        name = _last_name(node.value)
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name == "Literal":
            for part in inner:
                value = ast.literal_eval(part)
                if type(value) in PLAIN:
                    yield value, True
        elif name in ("Union", "Optional"):
            for part in inner:
                yield from _parts_of_code(part, scope, depth + 1)
        elif name in _AROUND:
            yield from _parts_of_code(inner[0], scope, depth + 1)
        else:
            yield from _parts(_object(node.value, scope), scope, depth + 1)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _object(node: ast.expr, scope: Scope) -> Any:
    """What a dotted name stands for, as far as it is loaded."""
    if isinstance(node, ast.Name):
        for names in (scope.names, vars(builtins), scope.besides):
            found = own(names, node.id)
            if found is not MISSING:
                return found
        return _loaded_elsewhere(scope.module.partition(".")[0], node.id)
    if isinstance(node, ast.Attribute):
        owner = _object(node.value, scope)
        if isinstance_static(owner, types.ModuleType) or isinstance_static(owner, type):
            found = own(instance_dict(owner), node.attr)
            if found is not MISSING:
                return found
    raise Unknown


def _loaded_elsewhere(package: str, name: str) -> Any:
    """What another module of the same package has under a name that this one imports for type checkers only."""
    if not package or package == "__main__":
        raise Unknown
    known = _elsewhere.get((package, name))
    if known is not None and known[1]:
        module = sys.modules.get(known[1])
        found = MISSING if module is None else own(instance_dict(module), name)
        if found is not MISSING:
            return found
    elif known is not None and known[0] == len(sys.modules):
        raise Unknown
    homes: list[str] = []
    others: list[str] = []
    for full, module in list(sys.modules.items()):
        if type(full) is not str or not (full == package or full.startswith(package + ".")):
            continue
        found = own(instance_dict(module), name) if module is not None else MISSING
        if found is MISSING:
            continue
        is_class = isinstance_static(found, type)
        (homes if is_class and module_of(found) == full else others).append(full)
    # The class itself goes before what only has its name; where there are two, nobody knows,
    # but for that which the package itself shows.
    where = homes[0] if len(homes) == 1 else "" if homes else next(iter(others), "")
    if len(homes) > 1 and package in (*homes, *others):
        where = package
    if len(_elsewhere) > 1_000:
        _elsewhere.clear()
    _elsewhere[package, name] = (len(sys.modules), where)
    if not where:
        raise Unknown
    return own(instance_dict(sys.modules[where]), name)


def _meant(variable: Any, owner: Any) -> Any:
    """What a `TypeVar` is for a class that was made of a generic one; its bound for others."""
    if isinstance_static(owner, type):
        for base in type_mro(owner):
            aliases = own(type_dict(base), "__orig_bases__")
            for alias in aliases if type(aliases) is tuple else ():
                origin, arguments = _split(alias)
                if not isinstance_static(origin, type):
                    continue
                parameters = own(type_dict(origin), "__parameters__")
                for parameter, argument in zip(parameters, arguments, strict=False):
                    if parameter is variable and type(argument) is not typing.TypeVar:
                        return argument
    if getattr(variable, "__infer_variance__", False):
        return None  # The bound of one that was made by syntax is code that would have to run.
    return object.__getattribute__(variable, "__bound__")
