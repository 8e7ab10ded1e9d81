"""Which shell a thread is: the main one or a subshell's; and the number of its cell.

Every kernel loads this; what threads of subshells do is in `subshells.py`, which the first of them loads.

`execution_count` is one number for the kernel. While there are subshells each cell is given its own when it begins, so that no
two have the same, and code that asks for the count in a cell sees that cell's.
"""

from __future__ import annotations

import _thread
from typing import TYPE_CHECKING

from traitlets import Integer

from . import _drupe

if TYPE_CHECKING:
    from typing import Any

    from .shell import ZMQInteractiveShell
    from .subshells import ShellThread

# The threads of subshells, by their identifiers.
threads: dict[int, ShellThread] = {}
# There has been a subshell.
several = False

# Held for a few lines of Python and never while user code runs.
lock = _thread.allocate_lock()
# The counts of the cells that run, as these see them, by thread: while there are several shells.
_counts: dict[int, int] = {}
# The cells that run, by thread.
_cells: dict[int, Counted] = {}


def here() -> ShellThread | None:
    """The subshell whose thread is calling, or None."""
    return threads.get(_thread.get_ident())


def is_running(count: int) -> bool:
    """Whether the cell of this number is the calling thread's."""
    cell = _cells.get(_thread.get_ident())
    return cell is not None and cell._first == count


def abort_queued() -> None:
    """The cell of this thread has failed: those that wait behind it are aborted."""
    thread = here()
    if thread is None:
        _drupe.abort_queued()
    else:
        thread.subshell.abort_queued()


class Count(Integer):
    """The trait `execution_count`: the count of the cell that asks, or the next one's."""

    def get(self, obj: Any, cls: Any = None) -> Any:
        count = _counts.get(_thread.get_ident()) if _counts else None
        return super().get(obj, cls) if count is None else count

    def set(self, obj: Any, value: Any) -> None:
        ident = _thread.get_ident()
        if ident in _counts:
            _counts[ident] = int(value)
        else:
            super().set(obj, value)


class Counted:
    """A cell, from before it is told of until its reply is made. It is to be entered by its thread."""

    __slots__ = ("_counts", "_first", "_shell")

    def __init__(self, shell: ZMQInteractiveShell, counts: bool) -> None:
        """`counts`: it takes a number; one that is not stored in the history does not."""
        self._shell = shell
        self._counts = counts

    def __enter__(self) -> None:
        ident = _thread.get_ident()
        with lock:
            self._first = self._shell.execution_count
            _cells[ident] = self
            if several:
                self._take(ident)
        thread = here()
        if several:
            from . import subshells

            subshells.cell_begins(thread)

    def _take(self, ident: int) -> None:
        """From now on the cell's count is its own. IPython may have gone on to the next already."""
        now = self._shell.execution_count
        if self._counts and now == self._first:
            self._shell.execution_count = now + 1
        _counts[ident] = now

    def __exit__(self, *_exc: object) -> None:
        ident = _thread.get_ident()
        if several:
            from . import subshells

            subshells.cell_ends(here())
        with lock:
            _cells.pop(ident, None)
            own = _counts.pop(ident, None)
            if own is None:
                return
            first, after = self._first, self._first + self._counts
            if own == first and self._shell.execution_count == after:
                # It was empty, and takes no number.
                self._shell.execution_count = first
            elif own not in (first, after):
                # User code has set it.
                self._shell.execution_count = own


def begin_several() -> None:
    """There are several shells from now on."""
    global several
    with lock:
        if not several:
            several = True
            for ident, cell in _cells.items():
                cell._take(ident)
