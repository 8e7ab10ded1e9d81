"""A kernel with several shells, and what each of its requests was answered."""

from __future__ import annotations

import queue
import time
from collections import defaultdict

from session import Session

PATIENCE = 20


class Shells(Session):
    """Sends requests to shells, and collects what comes back by request."""

    def __init__(self, python: str, *flags: str, env: dict | None = None):
        super().__init__(python, *flags, env=env)
        # By the number of the request: its messages of iopub, and its replies.
        self.said: dict[str, list[dict]] = defaultdict(list)
        self.replies: dict[str, dict] = {}

    def send(self, kind: str, content: dict, shell: str | None = None, channel: str = "shell"):
        """Send a request; its number."""
        message = self.client.session.msg(kind, content)
        message["header"]["subshell_id"] = shell
        getattr(self.client, f"{channel}_channel").send(message)
        return message["header"]["msg_id"]

    def execute(self, code: str, shell: str | None = None, **content) -> str:
        """Begin a cell; its number."""
        return self.send("execute_request", {"code": code, "silent": False, **content}, shell)

    def pump(self, until, patience: float = PATIENCE) -> None:
        """Take what comes until `until()`."""
        deadline = time.monotonic() + patience
        while not until():
            assert time.monotonic() < deadline, f"still waiting: {self.told()}"
            for channel in ("iopub", "shell", "control"):
                taken = 0
                while taken < 1000:
                    try:
                        message = getattr(self.client, f"get_{channel}_msg")(timeout=0)
                    except queue.Empty:
                        break
                    taken += 1
                    number = message["parent_header"].get("msg_id")
                    if channel == "iopub":
                        self.said[number].append(message)
                    else:
                        self.replies[number] = message
            time.sleep(0.002)

    def told(self) -> str:
        return str({number: self.text(number)[-200:] for number in self.said})

    def is_idle(self, number: str) -> bool:
        return any(
            message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
            for message in self.said[number]
        )

    def reply(self, number: str, patience: float = PATIENCE) -> dict:
        """The content of a request's reply, once it is over."""
        self.pump(lambda: number in self.replies and self.is_idle(number), patience)
        return self.replies[number]["content"]

    def text(self, number: str) -> str:
        """What a cell printed and returned, and its errors' names."""
        said = []
        for message in self.said[number]:
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] == "error":
                said.append(content["ename"])
            elif message["msg_type"] == "execute_result":
                said.append(content["data"]["text/plain"])
        return "".join(said)

    def result(self, number: str) -> str:
        """The same, once it is over."""
        self.reply(number)
        return self.text(number)

    def cell(self, code: str, shell: str | None = None) -> str:
        """Run a cell to its end."""
        return self.result(self.execute(code, shell))

    def until_printed(self, number: str, text: str) -> None:
        self.pump(lambda: text in self.text(number))

    def control(self, kind: str, content: dict | None = None) -> dict:
        """The content of the reply to a request on control."""
        return self.reply(self.send(kind, content or {}, channel="control"))

    def create(self) -> str:
        """A new subshell; its identifier."""
        reply = self.control("create_subshell_request")
        assert reply["status"] == "ok", reply
        return reply["subshell_id"]

    def delete(self, shell: str) -> dict:
        return self.control("delete_subshell_request", {"subshell_id": shell})

    def list(self) -> list[str]:
        return self.control("list_subshell_request")["subshell_id"]

    def interrupt(self) -> None:
        assert self.control("interrupt_request")["status"] == "ok"

    def is_alive(self) -> bool:
        return self.manager.is_alive()
