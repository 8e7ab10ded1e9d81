"""What an expression is, as far as that can be told without running it.

Names, attributes and literal subscripts are objects that are there. Of calls, subscripts and operators only the class of what they
would give is told: from annotations, or from what is written down here about Python's own types and a few of well-known libraries.
"""

from __future__ import annotations

import ast
import builtins
import enum
import os
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import frames, libraries
from .annotations import HOLDING, inner_types
from .bindings import Found, attribute, call_of
from .calls import opened, result_types, returned, says
from .libraries import loaded, of_pandas
from .parameters import function_of
from .standard import operated
from .statics import (
    MAPPINGS,
    MAX_KEYS,
    MISSING,
    PLAIN,
    Kinds,
    Unknown,
    class_attribute,
    family,
    isinstance_static,
    kind_of,
    module_of,
    name_of,
    own,
    type_dict,
)

# The longest expression, in characters, and how deep it may be.
MAX_EXPRESSION = 1_000
MAX_DEPTH = 50

_SEQUENCES = Kinds(list, tuple, str, bytes)
_INDEXED = Kinds(list, Sequence)
# What passes on what is in its argument.
_PASSING = (list, set, sorted, reversed, iter)
# Methods of arrays after which what is in them is what it was.
_REARRANGED = ("ravel", "flatten", "reshape", "tolist", "copy")
_ARITHMETIC = (*frames.PANDAS, *frames.SERIES, "polars.DataFrame", "polars.Series", "polars.Expr", "numpy.ndarray")  # fmt: skip
_DISPLAYS: dict[type, type] = {
    ast.List: list, ast.ListComp: list, ast.Tuple: tuple, ast.Set: set, ast.SetComp: set, ast.Dict: dict, ast.DictComp: dict,
    ast.JoinedStr: str, ast.Lambda: types.FunctionType, ast.GeneratorExp: types.GeneratorType,
}  # fmt: skip


class Resolver:
    """Tells what expressions are, in some namespace."""

    def __init__(self, names: Callable[[], Mapping[str, Any]]) -> None:
        self.names = names
        self._told: Mapping[str, Found | None] = {}

    def telling(self, told: Mapping[str, Found | None]) -> Resolver:
        """One for which these names go before the namespace; None is one of which nobody knows what it is."""
        other = Resolver(self.names)
        other._told = told
        return other

    def has(self, name: str) -> bool:
        """Whether the namespace has a name."""
        return own(self.names(), name) is not MISSING

    def resolve(self, expression: str) -> Found:
        """What an expression is; Unknown where it cannot be told."""
        if len(expression) > MAX_EXPRESSION:
            raise Unknown
        # The start of a kernel asks nothing.
        from .written import parse

        try:
            node = parse(expression.strip())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise Unknown from None
        try:
            return self.of(node)
        except RecursionError:
            raise Unknown from None

    def of(self, node: ast.expr, depth: int = 0) -> Found:
        """The same of an expression that has been read."""
        if depth > MAX_DEPTH:
            raise Unknown
        depth += 1
        kind = type(node)
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.Constant) and type(node.value) in PLAIN:
            return Found(node.value)
        if isinstance(node, ast.Attribute):
            if self._told and isinstance(node.value, ast.Name):
                name = f"{node.value.id}.{node.attr}"
                if name in self._told:
                    return self._named(name)
            return attribute(self.of(node.value, depth), node.attr)
        if isinstance(node, ast.Subscript):
            return self._subscript(node, depth)
        if isinstance(node, ast.Call):
            return self._called(node, depth)
        if isinstance(node, ast.Await):
            if isinstance(node.value, ast.Call):
                return _given(self._called(node.value, depth, awaited=True).types)
        elif isinstance(node, ast.BinOp):
            return _operated(self.of(node.left, depth), self.of(node.right, depth), node.op)
        elif isinstance(node, ast.UnaryOp):
            return (
                _given((bool,))
                if isinstance(node.op, ast.Not)
                else _operated(self.of(node.operand, depth))
            )
        elif isinstance(node, ast.Compare):
            return self._compared(node, depth)
        elif isinstance(node, ast.IfExp):
            either = self.of(node.body, depth).kinds + self.of(node.orelse, depth).kinds
            return _given(either)
        elif kind in _DISPLAYS:
            return _displayed(node)
        raise Unknown

    def values(self) -> list[Any]:
        """The objects of the namespace, some thousands at most."""
        return list(self.names().values())[-10_000:]

    def _named(self, name: str) -> Found:
        if name in self._told:
            told = self._told[name]
            if told is None:
                raise Unknown
            return told
        for scope in (self.names(), vars(builtins)):
            found = own(scope, name)
            if found is not MISSING:
                return Found(found)
        if name == "sys":
            return Found(sys)
        raise Unknown

    def _subscript(self, node: ast.Subscript, depth: int) -> Found:
        owner = self.of(node.value, depth)
        try:
            key = ast.literal_eval(node.slice)
        except (ValueError, TypeError, RecursionError, MemoryError):
            key = MISSING
        if isinstance(node.value, ast.List | ast.Tuple) and type(key) is int:
            elements = node.value.elts
            if not -len(elements) <= key < len(elements) or any(
                isinstance(it, ast.Starred) for it in elements
            ):
                raise Unknown
            return self.of(elements[key], depth)
        if owner.is_known:
            found = item(owner.value, key)
            if found is not MISSING:
                return Found(found)
        return self._selected(owner, node.slice, key, depth)

    def _selected(self, owner: Found, what: ast.expr, key: Any, depth: int) -> Found:
        """The class of what a subscript gives that is not at hand."""
        kinds = owner.kinds
        families = [family(kind) for kind in kinds]
        table = frames.table_of(owner.value) if owner.is_known else owner.table
        first = families[0] if families else ""
        by_name = isinstance(key, str)
        if owner.holds and first == "numpy.ndarray" and _is_place(key):
            return held_in(owner, key)
        by_rows = isinstance(what, ast.Slice) or _is_mask(what)
        if first in frames.PANDAS:
            if by_name:
                return _given(of_pandas("Series"))
            if by_rows or self._are_rows(what, depth):
                return _given(kinds[:1], table)
            if isinstance(what, ast.List):
                return _given(kinds[:1], _chosen(what, table))
        elif first in (*frames.SERIES, "polars.DataFrame", "polars.LazyFrame") and (
            by_rows or self._are_rows(what, depth)
        ):
            return _given(kinds[:1], table)
        elif first in ("pandas._LocIndexer", "pandas._iLocIndexer") and table is not MISSING:
            if by_rows or self._are_rows(what, depth):
                return _given((frames.class_of(table),), table)
            if type(key) in PLAIN and family(frames.class_of(table)) in frames.PANDAS:
                return _given(of_pandas("Series"), table)
            if isinstance(what, ast.Tuple) and len(what.elts) == 2:
                rows, which = what.elts
                if isinstance(rows, ast.Slice) or _is_mask(rows) or self._are_rows(rows, depth):
                    if isinstance(which, ast.Slice | ast.List):
                        return _given((frames.class_of(table),), _chosen(which, table))
                    if isinstance(which, ast.Constant):
                        return _given(of_pandas("Series"))
        elif first == "pandas.DataFrameGroupBy":
            if isinstance(what, ast.List):
                return _given(kinds[:1], table)
            if by_name:
                return _given(loaded("pandas.core.groupby.generic", "SeriesGroupBy"))
        elif owner.is_known and isinstance_static(owner.value, type):
            return owner._replace(table=MISSING)  # `Box[int]` is called as `Box` is
        elif len(kinds) == 1 and kinds[0] in _SEQUENCES and isinstance(what, ast.Slice):
            return _given(kinds)._replace(holds=owner.holds)
        elif len(kinds) == 1 and kinds[0] in _INDEXED and owner.holds and type(key) is int:
            return _given(owner.holds)
        elif kinds and kinds[0] is str and type(key) is int:
            return _given(kinds)
        elif type(key) in PLAIN and _is_of_pandas(kinds):
            raise Unknown  # One element. That the method gives its own class is said of slices.
        for kind in kinds:
            getter = class_attribute(kind, "__getitem__")
            if kind_of(getter) == "function":
                found = result_types(function_of(getter), kind)
                if found:
                    return _given(found)
        raise Unknown

    def _are_rows(self, what: ast.expr, depth: int) -> bool:
        """Whether it chooses rows: something that is a series or an array."""
        if isinstance(what, ast.Constant | ast.List | ast.Tuple | ast.Slice):
            return False
        try:
            kinds = self.of(what, depth).kinds
        except Unknown:
            return False
        return bool(kinds) and family(kinds[0]) in (
            *frames.SERIES,
            "numpy.ndarray",
            "polars.Series",
        )

    def _called(self, node: ast.Call, depth: int, *, awaited: bool = False) -> Found:
        found = self.of(node.func, depth)
        if found.value is globals and not node.args and type(self.names()) in MAPPINGS:
            return Found(self.names())
        if found.value is vars and len(node.args) == 1 and not node.keywords:
            return attribute(self.of(node.args[0], depth), "__dict__")
        if len(found.types) == 1 and found.types[0] is types.FunctionType:
            return _given(found.holds)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        kinds = opened(found, node) or self._of_library(found, node)
        kinds = kinds or returned(found, node, awaited=awaited)
        table = self._columns(found, node, name, kinds)
        return _given(kinds, table)._replace(holds=self._held(found, node, kinds, depth))

    def _held(
        self, found: Found, node: ast.Call, kinds: tuple[type, ...], depth: int
    ) -> tuple[type, ...]:
        """The classes of what is in the array, list or the like that a call gives."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in _REARRANGED:
            # A list of lists is none of what is in these.
            is_flat = name != "tolist" or len(found.holds) == 1
            return found.holds if name == "copy" else found.holds[-1:] if is_flat else ()
        if len(kinds) != 1 or kinds[0] not in HOLDING:
            return ()
        if len(node.args) == 1 and any(found.value is it for it in _PASSING):
            try:
                given = self.of(node.args[0], depth)
            except Unknown:
                return ()
            is_array = bool(given.kinds) and family(given.kinds[0]) == "numpy.ndarray"
            return held_in(given, 0).types if is_array and given.holds else given.holds
        return inner_types(*says(found, node), None)

    def _of_library(self, found: Found, node: ast.Call) -> tuple[type, ...]:
        """The classes of what a call of a function of numpy's, pandas' or the like gives, where it does not say so itself."""
        value, owner = found.value, found.owner
        if not found.is_known and found.types:
            owner = found.types[0]
            value = call_of(owner)
        return libraries.called(value, function_of(value), owner, node, self.of)

    def _columns(self, found: Found, node: ast.Call, name: str, kinds: tuple[type, ...]) -> Any:
        """The table whose columns the result of a call has, or whose method it is; `MISSING` for none."""
        if found.value is dict and node.keywords and not node.args:
            return frames.Made(dict, [it.arg for it in node.keywords if it.arg])
        if not kinds or kinds[0] in PLAIN or family(kinds[0]) in (*frames.SERIES, "numpy.ndarray"):
            return MISSING
        if family(kinds[0]) not in frames.TABLES:
            return found.table
        from . import made

        if found.value is kinds[0]:
            return made.constructed(kinds[0], node)
        if found.table is not MISSING:
            grouped = found.owner is not None and family(found.owner) == "pandas.DataFrameGroupBy"
            if grouped:
                name = "aggregate" if name not in ("size", "ngroup", "cumcount") else ""
            return made.changed(name, node, found.table, self.of)
        if name in made.MERGING:
            return made.merged(node, self.of)
        return made.read(kinds[0], function_of(found.value), node, self.of)

    def _compared(self, node: ast.Compare, depth: int) -> Found:
        if isinstance(node.ops[0], ast.Is | ast.IsNot | ast.In | ast.NotIn):
            return _given((bool,))
        left, right = self.of(node.left, depth), self.of(node.comparators[0], depth)
        if left.kinds and family(left.kinds[0]) in _ARITHMETIC:
            return _given(left.kinds)
        if all(side.kinds and side.kinds[0] in PLAIN for side in (left, right)):
            return _given((bool,))
        raise Unknown


def _displayed(node: ast.expr) -> Found:
    """A list, dictionary or other value that is written down; where its parts are not, its class."""
    kind = _DISPLAYS[type(node)]
    if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
        try:
            return Found(ast.literal_eval(node))
        except (ValueError, TypeError, RecursionError, MemoryError):
            pass
    if isinstance(node, ast.Dict):
        keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
        return _given((kind,), frames.Made(kind, [key for key in keys if type(key) is str]))
    return _given((kind,))


def item(owner: Any, key: Any) -> Any:
    """`owner[key]` for builtin containers and well-known tables; `MISSING` where that is not at hand."""
    kind = type(owner)
    if isinstance_static(owner, dict) and type(key) in PLAIN:
        if kind in MAPPINGS:
            return own(owner, key)
        is_dict = class_attribute(kind, "__getitem__") is dict.__dict__["__getitem__"]
        if not is_dict or dict.__len__(owner) > MAX_KEYS:
            return MISSING
        # To put a key of any other type into a dictionary is to ask it for its hash.
        return own({it: value for it, value in list(dict.items(owner)) if type(it) in PLAIN}, key)
    if kind in _SEQUENCES and type(key) is int:
        try:
            return owner[key]
        except IndexError:
            return MISSING
    if kind is type(os.environ) and type(key) is str:
        return os.environ.get(key, MISSING)
    if isinstance_static(owner, enum.EnumMeta) and type(key) is str:
        members = own(type_dict(owner), "_member_map_")
        return own(members, key) if type(members) is dict else MISSING
    if family(kind) == "numpy.ndarray" and _is_place(key):
        try:
            return owner[key]
        except IndexError:
            return MISSING
    if type(key) is int:
        return frames.label(owner, key)
    return frames.column(owner, key) if type(key) is str else MISSING


def _operated(
    left: Found, right: Found | None = None, operator: ast.operator | None = None
) -> Found:
    """What an operator gives of two of the same builtin type, or of a table or array and itself or a number."""
    kind = left.kinds[0] if len(left.kinds) == 1 else None
    other = right.kinds[0] if right is not None and len(right.kinds) == 1 else kind
    if kind is not None and other is not None:
        if family(kind) in _ARITHMETIC and (other is kind or other in PLAIN):
            return _given((kind,))
        if other is kind and (kind in _OPERATED):
            if kind is int and isinstance(operator, ast.Div | ast.Pow):
                return _given((float,) if isinstance(operator, ast.Div) else ())
            return _given((kind,))
        known = operated(kind, operator, other) if right is not None else None
        if known is not None:
            return _given((known,))
    raise Unknown


_OPERATED = Kinds(int, float, str, bytes, list, tuple, set, dict, complex)


def held_in(array: Found, key: Any) -> Found:
    """What an array that is not at hand has at a place; `holds` has the classes by dimension, the elements' last."""
    whole = type(key) is tuple and len(key) >= len(array.holds)
    if whole or len(array.holds) == 1:
        return Found(types=array.holds[-1:])
    return Found(types=array.holds[:1], holds=array.holds[1:])


def _chosen(which: ast.expr, table: Any) -> Any:
    """The columns of a table that a list chooses."""
    from . import made

    return made.selected(which, table)


def _is_place(key: Any) -> bool:
    """Whether it is the place of an element: a number, or one for each dimension."""
    return type(key) is int or type(key) is tuple and all(type(it) is int for it in key)


def _is_mask(node: ast.expr) -> bool:
    """Whether it chooses rows: a comparison, and what is made of some."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.BitAnd | ast.BitOr) and _is_mask(node.left)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Invert)
    return isinstance(node, ast.Compare)


def _given(kinds: tuple[type, ...], table: Any = MISSING) -> Found:
    if not kinds:
        raise Unknown
    if len(kinds) > 1:
        # Each once: a metaclass may have its own idea of being equal.
        kinds = tuple({id(kind): kind for kind in kinds}.values())
    return Found(types=kinds, table=table)


def _is_of_pandas(kinds: tuple[type, ...]) -> bool:
    """Whether it is a series or an index."""
    names = [name_of(kind) for kind in kinds if module_of(kind).partition(".")[0] == "pandas"]
    return any(name.endswith(("Series", "Index")) for name in names)
