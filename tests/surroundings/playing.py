"""Starts a kernel in a surrounding: its arguments, environment, files, limits. What its cells say is collected as text.

Used by the tests of this folder, on drupe and on the installed ipykernel in turn. It judges nothing.
"""

import os
import queue
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]
DRUPE = Path(os.environ.get("DRUPE", ROOT / "target" / "release" / "drupe"))
# Seconds that a start or a cell may take on a machine under load.
TIMEOUT = 60


def command(name: str, python: str = sys.executable) -> list:
    """The command line of `drupe` or `ipykernel` in an environment, as a kernelspec has it."""
    if name == "drupe":
        return [str(DRUPE), "-f", "{connection_file}", "--python", python]
    return [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


@dataclass
class Surrounding:
    """What one user has set up. `files` are written below the kernel's folder, which `{folder}` stands for in `arguments` and
    `environment`; a variable whose value is None is unset. `enter` is called in the kernel's process before it runs."""

    arguments: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    files: dict = field(default_factory=dict)
    folders: list = field(default_factory=list)
    enter: object = None


@dataclass
class Said:
    """What became of a cell: `ok`, or the error; all it printed; its value's plain text."""

    status: str
    stdout: str = ""
    stderr: str = ""
    value: str = ""

    def __str__(self) -> str:
        """All of it in one text, as a reader of the notebook would see it."""
        error = "" if self.status == "ok" else self.status
        return self.stdout.replace("\r\n", "\n") + self.stderr + self.value + error


class Player:
    """A kernel in a surrounding, with a folder of its own: `home`, `ipython`, and `work`, in which it runs."""

    def __init__(self, argv: list, surrounding: Surrounding):
        self._folder = tempfile.TemporaryDirectory(prefix="surrounding-")
        self.folder = Path(os.path.realpath(self._folder.name))
        for name in ("home", "ipython", "work", "runtime", *surrounding.folders):
            (self.folder / name).mkdir(parents=True)
        for name, text in surrounding.files.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        own = {
            "HOME": "{folder}/home",
            "IPYTHONDIR": "{folder}/ipython",
            # Its own list of environments, and where the records of ends go.
            "XDG_CACHE_HOME": "{folder}/home/.cache",
        }
        given = {**own, **surrounding.environment}
        env = {name: value for name, value in os.environ.items() if name[:6] != "PYTEST"}
        for name, value in given.items():
            env.pop(name, None)
            if value is not None:
                env[name] = value.replace("{folder}", str(self.folder))
        arguments = [one.replace("{folder}", str(self.folder)) for one in surrounding.arguments]
        # Over socket files: two kernels that start at once could be given one port.
        self._manager = KernelManager(
            connection_file=str(self.folder / "runtime" / "kernel.json"),
            transport="ipc",
            ip=str(self.folder / "runtime" / "ipc"),
        )
        self._manager._kernel_spec = KernelSpec(
            argv=[*argv, *arguments], language="python", interrupt_mode="message"
        )
        self._env, self._enter = env, surrounding.enter

    def __enter__(self) -> "Player":
        options = {} if self._enter is None else {"preexec_fn": self._enter}
        with open(self.folder / "log", "w") as log:
            self._manager.start_kernel(
                cwd=str(self.folder / "work"), env=self._env, stdout=log, stderr=log, **options
            )
        self.process = self._manager.provisioner.process
        self._client = self._manager.client()
        self._client.start_channels()
        try:
            self._client.wait_for_ready(timeout=TIMEOUT)
        except RuntimeError as error:
            status, log = self.process.poll(), self.log()
            self.__exit__()
            raise NoKernel(status, log) from error
        return self

    def __exit__(self, *_exc) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._folder.cleanup()

    def log(self) -> str:
        """What the process has written to the terminal."""
        return (self.folder / "log").read_text(errors="replace").replace(str(self.folder), "FOLDER")

    def run(self, code: str) -> Said:
        """Run a cell until the kernel is idle."""
        request = self._client.execute(code, allow_stdin=False)
        end = time.monotonic() + TIMEOUT
        said = Said("ok")
        while time.monotonic() < end:
            try:
                message = self._client.get_iopub_msg(timeout=1)
            except queue.Empty:
                if self.process.poll() is not None:
                    raise NoKernel(self.process.poll(), self.log()) from None
                continue
            content, kind = message["content"], message["msg_type"]
            if message["parent_header"].get("msg_id") != request:
                continue
            if kind == "stream":
                text = getattr(said, content["name"]) + content["text"]
                setattr(said, content["name"], text.replace(str(self.folder), "FOLDER"))
            elif kind == "execute_result":
                said.value = content["data"]["text/plain"].replace(str(self.folder), "FOLDER")
            elif kind == "error":
                said.status = f"{content['ename']}: {content['evalue']}"
            elif content.get("execution_state") == "idle":
                status = self._reply(request)["status"]
                if status == "aborted":
                    # Python has not started, and the process ends.
                    raise NoKernel(self.process.wait(10), self.log())
                assert status == ("ok" if said.status == "ok" else "error")
                return said
        raise TimeoutError(f"no idle within {TIMEOUT} s; so far: {said}")

    def _reply(self, request: str) -> dict:
        # The client may have asked for kernel_info more than once while it waited.
        while True:
            reply = self._client.get_shell_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"]

    def complete(self, code: str) -> list:
        """The matches for the end of some code."""
        return self._client.complete(code, reply=True, timeout=TIMEOUT)["content"]["matches"]

    def ends(self) -> int:
        """Ask it to end; its exit status."""
        self._client.shutdown()
        return self.process.wait(10)


class NoKernel(Exception):
    """The process ended instead of answering; with its exit status and what it said."""

    def __init__(self, status, log: str):
        super().__init__(f"status {status}: {log}")
        self.status, self.log = status, log
