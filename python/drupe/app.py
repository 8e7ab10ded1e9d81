"""The start of Python's half: configuration, the shell, the streams, the loop; then requests until the end.

It imports as little as it can, for a cell waits for it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from . import _drupe, exits
from .jsonutil import decode, encode

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from .serve import Server
    from .shell import ZMQInteractiveShell

_NEEDED = "ipython>=8.18 comm matplotlib-inline jedi traitlets"


def main() -> None:
    """Run a kernel on this, the main thread. Does not return."""
    run(sys.argv[1:])


def embed(argv: list, module: ModuleType | None, namespace: dict) -> None:
    """Run a kernel in a program that runs already; see `drupe.embed`. Does not return."""
    import threading

    from IPython.core.interactiveshell import InteractiveShell

    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a kernel can be embedded on the program's main thread only")
    if InteractiveShell.initialized():
        raise RuntimeError(
            "IPython runs in this program already: in a kernel, connect another client to it with %connect_info"
        )
    run(argv, module, namespace)


def run(
    argv: list, module: ModuleType | None = None, namespace: dict[str, Any] | None = None
) -> None:
    """Run a kernel with these arguments. The namespace is the embedding program's; None where this is a kernel and no more."""
    _drupe.start(argv)
    exits.install()
    try:
        from . import teardown
        from .interrupt import interrupts

        interrupts.install()
        server = _start(module, namespace)
    except ImportError as error:
        _drupe.failed(_missing(error), 2)
    except BaseException as error:
        from traitlets import TraitError

        if isinstance(error, TraitError):
            _drupe.failed(_misconfigured(error), 2)
        _drupe.failed(_internal(error), 1)

    def life() -> None:
        # What is done is not done again.
        server.run()
        teardown.run(on_main=True)

    _drupe.hold(life)


def _missing(error: ImportError) -> str:
    # Nobody else asks for that one.
    needed, way_out = (
        ("uvloop", ", or start the kernel without --loop")
        if error.name == "uvloop"
        else (_NEEDED, "")
    )
    return (
        f"{sys.executable} (Python {sys.version.split()[0]}) lacks what the kernel needs: {error}. "
        f"Mend it with: {sys.executable} -m pip install '{needed.replace(' ', chr(39) + ' ' + chr(39))}'{way_out}"
    )


def _misconfigured(error: BaseException) -> str:
    from .application import IPKernelApp

    files = IPKernelApp.instance().loaded_config_files
    places = " or ".join(["on the command line", *files])
    return f"the configuration cannot be used: {error} Mend it {places}."


def _internal(error: BaseException) -> str:
    import traceback

    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return "Python could not be started:\n" + "".join(lines).rstrip()


def _start(module: ModuleType | None, namespace: dict[str, Any] | None) -> Server:
    from . import facade, hooks, patches, sigterm, streams, teardown

    # For applications that configure their own log; it brings sockets, queues and pickles along.
    with hooks.postponed("logging.config", "dictConfig"):
        from .application import IPKernelApp
    from .kernel import IPythonKernel
    from .serve import Server

    options = decode(_drupe.config())
    traits, words = options.get("traits") or {}, options.get("unknown") or []
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    app = IPKernelApp.instance()
    app.connection_file = options.get("connection_file") or ""
    facade.install()
    if namespace is None:
        facade.set_arguments(app.connection_file, traits, words)
    app.configure(traits, words)
    shell = app.make_shell(module, namespace)
    kernel = app.kernel = IPythonKernel.instance(parent=app, shell=shell)
    _faulthandler()
    streams.install(not options.get("no_stdout"), not options.get("no_stderr"))
    if not app.quiet:
        streams.echo(_drupe.stdio_fds())
    patches.install()
    server = kernel.server = Server(shell, options.get("event_loop") or "asyncio")
    teardown.prepare(shell, server)
    sigterm.install(server.leave)
    app.run_startup_code(options.get("matplotlib"))
    _drupe.ready(encode(_info(shell)))
    return server


def _info(shell: ZMQInteractiveShell) -> dict:
    from IPython.core.release import version

    return {
        "debugger": importlib.util.find_spec("debugpy") is not None,
        "banner": shell.banner,
        "language_version": sys.version.split()[0],
        "ipython_version": version,
    }


def _faulthandler() -> None:
    """A crash shows its stack on the terminal, and not in a notebook that nobody would see any more."""
    import faulthandler

    faulthandler.enable(file=_drupe.stdio_fds()[1])
