"""The processes that cells have started and left running: asked to end, and reaped, when the kernel ends.

Only those in the kernel's own process group are its business. One that was put into a group or a session of its own
was meant to outlive the kernel, and so was a shell's background job under `nohup`.

Called by `teardown.py` when the threads have ended.
"""

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
# Given up at the end: a session that has used up its descriptors could not look at any process.
_reserve = os.open(os.devnull, os.O_RDONLY)
_reserve_is = os.fstat(_reserve).st_rdev


def any_left() -> bool:
    """Whether there may be anybody to end: children, ended ones that nobody has waited for included, or orphans."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return bool(_drupe.noted_children()) or (_leads_session() and bool(_group()))
    return True


def end(deadline: float) -> None:
    """SIGTERM to all, and wait for them; SIGKILL to those that are there at the deadline, which is told."""
    _give_up_reserve()
    if not any_left():
        return
    asked = _ours()
    for pid in asked:
        _signal(pid, signal.SIGTERM)
        # One that was stopped hears of it only now.
        _signal(pid, signal.SIGCONT)
    try:
        while asked and monotonic() < deadline:
            asked = [pid for pid in asked if not _gone(pid)]
            if asked:
                sleep(_PAUSE)
    finally:
        for pid in asked:
            name = _command(pid)
            _signal(pid, signal.SIGKILL)
            _drupe.abandoned("child", str(pid), f"{name} did not end on SIGTERM and was killed")
        # The system takes a moment to end them; a zombie may have nobody else to reap it.
        last = monotonic() + _KILLED
        while monotonic() < last and not all(map(_gone, asked)):
            sleep(_PAUSE)


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
        fields = _stat(pid)
        return fields is None or fields[0] in "ZX"


def _stat(pid: int):
    """State, parent and start time of a process, in the system's words; None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold anything.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return fields[0].decode(), int(fields[1]), int(fields[19])


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(200).replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _ours() -> list:
    """The processes in this one's group that cells have started, without the helpers that clean up behind their users."""
    parents = _parents()
    found, unseen = set(), [os.getpid()]
    while unseen:
        above = unseen.pop()
        children = {pid for pid, parent in parents.items() if parent == above} - found
        found |= children
        unseen += children
    # Those that the end of a parent has made orphans since the kernel's own end began.
    for pid, start in _drupe.noted_children():
        fields = _stat(pid) if pid in parents else None
        if fields is not None and fields[2] == start:
            found.add(pid)
    if _leads_session():
        # Nobody comes into the group but by descent: whoever is no child has lost its parent.
        found |= {pid for pid in parents if pid not in found and not _outlives_its_session(pid)}
    return sorted(found - _helpers())


def _leads_session() -> bool:
    """Whether the kernel was started in a session of its own, as front-ends do."""
    return os.getsid(0) == os.getpid() == os.getpgrp()


def _group() -> list:
    """The other processes in this one's group."""
    me, group = os.getpid(), os.getpgrp()
    found = []
    try:
        names = os.listdir("/proc")
    except OSError:
        return found
    for name in names:
        try:
            if os.getpgid(int(name)) == group and int(name) != me:
                found.append(int(name))
        except (ValueError, ProcessLookupError, PermissionError):
            # No process, or one that has just ended.
            pass
    return found


def _parents() -> dict:
    """The parent of each other process in this one's group."""
    if os.path.isdir("/proc/self"):
        rows = ((pid, _stat(pid)) for pid in _group())
        return {pid: fields[1] for pid, fields in rows if fields is not None}
    from subprocess import DEVNULL, run

    output = run(["ps", "-Ao", "pid=,ppid=,pgid="], capture_output=True, stdin=DEVNULL).stdout
    rows = (tuple(map(int, line.split())) for line in output.splitlines())
    return {pid: parent for pid, parent, group in rows if group == os.getpgrp() != pid}


def _outlives_its_session(pid: int) -> bool:
    """Whether it ignores SIGHUP: `nohup`'s way to say that it is to stay when all else ends."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            ignored = next(line for line in file if line.startswith(b"SigIgn:"))
    except (OSError, StopIteration):
        return False
    return bool(int(ignored.split()[1], 16) & 1 << (signal.SIGHUP - 1))


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
