"""The release whose interface is offered."""

from ipykernel import (  # noqa: F401
    __version__,
    kernel_protocol_version,
    kernel_protocol_version_info,
    version_info,
)
