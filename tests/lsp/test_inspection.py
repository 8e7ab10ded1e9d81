"""The live half's reading of the session: it must see much and run nothing of the user's."""

from __future__ import annotations

import gc
import json
import sys
import time
import warnings
import weakref

import pytest
from inspecting import Session

TRAPS = """
ran = []
class Trap:
    def __getattr__(self, name): ran.append(f'getattr {name}'); raise AttributeError
    def __getattribute__(self, name): ran.append(f'getattribute {name}'); return object.__getattribute__(self, name)
    def __dir__(self): ran.append('dir'); return []
    def __repr__(self): ran.append('repr'); return 'x'
    def __len__(self): ran.append('len'); return 1
    def __eq__(self, other): ran.append('eq'); return False
    def __hash__(self): ran.append('hash'); return 1
    def __bool__(self): ran.append('bool'); return True
    def __getitem__(self, key): ran.append('getitem'); return 1
    def __iter__(self): ran.append('iter'); return iter(())
    @property
    def __class__(self): ran.append('class'); return int
    @property
    def prop(self): ran.append('property'); return 1
    @property
    def __dict__(self): ran.append('dict'); return {}
    def method(self, a, b=None): 'Doc.'
    value = 1
class Meta(type):
    def __getattribute__(self, name): ran.append(f'meta {name}'); return type.__getattribute__(self, name)
    def __getattr__(self, name): ran.append('meta getattr'); raise AttributeError
    def __instancecheck__(self, it): ran.append('instancecheck'); return True
    def __call__(self, *a): ran.append('call'); return type.__call__(self, *a)
class Made(metaclass=Meta):
    def __init__(self, x=Trap()): pass
trap = Trap()
made = Made()
class D(dict):
    def __missing__(self, key): ran.append('missing'); return 1
    def __iter__(self): ran.append('iter'); return iter(())
d = D(a=1)
class Key:
    def __hash__(self): ran.append('hash'); return 1
    def __eq__(self, it): ran.append('eq'); return True
class E(dict): pass
e = E({Key(): 1, 'a': trap})
def f(x=trap, y: trap = 1): 'F.'
ran.clear()
"""


def test_nothing_of_the_users_runs():
    session = Session(TRAPS)
    session.snapshot()
    for expression in [
        "trap", "trap.prop", "trap.method", "trap.missing", "trap['a']", "trap[0]", "Trap", "Trap.prop",
        "made", "Made", "Made.x", "d", "d['a']", "d['zz']", "e", "e['a']", "f", "f.__doc__", "trap.value",
        "trap()", "f(1)", "[trap for _ in range(9)]", "trap + trap", "-trap", "trap[trap]", "vars(trap)", "trap.__dict__", "vars(made)['x']", "vars(d)", "__import__('os')",
    ]:  # fmt: skip
        for kind in ["members", "keys", "inspect"]:
            session.ask(kind, expression)
        for call in [
            ("getattr", 1, f"{expression}, "),
            (f"({expression}).get", 0),
            ("f", "y", f"x={expression}, y="),
        ]:
            session.strings(call)
    assert session.user_ns["ran"] == []
    assert session.names("members", "trap") >= {"prop", "method", "value"}
    assert session.ask("inspect", "trap.prop")["kind"] == "property"
    assert session.ask("inspect", "trap.method")["signature"] == "(a, b=None)"
    # From CPython 3.14 on an annotation is shown as it was written.
    shown = "trap" if sys.version_info >= (3, 14) else "…"
    assert session.ask("inspect", "f")["signature"] == f"(x=…, y: {shown} = 1)"


def test_members_of_instances_classes_and_modules():
    code = "class A:\n  s = 1\n  def m(self): ...\nclass B(A):\n  __slots__ = ('slot',)\na = A(); a.own = 1\nb = B(); b.slot = a\nimport json"
    session = Session(code)
    assert session.names("members", "a") >= {"own", "s", "m", "__class__"}
    assert session.names("members", "a", "o") == {"own"}
    assert session.names("members", "b.slot") >= {"own", "m"}
    assert session.names("members", "json.decoder") >= {"JSONDecoder"}
    assert session.names("members", "sys.modules['json']", "dum") == {"dump", "dumps"}
    assert session.ask("members", "nothing") is None


def test_keys():
    session = Session(d={"a": {"inner": 1}, 2: 3, "ab": 0}, t=[{"k": 1}])
    assert session.names("keys", "d") == {"a", "ab"}
    assert session.names("keys", "d['a']") == {"inner"}
    assert session.names("keys", "t[0]") == {"k"}
    assert session.ask("keys", "t[9]") is None


def test_keys_of_what_is_made_of_dictionaries():
    code = """
from collections import Counter, OrderedDict, defaultdict
count, order, default = Counter("aab"), OrderedDict(first=1), defaultdict(list, second=[])
class Sub(dict):
    def keys(self): raise SystemExit
    __iter__ = __getitem__ = __len__ = get = keys
sub = Sub(third=1)
class Point:
    def __init__(self): self.x = self.y = 1
point = Point()
"""
    session = Session(code)
    assert session.names("keys", "count") == {"a", "b"}
    assert session.names("keys", "order") == {"first"} and session.names("keys", "default") == {
        "second"
    }
    assert session.names("keys", "sub") == {"third"} and session.strings("sub.get") == ["third"]
    assert session.strings("count.get") == ["a", "b"]
    for expression in ["point.__dict__", "vars(point)"]:
        assert session.names("keys", expression) == {"x", "y"}
    assert session.names("keys", "globals()") >= {"point", "count", "Point"}
    assert session.type("count['a']") == "int" and session.type("vars(point)['x']") == "int"
    assert session.type("sub['third']") is None


def test_nothing_is_said_of_odd_escapes():
    session = Session("d = {'a': {'b\\n': 1}}")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert session.type(r"'\d'.upper()") == "str"
        assert session.strings(("d.get", 0, r"key='\d', other=")) == ["a"]
        assert session.type(r"d['a']['b\n']") == "int"
        assert session.type(r"x or'\d'") is None
        assert session.type(r"rb'\d'.upper()") == "bytes"
    assert said == []
    assert Session(r"d = {r'\d': 1}").type(r"d[r'\d']") == "int"


def test_elements_of_what_is_written():
    session = Session("x = 1")
    assert session.type("[x, 'a'][0]") == "int" and session.type("(x, 'a')[-1]") == "str"
    for expression in ["[x][1]", "[*x, x][1]", "[y for y in [x]][0]"]:
        assert session.type(expression) is None, expression


def test_descriptions():
    code = "def f(a: int, /, b: 'str' = 'x', *c, d, **e) -> list: '''Do.\n\n      More.\n    '''\nclass C:\n  'Class.'\n  def __init__(self, n): ...\n  @staticmethod\n  def st(q): ...\n  @classmethod\n  def cl(cls, q): ...\nx = 3\nimport os"
    session = Session(code)
    found = session.ask("inspect", "f")
    assert found["signature"] == "(a: int, /, b: str = 'x', *c, d, **e) -> list"
    assert found["doc"] == "Do.\n\nMore."
    assert session.ask("inspect", "C")["signature"] == "(n)"
    assert session.ask("inspect", "C")["doc"] == "Class."
    assert session.ask("inspect", "C.st")["signature"] == "(q)"
    assert session.ask("inspect", "x") | {"doc": ""} == {
        "kind": "instance", "type": "int", "topic": "int", "signature": "", "doc": "", "preview": "3",
    }  # fmt: skip
    assert session.ask("inspect", "os.path")["topic"] in ("posixpath", "ntpath")
    assert session.ask("inspect", "len")["signature"].startswith("(obj")
    assert session.ask("inspect", "'a'.join")["signature"].startswith("(iterable")


def test_modules_without_importing():
    session = Session()
    sys.modules.pop("xml.dom.minidom", None)
    assert "json" in session.names("modules", "", "js")
    assert "xml.dom.minidom" in session.names("modules", "", "xml.dom.mi")
    assert "xml.dom.minidom" not in sys.modules
    assert session.names("modules", "", "no.such.package.") == set()


def test_the_snapshot_is_bounded_and_only_taken_when_something_changed():
    names = {f"name_{i}": i for i in range(20_000)}
    session = Session(**names)
    started = time.thread_time()
    snapshot = session.inspector.snapshot()
    first = time.thread_time() - started
    found = json.loads(snapshot)
    assert len(found["names"]) == 10_000
    assert found["names"][-1] == {"name": "name_19999", "kind": "instance", "type": "int"}
    assert "hidden" not in {item["name"] for item in found["names"]}
    assert found["line_magics"] == ["time"]
    started = time.thread_time()
    assert session.inspector.snapshot() is None
    again = time.thread_time() - started
    print(f"first {first * 1e3:.1f} ms, unchanged {again * 1e3:.1f} ms")
    session.user_ns["name_19999"] = "now a string"
    assert session.snapshot()["names"][-1]["type"] == "str"
    assert first < 1 and again < 0.2


def test_what_is_known_is_not_worked_out_again():
    code = "import os, sys, json\n" + "\n".join(f"def f{i}(a, b={i}): 'Doc.'" for i in range(300))
    session = Session(code)
    first = session.snapshot()
    assert first["objects"]["f7"]["signature"] == "(a, b=7)"
    assert {item["name"] for item in first["members"]["module:json"]} >= {"dumps"}
    session.user_ns["new"] = 1
    started = time.thread_time()
    session.snapshot()
    again = time.thread_time() - started
    print(f"one name more: {again * 1e3:.2f} ms")
    assert again < 0.1
    exec("def f7(c): ...", session.user_ns)
    session.user_ns["json"].drupe_was_here = 1
    try:
        second = session.snapshot()
    finally:
        del session.user_ns["json"].drupe_was_here
    assert second["objects"]["f7"]["signature"] == "(c)"
    assert "drupe_was_here" in {item["name"] for item in second["members"]["module:json"]}


def test_nothing_is_kept_alive():
    session = Session("class A: ...\ndef f(): ...\na = A()")
    session.snapshot()
    gone = [weakref.ref(session.user_ns.pop(name)) for name in ("f", "a", "A")]
    session.snapshot()
    gc.collect()
    assert [ref() for ref in gone] == [None, None, None]


def test_in_place_changes_are_seen():
    session = Session(d={"a": 1})
    session.snapshot()
    session.user_ns["d"]["b"] = 2
    assert session.snapshot()["keys"]["d"] == ["a", "b"]


def test_names_that_are_not_ascii():
    session = Session(**{"größe": {"ключ": 1}, "no name": 1})
    found = session.snapshot()
    assert [item["name"] for item in found["names"]] == ["größe"]
    assert found["keys"] == {"größe": ["ключ"]}
    session.user_ns["größe"]["b"] = 1
    assert session.snapshot()["keys"] == {"größe": ["ключ", "b"]}


def test_lone_surrogates_are_no_danger():
    session = Session(d={"\ud800x": 1, "fine": 2})
    assert session.names("keys", "d") == {"\ufffdx", "fine"}
    session.snapshot()


@pytest.mark.parametrize("expression", ["", "(", "a" * 5000, "(" * 500, "x.", "a b", "\0", "1 +"])
def test_nonsense_is_unknown(expression):
    assert Session().ask("inspect", expression) is None


def test_what_a_with_gives_is_told_from_its_code_or_its_annotation():
    session = Session(
        "class Itself:\n  def __enter__(self): return self\n"
        "class Perhaps:\n  def __enter__(self):\n    if self: return self\n"
        "class Number:\n  def __enter__(self): return 1\n"
        "class Said:\n  def __enter__(self) -> Itself: ...\n"
        "class Cell:\n  def __enter__(self):\n    lambda: self\n    return self\n"
        "class Known:\n  def __enter__(me):\n    me.a = 1\n    return me\n"
    )
    for made, kind in {
        "Itself": "Itself",
        "Known": "Known",
        "Cell": "Cell",
        "Said": "Itself",
        "Number": None,
        "Perhaps": None,
    }.items():
        told = {"name": "x", "text": f"{made}()", "how": "entered", "places": [], "before": False}
        found = session.ask("inspect", "x", given=[told])
        assert (found and found["type"]) == kind, made
