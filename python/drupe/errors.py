"""Error replies: what a client is told when a request could not be answered.

The error may be the user's own, so its text, its name and its traceback can raise as well: nothing here does.
"""

import traceback

from .jsonutil import encode


def error_reply(error: BaseException) -> bytes:
    """The content of a reply with status `error`."""
    try:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
    except BaseException:
        lines = []
    return encode(
        {
            "status": "error",
            "ename": type(error).__name__,
            "evalue": text_of(error),
            "traceback": lines,
        }
    )


def text_of(error: BaseException) -> str:
    """The text of an error."""
    try:
        return str(error)
    except BaseException:
        return "(its text cannot be made)"


def described(error: BaseException) -> str:
    """An error in one line, for the log."""
    return f"{type(error).__name__}: {text_of(error)}"
