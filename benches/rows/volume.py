"""Much at once: until `idle`, and every line, picture and byte of it counted."""

from __future__ import annotations

import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from processes import Kernel, parent_of
from row import Failed, Row, Size, need, shown, text_of, timed


def until_idle(kernel: Kernel, code: str) -> tuple[list[dict], float]:
    begun = time.perf_counter()
    request = kernel.client.execute(code)
    try:
        messages = kernel.outputs(request)
    except queue.Empty:
        raise Failed("incomplete: its end never came") from None
    span = time.perf_counter() - begun
    errors = [
        message["content"]["evalue"] for message in messages if message["msg_type"] == "error"
    ]
    need(not errors, f"it failed: {errors}")
    return messages, span


def lines(
    code: str, number: int, taste: int, line: str = "x" * 80
) -> Callable[[Kernel, Size], float]:
    """Text is measured in lines, and each is to be whole: `code` prints `{line}` `{number}` times."""

    def play(kernel: Kernel, size: Size) -> float:
        kernel.ready()
        count = size(number, taste)
        messages, span = until_idle(kernel, code.format(number=count, line=line))
        text = text_of(messages)
        found = text.count("\n")
        need(found == count, f"incomplete: {found} of {count} lines")
        need(len(text) == count * (len(line) + 1), f"incomplete: {len(text)} characters")
        return span

    return play


def to_a_file(number: int) -> Callable[[Size], float]:
    """The floor of printing: the same loop in a bare Python that writes to a file."""

    def play(size: Size) -> float:
        code = (
            "import sys, time\nbegun = time.perf_counter()\n"
            f"for i in range({size(number, number // 50)}): print('x' * 80)\n"
            "sys.stdout.flush()\nprint(time.perf_counter() - begun, file=sys.stderr)"
        )
        with tempfile.TemporaryFile("w") as file:
            ran = subprocess.run(
                [sys.executable, "-c", code],
                stdout=file,
                stderr=subprocess.PIPE,
                text=True,
                check=True,
            )
        return float(ran.stderr)

    return play


MEBIBYTE = "x" * (2**20 - 1)
THREADS = (
    "import threading\ndef work(n):\n    for i in range(n): print('{line}\\n', end='')\n"
    "threads = [threading.Thread(target=work, args=({number} // {{0}},)) for _ in range({{0}})]\n"
    "for thread in threads: thread.start()\nfor thread in threads: thread.join()"
)


def displays(kernel: Kernel, size: Size) -> float:
    kernel.ready()
    number = size(2000, 50)
    messages, span = until_idle(kernel, f"for i in range({number}): display(i)")
    found = [data["text/plain"] for data in shown(messages)]
    need(found == [str(i) for i in range(number)], f"incomplete: {len(found)} of {number}")
    return span


def plots(kernel: Kernel, size: Size) -> float:
    kernel.ready()
    kernel.run("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()")
    number = size(200, 3)
    code = f"for i in range({number}):\n    plt.plot([1, i, 2])\n    plt.show()"
    messages, span = until_idle(kernel, code)
    found = sum("image/png" in data for data in shown(messages))
    need(found == number, f"incomplete: {found} of {number}")
    return span


OPEN = "from comm import create_comm\ncomm = create_comm(target_name='bench')\npiece = b'x' * 65536"


def comm_messages(kernel: Kernel, size: Size) -> float:
    kernel.ready()
    kernel.run(OPEN)
    number = size(10_000, 100)
    messages, span = until_idle(
        kernel, f"for i in range({number}): comm.send({{'n': i}}, buffers=[piece])"
    )
    found = [
        (message["content"]["data"]["n"], len(message["buffers"][0]))
        for message in messages
        if message["msg_type"] == "comm_msg"
    ]
    need(found == [(i, 65536) for i in range(number)], f"incomplete: {len(found)} of {number}")
    return span


ECHO = """
from comm import get_comm_manager
def echo(comm, opening):
    comm.on_msg(lambda message: comm.send(message['content']['data'], buffers=message['buffers']))
get_comm_manager().register_target('echo', echo)
"""


def open_echo(kernel: Kernel, name: str = "echo") -> None:
    kernel.run(ECHO)
    kernel.send("comm_open", {"comm_id": name, "target_name": "echo", "data": {}})


def echo(kernel: Kernel, buffers: list[bytes], name: str = "echo", patience: float = 20) -> None:
    request = kernel.send("comm_msg", {"comm_id": name, "data": {"n": 1}}, buffers)
    while True:
        try:
            message = kernel.client.get_iopub_msg(timeout=patience)
        except queue.Empty:
            raise Failed("no answer") from None
        if message["msg_type"] == "comm_msg" and parent_of(message) == request:
            found = [len(buffer) for buffer in message["buffers"]]
            need(found == [len(buffer) for buffer in buffers], f"incomplete: {found}")
            return


def echo_of(mebibytes: int, times: int) -> Callable[[Kernel, Size], list[float]]:
    def play(kernel: Kernel, size: Size) -> list[float]:
        kernel.ready()
        open_echo(kernel)
        buffers = [b"x" * (mebibytes << 20)] if mebibytes else []
        echo(kernel, buffers)
        return timed(lambda: echo(kernel, buffers), size(times, 1))

    return play


def echo_while_a_cell_awaits(kernel: Kernel, size: Size) -> list[float]:
    """What a cell that awaits a widget's answer waits for."""
    kernel.ready()
    open_echo(kernel)
    kernel.begin("import asyncio\nprint('x', flush=True)\nawait asyncio.sleep(60)")
    return timed(lambda: echo(kernel, [], patience=5), size(200, 5))


PRINT = "for i in range({number}): print('{line}')"

ROWS = [
    Row("print-100k", "100,000 prints of 80 characters", lines(PRINT, 100_000, 2_000), floor=to_a_file(100_000)),
    Row("print-1m", "1,000,000 prints of 80 characters", lines(PRINT, 1_000_000, 20_000), floor=to_a_file(1_000_000), rounds=2),
    Row("pieces", "20 MiB in pieces of 1 MiB", lines("for i in range({number}): print('x' * (2**20 - 1))", 20, 2, MEBIBYTE)),
    Row("fd-1", "100 MB through descriptor 1", lines(
        "import os\npiece = b'{line}\\n' * 100\nfor i in range({number} // 100):\n"
        "    left = memoryview(piece)\n    while left: left = left[os.write(1, left):]", 1_000_000, 20_000, "x" * 99), rounds=2),
    Row("thread", "100,000 prints from a thread", lines(THREADS.replace("{{0}}", "1"), 100_000, 2_000)),
    Row("threads", "100,000 prints from four threads", lines(THREADS.replace("{{0}}", "4"), 100_000, 2_000)),
    Row("displays", "2,000 × `display()`", displays),
    Row("plots", "200 plots by matplotlib in one cell", plots, rounds=1),
    Row("comm-messages", "10,000 comm messages with 64 KiB each", comm_messages, rounds=2),
    Row("comm", "comm echo", echo_of(0, 200)),
    Row("comm-await", "the same while a cell awaits", echo_while_a_cell_awaits),
    Row("comm-1", "comm echo of 1 MiB", echo_of(1, 20)),
    Row("comm-16", "comm echo of 16 MiB", echo_of(16, 6)),
    Row("comm-128", "comm echo of 128 MiB", echo_of(128, 3), rounds=3),
]  # fmt: skip
