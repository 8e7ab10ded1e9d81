"""A kernel and the cells that are run in it, for tests that look at what a cell says."""

import os
import signal
import tempfile
from dataclasses import dataclass, field

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

TIMEOUT = 60


@dataclass
class Result:
    """What became of a cell."""

    reply: dict
    messages: list = field(default_factory=list)
    # What came meanwhile and belongs to other requests.
    others: list = field(default_factory=list)

    @property
    def status(self) -> str:
        return self.reply["content"]["status"]

    @property
    def error(self) -> str:
        """Name and text of the error that the reply tells."""
        content = self.reply["content"]
        return f"{content['ename']}: {content['evalue']}"

    def text(self, name: str = "stdout") -> str:
        return "".join(
            message["content"]["text"]
            for message in self.messages
            if message["msg_type"] == "stream" and message["content"]["name"] == name
        )

    def contents(self, msg_type: str) -> list:
        return [message["content"] for message in self.messages if message["msg_type"] == msg_type]

    @property
    def value(self) -> str:
        """The plain text of the cell's value."""
        return self.contents("execute_result")[0]["data"]["text/plain"]


class Kernel:
    """A kernel that runs as long as the block. `argv` is its command line, with {connection_file}."""

    def __init__(self, argv: list, env: dict | None = None, cwd=None, **options):
        self.manager = KernelManager(**options)
        self.manager._kernel_spec = KernelSpec(
            argv=argv, language="python", display_name="of a test", interrupt_mode="message"
        )
        self._env, self._cwd = env, cwd
        self.log = tempfile.TemporaryFile("w+")

    def __enter__(self) -> "Kernel":
        env = {
            name: value for name, value in (self._env or os.environ).items() if value is not None
        }
        self.manager.start_kernel(env=env, cwd=self._cwd, stdout=self.log, stderr=self.log)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT)
        return self

    def __exit__(self, *_exc) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.log.close()

    @property
    def pid(self) -> int:
        return self.manager.provisioner.process.pid

    def interrupt(self) -> None:
        """Interrupt it. The manager's own request would have the number of one of the client's messages."""
        os.kill(self.pid, signal.SIGINT)

    def said(self) -> str:
        """What the process wrote to its own stdout and stderr."""
        self.log.seek(0)
        return self.log.read()

    def send(self, msg_type: str, content: dict, metadata: dict | None = None) -> str:
        """Send a message on shell; its id."""
        message = self.client.session.msg(msg_type, content)
        message["metadata"] = metadata or {}
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def until_idle(self, request: str) -> Result:
        """Wait for the reply and the idle of a request."""
        reply, result = None, Result({})
        while reply is None:
            got = self.client.get_shell_msg(timeout=TIMEOUT)
            reply = got if got["parent_header"].get("msg_id") == request else None
        result.reply = reply
        while True:
            got = self.client.get_iopub_msg(timeout=TIMEOUT)
            if got["parent_header"].get("msg_id") != request:
                result.others.append(got)
                continue
            result.messages.append(got)
            if got["content"].get("execution_state") == "idle":
                return result

    def until_said(self, text: str) -> None:
        """Wait until a running cell has written this line."""
        said = ""
        while f"{text}\n" not in said:
            said += self.client.get_iopub_msg(timeout=TIMEOUT)["content"].get("text", "")

    def run(self, code: str, *, metadata=None, **content) -> Result:
        """Run a cell and wait until the kernel is idle."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
            **content,
        }
        return self.until_idle(self.send("execute_request", content, metadata))

    def ok(self, code: str, **options) -> Result:
        """Run a cell that must not fail."""
        result = self.run(code, **options)
        assert result.status == "ok", "\n".join(result.reply["content"].get("traceback", []))
        return result

    def ended(self, seconds: float = 10) -> int:
        """Wait for the end of the process; its exit status."""
        return self.manager.provisioner.process.wait(seconds)
