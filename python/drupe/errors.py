"""Errors, as a client is told of them: those of cells, and those of requests that could not be answered.

The shell hands every error of the user's code to its `Presenter`, on any thread; the server makes error replies. An error may be
the user's own class, so its text, its name and its traceback can raise as well: nothing here passes that on.
"""

from __future__ import annotations

import builtins
import sys
import threading
import traceback
from typing import TYPE_CHECKING

from . import _drupe
from .interrupt import CutOff, interrupts
from .jsonutil import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .shell import ZMQInteractiveShell


def error_reply(error: BaseException) -> bytes:
    """The content of a reply with status `error`."""
    try:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
    except BaseException:
        lines = []
    return encode(
        {
            "status": "error",
            "ename": type(error).__name__,
            "evalue": text_of(error),
            "traceback": lines,
        }
    )


def text_of(error: object) -> str:
    """The text of an error."""
    try:
        return str(error)
    except BaseException:
        return "(its text cannot be made)"


def described(error: BaseException) -> str:
    """An error in one line, for the log."""
    return f"{type(error).__name__}: {text_of(error)}"


_CUT = "(its text was cut off by an interrupt)"


class Presenter(threading.local):
    """Shows the errors of a shell's code, each once, and keeps what the reply to the cell tells of the last one.

    | the error | how it is shown |
    | --- | --- |
    | any, while the kernel ends | plainly: interrupts come until the cell has, and IPython's traceback would take too long |
    | an interrupt, or a cancellation that was one | as IPython shows it |
    | an ExceptionGroup, or one with such among those that it came behind | by Python: IPython would write it to stderr, and no client \
would know of an error |
    | a ring of errors | by Python: IPython would run along it until the stack ends |
    | any other | as IPython shows it |

    Each thread has its own, so that cells of several shells are told of theirs. Where an interrupt cuts that short, the error is shown plainly, and without the text that it has not said yet.
    """

    def __init__(self, shell: ZMQInteractiveShell) -> None:
        self._shell = shell
        self.forget()

    def forget(self) -> None:
        """A cell begins."""
        # The lines of the last traceback that was shown; None while none was.
        self.lines: list[str] | None = None
        # Its error's name and text.
        self.error = ("", "")
        # The value of the cell could not be displayed: that makes the cell a failed one.
        self.while_displaying = False

    def show(
        self, by_ipython: Callable[..., Any], exc_tuple: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Show the error of an `exc_tuple` as `sys.exc_info` has it, or the one that is handled. `by_ipython` is IPython's own
        function for it, and is given the rest."""
        error: Any = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
        interrupt = as_interrupt(error)
        if interrupt is not error:
            error, exc_tuple = interrupt, (KeyboardInterrupt, interrupt, interrupt.__traceback__)
        if isinstance(error, KeyboardInterrupt):
            if "drupe.debugger" in sys.modules:
                sys.modules["drupe.debugger"].without_debugger(error)
            _end_with_user(error)
        if _drupe.shutting_down():
            self.show_plainly(error)
        elif isinstance(error, KeyboardInterrupt) or not _is_beyond_ipython(error):
            self._show_cut_short(error, by_ipython, exc_tuple, *args, **kwargs)
        else:
            self._show_by_python(error)
        if isinstance(error, KeyboardInterrupt):
            interrupts.interrupt_shown()

    def _show_cut_short(
        self, error: BaseException, by_ipython: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        before = self.lines
        try:
            with interrupts.presenting():
                by_ipython(*args, **kwargs)
        except CutOff:
            if self.lines is before:
                self._show_cut(error)

    def _show_cut(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.show_plainly(error)
            return
        # To ask the error for its text is what may have taken so long.
        with interrupts.own_code(strikes=False):
            lines = [
                "Traceback (most recent call last):\n",
                *traceback.format_tb(error.__traceback__),
            ]
            text = "".join([*lines, f"{type(error).__name__}: {_CUT}"])
            self.publish(type(error), _CUT, text)

    def show_plainly(self, error: BaseException) -> None:
        """Show an error in no time, and without being interrupted."""
        with interrupts.own_code(strikes=False):
            self._show_by_python(error)

    def _show_by_python(self, error: BaseException) -> None:
        # Where `%debug` and others look for the newest error.
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
        setattr(sys, "last_exc", error)  # before Python 3.12 it is not known
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        self._shell._showtraceback(type(error), error, "".join(lines).rstrip())

    def publish(self, kind: type, error: object, traceback: str | list[str]) -> None:
        """Tell the clients of an error, with the traceback as text or as lines. `error` may be what stands for its text."""
        lines = traceback.split("\n") if isinstance(traceback, str) else list(traceback)
        if self._shell.displayhook.msg is not None:
            self.while_displaying = True
        name = str(kind.__name__)
        text = _CUT if interrupts.is_cut_short() else text_of(error)
        content = encode({"ename": name, "evalue": text, "traceback": lines})
        with interrupts.own_code():
            # What is published is what the reply tells.
            self.lines, self.error = lines, (name, text)
            _drupe.publish("error", content)

    def stored(self) -> dict[str, Any] | None:
        """The last traceback as IPython's history keeps one; None where none was shown."""
        if self.lines is None:
            return None
        name, text = self.error
        return {"ename": name, "evalue": text, "traceback": self.lines}


def _end_with_user(error: BaseException) -> None:
    """Let an interrupt's traceback end where the user's code waited, and not in what waited for it here: for the output of a command,
    or for an answer."""
    last = part = error.__traceback__
    while part is not None:
        if str(part.tb_frame.f_globals.get("__name__")).partition(".")[0] != __package__:
            last = part
        part = part.tb_next
    # The first is IPython's, around all code.
    if last is not None and last is not error.__traceback__:
        last.tb_next = None


def as_interrupt(error: BaseException) -> BaseException:
    """The interrupt that a cancellation was, at the same place in the cell. Any other error is itself."""
    if not (interrupts.was_cancelled() and _is_cancellation(error)):
        return error
    interrupt = KeyboardInterrupt().with_traceback(error.__traceback__)
    # What was being handled there, and not how the cancellation went through it.
    interrupt.__context__ = next((it for it in _chain(error) if not _is_cancellation(it)), None)
    return interrupt


def _is_cancellation(error: BaseException) -> bool:
    from asyncio import CancelledError

    guests = sys.modules.get("drupe.trio")
    return isinstance(error, CancelledError) or guests is not None and guests.is_cancellation(error)


def _is_beyond_ipython(error: BaseException) -> bool:
    # Before Python 3.11 it is a package's.
    home = (
        builtins if hasattr(builtins, "BaseExceptionGroup") else sys.modules.get("exceptiongroup")
    )
    group = getattr(home, "BaseExceptionGroup", ())
    chain = list(_chain(error))
    is_ring = bool(chain) and chain[-1].__context__ is not None
    return is_ring or any(isinstance(one, group) for one in chain)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that were handled when it came. User code can close the chain to a ring."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__context__
