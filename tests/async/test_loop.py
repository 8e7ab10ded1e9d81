"""The loop of the main thread: there for whoever needs it, from the first cell to the end."""

from __future__ import annotations

import os
import signal
import time

import pytest
from session import Session

LIBRARY = """
import asyncio

done = []

def start():
    async def work():
        await asyncio.sleep(0.05)
        done.append(1)
        print("done")
    return asyncio.get_running_loop().create_task(work())

def look():
    loop = asyncio.get_running_loop()
    return loop.is_running(), asyncio.current_task(loop) is not None
"""


@pytest.fixture
def library(session, tmp_path):
    """A module that needs the loop, where the cells can import it."""
    (tmp_path / "needs_loop.py").write_text(LIBRARY)
    session.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    return session


# Nobody says before that a loop will be needed.


def test_a_library_s_function_finds_it_in_the_very_first_cell(library):
    assert library.run("import needs_loop; needs_loop.look()") == "(True, True)"
    assert library.run("task = needs_loop.start()") == ""
    library.until_heard("done")
    assert library.run("needs_loop.done, needs_loop.look()") == "([1], (True, True))"


def test_a_task_that_the_first_cell_starts_runs_behind_it(library):
    assert library.run("import needs_loop; task = needs_loop.start()") == ""
    library.until_heard("done")
    assert library.run("needs_loop.done") == "[1]"


def test_a_file_that_is_run_finds_it(session, tmp_path):
    (tmp_path / "run_me.py").write_text(LIBRARY + "print(look())")
    assert session.run(f"%run {tmp_path / 'run_me.py'}").strip() == "(True, True)"


def test_a_hook_of_ipython_s_finds_it(library):
    library.run(
        "looks = []\ndef hook(*_):\n    import needs_loop\n    looks.append(needs_loop.look())"
    )
    library.run("get_ipython().events.register('pre_run_cell', hook)")
    assert library.run("looks") == "[(True, True)]"
    # Here the hook brings asyncio, and the cell awaits.
    assert library.run("from asyncio import sleep\nawait sleep(0)\nlen(looks)") == "2"


def test_the_first_cell_may_await(session):
    code = "import asyncio\nawait asyncio.sleep(0.01)\nasyncio.current_task() is not None"
    assert session.run(code) == "True"
    code = "async with asyncio.timeout(1):\n    pass\nasync for n in numbers(): print(n)"
    if session.run("hasattr(asyncio, 'timeout')") == "True":
        session.run("async def numbers():\n    yield 1")
        assert session.run(code) == "1\n"


def test_a_coroutine_in_the_place_of_a_function_of_the_kernel_s_is_awaited(session):
    """By somebody who has not imported asyncio."""
    session.run(
        "kernel = get_ipython().kernel\n"
        "async def is_complete(code): return {'status': 'invalid'}\n"
        "kernel.do_is_complete = is_complete"
    )
    session.client.is_complete("f(")
    assert session.client.get_shell_msg(timeout=20)["content"]["status"] == "invalid"
    assert session.run("1 + 1") == "2"


def test_words_alone_bring_no_loop(session):
    """What is imported is IPython's to say: newer releases leave asyncio out."""
    before = session.run("import sys; 'asyncio' in sys.modules")
    assert session.run("'await', 'async def'") == "('await', 'async def')"
    assert session.run("'asyncio' in sys.modules") == before


CHILD = """
import os, warnings
warnings.simplefilter("ignore")
pid = os.fork()
if pid == 0:
    import asyncio
    os._exit(asyncio.run(asyncio.sleep(0, 42)))
os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def test_a_forked_child_has_no_loop_yet(session):
    assert session.run(CHILD) == "42"
    session.run("import asyncio\nawait asyncio.sleep(0)")
    assert session.run(CHILD) == "42"


def test_nest_asyncio_in_the_first_cell_and_later(session):
    code = "import nest_asyncio; nest_asyncio.apply()\nimport asyncio\nasyncio.run(asyncio.sleep(0.01, 5))"
    assert session.run(code) == "5"
    assert session.run("asyncio.run(asyncio.sleep(0.01, 6))") == "6"
    assert session.run("await asyncio.sleep(0.01, 7)") == "7"


def test_a_cell_that_closes_the_loop_costs_the_next_one_nothing(session):
    session.run("import asyncio\nasyncio.get_running_loop()")
    session.run("loop = asyncio.get_running_loop()\nloop.stop()")
    assert session.run("1") == "1"
    session.run("async def close():\n    loop.close()\nlater = loop.call_later(0.05, loop.stop)")
    time.sleep(0.2)
    assert session.run("await asyncio.sleep(0.01, 8)") == "8"


def test_a_child_that_a_callback_forks_is_no_second_kernel(session):
    session.run(
        "import asyncio, os\ndef forks():\n    global child\n    child = os.fork()\n    if child == 0: raise SystemExit(7)"
    )
    code = "asyncio.get_running_loop().call_soon(forks)\nawait asyncio.sleep(0.1)\nos.waitpid(child, 0)[1] >> 8"
    # Python 3.12 and newer warn of a fork beside threads.
    assert session.run(code).endswith("7")
    assert session.run("'well'") == "'well'"


def test_an_interrupt_of_the_first_cell_that_awaits(session):
    # It is answered when Python has been started.
    session.run("1")
    code = "import asyncio\nawait asyncio.sleep(100)"
    assert session.run_interrupted(code).endswith("KeyboardInterrupt")
    assert session.run("await asyncio.sleep(0, 3)") == "3"


# What a loop is for.


def test_a_task_goes_on_between_cells_and_beside_them(session):
    session.run(
        "import asyncio\nticks = []\nasync def tick():\n    while True:\n"
        "        ticks.append(1)\n        await asyncio.sleep(0.01)\ntask = asyncio.create_task(tick())"
    )
    assert session.goes_on("ticks")
    assert session.run("n = len(ticks)\nwhile len(ticks) < n + 4: await asyncio.sleep(0.01)") == ""


def test_a_handler_of_a_signal_is_called_in_the_loop(session):
    session.run(
        "import asyncio, os, signal\ncame = []\ndef handler():\n    came.append(1)\n    print('it came')"
    )
    session.run("asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, handler)")
    os.kill(session.manager.provisioner.process.pid, signal.SIGUSR1)
    session.until_heard("it came")
    assert session.run("came") == "[1]"
    assert session.run_interrupted("await asyncio.sleep(100)").endswith("KeyboardInterrupt")
    assert (
        session.run("os.kill(os.getpid(), signal.SIGUSR1)\nawait asyncio.sleep(0.05)\ncame")
        == "[1, 1]"
    )


def test_executors_processes_and_generators(session):
    session.run("import asyncio, threading")
    code = "await asyncio.get_running_loop().run_in_executor(None, threading.current_thread)"
    assert "asyncio_0" in session.run(code)
    code = (
        "one = await asyncio.create_subprocess_exec('sh', '-c', 'read x; echo got $x', stdin=-1, stdout=-1)\n"
        "(await one.communicate(b'it\\n'))[0], one.returncode"
    )
    assert session.run(code) == "(b'got it\\n', 0)"
    session.run(
        "ended = []\nasync def numbers():\n    try:\n        for n in range(9): yield n\n    finally: ended.append(1)\n"
        "some = numbers()\nawait some.__anext__()"
    )
    assert session.run("await some.__anext__()") == "1"
    assert session.run("async for n in some:\n    if n == 3: break\nn") == "3"
    assert session.run("del some\nawait asyncio.sleep(0.01)\nended") == "[1]"


def test_a_loop_in_a_thread_of_the_users_own(session):
    session.run(
        "import asyncio, threading\ndef work():\n"
        "    async def main():\n        await asyncio.sleep(0.01)\n        return asyncio.get_running_loop() is not mine\n"
        "    with getattr(asyncio, 'Runner', Plain)() as runner:\n        said.append(runner.run(main()))\n"
        "class Plain:\n    def __enter__(self): return self\n    def __exit__(self, *_): pass\n    run = staticmethod(asyncio.run)\n"
        "said, mine = [], asyncio.get_running_loop()\none = threading.Thread(target=work); one.start()"
    )
    assert session.run("await asyncio.sleep(0.2); one.join(); said") == "[True]"
    assert session.run("asyncio.get_running_loop() is mine") == "True"


def test_eager_tasks(session):
    if session.run("import asyncio; hasattr(asyncio, 'eager_task_factory')") == "False":
        assert session.run("import sys; sys.version_info < (3, 12)") == "True"
        return
    session.run("asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)")
    session.run(
        "said = []\nasync def work():\n    said.append('begun')\n    await asyncio.sleep(0.05)\n    said.append('ended')"
    )
    assert session.run("task = asyncio.create_task(work()); said") == "['begun']"
    assert session.run("await task; said") == "['begun', 'ended']"
    code = "await asyncio.gather(work(), asyncio.sleep(100))"
    assert session.run_interrupted(code).endswith("KeyboardInterrupt")
    assert session.run("await asyncio.sleep(0, 9)") == "9"


# Interrupts.

INTERRUPTED = {
    "gather": "await asyncio.gather(asyncio.sleep(100), asyncio.sleep(100))",
    "wait_for": "await asyncio.wait_for(asyncio.sleep(100), 50)",
    "to_thread": "await asyncio.to_thread(wait_for_end)",
    "group": "async with asyncio.TaskGroup() as group:\n    for _ in range(3): group.create_task(asyncio.sleep(100))",
    "finally": "try:\n    print('busy', flush=True)\n    await asyncio.sleep(100)\n"
    "finally:\n    await asyncio.sleep(0.05)\n    ended.append(1)",
    "task": "await asyncio.create_task(asyncio.sleep(100))",
    "busy": "while True:\n    await asyncio.sleep(0)",
}


def test_the_first_await_of_all_finds_the_loop(python, tmp_path):
    """And does not leave it, to be resumed 10 ms later, where nobody has imported asyncio before."""
    with (tmp_path / "log").open("wb") as log:
        session = Session(python, "--log-level=info", stderr=log)
        try:
            assert (
                session.run("class Soon:\n    def __await__(self): yield\nawait Soon()\n'well'")
                == "'well'"
            )
            assert session.run("import asyncio; asyncio.current_task().get_name()") == "'drupe'"
        finally:
            session.close()
    said = (tmp_path / "log").read_text()
    assert "IPython" in said, "the log is empty"
    assert "the event loop was left" not in said


@pytest.mark.parametrize("what", INTERRUPTED)
def test_an_interrupt_ends_what_a_cell_awaits_and_no_task_beside_it(session, what):
    session.run(
        "import asyncio, threading\nticks, ended, end = [], [], threading.Event()\n"
        "wait_for_end = lambda: end.wait(100)\n"
        "async def tick():\n    while True:\n        ticks.append(1)\n        await asyncio.sleep(0.01)\n"
        "task = asyncio.create_task(tick())"
    )
    if what == "group" and session.run("hasattr(asyncio, 'TaskGroup')") == "False":
        assert session.run("import sys; sys.version_info < (3, 11)") == "True"
        return
    for _ in range(3):
        assert session.run_interrupted(INTERRUPTED[what]).endswith("KeyboardInterrupt")
        assert session.goes_on("ticks")
    assert session.run("end.set(); len(ended)") == ("3" if what == "finally" else "0")


SPINS = """\
async def spin():
    print('busy', flush=True)
    while True: pass
spins = asyncio.create_task(spin())
await asyncio.sleep(100)"""


def test_an_interrupt_that_meets_a_task_is_the_cell_s(session):
    """The task runs half of the time. One that never comes to its next await would keep the cell from ending, and ends with it."""
    session.run(
        "import asyncio, time\nasync def work():\n    while True:\n        end = time.perf_counter() + 0.01\n"
        "        while time.perf_counter() < end: pass\n        await asyncio.sleep(0.01)\n"
        "task = asyncio.create_task(work())"
    )
    for _ in range(10):
        said = session.run_interrupted("await asyncio.sleep(100)", 0.03)
        assert said.endswith("KeyboardInterrupt")
        assert session.run("task.done()") == "False"
    assert session.run_interrupted(SPINS).endswith("KeyboardInterrupt")
    assert session.run("spins.done(), task.done()") == "(True, False)"


def test_what_ignores_its_cancellation_gets_it_again(session):
    session.run(
        "import asyncio\nignored = []\nasync def stubborn(announce):\n    while True:\n"
        "        try: announce(); await asyncio.sleep(100)\n"
        "        except asyncio.CancelledError:\n            ignored.append(1)\n            if len(ignored) == 2: raise"
    )
    # It is said once it waits.
    code = "await stubborn(lambda: asyncio.get_running_loop().call_soon(print, 'busy'))"
    assert session.run_interrupted(code).endswith("KeyboardInterrupt")
    assert session.run("len(ignored)") == "2"


# uvloop.


@pytest.fixture
def uvloop(python):
    session = Session(python, "--loop=uvloop")
    yield session
    session.close()


def test_uvloop(uvloop, tmp_path):
    assert uvloop.run("import asyncio; type(asyncio.get_running_loop()).__module__") == "'uvloop'"
    uvloop.run(
        "ticks = []\nasync def tick():\n    while True:\n        ticks.append(1)\n        await asyncio.sleep(0.01)\n"
        "task = asyncio.create_task(tick())"
    )
    assert uvloop.goes_on("ticks")
    for code in (
        "await asyncio.sleep(100)",
        "while True: await asyncio.sleep(0)",
        "while True: pass",
    ):
        assert uvloop.run_interrupted(code).endswith("KeyboardInterrupt")
        assert uvloop.goes_on("ticks")
    # A task that computes without end is interrupted where it computes, and the cell with it.
    assert uvloop.run_interrupted(SPINS).endswith("KeyboardInterrupt")
    assert uvloop.run("spins.done()") == "True"
    uvloop.run(
        f"async def last():\n    try: await asyncio.sleep(100)\n    finally: open({str(tmp_path / 'kept')!r}, 'w').write('kept')\n"
        "last = asyncio.create_task(last()); await asyncio.sleep(0)"
    )
    uvloop.close()
    assert (tmp_path / "kept").read_text() == "kept"


# What a turn of the loop costs.


def test_a_cell_that_awaits_is_woken_alone(session):
    """Between the loop and the cell stand the task of requests, the interrupts' steps, and IPython's innermost function, which
    shows an error: nobody else is resumed for each `await`."""
    session.run(
        "import asyncio, sys\n"
        "async def above():\n"
        "    await asyncio.sleep(0)\n"
        "    frame, found = sys._getframe(1), []\n"
        "    while frame.f_globals['__name__'] != 'asyncio.events':\n"
        "        found.append(frame.f_code.co_name)\n"
        "        frame = frame.f_back\n"
        "    return found"
    )
    assert session.run("await above()") == "['<module>', 'run_code', '__await__', '_serve']"


SLOW = """
import time

def new_event_loop():
    import asyncio
    time.sleep(0.2)
    return asyncio.new_event_loop()
"""


def test_two_threads_that_ask_first_get_one_loop(python, tmp_path):
    """A callback that one of them posts would else wait in a loop that nobody runs."""
    (tmp_path / "uvloop.py").write_text(SLOW)
    session = Session(python, "--loop=uvloop", env={"PYTHONPATH": str(tmp_path)})
    try:
        session.run(
            "import threading\nserver, loops = get_ipython().kernel.server, []\n"
            "def ask(): loops.append(server.loop); loops[-1].call_soon_threadsafe(called.append, 1)\n"
            "called, threads = [], [threading.Thread(target=ask) for _ in range(2)]\n"
            "for one in threads: one.start()\nfor one in threads: one.join()"
        )
        said = session.run("import asyncio; await asyncio.sleep(0.05)\nlen(set(loops)), called")
        assert said == "(1, [1, 1])"
    finally:
        session.close()
