"""The session and the sockets of ipykernel's kernel, spoken through the core's.

Libraries send messages with `kernel.session.send(kernel.iopub_socket, ...)`. The core owns the real sockets, signs, and writes
the final header; here are objects that stand for each of them, and what can be done with one.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from . import _drupe, parents
from .jsonutil import decode, encode_strictly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn, TypeVar

    from .kernel import Kernel

    T = TypeVar("T")


def lacking(absent: dict) -> Callable[[type[T]], type[T]]:
    """A decorator: these names are methods that say what to use instead. `{sentence: "name name …"}`"""

    def method(name: str, sentence: str) -> Callable[..., Any]:
        def refuse(self: object, *_args: object, **_kwargs: object) -> NoReturn:
            raise NotImplementedError(f"{type(self).__name__}.{name} is not there: {sentence}")

        refuse.__name__ = refuse.__qualname__ = name
        refuse.__doc__ = f"Not there: {sentence}"
        return refuse

    def add(cls: type[T]) -> type[T]:
        for sentence, names in absent.items():
            for name in names.split():
                setattr(cls, name, method(name, sentence))
        return cls

    return add


def random_uuid() -> str:
    """As `str(uuid.uuid4())`; that module costs a start a hundredth."""
    number = bytearray(os.urandom(16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    digits = number.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def make_message(
    msg_type: str,
    content: dict,
    parent: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    header: dict[str, Any] | None = None,
) -> dict:
    """A message as jupyter_client's session makes it. The core gives it its final header when it is sent."""
    asked_by = parent.get("header", parent) if parent else {}
    header = header or {
        "msg_id": os.urandom(16).hex(),
        "msg_type": msg_type,
        "username": asked_by.get("username", ""),
        "session": asked_by.get("session", ""),
        "date": datetime.now(timezone.utc),
        "version": "5.5",
    }
    return {
        "header": header,
        "msg_id": header["msg_id"],
        "msg_type": header["msg_type"],
        "parent_header": asked_by,
        "content": content,
        "metadata": metadata or {},
    }


def publish(
    message: dict,
    parent: _drupe.Parent | dict[str, Any] | None = None,
    topic: bytes | None = None,
    buffers: Iterable[Any] | None = None,
) -> None:
    """Send a message on iopub. Its parent is `parent`, else its own parent header's, else the running code's."""
    header = message["header"]
    _drupe.publish(
        header["msg_type"],
        encode_strictly(message["content"]),
        metadata=encode_strictly(message.get("metadata") or {}),
        buffers=buffers or message.get("buffers"),
        parent=parents.handle_of(parent or message.get("parent_header")),
        topic=topic,
    )


_OURS = "the core owns the sockets; send with kernel.session.send, receive with a comm"


@lacking(
    {
        _OURS: "bind bind_to_random_port connect on_err on_recv on_recv_stream on_send on_send_stream receiving send send_json "
        "send_multipart send_pyobj send_string send_unicode recv recv_multipart poll getsockopt setsockopt "
        "set_close_callback stop_on_err stop_on_recv stop_on_send"
    }
)
class Channel:
    """Stands for one of the kernel's sockets; `Session.send` takes it."""

    closed = False
    sending = False
    poller = None

    def __init__(self, name: str, kernel: Kernel) -> None:
        self.name = name
        self._kernel = kernel

    @property
    def io_loop(self) -> Any:
        return self._kernel.io_loop

    @property
    def socket(self) -> Channel:
        return self

    @property
    def io_thread(self) -> IOPubThread:
        return self._kernel.iopub_thread

    def flush(self, *_flags: object, limit: int | None = None) -> bool:
        """What was sent is on its way. Whether a request waits, which event loops of toolkits stop for."""
        return self.name != "iopub" and _drupe_has_request()

    def close(self, *_args: object) -> None:
        """The core closes its sockets."""

    def deliver(
        self, message: dict, parent: Any, ident: Any, buffers: Iterable[Any] | None
    ) -> None:
        """Send a message: on iopub to all, on shell and control as the reply to the request `parent`."""
        if self.name == "iopub":
            topic = ident[0] if isinstance(ident, list) and ident else ident
            publish(message, parent, topic or None, buffers)
            return
        request = self._kernel.request_of(parent or message["parent_header"])
        if request is None or self.name not in ("shell", "control"):
            raise NotImplementedError(
                f"on the {self.name} channel drupe sends replies to the requests that are being answered, and the questions "
                "of input() and getpass()"
            )
        request.reply(
            encode_strictly(message["content"]),
            msg_type=message["header"]["msg_type"],
            metadata=encode_strictly(message.get("metadata") or {}),
            buffers=buffers or message.get("buffers"),
        )


def _drupe_has_request() -> bool:
    from select import POLLIN, poll

    waiting = poll()
    waiting.register(_drupe.wake_fd(), POLLIN)
    return bool(waiting.poll(0))


@lacking({_OURS: "send_multipart"})
class IOPubThread:
    """Stands for the thread that publishes; the core's is not Python's."""

    closed = False
    thread = None

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.background_socket = kernel.iopub_socket

    @property
    def session(self) -> Session:
        return self._kernel.session

    @property
    def socket(self) -> Channel:
        return self.background_socket

    @property
    def io_loop(self) -> Any:
        return self._kernel.io_loop

    def schedule(self, function: Callable[..., Any]) -> None:
        """Call it behind what was sent before, which is at once."""
        function()

    def start(self) -> None:
        """It runs."""

    def stop(self) -> None:
        """It ends with the kernel."""

    close = stop


class Session:
    """The part of jupyter_client's session that libraries call. What is not here is asked of jupyter_client itself, with a
    session of the same key, where that is installed."""

    metadata: dict = {}

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.session = os.urandom(16).hex()
        self._theirs: Any = None

    @property
    def username(self) -> str:
        import getpass

        try:
            return getpass.getuser()
        except (ImportError, KeyError, OSError):
            return "username"

    @property
    def bsession(self) -> bytes:
        return self.session.encode()

    @property
    def key(self) -> bytes:
        return self._kernel.connection_info().get("key", "").encode()

    @property
    def signature_scheme(self) -> str:
        return self._kernel.connection_info().get("signature_scheme", "hmac-sha256")

    @property
    def msg_id(self) -> str:
        return os.urandom(16).hex()

    pack = staticmethod(encode_strictly)
    unpack = staticmethod(decode)

    def msg_header(self, msg_type: str) -> dict:
        return self.msg(msg_type)["header"]

    def msg(
        self,
        msg_type: str,
        content: dict[str, Any] | None = None,
        parent: dict[str, Any] | None = None,
        header: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict:
        message = make_message(msg_type, content or {}, parent, metadata, header)
        if header is None:
            message["header"].update(session=self.session, username=self.username)
        return message

    def send(
        self,
        stream: Any,
        msg_or_type: str | dict[str, Any],
        content: dict[str, Any] | None = None,
        parent: Any = None,
        ident: Any = None,
        buffers: Iterable[Any] | None = None,
        track: bool = False,
        header: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict:
        """Send a message; what becomes of it says `Channel.deliver`. A socket of the caller's own is jupyter_client's
        business."""
        if not isinstance(stream, (Channel, IOPubThread, type(None))):
            return self._library().send(
                stream, msg_or_type, content, parent, ident, buffers, track, header, metadata
            )
        if isinstance(msg_or_type, dict):
            message = msg_or_type
        else:
            message = self.msg(msg_or_type, content, parent, header, metadata)
        channel = stream if isinstance(stream, Channel) else self._kernel.iopub_socket
        channel.deliver(message, parent, ident, buffers)
        return message

    def _library(self) -> Any:
        if self._theirs is None:
            try:
                from jupyter_client.session import Session as Theirs
            except ImportError as error:
                raise NotImplementedError(
                    "drupe's session sends on the kernel's own sockets; for more of it install jupyter_client"
                ) from error
            self._theirs = Theirs(
                session=self.session, key=self.key, signature_scheme=self.signature_scheme
            )
        return self._theirs

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._library(), name)
