"""Words that arguments of pandas' methods take, where no annotation says which: names of functions, dtypes, kinds of plots."""

from __future__ import annotations

from .statics import class_attribute, kind_of, module_of, name_of
from .written import Written

REDUCING = """mean sum count min max median std var first last nunique size prod sem any all quantile idxmin idxmax skew kurt
    ohlc""".split()
_KEEPING_LENGTH = "cumsum cumprod cummax cummin cumcount rank shift diff pct_change ffill bfill abs round".split()  # fmt: skip
_DTYPES = """int64 float64 str string category bool object datetime64[ns] timedelta64[ns] int8 int16 int32 uint8 float32 Int64
    Float64 boolean""".split()
# Methods that apply functions by their names, and the parameter for them.
_APPLYING = {"agg": "func", "aggregate": "func", "transform": "func", "apply": "func", "pivot_table": "aggfunc"}  # fmt: skip
# What a parameter of a method takes.
_TAKEN = {
    ("astype", "dtype"): _DTYPES,
    ("plot", "kind"): "line bar barh hist box kde density area pie scatter hexbin".split(),
    ("select_dtypes", "include"): ["number", "object", "string", "category", "bool", "datetime", "timedelta"],
    ("select_dtypes", "exclude"): ["number", "object", "string", "category", "bool", "datetime", "timedelta"],
}  # fmt: skip


def words(kinds: tuple[type, ...], method: str, name: str, written: Written | None) -> list[str]:
    """What a string may be in the argument `name` of a method of pandas; empty where it is no such word but, maybe, a column."""
    if not kinds or module_of(kinds[0]).partition(".")[0] != "pandas":
        return []
    around = written.around if written is not None else ()
    if written is None or around[-1:] == ("key",):
        return []
    if (method, name) in _TAKEN:
        return _TAKEN[method, name]
    if method not in _APPLYING:
        return []
    if name != _APPLYING[method]:
        # Of `agg(total=("column", "function"))` the second, or all there is where there is one column.
        one_column = "Series" in name_of(kinds[0]) and not around
        if name != "kwargs" or not (one_column or around[:1] == (1,)):
            return []
    return _functions(kinds, method)


def _functions(kinds: tuple[type, ...], method: str) -> list[str]:
    """The names of functions that a method applies, as far as the classes have them."""
    names = REDUCING
    if method == "transform":
        grouped = "GroupBy" in name_of(kinds[0])
        names = _KEEPING_LENGTH + REDUCING if grouped else _KEEPING_LENGTH
    return [
        name
        for name in names
        if any(kind_of(class_attribute(kind, name)) == "function" for kind in kinds)
    ]
