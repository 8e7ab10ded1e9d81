"""pyplot's figures, when there are several shells: each has its own "current" one, and shows its own at the end of its cells.

pyplot is one for the process and not made for threads: a cell that draws while a slider's callback draws in a subshell would
find the callback's figure to be the current one, and `flush_figures` would show what is not done yet in the other's output. So
pyplot's table of figures is a table for each shell. A figure that a callback has in a variable is the same figure everywhere.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from . import shells

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_flushing = threading.RLock()


class _Tables(OrderedDict):
    """What is a table of figures to pyplot, and speaks for the calling shell's. Threads that are no shell's share the main one's."""

    def __init__(self, main: OrderedDict) -> None:
        super().__init__()
        self._main = main

    def _own(self) -> OrderedDict:
        thread = shells.here()
        if thread is None:
            return self._main
        if thread.figures is None:
            thread.figures = OrderedDict()
        return thread.figures


def _delegate(name: str) -> Callable[..., Any]:
    def method(self: _Tables, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._own(), name)(*args, **kwargs)

    method.__name__ = name
    return method


for _name in (
    *("__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "__reversed__"),
    *("__len__", "__eq__", "__repr__", "get", "pop", "popitem", "clear", "keys", "values"),
    *("items", "update", "setdefault", "move_to_end", "copy"),
):
    setattr(_Tables, _name, _delegate(_name))


def separate(gcf: Any) -> None:
    """Give each shell figures of its own; `gcf` is matplotlib's table of them."""
    if not isinstance(gcf.figs, _Tables):
        gcf.figs = _Tables(gcf.figs)


def flush_own(inline: Any) -> None:
    """At the end of its cell a shell shows the figures that it has: the backend only knows whether anybody has made one.
    `inline` is matplotlib-inline's backend."""
    original = inline.flush_figures
    gcf = sys.modules["matplotlib._pylab_helpers"].Gcf

    def flush_figures() -> None:
        with _flushing:
            backend = sys.modules["matplotlib"].get_backend()
            if shells.several and len(gcf.figs) and backend.endswith("inline"):
                inline.show._draw_called = True
            original()

    inline.flush_figures = flush_figures
    from IPython import get_ipython

    callbacks = get_ipython().events.callbacks.get("post_execute", [])
    callbacks[:] = [flush_figures if one is original else one for one in callbacks]
