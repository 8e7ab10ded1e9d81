"""The main thread's work: take requests in order, answer each, and let the user's tasks run in between.

One task serves all requests, so that a context variable which one cell sets is there in the next. While a
cell awaits, comm messages are handled where they stand in the queue: the cell may be waiting for one.

IPython 9.18 and newer do not import asyncio, and many sessions never use it: it would cost each start 15 ms of a processor and
2.9 MiB (CPython 3.11). Until somebody needs it, requests are taken without a loop; from then on, for good, with one. Older releases
of IPython import it, and there the loop serves from the first request. What needs it:

- a cell that is to be awaited, by IPython's own word: whoever awaits anything for a request asks `running_loop` first, and the
  request goes on in the loop from there;
- whoever imports asyncio: for the rest of that request the loop counts as running, and the next is served in it;
- whoever asks for the `loop` itself, on whatever thread.
"""

from __future__ import annotations

import contextvars
import importlib
import os
import select
import sys
import threading
import time
import types
from typing import TYPE_CHECKING

from . import _drupe, comms, forks, requests, shells, sigterm
from .errors import described
from .hooks import when_imported
from .interrupt import HAND_OVER, InPlace, interrupts
from .log import log
from .loop import Words
from .snapshots import Snapshots

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Generator
    from typing import Any

    from .shell import ZMQInteractiveShell

_MAIN = threading.get_ident()


@types.coroutine
def _hand_over() -> Generator[object, None, None]:
    """To be awaited by a request that is answered without a loop: it goes on in the loop."""
    yield HAND_OVER


@types.coroutine
def _rest_of(steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """What is left of a request that has been begun: `steps` is a generator that waits where it has yielded."""
    return (yield from steps)


class _StandIn:
    """Says of a loop that does not run yet that it runs, and runs a task."""

    def __init__(self, asyncio: Any, loop: Any, start: Callable[[], asyncio.Task[None]]) -> None:
        """`start` makes that task, and nothing else."""
        self._asyncio = asyncio
        self._loop = loop
        # By these very functions: `nest_asyncio` puts others in their place.
        self._leave = asyncio.tasks._leave_task
        self._steps: list = []
        asyncio._set_running_loop(loop)
        loop._thread_id = threading.get_ident()
        # The task stands in its first step already, and must not take it where somebody runs the loop within the request,
        # which is what `nest_asyncio` does.
        loop.call_soon = self._keep
        try:
            self._task = start()
        finally:
            del loop.call_soon
        asyncio.tasks._enter_task(loop, self._task)

    def _keep(self, *args: Any, **kwargs: Any) -> None:
        self._steps.append((args, kwargs))

    def end(self) -> None:
        """The loop is going to run itself, and the task to begin."""
        self._leave(self._loop, self._task)
        self._asyncio._set_running_loop(None)
        self._loop._thread_id = None
        # Where the request has closed the loop, the next one gets a new one.
        if not self._loop.is_closed():
            for args, kwargs in self._steps:
                self._loop.call_soon(*args, **kwargs)


class Server:
    """Serves requests, without a loop or with one."""

    def __init__(self, shell: ZMQInteractiveShell, event_loop: str = "asyncio") -> None:
        """`event_loop`: whose it is, the name of a package with a `new_event_loop`. ImportError where that is not installed."""
        self.shell = shell
        interrupts.runs_loop = type(self)._serve_with_loop.__code__
        self._whose = event_loop
        if event_loop != "asyncio":
            importlib.import_module(event_loop)
        self._loop: Any = None
        # Held while it is made: whoever asks meanwhile waits for that one. A handler of a signal's may ask in the middle of it.
        self._making = threading.RLock()
        # Wakes the main thread out of its wait for a request, when another thread asks for the loop.
        self._asked, self._ask = os.pipe()
        self._context: contextvars.Context | None = None
        self._task: Any = None
        # While a request is answered without a loop: its `Steps`, and their generator.
        self._begun: tuple[Any, Generator[Any, Any, Any]] | None = None
        # While the loop counts as running for a request that is answered without it.
        self._stand_in: _StandIn | None = None
        # What `_serve` waits for while there is no request.
        self._idle: asyncio.Future[None] | None = None
        self._in_request = False
        # A cell's coroutine is awaited by `in_place`.
        self._in_place = False
        # The main thread's cell is one that awaits something, whoever runs it.
        self.runs_awaiting_cell = False
        self._done = False
        self._snapshots = Snapshots(shell)
        # The loop in the words of tornado's, for those who have not imported that.
        self.words = Words(self)
        when_imported("asyncio", self._imported)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop, which is made when it is asked for first."""
        if self._loop is None:
            import asyncio

            with self._making:
                if self._loop is None:
                    self._loop = importlib.import_module(self._whose).new_event_loop()
                    interrupts.loop = self._loop
                    if threading.get_ident() == _MAIN:
                        asyncio.set_event_loop(self._loop)
                    os.write(self._ask, b".")
        return self._loop

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task that serves requests; None while none has been served in the loop."""
        return self._task

    def exit_soon(self) -> None:
        """The kernel is to end: now, or behind the request that is being answered by this thread."""
        if not self._in_request and not shells.here() is not None:
            _drupe.ask_exit()

    @property
    def has_loop(self) -> bool:
        """Whether there is a loop that anything could have been left in."""
        return self._loop is not None

    async def running_loop(self) -> None:
        """To be awaited by whoever is going to await something for a request: from here on the loop runs, and the request is
        answered by a task of it. A subshell has a loop of its own, which runs."""
        if self._begun is not None and threading.get_ident() == _MAIN:
            await _hand_over()

    async def in_place(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Await a cell's coroutine. It may take millions of steps: where the task of the request awaits it, nobody in between
        wakes for each of them, nor within it for what is `directly` awaited."""
        import asyncio

        if asyncio.current_task() is not self._task:
            # Somebody has put a task of his own around the kernel's functions.
            return await coroutine
        self._in_place = True
        try:
            return await InPlace(coroutine)
        finally:
            self._in_place = False

    def cell_awaits(self) -> bool:
        """Whether the main thread's cell awaits, or is one that does and runs its own lines just now."""
        return self.runs_awaiting_cell or interrupts.cell_awaits()

    def directly(self, coroutine: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        """What to await for the coroutine, which is the innermost that is not the user's own. It is that itself where it is run by
        somebody else, such as curio, or on a subshell."""
        if self._in_place:
            import asyncio

            if asyncio.current_task() is self._task:
                return InPlace(coroutine)
        return coroutine

    def _imported(self, asyncio: Any) -> None:
        """asyncio came with something that a cell imports: for the rest of the request the kernel's loop counts as running, and
        the task that is going to serve in it as the current one."""
        # `threading.current_thread` would enter a native thread into its books for good.
        on_main = threading.get_ident() == _MAIN
        if on_main and self._begun is not None and self._stand_in is None and not _drupe.forked():
            self._stand_in = _StandIn(asyncio, self.loop, self._start)

    def run(self) -> None:
        """Serve until the end of the kernel begins. Of the user's exceptions SystemExit alone, out of a callback or a task
        of the loop, begins it: as in any program, and as `exit()` does in a cell."""
        while not self._done:
            try:
                if self._loop is None and "asyncio" not in sys.modules:
                    self._serve_without_loop()
                else:
                    self._serve_with_loop()
            except SystemExit as error:
                forks.leave_if_forked(error)
                log.info("the event loop was left by %r: the kernel ends", error)
                _drupe.ask_exit()
            except BaseException as error:
                forks.leave_if_forked(error)
                # A KeyboardInterrupt of a background task leaves the loop this way.
                log.info("the event loop was left by %s and runs again", described(error))
                # Whatever keeps it from running must not keep a processor busy.
                time.sleep(0.01)

    def leave(self) -> None:
        """A handler of SIGTERM has raised: the kernel ends. Where that is code of a cell's, the exception leaves the cell
        first, as the user's `finally` blocks expect."""
        if self._in_request and not interrupts.cell_awaits():
            self.shell.exit_now = True
        else:
            _drupe.ask_exit()

    def _serve_without_loop(self) -> None:
        wait = select.poll()
        wait.register(_drupe.wake_fd(), select.POLLIN)
        wait.register(self._asked, select.POLLIN)
        while self._loop is None and "asyncio" not in sys.modules:
            request = _drupe.take()
            if request is None:
                if _drupe.shutting_down():
                    self._done = True
                    return
                quiet = self._snapshots.before_waiting()
                if not wait.poll(None if quiet is None else quiet * 1000):
                    while self._snapshots.go_on() and not wait.poll(0):
                        pass
                continue
            steps = interrupts.steps(self._answer(request))
            self._begun = steps, steps.__await__()
            try:
                self._begun[1].send(None)
            except StopIteration:
                self._begun = None
            else:
                # It awaits something, and is the first that the loop serves.
                return self._serve_with_loop()

    def _serve_with_loop(self) -> None:
        # Where nobody has imported asyncio yet, that makes a stand-in for a request that has begun: here, where it ends.
        _ = self.loop
        stand_in, self._stand_in = self._stand_in, None
        if stand_in is not None:
            stand_in.end()
        if self._loop is not None and self._loop.is_closed():
            # A cell has closed it, between two turns. Its task can do nothing more, and nobody is to be told so.
            if self._task is not None:
                self._task._log_destroy_pending = False
            self._loop = self._task = None
            if (aio := sys.modules.get("drupe.aio")) is not None:
                aio.loop_is_new()
        self.loop.remove_reader(_drupe.wake_fd())
        self.loop.add_reader(_drupe.wake_fd(), self._woken)
        if self._task is None or self._task.done():
            self._start()
        self.loop.run_forever()
        if not self._done and sigterm.came_lately():
            # Its handler, or what that woke, has called `loop.stop`.
            _drupe.ask_exit()

    def _start(self) -> asyncio.Task[None]:
        """Make the task that serves requests; returns it."""
        if self._task is not None:
            log.warning("the task that serves requests ended and is started again")
        # In the same context as before, as far as this Python can.
        if self._context is None:
            self._context = contextvars.copy_context()
        serving = self._serve()
        try:
            self._task = self.loop.create_task(serving, context=self._context)
        except TypeError:
            self._task = self.loop.create_task(serving)
        if hasattr(self._task, "set_name"):
            self._task.set_name("drupe")
        self._task.add_done_callback(self._ended)
        return self._task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """The serving task has ended. Unless that is the end of the kernel, `run` is to notice and start it again."""
        if not self._done:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                log.error("the task that serves requests failed: %s", described(error))
            task.get_loop().stop()

    def _woken(self) -> None:
        """The core's descriptor became readable."""
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        elif self._in_request:
            comms.take_waiting()
            if _drupe.shutting_down():
                interrupts.cancel_cell()

    def _is_quiet(self, idle: asyncio.Future[None]) -> None:
        """Nobody has asked for anything since it began to wait. The user's tasks get their turn between the slices."""
        if idle is self._idle and not idle.done() and self._snapshots.go_on():
            idle.get_loop().call_later(0, self._is_quiet, idle)

    async def _serve(self) -> None:
        import asyncio

        while True:
            idle = None
            try:
                if self._begun is not None:
                    (steps, generator), self._begun = self._begun, None
                    steps.task = self._task
                    await _rest_of(generator)
                elif (request := _drupe.take()) is not None:
                    await interrupts.steps(self._answer(request), self._task)
                    # The user's tasks get their turn between requests.
                    await asyncio.sleep(0)
                elif _drupe.shutting_down():
                    break
                else:
                    quiet = self._snapshots.before_waiting()
                    self._idle = idle = self.loop.create_future()
                    if quiet is not None:
                        self.loop.call_later(quiet, self._is_quiet, idle)
                    await idle
            except asyncio.CancelledError:
                # A cell has cancelled all tasks of the loop, this one among them.
                self._uncancel()
            finally:
                # Where a cell has closed the loop, the task that served in it ends when it is collected, and another one waits by then.
                if self._idle is idle:
                    self._idle = None
        self._done = True
        self.loop.stop()

    def _uncancel(self) -> None:
        while getattr(self._task, "cancelling", int)() > 0:
            self._task.uncancel()

    async def _answer(self, request: _drupe.Request) -> None:
        """Answer one request, whatever becomes of it."""
        kernel = self.shell.kernel
        runs_cell = request.msg_type == "execute_request"
        _drupe.parent_var.set(request.parent)
        if runs_cell:
            _drupe.set_parent(request.parent)
        else:
            _drupe.set_descriptors_parent(request.parent)
        kernel.begin(request)
        self._in_request = True
        try:
            if runs_cell:
                self._snapshots.before_cell()
            await requests.carry_out(kernel, request)
        finally:
            interrupts.install()
            self._in_request = False
            self._uncancel()
            kernel.end(request)
            # It takes what is still in the pipes, which is this request's.
            request.finish()
            if not runs_cell:
                _drupe.set_descriptors_parent(None)
        if self.shell.exit_now:
            self.shell.exit_now = False
            _drupe.ask_exit()
