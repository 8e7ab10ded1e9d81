"""What SIGINT means, by what the main thread is doing.

| the main thread | the signal |
| --- | --- |
| runs a cell, or other code of the user's in a request | `signal.default_int_handler`: KeyboardInterrupt |
| waits in the event loop while a cell awaits | the cell is cancelled |
| runs a background task of the user's | KeyboardInterrupt, in that task |
| does anything else | nothing: the kernel's own code is never interrupted |

`default_int_handler` itself is installed while user code runs, because `asyncio.Runner`, trio and others
take over the handling of SIGINT only when they find just that.
"""

import _signal
import signal
import sys
import threading
import time

from . import _drupe

# While the kernel ends, the core repeats the signal every 50 ms. A cell that has been cancelled has this
# long, in seconds, for its `finally` blocks before it is cancelled again.
_PATIENCE = 0.25

# Code whose frames under an event loop's callback say nothing of whose that is.
_OF_THE_LOOP = ("asyncio", "selectors", "concurrent")


class Interrupts:
    """The state of the policy. All methods are called on the main thread."""

    def __init__(self):
        self.loop = None
        # The task whose cell awaits; None while none does.
        self._awaiting = None
        self._cancelled_at = None
        # A cell was cancelled by a signal: its CancelledError is presented as KeyboardInterrupt.
        self.cancelled = False
        # A cell has been taken and not ended, and a signal came while the kernel's own code worked for it.
        self._in_cell = False
        self._missed = False

    def install(self) -> None:
        """From now on the kernel's own code is not interrupted."""
        # `signal.signal` runs the old handler first for a signal that is there already. What that raises must not keep the
        # new one from its place, and the cell that it was meant for must not go on.
        while True:
            try:
                _set_handler(signal.SIGINT, self._handle)
                return
            except KeyboardInterrupt:
                self._missed = self._in_cell

    @staticmethod
    def let_through(interrupted: bool = False) -> None:
        """From now on a signal raises KeyboardInterrupt. Behind a cell that was interrupted it does so in a moment only: one
        that comes at once is the same wish said twice, and not meant for what others do when a cell has ended."""
        handler = signal.default_int_handler
        if interrupted:
            handler = _late(time.monotonic() + _PATIENCE)
        _set_handler(signal.SIGINT, handler)

    def begin_cell(self) -> None:
        """From now on a signal is meant for this cell, also while its code does not run yet."""
        self.cancelled = False
        self._cancelled_at = None
        self._missed = False
        self._in_cell = True

    def end_cell(self) -> None:
        self._in_cell = False

    def user_code(self) -> "_UserCode":
        """A context manager: within it a signal raises KeyboardInterrupt."""
        return _UserCode(self)

    def cell_awaits(self) -> bool:
        """Whether a cell has been begun that waits in the loop now."""
        return self._awaiting is not None

    def cancel_cell(self) -> None:
        """Cancel the cell that awaits, from a signal handler or from the loop."""
        task = self._awaiting
        if task is None:
            return
        now = time.monotonic()
        recent = self._cancelled_at is not None and now - self._cancelled_at < _PATIENCE
        if recent and _drupe.shutting_down():
            return
        self._cancelled_at = now
        # The loop may be in its selector, and Python resumes that when a handler returns: wake it.
        self.loop.call_soon_threadsafe(self._cancel, task)

    def _cancel(self, task) -> None:
        if self._awaiting is task:
            self.cancelled = True
            task.cancel()

    def _handle(self, _signum, frame) -> None:
        if _in_user_code(frame):
            raise KeyboardInterrupt
        if self._awaiting is None:
            self._missed = self._in_cell
        else:
            self.cancel_cell()

    def take_missed(self) -> bool:
        """Whether a signal came that nobody has acted on yet; it counts as acted on now."""
        missed, self._missed = self._missed, False
        return missed


class CutOff(BaseException):
    """An interrupt that came while the traceback of another was made."""


class CutOffInstead:
    """Within it a signal raises CutOff where it would have raised KeyboardInterrupt, and in the first second
    nothing: IPython's formatter imports much at its first use, and half imported it stays broken."""

    def __enter__(self):
        self._since = time.monotonic()
        # A handler of the user's own stays.
        self._replaces = (
            _on_main_thread() and _get_handler(signal.SIGINT) is signal.default_int_handler
        )
        if self._replaces:
            _set_handler(signal.SIGINT, self._handle)

    def __exit__(self, *_exc):
        while self._replaces:
            try:
                _set_handler(signal.SIGINT, signal.default_int_handler)
                return
            except CutOff:
                # A signal that was there already.
                pass

    def _handle(self, _signum, _frame) -> None:
        if time.monotonic() - self._since > 1:
            raise CutOff


class Undivided:
    """Within it no signal strikes; one that came strikes at its end."""

    def __enter__(self):
        self._came = False
        self._before = _get_handler(signal.SIGINT) if _on_main_thread() else None
        if self._before is not None:
            _set_handler(signal.SIGINT, self._handle)

    def __exit__(self, *_exc):
        if self._before is not None:
            _set_handler(signal.SIGINT, self._before)
            if self._came:
                _signal.raise_signal(signal.SIGINT)

    def _handle(self, _signum, _frame) -> None:
        self._came = True


def _late(begin: float):
    """A handler that raises KeyboardInterrupt from a time on."""

    def handle(_signum, _frame) -> None:
        if time.monotonic() >= begin:
            raise KeyboardInterrupt

    return handle


def _on_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


class _UserCode:
    __slots__ = ("_interrupts",)

    def __init__(self, interrupts):
        self._interrupts = interrupts

    def __enter__(self):
        self._interrupts.let_through()

    def __exit__(self, *_exc):
        self._interrupts.install()


class Cell:
    """Awaits the coroutine of a cell, with the user's interrupts while its code runs and the kernel's while it
    waits. A cell without an `await` runs to its end without the loop being entered."""

    def __init__(self, coroutine, interrupts: Interrupts, task):
        self._coroutine = coroutine
        self._interrupts = interrupts
        self._task = task

    def __await__(self):
        return (yield from self._steps(self._coroutine, self._interrupts))

    def run(self):
        """Run one that awaits nothing to its end."""
        try:
            next(self._steps(self._coroutine, self._interrupts))
        except StopIteration as stop:
            return stop.value
        raise RuntimeError("the code awaits something, and was not known to")

    def _steps(self, coroutine, interrupts):
        error = None
        while True:
            try:
                with interrupts.user_code():
                    if interrupts.take_missed() and error is None:
                        error = KeyboardInterrupt()
                    if error is None:
                        waits_for = coroutine.send(None)
                    else:
                        thrown, error = error, None
                        waits_for = coroutine.throw(thrown)
            except StopIteration as stop:
                return stop.value
            except BaseException as raised:
                if coroutine.cr_frame is None:
                    raise
                # The signal came just outside the coroutine: it is the cell that was meant.
                error = raised
                continue
            interrupts._awaiting = self._task
            if interrupts.take_missed():
                interrupts.cancel_cell()
            try:
                yield waits_for
            except BaseException as raised:
                error = raised
            finally:
                interrupts._awaiting = None


def _in_user_code(frame) -> bool:
    """Whether the event loop is inside a callback or a task of the user's. One that asyncio's own code has been put around,
    such as by `asyncio.wait_for`, is the user's."""
    events = sys.modules.get("asyncio.events")
    if events is None:
        return False
    run = events.Handle._run.__code__
    outermost = "drupe"
    while frame is not None and frame.f_code is not run:
        name = frame.f_globals.get("__name__", "").partition(".")[0]
        if name not in _OF_THE_LOOP:
            outermost = name
        frame = frame.f_back
    return frame is not None and outermost != "drupe"


# Those of C: those of the module work in Python, where a signal may strike.
_set_handler = _signal.signal
_get_handler = _signal.getsignal

interrupts = Interrupts()
