"""Which request an output belongs to, in the words of `get_ipython().get_parent()`.

The core knows a request by an opaque handle, libraries know it as the message's dict. A message made
here remembers its handle, so that it can be given back from any thread.
"""

import json
import weakref

from . import _drupe


class Message(dict):
    """A request as jupyter_client shows it: `header`, `msg_id`, `msg_type`, `content`, and so on."""

    __slots__ = ("__weakref__", "handle")


_known: "weakref.WeakValueDictionary[str, Message]" = weakref.WeakValueDictionary()


def message(handle, **parts) -> Message:
    """The message of a request's handle; an empty one for None."""
    if handle is None:
        made = Message()
        made.handle = None
        return made
    known = _known.get(handle.msg_id)
    if known is not None and not parts:
        return known
    try:
        header = json.loads(handle.header)
    except (ValueError, RecursionError):
        header = {"msg_id": handle.msg_id}
    made = Message(
        header=header,
        msg_id=handle.msg_id,
        msg_type=header.get("msg_type"),
        parent_header={},
        metadata=parts.get("metadata", {}),
        content=parts.get("content", {}),
        buffers=parts.get("buffers", []),
    )
    made.handle = handle
    _known[handle.msg_id] = made
    return made


def handle_of(parent):
    """The handle that a message or a header stands for; None where it is not known."""
    if parent is None or isinstance(parent, _drupe.Parent):
        return parent
    if isinstance(parent, Message):
        return parent.handle
    if not isinstance(parent, dict):
        return None
    header = parent.get("header", parent)
    known = _known.get(header.get("msg_id", "")) if isinstance(header, dict) else None
    return known.handle if known is not None else None


def set_parent(parent) -> None:
    """Output of this context, and of threads that have no parent of their own, belongs to `parent`."""
    handle = handle_of(parent)
    _drupe.parent_var.set(handle)
    _drupe.set_parent(handle)


def set_thread_parent(parent):
    """The same for this context only; returns the token for `reset_thread_parent`."""
    return _drupe.parent_var.set(handle_of(parent))


def reset_thread_parent(token) -> None:
    _drupe.parent_var.reset(token)
