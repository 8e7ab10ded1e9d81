"""Data frames of pandas: columns in all places where they are typed, what chains of calls give, and a head."""

from __future__ import annotations

import time

import pytest
from inspecting import Session

CODE = """
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
df = pd.DataFrame({"alpha": [1, 2], "beta": ["x", "y"], "when": pd.to_datetime(["2020-01-01", "2020-01-02"])}, index=["r1", "r2"])
text = df["beta"]
g = df.groupby("alpha")
two = pd.DataFrame([[1, 2, 3]], columns=pd.MultiIndex.from_tuples([("u", "v"), ("u", "w"), ("z", "v")]))
labelled = pd.Series([1, 2], index=["ra", "rb"])
other = pd.DataFrame({"beta": ["x"], "gamma": [1.0]})
array = np.arange(10.0)
class Point:
    def __init__(self): self.across = 1
point = Point()
mask = df.alpha > 1
figure = plt.figure()
fields = np.zeros(2, dtype=[("a", int), ("b", float)])
"""
COLUMNS = ["alpha", "beta", "when"]


@pytest.fixture(scope="module")
def session():
    return Session(CODE)


CHAINS = {
    'df.groupby("alpha")': ("DataFrameGroupBy", "agg"),
    'df.groupby("alpha").sum()': ("DataFrame", "merge"),
    'df.groupby("alpha")["beta"]': ("SeriesGroupBy", "nunique"),
    'df.groupby("alpha")["beta"].sum()': ("Series", "to_frame"),
    "text.str": ("StringMethods", "upper"),
    "text.str.upper()": ("Series", "to_frame"),
    "text.dt": ("CombinedDatetimelikeProperties", "year"),
    "df.plot": ("PlotAccessor", "scatter"),
    "df.head()": ("DataFrame", "merge"),
    'df.head()["alpha"]': ("Series", "to_frame"),
    "df.alpha": ("Series", "to_frame"),
    "df.alpha.str": ("StringMethods", "upper"),
    'df[df["alpha"] > 1]': ("DataFrame", "merge"),
    'df[["alpha"]]': ("DataFrame", "merge"),
    "df.columns": ("Index", "tolist"),
    "df.head().columns": ("Index", "tolist"),
    "df.index": ("Index", "tolist"),
    "df.loc": ("_LocIndexer", "__getitem__"),
    "df.iloc[0:2].head()": ("DataFrame", "merge"),
    "df.merge(df)": ("DataFrame", "merge"),
    "df.describe().T": ("DataFrame", "merge"),
    "text.value_counts()": ("Series", "to_frame"),
    "(df.alpha + 1).head()": ("Series", "to_frame"),
    "~(df.alpha > 1)": ("Series", "to_frame"),
    "two['u']": ("DataFrame", "merge"),
    "two['u']['v']": ("Series", "to_frame"),
    "array.reshape(2, 5).T.astype(int)": ("ndarray", "reshape"),
    "array.tolist()": ("list", "append"),
    "np.sqrt(array)": ("ndarray", "reshape"),
    "np.sqrt(df.alpha)": ("Series", "to_frame"),
    "np.concatenate([array])": ("ndarray", "reshape"),
    "np.random.rand(3)": ("ndarray", "reshape"),
    "df.values": ("ndarray", "reshape"),
    "df.dtypes": ("Series", "to_frame"),
    "df.when.dt.year": ("Series", "to_frame"),
    "df.iloc[0]": ("Series", "to_frame"),
    "df[mask]": ("DataFrame", "merge"),
    "df.loc[mask]": ("DataFrame", "merge"),
    "df.loc[mask, 'alpha']": ("Series", "to_frame"),
    "df[df.beta.isin(['x'])]": ("DataFrame", "merge"),
    "df.alpha[mask]": ("Series", "to_frame"),
    "pd.cut(df.alpha, 3)": ("Series", "to_frame"),
    "df.plot()": ("Axes", "set_title"),
    "df.plot.bar()": ("Axes", "set_title"),
    "df.alpha.hist()": ("Axes", "set_title"),
    "figure.add_subplot()": ("Axes", "set_title"),
    "figure.add_subplot().bar(1, 2)": ("BarContainer", "index"),
    "figure.gca()": ("Axes", "set_title"),
    "array.T": ("ndarray", "reshape"),
    "array + 1": ("ndarray", "reshape"),
    "fields['a']": ("ndarray", "reshape"),
}


@pytest.mark.parametrize("expression", CHAINS)
def test_chains(session, expression):
    kind, member = CHAINS[expression]
    assert session.type(expression) == kind
    assert member in session.names("members", expression)


def test_several_classes_are_offered_together(session):
    assert session.type("pd.concat([df])") == "DataFrame | Series"
    assert session.names("members", "pd.concat([df])") >= {"merge", "to_frame"}


def test_an_element_has_not_the_class_of_what_holds_it(session):
    assert session.type("df.columns[0]") == "str" and session.type("df.index[0]") == "str"
    assert (
        session.type("df.columns[0:1]") == "Index"
        and session.type("labelled.loc['ra':]") == "Series"
    )
    for expression in [
        "df.head().columns[0]",
        "text[0]",
        "labelled['ra']",
        "df['alpha'].head()[0]",
    ]:
        assert session.type(expression) is None, expression


def test_a_class_method_knows_its_class(session):
    assert session.signature("pd.DataFrame.from_dict").startswith("(data: dict, orient")
    assert session.type("pd.DataFrame.from_dict({})") == "DataFrame"
    assert session.type("pd.read_csv('a').head()") == "DataFrame"
    assert session.signature("np.add").startswith("(x1, x2, /, out=None, *, where=True")
    assert session.signature("np.concatenate").startswith("(arrays, /, axis=0")


KEYS = {
    ("df", 0): COLUMNS,
    ("df.loc", 1): COLUMNS,
    ("df.loc", 0): ["r1", "r2"],
    ("df.at", 1): COLUMNS,
    ("df.at", 0): ["r1", "r2"],
    ("df['beta']", 0): ["r1", "r2"],
    ("df.head()", 0): COLUMNS,
    ("df.sort_values('alpha').query('beta')", 0): COLUMNS,
    ("g", 0): COLUMNS,
    ("df.groupby('alpha')", 0): COLUMNS,
    ("two", 0): ["u", "z"],
    ("two['u']", 0): ["v", "w"],
    ("fields", 0): ["a", "b"],
    ("labelled.loc", 0): ["ra", "rb"],
    ("labelled.at", 0): ["ra", "rb"],
    ("labelled.loc", 1): [],
}


@pytest.mark.parametrize("place", KEYS, ids=str)
def test_keys(session, place):
    expression, index = place
    found = [item["name"] for item in session.ask("keys", expression, "", index)]
    assert found == KEYS[place]


ARGUMENTS = [
    "df.groupby", ("df.groupby", "by"), "df.sort_values", ("df.sort_values", "by"), ("df.merge", "on"), ("df.merge", "left_on"),
    "df.drop", ("df.drop", "columns"), ("df.rename", "columns"), "df.set_index", ("df.pivot_table", "values"), ("df.pivot", "index"),
    ("df.melt", "id_vars"), ("df.dropna", "subset"), ("df.drop_duplicates", "subset"), "df.explode", ("df.astype", 0, "{"), ("df.agg", 0, "{"),
    ("df.plot", "x"), ("df.plot.scatter", "y"), "df.filter", "df.query", "df.eval", ("df.groupby('alpha').agg", 0, "{'beta': 'sum', "), ("g.agg", 0, "{"),
    ("g.agg", "total", "total=("), ("pd.pivot_table", "values", "df, values="), ("pd.melt", "id_vars", "df, id_vars=["),
    ("pd.get_dummies", "columns", "data=df, columns=["), ("pd.merge", "left_on", "df, other, left_on="),
    ("df.groupby('alpha').agg", "total"), "df.head().groupby", "df.value_counts", ("df.reindex", "columns"),
]  # fmt: skip


@pytest.mark.parametrize("call", ARGUMENTS, ids=str)
def test_columns_as_arguments(session, call):
    assert session.strings(call) == COLUMNS


FUNCTIONS = [
    "df.agg", ("df.agg", 0, "["), ("df.agg", 0, "['max', "), ("df.agg", 0, "{'alpha': "), ("df.agg", 0, "{'alpha': ['min', "), "g.agg",
    ("df.groupby('alpha').agg", 0, "{'beta': ["), "df['alpha'].agg", "text.agg", ("g['beta'].agg", "total", "total="),
    ("g.agg", "total", "total=('beta', "), "g.transform", ("df.pivot_table", "aggfunc", "values='alpha', aggfunc="), "df.apply",
    ("pd.pivot_table", "aggfunc", "df, aggfunc="), ("df.resample('D').agg", 0, ""), ("df.rolling(2).agg", 0, ""),
]  # fmt: skip


@pytest.mark.parametrize("call", FUNCTIONS, ids=str)
def test_names_of_functions_as_arguments(session, call):
    found = session.strings(call)
    assert {"mean", "sum", "min", "max"} <= set(found) and not set(COLUMNS) & set(found)


def test_only_functions_that_keep_the_length_transform(session):
    assert "cumsum" in session.strings("df.transform")
    assert "mean" not in session.strings("df.transform")


WORDS = {
    ("df.plot", "kind", "kind="): "scatter",
    ("df['alpha'].astype", 0): "float64",
    ("df.astype", 0): "category",
    ("df.astype", 0, "{'alpha': "): "category",
    ("df.select_dtypes", "include", "include=["): "number",
    ("df.drop", "index", "index="): "r1",
    ("getattr", 1, "df, "): "merge",
    ("hasattr", 1, "point, "): "across",
    ("setattr", 1, "point, "): "across",
}


@pytest.mark.parametrize("call", WORDS, ids=str)
def test_words_as_arguments(session, call):
    found = session.strings(call)
    assert WORDS[call] in found
    assert not {"__init__"} & set(found)


def test_columns_of_a_table_that_is_an_argument(session):
    assert session.strings(("pd.merge", "on", "df, other, on=")) == ["beta"]
    assert session.strings(("pd.merge", "on", "right=other, left=df, on=[")) == ["beta"]
    assert session.strings(("pd.merge", "right_on", "df, other, right_on=")) == ["beta", "gamma"]
    assert session.strings(("df.merge", "right_on", "other, right_on=")) == ["beta", "gamma"]
    assert session.strings(("df.merge", "on", "other.head(), on=")) == ["beta"]
    assert session.strings(("pd.merge", "how", "df, other, how="))[:2] == ["left", "right"]
    assert session.strings(("pd.merge", "on", "nothing, other, on=")) is None


def test_what_is_no_column_is_not_offered_as_one(session):
    assert session.strings(("df.merge", "how"))[:3] == ["left", "right", "inner"]
    for call in [
        "df.to_csv",
        ("df.plot", "kind"),
        "text.str.replace",
        "print",
        ("df.merge", "right_on"),
    ]:
        assert session.strings(call) is None or "alpha" not in session.strings(call)
    for call in [("df.rename", "columns", "columns={'alpha': "), ("df.replace", 0, "{'alpha': {")]:
        assert session.strings(call) == []
    assert session.strings("df.query", prefix="alpha > 1 and b") == ["alpha > 1 and beta"]
    assert session.strings("pd.Grouper", "df.groupby") == COLUMNS
    named = ("pd.NamedAgg", 0), ("g.agg", "total", "total=pd.NamedAgg(")
    assert session.strings(*named) == COLUMNS
    assert "mean" in session.strings(("pd.NamedAgg", 1, "'alpha', "), named[1])
    assert "mean" in session.strings(("pd.NamedAgg", "aggfunc", "aggfunc="), named[1])


def test_a_head(session):
    assert session.ask("inspect", "df")["preview"] == "\n".join([
        "2 rows × 3 columns",
        "    alpha  beta                 when",
        "    int64   str       datetime64[us]",
        "r1      1     x  2020-01-01 00:00:00",
        "r2      2     y  2020-01-02 00:00:00",
    ])  # fmt: skip
    assert session.ask("inspect", "text")["preview"].splitlines()[0] == "2 rows, str"
    assert (
        session.ask("inspect", "array")["preview"] == "shape (10,), float64\n[0, 1, 2, 3, 4, 5, …]"
    )


def test_a_head_is_cut_and_calls_nobody():
    code = """
import pandas as pd
ran = []
class Cell:
    __module__ = "pandas"
    def __repr__(self): ran.append("repr"); return "x"
    __str__ = __format__ = __eq__ = __lt__ = __bool__ = __len__ = __repr__
    def __hash__(self): ran.append("hash"); return 1
class Label(str):
    def __eq__(self, other): ran.append("eq"); return str.__eq__(self, other)
    def __hash__(self): ran.append("hash"); return str.__hash__(self)
    def __repr__(self): ran.append("repr"); return "x"
df = pd.DataFrame({"a": pd.Series([Cell(), "x" * 500, None], dtype=object), **{f"c{i}": ["y" * 50] * 3 for i in range(50)}})
odd = pd.DataFrame({Label("l"): [1], Cell(): [2], "plain": [3]})
series = pd.Series([Cell()], index=[Cell()])
ran.clear()
"""
    session = Session(code)
    session.snapshot()
    for name in ["df", "odd", "series"]:
        for expression in [
            name,
            f"{name}['plain']",
            f"{name}.head()",
            f"{name}.loc",
            f"{name}['a']",
        ]:
            for kind in ["members", "keys", "inspect"]:
                session.ask(kind, expression)
        session.strings(f"{name}.groupby")
    assert session.user_ns["ran"] == []
    lines = session.ask("inspect", "df")["preview"].splitlines()
    assert max(map(len, lines)) <= 100 and len(lines) == 6
    assert "Cell" in lines[3] and "…" in lines[1]
    assert session.names("keys", "odd") == {"plain"}


def test_wide_frames_cost_little(session):
    code = "import pandas as pd, numpy as np\nframe = pd.DataFrame(np.zeros((2, 100_000)), columns=[f'column_{i}' for i in range(100_000)])"
    code += "\nlevels = pd.DataFrame(np.zeros((1, 100_000)), columns=pd.MultiIndex.from_product([[f'a{i}' for i in range(100)], [f'b{i}' for i in range(1000)]]))"
    wide = Session(code)
    found = wide.snapshot()
    assert len(found["keys"]["frame"]) == 1_000 and len(found["keys"]["levels"]) == 100
    wide.user_ns["more"] = 1
    started = time.thread_time()
    wide.snapshot()
    assert time.thread_time() - started < 0.05
    started = time.thread_time()
    wide.ask("keys", "frame", "99")
    wide.ask("inspect", "frame")
    wide.ask("members", "frame", "col")
    assert time.thread_time() - started < 0.5


def test_unchanged_tables_are_no_news(session):
    session.snapshot()
    assert session.inspector.snapshot() is None
    session.user_ns["df"]["new"] = 1
    try:
        assert session.snapshot()["keys"]["df"] == [*COLUMNS, "new"]
    finally:
        del session.user_ns["df"]["new"]
