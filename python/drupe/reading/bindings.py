"""Attributes as Python would find them, with how each is bound, without running a descriptor of somebody else's."""

from __future__ import annotations

import enum
import functools
import sys
import types
from typing import Any, NamedTuple

from . import frames, libraries
from .annotations import ABSTRACT, HOLDING, Scope, inner_types, types_of
from .hints import texts_of
from .standard import property_of
from .statics import (
    BUILTIN_FUNCTIONS,
    FUNCTIONS,
    MAPPINGS,
    MAX_MEMBERS,
    MISSING,
    SLOTS,
    WRAPPERS,
    Unknown,
    class_attribute,
    class_members,
    family,
    fitting,
    instance_dict,
    isinstance_static,
    kind_of,
    module_members,
    module_of,
    name_of,
    own,
    own_members,
    slot,
    type_dict,
    type_mro,
)

# How often something may stand for something else.
MAX_WRAPPED = 20
# A class's accessors: an instance has one of another class, made of itself.
_ACCESSORS = {
    ("pandas.core.accessor", "Accessor"),
    ("pandas.core.accessor", "CachedAccessor"),
    ("xarray.core.extensions", "_CachedAccessor"),
    ("xarray.core.utils", "UncachedAccessor"),
}
_LAZY_IMPORT = getattr(types, "LazyImportType", None)


class Found(NamedTuple):
    """What an expression is: an object, or one that is not at hand but of known types."""

    value: Any = MISSING
    # Where there is no value: the classes that it may be an instance of.
    types: tuple[type, ...] = ()
    # The first parameter is given already.
    is_bound: bool = False
    # The class through which it was found: what `Self` means, and whose `TypeVar`s are known.
    owner: Any = None
    # The property or other descriptor that would have to run.
    descriptor: Any = MISSING
    # The table whose columns it has, or whose method it is.
    table: Any = MISSING
    # Of an array that is not at hand: the classes of what is in it, by dimension; of a list and the like, of what it gives one after
    # the other; of a function, of what it gives.
    holds: tuple[type, ...] = ()

    @property
    def is_known(self) -> bool:
        return self.value is not MISSING

    @property
    def kinds(self) -> tuple[type, ...]:
        """The classes that it is an instance of."""
        return (type(self.value),) if self.value is not MISSING else self.types


def attribute(of: Found, name: str) -> Found:
    """An attribute of what was found; Unknown where it has none that can be told."""
    table = of.table
    if of.is_known:
        if name == "__dict__" and type(held := instance_dict(of.value)) in MAPPINGS and held:
            return Found(held)
        # A series has labels only.
        table = of.value if frames.has_rows(of.value, name) else frames.table_of(of.value)
        found = _of_object(of.value, name)
    else:
        found = _of_like_table(of, name)
        for kind in of.types:
            found = found or _of_instance(MISSING, kind, name)
    if found is None and of.kinds and family(of.kinds[0]) in frames.PANDAS:
        # A column of a table that is not there yet.
        found = (
            Found(types=libraries.of_pandas("Series")) if name in frames.columns(table) else None
        )
    if found is None:
        raise Unknown
    if not found.is_known and not found.types and of.kinds:
        found = found._replace(types=libraries.held(of.kinds[0], name))
    if of.holds and family(of.kinds[0]) == "numpy.ndarray" and (found.kinds or name == "flat"):
        # What it is rearranged to, by a method or as one row.
        found = found._replace(holds=of.holds if name in ("T", "copy", "tolist") else of.holds[-1:])
        if name == "flat":
            found = found._replace(types=of.kinds)
    return found._replace(table=table) if table is not MISSING else found


def call_of(kind: type) -> Any:
    """What a call of an instance of this class runs."""
    return class_attribute(kind, "__call__")


def _of_like_table(of: Found, name: str) -> Found | None:
    """What a table that is not there has of the same class as the one that it was made from: `df.head().columns`."""
    if of.table is MISSING or not of.types or of.types[0] is not type(of.table):
        return None
    held = frames.attribute(of.table, name)
    return None if held is MISSING else Found(types=(type(held),))


def _of_object(value: Any, name: str) -> Found | None:
    if isinstance_static(value, types.ModuleType):
        found = own(instance_dict(value), name)
        lazy = _LAZY_IMPORT is not None and type(found) is _LAZY_IMPORT
        return None if found is MISSING or lazy else Found(found)
    if isinstance_static(value, type):
        return _of_class(value, name)
    return _of_instance(value, type(value), name)


def _of_class(owner: type, name: str) -> Found | None:
    meta = type(owner)
    special = class_attribute(meta, name)
    if special is not MISSING and _is_data(special):
        return _bind(special, owner, meta)
    found = class_attribute(owner, name)
    if isinstance_static(owner, enum.EnumMeta):
        members = own(type_dict(owner), "_member_map_")
        member = own(members, name) if type(members) is dict else MISSING
        found = found if member is MISSING else member
    if found is not MISSING:
        return _bind(found, MISSING, owner, through_class=True)
    return None if special is MISSING else _bind(special, owner, meta)


def _of_instance(value: Any, kind: type, name: str) -> Found | None:
    known = frames.attribute(value, name) if value is not MISSING else MISSING
    if known is not MISSING:
        return Found(known)
    found = class_attribute(kind, name)
    own_value = MISSING if value is MISSING else own(instance_dict(value), name)
    if found is not MISSING and (own_value is MISSING or _is_data(found)):
        return _bind(found, value, kind)
    if own_value is not MISSING:
        return Found(own_value)
    if value is MISSING:
        annotated = _annotated(kind, name)
        return Found(types=annotated) if annotated else None
    column = frames.column(value, name)
    return None if column is MISSING else Found(column)


def _is_data(found: Any) -> bool:
    """Whether a class's attribute goes before what an instance has in its dictionary."""
    kind = type(found)
    return kind is property or any(
        class_attribute(kind, method) is not MISSING for method in ("__set__", "__delete__")
    )


def _bind(found: Any, value: Any, owner: type, *, through_class: bool = False) -> Found:
    kind = type(found)
    bound = not through_class
    if kind is staticmethod or kind is classmethod:
        inner = found.__func__
        if kind_of(inner) != "function" and kind_of(inner) != "class":
            return Found(descriptor=found)
        is_method = kind is classmethod and kind_of(inner) == "function"
        return Found(inner, is_bound=is_method, owner=owner)
    if kind is types.ClassMethodDescriptorType:
        return Found(found, is_bound=True, owner=owner)
    if kind is types.MethodType or kind is types.BuiltinFunctionType:
        return Found(found, owner=owner)
    if kind in FUNCTIONS or kind in BUILTIN_FUNCTIONS:
        return Found(found, is_bound=bound, owner=owner)
    if kind is functools.partial:  # which binds from CPython 3.14 on
        return Found(found, is_bound=bound and sys.version_info >= (3, 14), owner=owner)
    if kind in WRAPPERS:
        return Found(found, is_bound=bound, owner=owner)
    if (module_of(kind), name_of(kind)) in _ACCESSORS:
        accessor = own(instance_dict(found), "_accessor")
        if isinstance_static(accessor, type):
            return Found(accessor) if through_class else Found(types=(accessor,))
        return Found(descriptor=found)
    if through_class and kind_of(found) == "property":
        return Found(found)
    if kind is property:
        return _computed(found, found.fget, owner)
    if kind is functools.cached_property:
        getter = own(instance_dict(found), "func")
        return _computed(found, getter, owner)
    if kind in SLOTS:
        return _of_slot(found, value, owner)
    if class_attribute(kind, "__get__") is not MISSING and kind_of(found) == "instance":
        return _of_enumeration(found, value)
    if value is MISSING and not through_class and kind_of(found) == "instance":
        # Instances may well have another one of their own.
        kinds = _annotated(owner, owner_name(owner, found))
        return Found(types=kinds or (() if kind is type(None) else (kind,)))
    return Found(found)


def _computed(descriptor: Any, getter: Any, owner: type) -> Found:
    note, scope = property_of(getter, owner)
    kinds = types_of(note, scope)
    holds = inner_types(note, scope, None) if len(kinds) == 1 and kinds[0] in HOLDING else ()
    return Found(types=kinds, descriptor=descriptor, holds=holds)


def owner_name(owner: type, found: Any) -> str:
    """The name under which a class or one of its bases has this."""
    for base in type_mro(owner):
        for name, value in list(type_dict(base).items()):
            if value is found and type(name) is str:
                return name
    return ""


def _of_slot(found: Any, value: Any, owner: type) -> Found:
    if type(found) is types.MemberDescriptorType and value is not MISSING:
        try:
            return Found(found.__get__(value))
        except (AttributeError, TypeError):
            raise Unknown from None
    return Found(types=_annotated(owner, found.__name__), descriptor=found)


def _of_enumeration(found: Any, value: Any) -> Found:
    """`name` and `value` of an enumeration's member stand in its dictionary; other descriptors are unknown."""
    if value is not MISSING and isinstance_static(found, types.DynamicClassAttribute):
        for name in ("name", "value"):
            held = slot(value, f"_{name}_") if found is enum.Enum.__dict__[name] else MISSING
            if held is not MISSING:
                return Found(held)
    return Found(descriptor=found)


def _annotated(kind: type, name: str) -> tuple[type, ...]:
    """What the bodies of a class and its bases say that instances have under a name."""
    for base in type_mro(kind):
        if base is object:
            break
        texts = texts_of(base)
        if type(texts) in MAPPINGS and own(texts, name) is not MISSING:
            return types_of(texts[name], Scope.of(base, kind))
    return ()


def members_of(found: Found, prefix: str = "") -> list[dict]:
    """The members of an object, or of one of several classes; Unknown where neither is known."""
    value = found.value
    if not found.is_known:
        if not found.types or found.types[0] in ABSTRACT:
            raise Unknown
        every = [
            member
            for kind in found.types
            for member in (*class_members(kind, prefix), *_declared(kind, prefix))
        ]
        if found.table is not MISSING and family(found.types[0]) in frames.PANDAS:
            named = fitting(filter(str.isidentifier, frames.columns(found.table)), prefix)
            every += [{"name": name, "kind": "property", "type": "column"} for name in named]
        return _once(every, prefix)
    if isinstance_static(value, types.ModuleType):
        return module_members(value, prefix)
    if isinstance_static(value, type):
        return class_members(value, prefix)
    named = fitting(filter(str.isidentifier, frames.columns(value)), prefix)
    fields = [{"name": name, "kind": "property", "type": "column"} for name in named]
    return _once(
        [*own_members(value, prefix), *class_members(type(value), prefix), *fields], prefix
    )


def _declared(kind: type, prefix: str) -> list[dict]:
    """What the bodies of a class and its bases only annotate: fields that instances will have."""
    names = [name for base in type_mro(kind) if base is not object for name in texts_of(base)]
    return [{"name": name, "kind": "property", "type": ""} for name in fitting(names, prefix)]


def _once(members: list[dict], prefix: str) -> list[dict]:
    """Each name once, as it was found first; where there are too many, those that begin as was typed."""
    known: dict[str, dict] = {}
    for member in members:
        known.setdefault(member["name"], member)
    if len(known) <= MAX_MEMBERS:
        return list(known.values())
    return [known[name] for name in fitting(known, prefix)]
