"""When the picture of the namespace is made from which questions are answered while a cell runs.

Where there is little in the namespace it is made at once, before the main thread waits and between two cells. Where there is much it would
cost each cell its length: then it waits for a moment in which nobody asks for anything, and is made in slices, of which the last that was begun is all
that a request has to wait for.

Called by `serve.py`, on the main thread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from . import _drupe
from .log import log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .inspection import Inspector

# Between two cells that were sent together one is made where it takes no longer than this many seconds, or than this share of what has
# passed since the last one: while a cell runs for long, what those before it have bound is known.
_CHEAP = 0.0005
_SHARE = 0.01
# More than so many names, or seconds of the processor, and it waits until nobody has asked for anything for so long.
_MANY = 500
_DEAR = 0.01
_QUIET = 0.2
# What it is taken to cost as long as it was not measured.
_GUESS = 0.0004
# Seconds of a slice.
_SLICE = 0.0003


class Snapshots:
    """One picture at a time, of one shell's namespace."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._inspector: Inspector | None = None
        # A cell has run since the last one was made.
        self._due = True
        # Seconds of the processor that the last one took, and how many names there were.
        self._took, self._names = _GUESS, 0
        self._is_first = True
        self._has_run = False
        # When the last one was begun.
        self._made_at = time.monotonic()
        # One that is being made in slices, and the seconds that it has taken.
        self._steps: Iterator[None] | None = None
        self._taken = 0.0

    def before_cell(self) -> None:
        """A cell begins, maybe right behind another one."""
        if self._is_worth_it():
            self._make_at_once()
        self._has_run = True
        self._steps = None
        self._due = True

    def before_waiting(self) -> float | None:
        """Makes it where that is quick. Otherwise returns after how many seconds without a request to `go_on`."""
        if not self._due:
            return None
        if not self._is_dear():
            self._make_at_once()
        return _QUIET if self._due else None

    def go_on(self) -> bool:
        """One slice; whether there is another one to be made."""
        if not self._due:
            return False
        if self._steps is None:
            self._steps, self._taken = self._make(), 0.0
            self._made_at = time.monotonic()
        begin = now = time.thread_time()
        try:
            while now - begin < _SLICE:
                next(self._steps)
                now = time.thread_time()
            self._taken += now - begin
            return True
        except StopIteration:
            self._measured(self._taken + time.thread_time() - begin)
        except RuntimeError:
            # A thread has bound a name: again, when it is quiet the next time.
            self._steps = None
            return False
        except Exception:
            self._failed()
        self._due, self._steps = False, None
        return False

    def _cost(self) -> float:
        """Seconds of the processor that one would take now."""
        # Few names cost little beside what every picture costs.
        return self._took * max(1.0, len(self._shell.user_ns) / max(self._names, _MANY))

    def _measured(self, seconds: float) -> None:
        # The first one imports what it needs: it says nothing of those that come.
        if not self._is_first:
            self._took, self._names = seconds, len(self._shell.user_ns)
        self._is_first = False

    def _is_worth_it(self) -> bool:
        if not self._has_run:
            # The first cell waits for none.
            return False
        if self._cost() <= _SHARE * (time.monotonic() - self._made_at):
            return True
        return (self._is_first or self._cost() < _CHEAP) and not self._is_dear()

    def _is_dear(self) -> bool:
        return len(self._shell.user_ns) > _MANY or self._cost() > _DEAR

    def _make_at_once(self) -> None:
        if not self._due:
            return
        self._due = False
        self._made_at = time.monotonic()
        begin = time.thread_time()
        try:
            for _ in self._make():
                pass
        except RuntimeError:
            # A thread has bound a name: again, when it is quiet.
            self._due = True
            return
        except Exception:
            self._failed()
        self._measured(time.thread_time() - begin)

    def _make(self) -> Iterator[None]:
        if self._inspector is None:
            from .inspection import Inspector

            self._inspector = Inspector(self._shell)
            _drupe.set_inspector(self._inspector)
        snapshot = yield from self._inspector.steps()
        if snapshot is not None:
            _drupe.leave_snapshot(snapshot)

    @staticmethod
    def _failed() -> None:
        log.warning("no snapshot of the namespace could be taken", exc_info=True)
