"""How a process begins, is interrupted, restarts, rests and ends."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from processes import Kernel
from row import Failed, Row, Size, median


def to_kernel_info(kernel: Kernel, size: Size) -> float:
    kernel.reply(kernel.client.kernel_info())
    return time.perf_counter() - kernel.started


def to_first_execute(kernel: Kernel, size: Size) -> float:
    kernel.reply(kernel.client.execute("1 + 1"))
    return time.perf_counter() - kernel.started


def to_libraries(kernel: Kernel, size: Size) -> float:
    code = "%matplotlib inline\nimport pandas\nimport matplotlib.pyplot as plt"
    reply = kernel.reply(kernel.client.execute(code))
    if reply["content"]["status"] != "ok":
        raise Failed("it failed")
    return time.perf_counter() - kernel.started


def bare(code: str) -> Callable[[Size], list[float]]:
    """The floor of a start: the interpreter alone."""

    def play(size: Size) -> list[float]:
        spans = []
        for _ in range(size(5, 1)):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            spans.append(time.perf_counter() - begun)
        return spans

    return play


def memory(kernel: Kernel, size: Size) -> float:
    """What only this process uses (USS), after a cell, once it has come to rest."""
    kernel.ready()
    time.sleep(1)
    return kernel.memory("uss")


@contextlib.contextmanager
def crowd(kernel: Kernel, size: Size) -> Iterator[list[Kernel]]:
    """This kernel and others like it, started at once; each has run a cell."""
    others = [kernel.sibling() for _ in range(size(29, 3))]
    try:
        for other in others:
            other.start()
        everyone = [kernel, *others]
        waiting = [(one, one.client.execute("1 + 1")) for one in everyone]
        for one, request in waiting:
            one.reply(request, patience=60)
        yield everyone
    finally:
        for other in others:
            other.stop()


def crowd_time(kernel: Kernel, size: Size) -> float:
    with crowd(kernel, size):
        return time.perf_counter() - kernel.started


def crowd_memory(kernel: Kernel, size: Size) -> float:
    """PSS: what they share is counted once, and divided among them."""
    with crowd(kernel, size) as everyone:
        time.sleep(2)
        return sum(one.memory("pss") for one in everyone)


def restart(busy: bool) -> Callable[[Kernel, Size], float]:
    """As jupyter_client restarts a kernel, without its polling: asked on control, killed after 5 s where that did not help, and started
    anew with the same file; until a cell has run."""

    def play(kernel: Kernel, size: Size) -> float:
        kernel.ready()
        if busy:
            kernel.begin("import time\nprint('x', flush=True)\nwhile True: time.sleep(0.001)")
        begun = time.perf_counter()
        kernel.send("shutdown_request", {"restart": True}, channel="control")
        try:
            kernel.process.wait(timeout=2.5)
        except subprocess.TimeoutExpired:
            os.killpg(kernel.process.pid, signal.SIGTERM)
            try:
                kernel.process.wait(timeout=2.5)
            except subprocess.TimeoutExpired:
                os.killpg(kernel.process.pid, signal.SIGKILL)
                kernel.process.wait()
        kernel.disconnect()
        kernel.start()
        kernel.reply(kernel.client.execute("1 + 1"))
        return time.perf_counter() - begun

    return play


def interrupt(code: str) -> Callable[[Kernel, Size], float]:
    """By a signal to the process group: every kernel that is compared here knows that way. Until the reply of the cell."""

    def play(kernel: Kernel, size: Size) -> float:
        kernel.ready()
        spans = []
        for _ in range(size(10, 2)):
            cell = kernel.begin(f"import asyncio, time\nprint('x', flush=True)\n{code}")
            time.sleep(0.02)
            begun = time.perf_counter()
            os.killpg(kernel.process.pid, signal.SIGINT)
            try:
                kernel.reply(cell, patience=5)
            except queue.Empty:
                ended = kernel.process.poll() is not None
                raise Failed("the kernel ended" if ended else "no answer") from None
            spans.append(time.perf_counter() - begun)
            kernel.outputs(cell)
        return median(spans)

    return play


def shutdown(before: str) -> Callable[[Kernel, Size], float]:
    def play(kernel: Kernel, size: Size) -> float:
        kernel.ready()
        kernel.run(before)
        begun = time.perf_counter()
        kernel.send("shutdown_request", {"restart": False}, channel="control")
        try:
            kernel.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            raise Failed("still there after 10 s") from None
        return time.perf_counter() - begun

    return play


def per_thread(kernel: Kernel, file: str, number: Callable[[str], str]) -> int:
    """The sum over the threads of a process of what a file of /proc says of each."""
    total = 0
    for thread in Path(f"/proc/{kernel.process.pid}/task").glob(f"*/{file}"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            total += int(number(thread.read_text()))
    return total


def wake_ups(kernel: Kernel) -> int:
    """How often any thread of it was put to sleep: each time it had been woken."""
    name = "\nvoluntary_ctxt_switches:"
    return per_thread(kernel, "status", lambda text: text.rpartition(name)[2].split()[0])


def processor_time(kernel: Kernel) -> float:
    """In seconds, by the scheduler's nanoseconds."""
    return per_thread(kernel, "schedstat", lambda text: text.split()[0]) / 1e9


def rest(kernel: Kernel, size: Size) -> tuple[int, float]:
    """Wake-ups and processor time in a minute in which nobody asks for anything; measured once for the rows that share a kernel."""
    if kernel.rested is None:
        kernel.disconnect()
        time.sleep(3)
        woken, spent = wake_ups(kernel), processor_time(kernel)
        time.sleep(minute := size(60, 4))
        kernel.rested = (
            (wake_ups(kernel) - woken) * 60 // minute,
            (processor_time(kernel) - spent) * 60 / minute,
        )
    return kernel.rested


WORK = (
    "%matplotlib inline\nimport pandas, matplotlib.pyplot as plt, threading\nplt.plot([1, 2])\nplt.show()\n"
    "thread = threading.Thread(target=print, args=('x',))\nthread.start()"
)

ROWS = [
    Row("kernel-info", "start → `kernel_info_reply`", to_kernel_info, rounds=10),
    Row("first-execute", "start → first execute done", to_first_execute, floor=bare("pass"), rounds=20),
    Row("libraries", "start → pandas and matplotlib imported", to_libraries,
        floor=bare("import pandas, matplotlib.pyplot")),
    Row("memory", "memory after the first cell (USS)", memory, "bytes"),
    Row("crowd", "30 kernels at once, until each has run a cell", crowd_time, rounds=2),
    Row("crowd-memory", "their memory (PSS)", crowd_memory, "bytes", rounds=1),
    Row("restart", "restart → first execute done, idle", restart(False)),
    Row("restart-busy", "the same in the middle of a loop", restart(True)),
    Row("interrupt-sleep", "interrupt of `time.sleep`", interrupt("time.sleep(60)")),
    Row("interrupt-loop", "interrupt of a loop", interrupt("while True: pass")),
    Row("interrupt-await", "interrupt of an `await`", interrupt("await asyncio.sleep(60)")),
    Row("shutdown", "`shutdown_request` → process gone, idle", shutdown("pass")),
    Row("shutdown-work", "the same after a plot and a thread", shutdown(WORK)),
    Row("wake-ups", "wake-ups in 60 s of idleness", lambda kernel, size: rest(kernel, size)[0], "count", fresh=False, rounds=1),
    Row("idle-cpu", "processor time in 60 s of idleness", lambda kernel, size: rest(kernel, size)[1], fresh=False, rounds=1),
]  # fmt: skip
