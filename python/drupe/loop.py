"""The event loop, in the words of tornado's `IOLoop`: `get_ipython().kernel.io_loop`.

A program that has imported tornado gets a real `IOLoop` around the kernel's asyncio loop; one that has not needs no tornado
for the usual calls.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

from .interrupt import interrupts

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any, NoReturn

    from .serve import Server


def io_loop(server: Server) -> Any:
    """The loop that libraries are given."""
    if "tornado.ioloop" in sys.modules:
        try:
            return _tornado(server.loop)
        except Exception:
            from .log import log

            log.warning("there is no tornado loop around the kernel's own", exc_info=True)
    return server.words


def _tornado(loop: asyncio.AbstractEventLoop) -> Any:
    from tornado.ioloop import IOLoop
    from tornado.platform.asyncio import AsyncIOMainLoop

    known = IOLoop._ioloop_for_asyncio.get(loop)
    if known is not None:
        return known
    import asyncio

    # Tornado takes the thread's loop, or the running one; on another thread than the main one that would be another.
    before = asyncio._get_running_loop()
    asyncio._set_running_loop(loop)
    try:
        return AsyncIOMainLoop(make_current=False)
    finally:
        asyncio._set_running_loop(before)


class Words:
    """The calls of an `IOLoop` that need no tornado."""

    NONE, READ, WRITE, ERROR = 0, 1, 4, 24
    closing = False

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def asyncio_loop(self) -> asyncio.AbstractEventLoop:
        return self._server.loop

    def _run(self, callback: Callable[..., Any]) -> None:
        """Call it; where it returns something to be awaited, that is done in a task."""
        import asyncio
        import inspect

        with interrupts.user_code():
            result = callback()
        if inspect.isawaitable(result):
            asyncio.ensure_future(result, loop=self.asyncio_loop)

    def add_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call it in a turn of the loop, from any thread."""
        call = functools.partial(callback, *args, **kwargs)
        self.asyncio_loop.call_soon_threadsafe(functools.partial(self._run, call))

    add_callback_from_signal = spawn_callback = add_callback

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> asyncio.TimerHandle:
        """Call it in `delay` seconds; what is returned goes to `remove_timeout`."""
        call = functools.partial(callback, *args, **kwargs)
        return self.asyncio_loop.call_later(max(0, delay), functools.partial(self._run, call))

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> asyncio.TimerHandle:
        """Call it at a time as `time` tells it."""
        return self.call_later(when - self.time(), callback, *args, **kwargs)

    def add_timeout(
        self, deadline: Any, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> asyncio.TimerHandle:
        """Call it at a time, or after a `timedelta`."""
        seconds = getattr(deadline, "total_seconds", None)
        delay = seconds() if seconds is not None else deadline - self.time()
        return self.call_later(delay, callback, *args, **kwargs)

    def remove_timeout(self, timeout: Any) -> None:
        timeout.cancel()

    def add_future(self, future: Any, callback: Callable[..., Any]) -> None:
        """Call it with the future once that is done."""
        future.add_done_callback(lambda done: self.add_callback(callback, done))

    def run_in_executor(
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        return self.asyncio_loop.run_in_executor(executor, func, *args)

    def set_default_executor(self, executor: Any) -> None:
        self.asyncio_loop.set_default_executor(executor)

    def add_handler(self, fd: Any, handler: Any, events: int) -> None:
        """Call `handler(fd, events)` while the descriptor is readable or writable."""
        number = fd if isinstance(fd, int) else fd.fileno()
        if events & self.READ:
            self.asyncio_loop.add_reader(number, handler, fd, self.READ)
        if events & self.WRITE:
            self.asyncio_loop.add_writer(number, handler, fd, self.WRITE)

    def update_handler(self, fd: Any, events: int) -> None:
        raise NotImplementedError("remove the handler and add it again, or import tornado first")

    def remove_handler(self, fd: Any) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        self.asyncio_loop.remove_reader(number)
        self.asyncio_loop.remove_writer(number)

    def time(self) -> float:
        return self.asyncio_loop.time()

    def start(self) -> None:
        raise RuntimeError("This event loop is already running")

    def stop(self) -> None:
        """The kernel's loop goes on: what ends it is the end of the kernel."""

    def close(self, all_fds: bool = False) -> None:
        raise RuntimeError("the kernel's loop ends with the kernel")

    def run_sync(self, func: Callable[..., Any], timeout: Any = None) -> NoReturn:
        raise RuntimeError("This event loop is already running")
