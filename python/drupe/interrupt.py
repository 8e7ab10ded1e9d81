"""What SIGINT means, by what the main thread is doing.

There is one handler for it, always in its place, and one state, which says where the main thread is. `signal.default_int_handler`
is that handler, too: `asyncio.Runner`, trio and others take over the handling of SIGINT only where they find just that.

Who calls out to code of the user's says so by a mark (`with interrupts.user_code()`), and who comes back from there restores what
was before. Nothing else in the package installs a handler for SIGINT or catches its KeyboardInterrupt to raise it again later.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of `signal`, of which the stubs say nothing
import _thread
import signal
import sys
import time
from typing import TYPE_CHECKING

from . import _drupe

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Generator
    from types import CodeType, FrameType
    from typing import Any

# While the kernel ends, the core repeats the signal every 50 ms. A cell that has been cancelled has this
# long, in seconds, for its `finally` blocks before it is cancelled again.
_PATIENCE = 0.25

# Seconds in which the showing of an error is not cut short: IPython's formatter imports much at its first use, and half
# imported it stays broken.
_UNCUT = 1

# What runs beside a cell that awaits, such as a task, has this long, in seconds, to come to its own next await when the cell is
# cancelled, and the signal meets it so often: it comes again each millisecond in which the thread runs, and is not the task's fault
# where that has no processor.
_SPARED = 0.1
_SPARED_TIMES = 20
# C code that looks at no signals meets it once for each call.
_SPARED_AT_MOST = 0.5

# What a request yields that awaits nothing yet, and asks to be gone on with in the event loop.
HAND_OVER = object()

# Code whose frames under an event loop's callback say nothing of whose that is.
_OF_THE_LOOP = ("asyncio", "selectors", "concurrent")
OF_THE_DEBUGGER = ("pydevd", "_pydev")
# What the debugger calls: the standard library, and drupe, which has its log.
_BETWEEN = frozenset({*sys.stdlib_module_names, "drupe"})
_OF_TRIO = ("trio", "outcome")


class InPlace:
    """What a request yields to have a coroutine gone on with in its own place, until that ends: whoever awaits in there does not
    wake everybody who stands between the request and the cell."""

    __slots__ = ("coroutine",)

    def __init__(self, coroutine: Coroutine):
        self.coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        """The coroutine's result. To be awaited within the task of a request alone, not in one that awaits it for others."""
        return (yield self)


class State:
    """Where the main thread is; see `Interrupts`."""

    IDLE = "idle"
    OWN = "own code for a cell"
    USER = "code of the user's"
    BESIDE = "what surrounds a cell"
    AWAITS = "the cell awaits"
    PRESENTING = "an error is shown"


# Looked up in each step of a cell.
_AWAITS = State.AWAITS


class CutOff(BaseException):
    """An interrupt that came while an error was shown."""


class Interrupts:
    """The policy. Its contexts may be entered on any thread, and are of effect on the main thread and on those of subshells alone;
    each of these has a policy of its own, see `here`.

    | state | entered by | a signal | left |
    | --- | --- | --- | --- |
    | IDLE | the start, the end of a request | is nothing; in a task or a callback of the user's: KeyboardInterrupt | by any mark |
    | OWN: the kernel and IPython work for a cell | `cell`, `own_code` | is remembered, and strikes where the user's code begins; where \
that does not come any more it is `take_missed`'s, which makes it the cell's error | to the state before |
    | USER: a cell's own lines, a comm's handler, a toolkit, an expression | `user_code` | KeyboardInterrupt, there | to the state before |
    | BESIDE: IPython's callbacks, what others have put around `run_cell` | `beside_cell` | as in USER, but for a moment after an \
interrupt was shown: one that comes at once is the same wish said twice | to the state before |
    | AWAITS: the request's coroutine waits in the loop | `Steps` | cancels it; a task or a callback of the user's that runs just then \
is spared, and gets KeyboardInterrupt where it still runs a moment later | to the state that it was in |
    | PRESENTING | `presenting` | is nothing in the first second, and CutOff after that | to the state before |

    A signal that meets this module's own lines comes again a millisecond later. So a change of the state is never half done, and
    nobody has to protect one.

    What Python itself swallows (a KeyboardInterrupt that is raised in a destructor, a weak reference's callback or C's call of a
    Python function is only told to `sys.unraisablehook`) comes again in the same way, until it has met something that can be
    ended. What is still to come when the cell is over is `take_missed`'s, too.
    """

    def __init__(self) -> None:
        self.state = State.IDLE
        self.loop: asyncio.AbstractEventLoop | None = None
        # The code that runs the loop.
        self.runs_loop: CodeType | None = None
        # A cell was cancelled by a signal: its CancelledError is presented as KeyboardInterrupt.
        self.cancelled = False
        # A signal came that nobody has acted on yet.
        self._missed = False
        # One has met the thread where it waits at a breakpoint: it comes again when the thread goes on.
        self.met_stopped = False
        # The task that waits in AWAITS.
        self._awaiting: asyncio.Task | None = None
        # It is to be cancelled, and the loop has not come to that yet.
        self._cancel_asked = False
        self._cancelled_at: float | None = None
        # Since when what runs beside the cell is spared a signal, which comes again meanwhile, and how often it has been.
        self._spared: tuple[float, int] | None = None
        # Until when BESIDE is quiet, and since when an error is shown: times of `time.monotonic`.
        self._quiet_until = 0.0
        self._shown_since = 0.0
        # A signal has cut that short.
        self._cut = False
        # How often KeyboardInterrupt has been raised here.
        self._strikes = 0
        # What was in the place of `sys.unraisablehook`.
        self._others_hook = sys.unraisablehook

    def install(self) -> None:
        """The main thread is idle from now on, and the signal is the policy's, whoever has had it."""
        self.state = State.IDLE
        self._missed = False
        signal.default_int_handler = _drupe.default_int_handler  # type: ignore[assignment]  # it may return
        _drupe.decide_interrupts(self.decide, self._pass_on)
        self._take_handler()

    @staticmethod
    def _take_handler() -> None:
        while _signal.getsignal(signal.SIGINT) is not _drupe.default_int_handler:
            try:
                # It runs the old handler first for a signal that is there already.
                _signal.signal(signal.SIGINT, _drupe.default_int_handler)
            except BaseException:
                continue

    # Marks.

    def cell(self) -> "_Cell":
        """From now on a signal is meant for this cell, also while its code does not run yet. Its end is the cell's."""
        return _Cell(here())

    def own_code(self, strikes: bool = True) -> "_Within":
        """Within it no signal strikes. Where it was entered from user code, one that came strikes at its end, unless
        somebody is going to `take_missed` it."""
        return _Within(here(), State.OWN, strikes)

    def user_code(self) -> "_Within":
        """Within it a signal raises KeyboardInterrupt, and one that is remembered does so at once."""
        return _Within(here(), State.USER)

    def beside_cell(self) -> "_Within":
        """For what others have put around a cell, before it and behind it."""
        return _Within(here(), State.BESIDE)

    def presenting(self) -> "_Within":
        """Within it an error is shown: CutOff, in place of KeyboardInterrupt."""
        policy = here()
        if policy is not None:
            policy._shown_since = time.monotonic()
            policy._cut = False
        return _Within(policy, State.PRESENTING)

    def steps(self, coroutine: Coroutine, task: asyncio.Task | None = None) -> Steps:
        """An awaitable: the coroutine of a request, which `task` awaits. Without one it may await nothing but HAND_OVER, and
        whoever goes on with it then sets its `task`."""
        return Steps(self, coroutine, task)

    # What the others tell and ask.

    def interrupt_shown(self) -> None:
        """The user has been told of an interrupt just now."""
        policy = here()
        if policy is not None:
            policy._quiet_until = time.monotonic() + _PATIENCE

    def is_cut_short(self) -> bool:
        """Whether an error is shown, and a signal has cut that short: IPython 8 goes on after all."""
        policy = here()
        return policy is not None and policy.state is State.PRESENTING and policy._cut

    def was_cancelled(self) -> bool:
        """Whether an interrupt has cancelled the cell that awaits."""
        policy = here()
        return policy is not None and policy.cancelled

    def take_missed(self) -> bool:
        """Whether a signal came that nobody has acted on yet; it counts as acted on now."""
        policy = here()
        return policy is not None and policy._take_missed()

    def _take_missed(self) -> bool:
        missed, self._missed = _drupe.forget_interrupt() or self._missed, False
        return missed

    def _begin_cell(self) -> None:
        _drupe.forget_interrupt()
        self.cancelled = self._cancel_asked = False
        self._cancelled_at = self._spared = None
        self._quiet_until = 0.0
        if sys.unraisablehook is sys.__unraisablehook__:
            self._watch_unraisable()
        self._take_handler()
        self._missed = False

    def _end_cell(self) -> None:
        # The cell's own handler, and a signal that is still on its way, end here.
        self._take_handler()
        _drupe.forget_interrupt()
        if sys.unraisablehook is _drupe.notice_unraisable:
            sys.unraisablehook = self._others_hook
        self._missed = False

    def cell_awaits(self) -> bool:
        """Whether a request has been begun that waits in the loop now."""
        return self._awaiting is not None

    def cancel_cell(self) -> bool:
        """Cancel the cell that awaits, from a signal handler, from the loop or from another thread. Whether there is one."""
        task, loop = self._awaiting, self.loop
        if task is None or loop is None:
            return False
        now = time.monotonic()
        recent = self._cancelled_at is not None and now - self._cancelled_at < _PATIENCE
        if recent and _drupe.shutting_down():
            return True
        self._cancelled_at = now
        self._cancel_asked = True
        # The loop may be in its selector, and Python resumes that when a handler returns: wake it.
        loop.call_soon_threadsafe(self._cancel, task)
        return True

    def _cancel(self, task: asyncio.Task) -> None:
        asked, self._cancel_asked = self._cancel_asked, False
        if asked and self._awaiting is task:
            self.cancelled = True
            task.cancel()

    def _woken_before(self) -> KeyboardInterrupt:
        """What goes on has been woken before it could be cancelled, and may never await anything again: what to raise there."""
        self._cancel_asked = False
        return self._strike()

    # The signal.

    def decide(self, frame: FrameType | None) -> BaseException | None:
        """What the signal raises where it has met the main thread: an error, or None. The handler calls it, which is the
        core's, so that the traceback ends at the user's own line."""
        state = self.state
        if frame is not None and frame.f_globals is _GLOBALS:
            if state is not State.IDLE and frame.f_code is not _DECIDE:
                _drupe.interrupt_again()
            return None
        if "pydevd" in sys.modules and _in_debugger(frame):
            return None
        _drupe.forget_interrupt()
        beside = state in (State.IDLE, State.AWAITS) and _in_users_callback(frame)
        spared, self._spared = self._spared, None
        if state is State.AWAITS and beside:
            return self._spare(spared)
        if spared is not None:
            # It has come again, and what it would have met has come to an end.
            return None
        if state is State.USER:
            return self._strike()
        if state is State.OWN:
            self._missed = True
            return None
        if state is State.BESIDE:
            return self._strike() if time.monotonic() >= self._quiet_until else None
        if state is State.PRESENTING:
            if time.monotonic() - self._shown_since <= _UNCUT:
                return None
            self._cut = True
            return CutOff()
        if beside:
            return self._strike()
        if state is State.AWAITS:
            self.cancel_cell()
        return None

    def _spare(self, spared: tuple[float, int] | None) -> BaseException | None:
        """A task or a callback of the user's runs beside the cell that awaits: it is the cell that was meant, and what runs lives on
        unless it goes on without end."""
        now = time.monotonic()
        if spared is None:
            self.cancel_cell()
            spared = now, 0
        since, times = spared
        elapsed = now - since
        if elapsed > _SPARED_AT_MOST or elapsed > _SPARED and times >= _SPARED_TIMES:
            return self._strike()
        self._spared = since, times + 1
        _drupe.interrupt_again()
        return None

    def _strike(self) -> KeyboardInterrupt:
        self._missed = False
        self._watch_unraisable()
        error = KeyboardInterrupt()
        error._of_a_signal = True  # type: ignore[attr-defined]  # for `notice_unraisable`
        # The error that is being handled is lost otherwise: the core raises this one, and does not chain.
        error.__context__ = sys.exc_info()[1]
        self._strikes += 1
        return error

    def _changed(self, strikes: bool) -> None:
        """A signal is remembered, and the state has changed back."""
        state = self.state
        if state is State.USER or state is State.BESIDE:
            if strikes:
                raise self._strike()
        elif state is not State.OWN:
            self._missed = False
            if state is State.AWAITS:
                self.cancel_cell()

    # What Python swallows.

    def _watch_unraisable(self) -> None:
        """Stand in front of the user's own `sys.unraisablehook`, until the cell ends."""
        if sys.unraisablehook is not _drupe.notice_unraisable:
            self._others_hook = sys.unraisablehook
            sys.unraisablehook = _drupe.notice_unraisable

    def _pass_on(self, unraisable: sys.UnraisableHookArgs) -> None:
        """An error in a destructor that no signal has raised."""
        if not isinstance(unraisable.exc_value, CutOff):
            self._others_hook(unraisable)


class _Within:
    """A state for a while."""

    __slots__ = ("_before", "_policy", "_state", "_strikes", "_struck_before")

    def __init__(self, policy: Interrupts | None, state: str, strikes: bool = True):
        """`policy`: the thread's; None where nothing interrupts it."""
        self._policy = policy
        self._state = state
        self._strikes = strikes

    def __enter__(self) -> _Within:
        __tracebackhide__ = True
        policy = self._policy
        if policy is not None:
            self._struck_before = policy._strikes
            self._before = policy.state
            if self._state is State.USER and policy._missed:
                raise policy._strike()
            try:
                policy.state = self._state
            except BaseException:
                # A subshell's is struck where it is entered, and what is within does not begin.
                policy.state = self._before
                raise
        return self

    def __exit__(self, *_exc: object) -> None:
        __tracebackhide__ = True
        policy = self._policy
        if policy is None:
            return
        try:
            policy.state = self._before
        except BaseException:
            # A subshell is struck until it is left.
            policy.state = self._before
            raise
        if policy._missed:
            policy._changed(self._strikes)

    def was_struck(self) -> bool:
        """Whether a signal has raised KeyboardInterrupt since it was entered."""
        return self._policy is not None and self._policy._strikes != self._struck_before


class _Cell:
    """One cell, from its request to the end of its code and of all that belongs to it."""

    __slots__ = ("_before", "_policy")

    def __init__(self, policy: Interrupts | None):
        self._policy = policy

    def __enter__(self) -> None:
        policy = self._policy
        if policy is not None:
            self._before = policy.state
            policy._begin_cell()
            policy.state = State.OWN

    def __exit__(self, *_exc: object) -> None:
        policy = self._policy
        if policy is not None:
            policy.state = self._before
            policy._end_cell()


class Steps:
    """Awaits the coroutine of a request: its steps are run in the state that it is in, and between them it awaits."""

    __slots__ = ("_coroutine", "_policy", "task")

    def __init__(self, policy: Interrupts, coroutine: Coroutine, task: asyncio.Task | None):
        self._policy = policy
        self._coroutine = coroutine
        self.task = task

    def __await__(self) -> Generator[Any, Any, Any]:
        policy, coroutine = self._policy, self._coroutine
        # Those that wait for another in their place, the request's first.
        waiting: list = []
        before = state = policy.state
        awaited = policy._awaiting
        value: Any = None
        send = step = coroutine.send
        # Whether this one is suspended, and not the coroutine the one that runs.
        suspended = False
        try:
            while True:
                try:
                    # A cell may take millions of these.
                    while True:
                        policy.state = state
                        waits_for = step(value)
                        state = policy.state
                        if waits_for.__class__ is InPlace:
                            waiting.append(coroutine)
                            coroutine, value = waits_for.coroutine, None
                            send = step = coroutine.send
                            continue
                        if waits_for is not HAND_OVER:
                            policy.state = _AWAITS
                            policy._awaiting = self.task
                            if policy._missed:
                                policy._changed(True)
                        suspended = True
                        value = yield waits_for
                        suspended = False
                        policy._awaiting = None
                        step = send
                        if policy._cancel_asked:
                            step, value = coroutine.throw, policy._woken_before()
                except BaseException as raised:
                    if suspended or waiting:
                        # What goes on into the user's code has a traceback without this frame, as if nobody stood between.
                        traceback = raised.__traceback__
                        raised.__traceback__ = traceback and traceback.tb_next
                    if suspended:
                        # Whoever runs it may have an answer to that: trio does.
                        suspended = False
                        policy._awaiting = None
                        step, value = coroutine.throw, raised
                    elif waiting:
                        state, coroutine = policy.state, waiting.pop()
                        send = step = coroutine.send
                        if isinstance(raised, StopIteration):
                            value = raised.value
                        else:
                            step, value = coroutine.throw, raised
                    elif isinstance(raised, StopIteration):
                        return raised.value
                    else:
                        raise
        finally:
            value = None
            policy.state = before
            # Where another runs it, such as trio, that one awaits still.
            policy._awaiting = awaited


def _in_debugger(frame: FrameType | None) -> bool:
    """Whether the signal has met the debugger's own code, or what that calls of the standard library: neither must be broken
    off. Where it waits at a breakpoint the core has the thread go on, and sends the signal again; anywhere else it comes again
    in a moment. An expression that is evaluated for a client is the user's, and behind the wait, in `suspend`, it is waited for."""
    inside = False
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith(OF_THE_DEBUGGER):
            inside = True
            if frame.f_code.co_name.endswith("do_wait_suspend"):
                interrupts.met_stopped = True
                _drupe.interrupt_stopped()
                return True
        elif name == "drupe.debugger" and frame.f_code.co_name == "suspend":
            break
        elif name.partition(".")[0] not in _BETWEEN or name == "__main__":
            break
        frame = frame.f_back
    if inside:
        _drupe.interrupt_again()
    return inside


def _in_users_callback(frame: FrameType | None) -> bool:
    """Whether the event loop is inside a callback or a task of the user's. One that asyncio's own code has been put around,
    such as by `asyncio.wait_for`, is the user's. The loop calls it without asking anybody, so only its frames can tell. A loop
    that is written in C has none: there it is the frame that runs the loop."""
    events = sys.modules.get("asyncio.events")
    if events is None:
        return False
    run = events.Handle._run.__code__
    outermost = "drupe"
    users = False
    while frame is not None and frame.f_code is not run:
        if frame.f_code is interrupts.runs_loop:
            break
        name = frame.f_globals.get("__name__", "").partition(".")[0]
        if name in _OF_TRIO:
            # Its own code must not be broken off, nor what that calls.
            return users
        if name not in _OF_THE_LOOP:
            outermost = name
            users = users or not (name == "drupe" or name in sys.stdlib_module_names)
        frame = frame.f_back
    return frame is not None and outermost != "drupe"


_MAIN = _thread.get_ident()
# The policies of subshells' threads, by thread.
_others: dict[int, Interrupts] = {}
_GLOBALS = globals()
_DECIDE = Interrupts.decide.__code__

interrupts = Interrupts()


def here() -> Interrupts | None:
    """The policy of the calling thread: the main thread's, a subshell's, or None for any other."""
    ident = _thread.get_ident()
    return interrupts if ident == _MAIN else _others.get(ident)


def set_here(policy: Interrupts | None) -> None:
    """The calling thread is a subshell's and has this policy; None: it is no more."""
    if policy is None:
        _others.pop(_thread.get_ident(), None)
    else:
        _others[_thread.get_ident()] = policy
