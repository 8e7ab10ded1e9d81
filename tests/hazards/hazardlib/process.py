"""The kernel as a process: started as a front-end would, its parent, its end and its children.

The runner makes itself the reaper of orphans, so the exit status of a kernel whose parent was
killed is known too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36

_STAND_IN = Path(__file__).with_name("stand_in.py")


def become_reaper() -> None:
    """Let orphans of this process' children become its own children (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class KernelProcess:
    """A kernel's process.

    `parent` chooses who starts it: "runner" (this process), "nohup" (the same, where SIGHUP is ignored,
    as of a server that was started by `nohup`), "stand-in" (a process of its own that can be killed) or
    "wrapper" (the same, with a shell between the two, as `conda run` does).
    """

    def __init__(
        self, argv: list[str], *, folder: Path, env: dict[str, str], parent: str, stdin: str
    ):
        self.folder = folder
        self.status: int | None = None
        self._stand_in: subprocess.Popen | None = None
        self._popen: subprocess.Popen | None = None
        with open(folder / "kernel.out", "wb") as out, open(folder / "kernel.err", "wb") as err:
            options = {"cwd": folder / "cwd", "stdout": out, "stderr": err}
            if parent in ("runner", "nohup"):
                if parent == "nohup":
                    argv = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *argv]
                options["stdin"] = subprocess.PIPE if stdin == "pipe" else subprocess.DEVNULL
                env = env | {"JPY_PARENT_PID": str(os.getpid())}
                self._popen = subprocess.Popen(argv, env=env, start_new_session=True, **options)
                self.pid = self._popen.pid
            else:
                note = folder / "kernel.pid"
                command = [sys.executable, str(_STAND_IN), parent, str(note), *argv]
                options["stdin"] = subprocess.DEVNULL
                self._stand_in = subprocess.Popen(
                    command, env=env, start_new_session=True, **options
                )
                self.pid = _await_pid(note)
        self.wrapped = parent == "wrapper"
        self.pidfd = os.pidfd_open(self.pid)
        # Where the kernel leads its group, nobody but what it has started can be in it.
        self._leads = os.getpgid(self.pid) == self.pid
        self.children: list[psutil.Process] = []

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def kill_parent(self) -> None:
        """SIGKILL to whoever started the kernel."""
        if self._stand_in is None:
            raise ValueError("this kernel's parent is the runner itself: set `parent` in the row")
        self._stand_in.kill()
        self._stand_in.wait()

    def note_children(self) -> None:
        """Remember the children which the kernel has now, to look for them after its end."""
        with contextlib.suppress(psutil.Error):
            known = {p.pid for p in self.children}
            now = psutil.Process(self.pid).children(recursive=True)
            self.children += [p for p in now if p.pid not in known]

    def reap(self) -> int | None:
        """The exit status (negative: the signal) of a kernel that has ended; None if unknown."""
        if self.status is None:
            if self._popen is not None:
                self.status = self._popen.wait(timeout=5)
            elif self.wrapped:
                self.status = _await_number(self.folder / "cwd" / "kernel.status")
            else:
                self.status = _wait_orphan(self.pid)
        return self.status

    def surviving_children(self, *, left: int | None = None) -> list[psutil.Process]:
        """What still lives of the remembered children, whatever session they are in, of the kernel's process group, and of
        its forks in its session, whenever they were made, which have its command line. `left`: the process that is
        meant to live on, with its own children, and with the helpers of multiprocessing whose pipe it has inherited:
        they end when their last user has."""
        alive = [child for child in self.children if child.is_running()]
        known = {child.pid for child in alive}
        for pid in psutil.pids():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if pid == self.pid or pid in known or os.getsid(pid) != self.pid:
                    continue
                child = psutil.Process(pid)
                in_group = self._leads and os.getpgid(pid) == self.pid
                if in_group or any("connection.json" in word for word in child.cmdline()):
                    alive.append(child)
        spared = set()
        if left is not None:
            with contextlib.suppress(psutil.Error):
                spared = {left, *(p.pid for p in psutil.Process(left).children(recursive=True))}
            held = _pipes(left)
            spared |= {
                child.pid for child in alive if _is_helper(child) and _pipes(child.pid) & held
            }
        return [child for child in alive if child.pid not in spared and not _is_zombie(child)]

    def is_in_session(self, child: psutil.Process) -> bool:
        """Whether the process is in the kernel's own session."""
        try:
            return os.getsid(child.pid) == self.pid
        except ProcessLookupError:
            return False

    def destroy(self) -> None:
        """End everything that is left of this kernel, whatever state it is in."""
        self.note_children()
        if self._stand_in is not None:
            self._stand_in.kill()
            self._stand_in.wait()
        self.signal(signal.SIGKILL)
        for child in self.children:
            with contextlib.suppress(psutil.Error):
                child.kill()
        for child in self.surviving_children():
            with contextlib.suppress(psutil.Error):
                child.kill()
        for note in (self.folder / "cwd").glob("*.pid"):
            with contextlib.suppress(ValueError, ProcessLookupError, PermissionError):
                os.kill(int(note.read_text()), signal.SIGKILL)
        if self._popen is not None:
            self._popen.wait()
            if self._popen.stdin:
                self._popen.stdin.close()
        elif self.status is None:
            with contextlib.suppress(TimeoutError):
                _wait_orphan(self.pid)
        for child in self.children:
            with contextlib.suppress(ChildProcessError, TimeoutError):
                os.waitpid(child.pid, os.WNOHANG)
        os.close(self.pidfd)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return not _is_zombie(psutil.Process(pid))
    except psutil.Error:
        return False


def _is_helper(process: psutil.Process) -> bool:
    """Whether it is a resource tracker or a fork server of multiprocessing's."""
    helpers = ("resource_tracker import main", "forkserver import main")
    try:
        return any(helper in word for word in process.cmdline() for helper in helpers)
    except psutil.Error:
        return False


def _pipes(pid: int) -> set[str]:
    """The pipes that a process holds beside its standard streams, by their names in /proc."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if int(descriptor.name) > 2:
                    found.add(os.readlink(descriptor))
    return {name for name in found if name.startswith("pipe:")}


def _is_zombie(process: psutil.Process) -> bool:
    """Whether it has ended, if nobody has waited for it yet or even so."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def _await_pid(note: Path) -> int:
    found = _await_number(note, 15)
    if found is None:
        raise TimeoutError("the stand-in parent did not start the kernel")
    return found


def _await_number(path: Path, seconds: float = 2) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            return int(path.read_text())
        time.sleep(0.005)
    return None


def _wait_orphan(pid: int) -> int | None:
    """The status of an ended orphan that has come to this process (None: it went elsewhere)."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            done, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return None
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None
