"""drupe: a Jupyter kernel. The Python half: the IPython shell and what it says to the wire.

Importing this package starts nothing and loads nothing; `drupe.app.main` is the way in. For programs there are `__version__`,
`process_comms`, `post`, `embed` and the modules `aio`, `threads` and `trio`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def process_comms() -> int:
    """Handle the comm messages that wait, in the middle of a cell; returns how many there were.

    A cell that computes for long calls it now and then, so that sliders and buttons go on working:

        for step in steps:
            compute(step)
            drupe.process_comms()
    """
    from .comms import process_waiting

    return process_waiting()


def post(callback: Callable[..., object], *args: object) -> None:
    """Have `callback(*args)` called on the main thread, by the kernel's loop. For threads of other runtimes: never waits, never
    raises, and does nothing once the kernel is ending; see `drupe.aio`.
    """
    from .aio import post as _post

    _post(callback, *args)


def embed(
    module: ModuleType | None = None,
    local_ns: dict | None = None,
    argv: list[str] | tuple[str, ...] = (),
) -> None:
    """Run a kernel in this program, in the caller's namespace; it does not return, and its end is the program's.

    `module` and `local_ns` are what the kernel's cells see, by default what the caller does. `argv` are the kernel's
    arguments, such as `["-f", "kernel.json"]`; without a connection file one is written, and its name is printed.
    """
    import sys

    caller = sys._getframe(1)
    if module is None:
        module = sys.modules.get(caller.f_globals.get("__name__", ""))
    if local_ns is None:
        local_ns = caller.f_locals
    from . import app

    app.embed(list(argv), module, dict(local_ns))


def __getattr__(name: str) -> str:
    if name == "__version__":
        from ._drupe import __version__

        return __version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
