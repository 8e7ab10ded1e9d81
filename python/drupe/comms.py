"""Comms: the `comm` package speaking through this kernel.

`comm` is imported only when somebody needs it; from then on its `create_comm` and `get_comm_manager` are
this module's, whatever other kernel's package is imported later.
"""

from . import _drupe, parents
from .hooks import when_imported
from .jsonutil import decode, encode
from .log import log

_manager = None
_comm_class = None


def install() -> None:
    """Be there when `comm` is imported, or a kernel package that would put itself in its place."""
    when_imported("comm", _patch)
    when_imported("ipykernel.ipkernel", lambda _module: _patch(None))
    when_imported("ipykernel.comm.comm", _patch_ipykernel)


def _patch(_module) -> None:
    import comm

    comm.create_comm = create_comm
    comm.get_comm_manager = manager


def _patch_ipykernel(module) -> None:
    """Comms of ipykernel's own class, which older libraries still make."""
    module.BaseComm.publish_msg = publish_msg


def publish_msg(comm, msg_type, data=None, metadata=None, buffers=None, **keys) -> None:
    """Send a message of a comm's on iopub."""
    content = {"data": {} if data is None else data, "comm_id": comm.comm_id, **keys}
    if msg_type == "comm_close":
        _drupe.comm_closed(comm.comm_id)
    elif msg_type == "comm_open":
        _drupe.comm_opened(comm.comm_id, comm.target_name)
    _drupe.publish(
        msg_type,
        encode(content),
        metadata=encode(metadata or {}),
        buffers=buffers,
        topic=comm.topic,
    )


def create_comm(*args, **kwargs):
    """A new comm; see the `comm` package."""
    global _comm_class
    if _comm_class is None:
        from comm.base_comm import BaseComm

        _comm_class = type(
            "Comm", (BaseComm,), {"publish_msg": publish_msg, "__module__": __name__}
        )
    return _comm_class(*args, **kwargs)


def manager():
    """The manager of this kernel's comms."""
    global _manager
    if _manager is None:
        from comm.base_comm import CommManager

        class Manager(CommManager):
            """Keeps the core's table of comms, which answers `comm_info_request`, true."""

            def register_comm(self, comm):
                _drupe.comm_opened(comm.comm_id, comm.target_name)
                return super().register_comm(comm)

            def unregister_comm(self, comm):
                _drupe.comm_closed(comm.comm_id)
                return super().unregister_comm(comm)

        _manager = Manager()
    return _manager


def handle(request) -> None:
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
    known = manager().comms
    if request.msg_type == "comm_open":
        if not isinstance(content.get("target_name"), str):
            raise ValueError("comm_open without a target_name")
        # A target that is not there, or that fails, makes the manager send comm_close.
        manager().comm_open(None, None, message)
    elif comm_id not in known:
        log.debug("%s for a comm that does not exist: %s", request.msg_type, comm_id)
    elif request.msg_type == "comm_msg":
        manager().comm_msg(None, None, message)
    else:
        _drupe.comm_closed(comm_id)
        manager().comm_close(None, None, message)
