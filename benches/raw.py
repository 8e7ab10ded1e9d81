"""A client of as little as possible: it signs and sends, and counts frames until reply and idle have come.

What jupyter_client does for each message, parsing dates among others, costs more than most kernels do for `pass`. Where a kernel's own
share is to be seen, this one is used.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from pathlib import Path

import zmq

PATIENCE_MS = 30_000


class RawClient:
    def __init__(self, file: str) -> None:
        info = json.loads(Path(file).read_text())
        self._key = hmac.new(info["key"].encode(), digestmod=hashlib.sha256)
        self._context = zmq.Context()
        address = f"{info['transport']}://{info['ip']}"
        self._shell = self._context.socket(zmq.DEALER)
        self._iopub = self._context.socket(zmq.SUB)
        self._iopub.subscribe(b"")
        self._shell.connect(f"{address}:{info['shell_port']}")
        self._iopub.connect(f"{address}:{info['iopub_port']}")
        self._poller = zmq.Poller()
        self._poller.register(self._shell, zmq.POLLIN)
        self._poller.register(self._iopub, zmq.POLLIN)
        self._session = uuid.uuid4().hex
        self._number = 0
        self._subscribed()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def _subscribed(self) -> None:
        """Cells are run until one is heard on iopub, too."""
        for _ in range(100):
            if self.run("pass", 200):
                return
        raise TimeoutError("nothing comes on iopub")

    def run(self, code: str, patience: int = PATIENCE_MS) -> bool:
        """Whether reply and idle came, at most `patience` milliseconds one after the other."""
        self._number += 1
        name = f"{self._session}_{self._number}"
        header = {
            "msg_id": name,
            "msg_type": "execute_request",
            "session": self._session,
            "username": "raw",
            "date": "2026-01-01T00:00:00.000000Z",
            "version": "5.3",
        }
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        signature = self._key.copy()
        for part in parts:
            signature.update(part)
        self._shell.send_multipart([b"<IDS|MSG>", signature.hexdigest().encode(), *parts])
        replied = idle = False
        mine = name.encode()
        while not (replied and idle):
            ready = dict(self._poller.poll(patience))
            if not ready:
                return False
            if self._shell in ready:
                frames = self._shell.recv_multipart()
                replied |= mine in frames[frames.index(b"<IDS|MSG>") + 3]
            if self._iopub in ready:
                frames = self._iopub.recv_multipart()
                start = frames.index(b"<IDS|MSG>") + 2
                idle |= mine in frames[start + 1] and b'"idle"' in frames[start + 3]
        return True
