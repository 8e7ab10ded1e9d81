"""Which request an output belongs to, in the words of `get_ipython().get_parent()`.

The core knows a request by an opaque handle, libraries know it as the message's dict. A message made
here remembers its handle, so that it can be given back from any thread.
"""

from __future__ import annotations

import json
import threading
import weakref
from typing import TYPE_CHECKING

from . import _drupe, shells
from .jsonutil import encode

if TYPE_CHECKING:
    from contextvars import Token
    from typing import Any


class Message(dict):
    """A request as jupyter_client shows it: `header`, `msg_id`, `msg_type`, `content`, and so on."""

    __slots__ = ("__weakref__", "handle")
    handle: _drupe.Parent | None


class Header(dict):
    """The header of a request."""

    __slots__ = ("handle",)
    handle: _drupe.Parent | None


_known: weakref.WeakValueDictionary[str, Message] = weakref.WeakValueDictionary()


def message(handle: _drupe.Parent | None, **parts: Any) -> Message:
    """The message of a request's handle, without its buffers but for those in `parts`; an empty one for None."""
    if handle is None:
        made = Message()
        made.handle = None
        return made
    known = _known.get(handle.msg_id)
    if known is not None and not parts:
        return known
    header = _header(handle)
    made = Message(
        header=header,
        msg_id=handle.msg_id,
        msg_type=header.get("msg_type"),
        parent_header={},
        metadata=parts["metadata"] if "metadata" in parts else _object(handle.metadata),
        content=parts["content"] if "content" in parts else _object(handle.content),
        buffers=parts.get("buffers", []),
    )
    made.handle = handle
    _known[handle.msg_id] = made
    return made


def _object(text: bytes) -> dict:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _header(handle: _drupe.Parent) -> Header:
    """The header, its date as a `datetime`: jupyter_client has it so."""
    header = Header(_object(handle.header) or {"msg_id": handle.msg_id})
    header.handle = handle
    date = header.get("date")
    if isinstance(date, str):
        from datetime import datetime, timezone

        try:
            # Before Python 3.11 the letter is not understood.
            moment = datetime.fromisoformat(date[:-1] + "+00:00" if date.endswith("Z") else date)
        except ValueError:
            pass
        else:
            header["date"] = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return header


def handle_of(parent: _drupe.Parent | dict[str, Any] | None) -> _drupe.Parent | None:
    """The handle that a message or a header stands for; None for one that is empty."""
    if parent is None or isinstance(parent, _drupe.Parent):
        return parent
    if isinstance(parent, (Message, Header)):
        return parent.handle
    if not isinstance(parent, dict):
        return None
    header = parent.get("header", parent)
    if isinstance(header, Header):
        return header.handle
    msg_id = header.get("msg_id") if isinstance(header, dict) else None
    if not isinstance(msg_id, str):
        return None
    known = _known.get(msg_id)
    return known.handle if known is not None else _drupe.Parent(encode(header), msg_id)


def set_parent(parent: _drupe.Parent | dict[str, Any] | None) -> None:
    """Output of this context, and of threads that have no parent of their own, belongs to `parent`."""
    handle = handle_of(parent)
    _drupe.parent_var.set(handle)
    _drupe.set_parent(handle)


def set_thread_parent(parent: _drupe.Parent | dict[str, Any] | None) -> Token[_drupe.Parent | None]:
    """The same for this context only; returns the token for `reset_thread_parent`."""
    return _drupe.parent_var.set(handle_of(parent))


def reset_thread_parent(token: Token[_drupe.Parent | None]) -> None:
    _drupe.parent_var.reset(token)


# Threads. One begins with an empty context, and what it puts out belongs to the cell that ran last.

_COMM_TYPES = ("comm_open", "comm_msg", "comm_close")

_watching = False
_keep_to_their_cell = False


def keep_threads_to_their_cell(keep: bool) -> None:
    """Whether threads that are started from now on put out, for as long as they live, where the code does that starts them."""
    global _keep_to_their_cell
    _keep_to_their_cell = keep
    if keep:
        watch_threads()


def watch_threads() -> None:
    """Threads that a comm's callback or a subshell's cell starts put out where that does, whatever is chosen for the others."""
    global _watching
    if _watching:
        return
    _watching = True
    start = threading.Thread.start

    def start_watched(thread: threading.Thread) -> None:
        handle = _drupe.get_parent() if _keep_to_their_cell else _drupe.parent_var.get()
        own = _keep_to_their_cell or shells.here() is not None
        if handle is not None and (own or _is_of_a_comm(handle)):
            run = thread.run

            def run_where_it_belongs() -> None:
                thread.__dict__.pop("run", None)
                _drupe.parent_var.set(handle)
                run()

            setattr(thread, "run", run_where_it_belongs)
        return start(thread)

    setattr(threading.Thread, "start", start_watched)


def _is_of_a_comm(handle: _drupe.Parent) -> bool:
    return message(handle)["msg_type"] in _COMM_TYPES
