"""How what the session knows is bound, what calls of it would give, and where it was written."""

from __future__ import annotations

import linecache
import sys
import time

import pytest
from inspecting import Session

CODE = """
import abc, collections, contextlib, dataclasses, enum, functools, operator, pathlib, re, typing
from typing import *

class A:
    shared = None
    @staticmethod
    def static(q, r): ...
    @classmethod
    def cl(cls, q) -> "A": ...
    def m(self, a, b=1) -> int: ...
    def me(self) -> "A": ...
    pm = functools.partialmethod(m, 1)
    @property
    def pr(self) -> "A": "A property."
    @property
    def silent(self): ...
    @functools.cached_property
    def lazy(self) -> list: ...
    @functools.cached_property
    def made(self) -> list: ...
    @functools.lru_cache
    def lru(self, z) -> str: ...
    @functools.singledispatchmethod
    def sd(self, w): ...
    @contextlib.contextmanager
    def context(self, depth: int) -> "Iterator[A]": yield self
    async def later(self) -> "A": ...
class B(A): ...
a, b = A(), B()
a.own = lambda x, y: 1
a.method = a.m
a.made = (1,)
p = functools.partial(a.m, b=3)
first = functools.partial(A.m, a, 1)
def decorated(f):
    @functools.wraps(f)
    def around(*args, **kwargs): return f(*args, **kwargs)
    return around
@decorated
def wrapped(x: int, *, y="s") -> str: "What is wrapped."
@functools.singledispatch
def dispatched(x): ...
@dataclasses.dataclass
class Point:
    x: int
    y: str = "a"
    z: list = dataclasses.field(default_factory=list)
    n: int = dataclasses.field(default=1, init=False)
    k: float = dataclasses.field(default=2.0, kw_only=True)
class Pair(NamedTuple):
    a: int
    b: str = "x"
pair = collections.namedtuple("pair", "a b", defaults=[1])
class Color(enum.Enum):
    RED = "r"
    BLUE = "b"
class Options(TypedDict, total=False):
    a: int
    b: str
class Shape(Protocol):
    def area(self) -> float: ...
T = TypeVar("T")
class Box(Generic[T]):
    def __init__(self, item: T): ...
    def get(self) -> T: ...
    def __getitem__(self, key: int) -> T: ...
class Points(Box[Point]): ...
points = Points(1)
class Meta(type):
    def __call__(cls, anything): ...
class Unusual(metaclass=Meta):
    def __init__(self, x): ...
class Caller:
    def __call__(self, x) -> A: ...
caller = Caller()
def choose(mode: Literal["fast", "exact"], other: Optional[Literal["x"]] = None, *, third: "Literal['u', 'v'] | None" = None): ...
def either() -> "Union[A, Point, None]": ...
def optional() -> Optional[A]: ...
def annotated() -> Annotated[List[int], "unit"]: ...
async def coroutine() -> A: ...
def generator(): yield 1
path = pathlib.Path("a")
"""


@pytest.fixture(scope="module")
def session():
    return Session(CODE)


# From CPython 3.14 on an annotation is shown as it was written.
UNIT = "'unit'" if sys.version_info >= (3, 14) else "…"
SIGNATURES = {
    "a.static": "(q, r)",
    "A.static": "(q, r)",
    "A.cl": "(q) -> A",
    "b.cl": "(q) -> A",
    "a.m": "(a, b=1) -> int",
    "A.m": "(self, a, b=1) -> int",
    "A.__dict__": None,
    "a.pm": "(b=1) -> int",
    "a.lru": "(z) -> str",
    "a.sd": "(w)",
    "a.own": "(x, y)",
    "a.method": "(a, b=1) -> int",
    "a.context": "(depth: int) -> Iterator[A]",
    "p": "(a, *, b=3) -> int",
    "first": "(b=1) -> int",
    "wrapped": "(x: int, *, y='s') -> str",
    "dispatched": "(x)",
    "Point": "(x: int, y: str = 'a', z: list = …, *, k: float = 2.0)",
    "Pair": "(a: int, b: str = 'x')",
    "pair": "(a, b=1)",
    "Color": "(value)",
    "Options": "(*, a: int = …, b: str = …)",
    "Shape": "",
    "Box": "(item: T)",
    "Box[int]": "(item: T)",
    "Unusual": "",
    "caller": "(x) -> A",
    "dict.fromkeys": "(iterable, value=None, /)",
    "{}.get": "(key, default=None, /)",
    "str.join": "(self, iterable, /)",
    "'a'.join": "(iterable, /)",
    "operator.add": "(a, b, /)",
    "annotated": f"() -> Annotated[List[int], {UNIT}]",
}


@pytest.mark.parametrize("expression", SIGNATURES)
def test_signatures(session, expression):
    expected = SIGNATURES[expression]
    found = session.signature(expression)
    assert found in (None, "") if expected is None else found == expected


TYPES = {
    "a.pr": "A",
    "a.pr.pr.me()": "A",
    "a.lazy": "list",
    "a.made": "tuple",
    "a.lazy.copy()": "list",
    "open('x')": "TextIOWrapper",
    "re.match('a', 'b')": "Match",
    "re.compile('a').search('b')": "Match",
    "re.compile('a')": "Pattern",
    "A.cl(1)": "A",
    "a.m(1)": "int",
    "a.lru(1)": "str",
    "wrapped(1)": "str",
    "p(1)": "int",
    "Point(1)": "Point",
    "Point(1).y": "str",
    "Color.RED": "Color",
    "Color['RED']": "Color",
    "Color('r')": "Color",
    "Color.RED.value": "str",
    "Color.RED.name": "str",
    "points.get()": "Point",
    "points[0]": "Point",
    "points.get().y": "str",
    "caller(1)": "A",
    "either()": "A | Point",
    "optional()": "A",
    "annotated()": "list",
    "coroutine()": "coroutine",
    "await coroutine()": "A",
    "await a.later()": "A",
    "generator()": "generator",
    "a.context(1)": "_GeneratorContextManager",
    "'a'.join(x)": "str",
    "'a'.split()": "list",
    "'a'.split()[0:1]": "list",
    "b'a'.decode()": "str",
    "'a'.encode()": "bytes",
    "{}.items()": "dict_items",
    "[1, 2]": "list",
    "[1] + [2]": "list",
    "[i for i in x]": "list",
    "{1: 2}": "dict",
    "{1, 2}": "set",
    "(1, 2)": "tuple",
    "f'{x}'": "str",
    "lambda: 1": "function",
    "1 + 2": "int",
    "1 < 2": "bool",
    "not x": "bool",
    "x in y": "bool",
    "a if x else path": None,
    "len(x)": "int",
    "sorted(x)": "list",
    "str(1)": "str",
    "dict(a=1)": "dict",
}


@pytest.mark.parametrize("expression", TYPES)
def test_what_would_be_given(session, expression):
    if expression == "a if x else path":
        assert session.type(expression).startswith("A | ")
    else:
        assert session.type(expression) == TYPES[expression]
        assert session.ask("members", expression)


UNKNOWN = [
    "a.silent", "Unusual(1)", "type(a)", "open('x', mode)", "a.static(1, 2)", "nothing()", "a + path", "(" * 60 + "a" + ")" * 60 + ".nothing",
    ".me()".join(["a", *[""] * 60]),
]  # fmt: skip


@pytest.mark.parametrize("expression", UNKNOWN)
def test_what_nobody_can_know_has_no_members(session, expression):
    assert session.ask("members", expression) is None


def test_a_property_is_not_its_descriptor(session):
    for expression in ["a.pr", "a.lazy", "path.parent"]:
        names = session.ask("members", expression)
        assert not {"fget", "getter", "attrname", "func"} & {it["name"] for it in names or []}
    found = session.ask("inspect", "a.pr")
    assert (found["kind"], found["type"], found["doc"]) == ("property", "A", "A property.")
    # Where it is asked for through the class it is an object like others.
    assert session.names("members", "A.pr") >= {"fget", "getter"}


def test_what_is_wrapped_speaks(session):
    assert session.ask("inspect", "wrapped")["doc"] == "What is wrapped."
    assert session.names("members", "either()") >= {"cl", "x", "y"}


def test_literals(session):
    assert session.strings("choose") == ["fast", "exact"]
    assert session.strings("choose", prefix="ex") == ["exact"]
    assert session.strings(("choose", 1)) == ["x"]
    assert session.strings(("choose", "other")) == ["x"]
    assert session.strings(("choose", "third")) == ["u", "v"]
    assert session.strings(("choose", "nothing")) is None
    assert session.strings("Color") == ["r", "b"]
    assert session.names("keys", "Color") == {"RED", "BLUE"}


def test_overloads_are_read():
    code = "from typing import overload, Literal\n@overload\ndef f(a: Literal['x']) -> int: ...\n@overload\ndef f(a: Literal['y']) -> int: ...\ndef f(a): ..."
    session = Session(code, __name__="overloads_are_read")
    known = sys.version_info >= (3, 11)
    assert session.strings("f") == (["x", "y"] if known else None)
    assert session.type("f('x')") == ("int" if known else None)


def test_strings_of_mappings_and_the_environment(monkeypatch):
    monkeypatch.setenv("DRUPE_OF_THE_TEST", "1")
    session = Session("import os\nfrom os import getenv", d={"alpha": 1, "beta": {"inner": 1}})
    assert session.strings("d.get") == ["alpha", "beta"]
    assert session.strings("d.pop", prefix="al") == ["alpha"]
    assert session.strings(("d.get", 1)) is None
    assert session.strings("d['beta'].get") == ["inner"]
    for callee in ["os.environ.get", "os.getenv", "getenv", "os.environ.pop"]:
        assert "DRUPE_OF_THE_TEST" in session.strings(callee, prefix="DRUPE_")
    assert session.strings("print") is None
    assert session.strings("d.nothing") is None


def test_where_it_was_written():
    text = "import functools\n\ndef f(): ...\n\nclass C:\n    x = 1\n\nclass D:\n    def m(self): ...\n"
    linecache.cache["<a cell>"] = (len(text), None, text.splitlines(keepends=True), "<a cell>")
    try:
        session = Session()
        exec(compile(text, "<a cell>", "exec"), session.user_ns)
        exec("import argparse\np = functools.partial(f)\nd = D()", session.user_ns)
        places = {"f": 3, "p": 3, "C": 5, "D": 8, "d.m": 9, "D.m": 9}
        for expression, line in places.items():
            found = session.ask("inspect", expression)
            assert (found["file"], found["line"], found["cell"]) == ("<a cell>", line, text)
    finally:
        del linecache.cache["<a cell>"]
    found = session.ask("inspect", "argparse.ArgumentParser")
    with open(found["file"]) as file:
        assert file.readlines()[found["line"] - 1].startswith("class ArgumentParser(")
    assert "cell" not in found
    found = session.ask("inspect", "argparse.ArgumentParser.parse_args")
    assert found["file"].endswith("argparse.py") and found["line"] > 1
    assert "file" not in session.ask("inspect", "len")


def test_types_of_one_name_have_members_of_their_own():
    code = "class T: first = 1\na = T()\nclass T: second = 1\nb = T()\nclass T: third = 1\nc = T()"
    found = Session(code, __name__="here").snapshot()
    items = {item["name"]: item for item in found["names"]}
    keys = [items[name].get("key", items[name]["type"]) for name in "abc"]
    assert [items[name]["type"] for name in "abc"] == ["T", "T", "T"]
    assert len(set(keys)) == 3
    for key, name in zip(keys, ["first", "second", "third"], strict=True):
        assert name in {member["name"] for member in found["members"][key]}


def test_letters_in_between():
    names = dict.fromkeys(
        ["group_by", "get_bytes", "rough_buy", "groupby", "xgxbx", "Gb", "big"], 1
    )
    session = Session(d=names)

    def ask(prefix):
        return [item["name"] for item in session.ask("keys", "d", prefix)]

    assert ask("gb") == ["Gb", "group_by", "get_bytes", "rough_buy", "groupby", "xgxbx"]
    # One letter has to begin a word.
    assert ask("b") == ["big", "group_by", "get_bytes", "rough_buy"]
    assert ask("group") == ["group_by", "groupby"]


def test_a_long_list_keeps_what_begins_so():
    names = {f"x_a{i}_b": 1 for i in range(5_000)} | {f"ab{i}": 1 for i in range(50)}
    session = Session(d=names)
    found = [item["name"] for item in session.ask("keys", "d", "ab")]
    assert len(found) == 1_000
    assert found[:50] == [f"ab{i}" for i in range(50)]


def test_very_much_is_no_trouble():
    session = Session(d={str(i): i for i in range(1_000_000)})
    session.snapshot()
    session.user_ns["more"] = 1
    started = time.thread_time()
    found = session.snapshot()
    taken = time.thread_time() - started
    assert len(found["keys"]["d"]) == 1_000
    assert taken < 0.05
