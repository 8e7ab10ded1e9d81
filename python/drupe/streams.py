"""`sys.stdout` and `sys.stderr`: the core's streams with what libraries expect of a text file."""

import io
import os
import sys

from . import _drupe, parents


class OutStream(_drupe.Stream):
    """A stream whose writes become `stream` messages of the cell that made them."""

    mode = "w"
    softspace = 0
    write_through = True
    # Libraries that write to a stream's thread directly look for it; there is none.
    pub_thread = None
    echo = None

    @property
    def buffer(self):
        """A binary writer on the same stream."""
        writer = self.__dict__.get("_buffer")
        if writer is None:
            writer = self.__dict__["_buffer"] = _Bytes(self)
        return writer

    @property
    def parent_header(self) -> dict:
        return parents.message(_drupe.get_parent()).get("header", {})

    @parent_header.setter
    def parent_header(self, value) -> None:
        self.set_parent(value)

    def set_parent(self, parent) -> None:
        """The cell that output of this context belongs to from now on."""
        parents.set_parent(parent)

    def _is_master_process(self) -> bool:
        return os.getpid() == _PID

    def reconfigure(self, **_options) -> None:
        """Accepted and without effect: the encoding is the wire's."""

    def read(self, *_size):
        raise io.UnsupportedOperation("not readable")

    readline = readlines = read

    def __iter__(self):
        raise io.UnsupportedOperation("not readable")

    def seek(self, *_where):
        raise io.UnsupportedOperation("not seekable")

    tell = truncate = seek

    def detach(self):
        raise io.UnsupportedOperation("the stream cannot be detached")

    def __enter__(self):
        return self

    def __exit__(self, *_exc) -> None:
        self.flush()

    def __repr__(self) -> str:
        return f"<OutStream name={self.name!r} encoding={self.encoding!r}>"


_PID = os.getpid()
io.TextIOBase.register(OutStream)


class _Bytes(io.BufferedIOBase):
    """Bytes for a text stream. A character cut in two waits for its second half."""

    def __init__(self, stream: OutStream):
        import codecs

        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def name(self):
        return self._stream.name

    @property
    def raw(self):
        return self

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, data) -> int:
        data = bytes(data)
        self._stream.write(self._decoder.decode(data))
        return len(data)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """The stream outlives its writers."""


def install(stdout: bool = True, stderr: bool = True) -> None:
    """Put the streams in place."""
    if stdout:
        sys.stdout = OutStream("stdout")
    if stderr:
        sys.stderr = OutStream("stderr")
