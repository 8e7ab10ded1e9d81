"""However its subshells stand, the kernel ends in time: with a reply, without a crash, and with what could be kept."""

from __future__ import annotations

import os
import signal
import time

import pytest
from shells import Shells

# What a subshell is at, and what there is to be afterwards: printed, and in a file.
STATES = {
    "sleeps": ("import time; print('busy', flush=True); time.sleep(600)", None, None),
    "loops": ("print('busy', flush=True)\nwhile True: pass", None, None),
    "cleans up": (
        # CPython forgets the `finally` of a loop that calls nothing: the interrupt strikes at the jump, which raises nothing to it.
        "import time\ntry:\n    print('busy', flush=True)\n    while True: time.sleep(0.01)\nfinally:\n"
        "    print('cleaned'); open('kept', 'w').write('kept')",
        "cleaned",
        "kept",
    ),
    "swallows": (
        "import time\nprint('busy', flush=True)\nwhile True:\n    try:\n        while True: time.sleep(0.01)\n"
        "    except KeyboardInterrupt: pass",
        None,
        None,
    ),
    "awaits": (
        "import asyncio\ntry:\n    print('busy', flush=True)\n    await asyncio.sleep(600)\nfinally:\n"
        "    print('cleaned'); open('kept', 'w').write('kept')",
        "cleaned",
        "kept",
    ),
    "holds the GIL": (
        "import ctypes; print('busy', flush=True)\nwhile True: ctypes.PyDLL(None).usleep(100_000)",
        None,
        None,
    ),
    "sleeps in C with the GIL": (
        "import ctypes, time; print('busy', flush=True); time.sleep(0.2)\nctypes.PyDLL(None).sleep(600)",
        None,
        None,
    ),
    "is left with a task": (
        "import asyncio\nasync def work():\n    try:\n        await asyncio.sleep(600)\n    finally:\n"
        "        open('kept', 'w').write('kept')\ntask = asyncio.ensure_future(work())\nawait asyncio.sleep(0)\nprint('busy')",
        None,
        "kept",
    ),
    "is left with a thread": (
        "import threading, time\ndef work():\n    time.sleep(0.5); open('kept', 'w').write('kept')\n"
        "threading.Thread(target=work).start()\nprint('busy')",
        None,
        "kept",
    ),
    "has a child": (
        "import subprocess; p = subprocess.Popen(['sleep', '1000']); print('busy', p.pid, flush=True); p.wait()",
        None,
        None,
    ),
    "prints": ("print('busy', flush=True)\nwhile True: print('x' * 50)", None, None),
}


def ends(kernel: Shells, how: str) -> dict | None:
    """End it; the reply, where it was a request."""
    begin = time.monotonic()
    number = None
    if how == "SIGTERM":
        os.kill(kernel.manager.provisioner.pid, signal.SIGTERM)
    else:
        number = kernel.send("shutdown_request", {"restart": how == "restart"}, channel="control")
    process = kernel.manager.provisioner.process
    while process.poll() is None:
        assert time.monotonic() - begin < 4, "it does not end"
        time.sleep(0.005)
    assert process.returncode == 0
    assert time.monotonic() - begin < 2.8
    if number is None:
        return None
    kernel.pump(lambda: number in kernel.replies)
    return kernel.replies[number]["content"]


@pytest.fixture
def kernel(python, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kernel = Shells(python)
    yield kernel
    kernel.close()


# The other ways to an end differ in what begins it, which a state of each sort shows.
ENDS = [
    *((state, "shutdown") for state in STATES),
    *(
        (state, how)
        for state in ("cleans up", "swallows", "holds the GIL", "is left with a task")
        for how in ("restart", "SIGTERM")
    ),
]


@pytest.mark.parametrize(("state", "how"), ENDS)
def test_a_busy_one(kernel, tmp_path, state, how):
    code, printed, kept = STATES[state]
    shell = kernel.create()
    cell = kernel.execute(code, shell)
    kernel.until_printed(cell, "busy")
    queued = kernel.execute("1", shell)
    kernel.control("list_subshell_request")
    reply = ends(kernel, how)
    if reply is not None:
        assert reply == {"status": "ok", "restart": how == "restart"}
        kernel.pump(lambda: cell in kernel.replies and queued in kernel.replies)
        if "is left" not in state:
            assert kernel.replies[queued]["content"]["status"] == "aborted"
    if printed:
        kernel.until_printed(cell, printed)
    if kept:
        assert (tmp_path / "kept").read_text() == kept
    if state == "has a child":
        child = kernel.text(cell).split()[1]
        assert not os.path.exists(f"/proc/{child}")


@pytest.mark.parametrize("busy", [False, True])
def test_many(kernel, busy):
    shells = [kernel.create() for _ in range(64)]
    for shell in shells if busy else ():
        kernel.until_printed(kernel.execute(STATES["sleeps"][0], shell), "busy")
    assert ends(kernel, "shutdown") == {"status": "ok", "restart": False}


def test_main_and_a_subshell_are_busy(kernel):
    cells = [kernel.execute(STATES["cleans up"][0], s) for s in (None, kernel.create())]
    for cell in cells:
        kernel.until_printed(cell, "busy")
    assert ends(kernel, "shutdown") == {"status": "ok", "restart": False}
    for cell in cells:
        kernel.until_printed(cell, "cleaned")


def test_it_asks(kernel):
    cell = kernel.execute("input('?')", kernel.create(), allow_stdin=True)
    kernel.client.get_stdin_msg(timeout=20)
    assert ends(kernel, "shutdown") == {"status": "ok", "restart": False}
    kernel.pump(lambda: cell in kernel.replies)
    assert kernel.replies[cell]["content"]["status"] == "error"


def test_a_busy_one_was_deleted(kernel):
    shell = kernel.create()
    kernel.until_printed(kernel.execute(STATES["swallows"][0], shell), "busy")
    kernel.delete(shell)
    assert ends(kernel, "shutdown") == {"status": "ok", "restart": False}


@pytest.mark.parametrize("after", [0, 1, 5, 20])
def test_more_are_asked_for_while_it_ends(kernel, after):
    """Each request has its answer, or the kernel is gone before it could be read."""
    kernel.until_printed(kernel.execute(STATES["swallows"][0]), "busy")
    begin = kernel.send("shutdown_request", {"restart": False}, channel="control")
    time.sleep(after / 1000)
    asked = [kernel.send("create_subshell_request", {}, channel="control") for _ in range(5)]
    process = kernel.manager.provisioner.process
    deadline = time.monotonic() + 4
    while process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert process.returncode == 0
    kernel.pump(lambda: begin in kernel.replies)
    kernel.pump(lambda: all(number in kernel.replies for number in asked), patience=5)
    for number in asked:
        content = kernel.replies[number]["content"]
        assert (content["status"], content["ename"]) == ("error", "KernelShuttingDown")
