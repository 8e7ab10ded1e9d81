"""What a subscript may hold: keys of mappings, columns of tables, labels of rows, names of an enumeration's members."""

from __future__ import annotations

import enum
import os
from typing import TYPE_CHECKING, Any

from . import frames
from .statics import (
    MAX_KEYS,
    MAX_LOOKED_AT,
    MAX_LOOSELY,
    MISSING,
    first_keys,
    fitting,
    isinstance_static,
    own,
    type_dict,
)

if TYPE_CHECKING:
    from .bindings import Found


def keys_of(value: Any, prefix: str = "") -> list[str]:
    """Those of an object, that are strings and fit what was typed."""
    most = MAX_LOOSELY if prefix else MAX_KEYS
    # The first of them, where there are many: to look at all takes as long as there are many.
    names: Any = first_keys(value, MAX_LOOKED_AT if prefix else MAX_KEYS)
    if names is None:
        if type(value) is type(os.environ):
            names = list(os.environ)
        elif isinstance_static(value, enum.EnumMeta):
            members = own(type_dict(value), "_member_map_")
            names = list(members) if type(members) is dict else []
        else:
            names = frames.columns(value, most) or frames.labels(value, most)
    return fitting(names, prefix, MAX_KEYS)


def keys_found(found: Found, prefix: str, index: int) -> list[str]:
    """Those of what an expression is, after `index` commas."""
    most = MAX_LOOSELY if prefix else MAX_KEYS
    table = found.table
    if table is not MISSING and found.kinds and frames.is_indexer(found.kinds[0]):
        names = frames.columns(table, most) if index else frames.labels(table, most)
    elif index:
        return []
    elif found.is_known:
        return keys_of(found.value, prefix)
    else:
        names = frames.columns(table, most) if table is not MISSING else []
    return fitting(names, prefix, MAX_KEYS)
