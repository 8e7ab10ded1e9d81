"""What functions and attributes of `re`, numpy, pandas, matplotlib, seaborn and scikit-learn give that say nothing of it themselves."""

from __future__ import annotations

import ast
import re
import sys
import types
from collections.abc import Callable
from typing import Any

from .statics import (
    BUILTIN_FUNCTIONS,
    MISSING,
    Kinds,
    family,
    function_name,
    instance_dict,
    isinstance_static,
    module_of,
    name_of,
    own,
    type_dict,
    type_mro,
)

# Functions of numpy's that give an array, whatever they are given.
_ARRAYS = frozenset(
    """array asarray ascontiguousarray arange zeros ones empty full eye identity linspace logspace geomspace zeros_like ones_like
    empty_like full_like concatenate stack vstack hstack dstack column_stack sort argsort cumsum cumprod diff reshape ravel transpose
    flip roll tile repeat atleast_1d atleast_2d outer loadtxt genfromtxt fromiter histogram_bin_edges digitize convolve pad tri tril triu
    diag unique where interp gradient""".split()
)
# With how many arguments these give an array, if they are not told its size by name.
_RANDOM = {
    **dict.fromkeys("rand randn random random_sample standard_normal permutation".split(), 1),
    **dict.fromkeys("choice poisson exponential".split(), 2),
    **dict.fromkeys("randint integers normal uniform binomial beta gamma lognormal".split(), 3),
}
_OF_ARRAYS = {
    "ndarray": """astype copy reshape ravel flatten transpose swapaxes repeat round clip cumsum cumprod squeeze take argsort conj
    diagonal""".split(),
    "list": ["tolist"],
    "bytes": ["tobytes"],
}
_PATTERNS: dict[str, tuple[type, ...]] = {
    # `match` is called `prefixmatch` from 3.15 on.
    **dict.fromkeys(("match", "prefixmatch", "fullmatch", "search"), (re.Match,)),
    **dict.fromkeys(("split", "findall"), (list,)),
    "compile": (re.Pattern,),
}
# Whose `__name__` runs no code of anybody's.
_CALLED = Kinds(types.FunctionType, types.BuiltinFunctionType)
_ON_AXES = frozenset(
    """barplot boxenplot boxplot countplot ecdfplot heatmap histplot kdeplot lineplot pointplot regplot residplot rugplot
    scatterplot stripplot swarmplot violinplot""".split()
)
_GRIDS = {
    **dict.fromkeys(("catplot", "displot", "lmplot", "relplot"), "FacetGrid"),
    "pairplot": "PairGrid",
    "jointplot": "JointGrid",
}
# Attributes of pandas' tables, series and indexes.
_HELD = {"values": ("numpy", "ndarray"), "dtypes": ("pandas", "Series")}
_READ_AT_ONCE = ("read_csv", "read_table", "read_fwf")
_CALLED_FIRST = ("cut", "qcut", "to_numeric")

_Of = Callable[[ast.expr], Any]


def loaded(module: str, name: str) -> tuple[type, ...]:
    """A class of a library, if that is loaded; nothing otherwise."""
    loaded = sys.modules.get(module)
    found = MISSING if loaded is None else own(instance_dict(loaded), name)
    return (found,) if isinstance_static(found, type) else ()


def of_pandas(name: str) -> tuple[type, ...]:
    """A class that pandas shows, if that is loaded."""
    return loaded("pandas", name)


def held(kind: type, name: str) -> tuple[type, ...]:
    """The classes of an attribute of an instance; nothing where it is none of these."""
    if family(kind) == "numpy.ndarray":
        return (kind,) if name in ("T", "real", "imag") else ()
    library, own_name = module_of(kind).partition(".")[0], name_of(kind)
    if library != "pandas":
        return ()
    if own_name.endswith("Properties"):
        return of_pandas("Series")
    return loaded(*_HELD[name]) if name in _HELD else ()


def called(value: Any, function: Any, owner: Any, node: ast.Call, of: _Of) -> tuple[type, ...]:
    """The classes of what a call of `value` gives, which was found through `owner` and runs `function`; nothing for all others."""
    if family(type(value)) == "numpy.ufunc":
        return _like_first(node, of)
    if owner is not None and family(owner) == "numpy.ndarray":
        return _of_array(function, owner)
    if owner is re.Pattern and type(function) in BUILTIN_FUNCTIONS:
        return _PATTERNS.get(function.__name__, ())
    found = _of_numpy(value, node)
    if found:
        return found
    if type(function) is not types.FunctionType or type(function.__module__) is not str:
        return ()
    library, name = function.__module__.partition(".")[0], function_name(function)
    if library == "re":
        return _PATTERNS.get(name, ())
    if library == "pandas":
        return _of_pandas(function, name, owner, node, of)
    if library == "matplotlib":
        return _of_matplotlib(name, owner)
    if library == "seaborn":
        if name in _ON_AXES:
            return _axes()
        return (
            of_pandas("DataFrame")
            if name == "load_dataset"
            else loaded("seaborn", _GRIDS.get(name, ""))
        )
    return ()


def _of_array(function: Any, owner: type) -> tuple[type, ...]:
    name = function.__name__ if type(function) in BUILTIN_FUNCTIONS else ""
    for kind, names in _OF_ARRAYS.items():
        if name in names:
            return {"ndarray": (owner,), "list": (list,), "bytes": (bytes,)}[kind]
    return ()


def _of_numpy(value: Any, node: ast.Call) -> tuple[type, ...]:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return ()
    if type(value) in _CALLED or family(type(value)) == "numpy.dispatcher":
        name = function_name(value)
        is_shown = name in _ARRAYS and own(instance_dict(numpy), name) is value
        is_one = (
            name not in ("where", "unique")
            or len(node.args) == (3 if name == "where" else 1)
            and not node.keywords
        )
        if is_shown and is_one:
            return loaded("numpy", "ndarray")
    # Cython's methods, and C's, of numpy's generators.
    if type(value) is types.MethodType and _is_of_cython(type(value.__func__)):
        name = value.__func__.__name__
    elif type(value) is types.BuiltinFunctionType:
        name = value.__name__
    else:
        return ()
    receiver = value.__self__
    sized = any(it.arg == "size" for it in node.keywords) or len(node.args) >= _RANDOM.get(name, 99)
    if sized and module_of(type(receiver)).startswith("numpy.random"):
        return loaded("numpy", "ndarray")
    return ()


def _is_of_cython(kind: type) -> bool:
    """Whether it is the class of Cython's functions, which has its names from C."""
    name = own(type_dict(kind), "__name__")
    return name_of(kind) == "cython_function_or_method" and type(name) is types.GetSetDescriptorType


def _of_pandas(function: Any, name: str, owner: Any, node: ast.Call, of: _Of) -> tuple[type, ...]:
    if function.__module__ in ("pandas.plotting", "pandas.plotting._core"):
        is_accessor = owner is not None and name_of(owner) == "PlotAccessor"
        if name == "hist_frame":
            return loaded("numpy", "ndarray")
        is_one = not any(it.arg == "subplots" for it in node.keywords)
        return (
            _axes() if is_one and (is_accessor or name in ("hist_series", "boxplot_frame")) else ()
        )
    if owner is None and name in _CALLED_FIRST:
        return _like_first(node, of)
    if owner is None and name in _READ_AT_ONCE:
        in_parts = any(it.arg in ("chunksize", "iterator", None) for it in node.keywords)
        return () if in_parts else of_pandas("DataFrame")
    return ()


def _of_matplotlib(name: str, owner: Any) -> tuple[type, ...]:
    if not isinstance_static(owner, type):
        return ()
    names = [name_of(kind) for kind in type_mro(owner)]
    if "FigureBase" in names and name in ("add_subplot", "add_axes"):
        return _axes()
    return ()


def shown_by_pyplot(function: Any, owner: Any) -> Any:
    """The function of `pyplot` that does what a method of an axes or a figure does, and says what it gives; `MISSING` for none."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if (
        pyplot is None
        or type(function) is not types.FunctionType
        or not isinstance_static(owner, type)
    ):
        return MISSING
    if type(function.__module__) is not str or not function.__module__.startswith("matplotlib."):
        return MISSING
    names = [name_of(kind) for kind in type_mro(owner)]
    if not ("_AxesBase" in names or "FigureBase" in names):
        return MISSING
    found = own(instance_dict(pyplot), function_name(function))
    return found if type(found) is types.FunctionType else MISSING


def _like_first(node: ast.Call, of: _Of) -> tuple[type, ...]:
    """What the first argument is, where that is an array, a series or a table."""
    kinds: tuple[type, ...] = of(node.args[0]).kinds if node.args else ()
    known = ("numpy.ndarray", "pandas.Series", "pandas.DataFrame")
    return kinds[:1] if kinds and family(kinds[0]) in known else ()


def _axes() -> tuple[type, ...]:
    return loaded("matplotlib.axes", "Axes")
