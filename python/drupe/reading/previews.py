"""Short texts of values whose text is harmless: Python's own plain types, and tables cut to a few rows and columns."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from typing import Any

from . import frames
from .statics import MAPPINGS, PLAIN, Kinds, family, is_exactly, module_of, name_of, plain, slot

# How much of a table is shown: columns, rows, the width of a cell and of a line.
MAX_COLUMNS = 8
MAX_ROWS = 5
MAX_CELL = 20
MAX_WIDTH = 100
# The first values of an array.
MAX_VALUES = 6

_CONTAINERS = Kinds(list, tuple, set, frozenset)
_SIMPLE = Kinds(
    datetime.date, datetime.datetime, datetime.time, datetime.timedelta, decimal.Decimal
)
_SCALARS = ("Timestamp", "Timedelta", "Period", "Interval")
_MISSING = {"NAType": "<NA>", "NaTType": "NaT"}
_NUMBERS = frozenset(
    """bool bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128 datetime64
    timedelta64""".split()
)
# The kinds of numpy's dtypes whose values are plain or numpy's own.
_NUMPY_KINDS = "biufcmMSU"


def preview(value: Any) -> str:
    """A short text for exact builtin types and well-known tables; empty for all others."""
    kind = type(value)
    try:
        if kind in PLAIN:
            return plain(value)
        if kind in _CONTAINERS or kind in MAPPINGS:
            return f"{len(value)} item{'s' if len(value) != 1 else ''}"
        shown = _SHOWN.get(family(kind))
        return shown(value) if shown is not None else ""
    except Exception:
        return ""


def _pandas(value: Any) -> str:
    rows, width = value.shape
    table = [_rows(value.index)]
    labels = value.columns[:MAX_COLUMNS].tolist() if frames.family_of_index(value.columns) else []
    for number, label in enumerate(labels):
        table.append(_column(_cell(label), value.iloc[:MAX_ROWS, number]))
    return _joined(f"{rows} rows × {width} columns", table, width - len(labels))


def _pandas_series(value: Any) -> str:
    head = f"{value.shape[0]} rows, {_dtype(value.dtype)}"
    return _joined(
        head, [_rows(value.index), _column(_cell(value.name or ""), value.iloc[:MAX_ROWS])], 0
    )


def _rows(index: Any) -> list[str]:
    labels = index[:MAX_ROWS].tolist() if frames.family_of_index(index) else []
    return ["", "", *(_cell(label) for label in labels)]


def _column(name: str, values: Any) -> list[str]:
    """A head line, the dtype, and the first values of a pandas column."""
    dtype = values.dtype
    array = values.array
    if module_of(type(array)).partition(".")[0] != "pandas":
        return [name, _dtype(dtype), *["…"] * len(values)]
    return [name, _dtype(dtype), *(_cell(held) for held in array)]


def _dtype(dtype: Any) -> str:
    """The text of a dtype of pandas', numpy's or polars' own, else the name of its type."""
    library = module_of(type(dtype)).partition(".")[0]
    if name_of(type(dtype)) == "CategoricalDtype" and library == "pandas":
        return "category"
    return str(dtype)[:MAX_CELL] if library in ("pandas", "numpy", "polars", "pyarrow") else name_of(type(dtype))  # fmt: skip


def _polars(value: Any) -> str:
    rows, width = value.shape
    table = []
    for held in value[:MAX_ROWS, :MAX_COLUMNS].get_columns():
        table.append([_cell(held.name), _dtype(held.dtype), *map(_cell, _polars_values(held))])
    return _joined(f"{rows} rows × {width} columns", table, width - len(table))


def _polars_series(value: Any) -> str:
    head = value[:MAX_ROWS]
    column = [_cell(value.name), _dtype(value.dtype), *map(_cell, _polars_values(head))]
    return _joined(f"{len(value)} rows, {_dtype(value.dtype)}", [column], 0)


def _polars_values(values: Any) -> list[Any]:
    # What is nested may be long: it is told by its type.
    nested = values.dtype.is_nested()
    return [...] * len(values) if nested else values.to_list()


def _numpy(value: Any) -> str:
    text = f"shape {value.shape}, {_dtype(value.dtype)}"
    if value.dtype.kind not in _NUMPY_KINDS or value.size == 0:
        return text
    first = [_cell(held) for held in value.flat[:MAX_VALUES]]
    return f"{text}\n[{', '.join(first)}{', …' if value.size > len(first) else ''}]"


def _arrow(value: Any) -> str:
    schema = value if family(type(value)) == "pyarrow.Schema" else value.schema
    shown = min(len(schema), MAX_COLUMNS)
    fields = [schema.field(i) for i in range(shown)]
    rows = "" if schema is value else f"{value.num_rows} rows × "
    table = [["", *(it.name[:MAX_CELL] for it in fields)], ["", *(str(it.type)[:MAX_CELL] for it in fields)]]  # fmt: skip
    return _joined(f"{rows}{len(schema)} columns", table, 0)


def _duckdb(value: Any) -> str:
    names, kinds = value.columns, value.types
    pairs = list(zip(names, kinds, strict=False))[:MAX_COLUMNS]
    table = [["", *(name[:MAX_CELL] for name, _ in pairs)], ["", *(str(it)[:MAX_CELL] for _, it in pairs)]]  # fmt: skip
    return _joined(f"{len(names)} columns", table, 0)


def _xarray(value: Any) -> str:
    dims = slot(value, "_dims")
    if type(dims) in MAPPINGS:
        sizes = [f"{_cell(name)}: {_cell(held)}" for name, held in list(dims.items())[:MAX_COLUMNS]]
        return f"({', '.join(sizes)})\n{', '.join(frames.columns(value, MAX_COLUMNS))}"
    names = slot(slot(value, "_variable"), "_dims")
    return f"({', '.join(map(_cell, names[:MAX_COLUMNS]))})" if type(names) is tuple else ""


def _cell(value: Any) -> str:
    """The text of one cell; of what is not plain only the type's name."""
    kind = type(value)
    if kind is str:
        text = value[: MAX_CELL + 1].replace("\n", "⏎")
    elif kind is float:
        text = f"{value:.6g}"
    elif kind in PLAIN:
        text = plain(value)
    elif value is ...:
        text = "…"
    elif kind is tuple:
        text = ", ".join(map(_cell, value[:MAX_ROWS]))
    elif kind in _SIMPLE or _is_scalar(value):
        number = name_of(kind).startswith("float")
        text = f"{value:.6g}" if number else str(value)
    elif name_of(kind) in _MISSING and module_of(kind).startswith("pandas."):
        text = _MISSING[name_of(kind)]
    else:
        text = name_of(kind)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _is_scalar(value: Any) -> bool:
    """Whether it is one of numpy's numbers, or a moment, length of time or interval of pandas'."""
    name = name_of(type(value))
    if name in _SCALARS:
        return is_exactly(type(value), "pandas", name)
    return name in _NUMBERS and is_exactly(type(value), "numpy", name)


def _joined(head: str, columns: list[list[str]], left_out: int) -> str:
    """Columns beside each other, as many as there is room for."""
    height = max(map(len, columns), default=0)
    lines = [""] * height
    for number, column in enumerate(columns):
        width = max(map(len, column))
        gap = 2 if number else 0
        if lines and len(lines[0]) + gap + width > MAX_WIDTH - 3:
            left_out += 1
        elif height:
            cells = [*column, *[""] * (height - len(column))]
            lines = [line + " " * gap + cell.rjust(width) for line, cell in zip(lines, cells, strict=True)]  # fmt: skip
    if left_out and lines:
        lines[0] += "  …"
    return "\n".join([head, *("" + line.rstrip() for line in lines)])


_SHOWN: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(frames.PANDAS, _pandas),
    **dict.fromkeys(frames.SERIES, _pandas_series),
    "polars.DataFrame": _polars,
    "polars.Series": _polars_series,
    "numpy.ndarray": _numpy,
    **dict.fromkeys(("pyarrow.Table", "pyarrow.RecordBatch", "pyarrow.Schema"), _arrow),
    "duckdb.DuckDBPyRelation": _duckdb,
    **dict.fromkeys(("xarray.Dataset", "xarray.DataArray"), _xarray),
}
