"""One front-end: four sockets (no heartbeat), and a log of every message in order of arrival.

Messages are built and signed by jupyter_client's `Session`, the sockets are plain pyzmq. Nothing
is retried and nothing is sent that a row did not ask for: above all not the SIGINT which
jupyter_client's KernelManager sends ahead of each shutdown_request.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import zmq
import zmq.utils.monitor
from jupyter_client.session import Session

CHANNELS = ("shell", "control", "stdin", "iopub")
_KINDS = {
    "shell": zmq.DEALER,
    "control": zmq.DEALER,
    "stdin": zmq.DEALER,
    "iopub": zmq.SUB,
}


@dataclass(frozen=True)
class Message:
    """A received message; `at` is the monotonic time in seconds at which it was read."""

    at: float
    channel: str
    type: str
    parent: str
    content: dict
    header: dict = field(repr=False)


class Client:
    """The sockets of one front-end."""

    def __init__(self, connection_file: Path, *, reads_iopub: bool = True):
        info = json.loads(connection_file.read_text())
        self.session = Session(
            key=info["key"].encode(), signature_scheme=info["signature_scheme"], check_pid=False
        )
        self.log: list[Message] = []
        self._children: dict[str, list[Message]] = {}
        self._indexed = 0
        self.sent: dict[str, tuple[str, str]] = {}
        """Every request of this client: msg_id -> (channel, msg_type)."""
        self.invalid: list[str] = []
        """What was wrong with messages that could not be taken: signatures, JSON."""
        self.closed = False
        self._context = zmq.Context()
        self.sockets: dict[str, zmq.Socket] = {}
        self._monitors: dict[str, zmq.Socket] = {}
        self.connected: set[str] = set()
        for channel in CHANNELS:
            socket = self._context.socket(_KINDS[channel])
            socket.linger = 0
            socket.identity = self.session.bsession
            # Never the reason that a kernel has to wait: everything is taken as it comes.
            socket.rcvhwm = socket.sndhwm = 0
            events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
            self._monitors[channel] = socket.get_monitor_socket(events)
            if channel == "iopub":
                if not reads_iopub:
                    socket.rcvhwm = 1
                    socket.setsockopt(zmq.RCVBUF, 4096)
                socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.connect(f"tcp://{info['ip']}:{info[channel + '_port']}")
            self.sockets[channel] = socket
        self._reading = [c for c in CHANNELS if reads_iopub or c != "iopub"]

    def send(self, channel: str, msg_type: str, content: dict, subshell: str | None = None) -> str:
        """Send a request, where it is said to the subshell of this id; its msg_id."""
        message = self.session.msg(msg_type, content)
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        message_id = message["header"]["msg_id"]
        self.sent[message_id] = (channel, msg_type)
        self.session.send(self.sockets[channel], message)
        return message_id

    def pollable(self) -> list[zmq.Socket]:
        if self.closed:
            return []
        return [self.sockets[c] for c in self._reading] + list(self._monitors.values())

    def receive(self) -> int:
        """Take everything that has arrived; how many messages that was."""
        if self.closed:
            return 0
        before = len(self.log)
        for channel, monitor in self._monitors.items():
            while monitor.poll(0):
                event = zmq.utils.monitor.recv_monitor_message(monitor)["event"]
                if event == zmq.EVENT_DISCONNECTED:
                    self.connected.discard(channel)
                else:
                    self.connected.add(channel)
        for channel in self._reading:
            self._receive_from(channel)
        return len(self.log) - before

    def _receive_from(self, channel: str) -> None:
        socket = self.sockets[channel]
        # Bounded, so that a flood on one channel does not keep the others unread.
        for _ in range(1000):
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            _, frames = self.session.feed_identities(frames)
            try:
                message = self.session.deserialize(frames)
            except ValueError as error:
                self.invalid.append(f"{channel}: {error}")
                continue
            self.log.append(
                Message(
                    time.monotonic(),
                    channel,
                    message["header"]["msg_type"],
                    (message["parent_header"] or {}).get("msg_id", ""),
                    message["content"],
                    message["header"],
                )
            )

    def children(self, request: str) -> list[Message]:
        """The messages that belong to a request, in order of arrival."""
        if self._indexed != len(self.log):
            self._children = {}
            for message in self.log:
                self._children.setdefault(message.parent, []).append(message)
            self._indexed = len(self.log)
        return self._children.get(request, [])

    def text(self, name: str) -> str:
        """Everything that came on iopub as the stream `name` ("stdout" or "stderr")."""
        return "".join(
            m.content["text"]
            for m in self.log
            if m.channel == "iopub" and m.type == "stream" and m.content.get("name") == name
        )

    def close(self) -> None:
        """Vanish: every connection is cut, unread messages are dropped."""
        if self.closed:
            return
        self.closed = True
        for socket in self.sockets.values():
            socket.disable_monitor()
            socket.close(0)
        for monitor in self._monitors.values():
            monitor.close(0)
        self._context.destroy(0)
