"""`get_ipython().kernel`: what libraries read of ipykernel's kernel, spoken through this one.

Also the stand-ins for those who ask the `ipykernel` package itself, where it is installed.
"""

import json
import uuid
from datetime import datetime, timezone

from . import _drupe, comms, parents, stdin
from .hooks import when_imported
from .jsonutil import encode
from .log import log


def make_message(msg_type: str, content: dict, parent: dict, metadata=None) -> dict:
    """A message as jupyter_client's session makes it. The core gives it its final header when it is sent."""
    asked_by = parent.get("header", parent) if parent else {}
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": msg_type,
        "username": asked_by.get("username", ""),
        "session": asked_by.get("session", ""),
        "date": datetime.now(timezone.utc).isoformat(),
        "version": "5.5",
    }
    return {
        "header": header,
        "msg_id": header["msg_id"],
        "msg_type": msg_type,
        "parent_header": asked_by,
        "content": content,
        "metadata": metadata or {},
    }


class Session:
    """The part of jupyter_client's session that libraries call: it sends on iopub."""

    username = ""

    def __init__(self):
        self.session = uuid.uuid4().hex

    def msg(self, msg_type, content=None, parent=None, header=None, metadata=None) -> dict:
        return make_message(msg_type, content or {}, parent or {}, metadata)

    def send(
        self,
        stream,
        msg_or_type,
        content=None,
        parent=None,
        ident=None,
        buffers=None,
        track=False,
        header=None,
        metadata=None,
    ) -> dict:
        """Publish a message on iopub, whatever the stream: it is the only socket that is lent."""
        if isinstance(msg_or_type, dict):
            message = msg_or_type
            parent = parent or {"header": message.get("parent_header")}
        else:
            message = self.msg(msg_or_type, content, parent, metadata=metadata)
        topic = ident[0] if isinstance(ident, list) and ident else ident
        _drupe.publish(
            message["header"]["msg_type"],
            encode(message["content"]),
            metadata=encode(message.get("metadata") or {}),
            buffers=buffers or message.get("buffers"),
            parent=parents.handle_of(parent),
            topic=topic or None,
        )
        return message


class Loop:
    """The event loop, in the words of tornado's."""

    def __init__(self, server):
        self._server = server

    @property
    def asyncio_loop(self):
        return self._server.loop

    def add_callback(self, callback, *args, **kwargs) -> None:
        self.asyncio_loop.call_soon_threadsafe(lambda: callback(*args, **kwargs))

    add_callback_from_signal = spawn_callback = add_callback

    def call_later(self, delay, callback, *args, **kwargs):
        return self.asyncio_loop.call_later(delay, lambda: callback(*args, **kwargs))

    def time(self) -> float:
        return self.asyncio_loop.time()


class Socket:
    """Stands for iopub where a socket is asked for; `Session.send` takes it."""

    closed = False

    def flush(self, *_args) -> None:
        """What is sent is on its way."""


class Kernel:
    """See the module."""

    implementation = "drupe"
    language = "python"
    eventloop = None
    control_handlers: dict = {}

    def __init__(self, shell, connection_file: str):
        self.shell = shell
        self.connection_file = connection_file
        self.session = Session()
        self.ident = str(uuid.uuid4())
        self.iopub_socket = Socket()
        self.log = log
        self.io_loop = None
        self.shell_handlers = {}
        # By channel.
        self._last_parents = {}

    @property
    def implementation_version(self) -> str:
        return _drupe.__version__

    @property
    def comm_manager(self):
        return comms.manager()

    @property
    def user_ns(self) -> dict:
        return self.shell.user_ns

    @property
    def execution_count(self) -> int:
        return self.shell.execution_count

    # The request that is being answered.

    def remember(self, request) -> None:
        # Not the request: its buffers may be large.
        self._last_parents[request.channel] = request.parent

    def get_parent(self, channel=None) -> dict:
        """The request whose code this is, or the last one of a channel."""
        if channel is None:
            return parents.message(_drupe.get_parent())
        return parents.message(self._last(channel))

    def _last(self, channel):
        """The handle of the last request of a channel. Most of those on control never come to Python."""
        if channel == "control":
            return _drupe.control_parent()
        return self._last_parents.get(channel)

    def set_parent(self, ident, parent, channel="shell") -> None:
        parents.set_parent(parent)

    @property
    def _parent_header(self) -> dict:
        return self.get_parent()

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
        stream,
        msg_or_type,
        content=None,
        ident=None,
        buffers=None,
        track=False,
        header=None,
        metadata=None,
        channel=None,
    ) -> dict:
        """Publish a message that belongs to the running cell."""
        return self.session.send(
            stream,
            msg_or_type,
            content,
            self.get_parent(channel),
            ident,
            buffers,
            track,
            header,
            metadata,
        )

    def raw_input(self, prompt="") -> str:
        return stdin.raw_input(prompt)

    def getpass(self, prompt="", stream=None) -> str:
        return stdin.getpass(prompt)

    def connection_info(self) -> dict:
        """What the connection file says."""
        with open(self.connection_file, encoding="utf-8") as file:
            return json.load(file)


def install(app) -> None:
    """Answer for ipykernel's application, where the package is installed and somebody asks it."""

    def patch(module) -> None:
        module.IPKernelApp.initialized = classmethod(lambda cls: True)
        module.IPKernelApp.instance = classmethod(lambda cls, *args, **kwargs: app)

    when_imported("ipykernel.kernelapp", patch)
    when_imported(
        "ipykernel.connect",
        lambda module: setattr(module, "get_connection_file", lambda app=None: _file(app)),
    )

    def _file(_app) -> str:
        return app.connection_file
