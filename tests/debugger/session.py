"""A debug client as front-ends are: requests on control, events on iopub, nothing of debugpy's."""

from __future__ import annotations

import contextlib
import time
from queue import Empty

from jupyter_client.manager import KernelManager

# Seconds that anything here may take: far more than it does.
PATIENCE = 20.0


class Debugged:
    """A kernel, its client and its debug session."""

    def __init__(self, manager: KernelManager, client):
        self.manager = manager
        self.client = client
        self.events: list[dict] = []
        self.iopub: list[dict] = []
        self._replies: dict[str, dict] = {}
        self._seq = 0

    # Requests.

    def send(self, command: str, **arguments) -> str:
        """Send a debug request; returns its msg_id."""
        self._seq += 1
        content = {"type": "request", "seq": self._seq, "command": command, "arguments": arguments}
        message = self.client.session.msg("debug_request", content)
        self.client.control_channel.send(message)
        return message["header"]["msg_id"]

    def reply(self, msg_id: str, timeout: float = PATIENCE) -> dict:
        """The content of the reply to it."""
        until = time.monotonic() + timeout
        while msg_id not in self._replies:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no reply to {msg_id}")
            try:
                message = self.client.get_control_msg(timeout=left)
            except Empty:
                continue
            self._replies[message["parent_header"]["msg_id"]] = message
        return self._replies.pop(msg_id)["content"]

    def ask(self, command: str, timeout: float = PATIENCE, **arguments) -> dict:
        return self.reply(self.send(command, **arguments), timeout)

    def body(self, command: str, **arguments) -> dict:
        """The body of a reply that must be a success."""
        reply = self.ask(command, **arguments)
        assert reply["success"], reply
        return reply["body"]

    def attach(self, **arguments) -> None:
        self.body(
            "initialize",
            clientID="test",
            adapterID="",
            pathFormat="path",
            supportsVariableType=True,
        )
        self.body("attach", **arguments)

    def dump(self, code: str) -> str:
        return self.body("dumpCell", code=code)["sourcePath"]

    def break_at(self, code: str, *lines, **more) -> str:
        """Set breakpoints in a cell."""
        path = self.dump(code)
        body = self.body(
            "setBreakpoints",
            source={"path": path},
            breakpoints=[{"line": line, **more} for line in lines],
            sourceModified=False,
        )
        assert all(point["verified"] for point in body["breakpoints"]), body
        return path

    # Events and cells.

    def hear(self, wanted, timeout: float = PATIENCE):
        """The first iopub message from here on that `wanted(message)` is true of."""
        until = time.monotonic() + timeout
        while True:
            left = until - time.monotonic()
            if left <= 0:
                kinds = [(m["msg_type"], m["content"]) for m in self.iopub[-12:]]
                raise TimeoutError(f"did not come; the last were {kinds}")
            with contextlib.suppress(Empty):
                message = self.client.get_iopub_msg(timeout=left)
                self.iopub.append(message)
                if wanted(message):
                    return message

    def event(self, name: str, timeout: float = PATIENCE) -> dict:
        message = self.hear(
            lambda m: m["msg_type"] == "debug_event" and m["content"]["event"] == name, timeout
        )
        return message["content"].get("body", {})

    def stopped(self, timeout: float = PATIENCE) -> dict:
        return self.event("stopped", timeout)

    def no_stop(self, seconds: float = 0.5) -> None:
        with contextlib.suppress(TimeoutError):
            raise AssertionError(f"stopped: {self.stopped(seconds)}")

    def run(self, code: str) -> str:
        return self.client.execute(code)

    def done(self, msg_id: str, timeout: float = PATIENCE) -> dict:
        """The content of the reply to a cell, after its idle."""
        reply = self.client._recv_reply(msg_id, timeout=timeout)
        self.hear(
            lambda m: (
                m["msg_type"] == "status"
                and m["content"]["execution_state"] == "idle"
                and m["parent_header"].get("msg_id") == msg_id
            ),
            timeout,
        )
        return reply["content"]

    def frames(self, thread: int = 1) -> list[dict]:
        return self.body("stackTrace", threadId=thread)["stackFrames"]

    def scope(self, name: str, frame: dict) -> dict:
        """A scope's variables by name."""
        scopes = self.body("scopes", frameId=frame["id"])["scopes"]
        reference = next(s["variablesReference"] for s in scopes if s["name"] == name)
        variables = self.body("variables", variablesReference=reference)["variables"]
        return {variable["name"]: variable for variable in variables}

    def text_of(self, msg_id: str) -> str:
        """What a cell has printed, of what was heard so far."""
        return "".join(
            m["content"]["text"]
            for m in self.iopub
            if m["msg_type"] == "stream" and m["parent_header"].get("msg_id") == msg_id
        )

    def subshell(self) -> str:
        """A new subshell; its identifier."""
        message = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(message)
        reply = self.client._recv_reply(
            message["header"]["msg_id"], timeout=PATIENCE, channel="control"
        )
        return reply["content"]["subshell_id"]

    def run_in(self, shell: str, code: str) -> str:
        """Begin a cell in a subshell."""
        content = {"code": code, "silent": False, "allow_stdin": False}
        message = self.client.session.msg("execute_request", content)
        message["header"]["subshell_id"] = shell
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]
