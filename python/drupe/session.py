"""The session and the sockets of ipykernel's kernel, spoken through the core's.

Libraries send messages with `kernel.session.send(kernel.iopub_socket, ...)`. The core owns the real sockets, signs, and writes
the final header; here are objects that stand for each of them, and what can be done with one.
"""

import uuid
from datetime import datetime, timezone

from . import _drupe, parents
from .jsonutil import decode, encode_strictly


def lacking(absent: dict):
    """A decorator: these names are methods that say what to use instead. `{sentence: "name name …"}`"""

    def method(name: str, sentence: str):
        def refuse(self, *_args, **_kwargs):
            raise NotImplementedError(f"{type(self).__name__}.{name} is not there: {sentence}")

        refuse.__name__ = refuse.__qualname__ = name
        refuse.__doc__ = f"Not there: {sentence}"
        return refuse

    def add(cls):
        for sentence, names in absent.items():
            for name in names.split():
                setattr(cls, name, method(name, sentence))
        return cls

    return add


def make_message(msg_type: str, content: dict, parent=None, metadata=None, header=None) -> dict:
    """A message as jupyter_client's session makes it. The core gives it its final header when it is sent."""
    asked_by = parent.get("header", parent) if parent else {}
    header = header or {
        "msg_id": uuid.uuid4().hex,
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


def publish(message: dict, parent=None, topic=None, buffers=None) -> None:
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

    def __init__(self, name: str, kernel):
        self.name = name
        self._kernel = kernel

    @property
    def io_loop(self):
        return self._kernel.io_loop

    @property
    def socket(self):
        return self

    @property
    def io_thread(self):
        return self._kernel.iopub_thread

    def flush(self, *_flags, limit=None) -> bool:
        """What was sent is on its way. Whether a request waits, which event loops of toolkits stop for."""
        return self.name != "iopub" and _drupe_has_request()

    def close(self, *_args) -> None:
        """The core closes its sockets."""

    def deliver(self, message: dict, parent, ident, buffers) -> None:
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

    def __init__(self, kernel):
        self._kernel = kernel
        self.background_socket = kernel.iopub_socket

    @property
    def session(self):
        return self._kernel.session

    @property
    def socket(self):
        return self.background_socket

    @property
    def io_loop(self):
        return self._kernel.io_loop

    def schedule(self, function) -> None:
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

    def __init__(self, kernel):
        self._kernel = kernel
        self.session = uuid.uuid4().hex
        self._theirs = None

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
        return uuid.uuid4().hex

    pack = staticmethod(encode_strictly)
    unpack = staticmethod(decode)

    def msg_header(self, msg_type: str) -> dict:
        return self.msg(msg_type)["header"]

    def msg(self, msg_type, content=None, parent=None, header=None, metadata=None) -> dict:
        message = make_message(msg_type, content or {}, parent, metadata, header)
        if header is None:
            message["header"].update(session=self.session, username=self.username)
        return message

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

    def _library(self):
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

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._library(), name)
