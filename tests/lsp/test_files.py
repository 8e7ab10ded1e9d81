"""The columns of a file that is about to be read: what its head says, which the library that reads it agrees with."""

from __future__ import annotations

import ast
import gzip
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from inspecting import Session

CODE = """
import os, pathlib
import pandas as pd
from pandas import read_csv, read_table as tabbed
ORDERS = "orders.csv"
HERE = pathlib.Path(".")
def unknown(): ...
ran = []
class Mine(str):
    def __str__(self): ran.append("a string's"); return "orders.csv"
    __fspath__ = __str__
mine = Mine("orders.csv")
class PosixPath:
    __module__ = "pathlib"
    def __str__(self): ran.append("a path's"); return "orders.csv"
    __fspath__ = __str__
path = PosixPath()
class Reader:
    def __call__(self, name) -> pd.DataFrame: ran.append("a call's")
    def read_csv(self, name) -> pd.DataFrame: ran.append("a method's")
    def __getattr__(self, name): ran.append(f"an attribute's: {name}"); raise AttributeError
reader = Reader()
"""

FILES = {
    "orders.csv": "id,day,price\n1,2026-01-02,3.5\n",
    "deep/orders.csv": "deep,er\n1,2\n",
    "semicolon.csv": "a;b;c\n1;2;3\n",
    "tabs.tsv": "a\tb c\td\n1\t2\t3\n",
    "blanks.txt": "a  b   c\n1 2 3\n",
    "quoted.csv": '"a, or b","say ""c""",d\n1,2,3\n',
    "bom.csv": "\ufeffgröße,été\n1,2\n",
    "twice.csv": "a,a,,b,a\n1,2,3,4,5\n",
    "crlf.csv": "\r\na,b\r\n1,2\r\n",
    "no_head.csv": "1,2\n3,4\n",
    "index.csv": "a,b\nx,1,2\ny,3,4\n",
    "line.csv": "a,b,c",
    "saved.csv": ",a,b\n0,1,2\n",
}

# What pandas reads of them is what was told before.
READ = [
    "pd.read_csv('orders.csv')",
    "read_csv('orders.csv')",
    "pd.read_csv(ORDERS)",
    "pd.read_csv(filepath_or_buffer=ORDERS)",
    "pd.read_csv('./orders.csv', parse_dates=['day'])",
    "pd.read_csv('orders.csv', index_col='id')",
    "pd.read_csv('orders.csv', index_col=0)",
    "pd.read_csv('orders.csv', index_col=[0, 'day'])",
    "pd.read_csv('orders.csv', index_col=False)",
    "pd.read_csv('orders.csv', usecols=['price', 'id'])",
    "pd.read_csv('orders.csv', usecols=[0, 2])",
    "pd.read_csv('orders.csv', header=0)",
    "pd.read_csv('no_head.csv', names=['x', 'y'])",
    "pd.read_csv('no_head.csv', header=None, names=['x', 'y'])",
    "pd.read_csv(HERE / 'orders.csv')",
    "pd.read_csv(HERE / 'deep' / 'orders.csv')",
    "pd.read_csv(pathlib.Path('deep', ORDERS))",
    "pd.read_csv(pathlib.Path('deep') / ORDERS)",
    "pd.read_csv('semicolon.csv', sep=';')",
    "pd.read_csv('semicolon.csv', delimiter=';')",
    "pd.read_table('tabs.tsv')",
    "tabbed('tabs.tsv')",
    "pd.read_csv('blanks.txt', sep=r'\\s+')",
    "pd.read_csv('quoted.csv')",
    "pd.read_csv('bom.csv')",
    "pd.read_csv('latin.csv', encoding='latin-1')",
    "pd.read_csv('twice.csv')",
    "pd.read_csv('crlf.csv')",
    "pd.read_csv('index.csv')",
    "pd.read_csv('line.csv')",
    "pd.read_csv('saved.csv')",
    "pd.read_csv('saved.csv', index_col=0)",
    "pd.read_csv('packed.csv.gz')",
    "pd.read_csv('orders.csv').assign(tax=1)",
    "pd.read_csv('orders.csv').merge(pd.read_csv('deep/orders.csv'), how='cross')",
]

# Nobody knows before it is read.
UNKNOWN = [
    "pd.read_csv('nowhere.csv')",
    "pd.read_csv('deep')",
    "pd.read_csv('pipe')",
    "pd.read_csv('/dev/zero')",
    "pd.read_csv('/proc/self/environ/x')",
    "pd.read_csv('a\\0b')",
    "pd.read_csv('empty.csv')",
    "pd.read_csv('long.csv')",
    "pd.read_csv('bytes.csv')",
    "pd.read_csv('latin.csv')",
    "pd.read_csv('latin.csv', encoding='nothing')",
    "pd.read_csv('latin.csv', encoding=1)",
    "pd.read_csv('broken.csv.gz')",
    "pd.read_csv('https://example.org/orders.csv')",
    "pd.read_csv('orders.csv', header=None)",
    "pd.read_csv('orders.csv', header=1)",
    "pd.read_csv('orders.csv', skiprows=1)",
    "pd.read_csv('orders.csv', sep=None)",
    "pd.read_csv('orders.csv', sep='ab')",
    "pd.read_csv('orders.csv', sep=unknown())",
    "pd.read_csv('orders.csv', usecols=unknown)",
    "pd.read_csv('orders.csv', chunksize=2)",
    "pd.read_csv('orders.csv', **unknown())",
    "pd.read_csv(*unknown())",
    "pd.read_csv(unknown())",
    "pd.read_csv(unknown() / 'orders.csv')",
    "pd.read_csv(os.path.join('deep', ORDERS))",
    "pd.read_csv(mine)",
    "pd.read_csv()",
    "pd.read_json('orders.csv')",
]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "deep").mkdir()
    for name, text in FILES.items():
        (folder / name).write_bytes(text.encode())
    (folder / "packed.csv.gz").write_bytes(gzip.compress(b"x,y\n1,2\n" * 100_000))
    (folder / "broken.csv.gz").write_bytes(b"\x1f\x8bbroken")
    (folder / "latin.csv").write_bytes("größe,b\n1,2\n".encode("latin-1"))
    (folder / "empty.csv").write_bytes(b"")
    (folder / "long.csv").write_bytes(b"a" * 1_000_000)
    (folder / "bytes.csv").write_bytes(b"a\0b,\xff\n" + b"\0" * 100)
    os.mkfifo(folder / "pipe")
    before = os.getcwd()
    os.chdir(folder)
    yield Session(CODE)
    os.chdir(before)


def keys(session, text: str) -> list[str]:
    """The columns of `x` where `x = text` has not run, asked as the language server does: beside the main thread."""
    given = [{"name": "x", "text": text, "how": "assigned", "places": [], "before": False}]
    with ThreadPoolExecutor(1) as elsewhere:
        found = elsewhere.submit(session.ask, "keys", "x", given=given).result(10)
    return [item["name"] for item in found or []]


@pytest.mark.parametrize("text", READ)
def test_the_columns_are_those_that_are_read(session, text):
    columns = list(eval(text, dict(session.user_ns)).columns)
    assert keys(session, text) == columns != []


@pytest.mark.parametrize("text", UNKNOWN)
def test_nothing_is_said_where_nobody_knows(session, text):
    ast.parse(text)
    assert keys(session, text) == []


def test_a_text_in_a_pipe_is_left_to_the_cell(session):
    with ThreadPoolExecutor(1) as writing:
        written = writing.submit(Path("pipe").write_text, "a,b\n1,2\n")
        assert keys(session, "pd.read_csv('pipe')") == []
        assert not written.done()
        assert Path("pipe").read_text() == "a,b\n1,2\n"


def test_no_code_of_the_users_runs(session):
    calls = ["reader('orders.csv')", "reader.read_csv('orders.csv')"]
    for text in [*calls, "pd.read_csv(mine)", "pd.read_csv(path)", "pd.read_csv(path / 'a')"]:
        assert keys(session, text) == []
    assert session.user_ns["ran"] == []


def test_a_file_of_names_that_are_all_the_same_costs_little(session):
    Path("same.csv").write_text("a," * 32_000 + "a\n")
    begun = time.process_time()
    found = keys(session, "pd.read_csv('same.csv')")
    assert found[:3] == ["a", "a.1", "a.2"] and len(found) >= 1_000
    assert time.process_time() - begun < 1


def test_the_main_thread_reads_no_file(session):
    assert threading.current_thread() is threading.main_thread()
    given = {"name": "x", "how": "assigned", "places": [], "before": False}
    text = "pd.read_csv('orders.csv')"
    assert session.ask("keys", "x", given=[given | {"text": text}]) == []
    assert session.ask("inspect", "x", given=[given | {"text": text}])["type"] == "DataFrame"


def test_a_file_that_changes_is_read_anew(session):
    with open("changing.csv", "w") as file:
        file.write("old\n")
    assert keys(session, "pd.read_csv('changing.csv')") == ["old"]
    with open("changing.csv", "w") as file:
        file.write("new,er\n")
    assert keys(session, "pd.read_csv('changing.csv')") == ["new", "er"]
