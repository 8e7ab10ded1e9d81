"""Comm messages that name a subshell: where they run, in which order, and that none is lost."""

from __future__ import annotations

import pytest
from shells import Shells

HANDLER = """
import comm, threading, time
said = []
def opened(c, message):
    @c.on_msg
    def told(message):
        value = message['content']['data']
        said.append((value, threading.get_ident() == threading.main_thread().ident))
        if isinstance(value, float):
            time.sleep(value)
    @c.on_close
    def closed(message):
        said.append(('closed', None))
comm.get_comm_manager().register_target('t', opened)
"""
BUSY = "print('busy', flush=True)\ntime.sleep({})"


def tell(kernel: Shells, data, shell: str | None, comm: str = "c", kind: str = "comm_msg") -> str:
    return kernel.send(kind, {"comm_id": comm, "data": data}, shell)


def opened(kernel: Shells, comm: str = "c") -> None:
    if comm == "c":
        kernel.cell(HANDLER)
    number = kernel.send("comm_open", {"comm_id": comm, "target_name": "t", "data": {}})
    kernel.pump(lambda: kernel.is_idle(number))


def said(kernel: Shells) -> list:
    return eval(kernel.cell("said"))


def test_they_run_on_main_unless_that_is_busy(kernel):
    shell = kernel.create()
    opened(kernel)
    idle = tell(kernel, 1, shell)
    kernel.pump(lambda: kernel.is_idle(idle))
    cell = kernel.execute(BUSY.format(600))
    kernel.until_printed(cell, "busy")
    beside = tell(kernel, 2, shell)
    kernel.pump(lambda: kernel.is_idle(beside))
    assert not kernel.is_idle(cell)
    kernel.interrupt()
    kernel.reply(cell)
    again = tell(kernel, 3, shell)
    kernel.pump(lambda: kernel.is_idle(again))
    assert said(kernel) == [(1, True), (2, False), (3, True)]


@pytest.mark.parametrize("policy", ["subshell", "main"])
def test_the_policy_can_be_chosen(python, policy):
    kernel = Shells(python, f"--comms={policy}")
    try:
        shell = kernel.create()
        opened(kernel)
        number = tell(kernel, 1, shell)
        kernel.pump(lambda: kernel.is_idle(number))
        cell = kernel.execute(BUSY.format(0.5))
        kernel.until_printed(cell, "busy")
        number = tell(kernel, 2, shell)
        kernel.pump(lambda: kernel.is_idle(number))
        assert said(kernel) == [(1, policy == "main"), (2, policy == "main")]
    finally:
        kernel.close()


@pytest.mark.parametrize(
    "cell", [BUSY, "print()\nawait asyncio.sleep({})"], ids=["at work", "awaits"]
)
def test_order_is_kept_when_they_change_threads(kernel, cell):
    """Cells come and go, and messages name the subshell or none."""
    kernel.cell("import asyncio")
    shell = kernel.create()
    opened(kernel)
    cells = []
    for n in range(400):
        if n % 40 == 0:
            cells.append(kernel.execute(cell.format(0.02)))
        tell(kernel, n, shell if n % 3 else None)
    last = tell(kernel, "last", shell)
    kernel.pump(lambda: kernel.is_idle(last) and all(map(kernel.is_idle, cells)))
    assert [value for value, _ in said(kernel)] == [*range(400), "last"]


def test_one_that_waits_behind_a_cell_goes_along(kernel):
    """The first messages of a widget name no subshell yet: those behind them are not held up by them."""
    shell = kernel.create()
    opened(kernel)
    cell = kernel.execute(BUSY.format(600))
    kernel.until_printed(cell, "busy")
    tell(kernel, 1, None)
    second = tell(kernel, 2, shell)
    kernel.pump(lambda: kernel.is_idle(second))
    kernel.interrupt()
    kernel.reply(cell)
    assert said(kernel) == [(1, False), (2, False)]


def test_one_that_is_being_handled_is_not_overtaken(kernel):
    shell = kernel.create()
    opened(kernel)
    tell(kernel, 0.5, None)
    cell = kernel.execute(BUSY.format(0.1))
    second = tell(kernel, 2, shell)
    kernel.pump(lambda: kernel.is_idle(second))
    kernel.reply(cell)
    assert [value for value, _ in said(kernel)] == [0.5, 2]


@pytest.mark.parametrize("pause", ["", "time.sleep(0.05)\n"], ids=["awaits", "is about to"])
def test_a_cell_that_awaits_gets_its_answer_on_its_own_thread(kernel, pause):
    """One that is about to await as well: it has said that it is ready, and runs a few more lines."""
    shell = kernel.create()
    # How long the main thread may take to come to its await.
    kernel.cell(
        "import asyncio, comm, drupe.subshells, threading, time\ndrupe.subshells._MAIN_TAKES = 20"
    )
    kernel.cell(
        "c = comm.create_comm(target_name='t', comm_id='mine')\n"
        "c.on_msg(lambda message: answer.set_result(threading.get_ident()))",
        shell,
    )
    code = (
        "answer = asyncio.get_running_loop().create_future()\nprint('busy', flush=True)\n"
        f"{pause}await answer == threading.get_ident()"
    )
    for n in range(20):
        cell = kernel.execute(code)
        kernel.until_printed(cell, "busy")
        tell(kernel, n, shell, comm="mine")
        assert kernel.result(cell).endswith("True")


def test_a_cell_that_never_comes_to_its_await_is_waited_for_once(kernel):
    """The first message gives it a moment, those behind it none, until it has looked."""
    shell = kernel.create()
    opened(kernel)
    cell = kernel.execute(
        "import asyncio\ngo = threading.Event()\nprint('busy', flush=True)\ngo.wait(60)\nawait asyncio.sleep(0)"
    )
    kernel.until_printed(cell, "busy")
    # So many moments would be longer than this waits.
    numbers = [tell(kernel, n, shell) for n in range(200)]
    kernel.pump(lambda: kernel.is_idle(numbers[-1]))
    assert not kernel.is_idle(cell)
    kernel.cell("go.set()", shell)
    kernel.reply(cell)
    assert said(kernel) == [(n, False) for n in range(200)]
    kernel.cell("import drupe.subshells; drupe.subshells._MAIN_TAKES = 20")
    cell = kernel.execute("print('busy', flush=True)\nawait asyncio.sleep(0.5)")
    kernel.until_printed(cell, "busy")
    late = tell(kernel, 200, shell)
    kernel.pump(lambda: kernel.is_idle(late))
    kernel.reply(cell)
    assert said(kernel)[200:] == [(200, True)]


def test_an_interrupt_while_the_main_thread_is_asked_loses_no_message(kernel):
    """It ends the cell, and the message has its turn all the same, once, before it counts as handled."""
    shell = kernel.create()
    opened(kernel)
    kernel.cell("import asyncio")
    for n in range(6):
        cell = kernel.execute("print('busy', flush=True)\ntime.sleep(600)\nawait asyncio.sleep(0)")
        kernel.until_printed(cell, "busy")
        number = tell(kernel, n, shell)
        kernel.interrupt()
        kernel.pump(lambda number=number: kernel.is_idle(number))
        assert kernel.reply(cell)["ename"] == "KeyboardInterrupt"
        assert [value for value, _ in said(kernel)] == [*range(n + 1)]


def test_the_close_that_comes_before_the_delete_is_not_lost(kernel):
    """Front-ends send the one on shell and the other on control."""
    opened(kernel)
    for n in range(100):
        shell = kernel.create()
        opened(kernel, f"c{n}")
        tell(kernel, {}, shell, f"c{n}", "comm_close")
        kernel.delete(shell)
    kernel.pump(lambda: len(said(kernel)) == 100)


def test_what_waits_for_a_deleted_one_is_handled_by_main(kernel):
    shell = kernel.create()
    opened(kernel)
    cells = [kernel.execute(BUSY.format(1), s) for s in (shell, None)]
    for cell in cells:
        kernel.until_printed(cell, "busy")
    numbers = [tell(kernel, n, shell) for n in range(3)]
    kernel.control("list_subshell_request")
    kernel.cell("1", kernel.create())
    kernel.delete(shell)
    kernel.pump(lambda: all(map(kernel.is_idle, numbers)))
    assert [value for value, _ in said(kernel)] == [0, 1, 2]


SLOW = """
import comm, time
import drupe.commtypes as types
class Slow(types.CommManager):
    def __init__(self):
        time.sleep(0.2)
        super().__init__()
types.CommManager = Slow
"""


def test_two_shells_want_the_first_comm_at_a_time(kernel):
    """Both comms are known afterwards."""
    shell = kernel.create()
    kernel.cell(SLOW)
    made = [
        kernel.execute(f"{name} = comm.create_comm(target_name='t')", where)
        for name, where in (("a", shell), ("b", None))
    ]
    assert [kernel.result(number) for number in made] == ["", ""]
    assert kernel.cell("{a.comm_id, b.comm_id} <= {*comm.get_comm_manager().comms}") == "True"
