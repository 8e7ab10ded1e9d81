"""What is new in CPython 3.14 and 3.15, and could have been in a kernel's way."""

from __future__ import annotations

import os
import time

import psutil
import pytest
from kernels import HERE, Newer, command

# --- multiprocessing begins with a fork server (3.14) ---------------------------------------------------------------


def test_pools_by_the_fork_server_end_with_the_kernel(kernel):
    kernel.ok("import math, multiprocessing as mp, concurrent.futures as cf")
    assert kernel.ok("mp.get_start_method()").value == "'forkserver'"
    assert kernel.ok("pool = mp.Pool(2)\npool.map(math.sqrt, [1, 4])").value == "[1.0, 2.0]"
    kernel.ok("executor = cf.ProcessPoolExecutor(2)")
    assert kernel.ok("list(executor.map(math.sqrt, [9]))").value == "[3.0]"
    children = psutil.Process(kernel.pid).children(recursive=True)
    assert any("forkserver" in word for child in children for word in child.cmdline())
    assert kernel.end() == 0
    assert not psutil.wait_procs(children, timeout=5)[1]


def test_a_pool_that_cannot_find_a_cells_function_can_be_interrupted(kernel):
    """Workers know nothing of the namespace; each task fails in them, and the pool makes new ones or waits."""
    kernel.ok("import concurrent.futures as cf\ndef double(x): return 2 * x")
    broken = kernel.run(
        "with cf.ProcessPoolExecutor(1) as executor: print(list(executor.map(double, [1])))"
    )
    assert broken.status == "error", broken.text()
    cell = kernel.send(
        "execute_request",
        {
            "code": "import multiprocessing as mp\npool = mp.Pool(1)\nprint('begun')\npool.map(double, [1])"
        },
    )
    kernel.until_said("begun")
    time.sleep(1)
    kernel.interrupt()
    assert kernel.until_idle(cell).status == "error"
    assert kernel.ok("6 * 7").value == "42"
    assert kernel.end() == 0


def test_what_forks_explicitly_still_does(kernel):
    code = "import multiprocessing as mp\ndef double(x): return 2 * x\nwith mp.get_context('fork').Pool(1) as pool: print(pool.map(double, [21]))"
    assert kernel.ok(code).text() == "[42]\n"
    assert kernel.end() == 0


# --- asyncio has no loop where none was made, and no policies soon (3.14) -------------------------------------------


def test_the_loop_is_the_kernels_in_cells_and_nobodys_in_threads(kernel):
    kernel.ok("import asyncio, threading")
    assert kernel.ok("asyncio.get_event_loop() is asyncio.get_running_loop()").value == "True"
    assert (
        kernel.ok(
            "loop = asyncio.get_event_loop()\nawait asyncio.sleep(0)\nloop is asyncio.get_event_loop()"
        ).value
        == "True"
    )
    code = """
def ask():
    try:
        asyncio.get_event_loop()
    except RuntimeError as error:
        print(error)
    print(asyncio.run(asyncio.sleep(0, 'run')))
thread = threading.Thread(target=ask)
thread.start()
thread.join()"""
    assert kernel.ok(code).text().splitlines()[0].startswith("There is no current event loop")
    assert kernel.ok(code).text().splitlines()[1] == "run"


def modules() -> list[str]:
    """The modules of drupe's package."""
    package = HERE / "python" / "drupe"
    names = [
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in package.rglob("*.py")
    ]
    return sorted(name.removesuffix(".__init__") for name in names)


def test_drupe_itself_uses_nothing_that_is_deprecated(python):
    """A warning that one of its modules gives rise to is an error there."""
    kinds = ("DeprecationWarning", "PendingDeprecationWarning", "SyntaxWarning")
    filters = [f"error::{kind}:{name}" for kind in kinds for name in modules()]
    env = {**os.environ, "PYTHONWARNINGS": ",".join(filters)}
    with Newer(command(python), env=env) as kernel:
        assert kernel.ok("import sys; 'drupe.shell' in str(sys.warnoptions)").value == "True"
        kernel.ok("import asyncio, threading\nawait asyncio.sleep(0)")
        kernel.ok("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1]);")
        kernel.ok("import comm; comm.create_comm('t')")
        assert "sleep" in kernel.complete("asyncio.sl")
        assert "sleep" in kernel.inspect("asyncio.sleep")
        assert kernel.run("1 / 0").error.startswith("ZeroDivisionError")
        kernel.ok("%autoawait trio")
        kernel.ok("import trio\nawait trio.sleep(0)")
        assert kernel.end() == 0
        assert kernel.said() == ""


def test_every_file_compiles_without_a_warning(python, kernel):
    """Such as that of PEP 765, of `return` in `finally`."""
    code = f"import pathlib, warnings\nwarnings.simplefilter('error')\nfor path in pathlib.Path({str(HERE)!r}, 'python').rglob('*.py'):\n    compile(path.read_bytes(), path, 'exec')"
    kernel.ok(code)


# --- annotations are evaluated when somebody asks (3.14, PEP 649) ---------------------------------------------------

ANNOTATED = """
evaluated = []
def function(first: evaluated.append('function'), second: Later, third: int = 1) -> str:
    "Does nothing."
class Class:
    field: Later
    other: evaluated.append('Class')
    def __init__(self, value: evaluated.append('__init__')): ...
    def method(self, value: evaluated.append('method')) -> Later: ...
    @property
    def later(self) -> Later: ...
    @property
    def text(self) -> str: ...
def calls(value: (lambda: evaluated.append('lambda'))()): ...
thing = Class(1)
"""


def test_annotations_are_for_the_one_who_evaluates_them(kernel):
    kernel.ok(ANNOTATED)
    written = "(first: evaluated.append('function'), second: Later, third: int = 1) -> str"
    for detail_level in (0, 1):
        assert written in kernel.inspect("function", detail_level)
        assert "Class(value: evaluated.append('__init__'))" in kernel.inspect("Class", detail_level)
        assert "(value: evaluated.append('method')) -> Later" in kernel.inspect(
            "thing.method", detail_level
        )
        assert "calls(value)" in kernel.inspect("calls", detail_level)
    for jedi in (True, False):
        kernel.ok(f"get_ipython().Completer.use_jedi = {jedi}")
        for code in ("thing.", "Class.", "made = Class(1)\nmade."):
            names = {name.lstrip(".") for name in kernel.complete(code)}
            assert {"method", "later", "text"} <= names, (code, names)
        # What is annotated by names that are known is still known.
        for code in ("function(1, 2).", "thing.text.") if jedi else ("function(1, 2).",):
            assert {"upper", ".upper"} & set(kernel.complete(code)), code
        for code in (
            "function(",
            "thing.method(",
            "Class(",
            "thing.later.",
            "Class.__ann",
            "function.__ann",
        ):
            kernel.complete(code)
    # The language server's side.
    kernel.ok(
        "from drupe.inspection import Inspector\nlooking = Inspector(get_ipython())\nlooked = looking.snapshot()"
    )
    ask = "import json\nlooking.answer(json.dumps({'kind': 'inspect', 'expression': 'function'}).encode()).decode()"
    assert "second: Later, third: int = 1) -> str" in kernel.ok(ask).value
    assert kernel.ok("evaluated").value == "[]"
    assert (
        kernel.ok("Later = int\nfunction.__annotations__['second'], evaluated").value
        == "(int, ['function'])"
    )
    # Those that somebody has set are no code.
    kernel.ok("function.__annotations__ = {'first': dict}")
    assert "(first: dict, second, third=1)" in kernel.inspect("function")


def test_annotations_of_dataclasses(kernel):
    code = "import dataclasses\n@dataclasses.dataclass\nclass Point:\n    x: int\n    y: 'Later' = 0\npoint = Point(1)"
    kernel.ok(code)
    assert "Point(x: int, y: " in kernel.inspect("Point")
    assert {"x", "y"} <= {name.lstrip(".") for name in kernel.complete("point.")}


def test_every_change_for_annotations_is_in_its_place(kernel):
    kernel.complete("'text'.")
    kernel.inspect("print")
    code = """
import sys
from drupe import patches
for row in patches.TABLE_FROM_3_14:
    assert row.why and row.apply
    for name in row.what.split():
        found = sys.modules[row.module]
        for part in name.split('.'):
            found = getattr(found, part)
        found = found.signature if name == 'inspect' else found
        print(row.module, name, found.__module__)"""
    said = kernel.ok(code).text().splitlines()
    assert len(said) == 8
    assert all(line.endswith((" drupe.patches", " drupe.reading.hints")) for line in said), said


# --- interpreters beside the main one (3.14, PEP 734) ---------------------------------------------------------------


def test_what_another_interpreter_prints_arrives_with_the_cell(kernel):
    kernel.ok("from concurrent import interpreters, futures\nother = interpreters.create()")
    assert kernel.ok("other.exec('print(6 * 7, flush=True)')").text() == "42\n"
    assert kernel.ok("other.exec('import os; os.write(1, b\"bytes\")')").text() == "bytes"
    failed = kernel.run("other.exec('1 / 0')")
    assert failed.error.startswith("ExecutionFailed")
    assert kernel.run("other.exec('import drupe._drupe')").error.startswith("ExecutionFailed")
    assert (
        kernel.ok(
            "with futures.InterpreterPoolExecutor(2) as pool: print(list(pool.map(abs, [-1])))"
        ).text()
        == "[1]\n"
    )
    kernel.ok("other.close()")
    assert kernel.ok("6 * 7").value == "42"


@pytest.mark.parametrize("daemon", [True, False])
def test_the_kernel_ends_beside_other_interpreters(kernel, daemon):
    """One that is idle, one with a thread of its own, and one that runs."""
    kernel.ok(
        "from concurrent import interpreters\nimport threading\nidle, busy, running = [interpreters.create() for _ in range(3)]"
    )
    kernel.ok(
        "busy.exec('import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=False).start()')"
    )
    kernel.ok(
        f"threading.Thread(target=running.exec, args=('while True: pass',), daemon={daemon}).start()"
    )
    assert kernel.end() == 0


# --- t-strings (3.14, PEP 750) --------------------------------------------------------------------------------------


def test_t_strings(kernel):
    kernel.ok("name = 'world'\ngreeting = t'hello {name!r:>10}'")
    assert (
        kernel.ok("greeting.interpolations[0].value, greeting.strings").value
        == "('world', ('hello ', ''))"
    )
    assert "name" in kernel.complete("t'hello {na")
    assert "strings" in kernel.complete("greeting.str")
    assert "Template" in kernel.inspect("greeting")
    assert "world" in kernel.inspect("t'hello {name")
    for code, status in {"t'hello {name}'": "complete", "t'''hello {name}": "incomplete"}.items():
        result = kernel.until_idle(kernel.send("is_complete_request", {"code": code}))
        assert result.status == status
    assert kernel.run("t'{nothing}'").error.startswith("NameError")


# --- lazy imports (3.15, PEP 810) -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("only_3_15")
def test_a_lazy_import_is_for_the_one_who_uses_it(kernel):
    kernel.ok(
        "import sys\nlazy import fractions\nlazy from wsgiref import handlers\nlazy import colorsys as colours"
    )
    kernel.ok("def annotated(value: fractions.Fraction) -> handlers.BaseHandler: ...")
    for jedi in (True, False):
        kernel.ok(f"get_ipython().Completer.use_jedi = {jedi}")
        for code in (
            "f",
            "fractions.",
            "handlers.Base",
            "colours.",
            "annotated(",
            "annotated(1).",
            "import fra",
            "annotated.",
        ):
            kernel.complete(code)
        assert "fractions" in kernel.complete("frac")
    for code in ("fractions", "handlers", "colours", "fractions.Fraction", "annotated"):
        kernel.inspect(code), kernel.inspect(code, 1)
    assert "fractions.Fraction" in kernel.inspect("annotated")
    kernel.ok(
        "from drupe.inspection import Inspector\nimport json\nlooking = Inspector(get_ipython())\nlooked = looking.snapshot()"
    )
    for kind in ("inspect", "members", "keys"):
        kernel.ok(
            f"looking.answer(json.dumps({{'kind': {kind!r}, 'expression': 'fractions'}}).encode())"
        )
    kernel.ok("%whos")
    assert (
        kernel.ok("{'fractions', 'wsgiref.handlers', 'colorsys'} & set(sys.modules)").value
        == "set()"
    )
    assert kernel.ok("fractions.Fraction(1, 2)").value == "Fraction(1, 2)"
    assert {"Fraction", ".Fraction"} & set(kernel.complete("fractions.Frac"))
    assert kernel.ok("'wsgiref.handlers' in sys.modules").value == "False"
    failed = kernel.run("lazy import no_such_module\nno_such_module")
    assert failed.error.startswith("ModuleNotFoundError")


@pytest.mark.usefixtures("only_3_15")
@pytest.mark.parametrize("language", ["C.UTF-8", "C", "de_DE.ISO-8859-1"])
def test_files_are_utf_8_whatever_the_language(python, tmp_path, language):
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("LANG", "LC_CTYPE", "PYTHONUTF8")
    }
    with Newer(command(python), env={**env, "LC_ALL": language}) as kernel:
        assert (
            kernel.ok("import sys; sys.flags.utf8_mode, sys.stdout.encoding.lower()").value
            == "(1, 'utf-8')"
        )
        path = tmp_path / "text"
        assert kernel.ok(f"open({str(path)!r}, 'w').write('Grüße')").status == "ok"
        assert path.read_bytes() == "Grüße".encode()
        assert (
            kernel.ok(
                "print('Grüße')\nimport subprocess\nsubprocess.run(['echo', 'Größe']);"
            ).text()
            == "Grüße\nGröße\n"
        )
    with Newer(command(python), env={**env, "LC_ALL": language, "PYTHONUTF8": "0"}) as kernel:
        assert kernel.ok("import sys; print('Grüße', sys.flags.utf8_mode)").text() == "Grüße 0\n"
