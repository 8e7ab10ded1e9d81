"""Nothing of anybody's code runs to answer a question: objects that tell when they are touched, in all places where they can be."""

from __future__ import annotations

import sys

import pytest
from inspecting import Session

# `ran` gets to know of everything. A metaclass may have its own idea of being equal, of hashes and of names.
SPIES = """
import dataclasses, enum, functools, types, typing, collections
from unittest import mock
ran = []
def spy(name):
    def method(self, *args, **kwargs):
        ran.append(name)
        return {'__hash__': 7, '__eq__': False, '__len__': 1, '__bool__': True, '__instancecheck__': True,
            '__subclasscheck__': True, '__dir__': []}.get(name, self)
    return method
NAMES = ['__repr__', '__str__', '__eq__', '__hash__', '__len__', '__bool__', '__getattr__', '__dir__', '__iter__',
    '__getitem__', '__call__', '__format__', '__instancecheck__', '__subclasscheck__', '__or__', '__ror__',
    '__lt__', '__contains__', '__index__', '__get__']
SPIED = {name: spy(name) for name in NAMES if name not in ('__get__',)}
class Meta(type):
    vars().update({name: held for name, held in SPIED.items() if name != '__call__'})
    def __getattribute__(self, name):
        ran.append('meta getattribute ' + name)
        return type.__getattribute__(self, name)
for name in ('__module__', '__signature__'):
    setattr(Meta, name, property(lambda self, name=name: ran.append('meta ' + name)))
class Spy(metaclass=Meta):
    vars().update(SPIED)
    x: int = 1
    def __getattribute__(self, name): ran.append('getattribute ' + name); return object.__getattribute__(self, name)
    def method(self, a): ...
    @property
    def __class__(self): ran.append('class'); return int
    @property
    def __doc__(self): ran.append('doc'); return 'x'
    @property
    def __signature__(self): ran.append('signature')
    @property
    def __wrapped__(self): ran.append('wrapped')
    @property
    def __dict__(self): ran.append('dict'); return {}
    @property
    def prop(self) -> 'Spy': ran.append('prop'); return self
    def __class_getitem__(cls, key): ran.append('class getitem'); return cls
    def __mro_entries__(self, bases): ran.append('mro entries'); return ()
class Text(str):
    vars().update({name: held for name, held in SPIED.items() if name not in ('__len__', '__getattr__', '__call__')})
    def lower(self): ran.append('lower'); return 'x'
    def isidentifier(self): ran.append('isidentifier'); return True
    def startswith(self, *a): ran.append('startswith'); return True
    def __hash__(self): ran.append('text hash'); return str.__hash__(self)
spy_object = Spy()
# What the questions are about, with a spy in each.
held = Spy.__new__(Spy)
class Plain: pass
plain = Plain()
plain.__dict__[Text('alpha')] = 1
plain.beta = spy_object
keyed = {Text('alpha'): 1, spy_object: 2, 'beta': spy_object, 3: 4}
in_list = [spy_object]
annotated = typing.Annotated[int, spy_object]
literal = typing.Literal['a', 'b']
alias = list[spy_object]
deep = dict[str, list[typing.Annotated[Spy, spy_object]]]
def f(a: typing.Annotated[int, spy_object] = 1, b: alias = spy_object, c: deep = [spy_object], *d: Spy, e: Spy = spy_object) -> annotated: ...
def g(x=spy_object) -> 'spy_object[0]': ...
g.__signature__ = spy_object
h = functools.partial(f, spy_object, e=spy_object)
class Wrapper:
    def __get__(self, owner, kind=None): ran.append('get'); return 1
    def __set__(self, owner, value): ran.append('set')
class Holder:
    data = Wrapper()
    bound = functools.partialmethod(f, spy_object)
    cached = functools.cached_property(lambda self: ran.append('cached'))
    spied = spy_object
    static = staticmethod(spy_object)
    cls = classmethod(spy_object)
holder = Holder()
class Fields:
    __dataclass_fields__ = {'a': spy_object}
    __annotations__ = {'a': spy_object, 'b': annotated}
    __orig_bases__ = (spy_object, annotated)
    def __init__(self, a, b: alias): ...
fields = Fields(1, 2)
class LocalProxy:
    __slots__ = ('_get',)
    def __init__(self): object.__setattr__(self, '_get', lambda: ran.append('proxied'))
    def __getattr__(self, name): return getattr(self._get(), name)
    __class__ = property(lambda self: self._get().__class__)
    __dict__ = property(lambda self: self._get().__dict__)
    __doc__ = property(lambda self: self._get().__doc__)
    __repr__ = lambda self: repr(self._get())
proxy = LocalProxy()
class LazyModule(types.ModuleType):
    def __getattribute__(self, name): ran.append('module ' + name); return super().__getattribute__(name)
lazy = LazyModule('lazy')
module = types.ModuleType('with_getattr')
module.__getattr__ = lambda name: ran.append('module getattr')
mocked = mock.MagicMock()
caller = type('Caller', (), {'__call__': spy_object})()
class Enumeration(enum.Enum):
    A = 'a'
    @property
    def label(self): ran.append('label'); return 1
named = collections.namedtuple('named', 'a b')(spy_object, spy_object)
made = type('Made', (), {Text('alpha'): 1, '__doc__': spy_object, '__module__': spy_object, '__call__': spy_object})
instance = made()
ordered = collections.OrderedDict({'a': spy_object})
default = collections.defaultdict(lambda: ran.append('default'), a=1)
class Named:
    def __getattr__(self, name): ran.append('named ' + name); return spy_object
    def __call__(self, *args): ran.append('called')
bound = types.MethodType(Named(), 1)
class Module(str):
    def __eq__(self, other): ran.append('module eq'); return True
    def __ne__(self, other): ran.append('module ne'); return True
    __hash__ = str.__hash__
def train_test_split(a): ...
train_test_split.__module__ = Module('sklearn')
def subplots(a): ...
subplots.__module__ = Module('matplotlib')
def gives() -> Spy: ...
def sort(a): ...
def renamed(a): return a
renamed.__name__ = renamed.__qualname__ = Text('sort')
renamed.__module__ = Text('re')
import textwrap
vars(textwrap)[Text('list')] = vars(textwrap)[Text('Iterator')] = 1
class Renamed:
    renamed = renamed
holder2 = Renamed()
class Cyclic: pass
c1 = lambda: 0
c2 = lambda: 0
c1.__wrapped__, c2.__wrapped__ = c2, c1
c3 = lambda: 0
c3.__wrapped__ = c3
ran.clear()
"""
PLACES = [
    "spy_object", "spy_object.prop", "spy_object.method", "spy_object.x", "spy_object.missing", "Spy", "Spy.method", "Spy.prop",
    "Spy.x", "Meta", "spy_object[0]", "spy_object()", "Spy()", "Spy[int]", "Spy[0]()", "plain", "plain.alpha", "plain.beta",
    "keyed", "keyed['alpha']", "keyed['beta']", "keyed[3]", "keyed['no']", "in_list", "in_list[0]", "in_list[0].x", "annotated",
    "literal", "alias", "deep", "alias()", "f", "f(1)", "g", "g()", "h", "h(1)", "holder", "holder.data", "holder.bound",
    "holder.cached", "holder.spied", "holder.static", "holder.cls", "holder.static()", "holder.spied()", "Holder.data", "fields",
    "Fields", "Fields()", "fields.a", "fields.b", "Fields(1).a", "proxy", "proxy.anything", "proxy()", "lazy", "lazy.anything",
    "module", "module.anything", "mocked", "mocked.anything", "mocked()", "mocked.a.b()", "caller", "caller()", "Enumeration.A",
    "Enumeration.A.label", "Enumeration.A.value", "Enumeration('a')", "named", "named.a", "named[0]", "made", "made.alpha",
    "instance", "instance.alpha", "instance()", "ordered['a']", "default['b']", "default", "c1", "c1()", "c3", "c3()", "spy_object + 1",
    "spy_object == spy_object", "spy_object < 1", "-spy_object", "not spy_object", "spy_object if spy_object else 1",
    "spy_object[spy_object]", "{spy_object: 1}", "[spy_object]", "f'{spy_object}'", "keyed[spy_object]", "Spy | Spy",
    "len(spy_object)", "sorted(keyed)", "getattr(spy_object, 'x')", "spy_object in keyed", "str(spy_object)", "type(spy_object)",
    "bound()", "train_test_split(1)", "subplots(1)", "gives()", "gives()()", "sort(1)", "renamed(1)", "holder2.renamed(1)", "bound", "spy_object.__class__", "spy_object.__dict__", "Spy.__name__", "Spy.__mro__", "spy_object.__doc__", "super(Spy, spy_object)",
    "spy_object / 'a'", "spy_object - spy_object", "sorted(spy_object)[0]", "list(in_list)[0]", "iter(spy_object)", "Renamed.renamed(1)",
    "textwrap.wrap('a')", "textwrap.wrap('a')[0]", "sorted(textwrap.wrap('a'))[0]",
]  # fmt: skip


@pytest.fixture(scope="module")
def session():
    session = Session(SPIES)
    session.snapshot()
    assert session.user_ns["ran"] == [], "the snapshot"
    return session


@pytest.mark.parametrize("place", PLACES)
def test_nothing_runs(session, place):
    session.user_ns["ran"].clear()
    for kind in ["members", "keys", "inspect"]:
        for prefix in ["", "al", "b"]:
            session.ask(kind, place, prefix)
    for where in [0, 1, "a", "b", "e"]:
        session.strings((place, where), prefix="a")
        session.strings((f"{place}.get", where))
    assert session.user_ns["ran"] == []


@pytest.mark.parametrize("place", PLACES)
def test_nothing_runs_for_names_that_are_given(session, place):
    session.user_ns["ran"].clear()
    for how in ["assigned", "iterated", "entered", "annotated"]:
        for places in [[], [0], [1], [0, 0], [1, 1]]:
            told = {"name": "x", "text": place, "how": how, "places": places, "before": True}
            for asked in ["x", "x.a", "x[0]", "x['a']"]:
                for kind in ["members", "keys", "inspect"]:
                    session.ask(kind, asked, given=[told])
    for around in [
        f"enumerate({place})",
        f"zip({place}, {place})",
        f"{place}.items()",
        f"{place}.flat",
    ]:
        told = {"name": "x", "text": around, "how": "iterated", "places": [1], "before": True}
        session.ask("members", "x", given=[told])
    assert session.user_ns["ran"] == []


def test_the_second_snapshot_runs_nothing_either(session):
    session.user_ns["ran"].clear()
    session.user_ns["one_more"] = session.user_ns["Spy"]
    session.snapshot()
    assert session.inspector.snapshot() is None
    assert session.user_ns["ran"] == []


def test_what_is_known_is_told_all_the_same(session):
    shown = [
        "Annotated[int, …]",
        "list[…]",
        "dict[str, list[Annotated[Spy, …]]]",
        "Annotated[int, …]",
    ]
    if sys.version_info >= (3, 14):  # as they were written
        shown = ["typing.Annotated[int, spy_object]", "alias", "deep", "annotated"]
    a, b, c, result = shown
    expected = f"(a: {a} = 1, b: {b} = …, c: {c} = …, *d: Spy, e: Spy = …) -> {result}"
    assert session.signature("f") == expected
    assert session.names("members", "spy_object") >= {"method", "prop", "x"}
    assert session.names("members", "plain") >= {"beta"}
    assert session.type("spy_object.prop") == "Spy"
    assert session.names("members", "spy_object.prop") >= {"method"}
    assert session.ask("members", "holder.data") is None
    assert session.ask("members", "holder.cached") is None
    assert session.type("keyed['beta']") == "Spy"
    assert session.type("f(1)") == "int"


def test_objects_of_libraries_that_stand_for_others():
    session = Session("import numpy\nfrom unittest.mock import Mock\nmock = Mock()")
    before = len(session.user_ns["mock"].mock_calls)
    session.snapshot()
    session.ask("members", "mock")
    session.ask("inspect", "mock.anything.at.all")
    assert "anything" not in session.user_ns["mock"]._mock_children
    assert len(session.user_ns["mock"].mock_calls) == before


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="type parameters are for CPython 3.12 and newer"
)
def test_type_parameters_are_not_evaluated():
    code = "ran = []\ntype A = ran.append(1)\nclass C[T: ran.append(2)]:\n  def m(self) -> T: ...\n  def n(self) -> A: ...\nc = C()"
    session = Session(code)
    session.snapshot()
    for place in ["c.m()", "c.n()", "A", "C", "c.m", "c.n"]:
        session.ask("inspect", place)
        session.ask("members", place)
    assert session.user_ns["ran"] == []


def test_a_library_that_is_loaded_lazily_stays_so(session, monkeypatch):
    lazy = session.user_ns["lazy"]
    for name in ["numpy", "seaborn", "matplotlib.pyplot", "matplotlib.axes", "pandas"]:
        monkeypatch.setitem(sys.modules, name, lazy)
    session.user_ns["ran"].clear()
    code = "def relplot(): ...\ndef heatmap(): ...\nrelplot.__module__ = heatmap.__module__ = 'seaborn.axisgrid'"
    exec(code, session.user_ns)
    for place in ["relplot()", "heatmap()", "sort(1)", "f(1)", "renamed(1)"]:
        session.ask("inspect", place)
        session.ask("members", place)
    assert session.user_ns["ran"] == []
