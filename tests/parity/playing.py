"""Plays a theme's cells on a kernel and returns what it said, message by message, as plain data.

A theme is a file of cells in `cells/`, or in `libraries/`, whose cells are run where those are installed. Each cell begins with a line `# %% title`, which may go on with ` | ` and a JSON object:

| key | what it means |
| --- | --- |
| `request` | another request than `execute_request`; its content is `content` |
| `answers` | what a user types into `input()` and `getpass()`, in order |
| `comm` | a comm message that is sent behind the cell: `{"msg_type": …, "content": …}`; its outputs are the cell's, too |
| anything else | a field of the execute request, such as `silent` or `user_expressions` |

Used by `test_parity.py` alone. It sends what a front-end sends and judges nothing.
"""

import json
import os
import queue
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

# Seconds that a cell may take on a machine under load.
TIMEOUT = 60
HEAD = re.compile(r"^# %% (.+)$", re.MULTILINE)


@dataclass
class Cell:
    """One cell of a theme."""

    title: str
    code: str
    options: dict


def read(file: Path) -> list:
    """The cells of a theme."""
    parts = HEAD.split(file.read_text())[1:]
    cells = []
    for head, code in zip(parts[::2], parts[1::2]):
        title, bar, options = head.partition(" | ")
        cells.append(Cell(title.strip(), code.strip("\n"), json.loads(options) if bar else {}))
    titles = [cell.title for cell in cells]
    assert len(set(titles)) == len(titles), f"{file.name}: two cells have one title"
    return cells


class Player:
    """A kernel of its own in a folder of its own."""

    def __init__(self, argv: list, arguments=()):
        self._folder = tempfile.TemporaryDirectory(prefix="parity-")
        self.folder = Path(os.path.realpath(self._folder.name))
        self._manager = KernelManager()
        self._manager._kernel_spec = KernelSpec(
            argv=[*argv, *arguments], language="python", interrupt_mode="message"
        )

    def __enter__(self) -> "Player":
        work = self.folder / "work"
        work.mkdir()
        env = {name: value for name, value in os.environ.items() if name[:6] != "PYTEST"}
        # ipykernel leaves the descriptors alone where it finds pytest's variables.
        env["IPYTHONDIR"] = str(self.folder / "ipython")
        # The order of sets of text is drawn at each start of Python; Bokeh writes such orders into a figure.
        env["PYTHONHASHSEED"] = "0"
        with open(self.folder / "log", "w") as log:
            self._manager.start_kernel(cwd=str(work), env=env, stdout=log, stderr=log)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=TIMEOUT)
        return self

    def __exit__(self, *_exc) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._folder.cleanup()

    def play(self, cell: Cell) -> dict:
        """The reply, and the messages on iopub up to `idle`; those of a comm message behind it as well."""
        options = dict(cell.options)
        answers, comm = list(options.pop("answers", [])), options.pop("comm", None)
        kind = options.pop("request", "execute_request")
        if kind == "execute_request":
            content = {
                "code": cell.code,
                "silent": False,
                "store_history": True,
                "user_expressions": {},
                "allow_stdin": bool(answers),
                "stop_on_error": True,
                **options,
            }
        else:
            content = options["content"]
        request = self._send(kind, content)
        messages = self._until_idle(request, answers)
        reply = self._reply(request)
        if comm is not None:
            messages += self._until_idle(self._send(comm["msg_type"], comm["content"]), [])
        return {"reply": reply, "messages": messages}

    def _send(self, msg_type: str, content: dict) -> str:
        message = self._client.session.msg(msg_type, content)
        self._client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def _reply(self, request: str) -> dict:
        while True:
            reply = self._client.get_shell_msg(timeout=TIMEOUT)
            if reply["parent_header"].get("msg_id") == request:
                return _plain(reply)

    def _until_idle(self, request: str, answers: list) -> list:
        messages, end = [], time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            self._answer(answers)
            try:
                message = self._client.get_iopub_msg(timeout=0.02 if answers else 1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                # Of an earlier cell's thread or task: what belongs to whom is compared, when it comes is not.
                continue
            if message["msg_type"] == "status":
                if message["content"]["execution_state"] == "idle":
                    return messages
            else:
                messages.append(_plain(message))
        raise TimeoutError(f"no idle within {TIMEOUT} s; so far: {messages}")

    def _answer(self, answers: list) -> None:
        if not answers:
            return
        try:
            self._client.get_stdin_msg(timeout=0)
        except queue.Empty:
            return
        self._client.input(answers.pop(0))


def _plain(message: dict) -> dict:
    return {
        "msg_type": message["msg_type"],
        "content": message["content"],
        "metadata": message["metadata"],
        "buffers": [bytes(buffer).hex() for buffer in message["buffers"]],
    }


def play(argv: list, cells: list, arguments=()) -> tuple:
    """What each cell said, by its title; and what its texts have that is this run's alone: its folder."""
    with Player(argv, arguments) as player:
        said = {cell.title: player.play(cell) for cell in cells}
        return said, {str(player.folder): "FOLDER"}


def kernels(drupe: Path, python: str) -> dict:
    """The command lines of the two."""
    return {
        "ipykernel": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "drupe": [str(drupe), "-f", "{connection_file}", "--python", python],
    }
