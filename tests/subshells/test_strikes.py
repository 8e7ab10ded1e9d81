"""Interrupts of subshells that land where one thing ends and another begins."""

from __future__ import annotations

import pytest
from test_comms import opened, said, tell

COMPUTING = """
import asyncio, sys, threading
stop = threading.Event()
def spin():
    while not stop.is_set(): pass
for _ in range(2): threading.Thread(target=spin, daemon=True).start()
sys.setswitchinterval(0.01)
"""


def test_one_that_comes_too_late_does_not_strike_the_next_cell(kernel):
    """The core needs Python for it, which others compute in: the cell that was meant may have ended by then."""
    shell = kernel.create()
    # What shows the first error is imported, and each file that is read would give the others their turn.
    assert kernel.cell("1 / 0", shell) == "ZeroDivisionError"
    kernel.cell(COMPUTING)
    for _ in range(15):
        meant = kernel.execute("print('busy', flush=True)", shell)
        kernel.until_printed(meant, "busy")
        kernel.send("interrupt_request", {}, channel="control")
        following = kernel.execute("for _ in range(10**6): pass\n'well'", shell)
        # Behind a cell that it has met the next one is not run.
        status = "ok" if kernel.reply(meant)["status"] == "ok" else "aborted"
        assert kernel.reply(following)["status"] == status
    kernel.cell("stop.set()")


def interrupted(kernel, code: str, shell: str | None) -> None:
    """Interrupt a cell once it has said that it is busy: it ends with that."""
    cell = kernel.execute(code, shell)
    kernel.until_printed(cell, "busy")
    kernel.interrupt()
    assert kernel.reply(cell)["ename"] == "KeyboardInterrupt"


STEPS = {
    "each step awaits": "print('busy', flush=True)\nwhile True: await asyncio.sleep(0)",
    "a long await": "print('busy', flush=True)\nawait asyncio.sleep(100)",
    "steps, then none": "print('busy', flush=True)\nfor _ in range(200): await asyncio.sleep(0)\nwhile True: pass",
}


@pytest.mark.parametrize("where", ["subshell", "main"])
@pytest.mark.parametrize("code", STEPS.values(), ids=STEPS)
def test_a_cell_that_awaits_ends_with_one_error_wherever_it_is_met(kernel, code, where):
    shell = kernel.create() if where == "subshell" else None
    kernel.cell("import asyncio")
    for _ in range(40):
        interrupted(kernel, code, shell)
        assert kernel.cell("'well'", shell) == "'well'"


def test_a_cancellation_is_over_with_its_cell(kernel):
    """A group of tasks asks its task how often it has been cancelled."""
    shell = kernel.create()
    kernel.cell("import asyncio")
    interrupted(kernel, STEPS["a long await"], shell)
    assert kernel.cell("getattr(asyncio.current_task(), 'cancelling', int)()", shell) == "0"


def test_a_cell_that_trio_awaits_gets_a_message_on_its_own_thread(kernel):
    """Also where it runs a line between two awaits."""
    shell = kernel.create()
    opened(kernel)
    kernel.cell("import trio, drupe.subshells\ndrupe.subshells._MAIN_TAKES = 20\n%autoawait trio")
    cell = kernel.execute(
        "await trio.sleep(0)\nprint('busy', flush=True)\ntime.sleep(0.3)\nwhile not said: await trio.sleep(0.01)"
    )
    kernel.until_printed(cell, "busy")
    tell(kernel, 1, shell)
    assert kernel.reply(cell)["status"] == "ok"
    assert said(kernel) == [(1, True)]
