"""SIGTERM, where the user's code has a handler of its own for it.

The core's handler in C stays in its place: it tells the watchdog of each SIGTERM and calls Python's after that, so that
the user's handler runs on the main thread as it would in any program. What becomes of the kernel is the handler's to say:

| the handler | the kernel |
| --- | --- |
| raises, SystemExit or anything else | ends: at once when it was idle or its cell awaits, else when the exception has left the cell |
| returns | goes on; a second SIGTERM within five seconds ends it |
| does not return, or is never run because C code does not | the same |

`signal.getsignal` and `signal.signal` say what the user's code has set, and know nothing of this.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of `signal`, of which the stubs say nothing
import os
import signal
import time
from typing import TYPE_CHECKING

from . import _drupe

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

# Seconds after a SIGTERM within which a loop that is stopped was stopped for its sake.
_RECENT = 5

_set_handler = _signal.signal
_get_handler = _signal.getsignal

_process = os.getpid()
# The user's handler while `_handle` is in its place.
_users: Any = None
_came: float | None = None
_leave: Any = None


def install(leave: Callable[[], object]) -> None:
    """From now on. `leave` is called, on the main thread, when a handler of the user's has raised."""
    global _leave
    _leave = leave
    _signal.signal, _signal.getsignal = _signal_signal, _signal_getsignal
    found = _get_handler(signal.SIGTERM)
    # One that was there before Python is None to it, which libraries that put a handler back cannot use.
    _signal_signal(signal.SIGTERM, _signal.SIG_DFL if found is None else found)


def came_lately() -> bool:
    """Whether a handler of the user's was called in the last seconds."""
    return _came is not None and time.monotonic() - _came < _RECENT


def _signal_signal(signalnum: int, handler: Any, /) -> Any:
    global _users
    if signalnum != signal.SIGTERM:
        return _set_handler(signalnum, handler)
    before = _signal_getsignal(signalnum)
    has_one = callable(handler)
    kept = _users
    _users = handler if has_one else None
    try:
        _set_handler(signalnum, _handle if has_one else handler)
    except BaseException:
        _users = kept
        raise
    _drupe.share_sigterm(has_one)
    return before


def _signal_getsignal(signalnum: int, /) -> Any:
    handler = _get_handler(signalnum)
    return _users if handler is _handle else handler


def _handle(signalnum: int, frame: FrameType | None) -> Any:
    global _came
    if os.getpid() != _process:
        # A forked child has inherited it.
        return _users(signalnum, frame)
    if _drupe.shutting_down():
        # The kernel ends already; nothing that is given its time is cut short.
        return
    _came = time.monotonic()
    try:
        _users(signalnum, frame)
    except BaseException:
        _leave()
        raise
