"""`!command`: a shell command whose output is shown as it comes."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from . import _drupe

if TYPE_CHECKING:
    from subprocess import Popen

# How long, in seconds, an interrupted command has to end before it is terminated, and then killed.
_GRACE = 0.5


def run(command: str) -> int:
    """Run it, and return its exit status; minus the signal's number if one ended it.

    The command writes to a terminal of its own, so that it does not hold its lines back, or to a pipe where the machine has no
    terminals; its input is at its end. One that ends in `&` stays behind and writes to the kernel's own descriptors instead.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if command.rstrip().endswith("&"):
        return _start(command, None).wait()
    ours, commands = _terminal()
    try:
        try:
            process = _start(command, commands)
        finally:
            os.close(commands)
        try:
            _copy(ours, process)
            return process.wait()
        except KeyboardInterrupt as interrupt:
            _stop(process)
            # Its traceback ends here: the user's line is what counts.
            raise interrupt.with_traceback(None)
    finally:
        os.close(ours)


def _start(command: str, output: int | None) -> Popen[bytes]:
    from subprocess import DEVNULL, Popen

    shell = os.environ.get("SHELL", "/bin/sh")
    executable = shell if os.path.exists(shell) else "/bin/sh"
    return Popen(
        command, shell=True, executable=executable, stdin=DEVNULL, stdout=output, stderr=output
    )


def _terminal() -> tuple[int, int]:
    """The end to read from and the end for the command."""
    try:
        ours, commands = os.openpty()
    except OSError:
        # Containers without /dev/pts have none.
        return os.pipe()
    try:
        _plain(commands)
    except BaseException:
        os.close(ours)
        os.close(commands)
        raise
    return ours, commands


def _plain(terminal: int) -> None:
    """No carriage returns in front of line ends, and a width."""
    import fcntl
    import struct
    import termios

    settings = termios.tcgetattr(terminal)
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, settings)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))


def _copy(output: int, process: Popen[bytes]) -> None:
    """Show what comes, until the command has ended and all is read. A child that it leaves behind may keep the other end
    open; nobody waits for that."""
    import codecs
    import select

    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    poll = select.poll()
    poll.register(output, select.POLLIN)
    ended = False
    pause = 0
    while True:
        # The pause grows: a command that ends at once is noticed at once, a long one costs nothing.
        if not poll.poll(pause):
            if ended:
                break
            ended = process.poll() is not None
            pause = 0 if ended else min(pause + 5, 50)
            continue
        pause = 5
        try:
            data = os.read(output, 65536)
        except OSError:
            # How Linux says that nobody holds the other end any more.
            break
        if not data:
            break
        sys.stdout.write(decoder.decode(data))
    sys.stdout.write(decoder.decode(b"", True))


def _stop(process: Popen[bytes]) -> None:
    """The command may not have been signalled with us; it is now."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        deadline = time.monotonic() + _GRACE
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
    _drupe.log("warning", f"the command {process.args!r} would not end")
