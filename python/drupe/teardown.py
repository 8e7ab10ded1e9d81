"""The rungs of the exit ladder that need Python: tasks, threads and children, atexit, flush.

The main thread carries them out once the serving loop has stopped. Where it is stuck and the GIL is free, the core
calls `run(on_main=False)` on a thread of its own, which goes on behind the rung that the main thread is stuck in;
whose turn a rung is and how long it may take, the core says before each. A rung ends when its work ends. A
KeyboardInterrupt is the core saying that the time of a rung is over.
"""

from __future__ import annotations

import contextlib
import gc
import io
import linecache
import os
import stat
import sys
import threading
import traceback

# Bound here: tests and their like patch `time.sleep` and make `time.monotonic` stand still.
from time import monotonic
from types import CoroutineType
from typing import TYPE_CHECKING

from . import _drupe, children, exits, shells
from .interrupt import interrupts
from .log import log
from .threads import where

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable
    from types import FrameType
    from typing import Any

    from .serve import Server
    from .shell import ZMQInteractiveShell
    from .trio import Guest

_shell = None
_server = None
# The namespace's files have been saved, or it has been tried.
_saved = False

# A fiftieth of CPython's usual switch interval, in seconds.
_SWITCH = 0.0001
# Seconds of the threads' rung that are kept for the children.
_FOR_CHILDREN = 0.15
# Seconds of the atexit rung that one function leaves to all those behind it, where it has more than that.
_FOR_OTHERS = 0.3
# Seconds before the end of the tasks' rung in which those that are left are cancelled once more.
_ONCE_MORE = 0.15
# Seconds for finding the files that only the garbage collector knows: a second more in a large session finds no more
# that matter, and beside threads that compute it would be taken whole.
_SEARCH = 0.1
# Calls of a stack that are shown, the innermost ones: one that recurses has any number.
_CALLS = 100
# Objects looked at between two looks at the clock.
_CHUNK = 20_000


def prepare(shell: ZMQInteractiveShell, server: Server) -> None:
    """What the rungs will need to know."""
    global _shell, _server
    _shell, _server = shell, server


def run(on_main: bool) -> None:
    """Go through the rungs that are this thread's. On the main thread it does not return."""
    # Threads that compute give the GIL up only when they are asked to, this long after somebody began to wait for it; the
    # teardown takes it hundreds of times.
    sys.setswitchinterval(_SWITCH)
    if not on_main:
        main = threading.main_thread()
        _drupe.abandoned("thread", main.name, _stack(main.ident))
        # Its loop's tasks are left with it.
        serving = _server.task if _server is not None else None
        with contextlib.suppress(Exception):
            _name_tasks([task for task in _pending() if task is not serving])
    for name in _drupe.rungs():
        _rung(name, _WORK[name], on_main)
    if on_main:
        _drupe.park()


def _rung(name: str, work: Callable[..., Any], on_main: bool) -> None:
    left = _drupe.begin_rung(name)
    if left is None:
        # It is over already, or another thread has taken over.
        return
    try:
        _carry_out(name, work, monotonic() + left, on_main)
    finally:
        _drupe.end_rung(name)


def _carry_out(name: str, work: Callable[..., Any], deadline: float, on_main: bool) -> None:
    if on_main:
        # What is remembered was meant for the cell, or for the rung before.
        interrupts.take_missed()
    try:
        # The functions of atexit are interrupted one by one.
        is_mine = on_main and name != "atexit"
        with interrupts.user_code() if is_mine else contextlib.nullcontext():
            _save()
            work(deadline, on_main)
    except KeyboardInterrupt:
        log.info("the rung %r was over its time", name)
    except BaseException:
        log.error("the rung %r failed", name, exc_info=True)
    finally:
        if on_main:
            interrupts.install()


def _save() -> None:
    """Once, before the first rung: write out what the namespace's open files on disk hold. Whoever comes later to do it properly may
    not get the GIL any more, beside threads that compute. Python's own kinds of file alone, whose methods are nobody's code; and
    where even that gets stuck, as on a dead network mount, the next thread does not try it again."""
    global _saved
    if _saved or _shell is None:
        return
    _saved = True
    for value in list(_shell.user_ns.values()):
        if type(value) in _FILES:
            with contextlib.suppress(Exception):
                if value.writable() and stat.S_ISREG(os.fstat(value.fileno()).st_mode):
                    value.flush()


def _left(deadline: float) -> float:
    return max(0.0, deadline - monotonic())


def _stack(identifier: int | None) -> str:
    """Where a thread stands, from the outermost call to the innermost. What `traceback` makes of it may import, and the thread may
    stand in the midst of an import, whose locks it holds."""
    frame = None if identifier is None else sys._current_frames().get(identifier)
    lines: list[str] = []
    while frame is not None and len(lines) < _CALLS:
        lines.append(_line(frame))
        frame = frame.f_back
    if frame is not None:
        lines.append("  ...")
    return "\n".join(reversed(lines))


def _line(frame: FrameType) -> str:
    """A frame's place as a traceback shows it, with its text where that is known: a cell's is."""
    code, number = frame.f_code, frame.f_lineno
    known = linecache.cache.get(code.co_filename, ())
    lines = known[2] if len(known) > 2 else []
    text = lines[number - 1].strip() if number and number <= len(lines) else ""
    place = f'  File "{code.co_filename}", line {number}, in {code.co_name}'
    return f"{place}\n    {text}" if text else place


# Tasks: their `finally` blocks run.


def _tasks(deadline: float, on_main: bool) -> None:
    if _server is None or not _server.has_loop or _server.loop.is_closed():
        return
    loop = _server.loop
    tasks = _pending()
    for task in tasks:
        task.cancel()
    try:
        loop.run_until_complete(_drain(loop, tasks, deadline))
    finally:
        _name_tasks(tasks)


def _pending() -> list[asyncio.Task[Any]]:
    """The tasks of the main thread's loop. A helper may ask, too."""
    if _server is None or not _server.has_loop:
        return []
    import asyncio

    return [task for task in asyncio.all_tasks(_server.loop) if not task.done()]


def _name_tasks(tasks: list[asyncio.Task[Any]]) -> None:
    """For the record of the end: those that have not ended, and trio's."""
    for task in tasks:
        if not task.done():
            _drupe.abandoned("task", task.get_name(), _standing(task.get_coro()))
    run = _trios()
    if run is not None:
        for trios in run.nursery.child_tasks if run.nursery else ():
            _drupe.abandoned("task", f"trio: {trios.name}", _standing(trios.coro))


def _standing(coroutine: object) -> str:
    """Where a coroutine waits, from the outermost call to the innermost. Runs nobody's code."""
    lines = []
    while type(coroutine) is CoroutineType and (frame := coroutine.cr_frame) is not None:
        lines.append(_line(frame))
        coroutine = coroutine.cr_await
    return "\n".join(lines) or f"<{type(coroutine).__name__}>"


def _trios() -> Guest | None:
    """The run of trio's that is the loop's guest, or None."""
    guests = sys.modules.get("drupe.trio")
    return guests.running() if guests is not None else None


async def _drain(
    loop: asyncio.AbstractEventLoop, tasks: Iterable[asyncio.Future[Any]], deadline: float
) -> None:
    import asyncio

    run = _trios()
    if run is not None:
        run.cancel()
        # Its nursery ends when its tasks have.
        tasks = [*tasks, run.ended]
    if tasks:
        _, left = await asyncio.wait(tasks, timeout=max(0.0, _left(deadline) - _ONCE_MORE))
        for task in left:
            if run is not None and task is run.ended:
                continue
            # It may have swallowed the first, as one does that came just when something else had arrived.
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_left(deadline))
    closing = loop.shutdown_asyncgens()
    try:
        await asyncio.wait_for(closing, timeout=max(0.01, _left(deadline)))
    except asyncio.TimeoutError:
        pass


# Threads and children.


def _threads(deadline: float, on_main: bool) -> None:
    awaited = _awaited()
    subshells = sys.modules.get("drupe.subshells")
    try:
        if subshells is not None:
            subshells.end(deadline)
        _join(deadline - (_FOR_CHILDREN if children.any_left() else 0))
    except KeyboardInterrupt:
        pass
    finally:
        # A join that is interrupted leaves a thread marked as ended that is not; its frame tells.
        frames = sys._current_frames()
        for thread in {*awaited, *_awaited()}:
            if thread.ident in frames:
                _drupe.abandoned("thread", thread.name, where(thread.ident))
    children.end(deadline)


def _awaited() -> list:
    """The threads that Python would wait for."""
    # Subshells have had their moment.
    own = [thread.thread for thread in list(shells.threads.values())]
    spared = (threading.main_thread(), threading.current_thread(), *own)
    return [
        thread
        for thread in threading.enumerate()
        if not thread.daemon and thread not in spared and thread.is_alive()
    ]


def _join(deadline: float) -> None:
    """Let executors finish, and threads end."""
    setattr(threading, "_SHUTTING_DOWN", True)
    hooks = getattr(threading, "_threading_atexits", [])
    pending = [hooks.pop() for _ in range(len(hooks))]
    if pending:
        # They join without limit: on a thread that nobody waits for longer than there is time.
        runner = threading.Thread(target=_call_all, args=(pending,), name="drupe-exit", daemon=True)
        _start(runner)
        runner.join(_left(deadline))
    for thread in _awaited():
        thread.join(_left(deadline))
    # Those that were started while we waited for others.
    for thread in _awaited():
        thread.join(_left(deadline))


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError:
        # No thread can be started any more: call them here, and be interrupted if they take too long.
        found: Any = thread
        found._target(*found._args)


def _call_all(functions: Iterable[Callable[[], object]]) -> None:
    for function in functions:
        try:
            function()
        except Exception:
            log.warning("an exit hook of threading failed", exc_info=True)


# atexit.


def _atexit(deadline: float, on_main: bool) -> None:
    while (entry := exits.take()) is not None:
        function, name, others = entry
        # One that never returns leaves a part of the time to those behind it, and what needs nearly all of it is let finish.
        left = _left(deadline)
        share = max(left * 0.75, left - _FOR_OTHERS) if others else left * 0.9
        try:
            if on_main:
                _call_for(share, function)
            else:
                function()
        except KeyboardInterrupt:
            _drupe.abandoned("atexit", name, "did not return in its time")
        except BaseException:
            # As Python shows it; the other functions still have their turn.
            traceback.print_exc()
    children.end_late(deadline)


def _call_for(seconds: float, function: Callable[[], object]) -> None:
    """Call it, and interrupt it after a time. Nothing but the function is interrupted."""
    alarm = _Alarm(seconds)
    try:
        with interrupts.user_code():
            function()
    finally:
        interrupts.install()
        alarm.off()


class _Alarm:
    """Interrupts the main thread after a time, unless it is turned off before."""

    def __init__(self, seconds: float) -> None:
        self._off = threading.Event()
        self._lock = threading.Lock()
        thread = threading.Thread(target=self._wait, args=(seconds,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No thread can be started any more; the core's own signal is left.
            pass

    def _wait(self, seconds: float) -> None:
        if not self._off.wait(max(0.01, seconds)):
            with self._lock:
                if not self._off.is_set():
                    _drupe.interrupt_main()

    def off(self) -> None:
        with self._lock:
            self._off.set()


# Flush.

_FILES = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)

# What is whole, or gone, only once it is closed: the module, by which it is known that anybody has one, and the class.
_ARCHIVES = (
    ("zipfile", "ZipFile"),
    ("tarfile", "TarFile"),
    ("gzip", "GzipFile"),
    ("bz2", "BZ2File"),
    ("lzma", "LZMAFile"),
    ("shelve", "Shelf"),
    ("h5py", "File"),
    # Its file is removed then.
    ("tempfile", "_TemporaryFileWrapper"),
)


def _flush(deadline: float, on_main: bool) -> None:
    values = list(_shell.user_ns.values()) if _shell is not None else []
    files = [value for value in values if isinstance(value, io.IOBase)]
    streams = [sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__]
    archives = tuple(_archive_classes())
    # An archive that is read or written as text is inside a wrapper.
    work: list[tuple[Callable[[Any], None], Any]] = [
        (_close, value)
        for value in values
        if archives
        and isinstance(value, archives)
        or isinstance(value, io.TextIOWrapper)
        and isinstance(_inside(value), archives)
    ]
    work += [(_flush_one, file) for file in files + streams]
    _one_by_one(work, deadline, on_main)
    _drupe.flush_c_stdio()
    found = _open_files(min(monotonic() + _SEARCH, deadline - _left(deadline) / 2))
    _one_by_one([(_flush_one, file) for file in found], deadline, on_main)


def _archive_classes() -> Any:
    for module, name in _ARCHIVES:
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type):
            yield found


def _one_by_one(work: list, deadline: float, on_main: bool) -> None:
    """Call each function with its argument. One that blocks is interrupted, and those behind it have their turn."""
    alarm = None
    for function, argument in work:
        if on_main and alarm is None:
            alarm = _Alarm(_left(deadline) * 0.5)
        try:
            with interrupts.user_code() if on_main else contextlib.nullcontext():
                function(argument)
        except KeyboardInterrupt:
            alarm = None
            _drupe.abandoned("file", repr(argument), "could not be flushed in its time")
        except Exception as error:
            log.debug("%r could not be flushed: %r", argument, error)
    if alarm is not None:
        alarm.off()


def _inside(wrapper: Any) -> Any:
    """The binary file of a text file; None where it has been detached."""
    try:
        return wrapper.buffer
    except ValueError:
        return None


def _close(archive: Any) -> None:
    archive.close()
    # A temporary file may have been told to outlive its closing, but not its program.
    cleanup = getattr(getattr(archive, "_closer", None), "cleanup", None)
    if cleanup is not None:
        cleanup()


def _flush_one(file: Any) -> None:
    if file is not None and not file.closed and file.writable():
        file.flush()


def _open_files(deadline: float) -> list:
    """Every other open file that is found in the time: the youngest objects first."""
    found: list[Any] = []
    for generation in range(3):
        objects = gc.get_objects(generation)
        for start in range(0, len(objects), _CHUNK):
            if monotonic() > deadline:
                return found
            found += [value for value in objects[start : start + _CHUNK] if type(value) in _FILES]
    return found


# By the names that the core has for them.
_WORK = {"tasks": _tasks, "threads": _threads, "atexit": _atexit, "flush": _flush}
