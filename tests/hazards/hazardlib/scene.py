"""One row, played: start the kernel, reach the state, pull the trigger, watch it end.

`play` is what the runner and pytest call; the soak builds its own scenes from the same steps.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import select
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import zmq

from .client import Client, Message
from .ending import Ending, Request, count_rows, listening, read_archives, read_files
from .kernels import Kernel
from .ports import scratch, write_connection_file
from .process import KernelProcess, alive
from .table import TRIGGERS, Hazard

START_SECONDS = 60
"""Longest wait for the kernel to start and for a state to be reached, on a loaded machine."""


class SceneError(Exception):
    """The state could not be reached, so that nothing was tried."""


@dataclass
class Scene:
    """A started kernel and its clients."""

    kernel: Kernel
    parent: str = "runner"
    stdin: str = "null"
    clients_wanted: int = 1
    deaf: bool = False
    patience: float = 8.0
    """Seconds after the trigger after which a kernel counts as hung."""
    extra_env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hazard-"))
        self.cwd = self.folder / "cwd"
        self.cwd.mkdir()
        self.connection_file = self.folder / "connection.json"
        ports = write_connection_file(self.connection_file)
        self._own_ports = set(ports)
        self.ended_at: float | None = None
        self.triggered_at: float | None = None
        self.requests: list[Request] = []
        self.subshells: list[str] = []
        """The ids of those that the last row has asked for."""
        self.watch_listeners = False
        self._listeners: set[int] = set()
        self.links: list[socket.socket] = []
        self._known_ports: set[int] = set()
        env = self.kernel.environment(scratch()) | self.extra_env
        self.process = KernelProcess(
            self.kernel.argv(self.connection_file),
            folder=self.folder,
            env=env,
            parent=self.parent,
            stdin=self.stdin,
        )
        threading.Thread(target=self._watch_for_end, daemon=True).start()
        self.clients = [Client(self.connection_file) for _ in range(self.clients_wanted)]
        if self.deaf:
            self.clients.append(Client(self.connection_file, reads_iopub=False))
        self.client = self.clients[0]

    def _watch_for_end(self) -> None:
        """In a thread of its own: the time of the end does not depend on how busy the reader is."""
        poll = select.poll()
        poll.register(self.process.pidfd, select.POLLIN)
        poll.poll()
        self.ended_at = time.monotonic()

    # Waiting ------------------------------------------------------------------------------------

    def pump(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Read everything until `until()` holds (True), the time is over or the kernel ended."""
        end = time.monotonic() + seconds
        while True:
            for client in self.clients:
                client.receive()
            if until is not None and until():
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            if self.ended_at is not None:
                return False
            poller = zmq.Poller()
            for client in self.clients:
                for sock in client.pollable():
                    poller.register(sock, zmq.POLLIN)
            poller.register(self.process.pidfd, zmq.POLLIN)
            if self.watch_listeners:
                left = min(left, 0.01)
                self._look_for_listeners()
            # What is waited for may be a file, which no socket tells of.
            left = min(left, 0.5 if until is None else 0.02)
            poller.poll(max(1, int(left * 1000)))

    def _await(self, what: str, until: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        if not self.pump(seconds, until):
            gone = "the kernel ended" if self.ended_at else "time is over"
            raise SceneError(f"{gone} while waiting for {what}; stderr: {self.stderr()[-500:]!r}")

    def _saw(self, test: Callable[[Message], bool], client: Client | None = None) -> bool:
        return any(test(m) for m in (client or self.client).log)

    # Reaching the state -------------------------------------------------------------------------

    def wait_started(self, start: str) -> None:
        """Wait until the kernel is "bound", says "hello" or is "ready"."""
        self._await("the control socket", lambda: "control" in self.client.connected)
        if start == "bound":
            return
        hello = self.client.send("control", "kernel_info_request", {})
        self._await(
            "kernel_info_reply on control",
            lambda: self._saw(lambda m: m.parent == hello and m.channel == "control"),
        )
        if start == "hello":
            return
        for client in self.clients:
            self._await("all sockets", lambda c=client: {"shell", "iopub"} <= c.connected)
            self._await_iopub(client)
        self.run("pass")

    def _await_iopub(self, client: Client) -> None:
        """A subscription is live once the status messages of a request come back."""
        for _ in range(60):
            ask = client.send("shell", "kernel_info_request", {})
            deaf = client is not self.client and self.deaf and client is self.clients[-1]
            channel = "shell" if deaf else "iopub"
            wanted = "kernel_info_reply" if deaf else "status"
            if self.pump(
                1.0,
                lambda ask=ask, channel=channel, wanted=wanted: self._saw(
                    lambda m: m.parent == ask and m.channel == channel and m.type == wanted, client
                ),
            ):
                return
        raise SceneError("the subscription to iopub never became live")

    def make_subshells(self, count: int) -> None:
        """Make the subshells of a row."""
        self.subshells = []
        for _ in range(count):
            ask = self.client.send("control", "create_subshell_request", {})
            reply = self._reply(ask, "control", "create_subshell_request")
            if "subshell_id" not in reply:
                raise SceneError(f"no subshell was made: {reply}")
            self.subshells.append(reply["subshell_id"])

    def _subshell(self, number: int) -> str | None:
        """The id of a row's subshell, counted from 1; None for the main shell."""
        return self.subshells[number - 1] if number else None

    def _reply(self, request: str, channel: str, what: str) -> dict:
        """The content of a request's reply."""
        replies: list[dict] = []

        def replied() -> bool:
            replies.extend(m.content for m in self.client.children(request) if m.channel == channel)
            return bool(replies)

        self._await(f"the reply to {what}", replied)
        return replies[0]

    def execute(self, code: str, client: Client | None = None, subshell: int = 0) -> str:
        """Send a cell, to a subshell where it is counted; its msg_id."""
        client = client or self.client
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": True,
            "stop_on_error": True,
        }
        message_id = client.send("shell", "execute_request", content, self._subshell(subshell))
        self.requests.append(
            Request(
                client, message_id, "execute_request", content, {}, self.triggered_at is not None
            )
        )
        return message_id

    def run(self, code: str) -> None:
        """Run a cell to its end; raises `SceneError` when it fails."""
        cell = self.execute(code)
        self._await("a cell's reply", lambda: self._done(cell))
        reply = next(m for m in self.client.log if m.parent == cell and m.channel == "shell")
        if reply.content["status"] != "ok":
            raise SceneError(f"a cell of the setup failed: {reply.content}")

    def begin(self, code: str, until: str, subshell: int = 0) -> None:
        """Send the cell of a row and wait for its condition."""
        cell = self.execute(code, subshell=subshell)
        kind, _, rest = until.partition(" ")
        if kind == "output":
            self.await_output(rest)
        elif kind == "file":
            self.await_file(rest)
        elif kind == "input":
            self._await("input_request", lambda: self._saw(lambda m: m.type == "input_request"))
        elif kind == "reply":
            self._await("the cell's reply", lambda: self._done(cell))
        elif kind != "sent":
            raise SceneError(f"unknown condition {until!r}")

    # A debug session ------------------------------------------------------------------------------

    def attach(self, code: str, lines: tuple[int, ...]) -> None:
        """Begin a debug session, with breakpoints in a cell that is to be run."""
        self.debug("initialize", {"adapterID": "", "clientID": "hazard"})
        self.debug("attach", {})
        path = self.debug("dumpCell", {"code": code})["sourcePath"]
        points = [{"line": line} for line in lines]
        self.debug("setBreakpoints", {"source": {"path": path}, "breakpoints": points})

    def debug(self, command: str, arguments: dict, act: dict | None = None) -> dict:
        """Send a debug request; the body of its reply, which must be a success, where `act` says nothing else."""
        act = {"channel": "control"} | (act or {})
        content = {"type": "request", "seq": 1, "command": command}
        content["arguments"] = self._of_the_stop(arguments)
        after = self.triggered_at is not None
        for _ in range(act.get("times", 1)):
            ask = self.client.send("control", "debug_request", content)
            self.requests.append(Request(self.client, ask, "debug_request", content, act, after))
        if act.get("silent"):
            return {}
        reply = self._reply(ask, "control", command)
        if not reply.get("success") and not act.get("refused"):
            raise SceneError(f"{command} was refused: {reply}")
        return reply.get("body", {})

    def _of_the_stop(self, arguments: dict) -> dict:
        """Arguments, with what stands in them for the thread that stopped last."""
        if arguments.get("threadId") == 0:
            return arguments | {"threadId": self._stopped_thread()}
        if arguments.get("frameId") == 0:
            frames = self.debug("stackTrace", {"threadId": self._stopped_thread()})["stackFrames"]
            return arguments | {"frameId": frames[0]["id"]}
        if isinstance(name := arguments.get("variablesReference"), str):
            scopes = self.debug("scopes", {"frameId": 0})["scopes"]
            found = self.debug("variables", _reference(scopes[0]))["variables"]
            return arguments | _reference(next(v for v in found if v["name"] == name))
        return arguments

    def _stopped_thread(self) -> int:
        stops = [m for m in self.client.log if m.type == "debug_event"]
        return [m.content["body"] for m in stops if m.content["event"] == "stopped"][-1]["threadId"]

    def await_event(self, name: str) -> None:
        self._await(
            f"the event {name}",
            lambda: self._saw(lambda m: m.type == "debug_event" and m.content["event"] == name),
        )

    def await_output(self, text: str) -> None:
        self._await(f"the output {text!r}", lambda: text in self.client.text("stdout"))

    def await_file(self, name: str) -> None:
        self._await(f"the file {name}", (self.cwd / name).exists)

    def _done(self, request: str) -> bool:
        replied = self._saw(lambda m: m.parent == request and m.channel == "shell")
        return replied and self._saw(
            lambda m: m.parent == request and m.content.get("execution_state") == "idle"
        )

    # The script ---------------------------------------------------------------------------------

    def perform(self, act: str | dict) -> None:
        """One act of a script (see `table`)."""
        if self.ended_at is not None:
            return
        if isinstance(act, str) and act in TRIGGERS and self.triggered_at is None:
            self.process.note_children()
            self._known_ports = listening(self.process.pid)
            self.triggered_at = time.monotonic()
        if isinstance(act, dict) and "debug" in act:
            self.debug(act["debug"], act.get("arguments", {}), act)
            if "until" in act:
                self.await_event(act["until"])
            return
        if isinstance(act, dict):
            self._send(act)
            return
        word, _, rest = act.partition(" ")
        if word == "pause":
            self.pump(float(rest) / 1000)
        elif word == "await":
            self.await_output(rest)
        elif word == "await-file":
            self.await_file(rest)
        elif word in ("shutdown", "restart"):
            self._ask_shutdown(self.client, "control", restart=word == "restart")
        elif word == "shutdown-shell":
            self._ask_shutdown(self.client, "shell")
        elif word == "other-shutdown":
            self._ask_shutdown(self.clients[1], "control")
        elif word in ("sigterm", "term"):
            self.process.signal(signal.SIGTERM)
        elif word == "sigint":
            self.process.signal(signal.SIGINT)
        elif word == "parent-gone":
            self.process.kill_parent()
        elif word == "client-gone":
            self.client.close()
        elif word == "exit":
            self.execute("exit()")

    def _ask_shutdown(self, client: Client, channel: str, *, restart: bool = False) -> None:
        content = {"restart": restart}
        ask = client.send(channel, "shutdown_request", content)
        self.requests.append(Request(client, ask, "shutdown_request", content, {}, True))

    def _send(self, act: dict) -> None:
        if act.get("half_lsp") or act.get("lsp_initialize"):
            self._speak_lsp(whole="lsp_initialize" in act)
            return
        if "delete_subshell" in act:
            content = {"subshell_id": self._subshell(act["delete_subshell"])}
            asks = {"send": "delete_subshell_request", "content": content, "channel": "control"}
            act = asks | act
        channel = act.get("channel", "shell")
        subshell = act.get("subshell", 0)
        for _ in range(act.get("times", 1)):
            if "execute" in act:
                code = act["execute"] + "\n#" + "." * act.get("padding", 0)
                message_id = self.execute(code, subshell=subshell)
                self.requests[-1].act = act
            else:
                msg_type, content = _content_of(act)
                message_id = self.client.send(channel, msg_type, content, self._subshell(subshell))
                after = self.triggered_at is not None
                self.requests.append(
                    Request(self.client, message_id, msg_type, content, act, after)
                )
        if until := act.get("until"):
            seen = (
                (lambda m: m.parent == message_id and m.type.endswith("_reply"))
                if until == "reply"
                else (
                    lambda m: m.type == until or m.content.get("data", {}).get("msg_type") == until
                )
            )
            self._await(until, lambda: self._saw(seen), 15)

    def _speak_lsp(self, *, whole: bool) -> None:
        started = [m for m in self.client.log if _server_started(m)]
        if not started:
            raise SceneError("no language server was announced")
        port = started[-1].content["data"]["content"]["port"]
        link = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.links.append(link)
        body = json.dumps(
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "initialize",
                "params": {"processId": None, "rootUri": None, "capabilities": {}},
            }
        ).encode()
        header = b"Content-Length: %d\r\n\r\n" % len(body)
        link.sendall(header + (body if whole else body[: len(body) // 2]))
        if whole:
            link.recv(4096)

    # The end ------------------------------------------------------------------------------------

    def await_end(self) -> Ending:
        """Watch the kernel end (or run out of patience), read what is left, look around."""
        if self.triggered_at is None:
            raise SceneError("nothing asked the kernel to end")
        deadline = self.triggered_at + self.patience
        self.pump(max(0.0, deadline - time.monotonic()), lambda: self.ended_at is not None)
        seconds = None if self.ended_at is None else self.ended_at - self.triggered_at
        status = self.process.reap() if self.ended_at is not None else None
        left = self.cwd / "left.pid"
        left_pid = int(left.read_text() or 0) if left.exists() else None
        survivors, outsiders = ([], []) if self.ended_at is None else self._survivors(left_pid)
        if self.ended_at is not None:
            self._read_what_is_left()
        replies = [
            m.at
            for client in self.clients
            for m in client.log
            if m.type == "shutdown_reply" and m.channel in ("control", "shell")
        ]
        return Ending(
            seconds=seconds,
            status=status,
            reply_seconds=min(replies) - self.triggered_at if replies else None,
            survivors=survivors,
            outsiders=outsiders,
            left_lives=left_pid is not None and alive(left_pid),
            listeners=self._listeners,
            stderr=self.stderr(),
            files=read_files(self.cwd),
            archives=read_archives(self.cwd),
            rows=count_rows(self.cwd),
            requests=self.requests,
            clients=self.clients,
            triggered_at=self.triggered_at,
        )

    def _survivors(self, left: int | None) -> tuple[list[str], list[str]]:
        """What lives on of the kernel's processes in its session, and outside. Those that clean up behind others, such as multiprocessing's resource
        tracker, have a second to see that nobody is left; those that watch over others in sessions of their own, such as
        ipyparallel's nannies, five."""
        ended = time.monotonic()
        while alive := self.process.surviving_children(left=left):
            late = time.monotonic() - ended
            if late > 5 or (late > 1 and any(map(self.process.is_in_session, alive))):
                break
            time.sleep(0.01)
        inside, outside = [], []
        for child in alive:
            with contextlib.suppress(psutil.Error):
                name = f"{child.pid} {' '.join(child.cmdline())[:60]}"
                (inside if self.process.is_in_session(child) else outside).append(name)
        return inside, outside

    def _read_what_is_left(self) -> None:
        """Until every connection has reported its end: then nothing is on its way any more."""
        end = time.monotonic() + 2
        while time.monotonic() < end:
            got = sum(client.receive() for client in self.clients)
            if not got and not any(c.connected for c in self.clients if not c.closed):
                break
            if not got:
                time.sleep(0.002)
        for client in self.clients:
            while client.receive():
                pass

    def _look_for_listeners(self) -> None:
        self._listeners |= listening(self.process.pid) - self._known_ports - self._own_ports

    def stderr(self) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / "kernel.err").read_text(errors="replace")
        return ""

    def close(self, *, keep: bool = False) -> None:
        """End what is left of the kernel and remove its folder."""
        for client in self.clients:
            client.close()
        for link in self.links:
            link.close()
        self.process.destroy()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def play(hazard: Hazard, kernel: Kernel, *, patience: float = 8.0) -> Ending:
    """Play one row; raises `SceneError` when its state could not be reached."""
    scene = Scene(
        kernel,
        parent=hazard.parent,
        stdin=hazard.stdin,
        clients_wanted=hazard.clients,
        deaf=hazard.deaf,
        patience=patience,
    )
    try:
        scene.wait_started(hazard.start)
        for code in hazard.setup:
            scene.run(code)
        scene.make_subshells(hazard.subshells)
        if hazard.debug:
            scene.attach(hazard.cell, hazard.debug)
        if hazard.cell:
            until = "sent" if hazard.debug else hazard.until
            scene.begin(hazard.cell, until, hazard.subshell)
        if hazard.debug:
            scene.await_event("stopped")
        scene.watch_listeners = hazard.expect.silent_lsp
        for act in hazard.script:
            scene.perform(act)
        return scene.await_end()
    finally:
        scene.close()


def _content_of(act: dict) -> tuple[str, dict]:
    if "comm_open" in act:
        content = {
            "comm_id": act.get("comm_id") or secrets.token_hex(8),
            "target_name": act["comm_open"],
            "data": act.get("data", {}),
        }
        return "comm_open", content
    return act["send"], act.get("content", {})


def _reference(variable: dict) -> dict:
    return {"variablesReference": variable["variablesReference"]}


def _server_started(message: Message) -> bool:
    data = message.content.get("data")
    return (
        message.type == "comm_msg"
        and isinstance(data, dict)
        and data.get("msg_type") == "server_started"
    )
