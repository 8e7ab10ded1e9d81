"""ipykernel, as drupe answers to the name in its own process; see `drupe.facade`."""

from __future__ import annotations

import importlib

__version__ = "7.4.0"
version_info = (7, 4, 0)
kernel_protocol_version_info = (5, 5)
kernel_protocol_version = "5.5"

_CONNECT = (
    "connect_qtconsole",
    "get_connection_file",
    "get_connection_info",
    "write_connection_file",
)
__all__ = list(_CONNECT)

# What `import ipykernel` brings along beside the real one, loaded here when asked for.
_MODULES = (
    "_version",
    "comm",
    "compiler",
    "connect",
    "debugger",
    "displayhook",
    "embed",
    "eventloops",
    "iostream",
    "ipkernel",
    "jsonutil",
    "kernelapp",
    "kernelbase",
    "pylab",
)


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"ipykernel.{name}")
    if name in _CONNECT:
        return getattr(importlib.import_module("ipykernel.connect"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
