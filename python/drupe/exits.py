"""The functions registered with `atexit`, kept where the end of the kernel can run them one by one.

CPython's own list can only be run as a whole: a function that never returns would take those behind it with
it. What was registered before this module took over stays in CPython's list and is run last.
"""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_lock = threading.Lock()
_registered: list = []
_own = {name: getattr(atexit, name) for name in ("_run_exitfuncs", "_clear", "_ncallbacks")}
_unregister = atexit.unregister


def install() -> None:
    """Take over."""
    atexit.register = register
    atexit.unregister = unregister
    atexit._run_exitfuncs = run_all
    atexit._clear = clear
    atexit._ncallbacks = count


def register(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """As `atexit.register`."""
    if not callable(func):
        raise TypeError("the first argument must be callable")
    with _lock:
        _registered.append((func, args, kwargs))
    return func


def unregister(func: Callable[..., Any], /) -> None:
    """As `atexit.unregister`."""
    with _lock:
        entries = list(_registered)
    # Compared without the lock: `__eq__` may be anybody's.
    doomed = [entry for entry in entries if entry[0] == func]
    with _lock:
        _registered[:] = [entry for entry in _registered if not any(entry is one for one in doomed)]
    _unregister(func)


def clear() -> None:
    with _lock:
        _registered.clear()
    _own["_clear"]()


def count() -> int:
    return len(_registered) + _own["_ncallbacks"]()


def take() -> tuple[Callable[[], object], str, int] | None:
    """The function whose turn it is, which is then registered no more: a callable, its name, and how many are
    left. None when all have had their turn."""
    with _lock:
        if _registered:
            func, args, kwargs = _registered.pop()
            name = f"{getattr(func, '__module__', '?')}.{getattr(func, '__qualname__', repr(func))}"
            return (lambda: func(*args, **kwargs)), name, len(_registered)
    if _own["_ncallbacks"]():
        return _own["_run_exitfuncs"], "atexit", 0
    return None


def run_all() -> None:
    """As `atexit._run_exitfuncs`, which `multiprocessing` calls in its children."""
    while (entry := take()) is not None:
        entry[0]()
