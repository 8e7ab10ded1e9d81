"""Tables and models of libraries that the tests' own environment has not. Run by test_libraries.py, in the environment that has them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pandas
import pytest
from inspecting import Session

CODE = """
import attrs, duckdb, geopandas, numpy as np, pandas as pd, polars as pl, pyarrow as pa, pydantic, xarray as xr
from typing import Literal
frame = pl.DataFrame({"one": [1, 2], "two": ["a", "b"]})
ran = []
lazy = frame.lazy().with_columns(pl.col("one").map_elements(lambda it: ran.append(it)))
pandas_frame = pd.DataFrame({"alpha": [1]})
places = geopandas.GeoDataFrame({"name": ["a"]}, geometry=geopandas.points_from_xy([1.0], [2.0]))
table = pa.table({"x": [1], "y": ["s"]})
batch = table.to_batches()[0]
schema = table.schema
relation = duckdb.sql("select 1 as a, 'x' as b")
data = xr.Dataset({"temperature": ("time", [1.0, 2.0])}, coords={"time": [0, 1]})
array = data["temperature"]
class Model(pydantic.BaseModel):
    a: int
    mode: Literal["fast", "exact"] = "fast"
    c: list[int] = pydantic.Field(default_factory=list, alias="see")
@attrs.define
class Attrs:
    x: int
    y: list = attrs.Factory(list)
ran.clear()
"""


@pytest.fixture(scope="module")
def session():
    return Session(CODE)


KEYS = {
    "frame": ["one", "two"],
    "frame.lazy().filter(1).collect()": ["one", "two"],
    "places": ["name", "geometry"],
    "places.head()": ["name", "geometry"],
    "table": ["x", "y"],
    "batch": ["x", "y"],
    "relation": ["a", "b"],
    "data": ["temperature", "time"],
    "array": ["time"],
}


@pytest.mark.parametrize("expression", KEYS)
def test_keys(session, expression):
    found = [item["name"] for item in session.ask("keys", expression)]
    assert found == KEYS[expression]


READ = [
    "pl.read_csv('semicolon.csv', separator=';')",
    "pl.scan_csv('semicolon.csv', separator=';')",
    "pl.scan_csv('semicolon.csv', separator=';').filter(pl.col('a') > 0)",
    "pl.read_csv('semicolon.csv', separator=';', has_header=False, new_columns=['a', 'b'])",
    "pl.read_csv('semicolon.csv', separator=';', columns=['a', 'b'])",
    "pd.read_csv('semicolon.csv', sep=';')",
]


def columns(session, text: str) -> list[str]:
    """Those of `x` where `x = text` has not run."""
    given = [{"name": "x", "text": text, "how": "assigned", "places": [], "before": False}]
    with ThreadPoolExecutor(1) as elsewhere:
        found = elsewhere.submit(session.ask, "keys", "x", given=given).result(10)
    return [item["name"] for item in found]


@pytest.mark.parametrize("text", READ)
def test_columns_of_a_file_that_is_about_to_be_read(session, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "semicolon.csv").write_text("a;b\n1;2\n")
    assert columns(session, text) == ["a", "b"]
    read = eval(text, dict(session.user_ns))
    assert list(getattr(read, "collect_schema", lambda: read.columns)()) == ["a", "b"]


@pytest.mark.parametrize("head", ["a,a", "a,,b"])
def test_polars_has_its_own_way_with_names_that_are_no_names(session, head, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.csv").write_text(f"{head}\n1,2\n")
    assert columns(session, "pl.read_csv('odd.csv')") == []
    assert columns(session, "pd.read_csv('odd.csv')")[0] == "a"


POLARS = [
    ["frame.select"], ["frame.sort"], [("frame.join", "on")], ["frame.group_by"], ["pl.col", "frame.filter"],
    ["pl.col", "frame.lazy().select"], ["pl.col"], ["pl.sum", "frame.select"], ["frame.group_by('one').agg"],
    ["pl.col", "frame.group_by('one').agg"], ["pl.col", "print"], ["lazy.select"], ["pl.col", "lazy.filter"],
]  # fmt: skip


@pytest.mark.parametrize("calls", POLARS, ids=str)
def test_polars_columns(session, calls):
    assert session.strings(*calls) == ["one", "two"]


def test_a_frame_that_is_not_there_has_no_columns_of_others(session):
    assert session.strings("pl.col", "pl.DataFrame({'q': [1], 'r': [2]}).head().filter") == [
        "q",
        "r",
    ]
    assert session.strings("pl.col", "pl.read_csv('a').filter") == []
    assert session.strings("frame.get_column") == ["one", "two"]


def test_plots_take_columns_of_their_data():
    session = Session(
        "import pandas as pd, seaborn as sns, plotly.express as px, matplotlib\n"
        "matplotlib.use('agg')\n"
        "import matplotlib.pyplot as plt\n"
        "one, two = pd.DataFrame({'alpha': [1]}), pd.DataFrame({'beta': [1]})\n"
        "axes = plt.figure().add_subplot()\n"
    )
    for function in ["sns.scatterplot", "px.scatter", "plt.scatter", "axes.scatter"]:
        data = "data_frame" if function == "px.scatter" else "data"
        assert session.strings((function, "x", f"{data}=two, x=")) == ["beta"], function
    assert session.strings(("px.line", "color", "one, color=")) == ["alpha"]
    assert session.strings(("px.line", "title", "one, title=")) is None
    assert session.strings("plt.title") is None and session.strings("axes.plot") is None


def test_other_tables_columns(session):
    assert session.strings("table.select") == ["x", "y"]
    assert session.strings("relation.filter", prefix="a > 1 and b") == ["a > 1 and b"]
    assert session.strings("places.dissolve") == ["name", "geometry"]
    assert session.strings(("Model", "mode")) == ["fast", "exact"]
    assert session.strings("frame.write_csv") is None


TYPES = {
    "frame.filter(1)": "DataFrame",
    "pl.col('one')": "Expr",
    "pl.col('one').sum().alias('x')": "Expr",
    "frame['one']": "Series",
    "frame.group_by('one').agg(1)": "DataFrame",
    "lazy.select('one')": "LazyFrame",
    "pl.read_csv('a')": "DataFrame",
    "places['name']": "Series",
    "Model(a=1).mode": "str",
    "Attrs(1)": "Attrs",
}


@pytest.mark.parametrize("expression", TYPES)
def test_types(session, expression):
    assert session.type(expression) == TYPES[expression]


LEARNED = {
    "sns.heatmap(frame)": "Axes",
    "sns.relplot(frame)": "FacetGrid",
    "sns.pairplot(frame)": "PairGrid",
    "sns.load_dataset('tips')": "DataFrame",
    "model.fit(x, y)": "LinearRegression",
    "LinearRegression().fit(x, y)": "LinearRegression",
    "PCA().fit(x)": "PCA",
}


def test_what_says_nothing_of_itself():
    session = Session(
        "import matplotlib; matplotlib.use('agg')\n"
        "import numpy as np, pandas as pd, seaborn as sns\n"
        "from sklearn.linear_model import LinearRegression\n"
        "from sklearn.model_selection import train_test_split\n"
        "from sklearn.decomposition import PCA\n"
        "model, frame = LinearRegression(), pd.DataFrame({'alpha': [1], 'beta': [2]})\n"
        "x, y = frame[['alpha']], frame.beta\n"
    )
    assert {text: session.type(text) for text in LEARNED} == LEARNED
    for place, kind in enumerate(["DataFrame", "DataFrame", "Series", "Series", None]):
        told = {
            "name": "part",
            "text": "train_test_split(x, y, test_size=0.2)",
            "how": "assigned",
            "places": [place],
            "before": False,
        }
        found = session.ask("inspect", "part", given=[told])
        assert (found and found["type"]) == kind
        keys = session.ask("keys", "part", given=[told]) or []
        assert [it["name"] for it in keys] == (["alpha"] if kind == "DataFrame" else [])


def test_models(session):
    model = "(*, a: int, mode: Literal['fast', 'exact'] = 'fast', see: list[int] = …)"
    assert session.signature("Model") == model
    assert session.signature("Attrs") == "(x: int, y: list = …)"
    assert session.names("members", "Model(a=1)") >= {"a", "mode", "model_dump"}


def test_heads(session):
    def head(name):
        return session.ask("inspect", name)["preview"].splitlines()

    assert head("frame") == ["2 rows × 2 columns", "  one     two", "Int64  String", "    1       a", "    2       b"]  # fmt: skip
    assert head("places")[0] == "1 rows × 2 columns"
    assert head("table") == ["1 rows × 2 columns", "", "x   int64", "y  string"]
    assert head("schema") == ["2 columns", "", "x   int64", "y  string"]
    assert head("relation") == ["2 columns", "", "a  INTEGER", "b  VARCHAR"]
    assert head("data") == ["(time: 2)", "temperature, time"]
    assert head("array") == ["(time)"]


def test_frames_of_two_libraries_are_told_apart(session):
    found = session.snapshot()
    items = {item["name"]: item for item in found["names"]}
    members = {
        name: {
            member["name"]
            for member in found["members"][items[name].get("key", items[name]["type"])]
        }
        for name in ["frame", "pandas_frame"]
    }
    assert "with_columns" in members["frame"] and "with_columns" not in members["pandas_frame"]
    assert "iloc" in members["pandas_frame"] and "iloc" not in members["frame"]


def test_no_plan_is_resolved(session):
    for kind in ["members", "keys", "inspect"]:
        session.ask(kind, "lazy")
    session.inspector.snapshot()
    assert session.user_ns["ran"] == []


def test_a_frame_of_a_thousand_columns():
    frame = pandas.DataFrame({f"column_{i}": [1, 2] for i in range(1000)})
    session = Session(frame=frame)
    found = [item["name"] for item in session.ask("keys", "frame", "column_99")]
    assert set(found[:11]) == {"column_99"} | {f"column_99{i}" for i in range(10)}
    # What has these letters in between comes behind.
    assert "column_919" in found[11:] and "column_98" not in found
    assert session.names("members", "frame", "colu") >= {"column_0", "columns"}
    assert session.ask("inspect", "frame")["preview"].splitlines()[0] == "2 rows × 1000 columns"
    assert session.ask("inspect", "frame['column_1']")["type"] == "Series"
    assert len(session.snapshot()["keys"]["frame"]) == 1000
