"""What an editor asks while one types, of an idle kernel and of a busy one."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable

from processes import Kernel
from row import Failed, Row, Size, need, timed

SETUP = "import os, pandas\nframe = pandas.DataFrame({'first column': [1], 'second column': [2]})"


def ask(
    kernel: Kernel, kind: str, content: dict, check: Callable[[dict], object], patience: float
) -> None:
    request = kernel.send(f"{kind}_request", content)
    try:
        reply = kernel.reply(request, patience=patience)["content"]
    except queue.Empty:
        raise Failed("no answer") from None
    need(reply.get("status") != "error" and check(reply), f"a wrong answer: {str(reply)[:60]}")


def completion(code: str, match: str) -> tuple[str, dict, Callable[[dict], object]]:
    content = {"code": code, "cursor_pos": len(code)}
    return (
        "complete",
        content,
        lambda reply: any(found.endswith(match) for found in reply["matches"]),
    )


QUESTIONS = {
    "complete": ("a completion", *completion("os.getpi", "getpid")),
    "columns": ("a completion of a DataFrame's columns", "complete", {"code": "frame['", "cursor_pos": 7},
                lambda reply: any("first column" in match for match in reply["matches"])),
    "inspect": ("an inspection", "inspect", {"code": "frame", "cursor_pos": 5, "detail_level": 0},
                lambda reply: reply["found"]),
    "is-complete": ("`is_complete`", "is_complete", {"code": "for i in range(3):"},
                    lambda reply: reply["status"] == "incomplete"),
    "history": ("ten lines of history", "history", {"hist_access_type": "tail", "n": 10, "output": False, "raw": True},
                lambda reply: reply["history"]),
    "kernel-info-idle": ("`kernel_info`", "kernel_info", {}, lambda reply: reply["implementation"]),
}  # fmt: skip

# Each says when it has begun. Some kernels need the GIL to send what was printed: they get time for it.
BUSY = {
    "sleep": ("sleeps", "import time\nprint('x', flush=True)\ntime.sleep({0})"),
    "spin": ("computes", "import time\nprint('x', flush=True)\nend = time.time() + {0}\nwhile time.time() < end: pass"),
    "c": ("is in C with the GIL", "import ctypes, time\nprint('x', flush=True)\ntime.sleep(0.4)\nctypes.PyDLL(None).sleep({0});"),
}  # fmt: skip


# Those that only Python can answer wait for the cell, and come when it is over.
AT_ONCE = ("complete", "columns", "inspect")


def question(name: str, busy: str | None = None) -> Callable[[Kernel, Size], list[float]]:
    _, kind, content, check = QUESTIONS[name]

    def play(kernel: Kernel, size: Size) -> list[float]:
        kernel.ready()
        kernel.run(SETUP)
        # In the smoke run nothing is measured: the cell goes on for longer than an answer may take, and a busy machine has time for it.
        patience = 20 if busy is None else size(1, 10 if name in AT_ONCE else 1)
        if busy is None:
            ask(kernel, kind, content, check, patience)
        else:
            time.sleep(1)
            kernel.begin(BUSY[busy][1].format(size(3, 30)))
            time.sleep(0.6)
        spans: list[float] = []
        end = time.monotonic() + (60 if busy is None else 1.5)
        while len(spans) < size(60, 5) and time.monotonic() < end:
            begun = time.perf_counter()
            ask(kernel, kind, content, check, patience)
            spans.append(time.perf_counter() - begun)
        return spans

    return play


def control_info(kernel: Kernel, size: Size) -> list[float]:
    """kernel_info on control while C holds the GIL: whether a supervisor can tell that the kernel lives."""
    kernel.ready()
    kernel.begin(BUSY["c"][1].format(size(3, 30)))
    time.sleep(0.6)

    def once() -> None:
        request = kernel.send("kernel_info_request", {}, channel="control")
        try:
            kernel.reply(request, "control", patience=size(1, 10))
        except queue.Empty:
            raise Failed("no answer") from None

    return timed(once, size(20, 3))


def first_completion(code: str, match: str) -> Callable[[Kernel, Size], float]:
    """The first that a kernel is asked for, once it has run a cell: what its completer has put off."""

    def play(kernel: Kernel, size: Size) -> float:
        kernel.ready()
        kernel.run("import os")
        begun = time.perf_counter()
        ask(kernel, *completion(code, match), patience=20)
        return time.perf_counter() - begun

    return play


ROWS = [
    Row("first-completion", "the first completion, `os.getpi`", first_completion("os.getpi", "getpid")),
    Row("first-builtin", "the first completion, `prin`", first_completion("prin", "print")),
    *(Row(name, title, question(name)) for name, (title, *_) in QUESTIONS.items()),
    *(
        Row(f"{name}-{busy}", f"{QUESTIONS[name][0]} while a cell {words}", question(name, busy),
            waits=name not in AT_ONCE)
        for busy, (words, _) in BUSY.items()
        for name in ("complete", "columns", "inspect", "is-complete", "history")
    ),
    Row("control-c", "`kernel_info` on control while a cell is in C with the GIL", control_info),
]  # fmt: skip
