"""Subshells: shells beside the main one, each a thread with an event loop of its own, in the same process and namespace.

The core makes them, deletes them and says which requests are whose. Here is what their threads do, and what makes IPython, whose
state is one for the process, bear several cells at a time:

| state | several shells |
| --- | --- |
| `execution_count`, `In`, the history | one for all; each cell has a number of its own, and its lines stand where that says |
| `Out`, `_`, `__`, `___` | one for all, each set whole |
| the display hook, the error that is shown, payloads, what `%debug` and `%tb` see | each shell's own |
| pyplot's figures | each shell's own, see `figures.py` |
| `sys.displayhook`, IPython's builtins | in their place all the time, from the first subshell on |
| `last_execution_result` | the latest cell's |
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from time import monotonic, sleep
from typing import TYPE_CHECKING

from . import _drupe, comms, forks, parents, requests, shells
from .errors import described
from .hooks import when_imported
from .interrupt import Interrupts, State, set_here
from .log import log

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable
    from typing import Any

    from .kernel import IPythonKernel
    from .shell import ZMQInteractiveShell

# Seconds that the tasks of a subshell have for their `finally` blocks when it ends.
_FOR_TASKS = 0.5
# Seconds that the end of the kernel waits for subshells that are being interrupted.
_FOR_SHELLS = 0.5

# Seconds in which the main thread, whose cell awaits, takes a comm message.
_MAIN_TAKES = 0.25

_DOING = {State.USER: 1, State.BESIDE: 1, State.AWAITS: 2}


class Policy(Interrupts):
    """The interrupts of a subshell's thread: see `Interrupts`. What a signal does on the main thread, an exception that another
    thread sets does here."""

    def __init__(self, thread: ShellThread) -> None:
        self._subshell = thread.subshell
        self._state = State.IDLE
        super().__init__()
        self.loop = thread.loop

    @property
    def state(self) -> str:
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        # First what decides whether an exception may come.
        self._subshell.enter(_DOING.get(state, 0))
        self._state = state

    @property
    def _missed(self) -> bool:
        return self._subshell.missed

    @_missed.setter
    def _missed(self, missed: bool) -> None:
        if not missed:
            self._subshell.forget_missed()

    def _take_missed(self) -> bool:
        return self._subshell.forget_missed()

    def _begin_cell(self) -> None:
        self.cancelled = self._cancel_asked = False
        self._cancelled_at = None
        self._missed = False

    def _end_cell(self) -> None:
        self._missed = False

    def _watch_unraisable(self) -> None:
        """What Python swallows here is not seen."""

    def steps(self, coroutine: Coroutine, task: asyncio.Task | None = None) -> Any:
        """See `Interrupts.steps`."""
        return _Steps(self, self._subshell, coroutine, task)

    def leave(self) -> str:
        """The code of a request has given way, and the kernel goes on. Returns the state that this code was in."""
        state, self._state = self._state, State.AWAITS
        return state

    def resume(self, state: str) -> int:
        """It goes on; what it does, for the core."""
        self._state = state
        return _DOING.get(state, 0)


class _Steps:
    """`Steps` on a subshell's thread. An exception that another thread sets strikes in any line, so the user's code is entered and left
    in one step of the core's, and none of these lines is in reach: what comes meanwhile is handled here."""

    __slots__ = ("_coroutine", "_policy", "_subshell", "_task")

    def __init__(
        self, policy: Policy, subshell: _drupe.Subshell, coroutine: Coroutine, task: Any
    ) -> None:
        self._policy = policy
        self._subshell = subshell
        self._coroutine = coroutine
        self._task = task

    def __await__(self) -> Generator[Any, Any, Any]:
        policy, subshell, coroutine = self._policy, self._subshell, self._coroutine
        before = state = policy.state
        step: Callable[[Any], Any] = coroutine.send
        value: Any = None
        try:
            while True:
                doing = policy.resume(state)
                if doing == _DOING[State.USER] and subshell.forget_missed():
                    step, value = coroutine.throw, policy._strike()
                try:
                    waits_for = subshell.step(doing, step, value)
                except StopIteration as ended:
                    return ended.value
                state = policy.leave()
                # Whoever finds it awaiting finds the task, too.
                policy._awaiting = self._task
                subshell.enter(_DOING[State.AWAITS])
                if subshell.forget_missed():
                    policy.cancel_cell()
                try:
                    step, value = coroutine.send, (yield waits_for)
                except BaseException as raised:
                    # What goes on into the user's code has a traceback without this frame, as if nobody stood between.
                    traceback = raised.__traceback__
                    raised.__traceback__ = traceback and traceback.tb_next
                    step, value = coroutine.throw, raised
                finally:
                    subshell.enter(0)
                    # First this: who asks for a cancellation looks here when he has asked.
                    policy._awaiting = None
                if policy._cancel_asked and step == coroutine.send:
                    step, value = coroutine.throw, policy._woken_before()
        finally:
            value = None
            policy.state = before


class Interrupt(KeyboardInterrupt):
    """Raised by the thread that is interrupted, and says so when it strikes. To the user it is a KeyboardInterrupt."""

    def __init__(self) -> None:
        super().__init__()
        thread = shells.here()
        if thread is not None:
            thread.subshell.struck()


Interrupt.__name__ = Interrupt.__qualname__ = "KeyboardInterrupt"
Interrupt.__module__ = "builtins"


class ShellThread:
    """The thread of one subshell."""

    def __init__(self, subshell: _drupe.Subshell, kernel: IPythonKernel) -> None:
        self.subshell = subshell
        self.kernel = kernel
        self.thread = threading.Thread(
            target=self._run, name=f"subshell-{subshell.id}", daemon=True
        )
        self.loop: Any = None
        self.policy: Any = None
        self._task: Any = None
        self._idle: Any = None
        # A request is being answered that is no comm message: while it awaits, these are handled.
        self._may_await = False
        self._done = False
        # What `%debug` sees: kept between its cells.
        self.error: tuple = ()
        # What pyplot has here: see `figures.py`.
        self.figures: Any = None

    def interrupt(self, turn: int) -> None:
        """Interrupt what it does in that turn, from any thread."""
        policy = self.policy
        while self.subshell.interrupt(Interrupt, turn):
            if policy.cancel_cell() and (policy._awaiting is not None or not policy._cancel_asked):
                # It awaits still, or has been told.
                return
            # It had gone on between the two.
            policy._cancel_asked = False

    def _run(self) -> None:
        # First: from here on the core is told of the thread's end, whatever becomes of the rest.
        self.subshell.begun()
        ident = threading.get_ident()
        try:
            self._live(ident)
        finally:
            shells.threads.pop(ident, None)
            set_here(None)
            _by_number.pop(self.subshell.number, None)

    def _live(self, ident: int) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.policy = Policy(self)
        shells.threads[ident] = self
        set_here(self.policy)
        # A thread that a cell starts is to be waited for like one of the main shell's: its daemon flag is that of its maker.
        setattr(self.thread, "_daemonic", False)
        if "drupe.debugger" in sys.modules:
            # It may be being imported at this moment, which this waits for.
            from .debugger import trace_here

            trace_here()
        try:
            self.loop.add_reader(self.subshell.wake_fd(), self._woken)
            while not self._done:
                try:
                    self._serve_with_loop()
                except SystemExit as error:
                    forks.leave_if_forked(error)
                    log.info("a subshell's loop was left by %r: the kernel ends", error)
                    _drupe.ask_exit()
                except BaseException as error:
                    forks.leave_if_forked(error)
                    log.info("a subshell's loop was left by %s", described(error))
                    if self.loop.is_closed():
                        # It can do nothing more; the core is told by the thread's end.
                        break
                    # Whatever keeps it from running must not keep a processor busy.
                    sleep(0.01)
        finally:
            self._end()

    def _serve_with_loop(self) -> None:
        if self._task is None or self._task.done():
            self._task = self.loop.create_task(self._serve(), name="drupe")
        self.loop.run_until_complete(self._task)

    def _woken(self) -> None:
        """The core's descriptor became readable."""
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        elif self._may_await:
            # The cell that awaits may wait for one of these.
            while (request := self.subshell.take_comm()) is not None:
                comms.handle_waiting(request)

    async def _serve(self) -> None:
        while True:
            try:
                request = self.subshell.take()
                if request is not None:
                    steps = self.policy.steps(self._answer(request), self._task)
                    await steps
                    # The user's tasks get their turn between requests.
                    await asyncio.sleep(0)
                elif self.subshell.deleted or _drupe.shutting_down():
                    break
                else:
                    self._idle = self.loop.create_future()
                    await self._idle
            except asyncio.CancelledError:
                # A cell has cancelled all tasks of the loop, this one among them.
                self._uncancel()
            finally:
                self._idle = None
        self._done = True

    def _uncancel(self) -> None:
        while getattr(self._task, "cancelling", int)() > 0:
            self._task.uncancel()

    async def _answer(self, request: _drupe.Request) -> None:
        kernel = self.kernel
        runs_cell = request.msg_type == "execute_request"
        _drupe.parent_var.set(request.parent)
        if runs_cell:
            # What has no thread, such as what a child writes, is the cell's that began last.
            _drupe.set_descriptors_parent(request.parent)
        is_comm = request.msg_type in comms.TYPES
        try:
            kernel.begin(request)
            self._may_await = not is_comm
            if is_comm and await _handled_by_main(kernel, request):
                return
            await requests.carry_out(kernel, request)
        finally:
            self.policy.state = State.IDLE
            self.subshell.ended()
            self.policy._missed = False
            self._may_await = False
            self._uncancel()
            kernel.end(request)
            # It takes what is still in the pipes, which is this request's.
            request.finish()
            if runs_cell:
                _drupe.set_descriptors_parent(None)
        if kernel.shell.exit_now:
            kernel.shell.exit_now = False
            _drupe.ask_exit()

    def _end(self) -> None:
        """Its tasks are cancelled, and have a moment for their `finally` blocks."""
        if self.loop.is_closed():
            return
        self.loop.remove_reader(self.subshell.wake_fd())
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=_FOR_TASKS))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


# The main thread's loop, while it has not looked since it left a comm message waiting for too long.
_looks_away: asyncio.AbstractEventLoop | None = None


async def _handled_by_main(kernel: IPythonKernel, request: _drupe.Request) -> bool:
    """Where the main thread's cell awaits, or is on its way there, it has time for a comm message, and may be waiting for just this
    one, with objects that are for its own loop. Whether it has taken it: it may be at work and not see it in time, and then those
    that follow wait no more until it looks."""
    global _looks_away
    if not kernel.server.cell_awaits() or kernel.server.loop is _looks_away:
        return False
    taken = threading.Lock()
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    of_main = kernel.server.loop

    def handle() -> None:
        global _looks_away
        _looks_away = None
        if taken.acquire(blocking=False):
            try:
                comms.handle_waiting(request)
            finally:
                loop.call_soon_threadsafe(done.set)

    try:
        of_main.call_soon_threadsafe(handle)
    except RuntimeError:
        # The cell has closed it.
        return False
    try:
        await asyncio.wait_for(done.wait(), _MAIN_TAKES)
    except asyncio.TimeoutError:
        # Before it is decided whose the message is: the main thread takes this back when it looks, be it just now.
        _looks_away = of_main
    except (asyncio.CancelledError, KeyboardInterrupt):
        # An interrupt ends what runs, and this has not begun here: it waits no longer.
        pass
    if taken.acquire(blocking=False):
        return False
    _looks_away = None
    while not done.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await done.wait()
    return True


# By the core's numbers.
_by_number: dict[int, ShellThread] = {}
_prepared = False
# What `%debug` sees on the main thread.
_main_error: tuple = ()


def start(subshell: _drupe.Subshell) -> None:
    """Start the thread of a subshell. The core calls it, on a thread of its own."""
    from .kernel import IPythonKernel

    kernel = IPythonKernel.instance()
    _prepare(kernel.shell)
    thread = _by_number[subshell.number] = ShellThread(subshell, kernel)
    try:
        thread.thread.start()
    except BaseException:
        del _by_number[subshell.number]
        raise


def interrupt(number: int, turn: int) -> None:
    """Interrupt what a subshell does, if that is still the request of that turn. The core calls it, on a thread of its own."""
    thread = _by_number.get(number)
    if thread is not None and thread.policy is not None:
        thread.interrupt(turn)


def take_interrupt() -> bool:
    """Whether the calling thread, which waits in the core for the user's code, is to be interrupted."""
    thread = shells.here()
    return thread is not None and thread.subshell.forget_missed()


def listed() -> list[str]:
    """The identifiers of the subshells, the oldest first."""
    # In one step: one may end meanwhile.
    return [shell.subshell.id for _, shell in sorted(_by_number.copy().items())]


def end(deadline: float) -> None:
    """The kernel ends, and the core has told them: wait a moment for those that come to their end."""
    until = min(deadline, monotonic() + _FOR_SHELLS)
    for thread in list(_by_number.values()):
        thread.thread.join(max(0.0, until - monotonic()))


# IPython, with several shells.


def _prepare(shell: ZMQInteractiveShell) -> None:
    global _prepared
    with shells.lock:
        if _prepared:
            return
        _prepared = True
    parents.watch_threads()
    # Each is taken away by the last cell that leaves it: never, from now on.
    shell.builtin_trap.__enter__()
    shell.display_trap.__enter__()
    _store_in_order(shell.history_manager)
    when_imported("matplotlib._pylab_helpers", _separate_figures)
    when_imported("matplotlib_inline.backend_inline", _flush_own_figures)
    shells.begin_several()


def _separate_figures(helpers: Any) -> None:
    from . import figures

    figures.separate(helpers.Gcf)


def _flush_own_figures(inline: Any) -> None:
    from . import figures

    figures.flush_own(inline)


def _store_in_order(history: Any) -> None:
    """Cells begin in the order of their numbers, and may come here in another."""
    store = history.store_inputs

    def store_inputs(line_num: int, source: str, source_raw: str | None = None) -> None:
        lists = history.input_hist_parsed, history.input_hist_raw
        with shells.lock:
            for lines in lists:
                lines.extend([""] * (line_num - len(lines)))
            lengths = [len(lines) for lines in lists]
            store(line_num, source, source_raw)
            for lines, length in zip(lists, lengths):
                if len(lines) > length > line_num:
                    lines[line_num] = lines.pop()

    history.store_inputs = store_inputs


_SYS = ("last_type", "last_value", "last_traceback", "last_exc")
_TRACEBACK = ("etype", "evalue", "tb")


def cell_begins(thread: ShellThread | None) -> None:
    """A cell begins in a subshell, or on the main thread: its `%debug` and `%tb` are of that shell's last error."""
    error = _main_error if thread is None else thread.error
    if error:
        of_sys, of_traceback = error
        for name, value in of_sys.items():
            setattr(sys, name, value)
        vars(_traceback()).update(of_traceback)


def cell_ends(thread: ShellThread | None) -> None:
    """It has ended."""
    global _main_error
    error = (_some(vars(sys), _SYS), _some(vars(_traceback()), _TRACEBACK))
    if thread is None:
        _main_error = error
    else:
        thread.error = error


def _traceback() -> Any:
    from .kernel import IPythonKernel

    return IPythonKernel.instance().shell.InteractiveTB


def _some(values: dict, names: Iterable[str]) -> dict:
    return {name: values[name] for name in names if name in values}
