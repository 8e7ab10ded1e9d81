"""`get_ipython().kernel`: ipykernel's kernel, as libraries know it, spoken through this one.

The server hands it every request that Python answers; its `do_…` methods do the work, so whoever replaces one, or an entry in
`shell_handlers`, has the say. What has no counterpart here raises NotImplementedError with a sentence on what to use instead.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING

from traitlets import Any, Bool, Float, List, default
from traitlets.config import SingletonConfigurable

from . import _drupe, comms, parents, questions, requests, stdin
from .facade import named
from .jsonutil import decode
from .session import (
    Channel,
    IOPubThread,
    Session,
    lacking,
    make_message,
    publish,
    random_uuid,
)

if TYPE_CHECKING:
    import asyncio
    import typing
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType
    from typing import NoReturn

    from .application import IPKernelApp

_CORE = "the core answers these requests before Python sees them; ask with a client"
_RUNS = "the kernel of this process runs already, and its core takes the messages"
_ONE = "drupe runs one kernel; start another one in a process of its own, with its own kernelspec"


_REFERENCES = (
    ("Python", "https://docs.python.org/3"),
    ("IPython", "https://ipython.org/documentation.html"),
    ("NumPy", "https://docs.scipy.org/doc/numpy/reference/"),
    ("Matplotlib", "https://matplotlib.org/contents.html"),
    ("pandas", "https://pandas.pydata.org/pandas-docs/stable/"),
    ("SciPy", "https://docs.scipy.org/doc/scipy/reference/"),
)


@named("kernelbase")
@lacking(
    {
        _CORE: "comm_info_request connect_request create_subshell_request debug_request delete_subshell_request "
        "interrupt_request kernel_info_request list_subshell_request shutdown_request usage_request do_debug_request",
        _RUNS: "dispatch_control dispatch_debugpy dispatch_shell enter_eventloop poll_stopped_queue process_control "
        "shell_channel_thread_main shell_main start",
        "ipyparallel's engines have it; in a cell call the function": "do_apply",
        "psutil.Process() tells": "get_process_metric_value",
    }
)
class Kernel(SingletonConfigurable):
    """What every kernel has."""

    parent: IPKernelApp
    implementation = "drupe"
    language = "python"
    msg_types = [
        "execute_request",
        "complete_request",
        "inspect_request",
        "history_request",
        "is_complete_request",
        "comm_open",
        "comm_msg",
        "comm_close",
    ]
    control_msg_types: list = []

    stop_on_error_timeout = Float(0.0, help="Without effect: what is queued is known.").tag(
        config=True
    )
    _execute_sleep = Float(0.0).tag(config=True)
    _poll_interval = Float(0.01).tag(config=True)
    debug_just_my_code = Bool(False).tag(config=True)
    filter_internal_frames = Bool(True).tag(config=True)
    help_links: List[typing.Any] = List()
    eventloop = Any(None, allow_none=True)

    int_id = -1
    processes: dict = {}
    profile_dir = None
    # There is no such thing, or none that is Python's.
    control_thread = shell_channel_thread = debug_shell_socket = None
    debugger = debugger_class = debugpy_stream = None
    saved_sigint_handler = None
    _aborting = False
    _main_asyncio_lock = nullcontext()

    def __init__(self, **kwargs: typing.Any) -> None:
        if type(self) is not IPythonKernel:
            raise NotImplementedError(f"{type(self).__name__} cannot be made here: {_ONE}")
        super().__init__(**kwargs)
        self.ident = random_uuid()
        self.session = Session(self)
        self.iopub_socket = Channel("iopub", self)
        self.shell_stream = Channel("shell", self)
        self.control_stream = Channel("control", self)
        self.stdin_socket = Channel("stdin", self)
        self.iopub_thread = IOPubThread(self)
        self.shell_handlers = {name: getattr(self, name) for name in self.msg_types}
        self.control_handlers: dict = {}
        self._own_handlers = dict(self.shell_handlers)
        self._recorded_ports: dict = {}
        # By channel: the last request's parent. By message: the requests that are being answered.
        self._last_parents: dict = {}
        self._open: dict = {}
        self.server: typing.Any = None

    @classmethod
    def launch_instance(cls, *args: typing.Any, **kwargs: typing.Any) -> NoReturn:
        raise NotImplementedError(_ONE)

    @property
    def _supports_kernel_subshells(self) -> bool:
        return not decode(_drupe.config()).get("no_subshells", False)

    @property
    def connection_file(self) -> str:
        return self.parent.connection_file

    @property
    def implementation_version(self) -> str:
        return _drupe.__version__

    @property
    def shell_streams(self) -> list:
        return [self.shell_stream]

    @property
    def io_loop(self) -> typing.Any:
        """The loop that everything runs in: tornado's, where that is imported."""
        from .loop import io_loop

        return io_loop(self.server)

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task that serves requests."""
        return self.server.task

    # The request that is being answered.

    def begin(self, request: _drupe.Request) -> None:
        """The server takes it up."""
        self._last_parents[request.channel] = request.parent
        self._open[request.parent.msg_id] = request

    def end(self, request: _drupe.Request) -> None:
        """It is answered."""
        self._open.pop(request.parent.msg_id, None)

    def handler_of(self, msg_type: str) -> Callable[..., typing.Any] | None:
        """The handler that somebody has put in the place of the kernel's own, or None."""
        handler = self.shell_handlers.get(msg_type)
        return None if handler is self._own_handlers.get(msg_type) else handler

    def request_of(
        self, parent: _drupe.Parent | dict[str, typing.Any] | None
    ) -> _drupe.Request | None:
        """The request that a message stands for, while it is being answered."""
        handle = parents.handle_of(parent)
        return self._open.get(handle.msg_id) if handle is not None else None

    @staticmethod
    def message_of(request: _drupe.Request) -> dict:
        """A request as handlers are given it."""
        buffers = [memoryview(buffer) for buffer in request.buffers]
        return parents.message(request.parent, buffers=buffers)

    def stream_of(self, request: _drupe.Request) -> Channel:
        return self.control_stream if request.channel == "control" else self.shell_stream

    def _asked(self, parent: _drupe.Parent | dict[str, typing.Any] | None) -> _drupe.Request:
        request = self.request_of(parent)
        if request is None:
            raise NotImplementedError(
                "a request can be answered while it is the kernel's turn, and not again later"
            )
        return request

    def get_parent(self, channel: str | None = None) -> dict:
        """The request whose code this is, or the last one of a channel."""
        if channel is None:
            return parents.message(_drupe.get_parent())
        return parents.message(self._last(channel))

    def _last(self, channel: str | None) -> _drupe.Parent | None:
        """The handle of the last request of a channel. Most of those on control never come to Python."""
        if channel == "control":
            return _drupe.control_parent()
        return self._last_parents.get(channel)

    def set_parent(
        self,
        ident: typing.Any,
        parent: _drupe.Parent | dict[str, typing.Any] | None,
        channel: str | None = "shell",
    ) -> None:
        parents.set_parent(parent)

    @property
    def _parent_header(self) -> dict:
        return self.get_parent()

    @property
    def _control_parent(self) -> dict:
        return self.get_parent("control")

    @property
    def _parent_ident(self) -> dict:
        last = {channel: self._last(channel) for channel in ("shell", "control")}
        return {
            channel: handle.identities for channel, handle in last.items() if handle is not None
        }

    # Messages.

    def _topic(self, topic: str) -> bytes:
        return f"kernel.{self.ident}.{topic}".encode()

    def send_response(
        self,
        stream: typing.Any,
        msg_or_type: str | dict[str, typing.Any],
        content: dict[str, typing.Any] | None = None,
        ident: typing.Any = None,
        buffers: Iterable[typing.Any] | None = None,
        track: bool = False,
        header: dict[str, typing.Any] | None = None,
        metadata: dict[str, typing.Any] | None = None,
        channel: str | None = None,
    ) -> dict:
        """Send a message that belongs to the running cell."""
        parent = self.get_parent(channel)
        return self.session.send(
            stream, msg_or_type, content, parent, ident, buffers, track, header, metadata
        )

    def _publish_status(
        self,
        status: str,
        channel: str | None,
        parent: _drupe.Parent | dict[str, typing.Any] | None = None,
    ) -> None:
        """The core publishes each request's own; this is one more."""
        publish(
            make_message("status", {"execution_state": status}), parent or self.get_parent(channel)
        )

    def _publish_status_and_flush(
        self,
        status: str,
        channel: str | None,
        stream: typing.Any,
        parent: _drupe.Parent | dict[str, typing.Any] | None = None,
    ) -> None:
        self._publish_status(status, channel, parent)

    def _publish_execute_input(
        self, code: str, parent: _drupe.Parent | dict[str, typing.Any] | None, execution_count: int
    ) -> None:
        content = {"code": code, "execution_count": execution_count}
        publish(make_message("execute_input", content), parent)

    def _publish_debug_event(self, event: dict[str, typing.Any]) -> None:
        publish(make_message("debug_event", event), self.get_parent())

    def _send_abort_reply(
        self, stream: typing.Any, msg: dict[str, typing.Any], idents: typing.Any
    ) -> None:
        reply = msg["header"]["msg_type"].rpartition("_")[0] + "_reply"
        self.session.send(stream, reply, {"status": "aborted"}, msg, idents)

    def record_ports(self, ports: dict) -> None:
        self._recorded_ports = ports

    # Questions to the user.

    @property
    def _allow_stdin(self) -> bool:
        parent = _drupe.get_parent()
        return parent is not None and parent.allow_stdin

    def _input_request(
        self,
        prompt: object,
        ident: typing.Any,
        parent: _drupe.Parent | dict[str, typing.Any] | None,
        password: bool = False,
    ) -> str:
        """Ask the client that sent the message `parent`, whatever it said of questions."""
        asked: typing.Any = parents.handle_of(parent)
        return _drupe.input_request(str(prompt), password, asked)

    def _no_raw_input(self) -> None:
        from IPython.core.error import StdinNotImplementedError

        raise StdinNotImplementedError(
            "raw_input was called, but this frontend does not support stdin."
        )

    def raw_input(self, prompt: object = "") -> str:
        return stdin.raw_input(prompt)

    def getpass(
        self, prompt: object = "", stream: object = None, *, echo_char: str | None = None
    ) -> str:
        return stdin.getpass(prompt, stream, echo_char=echo_char)

    # Requests, as others call or replace them.

    async def execute_request(
        self, stream: typing.Any, ident: typing.Any, parent: dict[str, typing.Any]
    ) -> None:
        """Run the cell that a request has, and answer it."""
        await requests.execute(self, self._asked(parent), parent["content"], parent["metadata"])

    async def _question(
        self, stream: typing.Any, ident: typing.Any, parent: dict[str, typing.Any]
    ) -> None:
        await requests.answer(self, self._asked(parent), parent["content"])

    complete_request = inspect_request = history_request = is_complete_request = _question

    def comm_open(self, stream: typing.Any, ident: typing.Any, msg: dict[str, typing.Any]) -> None:
        comms.manager().comm_open(stream, ident, msg)

    def comm_msg(self, stream: typing.Any, ident: typing.Any, msg: dict[str, typing.Any]) -> None:
        comms.manager().comm_msg(stream, ident, msg)

    def comm_close(self, stream: typing.Any, ident: typing.Any, msg: dict[str, typing.Any]) -> None:
        comms.manager().comm_close(stream, ident, msg)

    def should_handle(
        self, stream: typing.Any, msg: dict[str, typing.Any], idents: typing.Any
    ) -> bool:
        return True

    def pre_handler_hook(self) -> None:
        """There is nothing to prepare."""

    def post_handler_hook(self) -> None:
        """There is nothing to put back."""

    def init_metadata(self, parent: _drupe.Parent | dict[str, typing.Any] | None) -> dict:
        from datetime import datetime, timezone

        return {
            "started": datetime.now(timezone.utc),
            "dependencies_met": True,
            "engine": self.ident,
        }

    def finish_metadata(
        self,
        parent: _drupe.Parent | dict[str, typing.Any] | None,
        metadata: dict[str, typing.Any],
        reply_content: dict[str, typing.Any],
    ) -> dict:
        metadata["status"] = reply_content["status"]
        return metadata

    def do_one_iteration(self) -> "_Done":
        """Handle what waits and can be handled in the middle of a cell: comm messages. May be awaited, and need not be."""
        comms.process_waiting()
        return _Done()

    async def process_one(self, wait: bool = True) -> None:
        """The same, in the words of ipykernel 6."""
        comms.process_waiting()

    def connection_info(self) -> dict:
        """What the connection file says."""
        with open(self.connection_file, encoding="utf-8") as file:
            return json.load(file)


class _Done:
    """Has nothing left to wait for."""

    def __await__(self) -> Iterator[typing.Any]:
        return iter(())


@named("ipkernel")
class IPythonKernel(Kernel):
    """The kernel of this process."""

    use_experimental_completions = Bool(
        True, help="Whether completions come with their types, by jedi."
    ).tag(config=True)
    help_links: List[typing.Any] = List(
        help="The entries of a front-end's help menu.",
    ).tag(config=True)

    language_info = {
        "name": "python",
        "version": sys.version.split()[0],
        "mimetype": "text/x-python",
        "codemirror_mode": {"name": "ipython", "version": sys.version_info[0]},
        "pygments_lexer": "ipython3",
        "nbconvert_exporter": "python",
        "file_extension": ".py",
    }

    def __init__(self, **kwargs: typing.Any) -> None:
        shell = kwargs.pop("shell", None)
        super().__init__(**kwargs)
        self.shell = shell
        shell.kernel = self
        name = os.environ.get("JPY_SESSION_NAME")
        if name:
            shell.user_ns["__session__"] = name

    @default("help_links")
    def _help_links_default(self) -> list:
        # As the core has told the clients, before Python was up.
        return [{"text": f"{name} Reference", "url": url} for name, url in _REFERENCES]

    @property
    def banner(self) -> str:
        return self.shell.banner

    @property
    def kernel_info(self) -> dict:
        """What a client is told by `kernel_info_request`."""
        return {
            "status": "ok",
            "protocol_version": "5.5",
            "implementation": self.implementation,
            "implementation_version": self.implementation_version,
            "language_info": self.language_info,
            "banner": self.banner,
            "help_links": self.help_links,
            "supported_features": list(self._features()),
        }

    def _features(self) -> Iterator[str]:
        # The core has the debugger where the environment brings debugpy, see `app.py`.
        if find_spec("debugpy") is not None:
            yield "debugger"
        if self._supports_kernel_subshells:
            yield "kernel subshells"

    @property
    def shell_class(self) -> type:
        return type(self.shell)

    @property
    def compiler_class(self) -> type:
        return self.shell.compiler_class

    @property
    def comm_manager(self) -> typing.Any:
        return comms.manager()

    @property
    def user_ns(self) -> dict:
        return self.shell.user_ns

    @user_ns.setter
    def user_ns(self, namespace: dict[str, typing.Any]) -> None:
        self.shell.user_ns = namespace
        self.shell.init_user_ns()

    @property
    def user_module(self) -> ModuleType:
        return self.shell.user_module

    @user_module.setter
    def user_module(self, module: typing.Any) -> None:
        self.shell.user_module = module

    @property
    def execution_count(self) -> int:
        return self.shell.execution_count

    @execution_count.setter
    def execution_count(self, value: typing.Any) -> None:
        """The shell counts."""

    # What the requests ask for.

    async def do_execute(
        self,
        code: str,
        silent: bool,
        store_history: bool = True,
        user_expressions: dict[str, str] | None = None,
        allow_stdin: bool = False,
        *,
        cell_meta: dict[str, typing.Any] | None = None,
        cell_id: str | None = None,
    ) -> dict:
        """Run a cell; the content of its reply."""
        from .execution import Execution

        store_history = store_history and not silent
        execution = Execution(
            self, code, silent, store_history, user_expressions, cell_meta, cell_id
        )
        return await execution.run()

    def do_complete(self, code: str, cursor_pos: int | None) -> dict:
        cursor = len(code) if cursor_pos is None else cursor_pos
        return questions.complete(self.shell, code, cursor, self.use_experimental_completions)

    def do_inspect(
        self,
        code: str,
        cursor_pos: int,
        detail_level: int = 0,
        omit_sections: Iterable[str] = (),
    ) -> dict:
        return questions.inspect_object(self.shell, code, cursor_pos, detail_level, omit_sections)

    def do_history(
        self, hist_access_type: str | None, output: bool, raw: bool, **which: typing.Any
    ) -> dict:
        return questions.history(self.shell, hist_access_type, output, raw, **which)

    def do_is_complete(self, code: str) -> dict:
        return questions.is_complete(self.shell, code)

    def do_shutdown(self, restart: bool) -> dict:
        """End the kernel after this cell. Who started it starts it again, where that is its way."""
        self.shell.exit_now = True
        return {"status": "ok", "restart": restart}

    def do_clear(self) -> dict:
        self.shell.reset(False)
        return {"status": "ok"}
