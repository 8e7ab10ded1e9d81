"""A cell that forks and comes back from it in both processes: the child has run its part, and is no kernel.

It ends where the cell ends, with the status that a script would have ended with there; nothing of its parent's, such
as atexit functions, is run in it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback

from . import _drupe


def leave_if_forked(error: BaseException | None) -> None:
    """End this process if it is such a child. `error` is what the cell has ended with, None where it came to its end."""
    if _drupe.forked():
        try:
            status = _status(error)
            for stream in (sys.stdout, sys.stderr):
                # A line that was begun and not ended waits for its rest.
                with contextlib.suppress(Exception):
                    stream.flush()
            _drupe.exit_forked(status)
        finally:
            # Whatever its streams have become.
            os._exit(1)


def _status(error: BaseException | None) -> int:
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    traceback.print_exception(type(error), error, error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return 1
