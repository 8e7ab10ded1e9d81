"""The kernel's logger for Python code: its records go to drupe's own log, never to a notebook."""

from __future__ import annotations

import logging

from . import _drupe


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            _drupe.log(record.levelname.lower(), self.format(record))
        except Exception:
            # What is logged may be the user's, and its text may raise. It is no output of a cell's.
            _drupe.log("warning", f"a line of the log has no text: {record.msg!r}")


log = logging.getLogger("drupe")
log.propagate = False
log.setLevel(logging.DEBUG)
log.addHandler(_Handler())
