"""What the debug adapter, which is in the core, asks of Python: to start debugpy, and what the namespace holds.

`answer` is called on threads of the core's own, with questions in JSON. debugpy is imported at the first `initialize` and never
before: nothing of this module is imported at the start. What it does to the process beyond debugging is taken back here: the
hook of `breakpoint()`, an atexit function, variables of the environment; and a forked child is no part of the session.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from . import _drupe, variables
from .interrupt import OF_THE_DEBUGGER, interrupts
from .jsonutil import encode
from .log import log
from .variables import Refused, shell, text

if TYPE_CHECKING:
    from types import FrameType, ModuleType

    from .shell import ZMQInteractiveShell

# What `pydevd.settrace` must take. debugpy 1.6 is the oldest that ipykernel works with, too.
_ARGUMENTS = (
    "access_token",
    "client_access_token",
    "notify_stdin",
    "protocol",
    "block_until_connected",
)
# The first whose breakpoints in cells are met; those before it take everything that they are asked, and stop nowhere.
_OLDEST = (1, 8, 7)
_NEEDED = f"debugpy>={'.'.join(map(str, _OLDEST))}"

# Variables of the environment that debugpy reads when it is imported: no check of frozen modules, and no warning about them.
_ENVIRONMENT = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}
# What it sets itself, for children that shall not have it.
_SET_BY_DEBUGPY = ("PYDEVD_USE_FRAME_EVAL",)

# What stands between the process's main function and a cell, beside drupe: files and folders of the standard library, and modules.
_STANDARD = ("asyncio", "concurrent", "selectors.py", "contextlib.py", "codeop.py", "runpy.py")
_MODULES = ("IPython", "traitlets", "comm", "tornado", "jedi", "parso", "matplotlib_inline", "trio")

# Seconds that a thread which goes on waits until the signal is sent for which it was let go, and then until it comes. Both take a
# few milliseconds, and seconds where others compute.
_SIGNAL_IS_SENT = 2.0
_SIGNAL_COMES = 0.25
# Seconds that a cell waits until the debugger knows of its breakpoints again, where the one before was interrupted at one. For
# forty files it takes 30 ms, and 140 where others compute.
_RESTORED = 2.0


def answer(question: bytes) -> bytes:
    """Answer a question, `{"command", "arguments"}`, with `{"ok"}` or `{"error"}`."""
    with untraced():
        try:
            asked = json.loads(question)
            result: dict[str, Any] = {"ok": _COMMANDS[asked["command"]](asked)}
        except Refused as error:
            result = {"error": str(error)}
        except BaseException as error:
            # Also what code of the user's raises that makes a text of a value.
            log.debug("a question of the debugger's failed", exc_info=True)
            result = {"error": text(error)}
        return encode(result)


# Threads.


def mark() -> None:
    """Neither stop nor trace the calling thread, which the debugger itself may need."""
    _mark(threading.current_thread())
    # Where pydevd hears of every function, it has met the thread on its way here, and remembers what it took it for.
    monitoring = sys.modules.get("_pydevd_sys_monitoring.pydevd_sys_monitoring")
    stop = getattr(monitoring, "stop_monitoring", None)
    if stop is not None:
        stop()


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """The calling thread is one of the core's."""
    mark()
    try:
        yield
    finally:
        if isinstance(threading.current_thread(), threading._DummyThread):
            # The thread ends soon, and nobody would take it off the list.
            active: dict = getattr(threading, "_active")
            active.pop(threading.get_ident(), None)


def trace_here() -> None:
    """The calling thread has been started by one of the core's, and is the user's: it is traced where there is a debugger, for this
    session or the next. One that is just being imported has none yet, and sees to the threads that there are when it has."""
    constants = sys.modules.get("_pydevd_bundle.pydevd_constants")
    find = getattr(constants, "get_global_debugger", None)
    try:
        debugger = None if find is None else find()
        if debugger is not None:
            debugger.enable_tracing()
    except Exception:
        log.debug("a thread of the user's is not traced yet", exc_info=True)


def _mark(thread: Any) -> None:
    thread.pydev_do_not_trace = thread.is_pydev_daemon_thread = True


# The start.


def _start(asked: dict[str, Any]) -> dict[str, Any]:
    hook = sys.breakpointhook
    # Main is the thread number 1.
    try:
        pydevd = _import()
    finally:
        sys.breakpointhook = hook
    import debugpy

    _check(pydevd, debugpy)
    for thread in threading.enumerate():
        if type(thread).__module__.partition(".")[0] in ("IPython", "drupe", "zmq", "tornado"):
            _mark(thread)
    here = os.path.dirname(os.path.abspath(__file__))
    try:
        pydevd.settrace(
            host="127.0.0.1",
            port=asked["port"],
            suspend=False,
            block_until_connected=True,
            wait_for_ready_to_run=False,
            patch_multiprocessing=False,
            notify_stdin=False,
            dont_trace_start_patterns=(here, os.path.dirname(debugpy.__file__)),
            access_token=asked["token"],
            client_access_token=asked["client_token"],
            protocol="dap",
        )
    finally:
        _clean_up(pydevd)
    _prepare(pydevd)
    return {"version": debugpy.__version__, "attach": _attach_arguments()}


def _import() -> Any:
    """pydevd, which debugpy brings, and which has no types."""
    before = {name: os.environ.get(name) for name in (*_ENVIRONMENT, *_SET_BY_DEBUGPY)}
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import debugpy.server  # noqa: F401
        import pydevd
    except ImportError as error:
        if error.name == "debugpy":
            raise Refused(f"debugpy is missing. {_mend()}") from error
        raise Refused(f"debugpy cannot be imported: {error}. {_mend()}") from error
    except Exception as error:
        raise Refused(f"debugpy cannot be imported: {text(error)}. {_mend()}") from error
    finally:
        for name, was in before.items():
            if was is None:
                os.environ.pop(name, None)
    return pydevd


def _mend() -> str:
    return f"Mend it with: {sys.executable} -m pip install --upgrade '{_NEEDED}', and restart the kernel"


def _check(pydevd: Any, debugpy: ModuleType) -> None:
    settrace = getattr(pydevd, "settrace", None)
    known = inspect.signature(settrace).parameters if callable(settrace) else ()
    lacks = [name for name in _ARGUMENTS if name not in known]
    version = getattr(debugpy, "__version__", "of an unknown version")
    if lacks:
        raise Refused(f"debugpy {version} does not fit, it lacks {', '.join(lacks)}. {_mend()}")
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if numbers and numbers < _OLDEST:
        raise Refused(f"debugpy {version} is too old: it would stop at no breakpoint. {_mend()}")


def _debugger() -> Any:
    from _pydevd_bundle.pydevd_constants import get_global_debugger

    return get_global_debugger()


def _clean_up(pydevd: Any) -> None:
    """Whatever has become of the start."""
    import atexit

    # It would wait half a second for threads, at an end that has none to spare.
    atexit.unregister(pydevd.stoptrace)


def _prepare(pydevd: Any) -> None:
    import socket

    with contextlib.suppress(OSError, AttributeError):
        # Without it each answer would wait 40 ms for the other side's acknowledgement.
        _debugger().writer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    os.register_at_fork(after_in_child=_leave_in_child)
    with contextlib.suppress(ImportError, AttributeError):
        _log_elsewhere()
    _interrupt_where_it_stopped(pydevd)
    _keep_blank_lines(shell())
    shell().before_cell = _choose_breakpoint_hook(pydevd)


def _interrupt_where_it_stopped(pydevd: Any) -> None:
    """A stopped thread is let go before it is interrupted. Nothing of the cell runs meanwhile: the main thread waits, behind
    pydevd's own wait, for the signal, whose KeyboardInterrupt is the line's at which it has stopped. Not before CPython 3.11, where pydevd
    puts breakpoints into the code of frames: an error that is raised in its own has not been seen to leave it sound there."""
    if sys.version_info < (3, 11):
        return
    do_wait_suspend = pydevd.PyDB.do_wait_suspend
    main = threading.main_thread().ident

    def suspend(self: Any, *args: Any, **kwargs: Any) -> None:
        do_wait_suspend(self, *args, **kwargs)
        if threading.get_ident() != main:
            return
        comes, interrupts.met_stopped = interrupts.met_stopped, False
        if comes or _drupe.interrupt_comes():
            until = time.monotonic() + _SIGNAL_IS_SENT
            while _drupe.interrupt_comes() and time.monotonic() < until:
                time.sleep(0.001)
            time.sleep(_SIGNAL_COMES)

    pydevd.PyDB.do_wait_suspend = suspend


def without_debugger(error: BaseException) -> None:
    """Take the debugger's own frames, in which it was raised, from the traceback of an interrupt."""
    part = error.__traceback__
    while part is not None and part.tb_next is not None:
        name = part.tb_next.tb_frame.f_globals.get("__name__", "")
        if str(name).startswith(OF_THE_DEBUGGER):
            part.tb_next = None
        part = part.tb_next


class _Log:
    """Where pydevd writes what it has to say of itself: to the kernel's log, unless its own variable names a file."""

    def write(self, text: str) -> None:
        if text.strip():
            _drupe.log("debug", f"pydevd: {text.rstrip()}")

    def flush(self) -> None:
        pass


def _log_elsewhere() -> None:
    """Its complaints are no output of a cell's: it has one whenever a thread stops again before it has been woken."""
    from _pydev_bundle import pydev_log

    pydev_log.initialize_debug_stream()
    if pydev_log._LoggingGlobals._debug_stream_filename is None:
        pydev_log._LoggingGlobals._debug_stream = _Log()


def _leave_in_child() -> None:
    """A forked child that came to a breakpoint would wait for ever: it has none of the debugger's threads."""
    with contextlib.suppress(Exception):
        monitoring = getattr(sys, "monitoring", None)
        if monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) == "pydevd":
            monitoring.set_events(monitoring.DEBUGGER_ID, 0)
            for event in vars(monitoring.events).values():
                if event and not event & event - 1:
                    with contextlib.suppress(ValueError):
                        monitoring.register_callback(monitoring.DEBUGGER_ID, event, None)
            monitoring.free_tool_id(monitoring.DEBUGGER_ID)
    sys.settrace(None)
    threading.settrace(None)
    with contextlib.suppress(Exception):
        from _pydevd_bundle.pydevd_constants import GlobalDebuggerHolder

        debugger, GlobalDebuggerHolder.global_dbg = GlobalDebuggerHolder.global_dbg, None
        if debugger is not None:
            os.close(debugger.writer.sock.detach())


def _keep_blank_lines(shell: ZMQInteractiveShell) -> None:
    """While there is a session, a cell's lines are counted from the first, as front-ends do, also where that is blank."""
    from IPython.core.inputtransformer2 import leading_empty_lines

    def leading_empty_lines_unless_debugged(lines: list[str]) -> list[str]:
        return lines if _drupe.debugging() else leading_empty_lines(lines)

    transforms = shell.input_transformer_manager.cleanup_transforms
    for index, transform in enumerate(transforms):
        if transform is leading_empty_lines:
            transforms[index] = leading_empty_lines_unless_debugged


def _choose_breakpoint_hook(pydevd: Any) -> Callable[[], None]:
    """A function for the beginning of a cell: within a session `breakpoint()` is the debugger's, and outside as before."""
    others: Any = None
    traces = sys.version_info < (3, 12)

    def stop(*args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        if not _drupe.debugging():
            from IPython.core.debugger import set_trace

            return set_trace(frame)
        pydevd.settrace(
            suspend=True,
            trace_only_current_thread=True,
            patch_multiprocessing=False,
            stop_at_frame=frame,
        )

    def choose() -> None:
        nonlocal others
        if _drupe.debugging():
            until = time.monotonic() + _RESTORED
            # A session that ends brings none back.
            while _drupe.debugging() and _drupe.breakpoints_away() and time.monotonic() < until:
                time.sleep(0.001)
            if traces and sys.gettrace() is None:
                # CPython switches it off where its function raises, as at an interrupt.
                _debugger().enable_tracing()
            if sys.breakpointhook is not stop:
                others, sys.breakpointhook = sys.breakpointhook, stop
        elif sys.breakpointhook is stop:
            sys.breakpointhook = others

    return choose


def _attach_arguments() -> dict[str, Any]:
    kernel = shell().kernel
    arguments: dict[str, Any] = {"justMyCode": bool(kernel.debug_just_my_code)}
    if not kernel.debug_just_my_code:
        arguments["debugOptions"] = ["DebugStdLib"]
    if kernel.filter_internal_frames:
        arguments["rules"] = [{"path": path, "include": False} for path in _internal()]
    return arguments


def _internal() -> list[str]:
    """Files and folders of what calls a cell."""
    standard = os.path.dirname(os.__file__)
    paths = [os.path.join(standard, name) for name in _STANDARD]
    paths.append(os.path.dirname(os.path.abspath(__file__)))
    for name in _MODULES:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            paths.append(os.path.dirname(os.path.abspath(file)))
    return paths


def _free(asked: dict[str, Any]) -> None:
    """The core's connection is lost: whatever is stopped goes on."""
    from _pydevd_bundle.pydevd_api import PyDevdAPI

    debugger = _debugger()
    if debugger is not None:
        PyDevdAPI().request_disconnect(debugger, resume_threads=True)


def _look(asked: dict[str, Any]) -> None:
    """A thread has stopped: what completion and inspection may say of its frame."""
    from .inspection import Inspector

    frame = _stopped_frame()
    if frame is not None:
        seen = Inspector(shell(), {**frame.f_globals, **frame.f_locals}).snapshot()
        if seen is not None:
            _drupe.leave_frame(asked["stop"], seen)


def _stopped_frame() -> FrameType | None:
    """Where a thread is stopped, the main thread before the others; None where none is any more."""
    frames = sys._current_frames()
    for ident in (threading.main_thread().ident or 0, *frames):
        frame, waits = frames.get(ident), False
        while frame is not None:
            name = str(frame.f_globals.get("__name__"))
            if name.startswith(OF_THE_DEBUGGER) or name == __name__:
                waits = waits or frame.f_code.co_name.endswith("do_wait_suspend")
            elif waits:
                return frame
            frame = frame.f_back
    return None


# What else is asked.


def _modules(asked: dict[str, Any]) -> dict[str, Any]:
    arguments = asked["arguments"]
    modules = list(sys.modules.copy().values())
    start = arguments.get("startModule") or 0
    stop = start + (arguments.get("moduleCount") or len(modules))
    found = []
    for index, module in list(enumerate(modules))[start:stop]:
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        if isinstance(origin, str) and origin.endswith(".py"):
            found.append({"id": index, "name": module.__name__, "path": origin})
    return {"modules": found, "totalModules": len(modules)}


def _system_info(asked: dict[str, Any]) -> dict[str, Any]:
    import importlib.metadata
    import platform

    try:
        version = importlib.metadata.version("debugpy")
    except importlib.metadata.PackageNotFoundError:
        version = None
    implementation = platform.python_implementation()
    return {
        "debugpy": {"version": version},
        "python": {
            "version": platform.python_version(),
            "implementation": {"name": implementation, "version": platform.python_version()},
        },
        "platform": {"name": sys.platform},
        "process": {
            "pid": os.getpid(),
            "executable": sys.executable,
            "bitness": 64 if sys.maxsize > 2**32 else 32,
        },
    }


_COMMANDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "start": _start,
    "free": _free,
    "look": _look,
    "inspectVariables": variables.inspect_variables,
    "variables": variables.children_of,
    "richInspectVariables": variables.rich_inspect,
    "modules": _modules,
    "debugpySystemInfo": _system_info,
}
