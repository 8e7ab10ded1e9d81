"""Threads that a foreign runtime made and that enter Python: registered, so that the kernel's end knows of
them.

```python
with drupe.threads.registered("camera", purpose="frames"):
    ...
```
"""

import contextlib
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
    """The registered threads: dicts with `name`, `purpose` and `seconds`."""
    return _drupe.threads_list()


def where(identifier) -> str:
    """Where a thread stands, in a few words."""
    frame = sys._current_frames().get(identifier)
    if frame is None:
        return ""
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def table() -> str:
    """The threads of this process that Python knows, and those that registered themselves."""
    rows = [("name", "kind", "purpose", "stands at")]
    for thread in threading.enumerate():
        kind = "daemon" if thread.daemon else "thread"
        rows.append((thread.name, kind, "", where(thread.ident)))
    for entry in list():
        since = f"for {entry['seconds']:.1f} s"
        rows.append((entry["name"], "registered", entry["purpose"], since))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]).rstrip()
        for row in rows
    )
