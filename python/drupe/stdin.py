"""`input()` and `getpass()`: questions to the client whose cell is running."""

import sys

from . import _drupe
from .hooks import when_imported


def _ask(prompt: str, password: bool) -> str:
    # An interrupted cell's traceback ends at its own line.
    __tracebackhide__ = True
    parent = _drupe.get_parent()
    if parent is None or not parent.allow_stdin:
        from IPython.core.error import StdinNotImplementedError

        raise StdinNotImplementedError(
            "input() was called, but this front-end does not support input requests."
        )
    sys.stdout.flush()
    sys.stderr.flush()
    return _drupe.input_request(prompt, password, parent)


def raw_input(prompt="") -> str:
    """Ask the user for a line of text."""
    __tracebackhide__ = True
    return _ask(str(prompt), False)


def getpass(prompt="Password: ", stream=None, **_options) -> str:
    """Ask the user for a secret; the front-end does not show it."""
    __tracebackhide__ = True
    return _ask(str(prompt), True)


def install() -> None:
    """Put both in the place of Python's own."""
    import builtins

    builtins.input = raw_input
    when_imported("getpass", lambda module: setattr(module, "getpass", getpass))
