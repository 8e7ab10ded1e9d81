"""What users do all day, and what went wrong with it once: one test for each thing that was mended in Python's half."""

import json
import re
import time

import pytest


def complete(kernel, code: str) -> list:
    """Completions at the end of the code, by IPython: the kernel is idle, so nobody else answers."""
    # The first imports what completion needs: while it does, the engine would answer in its place.
    kernel.client.complete(code, len(code), reply=True, timeout=30)
    time.sleep(0.3)
    return kernel.client.complete(code, len(code), reply=True, timeout=30)["content"]["matches"]


# Import hooks outlive a search that imports nothing.


def test_completion_leaves_getpass_alone(fresh):
    fresh.ok("1")
    complete(fresh, "import getpass\ngetpass.getpa")
    complete(fresh, "from getpass import ge")
    asked = fresh.send(
        "execute_request",
        {"code": "import getpass; print(getpass.getpass('secret? '))", "allow_stdin": True},
    )
    question = fresh.client.get_stdin_msg(timeout=30)
    assert question["content"] == {"prompt": "secret? ", "password": True}
    fresh.client.input("xyzzy")
    assert fresh.until_idle(asked).text() == "xyzzy\n"


def test_completion_leaves_comms_alone(fresh):
    fresh.ok("1")
    complete(fresh, "from comm import create_co")
    code = "from comm import create_comm; c = create_comm(target_name='x', data={'a': 1}); c.send({'b': 2})"
    kinds = [message["msg_type"] for message in fresh.ok(code).messages]
    assert [kind for kind in kinds if kind.startswith("comm")] == ["comm_open", "comm_msg"]


@pytest.mark.parametrize("name", ["comm", "getpass", "pdb", "IPython.core.debugger"])
def test_a_search_for_a_module_is_no_import(fresh, name):
    code = f"""
import importlib.util, inspect, sys
for _ in range(3):
    spec = importlib.util.find_spec({name!r})
print(type(spec.loader).__name__, spec.loader.get_source({name!r})[:1] != '', {name!r} in sys.modules)
module = importlib.import_module({name!r})
print(type(module.__loader__).__name__, type(module.__spec__.loader).__name__, 'exec_module' in vars(module.__loader__))
"""
    lines = fresh.ok(code).text().splitlines()
    # IPython's start may have imported it.
    assert lines[0] in (f"SourceFileLoader True {loaded}" for loaded in (True, False))
    assert lines[1] == "SourceFileLoader SourceFileLoader False"
    if name == "pdb":
        assert fresh.ok("import pdb; pdb.set_trace.__module__").value == "'drupe.patches'"


def test_an_import_that_fails_is_tried_again(fresh, tmp_path):
    (tmp_path / "comm.py").write_text("raise ImportError('not yet')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport comm"
    assert fresh.run(code).error == "ImportError: not yet"
    code = (
        "sys.path.pop(0); sys.path_importer_cache.clear(); import comm; comm.create_comm.__module__"
    )
    assert fresh.ok(code).value == "'drupe.comms'"


def test_a_module_that_another_thread_imports_meanwhile_is_told_of(fresh):
    code = """
import drupe.hooks as hooks
class Meanwhile(dict):
    def setdefault(self, *entry):
        import colorsys
        return super().setdefault(*entry)
hooks._waiting = Meanwhile(hooks._waiting)
told = []
hooks.when_imported('colorsys', told.append)
hooks.when_imported('colorsys', told.append)
[module.__name__ for module in told]
"""
    assert fresh.ok(code).value == "['colorsys', 'colorsys']"


# What goes over the wire.


@pytest.mark.parametrize(
    "value, expected",
    [
        ("np.arange(3)", [0, 1, 2]),
        ("np.array([[1.5, 2], [3, 4]])", [[1.5, 2], [3, 4]]),
        ("{'a': 1}.keys()", ["a"]),
        ("{'a': 1}.values()", [1]),
        ("range(3)", [0, 1, 2]),
        ("collections.deque([1, 2])", [1, 2]),
        ("(i * i for i in range(3))", [0, 1, 4]),
        ("pd.Index(['a', 'b'])", ["a", "b"]),
        ("pd.Series([1, 2])", [1, 2]),
        ("{'nested': [np.int64(1), range(2)]}", {"nested": [1, [0, 1]]}),
        ("types.MappingProxyType({'a': (1,)})", {"a": [1]}),
        ("np.float32(0.5)", 0.5),
        ("datetime.date(2026, 11, 21)", "2026-11-21"),
        ("b'abc'", "YWJj"),
        ("float('nan')", "nan"),
    ],
)
def test_a_comm_sends_iterables_as_lists(shared, value, expected):
    code = (
        "import collections, datetime, types, numpy as np, pandas as pd\nfrom comm import create_comm\n"
        f"c = create_comm(target_name='x')\nc.send({{'value': {value}}})"
    )
    [message] = shared.ok(code).contents("comm_msg")
    assert message["data"] == {"value": expected}


@pytest.mark.parametrize("value", ["object()", "np.array(5)", "print", "{1: object()}"])
def test_what_has_no_likeness_in_json_is_an_error_where_it_is_sent(shared, value):
    code = f"import numpy as np\nfrom comm import create_comm\nc = create_comm(target_name='x')\nc.send({{'v': {value}}})"
    result = shared.run(code)
    assert result.error.startswith("ValueError: Can't clean for JSON: ")
    assert result.contents("comm_msg") == []
    assert shared.run(f"display({{'application/json': {value}}}, raw=True)").error.startswith(
        "ValueError: Can't clean for JSON: "
    )
    # Ring after ring.
    assert "ValueError" in shared.run("ring = []; ring.append(ring); c.send({'v': ring})").error


# An interrupt reaches what runs while a cell awaits.

SLOW = "import time\ndef slow(*_):\n    print('slow', flush=True)\n    time.sleep(60)\n"

BESIDE = {
    "a callback": "kernel.io_loop.add_callback(slow)",
    "a later callback": "kernel.io_loop.call_later(0.01, slow)",
    "a future's callback": "f = asyncio.get_event_loop().create_future(); f.add_done_callback(slow); f.set_result(1)",
    "wait_for": "task = asyncio.ensure_future(asyncio.wait_for(user(), 100))",
    "gather": "task = asyncio.gather(user())",
    "shield": "task = asyncio.ensure_future(asyncio.shield(user()))",
    "a toolkit": "register_integration('slow')(once); get_ipython().enable_gui('slow')",
}


@pytest.mark.parametrize("beside", BESIDE)
def test_an_interrupt_reaches_what_runs_beside_a_cell(fresh, beside):
    fresh.ok(
        SLOW
        + "import asyncio\nkernel = get_ipython().kernel\nfrom ipykernel.eventloops import register_integration\n"
        + "async def user():\n    slow()\n"
        + "turns = []\ndef once(kernel):\n    turns.append(1)\n    if len(turns) == 1: slow()\n"
    )
    asked = fresh.send("execute_request", {"code": f"{BESIDE[beside]}\nawait asyncio.sleep(120)"})
    fresh.until_said("slow")
    begun = time.monotonic()
    # The first for what runs, more for the cell.
    for _ in range(20):
        fresh.interrupt()
        time.sleep(0.1)
    result = fresh.until_idle(asked)
    assert result.status == "error"
    assert time.monotonic() - begun < 20
    if beside == "a toolkit":
        fresh.run("get_ipython().enable_gui(None)")
    assert fresh.ok("1").value == "1"


def test_an_interrupt_reaches_a_comm_s_callback_beside_a_cell(fresh):
    fresh.ok(
        SLOW
        + "from comm import get_comm_manager\n"
        + "get_comm_manager().register_target('slow', lambda comm, message: comm.on_msg(slow))"
    )
    fresh.send("comm_open", {"comm_id": "s", "target_name": "slow", "data": {}})
    asked = fresh.send(
        "execute_request", {"code": "import asyncio\nawait asyncio.sleep(1)\n'whole'"}
    )
    fresh.send("comm_msg", {"comm_id": "s", "data": {}})
    fresh.until_said("slow")
    fresh.interrupt()
    # The callback has ended, and the cell has not.
    assert fresh.until_idle(asked).value == "'whole'"


@pytest.mark.parametrize(
    "code",
    [
        "!echo waits; sleep 60",
        "def ask(): return input('? ')\nprint('waits')\nask()",
        "import asyncio\nprint('waits')\nawait asyncio.sleep(60)",
    ],
)
def test_an_interrupt_shows_the_user_s_code_alone(shared, code):
    asked = shared.send("execute_request", {"code": code, "allow_stdin": True})
    shared.until_said("waits")
    if "input" in code:
        shared.client.get_stdin_msg(timeout=30)
    shared.interrupt()
    result = shared.until_idle(asked)
    assert result.error == "KeyboardInterrupt: "
    shown = "\n".join(result.reply["content"]["traceback"])
    assert "drupe" not in shown and "hidden" not in shown
    assert "Cell" in shown


@pytest.mark.parametrize("wait", ["time.sleep(60)", "while True: pass", "await asyncio.sleep(60)"])
@pytest.mark.parametrize("block", ["except ZeroDivisionError", "finally"])
def test_an_interrupt_shows_the_error_that_was_being_handled(shared, wait, block):
    code = f"import asyncio, time\ntry:\n    1/0\n{block}:\n    print('waits')\n    {wait}"
    asked = shared.send("execute_request", {"code": code})
    shared.until_said("waits")
    shared.interrupt()
    result = shared.until_idle(asked)
    assert result.error == "KeyboardInterrupt: "
    shown = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(result.reply["content"]["traceback"]))
    first, second = shown.split(
        "During handling of the above exception, another exception occurred:"
    )
    assert "ZeroDivisionError: division by zero" in first and wait in second
    assert "Cancelled" not in shown


def test_a_cursor_before_the_code_is_at_its_beginning(fresh):
    fresh.ok("boat = 1")
    asked = fresh.send("execute_request", {"code": "print('waits'); import time; time.sleep(60)"})
    fresh.until_said("waits")
    for kind in ("inspect", "complete"):
        answers = []
        for cursor in (-3, 0):
            getattr(fresh.client, kind)("boat", cursor)
            answers.append(fresh.client.get_shell_msg(timeout=30)["content"])
        assert answers[0]["status"] == "ok" and answers[0] == answers[1]
    fresh.interrupt()
    fresh.until_idle(asked)


# In a string in brackets IPython offers all files and magics, and below `%%bash` the members of Python's objects.

OFFERED = {
    'df[["': ["alpha", "beta"],
    "df[ # it's\n'al": ["alpha"],
    'df.groupby("': ["alpha", "beta"],
    'df.sort_values(by=["al': ["alpha"],
    'config.get("': ["first", "second"],
    'Color["': ["GREEN", "RED"],
    'load(mode="': ["fast", "slow"],
    "f\"{load(mode='": ["fast", "slow"],
    'load(mode=("': ["fast", "slow"],
    'heights.query("he': ["`height cm`"],
    'heights.eval("`he': ["height cm`"],
    'pd.merge(df, heights, right_on="': ["age", "height cm"],
    'df.agg("su': ["sum"],
    "%%bash\ndf.": [],
    "%%html\n<b>df.": [],
    "%%time\ndf.to_parq": ["to_parquet"],
    "%%time\nimport re\nfound = re.compile('a')\nfound.findit": ["finditer"],
}


@pytest.fixture
def table(shared):
    shared.ok(
        "import enum, typing, pandas as pd\n"
        "df = pd.DataFrame({'alpha': [1], 'beta': [2]})\n"
        "heights = pd.DataFrame({'height cm': [1], 'age': [2]})\n"
        "config = {'first': 1, 'second': 2}\n"
        "Color = enum.Enum('Color', 'RED GREEN')\n"
        "def load(path, mode: typing.Literal['fast', 'slow'] = 'fast'): ..."
    )
    return shared


@pytest.mark.parametrize("code", OFFERED)
def test_a_string_is_offered_what_fits(table, code):
    assert sorted(complete(table, code)) == OFFERED[code]


def test_files_are_offered_in_strings_as_ever(table, tmp_path):
    table.ok(f"%cd -q {tmp_path}\nopen('data_of_mine.csv', 'w').close()")
    for code in ['open("data_of', 'pd.read_csv("data_of', 'name = "data_of']:
        assert complete(table, code) == ["data_of_mine.csv"], code


def test_without_jedi_ipython_answers_alone(table):
    table.ok("get_ipython().Completer.use_jedi = False")
    try:
        assert len(complete(table, 'load(mode="')) > 100
    finally:
        table.ok("get_ipython().Completer.use_jedi = True")


# The output of a thread stays with the cell that ran last, to the thread's very end.


def test_characters_in_pieces_are_their_thread_s(fresh):
    code = """
import sys, threading
first, *rest = 'é'.encode()
sys.stdout.buffer.write(bytes([first]))
thread = threading.Thread(target=sys.stdout.buffer.write, args=('€'.encode(),))
thread.start(); thread.join()
sys.stdout.buffer.write(bytes(rest));
"""
    assert fresh.ok(code).text() == "€é"


def test_a_thread_may_print_when_its_locals_are_gone(fresh):
    """C libraries have such destructors. The pauses let the kernel's own thread fall asleep, so that each text wakes it."""
    printed = fresh.ok(
        "import ctypes, threading, time\nlibc, key = ctypes.CDLL(None), ctypes.c_uint()\n"
        "farewell = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: print('farewell'))\n"
        "libc.pthread_key_create(ctypes.byref(key), farewell)\n"
        "def work():\n    libc.pthread_setspecific(key, ctypes.c_void_p(1))\n"
        "    time.sleep(0.2)\n    print('work')\n    time.sleep(0.2)\n"
        "for _ in range(3):\n    thread = threading.Thread(target=work)\n    thread.start()\n    thread.join()\n"
        "time.sleep(0.2)"
    )
    assert printed.text() == "work\nfarewell\n" * 3
    assert fresh.ok("6 * 7").value == "42"


@pytest.mark.parametrize("meanwhile", ["complete", "inspect", "is_complete", "history", "a slider"])
def test_a_thread_s_output_stays_with_the_cell(fresh, meanwhile, tmp_path):
    fresh.ok(
        "from comm import get_comm_manager\n"
        "get_comm_manager().register_target('t', lambda comm, message: comm.on_msg(print))"
    )
    fresh.send("comm_open", {"comm_id": "t", "target_name": "t", "data": {}})
    cell = fresh.ok(
        "import os, threading, time\n"
        f"def work():\n    while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
        "    for i in range(50):\n        print('line', i)\n        time.sleep(0.01)\n"
        "threading.Thread(target=work).start()"
    )
    (tmp_path / "go").touch()
    ask = {
        "complete": lambda: fresh.send("complete_request", {"code": "prin", "cursor_pos": 4}),
        "inspect": lambda: fresh.send("inspect_request", {"code": "print", "cursor_pos": 3}),
        "is_complete": lambda: fresh.send("is_complete_request", {"code": "print"}),
        "history": lambda: fresh.send("history_request", {"hist_access_type": "tail", "n": 1}),
        "a slider": lambda: fresh.send("comm_msg", {"comm_id": "t", "data": {}}),
    }[meanwhile]
    end, texts = time.monotonic() + 30, {}
    while "line 49" not in texts.get("execute_request", "") and time.monotonic() < end:
        ask()
        for _ in range(4):
            try:
                message = fresh.client.get_iopub_msg(timeout=0.02)
            except Exception:
                break
            if message["msg_type"] == "stream":
                parent = message["parent_header"]
                texts.setdefault(parent["msg_type"], "")
                texts[parent["msg_type"]] += message["content"]["text"]
                if parent["msg_type"] == "execute_request":
                    assert parent["msg_id"] == cell.reply["parent_header"]["msg_id"]
    assert texts.pop("execute_request") == "".join(f"line {i}\n" for i in range(50))
    assert not any("line" in text for text in texts.values())


def test_what_a_callback_starts_belongs_to_it(fresh):
    """Threads that it starts, and children that write to the descriptors, are part of what a slider's move puts out."""
    fresh.ok("""
import os, threading
from comm import get_comm_manager
def receive(message):
    thread = threading.Thread(target=print, args=('from a thread',)); thread.start(); thread.join()
    os.system('echo from a child')
get_comm_manager().register_target('t', lambda comm, message: comm.on_msg(receive))""")
    fresh.send("comm_open", {"comm_id": "t", "target_name": "t", "data": {}})
    sent = fresh.send("comm_msg", {"comm_id": "t", "data": {}})
    texts = ""
    while True:
        message = fresh.client.get_iopub_msg(timeout=30)
        if message["parent_header"].get("msg_id") == sent:
            texts += message["content"].get("text", "")
            if message["content"].get("execution_state") == "idle":
                break
    assert texts == "from a thread\nfrom a child\n"


# Forked children.


@pytest.mark.parametrize(
    "ask", ["input()", "__import__('getpass').getpass()", "get_ipython().kernel.raw_input('x')"]
)
def test_a_forked_child_that_asks_is_at_the_end_of_its_input(shared, ask):
    code = f"""
import os, sys
import getpass
pid = os.fork()
if pid == 0:
    try:
        {ask}
    except EOFError as error:
        print('EOFError')
    finally:
        sys.stdout.flush()
        os._exit(0)
os.waitpid(pid, 0);
"""
    asked = shared.send("execute_request", {"code": code, "allow_stdin": True})
    assert shared.until_idle(asked).text() == "EOFError\n"


def test_a_forked_child_s_cell_may_fail(shared):
    """With cells queued behind it, of which the child knows nothing."""
    code = "import os\npid = os.fork()\nif pid == 0:\n    1/0\nos.waitpid(pid, 0)[1] != 0"
    for _ in range(5):
        first = shared.send("execute_request", {"code": code})
        second = shared.send("execute_request", {"code": "'behind'"})
        assert shared.until_idle(first).value == "True"
        assert shared.until_idle(second).value == "'behind'"


def test_workers_print_whole_lines(shared, tmp_path):
    code = """
import multiprocessing
def work(number):
    for i in range(200):
        print('worker', number, 'line', i)
with multiprocessing.get_context('fork').Pool(4) as pool:
    pool.map(work, range(8), chunksize=1)
"""
    lines = shared.ok(code).text().splitlines()
    assert sorted(lines) == sorted(f"worker {n} line {i}" for n in range(8) for i in range(200))


def test_a_child_s_unfinished_line_is_seen(shared):
    """When it is flushed, when the child ends as a script does, and when it is long."""
    code = """
import multiprocessing, sys
def work(): print('flushed', end=' ', flush=True); print('x' * 5000, end=''); print(' at the end', end='')
child = multiprocessing.get_context('fork').Process(target=work); child.start(); child.join()
"""
    assert shared.ok(code).text() == f"flushed {'x' * 5000} at the end"
    code = (
        "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nelse: print('at its end', end='')"
    )
    assert shared.ok(code).text() == "at its end"


# A request that fails in the worst way costs itself.


WORST = """
class Worst(BaseException):
    def __str__(self): raise KeyboardInterrupt
    __repr__ = __str__
def fail(*_):
    raise Worst
"""


def test_an_error_whose_text_raises(fresh):
    fresh.ok(WORST + "get_ipython().set_custom_completer(fail)\nfrom comm import get_comm_manager")
    fresh.ok("get_comm_manager().register_target('worst', fail)")
    fresh.ok("get_ipython().kernel.do_is_complete = fail")
    fresh.send("comm_open", {"comm_id": "w", "target_name": "worst", "data": {}})
    asked = fresh.send("is_complete_request", {"code": "1"})
    assert fresh.until_idle(asked).reply["content"]["ename"] == "Worst"
    assert fresh.run("fail()").status == "error"
    assert fresh.run("raise Worst").status == "error"
    assert fresh.ok("1").value == "1"


@pytest.mark.parametrize(
    "harm",
    [
        "for task in asyncio.all_tasks(): task.cancel()",
        "loop.call_soon(loop.stop)",
        "[task for task in asyncio.all_tasks() if task.get_name() == 'drupe'][0].get_coro().throw(ValueError)",
        "threading.Thread(target=lambda: (time.sleep(0.3), loop.call_soon_threadsafe(loop.stop))).start()",
        "task = asyncio.ensure_future(raise_later())",
        "loop.call_later(0.1, lambda: (loop.stop(), setattr(loop, '_closed', True)))",
    ],
)
def test_the_serving_task_cannot_die_unseen(fresh, harm):
    fresh.ok(
        "import asyncio, threading, time\nloop = asyncio.get_event_loop()\n"
        "async def raise_later():\n    await asyncio.sleep(0.1)\n    raise KeyboardInterrupt\n"
    )
    fresh.run(harm)
    time.sleep(0.6)
    assert fresh.ok("1").value == "1"
    assert fresh.ok("await asyncio.sleep(0.01); 2").value == "2"
    # And nothing keeps a processor busy.
    code = "import time\nbefore = time.process_time()\nawait asyncio.sleep(1)\ntime.process_time() - before < 0.5"
    assert fresh.ok(code).value == "True"


# Errors.


GROUPED = """
def inner(): number = 17; 1/0
def outer():
    try:
        inner()
    except Exception as error:
        raise ExceptionGroup('several', [error])
"""


def test_debug_after_an_exception_group(fresh):
    if "11" > fresh.ok("import sys; sys.version_info[1]").value:
        pytest.skip("exception groups came with Python 3.11")
    fresh.ok(GROUPED)
    assert fresh.run("'older'.nothing").error.startswith("AttributeError")
    assert fresh.run("outer()").error.startswith("ExceptionGroup")
    asked = fresh.send("execute_request", {"code": "%debug", "allow_stdin": True})
    answers = ["p 'where', number if 'number' in dir() else 'outer frame'", "w", "q"]
    for answer in answers:
        fresh.client.get_stdin_msg(timeout=30)
        fresh.client.input(answer)
    text = fresh.until_idle(asked).text()
    assert "outer" in text and "several" in text and "nothing" not in text
    assert fresh.ok("type(sys.last_value).__name__").value == "'ExceptionGroup'"


# Cells pass what others have put around the shell's methods.


@pytest.mark.parametrize(
    "method, cell", [("run_cell", "6 * 7"), ("run_cell_async", "await asyncio.sleep(0, 42)")]
)
@pytest.mark.parametrize(
    "wrapper",
    ["def wrapper(*args, **kwargs)", "@functools.wraps(theirs)\ndef wrapper(raw_cell, **kwargs)"],
)
@pytest.mark.parametrize("owner", ["shell", "type(shell)", "InteractiveShell"])
def test_cells_pass_what_is_put_around_them(shared, method, cell, wrapper, owner):
    arguments = "raw_cell, **kwargs" if "raw_cell" in wrapper else "*args, **kwargs"
    own = "" if owner == "shell" else "self, "
    wrapper = wrapper.replace("wrapper(", f"wrapper({own}")
    shared.ok(f"""
import asyncio, functools
from IPython.core.interactiveshell import InteractiveShell
shell = get_ipython()
seen = []
theirs = {owner}.{method}
{wrapper}:
    seen.append({arguments.split(",")[0].replace("*args", "args[0]")})
    return theirs({own}{arguments})
had = {method!r} in vars({owner})
{owner}.{method} = wrapper""")
    assert shared.ok(cell).value == "42"
    restore = f"""
if had: {owner}.{method} = theirs
else: del {owner}.{method}
seen"""
    assert cell in shared.ok(restore).value
    assert shared.ok("1").value == "1"


def test_a_wrapper_may_change_the_cell(shared):
    shared.ok(
        "shell = get_ipython()\ntheirs = shell.run_cell\n"
        "shell.run_cell = lambda raw_cell, *a, **k: theirs(raw_cell.replace('six', '6'), *a, **k)"
    )
    assert shared.ok("six * 7").value == "42"
    shared.ok("shell.run_cell = theirs")


def test_transformers_see_a_cell_once(shared):
    shared.ok(
        "seen = []\ndef transform(lines):\n    seen.append(len(lines))\n    return lines\n"
        "get_ipython().input_transformers_post.append(transform)"
    )
    shared.ok("1\n2\n3")
    shared.ok("import asyncio\nawait asyncio.sleep(0)")
    code = "get_ipython().input_transformers_post.remove(transform); seen"
    assert shared.ok(code).value == "[3, 2, 1]"


# Questions.


@pytest.mark.parametrize(
    "code, text",
    [
        ("input('?')", "raw_input was called, but this frontend does not support input requests."),
        (
            "import getpass; getpass.getpass()",
            "getpass was called, but this frontend does not support input requests.",
        ),
    ],
)
def test_a_question_that_nobody_can_answer(shared, code, text):
    """Word for word as ipykernel, since tests compare it."""
    assert shared.run(code).error == f"StdinNotImplementedError: {text}"


def test_the_last_error_is_kept_for_the_debugger_in_json(shared):
    """A reply is never lost to its content."""
    result = shared.run("class Odd(Exception):\n    def __str__(self): return '\\ud800'\nraise Odd")
    assert result.reply["content"]["ename"] == "Odd"
    json.dumps(result.reply["content"])
