"""A kernel process and jupyter_client's client for it, for the measures."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

# Nothing that is measured takes longer, unless it never comes.
PATIENCE = 30.0


def parent_of(message: dict) -> str | None:
    """The request that a message belongs to; ipykernel's greeting of a new subscriber has none at all."""
    return (message["parent_header"] or {}).get("msg_id")


def free_ports() -> Iterator[int]:
    """Below those that the system gives to connections: among many kernels one would take what another is about to listen on."""
    # From another one on in each process: two of them at once would go through the same.
    for number in itertools.count(os.getpid() * 100):
        port = 15_000 + number % 17_000
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


FREE_PORTS = free_ports()


class Kernel:
    """Starts on entry to the context, which is when the clock starts; gone at its end, whatever happened."""

    def __init__(self, argv: list[str], folder: Path) -> None:
        self.command, self.folder = argv, folder
        name = str(folder / f"kernel-{time.monotonic_ns()}.json")
        names = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
        ports = {name: next(FREE_PORTS) for name in names}
        self.file, _ = write_connection_file(name, key=uuid.uuid4().hex.encode(), **ports)
        self.port = ports["shell_port"]
        self.argv = [word.replace("{connection_file}", self.file) for word in argv]
        self.environment = os.environ | {
            "IPYTHONDIR": str(folder / "ipython"),
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "JPY_PARENT_PID": str(os.getpid()),
        }
        self._client: BlockingKernelClient | None = None
        self.process: subprocess.Popen[bytes] | None = None
        # What a minute of idleness cost, where that has been measured.
        self.rested: tuple[int, float] | None = None

    def __enter__(self) -> "Kernel":
        self.start()
        return self

    def start(self) -> None:
        self.started = time.perf_counter()
        quiet = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
        }
        self.process = subprocess.Popen(
            self.argv, env=self.environment, start_new_session=True, **quiet
        )

    def __exit__(self, *_: object) -> None:
        self.stop()

    def sibling(self) -> "Kernel":
        """Another one of the same kind, not started."""
        return Kernel(self.command, self.folder)

    def disconnect(self) -> None:
        if self._client:
            self._client.stop_channels()
            self._client = None

    def stop(self) -> None:
        self.disconnect()
        if self.process is not None:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.unlink(self.file)

    @property
    def client(self) -> BlockingKernelClient:
        """The client, connected as soon as the kernel listens.

        ZeroMQ tries again only every 100 ms, which would hide how fast a kernel starts: so the port is watched.
        """
        if self._client is None:
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                    break
                except OSError:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError("the kernel does not listen") from None
                    time.sleep(0.0005)
            self._client = BlockingKernelClient()
            self._client.load_connection_file(self.file)
            self._client.start_channels(stdin=False, hb=False)
        return self._client

    def ready(self) -> BlockingKernelClient:
        """The client of a kernel that has run a cell, with nothing left to read."""
        client = self.client
        client.wait_for_ready(timeout=PATIENCE)
        self.run("1 + 1")
        while client.iopub_channel.msg_ready():
            client.get_iopub_msg(timeout=1)
        return client

    def reply(self, request: str, channel: str = "shell", patience: float = PATIENCE) -> dict:
        """The reply to a request."""
        receive = getattr(self.client, f"get_{channel}_msg")
        while True:
            message = receive(timeout=patience)
            if parent_of(message) == request:
                return message

    def outputs(self, request: str) -> list[dict]:
        """The iopub messages of a request, up to its idle."""
        messages = []
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if parent_of(message) != request:
                continue
            if message["content"].get("execution_state") == "idle":
                return messages
            messages.append(message)

    def run(self, code: str, **options: Any) -> list[dict]:
        """Runs a cell to its end and returns its iopub messages."""
        request = self.client.execute(code, **options)
        messages = self.outputs(request)
        self.reply(request)
        return messages

    def run_at_once(self, cells: list[str], **options: Any) -> tuple[list[list[dict]], float]:
        """Sends them all, and returns the iopub messages of each, and the seconds until the last reply and the last idle."""
        begun = time.perf_counter()
        requests = [self.client.execute(code, **options) for code in cells]
        outputs: dict[str, list[dict]] = {request: [] for request in requests}
        idle = 0
        while idle < len(requests):
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            mine = outputs.get(parent_of(message))
            if mine is None:
                continue
            mine.append(message)
            idle += message["content"].get("execution_state") == "idle"
        for _ in requests:
            self.client.get_shell_msg(timeout=PATIENCE)
        return [*outputs.values()], time.perf_counter() - begun

    def send(
        self, kind: str, content: dict, buffers: list | None = None, channel: str = "shell"
    ) -> str:
        message = self.client.session.msg(kind, content)
        socket = getattr(self.client, f"{channel}_channel").socket
        self.client.session.send(socket, message, buffers=buffers)
        return message["header"]["msg_id"]

    def begin(self, code: str) -> str:
        """Starts a cell which prints, and waits until it has."""
        request = self.client.execute(code)
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["msg_type"] == "stream" and parent_of(message) == request:
                return request

    def memory(self, kind: str) -> float:
        """Bytes of the process and its children: `uss` are theirs alone, of `pss` what others share is divided among all."""
        root = psutil.Process(self.process.pid)
        total = getattr(root.memory_full_info(), kind)
        for child in root.children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                total += getattr(child.memory_full_info(), kind)
        return total
