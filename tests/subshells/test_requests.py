"""Subshells are made, listed and deleted whatever runs, and each request is answered by the shell that it names."""

from __future__ import annotations

import time

from shells import Shells

# How many are open. The history's, and that of its folder, are opened and closed beside all this, also between two looks.
DESCRIPTORS = """
import os
def descriptors():
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            pass
    return sum("profile_default" not in name for name in found)
"""
GIL = "import ctypes; print('busy', flush=True); ctypes.PyDLL(None).usleep(4_000_000)"


def test_the_feature_is_announced_and_can_be_turned_off(python):
    with_them, without = Shells(python), Shells(python, "--no-subshells")
    try:
        features = [
            kernel.reply(kernel.send("kernel_info_request", {}))["supported_features"]
            for kernel in (with_them, without)
        ]
        assert ["kernel subshells" in one for one in features] == [True, False]
        reply = without.control("create_subshell_request")
        assert reply["status"] == "error" and "--no-subshells" in reply["evalue"]
        # A header that names one all the same is no hindrance.
        assert without.cell("1 + 1", "anything") == "2"
        assert without.cell("%subshell") == "Kernel does not support subshells\n"
    finally:
        with_them.close()
        without.close()


def test_the_three_requests(kernel):
    assert kernel.list() == []
    shells = [kernel.create() for _ in range(3)]
    assert kernel.list() == shells
    assert kernel.delete(shells[1])["status"] == "ok"
    assert kernel.list() == [shells[0], shells[2]]
    for content in ({"subshell_id": shells[1]}, {"subshell_id": "nobody"}, {}, {"subshell_id": 3}):
        reply = kernel.control("delete_subshell_request", content)
        assert reply["status"] == "error" and reply["ename"] and reply["traceback"] == []


def test_whatever_runs_they_are_answered(kernel):
    idle, busy = kernel.create(), kernel.create()
    sleeping = kernel.execute("import time; print('busy', flush=True); time.sleep(600)", busy)
    kernel.until_printed(sleeping, "busy")
    cell = kernel.execute(GIL)
    kernel.until_printed(cell, "busy")
    begin = time.monotonic()
    new = kernel.create()
    assert kernel.list() == [idle, busy, new]
    for shell in (busy, idle):
        assert kernel.delete(shell)["status"] == "ok"
    assert kernel.list() == [new]
    # Two of them wait a tenth of a second for a thread that the GIL holds up, and none until it is free.
    assert time.monotonic() - begin < 3
    assert kernel.cell("1 + 1", new) == "2"


def test_sixty_four_and_no_more(kernel):
    shells = [kernel.create() for _ in range(64)]
    reply = kernel.control("create_subshell_request")
    assert reply["status"] == "error" and "64" in reply["evalue"]
    cells = [kernel.execute(f"{number} + 1", shell) for number, shell in enumerate(shells)]
    assert [kernel.result(cell) for cell in cells] == [str(n + 1) for n in range(64)]
    kernel.delete(shells[0])
    kernel.create()


def test_an_unknown_one_is_an_error_and_never_silence(kernel):
    gone = kernel.create()
    kernel.delete(gone)
    for shell in (gone, "nobody"):
        for kind in ("execute_request", "complete_request", "inspect_request", "history_request"):
            reply = kernel.reply(kernel.send(kind, {"code": "1", "cursor_pos": 1}, shell))
            assert (reply["status"], reply["ename"]) == ("error", "UnknownSubshellError")
        # What the io thread answers is answered for whomever.
        assert kernel.reply(kernel.send("kernel_info_request", {}, shell))["status"] == "ok"
    comm = kernel.send("comm_open", {"comm_id": "c", "target_name": "t", "data": {}}, "nobody")
    kernel.pump(lambda: kernel.is_idle(comm))
    assert [m["msg_type"] for m in kernel.said[comm]] == ["status", "comm_close", "status"]


def test_a_deleted_one_answers_its_queue(kernel):
    shell = kernel.create()
    first = kernel.execute(
        "import threading\ngo = threading.Event()\nprint('busy', flush=True)\ngo.wait(20)\nprint('late')",
        shell,
    )
    kernel.until_printed(first, "busy")
    queued = [kernel.execute("1", shell) for _ in range(3)]
    question = kernel.send("is_complete_request", {"code": "1"}, shell)
    kernel.cell("'all of them have been read'")
    kernel.delete(shell)
    statuses = [kernel.reply(number)["status"] for number in [*queued, question]]
    assert statuses == ["aborted"] * 4
    # The cell itself goes on to its end, and what it says is its own.
    kernel.cell("go.set()")
    assert kernel.result(first) == "busy\nlate\n"


def test_a_failed_cell_aborts_its_own_shell_s_alone(kernel):
    one, other, last = (kernel.create() for _ in range(3))
    kernel.cell("import threading; go = threading.Event()")
    shells = (None, one, other)
    failing = [kernel.execute("go.wait(20); 1 / 0", shell) for shell in (None, one)]
    fine = kernel.execute("go.wait(20)", other)
    behind = [kernel.execute("'ran'", shell) for shell in shells]
    # When this is read, all before it have been.
    kernel.execute("go.set()", last)
    assert [kernel.reply(number)["status"] for number in [*failing, fine]] == ["error"] * 2 + ["ok"]
    statuses = [kernel.reply(number)["status"] for number in behind]
    assert statuses == ["aborted", "aborted", "ok"]
    assert [kernel.cell("'again'", shell) for shell in shells] == ["'again'"] * 3


def test_many_are_made_and_deleted(kernel):
    """A storm of 100 at a time, in no order of threads."""
    kernel.cell("import threading")
    threads = "[it.name for it in threading.enumerate() if it.name.startswith('subshell')]"
    kernel.cell(DESCRIPTORS)
    # From the first on the kernel has a loop.
    kernel.delete(kernel.create())
    kernel.pump(lambda: kernel.cell(threads) == "[]")
    before = int(kernel.cell("descriptors()"))
    for _ in range(5):
        made = [kernel.send("create_subshell_request", {}, channel="control") for _ in range(20)]
        for number in made:
            kernel.send(
                "delete_subshell_request", {"subshell_id": kernel.reply(number)["subshell_id"]},
                channel="control",
            )  # fmt: skip
    kernel.pump(lambda: not kernel.list())
    kernel.pump(lambda: kernel.cell(threads) == "[]")
    # Each subshell has four, which the last one's thread gives back after it is no thread of Python's any more.
    kernel.pump(lambda: int(kernel.cell("descriptors()")) <= before)
