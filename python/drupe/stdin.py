"""`input()` and `getpass()`: questions to the client whose cell is running. `patches.py` puts them in the place of Python's own."""

from __future__ import annotations

import sys

from . import _drupe


def _ask(function: str, prompt: str, password: bool) -> str:
    # An interrupted cell's traceback ends at its own line.
    __tracebackhide__ = True
    parent = _drupe.get_parent()
    if parent is None or not parent.allow_stdin:
        from IPython.core.error import StdinNotImplementedError

        # Word for word what ipykernel says: clients and their tests look for it.
        raise StdinNotImplementedError(
            f"{function} was called, but this frontend does not support input requests."
        )
    sys.stdout.flush()
    sys.stderr.flush()
    return _drupe.input_request(prompt, password, parent)


def raw_input(prompt: object = "") -> str:
    """Ask the user for a line of text."""
    __tracebackhide__ = True
    return _ask("raw_input", str(prompt), False)


def getpass(
    prompt: object = "Password: ", stream: object = None, *, echo_char: str | None = None
) -> str:
    """Ask the user for a secret; the front-end does not show it. What is for a terminal only has no effect."""
    __tracebackhide__ = True
    return _ask("getpass", str(prompt), True)
