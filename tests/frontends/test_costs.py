"""What a start, a quick cell and a big buffer cost, in counts: those do not depend on how busy the machine is.

The bounds stand a little above what was counted when they were set. Who passes one has either made something dearer, which `make bench`
will show as time or memory, or has a reason, and raises it with that.
"""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

# Imported when somebody needs them. Most are a millisecond or more of each start.
LATER = (
    "asyncio concurrent.futures logging.config logging.handlers socket socketserver pickle queue multiprocessing subprocess "
    "tempfile shutil uuid platform jedi parso pygments.lexers pygments.formatters stack_data executing "
    "IPython.core.completer IPython.core.completerlib IPython.core.oinspect matplotlib_inline comm tornado"
).split()
MODULES = 268


def test_a_start_imports_what_the_first_cell_needs(kernel):
    """The second start: the first makes the profile, before its first cell."""
    manager, client = kernel
    client.execute_interactive("", timeout=20)
    manager.restart_kernel(now=True)
    client.wait_for_ready(timeout=20)
    reply = client.execute_interactive(
        "",
        user_expressions={"names": "__import__('json').dumps(sorted(__import__('sys').modules))"},
        timeout=20,
    )
    names = eval(eval(reply["content"]["user_expressions"]["names"]["data"]["text/plain"]))
    assert sorted(set(names) & set(LATER)) == []
    assert len(names) <= MODULES, len(names)


def status(pid: int, field: str) -> int:
    """Bytes, from /proc."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", text)[1]) << 10


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
@pytest.mark.parametrize(("code", "calls"), [("pass", 45), ("print(1)", 50), ("1 + 1", 50)])
def test_the_system_calls_of_a_quick_cell(kernel, tmp_path, code, calls):
    """Without history, whose thread writes as often as the machine is slow. The best of a few plays: timers and heartbeats
    wake it as often as a play is long."""
    manager, client = kernel
    cells = 50

    def run(times):
        for _ in range(times):
            client.execute_interactive(
                code, timeout=20, store_history=False, output_hook=lambda message: None
            )

    run(10)
    counted = tmp_path / "calls"
    for _ in range(5):
        strace = subprocess.Popen(
            ["strace", "-f", "-c", "-o", counted, "-p", str(manager.provisioner.pid)],
            stderr=subprocess.PIPE,
            text=True,
        )
        attached = strace.stderr.readline()
        if "Operation not permitted" in attached:
            strace.wait()
            pytest.skip("nothing may be traced here")
        time.sleep(0.3)
        run(cells)
        strace.terminate()
        strace.communicate()
        table = counted.read_text()
        total = int(re.search(r"^100\.00.*?(\d+)(?:\s+\d+)? total$", table, re.MULTILINE)[1])
        if total / cells <= calls:
            return
    pytest.fail(table)


ECHO = """
from comm import get_comm_manager
def echo(comm, opening):
    comm.on_msg(lambda message: comm.send({}, buffers=message['buffers']))
get_comm_manager().register_target('echo', echo)
"""
MIB = 1 << 20
BIG = 64 * MIB


def test_the_copies_of_a_big_buffer(kernel):
    """It comes, is given to Python, goes back: at no time are there more copies than those three, and none is kept."""
    manager, client = kernel
    pid = manager.provisioner.pid
    client.execute_interactive(ECHO, timeout=20)

    def send(kind, content, buffers=None):
        message = client.session.msg(kind, {"comm_id": "big", **content})
        client.session.send(client.shell_channel.socket, message, buffers=buffers)

    def answer(size):
        send("comm_msg", {"data": {}}, [b"x" * size])
        while True:
            message = client.get_iopub_msg(timeout=20)
            if message["msg_type"] == "comm_msg":
                assert [len(buffer) for buffer in message["buffers"]] == [size]
                return

    send("comm_open", {"target_name": "echo", "data": {}})
    answer(MIB)
    before = status(pid, "VmRSS")
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    answer(BIG)
    most = status(pid, "VmHWM")
    assert (most - before) / BIG <= 3.2
    client.execute_interactive("pass", timeout=20)
    end = time.monotonic() + 5
    while (kept := status(pid, "VmRSS") - before) > 8 * MIB:
        assert time.monotonic() < end, f"{kept / MIB:.0f} MiB are kept"
        time.sleep(0.1)
