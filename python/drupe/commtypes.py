"""The classes of comms, which need the `comm` package: imported when somebody wants a comm, by `comms.py`."""

from __future__ import annotations

import uuid
import warnings
from typing import TYPE_CHECKING

import comm.base_comm
from traitlets import Any, Bool, Bytes, Dict, Unicode, default
from traitlets.config import LoggingConfigurable

from . import _drupe, comms
from .facade import named

if TYPE_CHECKING:
    import typing
    from collections.abc import Iterable

    from .kernel import Kernel


@named("comm.comm")
class BaseComm(comm.base_comm.BaseComm):
    """A comm that speaks through this kernel."""

    _kernel = None

    @property
    def kernel(self) -> typing.Any:
        """Libraries send only where it is not None, and tests put a stand-in there; what is sent goes through this kernel."""
        return comms.kernel() if self._kernel is None else self._kernel

    @kernel.setter
    def kernel(self, kernel: typing.Any) -> None:
        self._kernel = kernel

    def publish_msg(
        self,
        msg_type: str,
        data: typing.Any = None,
        metadata: dict[str, typing.Any] | None = None,
        buffers: Iterable[typing.Any] | None = None,
        **keys: typing.Any,
    ) -> None:
        comms.publish_msg(self, msg_type, data, metadata, buffers, **keys)


@named("comm.comm")
class Comm(BaseComm, LoggingConfigurable):
    """A comm as older libraries make it."""

    kernel = Any(allow_none=True)
    comm_id = Unicode()
    primary = Bool(True)
    target_name = Unicode("comm")
    target_module = Unicode(None, allow_none=True)
    topic = Bytes()

    @default("comm_id")
    def _comm_id_default(self) -> str:
        return uuid.uuid4().hex

    @default("kernel")
    def _kernel_default(self) -> typing.Any:
        return comms.kernel()

    def __init__(
        self,
        target_name: str = "",
        data: typing.Any = None,
        metadata: dict[str, typing.Any] | None = None,
        buffers: list[bytes] | None = None,
        show_warning: bool = True,
        **kwargs: typing.Any,
    ) -> None:
        if show_warning:
            warnings.warn(
                "The `ipykernel.comm.Comm` class has been deprecated: use `comm.create_comm`.",
                DeprecationWarning,
                stacklevel=2,
            )
        own = {name: kwargs.pop(name) for name in ("kernel", "parent", "config") if name in kwargs}
        if target_name:
            kwargs["target_name"] = target_name
        LoggingConfigurable.__init__(self, **own)
        BaseComm.__init__(self, data=data, metadata=metadata, buffers=buffers, **kwargs)


@named("comm.manager")
class CommManager(comm.base_comm.CommManager, LoggingConfigurable):
    """Keeps the core's table of comms, which answers `comm_info_request`, true."""

    comms = Dict()
    targets = Dict()

    def __init__(self, **kwargs: typing.Any) -> None:
        LoggingConfigurable.__init__(self, **kwargs)
        comm.base_comm.CommManager.__init__(self)

    @property
    def kernel(self) -> Kernel | None:
        return comms.kernel()

    def register_comm(self, comm: typing.Any) -> str:
        _drupe.comm_opened(comm.comm_id, comm.target_name)
        return super().register_comm(comm)

    def unregister_comm(self, comm: typing.Any) -> None:
        _drupe.comm_closed(comm.comm_id)
        return super().unregister_comm(comm)
