"""Threads that a foreign runtime made and that enter Python: registered, so that the kernel's end knows of
them.

```python
with drupe.threads.registered("camera", purpose="frames"):
    ...
```
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING

from . import _drupe
from .log import log

if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[[], object])

# Functions of the user's, called on threads that come and go.
_on_enter: builtins.list[Callable[[], object]] = []
_on_exit: builtins.list[Callable[[], object]] = []
# Those that have been told of.
_failed: builtins.list[Callable[[], object]] = []
_here = threading.local()


def on_enter(function: F) -> F:
    """Have a function called, without arguments, on each foreign thread when it is registered. What it raises is logged once, and is
    nobody's error. The same function counts once. Returns it, so it may be a decorator."""
    if function not in _on_enter:
        _on_enter.append(function)
    return function


def on_exit(function: F) -> F:
    """The same when the thread is unregistered, in reverse order."""
    if function not in _on_exit:
        _on_exit.append(function)
    return function


def _call(functions: Iterable[Callable[[], object]]) -> None:
    for function in functions:
        try:
            function()
        except Exception:
            if function not in _failed:
                _failed.append(function)
                log.warning("a hook of a foreign thread failed: %r", function, exc_info=True)


def register(name: str, purpose: str = "") -> None:
    """Tell the kernel that the calling thread works in Python. RuntimeError once the kernel is ending."""
    _drupe.threads_register(name, purpose)
    if not getattr(_here, "entered", False):
        _here.entered = True
        _call([*_on_enter])


def unregister() -> None:
    """The calling thread is done with Python. Harmless where it was not registered."""
    if getattr(_here, "entered", False):
        _here.entered = False
        _call([*reversed(_on_exit)])
    _drupe.threads_unregister()


def enter(name: str, purpose: str = "") -> bool:
    """As `register`, for whoever must go on in any case: returns whether the kernel has taken it."""
    try:
        register(name, purpose)
    except RuntimeError:
        return False
    return True


leave = unregister


@contextlib.contextmanager
def registered(name: str, purpose: str = "") -> Iterator[None]:
    """The calling thread works in Python within the block."""
    register(name, purpose)
    try:
        yield
    finally:
        unregister()


def list() -> builtins.list[dict[str, Any]]:
    """The registered threads: dicts with `name`, `purpose`, `seconds` since they came, and `ident`."""
    return _drupe.threads_list()


def where(identifier: int | None) -> str:
    """Where a thread stands, in a few words."""
    frame = None if identifier is None else sys._current_frames().get(identifier)
    if frame is None:
        return "outside of Python"
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def age(thread: threading.Thread) -> str:
    """How long the system has known a thread."""
    try:
        with (
            open(f"/proc/self/task/{thread.native_id}/stat") as stat,
            open("/proc/uptime") as uptime,
        ):
            # The fields behind the name, which may hold anything: the start, in ticks, is the 22nd of all.
            ticks = int(stat.read().rpartition(")")[2].split()[19])
            seconds = float(uptime.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return ""
    return f"{max(0.0, seconds):.1f} s"


def table() -> str:
    """The threads of this process that Python knows, and those that registered themselves, as text."""
    rows = [("name", "daemon", "for", "since", "stands at")]
    registered = {entry["ident"]: entry for entry in list()}
    for thread in threading.enumerate():
        daemon = "yes" if thread.daemon else "no"
        # One that a foreign runtime made has told its own name.
        entry = registered.pop(thread.ident, None)
        name, purpose = (entry["name"], entry["purpose"]) if entry else (thread.name, "")
        since = f"{entry['seconds']:.1f} s" if entry else age(thread)
        rows.append((name, daemon, purpose, since, where(thread.ident)))
    for ident, entry in registered.items():
        # Nobody waits for it at the end, as for a daemon.
        since = f"{entry['seconds']:.1f} s"
        rows.append((entry["name"], "yes", entry["purpose"], since, where(ident)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[4]]).rstrip()
        for row in rows
    )
