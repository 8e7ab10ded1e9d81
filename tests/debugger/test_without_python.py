"""What is answered without Python, whatever that does, and whether or not there is a session."""

import os
import stat
import time
from pathlib import Path

# In C, with the GIL: nobody gets into Python meanwhile.
HOLDS_THE_GIL = "sum(range(10**11))"


def test_debug_info_before_a_session(kernel):
    body = kernel.body("debugInfo")
    assert body["isStarted"] is False
    assert (body["hashMethod"], body["hashSeed"]) == ("Murmur2", 3339675911)
    assert body["breakpoints"] == body["stoppedThreads"] == []
    assert body["richRendering"] and body["copyToGlobals"]


def test_a_cell_is_written_where_its_code_says_that_it_is(kernel):
    code = "import inspect, sys\nprint(sys._getframe().f_code.co_filename)\n# ä😀"
    path = kernel.dump(code)
    info = kernel.body("debugInfo")
    assert path.startswith(info["tmpFilePrefix"]) and path.endswith(info["tmpFileSuffix"])
    assert Path(path).read_text() == code
    assert stat.S_IMODE(os.stat(Path(path).parent).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    cell = kernel.run(code)
    kernel.done(cell)
    assert kernel.text_of(cell) == path + "\n"
    source = kernel.body("source", source={"path": path})
    assert source["content"] == code


def test_source_of_what_is_no_file(kernel):
    for path in ("/nowhere/at/all.py", "/dev", "/dev/zero"):
        reply = kernel.ask("source", source={"path": path})
        assert not reply["success"] and path in reply["message"]
    assert not kernel.ask("source")["success"]


def test_the_folder_goes_with_the_kernel(kernel):
    folder = Path(kernel.dump("1")).parent
    assert folder.is_dir()
    kernel.manager.shutdown_kernel()
    assert not folder.exists()


def test_unknown_commands_and_those_before_a_session(kernel):
    for command in ("breakpointLocations", "", "launch", "__import__"):
        reply = kernel.ask(command)
        assert reply["success"] is False and repr(command)[1:-1] in reply["message"]
    for command in ("attach", "evaluate", "stackTrace", "setBreakpoints", "next", "threads"):
        reply = kernel.ask(command, threadId=1)
        assert reply["success"] is False and "initialize" in reply["message"]
    for command in ("continue", "disconnect"):
        assert kernel.ask(command, threadId=1)["success"]
    assert not kernel.ask("terminate")["success"]


def test_every_reply_is_whole(kernel):
    for command in ("debugInfo", "nonsense", "continue", "dumpCell", "inspectVariables", "modules"):
        reply = kernel.ask(command, code="1")
        assert reply["type"] == "response" and reply["command"] == command
        assert reply["request_seq"] == kernel._seq and isinstance(reply["seq"], int)
        assert isinstance(reply["success"], bool)


def test_content_that_is_no_request(kernel):
    for content in ({}, {"command": 7}, {"command": "evaluate", "arguments": [1]}):
        message = kernel.client.session.msg("debug_request", content)
        kernel.client.control_channel.send(message)
        assert kernel.reply(message["header"]["msg_id"])["success"] is False


def test_while_c_code_keeps_the_gil(kernel):
    cell = kernel.run(f"print('on')\n{HOLDS_THE_GIL}")
    kernel.hear(lambda m: m["msg_type"] == "stream")
    time.sleep(0.2)
    begin = time.monotonic()
    kernel.body("debugInfo")
    kernel.dump("x = 1")
    assert not kernel.ask("nonsense")["success"]
    assert time.monotonic() - begin < 1
    reply = kernel.ask("inspectVariables")
    assert not reply["success"] and "busy" in reply["message"]
    assert cell


def test_ten_thousand_questions_at_once(kernel):
    kernel.done(kernel.run("value = 1"))
    sent = [kernel.send("inspectVariables") for _ in range(10_000)]
    for msg_id in sent:
        reply = kernel.reply(msg_id)
        assert [variable["name"] for variable in reply["body"]["variables"]] == ["value"]


def test_values_whose_text_cannot_be_made(kernel):
    kernel.done(
        kernel.run(
            "class Raises:\n"
            "    def __repr__(self): raise ValueError\n"
            "class Exits:\n"
            "    def __repr__(self): raise SystemExit\n"
            "class Interrupts:\n"
            "    def __repr__(self): raise KeyboardInterrupt\n"
            "raises, exits, interrupts, fine = Raises(), Exits(), Interrupts(), {'a': [1, {2: 3}]}\n"
            "endless = []\nendless.append(endless)\n"
        )
    )
    variables = {v["name"]: v for v in kernel.body("inspectVariables")["variables"]}
    assert {"raises", "exits", "interrupts", "fine", "endless"} <= set(variables)
    inner = kernel.body("variables", variablesReference=variables["fine"]["variablesReference"])[
        "variables"
    ]
    assert [(v["name"], v["value"], v["evaluateName"]) for v in inner] == [
        ("'a'", "[1, {2: 3}]", "fine['a']")
    ]
    kernel.done(kernel.run("1"))


def test_a_value_whose_text_takes_for_ever(kernel):
    kernel.done(
        kernel.run(
            "import time\nclass Sleeps:\n    def __repr__(self):\n        time.sleep(1e6)\nsleeps = Sleeps()"
        )
    )
    assert not kernel.ask("inspectVariables")["success"]
    assert kernel.done(kernel.run("1"))["status"] == "ok"
    begin = time.monotonic()
    kernel.manager.shutdown_kernel()
    assert time.monotonic() - begin < 2.5


def test_rich_inspection_and_modules(kernel):
    kernel.done(kernel.run("from IPython.display import HTML\nshown = HTML('<b>x</b>')"))
    body = kernel.body("richInspectVariables", variableName="shown")
    assert body["data"]["text/html"] == "<b>x</b>"
    assert kernel.body("richInspectVariables", variableName="special variables")["data"] == {}
    assert not kernel.ask("richInspectVariables", variableName="missing")["success"]
    modules = kernel.body("modules")
    assert modules["totalModules"] >= len(modules["modules"]) > 50


def test_the_debugger_costs_nothing_before_it_is_used(kernel):
    kernel.body("debugInfo")
    cell = kernel.run(
        "import sys, threading\n"
        "print([name for name in sys.modules if 'pydev' in name or name in ('debugpy', 'drupe.debugger')])\n"
        "print(sys.gettrace(), sys.breakpointhook is sys.__breakpointhook__)"
    )
    kernel.done(cell)
    assert kernel.text_of(cell) == "[]\nNone True\n"
