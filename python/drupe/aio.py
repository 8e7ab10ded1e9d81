"""The kernel's asyncio loop, for threads that other runtimes have made.

| who calls | with what | on which thread the callback runs |
| --- | --- | --- |
| any thread of Python's, or one that has attached itself | `call_soon(callback, *args)` | the main thread, in the loop |
| the same, for a thread that comes and goes | `drupe.post(callback, *args)`: registered with the kernel meanwhile | the same |
| a thread without Python, of C, C++ or Rust | the C function at `Caller(callback).address`, with its `number` | the same |

None of them waits, raises or needs the loop to run; once the kernel is ending they do nothing. What the callback raises is told as
asyncio tells of any callback's error.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

from . import _drupe, threads

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

# Callbacks of `Caller`s in one turn of the loop, so that cells and tasks have their turns in between.
_IN_A_TURN = 1000

_callbacks: dict[int, Callable[..., Any]] = {}
_numbers = itertools.count(1)
# The loop that watches the descriptor of `drupe_post`.
_watching: Any = None


def _loop() -> asyncio.AbstractEventLoop:
    from IPython import get_ipython

    return get_ipython().kernel.server.loop


def call_soon(callback: Callable[..., Any], *args: Any) -> None:
    """Have `callback(*args)` called by the kernel's loop. Safe on every thread and at any time."""
    if _drupe.shutting_down():
        return
    # RuntimeError: the loop was closed meanwhile.
    with contextlib.suppress(RuntimeError):
        try:
            loop = _loop()
        except AttributeError:  # no kernel runs in this program
            return
        loop.call_soon_threadsafe(callback, *args)


def post(callback: Callable[..., Any], *args: Any) -> None:
    """As `call_soon`, on a thread that some other runtime has made: it is registered with the kernel while it is in here, so that
    the kernel's end knows of it, and the hooks of `drupe.threads` are called."""
    if _drupe.shutting_down() or not threads.enter("post"):
        return
    try:
        call_soon(callback, *args)
    finally:
        threads.leave()


class Caller:
    """A callback that threads without Python may ask for: they call the C function at `address`, `int (*)(uint64_t)`, with `number`.

    It returns 1 where the callback will be called and 0 where it will not, since the kernel is ending or 65,536 calls wait already. It
    needs no GIL, never waits, and may be called after `close()`, which just ends its effect. To be made on the main thread.
    """

    def __init__(self, callback: Callable[..., Any]) -> None:
        self.number = next(_numbers)
        self.address, descriptor = _drupe.post_address()
        _callbacks[self.number] = callback
        _watch(descriptor)

    def __call__(self) -> bool:
        """The same from Python."""
        import ctypes

        return bool(ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint64)(self.address)(self.number))

    def close(self) -> None:
        """The callback is not called any more."""
        _callbacks.pop(self.number, None)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _watch(descriptor: int) -> None:
    global _watching
    loop = _loop()
    if _watching is not loop:
        loop.add_reader(descriptor, _call_posted)
        _watching = loop


def loop_is_new() -> None:
    """A cell has closed the kernel's loop, and another has taken its place: called by `serve.py`."""
    if _watching is not None:
        _watch(_drupe.post_address()[1])


def _call_posted() -> None:
    for number in _drupe.take_posted(_IN_A_TURN):
        callback = _callbacks.get(number)
        if callback is not None:
            # Each by itself, so that one that raises is told of and takes nothing from the others.
            _watching.call_soon(callback)
