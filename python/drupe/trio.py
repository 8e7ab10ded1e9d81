"""trio as a guest of the kernel's loop: one run, from the first cell that wants it to the end of the kernel.

```python
%autoawait trio

# the next cell
import trio
from drupe.trio import nursery

nursery.start_soon(watch)      # goes on between the cells
await trio.sleep(1)            # asyncio's tasks go on meanwhile
```

A cell that awaits under `%autoawait trio` is a task of that run; `execution.py` hands it to `run_cell`. The run is started by the
first of them, or by whoever asks for the `nursery`, and ended by `teardown.py`, which cancels it and waits for the `finally` blocks.

trio itself is imported when the run starts, and not before.
"""

from __future__ import annotations

import contextlib
import contextvars
import signal
import sys
import traceback
from typing import TYPE_CHECKING

from . import _drupe, threads
from .interrupt import interrupts
from .log import log

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from typing import Any

# The run, once there is one; see `guest`.
_guest = None


class Guest:
    """A run of trio's on asyncio's loop. All methods are called on the main thread, outside of trio."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        import trio

        self.loop = loop
        self.token: trio.lowlevel.TrioToken | None = None
        self.nursery: Any = None
        # The task of the cell that runs.
        self.cell: trio.lowlevel.Task | None = None
        self._scope: Any = None
        # What waits for the run to have begun: it needs some turns of the loop for that.
        self._early: list[Callable[[], object]] = []
        # Tells that it has ended; its outcome is of no interest to anybody.
        self.ended = loop.create_future()
        _account_for_threads()
        with _no_handler_of_trio():
            trio.lowlevel.start_guest_run(
                self._main,
                run_sync_soon_threadsafe=self._soon_from_a_thread,
                run_sync_soon_not_threadsafe=self._soon,
                done_callback=self._done,
                host_uses_signal_set_wakeup_fd=True,
            )

    async def _main(self) -> None:
        import trio

        with trio.CancelScope() as self._scope:
            async with trio.open_nursery() as self.nursery:
                self.token = trio.lowlevel.current_trio_token()
                for sync_fn in self._early:
                    sync_fn()
                self._early.clear()
                await trio.sleep_forever()

    def _soon(self, sync_fn: Callable[[], object]) -> None:
        self.loop.call_soon(sync_fn)

    def _soon_from_a_thread(self, sync_fn: Callable[[], object]) -> None:
        """Called by trio's threads, whenever. What it raised would tear the run down on that thread."""
        with contextlib.suppress(RuntimeError):
            # The loop is closed: nobody runs anything any more.
            self.loop.call_soon_threadsafe(sync_fn)

    def _done(self, outcome: Any) -> None:
        error = getattr(outcome, "error", None)
        if error is not None:
            log.error("the run of trio has failed", exc_info=error)
        if not self.ended.done():
            self.ended.set_result(None)

    def has_ended(self) -> bool:
        """Whether the run is over, or cannot go on since its loop is."""
        return self.ended.done() or self.loop.is_closed()

    def in_trio(self, sync_fn: Callable[[], object]) -> None:
        """Have a function called within the run."""
        if self.token is None:
            self._early.append(sync_fn)
        else:
            # RunFinishedError: it has ended meanwhile.
            with contextlib.suppress(RuntimeError):
                self.token.run_sync_soon(sync_fn)

    def start_soon(
        self, async_fn: Callable[..., Awaitable[Any]], *args: Any, name: str | None = None
    ) -> None:
        """Start a task in the nursery, in the context of the caller: what it prints is the cell's that has started it."""
        context = contextvars.copy_context()
        self.in_trio(
            lambda: context.run(lambda: self.nursery.start_soon(async_fn, *args, name=name))
        )

    def cancel(self) -> None:
        """Cancel all of its tasks."""
        self.in_trio(lambda: self._scope.cancel())

    async def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a cell's coroutine as a task of trio's. A cancellation, which is an interrupt, cancels that one."""
        import asyncio

        import trio

        scope = trio.CancelScope()
        future = self.loop.create_future()
        context = None
        # An interrupt of the cell cancels the task that serves requests, which waits here.
        steps = interrupts.steps(coroutine, asyncio.current_task())

        async def task() -> None:
            nonlocal context
            result = error = None
            self.cell = trio.lowlevel.current_task()
            try:
                with scope:
                    result = await steps
            except BaseException as raised:
                error = raised
            self.cell = None
            context = contextvars.copy_context()
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.start_soon(task, name="a cell")
        ended = asyncio.ensure_future(_first_of(future, self.ended))
        while True:
            try:
                await asyncio.shield(ended)
                break
            except asyncio.CancelledError:
                self.in_trio(scope.cancel)
        for variable, value in context.items() if context else ():
            # What the cell has set is there in the next, whoever runs that.
            if variable.get(None) is not value:
                variable.set(value)
        if not future.done():
            coroutine.close()
            raise RuntimeError("the run of trio has ended; run the cell again for a new one")
        return future.result()


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    import asyncio

    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def guest() -> Guest:
    """The run, which is started where there is none."""
    global _guest
    if _guest is None or _guest.has_ended():
        if _drupe.shutting_down():
            raise RuntimeError("the kernel is ending: no run of trio can be started any more")
        from IPython import get_ipython

        _guest = Guest(get_ipython().kernel.server.loop)
    return _guest


def running() -> Guest | None:
    """The run, or None."""
    return _guest if _guest is not None and not _guest.has_ended() else None


def is_cancellation(error: BaseException) -> bool:
    """Whether it is trio's Cancelled, or a group of nothing else."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    errors = getattr(error, "exceptions", None)
    if errors is not None:
        return all(is_cancellation(one) for one in errors)
    return isinstance(error, trio.Cancelled)


@contextlib.contextmanager
def _no_handler_of_trio() -> Iterator[None]:
    """Within it trio does not take the handling of SIGINT over: it does where it finds Python's own handler, and would keep it for as
    long as its run lives."""
    default = signal.default_int_handler
    setattr(signal, "default_int_handler", None)
    try:
        yield
    finally:
        signal.default_int_handler = default


class Nursery:
    """The nursery of the kernel: what is started in it goes on between the cells, until it ends or the kernel does. A task that fails
    is told of where its cell's output goes, and takes nobody with it."""

    def start_soon(
        self, async_fn: Callable[..., Awaitable[Any]], *args: Any, name: str | None = None
    ) -> None:
        """As trio's `Nursery.start_soon`; may be called in any cell."""
        label = name or getattr(async_fn, "__qualname__", repr(async_fn))

        async def task() -> None:
            try:
                await async_fn(*args)
            except (Exception, KeyboardInterrupt, SystemExit):
                print(f"The task {label} has failed:", file=sys.stderr)
                traceback.print_exc()

        guest().start_soon(task, name=name or label)

    @property
    def child_tasks(self) -> frozenset[Any]:
        """The tasks that have not ended, without the cell that asks."""
        run = running()
        return (
            frozenset(run.nursery.child_tasks) - {run.cell} if run and run.nursery else frozenset()
        )


nursery = Nursery()


# Threads.


def _account_for_threads() -> None:
    """Register the threads that trio starts with the kernel, each for as long as it works for trio. There is no hook for it."""
    import trio._core._run
    import trio._threads

    for module in (trio._core._run, trio._threads):
        start = getattr(module, "start_thread_soon")
        if not hasattr(start, "_of_drupe"):
            setattr(module, "start_thread_soon", _accounting(start))


def _accounting(start: Callable[..., Any]) -> Callable[..., Any]:
    def start_thread_soon(
        fn: Callable[[], Any], deliver: Callable[[Any], object], name: str | None = None
    ) -> None:
        def work() -> Any:
            threads.enter("trio", name or "a wait for input and output")
            return fn()

        def hand_over(result: Any) -> None:
            try:
                deliver(result)
            finally:
                threads.leave()

        start(work, hand_over, name)

    setattr(start_thread_soon, "_of_drupe", True)
    return start_thread_soon
