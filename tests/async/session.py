"""A kernel on one of this machine's Pythons, and what its cells said."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from uuid import uuid4

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from jupyter_core.paths import jupyter_runtime_dir

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DRUPE", str(ROOT / "target" / "release" / "drupe"))


def pythons() -> list[str]:
    """One environment for each minor version, by its name; that of the tests itself where there are none."""
    return sorted(path.parent.parent.name for path in (ROOT / ".venvs").glob("3.*/bin/python")) or [
        ""
    ]


def executable(name: str) -> str:
    """The Python of an environment."""
    return str(ROOT / ".venvs" / name / "bin" / "python") if name else sys.executable


class Session:
    """A kernel, and what its cells said."""

    def __init__(self, python: str, *flags: str, env: dict | None = None, stderr=None):
        # Over socket files: two kernels that start at a time could be given one port. Their names may be no longer than 107 bytes.
        file = Path(jupyter_runtime_dir(), f"{uuid4().hex[:8]}.json")
        self.manager = KernelManager(connection_file=str(file), transport="ipc")
        self.manager._kernel_spec = KernelSpec(
            argv=[BINARY, "-f", "{connection_file}", "--python", python, *flags],
            language="python",
            display_name="of a test",
            interrupt_mode="message",
        )
        self.manager.start_kernel(env={**os.environ, **(env or {})}, stderr=stderr)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=30)

    def close(self) -> None:
        """End it as front-ends do, where that has not been done."""
        if not self.manager.has_kernel:
            return
        self.client.stop_channels()
        self.manager.shutdown_kernel()

    def run(self, code: str, timeout: float = 30, look=None) -> str:
        """Run a cell; what it printed and returned, or the name of its error. `look` is given each message."""
        said = []

        def hook(message):
            if look is not None:
                look(message)
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] == "error":
                said.append(content["ename"])
            elif message["msg_type"] == "execute_result":
                said.append(content["data"]["text/plain"])

        self.client.execute_interactive(code, output_hook=hook, timeout=timeout)
        return "".join(said)

    def run_interrupted(self, code: str, after: float = 0.2) -> str:
        """The same for a cell that is interrupted some seconds after its begin, or, if it does so, each time that it has printed `busy`.
        Python may warn first, of a coroutine that was made and not awaited yet."""
        timers = []
        prints = "'busy'" in code

        def begun(message):
            busy = message["msg_type"] == "stream" and "busy" in message["content"]["text"]
            if busy if prints else message["msg_type"] == "execute_input":
                timers.append(threading.Timer(after, self.manager.interrupt_kernel))
                timers[-1].start()

        try:
            return self.run(code, look=begun)
        finally:
            for timer in timers:
                timer.join()

    def until_heard(self, text: str, cell: str | None = None) -> str:
        """Send nothing until that has been put out between cells, or by the cell of this number; all that was until then."""
        said, end = "", time.monotonic() + 20
        while text not in said:
            assert time.monotonic() < end, said
            message = self.client.get_iopub_msg(timeout=20)
            if cell in (None, message["parent_header"].get("msg_id")):
                said += message["content"].get("text", "")
        return said

    def goes_on(self, name: str) -> bool:
        """Whether a list in the namespace, to which something is added each 10 ms, grows between two cells: by more than what the loop
        could do for the cells' own sake."""
        lengths, end = [int(self.run(f"len({name})"))], time.monotonic() + 10
        while time.monotonic() < end:
            time.sleep(0.1)
            lengths.append(int(self.run(f"len({name})")))
            if lengths[-1] > lengths[-2] + 3:
                return True
        return False
