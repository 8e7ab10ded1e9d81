"""`sys.stdout` and `sys.stderr`: the core's streams with what libraries expect of a text file."""

from __future__ import annotations

import codecs
import io
import os
import sys
import threading
from typing import TYPE_CHECKING

from . import _drupe, parents
from .facade import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextvars import Token
    from typing import Any, NoReturn

    from .display import Hooks
    from .kernel import Kernel
    from .session import IOPubThread, Session


@named("iostream")
class OutStream(_drupe.Stream):
    """A stream whose writes become `stream` messages of the cell that made them."""

    mode = "w"
    softspace = 0
    write_through = True
    topic = None
    flush_interval = 0.0
    flush_timeout = 0
    watch_fd_thread = None
    _exc = None
    _isatty = False

    def __new__(
        cls,
        session: Any,
        pub_thread: Any = None,
        name: str | None = None,
        *_args: object,
        **_options: Any,
    ) -> OutStream:
        """As ipykernel's, whose session and thread nobody needs here; or with the name alone."""
        # One of the class that it is given; the core's types say `Stream`.
        return super().__new__(cls, session if name is None else name)  # type: ignore[return-value]

    def __init__(
        self,
        session: Any,
        pub_thread: Any = None,
        name: str | None = None,
        pipe: Any = None,
        echo: Any = None,
        **_options: Any,
    ) -> None:
        self._echo: Any = None
        self._hooks: Hooks | None = None
        if echo is not None:
            self.echo = echo

    @property
    def session(self) -> Session:
        return _kernel().session

    @property
    def pub_thread(self) -> IOPubThread:
        return _kernel().iopub_thread

    @property
    def buffer(self) -> _Bytes:
        """A binary writer on the same stream."""
        writer = self.__dict__.get("_buffer")
        if writer is None:
            writer = self.__dict__["_buffer"] = _Bytes(self)
        return writer

    @property
    def echo(self) -> Any:
        """A file that is written to as well."""
        return self._echo

    @echo.setter
    def echo(self, file: Any) -> None:
        if file is not None and not (hasattr(file, "read") and hasattr(file, "write")):
            raise ValueError("echo argument must be a file-like object")
        self._echo = file
        self._look_at_writes()

    def register_hook(self, hook: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        """Let `hook` see the calling thread's messages, which it returns, changed or not, or keeps by returning None."""
        if self._hooks is None:
            from .display import Hooks

            self._hooks = Hooks()
        self._hooks.functions.append(hook)
        self._look_at_writes()

    def unregister_hook(self, hook: Callable[[dict[str, Any]], dict[str, Any] | None]) -> bool:
        """Take it away; False when it was not there."""
        if self._hooks is None or hook not in self._hooks.functions:
            return False
        self._hooks.functions.remove(hook)
        return True

    def _look_at_writes(self) -> None:
        """The core's own `write` serves as long as nobody looks on."""
        self.__dict__["write"] = self._write_watched
        self.__dict__["writelines"] = self._write_lines_watched

    def _write_lines_watched(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._write_watched(line)

    def _write_watched(self, text: str) -> int:
        if self._echo is not None:
            try:
                self._echo.write(text)
                self._echo.flush()
            except (OSError, ValueError):
                pass
        length = len(text)
        if self._hooks is not None and self._hooks.functions:
            from .session import make_message

            content = {"name": self.name, "text": text}
            parent = parents.message(_drupe.get_parent())
            message = self._hooks.pass_on(make_message("stream", content, parent))
            if message is None:
                return length
            text = message["content"]["text"]
        _drupe.Stream.write(self, text)
        return length

    @property
    def parent_header(self) -> dict:
        return parents.message(_drupe.get_parent()).get("header", {})

    @parent_header.setter
    def parent_header(self, value: Any) -> None:
        self.set_parent(value)

    def set_parent(self, parent: _drupe.Parent | dict[str, Any] | None) -> None:
        """The cell that output of this context belongs to from now on."""
        parents.set_parent(parent)

    def set_thread_parent(
        self, parent: _drupe.Parent | dict[str, Any] | None
    ) -> Token[_drupe.Parent | None]:
        """The same for the calling thread only; returns what `reset_thread_parent` takes."""
        return parents.set_thread_parent(parent)

    def reset_thread_parent(self, token: Token[_drupe.Parent | None]) -> None:
        parents.reset_thread_parent(token)

    def _is_master_process(self) -> bool:
        return os.getpid() == _PID

    def reconfigure(self, **_options: Any) -> None:
        """Accepted and without effect: the encoding is the wire's."""

    def read(self, *_size: object) -> NoReturn:
        raise io.UnsupportedOperation("not readable")

    readline = readlines = read

    def __iter__(self) -> NoReturn:
        raise io.UnsupportedOperation("not readable")

    def seek(self, *_where: object) -> NoReturn:
        raise io.UnsupportedOperation("not seekable")

    tell = truncate = seek

    def detach(self) -> NoReturn:
        raise io.UnsupportedOperation("the stream cannot be detached")

    def __enter__(self) -> OutStream:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.flush()

    def __repr__(self) -> str:
        return f"<OutStream name={self.name!r} encoding={self.encoding!r}>"


_PID = os.getpid()
io.TextIOBase.register(OutStream)


def _kernel() -> Kernel:
    from .kernel import Kernel

    return Kernel.instance()


class _Bytes(io.BufferedIOBase):
    """Bytes for a text stream. A character cut in two waits for its second half, which the same thread writes."""

    def __init__(self, stream: OutStream) -> None:
        self._stream = stream
        self._of_thread = threading.local()

    def _decoder(self) -> codecs.IncrementalDecoder:
        decoder = getattr(self._of_thread, "decoder", None)
        if decoder is None:
            decoder = self._of_thread.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return decoder

    @property
    def name(self) -> str:
        return self._stream.name

    @property
    def raw(self) -> _Bytes:
        return self

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, data: Any) -> int:
        data = bytes(data)
        self._stream.write(self._decoder().decode(data))
        return len(data)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """The stream outlives its writers."""


class _Child:
    """What `write` and `flush` are in a forked child: several write to one pipe, so a line goes there in one piece."""

    # Characters beyond which a line that does not end is written all the same: what a pipe takes in one piece.
    _LONGEST = 4096

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By the stream's name: what was written behind the last end of a line.
        self._held = {"stdout": "", "stderr": ""}

    def write(self, stream: _drupe.Stream, text: str) -> int:
        if not isinstance(text, str):
            return _drupe.Stream.write(stream, text)
        with self._lock:
            held = self._held[stream.name] + text
            end = len(held) if len(held) > self._LONGEST else held.rfind("\n") + 1
            self._held[stream.name] = held[end:]
            if end:
                _drupe.Stream.write(stream, held[:end])
        return len(text)

    def flush(self, stream: _drupe.Stream) -> None:
        with self._lock:
            held, self._held[stream.name] = self._held[stream.name], ""
            if held:
                _drupe.Stream.write(stream, held)


def _begin_child() -> None:
    child = _Child()
    made: Any = OutStream
    made.write = lambda stream, text: child.write(stream, text)
    made.writelines = lambda stream, lines: child.write(stream, "".join(lines))
    made.flush = lambda stream: child.flush(stream)


def install(stdout: bool = True, stderr: bool = True) -> None:
    """Put the streams in place."""
    os.register_at_fork(after_in_child=_begin_child)
    if stdout:
        sys.stdout = OutStream("stdout")
    if stderr:
        sys.stderr = OutStream("stderr")


def echo(descriptors: Iterable[int]) -> None:
    """Have the terminal that started the kernel see the output, too."""
    for stream, descriptor in zip((sys.stdout, sys.stderr), descriptors):
        if isinstance(stream, OutStream):
            stream.echo = open(descriptor, "w", closefd=False)
