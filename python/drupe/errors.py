"""Error replies: what a client is told when a request could not be answered."""

import traceback

from .jsonutil import encode


def error_reply(error: BaseException) -> bytes:
    """The content of a reply with status `error`."""
    return encode(
        {
            "status": "error",
            "ename": type(error).__name__,
            "evalue": _text(error),
            "traceback": traceback.format_exception(type(error), error, error.__traceback__),
        }
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text cannot be made)"
