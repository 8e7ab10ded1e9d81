"""The processes that cells have started and left running: asked to end, and reaped, when the kernel ends.

The core says which these are (`src/os/children.rs`), and kills those at the very end whom nobody has ended here. Called by
`teardown.py`: `end` when the threads have ended, `end_late` when the functions of atexit have.
"""

import contextlib
import os
import signal
import sys

# Bound here: tests and their like patch `time.sleep` and make `time.monotonic` stand still.
from time import monotonic, sleep

from . import _drupe

# Between two looks at those that have been asked, in seconds.
_PAUSE = 0.005
# For a process that was killed to be gone, in seconds.
_KILLED = 0.05
# Of the time of those that atexit functions have started, how much is kept to end them, in seconds.
_TO_END = 0.05
# Given up at the end: a session that has used up its descriptors could not look at any process.
_reserve: "int | None" = os.open(os.devnull, os.O_RDONLY)
_reserve_is = os.stat(os.devnull).st_rdev


def any_left() -> bool:
    """Whether there is anybody to end, or an ended child that nobody has waited for."""
    _give_up_reserve()
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return bool(_ours())
    return True


def end(deadline: float) -> None:
    """SIGTERM to all but the daemons of multiprocessing, and wait for them; SIGKILL to those that are there at the deadline,
    which is told."""
    _end(deadline, spared=_multiprocessings())


def _end(deadline: float, *, spared: "set[int]") -> None:
    if not any_left():
        return
    asked = [pid for pid in _ours() if pid not in spared]
    for pid in asked:
        _signal(pid, signal.SIGTERM)
        # One that was stopped hears of it only now.
        _signal(pid, signal.SIGCONT)
    try:
        asked = _wait(asked, deadline)
    finally:
        for pid in asked:
            name = _command(pid)
            _signal(pid, signal.SIGKILL)
            _drupe.abandoned("child", str(pid), f"{name} did not end on SIGTERM and was killed")
        # The system takes a moment to end them; a zombie may have nobody else to reap it.
        _wait(asked, monotonic() + _KILLED)


def end_late(deadline: float) -> None:
    """Those that are left when the functions of atexit have run, as a rule because these have started them: they may finish
    what they were started for, and are ended like the others where they do not."""
    if any_left():
        _wait(_ours(), deadline - _TO_END)
        _end(deadline, spared=set())


def _multiprocessings() -> "set[int]":
    """The daemons of multiprocessing (and of its copy that pickles more), whom its function of atexit ends and waits for. A
    pool would start others in place of its workers where those end before, and hang where one of these others is ended
    while it holds the pool's lock."""
    modules = [sys.modules.get(f"{name}.process") for name in ("multiprocessing", "multiprocess")]
    children = [child for module in modules if module for child in list(module._children)]
    found = set()
    for child in children:
        # Another thread may close it meanwhile.
        with contextlib.suppress(ValueError):
            if child.daemon:
                found.add(child.pid)
    return found


def _wait(pids: list, deadline: float) -> list:
    """Wait until they have ended; those that have not at the deadline."""
    while (pids := [pid for pid in pids if not _gone(pid)]) and monotonic() < deadline:
        sleep(_PAUSE)
    return pids


def _give_up_reserve() -> None:
    global _reserve
    if _reserve is not None:
        try:
            # A cell may have closed what is not its own, and the number be a file's of the user's.
            if os.fstat(_reserve).st_rdev == _reserve_is:
                os.close(_reserve)
        except OSError:
            pass
        _reserve = None


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def _gone(pid: int) -> bool:
    """Whether the process has ended. A child is reaped; it would stay a zombie otherwise."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        # Not our own child, or reaped already.
        return not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold anything.
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(200).replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _ours() -> list:
    """The processes that end with the kernel."""
    if os.path.isdir("/proc/self"):
        return _drupe.children_to_end()
    return _descendants()


def _descendants() -> list:
    """The descendants in this process's group, where there is no `/proc` to find more."""
    from subprocess import DEVNULL, run

    output = run(["ps", "-Ao", "pid=,ppid=,pgid="], capture_output=True, stdin=DEVNULL).stdout
    rows = [tuple(map(int, line.split())) for line in output.splitlines()]
    found, above = [], [os.getpid()]
    while above:
        parent = above.pop()
        children = [pid for pid, its, group in rows if its == parent and group == os.getpgrp()]
        found += children
        above += children
    return found
