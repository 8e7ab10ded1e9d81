"""A debug session, as front-ends have it."""

import os
import re
import signal
import statistics
import time

import pytest

pytest.importorskip("debugpy")

ADD = "def add(a, b):\n    c = a + b\n    return c\nresult = add(2, 3)\nprint('end', result)\n"


def test_the_kernel_says_that_it_has_a_debugger(kernel):
    kernel.client.kernel_info()
    content = kernel.client.get_shell_msg(timeout=10)["content"]
    assert content["debugger"] is True and "debugger" in content["supported_features"]


def test_initialize_is_answered_when_everything_is_in_place(debugged):
    """pydevd connects before it traces any thread, and before what `attach` is to say is known: a breakpoint that was set then
    could be passed by."""
    import debugpy

    debugged.done(debugged.run("1"))
    events = [m["content"] for m in debugged.iopub if m["msg_type"] == "debug_event"]
    said = [event["body"] for event in events if event["event"] == "output"]
    assert said and all(b["data"]["packageVersion"] == debugpy.__version__ for b in said), said


def test_breakpoint_variables_steps_and_the_end(debugged):
    path = debugged.break_at(ADD, 2)
    cell = debugged.run(ADD)
    stop = debugged.stopped()
    assert (stop["reason"], stop["threadId"], stop["allThreadsStopped"]) == ("breakpoint", 1, True)
    info = debugged.body("debugInfo")
    assert info["isStarted"] and info["stoppedThreads"] == [1]
    assert info["breakpoints"] == [{"source": path, "breakpoints": [{"line": 2}]}]
    frames = debugged.frames()
    assert [frame["name"] for frame in frames] == ["add", "<module>"]
    assert frames[0]["source"]["path"] == path and frames[0]["line"] == 2
    assert {k: v["value"] for k, v in debugged.scope("Locals", frames[0]).items()} == {
        "a": "2",
        "b": "3",
    }
    evaluated = debugged.body(
        "evaluate", expression="a * 10", frameId=frames[0]["id"], context="repl"
    )
    assert evaluated["result"] == "20"
    rich = debugged.body("richInspectVariables", variableName="a", frameId=frames[0]["id"])
    assert rich == {"data": {"text/plain": "2"}, "metadata": {}}
    copied = debugged.ask(
        "copyToGlobals", srcVariableName="a", dstVariableName="kept", srcFrameId=frames[0]["id"]
    )
    assert copied["success"] and copied["command"] == "setExpression"
    assert debugged.body("next", threadId=1) == {}
    assert debugged.stopped()["reason"] == "step"
    assert debugged.frames()[0]["line"] == 3
    debugged.body("stepOut", threadId=1)
    debugged.stopped()
    assert [frame["name"] for frame in debugged.frames()] == ["<module>"]
    debugged.body("continue", threadId=1)
    assert debugged.done(cell)["status"] == "ok"
    assert debugged.text_of(cell) == "end 5\n"
    cell = debugged.run("print(kept)")
    debugged.done(cell)
    assert debugged.text_of(cell) == "2\n"


def test_a_failing_expression_is_no_success(debugged):
    debugged.break_at(ADD, 2)
    cell = debugged.run(ADD)
    debugged.stopped()
    frame = debugged.frames()[0]["id"]
    reply = debugged.ask("evaluate", expression="1/0", frameId=frame, context="repl")
    assert reply["success"] is False and "ZeroDivisionError" in reply["message"]
    debugged.body("continue", threadId=1)
    debugged.done(cell)


def test_a_second_continue_is_answered(debugged):
    debugged.break_at(ADD, 2)
    cell = debugged.run(ADD)
    debugged.stopped()
    both = [debugged.send("continue", threadId=1) for _ in range(2)]
    assert all(debugged.reply(msg_id)["success"] for msg_id in both)
    debugged.done(cell)
    assert debugged.ask("continue", threadId=1)["success"]
    assert debugged.ask("next", threadId=1)["success"] is False
    debugged.body("threads")


def test_while_stopped_the_kernel_answers(debugged):
    debugged.break_at(ADD, 2)
    cell = debugged.run(ADD)
    debugged.stopped()
    for ask in (debugged.client.kernel_info, debugged.client.comm_info):
        msg_id = ask()
        assert debugged.client.get_shell_msg(timeout=2)["parent_header"]["msg_id"] == msg_id
    msg_id = debugged.client.complete("pri")
    reply = debugged.client.get_shell_msg(timeout=2)
    assert reply["parent_header"]["msg_id"] == msg_id and "print" in reply["content"]["matches"]
    msg_id = debugged.client.inspect("len")
    assert debugged.client.get_shell_msg(timeout=2)["parent_header"]["msg_id"] == msg_id
    debugged.body("inspectVariables")
    debugged.body("continue", threadId=1)
    debugged.done(cell)


LOCALS = """
needle_global = 1
def work():
    needle_local = [1]
    needle_later = {}
    return needle_later
work()
"""


def test_completion_and_inspection_know_the_stopped_frame(debugged):
    client = debugged.client

    def asked(msg_id):
        reply = client.get_shell_msg(timeout=20)
        assert reply["parent_header"]["msg_id"] == msg_id
        return reply["content"]

    def needles():
        return sorted(asked(client.complete("needle_"))["matches"])

    def come_to(expected):
        # The frame is looked at when it has stopped, by a thread that nobody waits for.
        until = time.monotonic() + 5
        while needles() != expected:
            assert time.monotonic() < until, needles()

    debugged.break_at(LOCALS, 5)
    cell = debugged.run(LOCALS)
    debugged.stopped()
    come_to(["needle_global", "needle_local"])
    assert "list" in asked(client.inspect("needle_local"))["data"]["text/plain"]
    assert "append" in asked(client.complete("needle_local."))["matches"]
    debugged.body("next", threadId=1)
    debugged.stopped()
    come_to(["needle_global", "needle_later", "needle_local"])
    debugged.body("continue", threadId=1)
    debugged.done(cell)
    assert needles() == ["needle_global"]


def test_completion_knows_a_frame_that_is_stopped_while_no_cell_runs(debugged):
    code = "def add(needle_a):\n    needle_b = needle_a\n    return needle_b\n"
    debugged.break_at(code, 3)
    debugged.done(debugged.run(code))
    debugged.done(debugged.run("import threading; threading.Timer(0.3, add, [1]).start()"))
    debugged.stopped()
    until, matches = time.monotonic() + 5, []
    while matches != ["needle_a", "needle_b"]:
        assert time.monotonic() < until, matches
        msg_id = debugged.client.complete("needle_")
        reply = debugged.client.get_shell_msg(timeout=20)
        assert reply["parent_header"]["msg_id"] == msg_id
        matches = sorted(reply["content"]["matches"])
    debugged.body("continue", threadId=1)


def quartile(times: list[float]) -> float:
    """What the quickest quarter of them does not exceed."""
    return statistics.quantiles(times, n=4)[0]


def test_answers_while_stopped_are_quick(debugged):
    debugged.break_at(ADD, 2)
    cell = debugged.run(ADD)
    debugged.stopped()
    frame = debugged.frames()[0]
    times = {}
    for command, arguments in {
        "stackTrace": {"threadId": 1},
        "scopes": {"frameId": frame["id"]},
        "evaluate": {"expression": "a", "frameId": frame["id"]},
        "debugInfo": {},
        "threads": {},
    }.items():
        for _ in range(20):
            begin = time.perf_counter()
            debugged.body(command, **arguments)
            times.setdefault(command, []).append(time.perf_counter() - begin)
    # One that waits for an acknowledgement takes 40 ms more than `debugInfo`, which pydevd is not asked for.
    quick = {command: quartile(taken) for command, taken in times.items()}
    print({command: f"{taken * 1000:.2f} ms" for command, taken in quick.items()})
    assert max(quick.values()) < quick["debugInfo"] + 0.025, quick
    # A stopped thread looks by itself when it has waited for 0.2 s.
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        debugged.body("continue", threadId=1)
        debugged.done(cell)
        times.append(time.perf_counter() - begin)
        cell = debugged.run(ADD)
        debugged.stopped()
    assert quartile(times) < 0.1, times
    debugged.body("continue", threadId=1)
    debugged.done(cell)


def test_a_continue_to_the_next_stop_prints_nothing(debugged):
    """What wakes a stopped thread is a question, and may find it stopped again: pydevd complains of that in its log."""
    code = "for number in range(5):\n    number += 1\n"
    debugged.break_at(code, 2)
    cell = debugged.run(code)
    for _ in range(5):
        debugged.stopped()
        # It asks pydevd something, which is answered behind what woke the thread.
        debugged.frames()
        debugged.body("continue", threadId=1)
    assert debugged.done(cell)["status"] == "ok"
    assert debugged.text_of(cell) == ""


@pytest.mark.parametrize("how", ["message", "signal"])
def test_an_interrupt_at_a_breakpoint_and_the_next_breakpoint(debugged, how):
    code = (
        "import time\ntry:\n    begun = True\n    while True:\n        time.sleep(0.01)\n"
        "finally:\n    print('finally')\n"
    )
    debugged.break_at(code, 3, 7)
    for _ in range(3):
        cell = debugged.run(code)
        debugged.stopped()
        begin = time.monotonic()
        if how == "message":
            debugged.manager.interrupt_kernel()
        else:
            os.kill(debugged.manager.provisioner.pid, signal.SIGINT)
        reply = debugged.done(cell)
        assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
        assert debugged.text_of(cell).endswith("finally\n")
        assert time.monotonic() - begin < 3
        assert debugged.body("debugInfo")["stoppedThreads"] == []
    cell = debugged.run(ADD)
    assert debugged.done(cell)["status"] == "ok"


def test_the_cell_behind_one_that_was_interrupted_stops_at_its_breakpoint(debugged):
    """It is sent in the moment in which the other is answered, and pydevd is still being told of its breakpoint then."""
    # More of them take longer to tell.
    for number in range(40):
        debugged.break_at(f"first = {number}\nsecond = {number}\n", 2)
    debugged.break_at(ADD, 2)
    for _ in range(5):
        cell = debugged.run(ADD)
        debugged.stopped()
        debugged.manager.interrupt_kernel()
        assert (
            debugged.client._recv_reply(cell, timeout=20)["content"]["ename"] == "KeyboardInterrupt"
        )
        cell = debugged.run(ADD)
        debugged.stopped()
        debugged.body("continue", threadId=1)
        debugged.done(cell)


@pytest.mark.parametrize("how", ["message", "signal"])
def test_nothing_of_a_cell_runs_that_is_interrupted_where_it_has_stopped(debugged, how):
    """It was let go first, and ran on for a hundred thousand lines until the signal came. Before CPython 3.11 it still is."""
    version = debugged.run("import sys; print(sys.version_info >= (3, 11))")
    debugged.done(version)
    waits = debugged.text_of(version) == "True\n"
    code = "lines = 0\nwhile lines < 1_000_000:\n    lines += 1\nprint('ended')\n"
    debugged.break_at(code, 3)
    for _ in range(5):
        cell = debugged.run(code)
        debugged.stopped()
        if how == "message":
            debugged.manager.interrupt_kernel()
        else:
            os.kill(debugged.manager.provisioner.pid, signal.SIGINT)
        reply = debugged.done(cell)
        assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
        shown = debugged.run("print(lines)")
        debugged.done(shown)
        # The traceback ends at the line, not within the debugger.
        traceback = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(reply["traceback"]))
        assert "pydevd" not in traceback, traceback
        if waits:
            assert debugged.text_of(shown) == "0\n"
            assert "----> 3 " in traceback, traceback


def test_an_interrupt_ends_an_expression_and_its_cell(debugged):
    code = ADD + "while True:\n    pass\n"
    debugged.break_at(code, 2)
    cell = debugged.run(code)
    debugged.stopped()
    frame = debugged.frames()[0]["id"]
    sleeping = debugged.send(
        "evaluate", expression="__import__('time').sleep(1e6)", frameId=frame, context="repl"
    )
    debugged.body("stackTrace", threadId=1)
    time.sleep(0.2)
    debugged.manager.interrupt_kernel()
    assert debugged.reply(sleeping)["success"] is False
    assert debugged.done(cell)["ename"] == "KeyboardInterrupt"


def test_conditions_and_hit_counts(debugged):
    code = "for i in range(10):\n    x = i\n"
    for more, seen in (({"condition": "i == 7"}, "7"), ({"hitCondition": "== 4"}, "3")):
        debugged.break_at(code, 2, **more)
        cell = debugged.run(code)
        debugged.stopped()
        frame = debugged.frames()[0]["id"]
        assert debugged.body("evaluate", expression="i", frameId=frame)["result"] == seen
        debugged.body("continue", threadId=1)
        debugged.done(cell)
        assert debugged.body("debugInfo")["breakpoints"][0]["breakpoints"] == [{"line": 2, **more}]


def is_logged(message) -> bool:
    body = message["content"].get("body") if message["msg_type"] == "debug_event" else None
    return "at 3" in (body or {}).get("output", "")


def test_log_points(debugged):
    code = "for i in range(10):\n    x = i\n"
    debugged.break_at(code, 2, logMessage="at {i}")
    cell = debugged.run(code)
    debugged.done(cell)
    # The debugger has a thread of its own for what it says.
    said = [m for m in debugged.iopub if is_logged(m)] or [debugged.hear(is_logged)]
    assert said[0]["content"]["body"]["category"] == "stdout"


def test_breakpoints_that_are_set_while_the_session_attaches_are_known(kernel):
    """A client may set them as soon as pydevd has said `initialized`, which is before the answer to `attach`."""
    code = (
        "import time\ntry:\n    begun = True\n    while True:\n        time.sleep(0.01)\n"
        "finally:\n    print('finally')\n"
    )
    path = kernel.dump(code)
    kernel.body("initialize", adapterID="")
    points = [{"line": 3}, {"line": 7}]
    asked = [
        kernel.send("attach"),
        kernel.send("setBreakpoints", source={"path": path}, breakpoints=points),
    ]
    assert all(kernel.reply(msg_id)["success"] for msg_id in asked)
    assert kernel.body("debugInfo")["breakpoints"] == [{"source": path, "breakpoints": points}]
    for _ in range(2):
        cell = kernel.run(code)
        kernel.stopped()
        assert kernel.frames()[0]["line"] == 3
        # The cell does not stop again on its way through `finally`, and the next does.
        kernel.manager.interrupt_kernel()
        reply = kernel.done(cell)
        assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
        assert kernel.text_of(cell) == "finally\n"


def test_blank_lines_at_the_beginning_count(debugged):
    code = "\n\nx = 1\ny = 2\n"
    debugged.break_at(code, 4)
    cell = debugged.run(code)
    debugged.stopped()
    assert debugged.frames()[0]["line"] == 4
    debugged.body("continue", threadId=1)
    debugged.done(cell)


def test_breakpoints_in_a_thread_a_task_and_an_imported_file(debugged, tmp_path):
    module = tmp_path / "imported_here.py"
    module.write_text("def inside():\n    x = 1\n    return x\n")
    debugged.body("setBreakpoints", source={"path": str(module)}, breakpoints=[{"line": 2}])
    work = "def work():\n    y = 1\n    return y\n"
    debugged.break_at(work, 2)
    debugged.done(debugged.run(work))
    for code in (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import imported_here; imported_here.inside()",
        "import threading; t = threading.Thread(target=work); t.start(); t.join()",
        "import asyncio\nasync def task(): work()\nawait asyncio.create_task(task())",
    ):
        cell = debugged.run(code)
        stop = debugged.stopped()
        debugged.body("continue", threadId=stop["threadId"])
        assert debugged.done(cell)["status"] == "ok"


def test_a_step_over_an_await(debugged):
    code = "import asyncio\nasync def main():\n    await asyncio.sleep(0.01)\n    x = 1\n    return x\nawait main()\n"
    debugged.break_at(code, 3)
    cell = debugged.run(code)
    debugged.stopped()
    debugged.body("next", threadId=1)
    debugged.stopped()
    assert (debugged.frames()[0]["name"], debugged.frames()[0]["line"]) == ("main", 4)
    debugged.body("continue", threadId=1)
    debugged.done(cell)


def test_exceptions(debugged):
    debugged.body("setExceptionBreakpoints", filters=["raised"])
    cell = debugged.run(
        "def f():\n    raise ValueError('here')\ntry:\n    f()\nexcept ValueError:\n    pass\n"
    )
    assert debugged.stopped()["reason"] == "exception"
    debugged.body("setExceptionBreakpoints", filters=[])
    debugged.body("continue", threadId=1)
    assert debugged.done(cell)["status"] == "ok"


def test_pause(debugged):
    cell = debugged.run("import time\nrun = True\nprint('on')\nwhile run:\n    time.sleep(0.01)\n")
    debugged.hear(lambda m: m["msg_type"] == "stream")
    debugged.body("pause", threadId=1)
    assert debugged.stopped()["reason"] == "pause"
    frame = debugged.frames()[0]["id"]
    debugged.body("evaluate", expression="run = False", frameId=frame, context="repl")
    debugged.body("continue", threadId=1)
    assert debugged.done(cell)["status"] == "ok"


def test_a_session_begins_before_python_is_up():
    from jupyter_client.manager import KernelManager
    from session import Debugged

    manager = KernelManager(kernel_name="drupe")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    kernel = Debugged(manager, client)
    try:
        # The kernel answers on control before its Python has been loaded.
        kernel.attach()
        code = "\n\nx = 1\n"
        kernel.break_at(code, 3)
        cell = kernel.run(code)
        kernel.stopped()
        names = [variable["name"] for variable in kernel.body("inspectVariables")["variables"]]
        assert names == []
        kernel.body("continue", threadId=1)
        kernel.done(cell)
        assert [v["name"] for v in kernel.body("inspectVariables")["variables"]] == ["x"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_session_begins_during_a_long_cell(kernel):
    cell = kernel.run(
        "import os, time\nprint('on')\nwhile 'STOP' not in os.environ:\n    time.sleep(0.01)\n"
    )
    kernel.hear(lambda m: m["msg_type"] == "stream")
    kernel.attach()
    kernel.body("evaluate", expression="__import__('os').environ.update(STOP='1')", context="repl")
    assert kernel.done(cell)["status"] == "ok"


def test_two_sessions_and_the_second_page(debugged):
    debugged.break_at(ADD, 2)
    assert debugged.body("initialize", adapterID="")["supportsConfigurationDoneRequest"]
    cell = debugged.run(ADD)
    debugged.stopped()
    # Whatever a client says of the debuggee, the kernel stays.
    debugged.body("disconnect", restart=False, terminateDebuggee=True)
    assert debugged.done(cell)["status"] == "ok"
    info = debugged.body("debugInfo")
    assert not info["isStarted"] and info["breakpoints"] == [] and info["stoppedThreads"] == []
    assert debugged.done(debugged.run(ADD))["status"] == "ok"
    debugged.attach()
    debugged.no_stop(0.3)
    debugged.break_at(ADD, 3)
    cell = debugged.run(ADD)
    debugged.stopped()
    assert debugged.frames()[0]["line"] == 3
    debugged.body("continue", threadId=1)
    debugged.done(cell)


def test_forked_and_spawned_children_never_stop(debugged):
    code = (
        "import os, subprocess, sys\n"
        "def work():\n"
        "    x = 1\n"
        "    return x\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    work()\n"
        "    breakpoint_is = work()\n"
        "    os._exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
        "print(subprocess.run([sys.executable, '-c', 'print(1)'], timeout=10, capture_output=True).stdout)\n"
    )
    debugged.break_at(code, 3)
    cell = debugged.run(code)
    assert debugged.done(cell)["status"] == "ok"
    assert debugged.text_of(cell).endswith("7\nb'1\\n'\n")


def test_breakpoint_is_the_debuggers_within_a_session_alone(debugged):
    cell = debugged.run("def f():\n    x = 5\n    breakpoint()\n    return x\nf()\n")
    debugged.stopped()
    assert debugged.frames()[0]["name"] == "f"
    debugged.body("continue", threadId=1)
    debugged.done(cell)
    debugged.body("disconnect")
    cell = debugged.client.execute("y = 6\nbreakpoint()\n", allow_stdin=True)
    asked = debugged.client.get_stdin_msg(timeout=10)
    assert "ipdb" in asked["content"]["prompt"]
    debugged.client.input("c")
    assert debugged.done(cell)["status"] == "ok"


def test_what_debugpy_leaves_behind(debugged):
    cell = debugged.run(
        "import os, sys, atexit\nprint(sorted(name for name in os.environ if name.startswith('PYDEVD')))"
    )
    debugged.done(cell)
    assert debugged.text_of(cell) == "[]\n"


END = {
    "shutdown": lambda k: k.manager.shutdown_kernel(),
    "sigterm": lambda k: os.kill(k.manager.provisioner.pid, signal.SIGTERM),
}


@pytest.mark.parametrize("end", END)
@pytest.mark.parametrize("state", ["stopped", "evaluate", "property", "running"])
def test_the_kernel_ends(debugged, end, state, tmp_path):
    kept = tmp_path / "kept"
    code = (
        f"class Slow:\n    def __init__(self): self._ = 1\n    @property\n    def slow(self):\n"
        f"        import time; time.sleep(1e6)\n"
        f"def f(s):\n    x = 1\n    while True:\n        pass\n"
        f"import atexit; atexit.register(lambda: open({str(kept)!r}, 'a').write('atexit'))\n"
        f"try:\n    f(Slow())\nfinally:\n    open({str(kept)!r}, 'w').write('finally ')\n"
    )
    debugged.break_at(code, 7)
    debugged.run(code)
    debugged.stopped()
    frame = debugged.frames()[0]
    if state == "evaluate":
        debugged.send(
            "evaluate",
            expression="__import__('time').sleep(1e6)",
            frameId=frame["id"],
            context="repl",
        )
    elif state == "property":
        scopes = debugged.body("scopes", frameId=frame["id"])["scopes"]
        variables = debugged.body("variables", variablesReference=scopes[0]["variablesReference"])[
            "variables"
        ]
        reference = next(v["variablesReference"] for v in variables if v["name"] == "s")
        debugged.send("variables", variablesReference=reference)
    elif state == "running":
        debugged.body("continue", threadId=1)
    time.sleep(0.1)
    process = debugged.manager.provisioner.process
    begin = time.monotonic()
    END[end](debugged)
    process.wait(timeout=5)
    assert time.monotonic() - begin < 2.5
    assert process.returncode == 0
    assert kept.read_text() == "finally atexit"


def test_requests_after_the_end_has_begun_are_answered(debugged):
    debugged.done(debugged.run("import atexit, time; atexit.register(time.sleep, 0.5)"))
    debugged.client.shutdown()
    reply = debugged.ask("threads")
    assert reply["success"] is False and "shutting down" in reply["message"]


@pytest.mark.parametrize("made", ["before the session", "within the session"])
def test_a_breakpoint_in_a_subshell(kernel, made):
    pytest.importorskip("debugpy")
    if made == "before the session":
        shell = kernel.subshell()
        kernel.done(kernel.run_in(shell, "1"))
        kernel.attach()
    else:
        kernel.attach()
        shell = kernel.subshell()
    code = "def f(x):\n    y = x + 1\n    return y\nf(41)\n"
    kernel.break_at(code, 3)
    cell = kernel.run_in(shell, code)
    stopped = kernel.stopped()
    assert stopped["reason"] == "breakpoint" and stopped["threadId"] != 1
    frame = kernel.frames(stopped["threadId"])[0]
    assert (frame["name"], kernel.scope("Locals", frame)["y"]["value"]) == ("f", "42")
    kernel.body("continue", threadId=stopped["threadId"])
    assert kernel.done(cell)["status"] == "ok"
