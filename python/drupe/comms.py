"""Comms: the `comm` package speaking through this kernel.

`comm` is imported only when somebody needs it; from then on its `create_comm` and `get_comm_manager` are
this module's, whatever other kernel's package is imported later: see `patches.py`.
"""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING

from . import _drupe, parents
from .interrupt import interrupts
from .jsonutil import decode, encode_strictly
from .log import log

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .commtypes import BaseComm, CommManager
    from .kernel import Kernel

TYPES = ("comm_open", "comm_msg", "comm_close")

_manager = None
# Held while it is made: cells of two shells may want the first comm at a time, and both are to be known.
_making = threading.RLock()


def publish_msg(
    comm: Any,
    msg_type: str,
    data: Any = None,
    metadata: dict[str, Any] | None = None,
    buffers: Iterable[Any] | None = None,
    **keys: Any,
) -> None:
    """Send a message of a comm's on iopub. ValueError where the data has no likeness in JSON."""
    said = {"data": {} if data is None else data, "comm_id": comm.comm_id, **keys}
    content, more = encode_strictly(said), encode_strictly(metadata or {})
    if msg_type == "comm_close":
        _drupe.comm_closed(comm.comm_id)
    elif msg_type == "comm_open":
        _drupe.comm_opened(comm.comm_id, comm.target_name)
    _drupe.publish(msg_type, content, metadata=more, buffers=buffers, topic=comm.topic)


def create_comm(*args: Any, **kwargs: Any) -> BaseComm:
    """A new comm; see the `comm` package."""
    from .commtypes import BaseComm

    return BaseComm(*args, **kwargs)


def manager() -> CommManager:
    """The manager of this kernel's comms."""
    global _manager
    if _manager is None:
        from .commtypes import CommManager

        parents.watch_threads()
        with _making:
            if _manager is None:
                _manager = CommManager()
    return _manager


def kernel() -> Kernel | None:
    """The kernel, as comms of older libraries ask for it."""
    from .kernel import Kernel

    return Kernel.instance() if Kernel.initialized() else None


def handle(request: _drupe.Request) -> None:
    """Hand a `comm_open`, `comm_msg` or `comm_close` to the comm or the target that it names."""
    content = decode(request.content)
    comm_id = content.get("comm_id")
    if not isinstance(comm_id, str):
        raise ValueError(f"{request.msg_type} without a comm_id")
    message = parents.message(
        request.parent,
        content=content,
        metadata=decode(request.metadata),
        buffers=[memoryview(buffer) for buffer in request.buffers],
    )
    # Its methods are for a socket and its names, too, which nothing looks at.
    table: Any = manager()
    known = table.comms
    if request.msg_type == "comm_open":
        if not isinstance(content.get("target_name"), str):
            raise ValueError("comm_open without a target_name")
        # A target that is not there, or that fails, makes the manager send comm_close.
        table.comm_open(None, None, message)
    elif comm_id not in known:
        log.debug("%s for a comm that does not exist: %s", request.msg_type, comm_id)
    elif request.msg_type == "comm_msg":
        table.comm_msg(None, None, message)
    else:
        _drupe.comm_closed(comm_id)
        table.comm_close(None, None, message)


def handle_beside(request: _drupe.Request) -> None:
    """Handle a comm message while a cell runs; its output is its own request's. Raises KeyboardInterrupt alone."""
    contextvars.copy_context().run(_handle_beside, request)


def _handle_beside(request: _drupe.Request) -> None:
    _drupe.parent_var.set(request.parent)
    try:
        handle(request)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        log.warning("%s failed: %r", request.msg_type, error)
    finally:
        request.finish()


def process_waiting() -> int:
    """Handle the comm messages that wait, in the middle of a cell; how many there were. An interrupt ends the cell."""
    count = 0
    while (request := _drupe.take_comm()) is not None:
        count += 1
        handle_beside(request)
    return count


def take_waiting() -> None:
    """Handle the comm messages that wait, from the event loop, while a cell awaits. An interrupt ends one callback."""
    while (request := _drupe.take_comm()) is not None:
        handle_waiting(request)


def handle_waiting(request: _drupe.Request) -> None:
    """Handle one of these."""
    try:
        with interrupts.user_code():
            handle_beside(request)
    except KeyboardInterrupt:
        log.info("%s was interrupted", request.msg_type)
