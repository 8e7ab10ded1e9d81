"""The processes that cells have started and left running: asked to end, and reaped, when the kernel ends.

Only descendants in the kernel's own process group are its business. One that was put into a group or a session
of its own was meant to outlive the kernel.
"""

import os
import signal
import sys
import time

from . import _drupe

# Between two looks at those that have been asked, in seconds.
_PAUSE = 0.005
# For a process that was killed to be gone, in seconds.
_KILLED = 0.05


def any_left() -> bool:
    """Whether this process has children at all, ended ones that nobody has waited for included."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def end(deadline: float) -> None:
    """SIGTERM to all, and wait for them; SIGKILL to those that are there at the deadline, which is told."""
    if not any_left():
        return
    asked = _descendants()
    for pid in asked:
        _signal(pid, signal.SIGTERM)
    try:
        while asked and time.monotonic() < deadline:
            asked = [pid for pid in asked if not _gone(pid)]
            if asked:
                time.sleep(_PAUSE)
    finally:
        for pid in asked:
            name = _command(pid)
            _signal(pid, signal.SIGKILL)
            _drupe.abandoned("child", str(pid), f"{name} did not end on SIGTERM and was killed")
        # The system takes a moment to end them; a zombie may have nobody else to reap it.
        last = time.monotonic() + _KILLED
        while time.monotonic() < last and not all(map(_gone, asked)):
            time.sleep(_PAUSE)


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
        status = _status(pid)
        return status is None or status[0] == "Z"


def _status(pid: int):
    """State, parent and process group of a process; None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold anything.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return fields[0].decode(), int(fields[1]), int(fields[2])


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(200).replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _descendants() -> list:
    """The descendants in this process's group, without the helpers that clean up behind their users."""
    me, group = os.getpid(), os.getpgrp()
    table = _table()
    spared = _helpers()
    found, parents = [], [me]
    while parents:
        parent = parents.pop()
        for pid, (above, its_group) in table.items():
            if above == parent and pid not in spared:
                parents.append(pid)
                if its_group == group:
                    found.append(pid)
    return found


def _table() -> dict:
    """Parent and process group of every process."""
    if os.path.isdir("/proc/self"):
        rows = ((int(name), _status(int(name))) for name in os.listdir("/proc") if name.isdigit())
        return {pid: row[1:] for pid, row in rows if row is not None}
    from subprocess import DEVNULL, run

    output = run(["ps", "-Ao", "pid=,ppid=,pgid="], capture_output=True, stdin=DEVNULL).stdout
    rows = (tuple(map(int, line.split())) for line in output.splitlines())
    return {pid: (parent, group) for pid, parent, group in rows}


def _helpers() -> set:
    """The resource trackers and fork servers of `multiprocessing` and its like. They end when the last of their
    users has, and take away what was left behind, such as shared memory."""
    pids = set()
    for name, module in list(sys.modules.items()):
        if name.endswith("resource_tracker"):
            pids.add(getattr(getattr(module, "_resource_tracker", None), "_pid", None))
        elif name.endswith("forkserver"):
            pids.add(getattr(getattr(module, "_forkserver", None), "_forkserver_pid", None))
    return pids
