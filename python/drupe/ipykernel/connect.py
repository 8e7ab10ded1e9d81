"""The connection file of the running kernel, for programs that let others connect to it."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subprocess import Popen
    from typing import Any

__all__ = [
    "connect_qtconsole",
    "get_connection_file",
    "get_connection_info",
    "write_connection_file",
]


def get_connection_file(app: Any = None) -> str:
    """The path of the connection file."""
    from drupe.application import IPKernelApp

    return os.path.abspath((app or IPKernelApp.instance()).connection_file)


def _find(connection_file: str | None) -> str:
    if connection_file is None:
        return get_connection_file()
    if os.path.exists(connection_file):
        return os.path.abspath(connection_file)
    from jupyter_client import find_connection_file

    return find_connection_file(connection_file)


def get_connection_info(
    connection_file: str | None = None, unpack: bool = False
) -> str | dict[str, Any]:
    """What the connection file says, as text or, where `unpack` is set, as a dict with the key as bytes."""
    with open(_find(connection_file), encoding="utf-8") as file:
        text = file.read()
    if not unpack:
        return text
    info = json.loads(text)
    info["key"] = info.get("key", "").encode()
    return info


def connect_qtconsole(
    connection_file: str | None = None, argv: list[str] | None = None
) -> Popen[bytes]:
    """Open a Qt console on the kernel; its process."""
    from subprocess import PIPE, Popen

    command = [sys.executable, "-m", "qtconsole", "--existing", _find(connection_file)]
    return Popen([*command, *(argv or [])], stdout=PIPE, stderr=PIPE, start_new_session=True)


def write_connection_file(*args: Any, **kwargs: Any) -> Any:
    """jupyter_client's function, where that is installed."""
    from jupyter_client import write_connection_file as write

    return write(*args, **kwargs)
