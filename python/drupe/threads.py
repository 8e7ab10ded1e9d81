"""Threads that a foreign runtime made and that enter Python: registered, so that the kernel's end knows of
them.

```python
with drupe.threads.registered("camera", purpose="frames"):
    ...
```
"""

import contextlib
import os
import sys
import threading

from . import _drupe


def register(name: str, purpose: str = "") -> None:
    """Tell the kernel that the calling thread works in Python."""
    _drupe.threads_register(name, purpose)


def unregister() -> None:
    """The calling thread is done with Python."""
    _drupe.threads_unregister()


@contextlib.contextmanager
def registered(name: str, purpose: str = ""):
    """The calling thread works in Python within the block."""
    register(name, purpose)
    try:
        yield
    finally:
        unregister()


def list() -> "list[dict]":
    """The registered threads: dicts with `name`, `purpose`, `seconds` since they came, and `ident`."""
    return _drupe.threads_list()


def where(identifier) -> str:
    """Where a thread stands, in a few words."""
    frame = sys._current_frames().get(identifier)
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
