"""What names are that code above the cursor binds and that has not run: each is told with the text that it has its value from."""

from __future__ import annotations

import json

import pytest
from inspecting import Session

CODE = """
import collections.abc, contextlib, datetime, pathlib, sys, tempfile, typing
from concurrent.futures import ThreadPoolExecutor
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
df = pd.DataFrame({"age": [1, 2], "name": ["a", "b"]})
other = pd.DataFrame({"name": ["a"], "weight": [1.0]})
figure, old = plt.subplots(2, 2)
rows = [{"key": 1}]
class Box:
    def __enter__(self): return self
    def __exit__(self, *error): ...
    def itself(self): return self
    def star(*args): return args
    def other(self, a):
        self = a
        return self
    def none(self) -> None: return self
    def same(self) -> typing.Self if hasattr(typing, "Self") else "Box": return self
class Other(Box):
    def __enter__(self): return 1
class Told:
    def __enter__(self) -> Box: ...
def load() -> pd.DataFrame: ...
def two() -> tuple[int, pd.DataFrame]: ...
def many() -> list[pathlib.Path]: ...
def each() -> typing.Iterator["pathlib.Path"]: ...
def boxes() -> tuple[Box, ...]: ...
def maybe() -> typing.Optional[list[Box]]: ...
def either() -> typing.Union[list[Box], tuple[int, ...]]: ...
def noted() -> typing.Annotated[list[Box], 1]: ...
class Pair(typing.Generic[typing.TypeVar("A"), typing.TypeVar("B")]): ...
def pairs() -> Pair[int, str]: ...
def manager() -> contextlib.AbstractContextManager[Box]: ...
def track(rows) -> list[Box]: ...
def empty() -> "tuple[()]": ...
@contextlib.contextmanager
def managed() -> collections.abc.Iterator[Box]: ...
box = Box()
sys.modules["never.imported"] = None
class Own(pathlib.PurePath):
    def glob(self): ...
    def open(self): ...
    @classmethod
    def now(cls) -> "Own": ...
"""


@pytest.fixture(scope="module")
def session():
    return Session(CODE)


def given(line: str) -> list[dict]:
    """`x, 1 = text`, `x in text`, `x as text`, `x : text` and `x from module`, one after the other between semicolons."""
    found = []
    for part in line.split("; "):
        target, how, text = part.split(" ", 2)
        name, *places = target.split(",")
        found.append(
            {
                "name": name.lstrip("!"),
                "text": text,
                "how": {
                    "=": "assigned",
                    "in": "iterated",
                    "as": "entered",
                    ":": "annotated",
                    "return": "returns",
                    "from": "imported",
                }[how],
                "places": [int(place) for place in places],
                "before": name.startswith("!"),
            }
        )
    return found


def ask(session, kind: str, expression: str, line: str):
    return session.ask(kind, expression, given=given(line))


TYPES = {
    'x = df["age"]': "Series",
    "x = df.copy()": "DataFrame",
    "x = pathlib.Path('a') / 'b'": "Path",
    "p : pathlib.Path; x = p / 'b'": "Path",
    "p : pathlib.Path; x = p.parent": "Path",
    "p : pathlib.Path; x in p.glob('*')": "Path",
    "p : pathlib.Path; f = sorted(p.glob('*')); x = f[0]": "Path",
    "p : pathlib.Path; f = sorted(p.glob('*'))[1:]; x in f": "Path",
    "p : pathlib.Path; f = list(p.parents); x in f": "Path",
    "p : pathlib.Path; x = p.open('rb')": "BufferedReader",
    "p : pathlib.Path; x = p.open()": "TextIOWrapper",
    "x as pathlib.Path('a').open()": "TextIOWrapper",
    "f as open('a'); x = f.read().split()[0]": "str",
    "f as open('a'); x,2 = f.read().partition(' ')": "str",
    "f = many(); x in f": "Path",
    "f = many(); x = f[0]": "Path",
    "f = many(); x = f['a']": None,
    "x = datetime.datetime.now()": "datetime",
    "x = datetime.datetime.now() - datetime.datetime.now()": "timedelta",
    "x = datetime.datetime.now() + datetime.timedelta(1)": "datetime",
    "x = datetime.timedelta(1) + datetime.date.today()": "date",
    "x = datetime.timedelta(1) * 2": None,
    "x = datetime.datetime.now() - datetime.date.today()": None,
    "a,1 = plt.subplots(2, 2); x in a.shape": None,
    "a,1 = plt.subplots(2, 2); x in a.size": None,
    "a,1 = plt.subplots(2, 2); n in a.size; x = df": "DataFrame",
    "a,1 = plt.subplots(2, 2); b = list(a); x = b[0]": "ndarray",
    "a,1 = plt.subplots(2, 2); b = sorted(a); x in b": "ndarray",
    "a,1 = plt.subplots(2); x = list(a)[0]": "Axes",
    "a,1 = plt.subplots(2, 2); x = a.tolist()[0]": None,
    "a,1 = plt.subplots(2); x = a.tolist()[0]": "Axes",
    "a,1 = plt.subplots(2, 2); x = a.copy()[0]": "ndarray",
    "m = either(); x = m[0]": None,
    "m = either(); x in m": None,
    "x from never.imported": None,
    "x = Own.glob('*')": None,
    "o : Own; x = o.open()": None,
    "o : Own; x = o.glob('*')": None,
    "o : Own; x = o / 'a'": "Own",
    "x = Own.now()": "Own",
    "x from pathlib": "module",
    "x from matplotlib.pyplot": "module",
    "x from matplotlib:pyplot": "module",
    "p from pandas; x = p.Series([1])": "Series",
    "D from pandas:DataFrame; x = D()": "DataFrame",
    "d from pandas.core:frame; x = d.DataFrame()": "DataFrame",
    "x = df\n .head()": "DataFrame",
    "x = df.groupby('age')": "DataFrameGroupBy",
    "y = df.head(); x = y['age']": "Series",
    "x = df; x = x.age": "Series",
    "x = load()": "DataFrame",
    "x = [1, 2]": "list",
    "x = {'a': load()}": "dict",
    "x = 1.5": "float",
    "x = lambda: 1": "function",
    "x : pd.DataFrame": "DataFrame",
    "x : 'pd.DataFrame | None'": "DataFrame",
    "x : list[int]": "list",
    "x,1 = two()": "DataFrame",
    "x,0 = two()": "int",
    "x,1 = 1, load()": "DataFrame",
    "x,1,0 = 1, (load(), 2)": "DataFrame",
    "x,3 = boxes()": "Box",
    "x in many()": "Path",
    "x in each()": "Path",
    "x in [load()]": "DataFrame",
    "x in rows": "dict",
    "x in df": "str",
    "x in df.columns": "str",
    "x,0 in enumerate(rows)": "int",
    "x,1 in enumerate(rows)": "dict",
    "x,1,1 in enumerate(zip(rows, many()))": "Path",
    "x in reversed(rows)": "dict",
    "x in range(3)": "int",
    "x,1 in df.groupby('age')": "DataFrame",
    "x,1 in df.age.groupby(df.name)": "Series",
    "x,1 in df.iterrows()": "Series",
    "x,0 in df.items()": "str",
    "x,1 in df.items()": "Series",
    "x,0 in rows[0].items()": "str",
    "x in rows[0].values()": "int",
    "x as open('name')": "TextIOWrapper",
    "x as open('name', 'wb')": "BufferedWriter",
    "x as open('name', mode='rb')": "BufferedReader",
    "f as open('name'); x in f": "str",
    "x as ThreadPoolExecutor()": "ThreadPoolExecutor",
    "x as box": "Box",
    "x as box.same()": "Box",
    "x as Told()": "Box",
    "x as managed()": "Box",
    "x,1 = plt.subplots()": "Axes",
    "x,0 = plt.subplots()": "Figure",
    "x,1 = plt.subplots(2)": "ndarray",
    "x,1 = plt.subplots(nrows=1, ncols=1)": "Axes",
    "x,1,0 = plt.subplots(1, 2)": "Axes",
    "a,1 = plt.subplots(2, 2); x = a[0, 1]": "Axes",
    "a,1 = plt.subplots(2, 2); x in a.flat": "Axes",
    "a,1 = plt.subplots(2, 2); x in a.ravel()": "Axes",
    "x = old[0, 1]": "Axes",
    "x = old[0]": "ndarray",
    "x in old.flat": "Axes",
    "x = np.zeros(3).reshape(3, 1)": "ndarray",
    "x = df[mask]": None,
    "mask = df.age > 1; x = df[mask]": "DataFrame",
    "f return pd.DataFrame; x = f(1)": "DataFrame",
    "f return nothing; x = f(1)": None,
    "f return list[int]; x = f": "function",
    "x = old.reshape(4)": "ndarray",
    "x in maybe()": "Box",
    "x in either()": None,
    "x in noted()": "Box",
    "x in pairs()": None,
    "x : Box\n | None": "Box",
    "x as manager()": "Box",
    "a,1 = plt.subplots(2, 2); x = a[0]": "ndarray",
    "a,1 = plt.subplots(2, 2); x = a[0][1]": "Axes",
    "a,1 = plt.subplots(2, 2); x in a": "ndarray",
    "x,1,0 = plt.subplots(2, 2)": "ndarray",
    "x,1,0,1 = plt.subplots(2, 2)": "Axes",
    "a,1 = plt.subplots(2); x in a": "Axes",
    "a,1 = plt.subplots(2); x = a.shape[0]": None,
    "x = 1 / 2": "float",
    "x = 2 ** -1": None,
    "x = 6 // 4": "int",
    "x = np.unique(old)": "ndarray",
    "x = np.random.randint(0, 10, 5)": "ndarray",
    "x in track(rows)": "Box",
    "y = df.copy(); x = y.age": "Series",
    "y = 1 if df else 2; x = y if df else y": "int",
    "x = box.itself()": "Box",
    # Nobody knows.
    "x,1 = plt.subplots(squeeze=False)": None,
    "x,1 = plt.subplots(**more)": None,
    "x = open(*names)": None,
    "x = np.where(old)": None,
    "x = np.unique(old, return_counts=True)": None,
    "x = np.random.randint(0, 10)": None,
    "x = contextlib.contextmanager(load)": None,
    "x = box.star()": None,
    "x = box.other(1)": None,
    "x = box.none()": None,
    "x,0 = empty()": None,
    "x in empty()": None,
    "x in pd.read_csv('name')": "str",
    "x,0 in pd.DataFrame([[1, 2]]).items()": None,
    "f return Box; x = f[0]": None,
    "x = 1 +": None,
    "x = nothing": None,
    "x = open('name', mode)": None,
    "x = x": None,
    "x as Other()": None,
    "x as tempfile.TemporaryDirectory()": "str",
    "x,5 = two()": None,
    "x,2 = 1, 2": None,
    "x,1 = *rows, 2": None,
    "x,9 = rows": None,
    "x in 5": None,
    "x : nothing": None,
    "x from nothing": None,
    "x from pandas:nothing": None,
    "x from pandas.nothing": None,
    "x from :": None,
    "x : 1 +": None,
}


@pytest.mark.parametrize("line", TYPES)
def test_types(session, line):
    found = ask(session, "inspect", "x", line)
    assert (found and found["type"]) == TYPES[line]


COLUMNS = {
    "x = df.copy()": ["age", "name"],
    "x = df[df.age > 1]": ["age", "name"],
    "x = df.loc[df.age > 1]": ["age", "name"],
    "x = df[['age']]": ["age"],
    "x = df.loc[:, ['age']]": ["age"],
    "x = df.loc[df.age > 1, ['age']].head()": ["age"],
    "x = df[some]": [],
    "x = df.assign(size=1, age=2)": ["age", "name", "size"],
    "x = df.rename(columns={'age': 'years'})": ["years", "name"],
    "x = df.drop(columns=['age'])": ["name"],
    "x = df.drop(columns='age')": ["name"],
    "x = df.drop('age', axis=1)": ["name"],
    "x = df.drop(3)": ["age", "name"],
    "x = df.merge(other, on='name')": ["age", "name", "weight"],
    "x = pd.merge(df, other)": ["age", "name", "weight"],
    "x = pd.concat([df, other])": ["age", "name", "weight"],
    "x = pd.DataFrame({'a': [1], 'b': load()})": ["a", "b"],
    "x = pd.DataFrame(array, columns=['a', 'b'])": ["a", "b"],
    "x = pd.DataFrame([{'a': 1}])": ["a"],
    "x = pd.DataFrame(array)": [],
    "x = pd.DataFrame({'a': [1]}).assign(b=2).query('a > 1')": ["a", "b"],
    "y = df[['age']]; x = y.assign(b=1)": ["age", "b"],
    "x,1 in df.groupby('age')": ["age", "name"],
    "x = df.set_index('age')": ["name"],
    "x = df.groupby('age').sum().reset_index()": ["age", "name"],
    "x = df.groupby('age').agg(most=('name', 'max')).reset_index()": ["most", "age", "name"],
    "x = df.melt(id_vars='age')": ["age", "variable", "value"],
    "x = df.describe()": [],
    "x = {'one': 1, 'two': load()}": ["one", "two"],
    "x in rows": ["key"],
    "x = df.drop(['age'], columns=['name'])": ["age"],
    "x = df.melt(id_vars='age', var_name='k', value_name='v')": ["age", "k", "v"],
    "x = df.set_index('age', drop=False)": ["age", "name"],
    "x = df.filter(items=['age'])": ["age"],
    "x = df.filter(like='a')": ["age", "name"],
    "x = df.to_string()": [],
    "x = df.to_numpy()": [],
    "x = df.groupby('age').size()": [],
    "x = load()": [],
    "x = dict(one=1, two=load())": ["one", "two"],
    "x,1 in df.iterrows()": ["age", "name"],
    "x = df.iloc[0]": ["age", "name"],
    "mask = df.age > 1; x = df[mask]": ["age", "name"],
    "x = df[df.name.isin(['a'])]": ["age", "name"],
    "x = df[df.name.str.contains('a') & ~(df.age > 1)]": ["age", "name"],
}


@pytest.mark.parametrize("line", COLUMNS)
def test_keys(session, line):
    found = ask(session, "keys", "x", line)
    assert [item["name"] for item in found or []] == COLUMNS[line]


def test_what_is_in_a_dictionary_that_is_written(session):
    assert ask(session, "inspect", "x['a']", "x = {'a': {'deep': 1}}")["type"] == "dict"
    assert [it["name"] for it in ask(session, "keys", "x['a']", "x = {'a': {'deep': 1}}")] == [
        "deep"
    ]


def test_the_sessions_own_is_better_unless_it_is_older(session):
    assert ask(session, "inspect", "df", "df = 1")["type"] == "DataFrame"
    assert ask(session, "inspect", "df", "!df = 1")["type"] == "int"
    question = {
        "kind": "inspect",
        "expression": "df",
        "given": [*given("!df = 1"), *given("x = df")],
    }
    question["expression"] = "x"
    assert json.loads(session.inspector.answer(json.dumps(question).encode()))["type"] == "int"


def test_a_name_of_which_nobody_knows_hides_the_sessions(session):
    unknown = given("!df = x")
    unknown[0]["text"] = ""
    assert session.ask("inspect", "df", given=unknown) is None


def test_nothing_is_left_behind(session):
    assert ask(session, "inspect", "x", "x = df")["type"] == "DataFrame"
    assert session.ask("inspect", "x") is None
    assert "x" not in session.user_ns


def test_strings_in_calls_of_such_names(session):
    calls = [{"callee": "x.groupby", "index": 0, "keyword": None, "written": ""}]
    question = {"kind": "strings", "calls": calls, "prefix": "", "given": given("x = df[['age']]")}
    found = json.loads(session.inspector.answer(json.dumps(question).encode()))
    assert [item["name"] for item in found] == ["age"]
    calls = [{"callee": "pd.merge", "index": 2, "keyword": "on", "written": "x, y, on="}]
    lines = given("x = df.head(); y = other.head()")
    question = {"kind": "strings", "calls": calls, "prefix": "", "given": lines}
    found = json.loads(session.inspector.answer(json.dumps(question).encode()))
    assert [item["name"] for item in found] == ["name"]


@pytest.mark.parametrize(
    "text", ["(" * 1_000, "-" * 4_000 + "1", "x.a" * 300, "1+" * 300 + "1", "'" + "a" * 400 + "'"]
)
@pytest.mark.parametrize("how", ["assigned", "iterated", "entered", "annotated", "imported"])
def test_odd_texts_do_no_harm(session, how, text):
    told = [{"name": "x", "text": text, "how": how, "places": [], "before": False}]
    session.inspector.answer(
        json.dumps({"kind": "inspect", "expression": "x", "given": told}).encode()
    )
    many = [dict(told[0], name=f"x{n}", text=f"x{n - 1}") for n in range(1_000)]
    question = {"kind": "inspect", "expression": "x999", "given": many}
    assert session.inspector.answer(json.dumps(question).encode()) == b"null"


def test_choices_do_not_multiply(session):
    line = "; ".join(f"x{n + 1} = x{n} if df else x{n}" for n in range(40)).replace(
        "x1 = x0 if df else x0", "x1 = df if df else rows"
    )
    found = ask(session, "inspect", "x40", line)
    assert found is None or len(found["type"]) < 100
    assert ask(session, "members", "x20", line)


def test_a_nest_of_calls_is_no_error(session):
    deep = "np.sqrt(" * 150 + "old" + ")" * 150
    question = {"kind": "inspect", "expression": deep[:990], "given": []}
    session.inspector.answer(json.dumps(question).encode())
    session.ask("inspect", "np.sqrt(" * 100 + "old" + ")" * 100)
    assert ask(session, "inspect", "x", f"x = {'np.sqrt(' * 50}old{')' * 50}")["type"] == "ndarray"


def test_columns_of_a_frame_that_is_not_there_are_members(session):
    found = {item["name"] for item in ask(session, "members", "x", "x = df.assign(size2=1)")}
    assert {"age", "size2", "merge"} <= found
