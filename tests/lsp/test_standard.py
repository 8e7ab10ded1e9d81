"""What is written down of the standard library's functions, beside what they really give."""

from __future__ import annotations

import collections.abc
import importlib
import pathlib
import tempfile
import threading

import pytest
from inspecting import Session, load

load()
standard = importlib.import_module("drupe_without_core.reading.standard")

CODE = """
import argparse, base64, collections, configparser, csv, datetime, decimal, fractions, functools, glob, hashlib, html, http.server, inspect, io, json, logging, math, os, pathlib, pickle
import platform, random, re, shutil, sqlite3, subprocess, sys, tempfile, textwrap, threading, time, traceback
import urllib.parse, urllib.request, uuid, zipfile
folder = pathlib.Path(tempfile.mkdtemp())
here = folder / "here.txt"
here.write_text("one\\ntwo\\n")
(folder / "there.txt").write_text("three")
packed = folder / "packed.zip"
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("inside.txt", "text")
day, moment = datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2, 3, 4)
parser = configparser.ConfigParser()
parser.read_string("[a]\\nb = c")
lists = sqlite3.connect(":memory:")
lists.execute("create table t (a)")
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(204), self.end_headers()
    def log_message(self, *words): ...
server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
def function(): return 1
class Own(type(here)):
    def __truediv__(self, other): return 5
    def stat(self): return 5
class Plain(type(here)): ...
@functools.wraps(json.dumps)
def dumps(*arguments): return 5
def union() -> "list[datetime.date] | str": return ""
"""
# What the functions of a module, and the methods of a class, are called through.
THROUGH = {
    "_io.TextIOWrapper": "open(here, 'r+')",
    "_io.StringIO": "io.StringIO('text')",
    "_io.BufferedReader": "open(here, 'rb')",
    "_io.BufferedRandom": "open(here, 'r+b')",
    "_io.BufferedWriter": "open(folder / 'written', 'wb')",
    "_io.BytesIO": "io.BytesIO(b'text')",
    "_io.FileIO": "io.FileIO(here)",
    "_csv": "csv",
    "_random.Random": "random",
    "_sqlite3": "sqlite3",
    "_pickle": "pickle",
    "_hashlib": "hashlib",
    "_hashlib.HASH": "hashlib.sha256(b'')",
    "argparse.ArgumentParser": "argparse.ArgumentParser()",
    "builtins.str": "'a b'",
    "builtins.bytes": "b'a b'",
    "collections.Counter": "collections.Counter('abb')",
    "collections.OrderedDict": "collections.OrderedDict()",
    "configparser.RawConfigParser": "parser",
    "datetime.datetime": "moment",
    "datetime.date": "day",
    "datetime.time": "datetime.time(1, 2)",
    "datetime.timedelta": "datetime.timedelta(1)",
    "genericpath": "os.path",
    "logging.Logger": "logging.getLogger('tests')",
    "pathlib.Path": "here",
    "pathlib.PurePath": "here",
    "posix": "os",
    "posixpath": "os.path",
    "random.Random": "random",
    "re.Pattern": "re.compile('o(n)')",
    "re.Match": "re.search('o(n)', 'one')",
    "sqlite3.Connection": "lists",
    "sqlite3.Cursor": "lists.execute('select 1')",
    "subprocess.Popen": "subprocess.Popen(['true'])",
    "tempfile.TemporaryDirectory": "tempfile.TemporaryDirectory()",
    "zipfile.ZipFile": "zipfile.ZipFile(packed)",
}
# What they are called with that need something, by their name in their module or by their name alone.
ARGUMENTS = {
    "BufferedWriter.write": "b'text'", "BytesIO.write": "b'text'", "write": "'text'", "getrandbits": "8", "connect": "':memory:'",
    "reader": "open(here)", "urlsafe_b64decode": "b'YQ=='", "b64decode": "b'YQ=='", "b32decode": "b'ME======'",
    "b16decode": "b'61'", "_pickle.dumps": "1", "dumps": "1", "options": "'a'", "fromtimestamp": "0",
    "strptime": "'2020', '%Y'", "combine": "day, datetime.time(1)", "datetime.fromisoformat": "'2020-01-02'",
    "date.fromisoformat": "'2020-01-02'", "time.fromisoformat": "'01:02'", "date.strftime": "'%Y'", "time.strftime": "'%H'", "strftime": "'%Y'",
    "signature": "function", "getsource": "textwrap.dedent", "getdoc": "len", "getmodulename": "'a.py'", "getLogger": "'tests'", "getChild": "'a'",
    "hypot": "1, 2", "atan2": "1, 2", "fmod": "1, 2", "copysign": "1, 2", "gcd": "1, 2", "lcm": "1, 2", "comb": "2, 1", "perm": "2, 1",
    "isclose": "1, 2", "fsum": "[1.0]", "dist": "[1], [2]", "rename": "here", "replace": "here", "joinpath": "'a'", "with_name": "'a'",
    "with_stem": "'a'", "with_suffix": "'.a'", "relative_to": "folder", "Path.glob": "'*'", "rglob": "'*'", "match": "'*'", "write_text": "'one'",
    "write_bytes": "b'one'", "PurePath.match": "'*.txt'", "getenv": "'PATH'", "fsencode": "'a'", "listdir": "folder",
    "posixpath.join": "'a', 'b'", "commonpath": "['/a']", "glob": "'*'", "iglob": "'*'", "escape": "'<'", "unescape": "'&lt;'",
    "uniform": "1, 2", "gauss": "0, 1", "randint": "1, 2", "randrange": "3", "sample": "[1, 2], 1", "choices": "[1, 2]", "re.sub": "'a', 'b', 'c'",
    "re.subn": "'a', 'b', 'c'", "Pattern.sub": "'b', 'one'", "expand": "r'\\1'", "re.finditer": "'o', 'one'", "Pattern.finditer": "'one'",
    "which": "'sh'",
    "make_archive": "str(folder / 'archive'), 'zip', folder, 'here.txt'", "executescript": "''", "executemany": "'insert into t values (?)', []",
    "execute": "'select 1'", "subprocess.run": "['true']", "getoutput": "'true'", "call": "['true']", "check_call": "['true']",
    "indent": "'a', ' '", "shorten": "'a b', 5", "mktime": "time.localtime()", "time.strptime": "'2020', '%Y'", "urlencode": "{'a': 1}",
    "urljoin": "'a', 'b'", "urlunparse": "urllib.parse.urlparse('a')", "urlopen": "address", "uuid3": "uuid.NAMESPACE_DNS, 'a'",
    "uuid5": "uuid.NAMESPACE_DNS, 'a'", "ZipFile.read": "'inside.txt'", "partition": "' '", "rpartition": "' '",
    **dict.fromkeys("stat lstat exists isfile isdir getsize getmtime getctime getatime realpath isabs islink ismount".split(), "here"),
    **dict.fromkeys("basename dirname abspath expanduser expandvars relpath split splitext".split(), "'/a/b.c'"),
    **dict.fromkeys("b64encode urlsafe_b64encode b32encode b16encode md5 sha1 sha224 sha256 sha384 sha512".split(), "b'a'"),
    **dict.fromkeys("cleandoc dedent fill wrap quote unquote quote_plus urlparse parse_qs".split(), "'a=1'"),
    **dict.fromkeys(
        """sqrt exp log log2 log10 sin cos tan asin acos atan sinh cosh tanh degrees radians fabs factorial isqrt isnan isinf
        isfinite""".split(),
        "1",
    ),
}  # fmt: skip
# Methods that are called without anything, though a function of this name is not.
ALONE = """datetime.datetime.replace datetime.date.replace datetime.time.replace builtins.str.split builtins.bytes.split collections.Counter.copy
    collections.OrderedDict.copy pathlib.Path.stat pathlib.Path.exists pathlib.Path.expanduser""".split()


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # What is made here goes with the test's folder, and the server is asked directly.
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("made")))
        patch.setenv("no_proxy", "127.0.0.1")
        session = Session(CODE)
        yield session
        session.user_ns["server"].shutdown()
        session.user_ns["server"].server_close()


def example(session, module: str, name: str) -> str:
    """An expression that calls it, or has the property."""
    *classes, last = name.split(".")
    home = ".".join([module, *classes])
    last = last.removeprefix("openssl_")
    where = (
        "folder" if last in ("iterdir", "glob", "rglob") and classes else THROUGH.get(home, home)
    )
    through = f"{where}.{last}"
    if classes and isinstance(
        getattr(type(eval(THROUGH[home], session.user_ns)), last, None), property
    ):
        return through
    given = [f"{home}.{last}", f"{module}.{name}", name, last]
    arguments = (
        "" if given[0] in ALONE else next((ARGUMENTS[it] for it in given if it in ARGUMENTS), "")
    )
    return f"{through}({arguments})"


def told(session, text: str, how: str, *places: int):
    given = {"name": "x", "text": text, "how": how, "places": places, "before": False}
    found = session.ask("inspect", "x", given=[given])
    return found and found["type"]


def names_of(value) -> set[str]:
    """What a value may be said to be: its class; that of all paths; that which says how it is used."""
    if isinstance(value, pathlib.Path):
        return {"Path", type(value).__name__}
    if isinstance(value, threading.Thread):
        return {"Thread"}
    is_iterator = isinstance(value, collections.abc.Iterator)
    is_sequence = isinstance(value, collections.abc.Sequence) and not isinstance(
        value, (str, bytes, list, tuple)
    )
    return {type(value).__name__} | (
        {"Iterator"} if is_iterator else {"Sequence"} if is_sequence else set()
    )


@pytest.mark.parametrize(
    ("where", "note"),
    standard.notes().items(),
    ids=lambda it: it if isinstance(it, str) else ".".join(it),
)
def test_it_gives_what_is_said(session, where, note):
    text = example(session, *where)
    value = eval(text, session.user_ns)
    assert told(session, text, "assigned") in names_of(value), text
    if "[" in note and not note.startswith(("tuple[", "dict[")):
        first, *_ = value
        assert told(session, text, "iterated") in names_of(first), text
    if note.startswith("tuple[") and text.endswith(")"):
        for place, part in enumerate(value):
            assert told(session, text, "assigned", place) in names_of(part), text


# Where another than the usual thing is given, as the arguments show or the class of what has the method, nothing or that is told.
OTHERS = {
    "open(here, 'rb').readlines()[0]": "bytes",
    "io.BytesIO(b'a').readlines()[0]": "bytes",
    "re.search('(o)(n)', 'one').group(1, 2)": None,
    "re.sub(b'a', b'b', b'c')": None,
    "os.path.join(b'a', b'b')": None,
    "os.listdir(b'.')[0]": None,
    "os.getenv('N', 5)": None,
    "here.open('rb', buffering=0)": None,
    "open(here, 'rb', 0)": None,
    "fractions.Fraction(7, 2) // 2": None,
    "fractions.Fraction(7, 2) ** fractions.Fraction(1, 2)": None,
    "fractions.Fraction(7, 2) / 2": "Fraction",
    "decimal.Decimal(7) // 2": "Decimal",
    "Own('a') / 'b'": None,
    "Plain('a') / 'b'": "Plain",
    "Own('a').stat()": None,
    "dumps(1)": None,
    "moment.year": None,
    "(moment - moment).days": None,
    "here.stat().st_size": None,
    "uuid.uuid4().hex": None,
    "moment - datetime.date(2020, 1, 1)": None,
    "moment - moment": "timedelta",
    "union()[0]": None,
    "sorted(folder.glob('*'))[0]": "PosixPath",
    "sorted(union())[0]": None,
}


@pytest.mark.parametrize("text", OTHERS)
def test_others_are_not_taken_for_these(session, text):
    assert told(session, text, "assigned") == OTHERS[text]


def test_of_what_only_iterates_no_members_are_told(session):
    given = {
        "name": "x",
        "text": "csv.reader(open(here))",
        "how": "assigned",
        "places": [],
        "before": False,
    }
    assert session.ask("members", "x", given=[given]) is None
