"""Connection files whose ports are nobody else's, and one folder for what a run writes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import socket
import tempfile
import threading
from pathlib import Path

_scratch: Path | None = None
_lock = threading.Lock()
_PORTS = range(10000, 32000)
_ports = _PORTS
_next_port = random.SystemRandom().choice(_PORTS)


def scratch() -> Path:
    """One folder for this run: IPython's profile and Jupyter's runtime folder, apart from the
    user's own."""
    global _scratch
    with _lock:
        if _scratch is None:
            _scratch = Path(tempfile.mkdtemp(prefix="hazards-run-"))
            (_scratch / "ipython").mkdir()
            (_scratch / "runtime").mkdir()
        return _scratch


def share_ports(slot: int, slots: int) -> None:
    """Keep to one of `slots` shares of the ports: for runners that work side by side."""
    global _ports, _next_port
    size = len(_PORTS) // slots
    _ports = _PORTS[slot * size : (slot + 1) * size]
    _next_port = random.SystemRandom().choice(_ports)


def write_connection_file(path: Path) -> list[int]:
    """A connection file with ports from below the range from which the system takes its own, each
    given once: kernels that are started side by side never get each other's."""
    ports = [_free_port() for _ in range(5)]
    names = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
    info = dict(zip(names, ports, strict=True)) | {
        "transport": "tcp",
        "ip": "127.0.0.1",
        "key": secrets.token_hex(16),
        "signature_scheme": "hmac-sha256",
        "kernel_name": "hazard",
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(info, file)
    return ports


def _free_port() -> int:
    global _next_port
    with _lock:
        while True:
            _next_port = _next_port + 1 if _next_port + 1 in _ports else _ports.start
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", _next_port))
                return _next_port
