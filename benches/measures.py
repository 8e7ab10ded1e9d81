"""What is measured. Each function takes a kernel that has just been started and returns seconds or bytes."""

import os
import queue
import signal
import statistics
import time

import psutil
from processes import Kernel


class Failed(Exception):
    """The kernel did not do what was measured; the text goes into the table."""


def start_to_kernel_info(kernel: Kernel) -> float:
    kernel.reply(kernel.client.kernel_info())
    return time.perf_counter() - kernel.started


def start_to_first_execute(kernel: Kernel) -> float:
    kernel.reply(kernel.client.execute("1 + 1"))
    return time.perf_counter() - kernel.started


def memory(kernel: Kernel) -> float:
    """What only this process uses (USS), after a cell, once it has come to rest."""
    kernel.ready()
    time.sleep(1)
    processes = [process := psutil.Process(kernel.process.pid), *process.children(recursive=True)]
    return sum(process.memory_full_info().uss for process in processes)


def timed(action, times: int) -> float:
    spans = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        spans.append(time.perf_counter() - begun)
    return statistics.median(spans)


def round_trip(kernel: Kernel) -> float:
    kernel.ready()
    return timed(lambda: kernel.run("pass"), 200)


def many_at_once(kernel: Kernel) -> float:
    client = kernel.ready()
    begun = time.perf_counter()
    requests = [client.execute("pass") for _ in range(500)]
    for request in requests:
        kernel.reply(request)
    return (time.perf_counter() - begun) / len(requests)


def prints(kernel: Kernel) -> float:
    client = kernel.ready()
    begun = time.perf_counter()
    request = client.execute("for i in range(100_000): print('x' * 80)")
    try:
        messages = kernel.outputs(request)
    except queue.Empty:
        raise Failed("incomplete: its end never came") from None
    span = time.perf_counter() - begun
    lines = "".join(message["content"].get("text", "") for message in messages).count("\n")
    if lines != 100_000:
        raise Failed(f"incomplete: {lines} of 100000 lines")
    return span


def displays(kernel: Kernel) -> float:
    client = kernel.ready()
    begun = time.perf_counter()
    code = "from IPython.display import display\nfor i in range(2000): display(i)"
    messages = kernel.outputs(client.execute(code))
    span = time.perf_counter() - begun
    shown = sum(message["msg_type"] == "display_data" for message in messages)
    if shown != 2000:
        raise Failed(f"incomplete: {shown} of 2000")
    return span


TURNS = """
import asyncio, time
async def turns():
    begun = time.thread_time()
    for _ in range(100_000):
        await asyncio.sleep(0)
    return (time.thread_time() - begun) / 100_000
"""


def turn(kernel: Kernel) -> float:
    """Processor time."""
    kernel.ready()
    kernel.run(TURNS)
    taken = []
    for _ in range(5):
        messages = kernel.run("print(await turns())")
        text = "".join(message["content"].get("text", "") for message in messages)
        try:
            taken.append(float(text))
        except ValueError:
            raise Failed("no answer") from None
    return statistics.median(taken)


def round_trip_beside_tasks(kernel: Kernel) -> float:
    """The loop waits in its selector when the request comes, and a task of the user's wakes it now and then."""
    kernel.ready()
    kernel.run(
        "import asyncio\n"
        "async def tick():\n    while True:\n        await asyncio.sleep(0.05)\n"
        "ticking = asyncio.get_event_loop().create_task(tick())"
    )
    return timed(lambda: kernel.run("pass"), 200)


ECHO = """
from comm import get_comm_manager
def echo(comm, opening):
    comm.on_msg(lambda message: comm.send(message['content']['data']))
get_comm_manager().register_target('echo', echo)
"""


def comm_echo_while_a_cell_awaits(kernel: Kernel) -> float:
    """What a cell that awaits a widget's answer waits for."""
    return comm_echo(kernel, "import asyncio\nprint('x', flush=True)\nawait asyncio.sleep(60)")


def comm_echo(kernel: Kernel, beside: str | None = None) -> float:
    client = kernel.ready()
    kernel.run(ECHO)

    def send(kind: str, content: dict) -> str:
        message = client.session.msg(kind, content)
        client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def echo() -> None:
        request = send("comm_msg", {"comm_id": "bench", "data": {"n": 1}})
        while True:
            message = client.get_iopub_msg(timeout=5)
            parent = message["parent_header"].get("msg_id")
            if message["msg_type"] == "comm_msg" and parent == request:
                return

    send("comm_open", {"comm_id": "bench", "target_name": "echo", "data": {}})
    if beside is not None:
        kernel.begin(beside)
    try:
        return timed(echo, 200)
    except queue.Empty:
        raise Failed("no answer") from None


def kernel_info_without_the_gil(kernel: Kernel) -> float:
    client = kernel.ready()
    # Some kernels need the GIL to send what was printed: they get time for it.
    cell = kernel.begin(
        "import ctypes, time\nprint('x', flush=True)\ntime.sleep(0.4)\nctypes.PyDLL(None).sleep(2);"
    )
    time.sleep(0.6)

    def ask() -> None:
        message = client.session.msg("kernel_info_request")
        client.control_channel.send(message)
        kernel.reply(message["header"]["msg_id"], "control", patience=1)

    try:
        span = timed(ask, 20)
    except queue.Empty:
        raise Failed("no answer") from None
    kernel.reply(cell)
    return span


def interrupt(kernel: Kernel) -> float:
    """By a signal to the process group: every kernel that is compared here knows that way."""
    kernel.ready()
    spans = []
    for _ in range(10):
        cell = kernel.begin("import time\nprint('x', flush=True)\ntime.sleep(60)")
        time.sleep(0.02)
        begun = time.perf_counter()
        os.killpg(kernel.process.pid, signal.SIGINT)
        try:
            kernel.reply(cell, patience=5)
        except queue.Empty:
            raise Failed(
                "the kernel ended" if kernel.process.poll() is not None else "no answer"
            ) from None
        spans.append(time.perf_counter() - begun)
        kernel.outputs(cell)
    return statistics.median(spans)


def shutdown(kernel: Kernel) -> float:
    client = kernel.ready()
    begun = time.perf_counter()
    client.control_channel.send(client.session.msg("shutdown_request", {"restart": False}))
    try:
        kernel.process.wait(timeout=10)
    except Exception:
        raise Failed("still there after 10 s") from None
    return time.perf_counter() - begun


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 0.995 else milliseconds(value)


def milliseconds(value: float) -> str:
    return f"{value * 1000:.{1 if value < 0.0995 else 0}f} ms"


def microseconds(value: float) -> str:
    return f"{value * 1e6:.2f} µs"


def mebibytes(value: float) -> str:
    return f"{value / 2**20:.1f} MiB"


# By name: the function, the table's row, how a number is written.
MEASURES = {
    "kernel-info": (start_to_kernel_info, "start → `kernel_info_reply`", milliseconds),
    "first-execute": (start_to_first_execute, "start → first execute done", milliseconds),
    "memory": (memory, "memory after it (USS)", mebibytes),
    "pass": (round_trip, "`pass`, round trip", milliseconds),
    "pass-tasks": (round_trip_beside_tasks, "the same beside a task that sleeps", milliseconds),
    "turn": (turn, "`await asyncio.sleep(0)`, processor time", microseconds),
    "500-at-once": (many_at_once, "500 executes sent at once, each", milliseconds),
    "prints": (prints, "100,000 × `print('x' * 80)`", seconds),
    "displays": (displays, "2,000 × `display()`", seconds),
    "comm": (comm_echo, "comm echo", milliseconds),
    "comm-await": (
        comm_echo_while_a_cell_awaits,
        "the same while a cell awaits",
        milliseconds,
    ),
    "gil": (
        kernel_info_without_the_gil,
        "`kernel_info` on control while C holds the GIL",
        milliseconds,
    ),
    "interrupt": (interrupt, "interrupt of `time.sleep`", milliseconds),
    "shutdown": (shutdown, "`shutdown_request` → process gone, idle", milliseconds),
}
