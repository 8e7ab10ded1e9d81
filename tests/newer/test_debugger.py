"""A debug session, by debugpy and `sys.monitoring`."""

from __future__ import annotations

import time
from pathlib import Path

from session import Debugged


def test_breakpoints_and_steps(kernel):
    debugged = Debugged(kernel.manager, kernel.client)
    debugged.attach()
    code = "def double(x):\n    y = 2 * x\n    return y\ndouble(21)\n"
    debugged.break_at(code, 2)
    cell = debugged.run(code)
    stop = debugged.stopped()
    assert [(frame["name"], frame["line"]) for frame in debugged.frames()][:2] == [
        ("double", 2),
        ("<module>", 4),
    ]
    debugged.body("next", threadId=stop["threadId"])
    debugged.stopped()
    assert debugged.frames()[0]["line"] == 3
    debugged.body("continue", threadId=stop["threadId"])
    assert debugged.done(cell)["status"] == "ok"
    assert kernel.end() == 0


def answering(pid: int) -> list[str]:
    """The threads that are at work for the debugger."""
    names = [path.read_text().strip() for path in Path(f"/proc/{pid}/task").glob("*/comm")]
    return [name for name in names if name == "drupe-debugger"]


def test_errors_in_the_kernels_own_threads_stop_nobody(kernel):
    """What answers the debugger describes the namespace, which raises and catches errors. pydevd has met its threads before they
    could say whose they are."""
    debugged = Debugged(kernel.manager, kernel.client)
    debugged.attach()
    debugged.done(debugged.run("def described(value: int) -> str: ..."))
    debugged.body("setExceptionBreakpoints", filters=["raised"])
    for _ in range(3):
        cell = debugged.run("try:\n    raise ValueError('here')\nexcept ValueError:\n    pass\n")
        while (stop := debugged.stopped())["text"] != "ValueError":
            assert stop["threadId"] == 1, stop
            debugged.body("continue", threadId=1)
        assert debugged.body("inspectVariables")["variables"]
        until = time.monotonic() + 5
        while threads := answering(kernel.pid):
            assert time.monotonic() < until, f"{threads} are stopped"
            time.sleep(0.05)
        debugged.body("setExceptionBreakpoints", filters=[])
        debugged.body("continue", threadId=1)
        assert debugged.done(cell)["status"] == "ok"
        debugged.body("setExceptionBreakpoints", filters=["raised"])
    assert kernel.end() == 0
