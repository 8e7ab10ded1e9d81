"""What is in a table: columns, labels, shape, dtypes and a head, for the exact types of well-known libraries.

The code of these libraries is trusted to be quick for what is asked of it here: nothing is computed, collected or read from a file,
and labels and cells of other types than the plain ones are never compared, hashed or shown by their `__repr__`. The schema of a
lazy frame of polars' is not asked for: to work it out, polars calls functions that the user gave to `map_elements`, and opens files.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

from .statics import (
    MAPPINGS,
    MAX_KEYS,
    MAX_LOOKED_AT,
    MISSING,
    PLAIN,
    family,
    instance_dict,
    is_exactly,
    module_of,
    name_of,
    own,
    slot,
)

PANDAS = ("pandas.DataFrame", "geopandas.GeoDataFrame")
POLARS = ("polars.DataFrame", "polars.LazyFrame")
SERIES = ("pandas.Series", "geopandas.GeoSeries")
TABLES = frozenset(
    (
        *PANDAS,
        *POLARS,
        "pyarrow.Table",
        "pyarrow.RecordBatch",
        "pyarrow.Schema",
        "duckdb.DuckDBPyRelation",
        "xarray.Dataset",
        "xarray.DataArray",
    )
)
INDEXERS = ("pandas._LocIndexer", "pandas._AtIndexer")
# Attributes that these have at hand, whatever kind of descriptor gives them.
_AT_HAND = {
    **dict.fromkeys(PANDAS, ("columns", "index", "shape")),
    **dict.fromkeys(SERIES, ("index", "shape", "name")),
    "numpy.ndarray": ("T", "shape", "dtype", "ndim", "size"),
}
# Methods of tables after which their columns are those that they were.
KEEPING = frozenset(
    """astype bfill clip copy drop_duplicates drop_nulls dropna expanding ffill fillna filter groupby group_by head infer_objects
    interpolate limit lazy collect nlargest nsmallest query replace reset_index resample reverse rolling round sample shift slice sort
    sort_index sort_values tail to_crs truncate unique where mask""".split()
)
# Columns of a multi-index that are looked at in their order.
_MAX_LEVELS = 1_000


class Made(NamedTuple):
    """A table, or a mapping, that is not there yet, and what the code says of it."""

    kind: type
    names: list[str]


def class_of(table: Any) -> type:
    """The class of a table, whether it is there or not."""
    return table.kind if type(table) is Made else type(table)


def table_in(found: Any) -> Any:
    """The table that was found, or the one that it has its columns from; `MISSING` for neither."""
    return table_of(found.value) if found.is_known else found.table


def is_table(value: Any) -> bool:
    """Whether it has columns that can be told."""
    return family(type(value)) in TABLES


def table_of(value: Any) -> Any:
    """The table that something is, or that it has grouped; `MISSING` for neither."""
    if family(type(value)) == "pandas.DataFrameGroupBy":
        value = own(instance_dict(value), "obj")
    return value if is_table(value) else MISSING


def has_rows(value: Any, name: str) -> bool:
    """Whether `name` is the indexer of a series."""
    return name in ("loc", "at") and family(type(value)) in SERIES


def label(index: Any, place: int) -> Any:
    """What an index of pandas' own has at a place, if that is of one of the plain types; `MISSING` otherwise."""
    try:
        if (
            family_of_index(index) in ("Index", "RangeIndex")
            and type(found := index[place]) in PLAIN
        ):
            return found
    except Exception:
        pass
    return MISSING


def columns(value: Any, most: int = MAX_KEYS) -> list[str]:
    """The names of columns of a table, variables of a data set, fields of a structured array: at most so many of the first."""
    if type(value) is Made:
        return value.names[:most]
    kind = family(type(value))
    try:
        if kind in PANDAS:
            return [name for name in _labels(value.columns, most) if type(name) is str]
        if kind == "polars.DataFrame":
            # All names are made at once, which is long for a very wide one.
            if value.width > 10 * most:
                return [value.to_series(i).name for i in range(most)]
            return value.columns[:most]
        if kind in ("pyarrow.Table", "pyarrow.RecordBatch", "pyarrow.Schema"):
            schema = value if kind == "pyarrow.Schema" else value.schema
            return [schema.field(i).name for i in range(min(len(schema), most))]
        if kind == "duckdb.DuckDBPyRelation":
            return value.columns[:most]
        if kind == "numpy.ndarray":
            return list((value.dtype.names or ())[:most])
        if kind == "xarray.Dataset":
            return _texts(slot(value, "_variables"), most)
        if kind == "xarray.DataArray":
            return _texts(slot(value, "_coords"), most)
        if kind == "pandas.DataFrameGroupBy":
            return columns(own(instance_dict(value), "obj"), most)
    except Exception:
        pass
    return []


def labels(value: Any, most: int = MAX_KEYS) -> list[str]:
    """The labels of rows: those of an index that are strings."""
    try:
        if family(type(value)) in (*PANDAS, *SERIES):
            return [name for name in _labels(value.index, most) if type(name) is str]
    except Exception:
        pass
    return []


def column(value: Any, name: str) -> Any:
    """One column of a table that is there; `MISSING` where it is not, or is not to be had without work."""
    kind = family(type(value))
    try:
        if kind in PANDAS:
            if family_of_index(value.columns) == "MultiIndex":
                few = len(value.columns) <= _MAX_LEVELS and name in columns(value)
                return value[name] if few and _is_of_text(value.columns) else MISSING
            if name_of(type(value.columns.dtype)) == "StringDtype":
                place = value.columns.get_loc(name)
                return value.iloc[:, place] if type(place) is int else MISSING
            known = list(_labels(value.columns, MAX_LOOKED_AT))
            places = [i for i, label in enumerate(known) if type(label) is str and label == name]
            return value.iloc[:, places[0]] if len(places) == 1 else MISSING
        if kind == "polars.DataFrame":
            return value.get_column(name)
        if kind in ("pyarrow.Table", "pyarrow.RecordBatch"):
            return value.column(name)
        if kind == "numpy.ndarray" and name in (value.dtype.names or ()):
            return value[name]
    except Exception:
        pass
    return MISSING


def attribute(value: Any, name: str) -> Any:
    """An attribute that such a table has at hand; `MISSING` for all others."""
    if name in _AT_HAND.get(family(type(value)), ()):
        return getattr(value, name)
    return MISSING


def size(value: Any) -> Any:
    """Something that changes with the columns and labels; None for what has none."""
    kind = family(type(value))
    try:
        if kind in PANDAS:
            return (value.shape, id(value.columns))
        if kind in SERIES:
            return (value.shape, id(value.index))
        if kind == "polars.DataFrame":
            return (value.shape, id(value))
        if kind in TABLES and kind != "polars.LazyFrame":
            return id(value) if not kind.startswith("xarray") else (id(value), len(columns(value)))
    except Exception:
        pass
    return None


def is_indexer(kind: type) -> bool:
    """Whether it is the class of `.loc` or `.at`, whose first part is a row."""
    return family(kind) in INDEXERS


def family_of_index(index: Any) -> str:
    """`Index`, `MultiIndex` … for pandas' own, whose labels can be had without anybody's code; empty for others."""
    kind = type(index)
    name = name_of(kind)
    if not is_exactly(kind, "pandas", name):
        return ""
    held = own(instance_dict(index), "_data")
    if held is not MISSING and module_of(type(held)).partition(".")[0] not in ("numpy", "pandas"):
        return ""
    return name


def _labels(index: Any, most: int) -> list[Any]:
    kind = family_of_index(index)
    if kind == "MultiIndex":
        if len(index) > _MAX_LEVELS:
            return list(index.levels[0][:most])
        return list(dict.fromkeys(first for first, *_ in index if type(first) is str))
    if kind in ("Index", "CategoricalIndex"):
        return index[:most].tolist()
    return []


def _is_of_text(index: Any) -> bool:
    return all(type(label) is str for level in index.levels for label in level[:_MAX_LEVELS])


def _texts(held: Any, most: int) -> list[str]:
    if type(held) not in MAPPINGS:
        return []
    return [name for name in islice(held, most) if type(name) is str]
