"""Cells of several shells at a time: what each says, counts, asks and is interrupted by is its own."""

from __future__ import annotations

import subprocess
import time

import pytest
from session import executable, pythons

FIGURES = "import matplotlib; matplotlib.use('module://matplotlib_inline.backend_inline')\nimport matplotlib.pyplot as plt"


@pytest.fixture(scope="module")
def fonts():
    """Matplotlib's list of them: where making it takes long, it warns in the cell that imports it."""
    for name in pythons():
        subprocess.run([executable(name), "-c", "import matplotlib.font_manager"], check=True)


def test_cells_run_at_a_time_in_one_namespace(kernel):
    shell = kernel.create()
    kernel.cell("import threading, time\nmeet = threading.Barrier(2)\nx = 1")
    cells = [
        kernel.execute("meet.wait(10); x += 1; threading.get_ident()", s) for s in (None, shell)
    ]
    idents = [kernel.result(cell) for cell in cells]
    assert len(set(idents)) == 2
    assert kernel.cell("x", shell) == "3"


def test_no_two_cells_have_a_number(kernel):
    shells = [None, kernel.create(), kernel.create(), kernel.create()]
    cells = [kernel.execute(f"{n}", shells[n % 4]) for n in range(400)]
    counts = []
    for n, cell in enumerate(cells):
        count = kernel.reply(cell)["execution_count"]
        told = [
            message["content"]["execution_count"]
            for message in kernel.said[cell]
            if message["msg_type"] in ("execute_input", "execute_result")
        ]
        assert told == [count, count]
        counts.append((count, n))
    assert sorted(count for count, _ in counts) == list(range(1, 401))
    where = kernel.cell("[(n, In[n], Out[n]) for n in range(1, 401)]")
    assert eval(where) == [(count, str(n), n) for count, n in sorted(counts)]
    assert kernel.cell("get_ipython().execution_count") in ("402", "403")


def test_a_cell_that_runs_when_the_first_subshell_is_made_keeps_its_number(kernel):
    cell = kernel.execute(
        "import threading; go = threading.Event(); print('busy', flush=True); go.wait(20)"
    )
    kernel.until_printed(cell, "busy")
    shell = kernel.create()
    other = kernel.execute("go.set()", shell)
    assert [kernel.reply(number)["execution_count"] for number in (cell, other)] == [1, 2]
    assert kernel.reply(kernel.execute("3"))["execution_count"] == 3


def test_what_takes_no_number_gives_it_back(kernel):
    shell = kernel.create()
    for silent in ({"silent": True}, {"store_history": False}):
        kernel.reply(kernel.execute("1", shell, **silent))
    kernel.reply(kernel.execute("  ", shell))
    assert kernel.reply(kernel.execute("1", shell))["execution_count"] == 1
    kernel.reply(kernel.execute("get_ipython().execution_count = 10", shell))
    # IPython 8 counts on at the end of a cell, newer ones at its beginning.
    assert kernel.reply(kernel.execute("1"))["execution_count"] in (10, 11)


def test_output_is_its_cell_s(kernel):
    shells = [None, *(kernel.create() for _ in range(3))]
    code = "import time\nfor i in range(200):\n    print('{0}', i)\n    time.sleep(0.001)"
    cells = [kernel.execute(code.format(n), shell) for n, shell in enumerate(shells)]
    for n, cell in enumerate(cells):
        assert kernel.result(cell) == "".join(f"{n} {i}\n" for i in range(200))


def test_a_thread_prints_where_it_was_started(kernel):
    shell = kernel.create()
    main = kernel.execute("import time; print('busy', flush=True); time.sleep(1)")
    kernel.until_printed(main, "busy")
    code = "import threading\nt = threading.Thread(target=print, args=('of the subshell',))\nt.start(); t.join()"
    assert kernel.cell(code, shell) == "of the subshell\n"
    assert kernel.result(main) == "busy\n"


def test_each_has_a_loop_whose_tasks_go_on(kernel):
    shell = kernel.create()
    kernel.cell(
        "import asyncio\nticks = 0\nasync def tick():\n    global ticks\n    while True:\n        ticks += 1\n        await asyncio.sleep(0.01)"
    )
    kernel.cell("task = asyncio.create_task(tick())", shell)
    kernel.pump(lambda: int(kernel.cell("ticks")) > 5)
    assert kernel.cell("asyncio.get_running_loop() is task.get_loop()", shell) == "True"
    assert kernel.cell("await asyncio.sleep(0.05, 'awaited')", shell) == "'awaited'"
    assert (
        kernel.cell("import contextvars; v = contextvars.ContextVar('v'); _ = v.set(1)", shell)
        == ""
    )
    assert kernel.cell("v.get()", shell) == "1"
    kernel.delete(shell)
    kernel.pump(lambda: kernel.cell("task.cancelled()") == "True")


def test_interrupts(kernel):
    """Each of them, all at once, and the kernel is as before."""
    shells = [kernel.create() for _ in range(3)]
    codes = (
        "print('busy', flush=True)\nwhile True: pass",
        "import asyncio\nprint('busy', flush=True)\nawait asyncio.sleep(600)",
        "import time\nprint('busy', flush=True)\nwhile True: time.sleep(0.05)",
    )
    for _ in range(3):
        cells = [kernel.execute(code, shell) for code, shell in zip(codes, shells)]
        for cell in cells:
            kernel.until_printed(cell, "busy")
        kernel.interrupt()
        for cell in cells:
            assert kernel.reply(cell)["ename"] == "KeyboardInterrupt"
            assert kernel.text(cell).count("KeyboardInterrupt") == 1
        # The main shell was idle, and nothing is left over for anybody.
        assert [kernel.cell("sum(range(10**6))", shell) for shell in (None, *shells)] == [
            "499999500000"
        ] * 4


def test_an_interrupt_may_be_caught(kernel):
    shell = kernel.create()
    code = "try:\n    print('busy', flush=True)\n    while True: pass\nexcept KeyboardInterrupt:\n    print('caught')\nprint('goes on')"
    for _ in range(10):
        cell = kernel.execute(code, shell)
        kernel.until_printed(cell, "busy")
        kernel.interrupt()
        assert kernel.reply(cell)["status"] == "ok"
        assert kernel.text(cell) == "busy\ncaught\ngoes on\n"


def test_interrupts_at_any_moment_break_nothing(kernel):
    shell = kernel.create()
    for n in range(60):
        cell = kernel.execute("for i in range(3000): pass\nprint('done')\n1", shell)
        time.sleep(n % 12 / 4000)
        kernel.interrupt()
        status = kernel.reply(cell)["status"]
        assert status == "ok" or kernel.text(cell).endswith("KeyboardInterrupt")
    assert kernel.cell("'well'", shell) == "'well'"


def test_two_questions_get_their_own_answers(kernel):
    shell = kernel.create()
    cells = [
        kernel.execute(f"input('{name}')", s, allow_stdin=True)
        for name, s in (("A", None), ("B", shell))
    ]
    asked = {}
    while len(asked) < 2:
        message = kernel.client.get_stdin_msg(timeout=20)
        asked[message["content"]["prompt"]] = message
    for name in ("B", "A"):
        reply = kernel.client.session.msg(
            "input_reply", {"value": f"of {name}"}, parent=asked[name]
        )
        kernel.client.stdin_channel.send(reply)
    assert [kernel.result(cell) for cell in cells] == ["'of A'", "'of B'"]


def test_a_question_is_given_up_by_an_interrupt(kernel):
    shell = kernel.create()
    cell = kernel.execute("input('?')", shell, allow_stdin=True)
    kernel.client.get_stdin_msg(timeout=20)
    kernel.interrupt()
    assert kernel.reply(cell)["ename"] == "KeyboardInterrupt"


def test_each_debugs_its_own_error(kernel):
    shell = kernel.create()
    kernel.cell("mine = 'main'\n1 / 0")
    kernel.cell("{}['of the subshell']", shell)
    for s, error in ((None, "ZeroDivisionError"), (shell, "KeyError")):
        assert error in kernel.cell("import sys; sys.last_type.__name__", s)


def test_a_payload_is_its_own_cell_s(kernel):
    shell = kernel.create()
    kernel.cell("import threading\nmeet = threading.Barrier(2)")
    cells = [
        kernel.execute(f"get_ipython().set_next_input('{n}'); _ = meet.wait(10)", s)
        for n, s in enumerate((None, shell))
    ]
    assert [kernel.reply(cell)["payload"][0]["text"] for cell in cells] == ["0", "1"]


def test_completion_in_a_subshell(kernel):
    shell = kernel.create()
    kernel.cell("some_long_name = 1")
    reply = kernel.reply(
        kernel.send("complete_request", {"code": "some_lo", "cursor_pos": 7}, shell)
    )
    assert "some_long_name" in reply["matches"]
    cell = kernel.execute("import time; print('busy', flush=True); time.sleep(600)", shell)
    kernel.until_printed(cell, "busy")
    reply = kernel.reply(
        kernel.send("complete_request", {"code": "some_lo", "cursor_pos": 7}, shell)
    )
    assert "some_long_name" in reply["matches"] and not kernel.is_idle(cell)
    kernel.interrupt()


@pytest.mark.usefixtures("fonts")
def test_figures_are_their_cell_s(kernel):
    shell = kernel.create()
    assert kernel.cell(FIGURES) == ""
    kernel.cell("%matplotlib inline")
    kernel.cell("import threading\nmeet = [threading.Barrier(2) for _ in range(3)]")
    main = kernel.execute(
        "plt.plot([1, 2]); meet[0].wait(20); meet[1].wait(20); plt.title('main'); print(plt.gca().get_title(), len(plt.gca().lines))"
    )
    sub = kernel.execute(
        "meet[0].wait(20); plt.plot([3]); plt.title('sub'); print(plt.gca().get_title(), len(plt.gca().lines))",
        shell,
    )
    assert kernel.result(sub).endswith("sub 1\n")
    kernel.execute("meet[1].wait(20)", shell)
    assert kernel.result(main).endswith("main 1\n")
    for cell in (main, sub):
        shown = [m for m in kernel.said[cell] if m["msg_type"] == "display_data"]
        assert len(shown) == 1 and "image/png" in shown[0]["content"]["data"]


def figures(kernel, cell: str) -> int:
    """How many a cell has shown."""
    shown = [m["content"]["data"] for m in kernel.said[cell] if m["msg_type"] == "display_data"]
    return sum("image/png" in data for data in shown)


EVENTS = "import threading\ndrawn, ended = threading.Event(), threading.Event()"
DRAW = """\
{first}
import matplotlib.pyplot as plt
plt.plot([1, 2])
drawn.set()
print(ended.wait(20))"""


@pytest.mark.usefixtures("fonts")
def test_a_figure_is_shown_whatever_a_subshell_ends_meanwhile(kernel):
    """The backend's module imports the one with pyplot's table, and was not watched from then on."""
    shell = kernel.create()
    kernel.cell(EVENTS)
    main = kernel.execute(DRAW.format(first="%matplotlib inline"))
    assert kernel.cell("drawn.wait(20)", shell) == "True"
    kernel.cell("ended.set()", shell)
    assert kernel.result(main) == "True\n"
    assert figures(kernel, main) == 1


BLOCK = """\
import sys, time
class Slow:
    def find_spec(name, path=None, target=None):
        if name == "matplotlib.backends.backend_agg":
            print("importing", flush=True)
            time.sleep(1)
sys.meta_path.insert(0, Slow)
import matplotlib_inline.backend_inline
%matplotlib inline"""


@pytest.mark.usefixtures("fonts")
def test_a_subshell_may_be_made_in_the_middle_of_an_import(kernel):
    kernel.cell(EVENTS)
    main = kernel.execute(DRAW.format(first=BLOCK))
    kernel.until_printed(main, "importing")
    shell = kernel.create()
    assert kernel.cell("drawn.wait(20)", shell) == "True"
    kernel.cell("ended.set()", shell)
    assert kernel.result(main) == "importing\nTrue\n"
    assert figures(kernel, main) == 1


def test_exit_in_a_subshell_ends_the_kernel_behind_its_cell(kernel):
    shell = kernel.create()
    cell = kernel.execute("exit()", shell)
    assert kernel.reply(cell)["status"] == "ok"
    deadline = time.monotonic() + 5
    while kernel.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.01)
