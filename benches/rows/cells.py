"""Each kind of cell that people run all day: one after another, as a front-end does it, and many sent at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from processes import Kernel
from raw import RawClient
from row import Row, Size, median, need, shown, text_of, timed


def nothing(messages: list[dict]) -> None:
    kinds = {message["msg_type"] for message in messages} - {"status", "execute_input"}
    need(not kinds, f"said more than it should: {', '.join(sorted(kinds))}")


def said(text: str, stream: str = "stdout") -> Callable[[list[dict]], None]:
    return lambda messages: need(
        text_of(messages, stream) == text, f"incomplete: {text_of(messages, stream)[:20]!r}"
    )


def result(text: str) -> Callable[[list[dict]], None]:
    def check(messages: list[dict]) -> None:
        found = [data.get("text/plain", "") for data in shown(messages)]
        need(found == [text], f"incomplete: {str(found)[:40]}")

    return check


def displayed(kind: str, number: int = 1) -> Callable[[list[dict]], None]:
    def check(messages: list[dict]) -> None:
        found = sum(kind in data for data in shown(messages))
        need(found == number, f"incomplete: {found} of {number} {kind}")

    return check


def mixed(messages: list[dict]) -> None:
    order = [
        message["content"].get("text") or message["content"]["data"]["text/plain"]
        for message in messages
        if message["msg_type"] in ("stream", "display_data")
    ]
    need(order == ["1\n", "2", "3\n"], f"out of order: {order}")


def failed(deep: int) -> Callable[[list[dict]], None]:
    def check(messages: list[dict]) -> None:
        errors = [message["content"] for message in messages if message["msg_type"] == "error"]
        need(len(errors) == 1, "no error was told")
        need(
            errors[0]["ename"] == "ZeroDivisionError", f"its name is told as `{errors[0]['ename']}`"
        )
        lines = "\n".join(errors[0]["traceback"]).count("\n")
        need(lines >= deep, f"the traceback has {lines} lines")

    return check


def widget(messages: list[dict]) -> None:
    need(any(message["msg_type"] == "comm_open" for message in messages), "no comm was opened")
    displayed("application/vnd.jupyter.widget-view+json")(messages)


DEEP = "def deep(n):\n    return deep(n - 1) if n else 1 / 0"
FRAME = (
    "import numpy, pandas\n"
    "frame = pandas.DataFrame(numpy.arange(1200.0).reshape(60, 20)).add_prefix('column ')"
)


@dataclass(frozen=True)
class Kind:
    name: str
    title: str
    code: str
    check: Callable[[list[dict]], None]
    before: str = ""
    options: dict = field(default_factory=dict)
    times: int = 60
    at_once: int = 200

    def trip(self, kernel: Kernel, size: Size) -> list[float]:
        if self.before:
            kernel.run(self.before)

        def cell() -> None:
            self.check(kernel.run(self.code, **self.options))

        timed(cell, 3)
        return timed(cell, size(self.times, 5))

    def flood(self, kernel: Kernel, size: Size) -> float:
        """Seconds for each, of many sent at once."""
        if self.before:
            kernel.run(self.before)
        cells = [self.code] * size(self.at_once, 5)
        outputs, span = kernel.run_at_once(cells, stop_on_error=False, **self.options)
        for messages in outputs:
            self.check(messages)
        return span / len(cells)


KINDS = [
    Kind("pass", "`pass`", "pass", nothing),
    Kind("unstored", "the same without `store_history`", "pass", nothing, options={"store_history": False}),
    Kind("expression", "`1 + 1`", "1 + 1", result("2")),
    Kind("print", "`print(1)`", "print(1)", said("1\n")),
    Kind("prints", "two prints", "print(1)\nprint(2)", said("1\n2\n")),
    Kind("flush", "a print with `flush=True`", "print(1, flush=True)", said("1\n")),
    Kind("write", "stdout without a newline", "import sys\nsys.stdout.write('1');", said("1")),
    Kind("stderr", "a print to stderr", "import sys\nprint(1, file=sys.stderr)", said("1\n", "stderr")),
    Kind("display", "`display(1)`", "display(1)", displayed("text/plain")),
    Kind("mixed", "print, display, print", "print(1)\ndisplay(2)\nprint(3)", mixed),
    Kind("frame", "a DataFrame of 60 × 20", "frame", displayed("text/html"), FRAME),
    Kind(
        "plot",
        "a plot by matplotlib",
        "plt.plot([1, 3, 2])\nplt.show()",
        displayed("image/png"),
        "%matplotlib inline\nimport matplotlib.pyplot as plt",
        times=20,
        at_once=20,
    ),
    Kind("error", "`1 / 0`", "1 / 0", failed(2)),
    Kind("deep", "an error 40 calls deep", "deep(40)", failed(40), DEEP, at_once=50),
    Kind("shell", "`!true`", "!true", nothing, times=30, at_once=20),
    Kind("bash", "`%%bash`", "%%bash\necho 1", said("1\n"), at_once=50),
    Kind(
        "timeit",
        "`%timeit -n 10 -r 2 pass`",
        "%timeit -n 10 -r 2 pass",
        lambda messages: need("per loop" in text_of(messages), "incomplete"),
    ),
    Kind("capture", "`%%capture` of a print", "%%capture\nprint(1)", nothing),
    Kind("await", "`await asyncio.sleep(0)`", "await asyncio.sleep(0)", nothing, "import asyncio"),
    Kind("expressions", "with a `user_expression`", "a = 1", nothing, options={"user_expressions": {"a": "a"}}),
    Kind("widget", "a slider by ipywidgets", "widgets.IntSlider()", widget, "import ipywidgets as widgets"),
    Kind("big", "a result of 10 MB", "big", result("x" * 10_000_000), BIG := (
        "class Big:\n    def __repr__(self):\n        return 'x' * 10_000_000\nbig = Big()"
    ), times=8, at_once=5),
]  # fmt: skip


def raw(code: str) -> Callable[[Kernel, Size], list[float]]:
    """From the last byte sent to reply and idle, by a client that parses and waits for nothing else."""

    def play(kernel: Kernel, size: Size) -> list[float]:
        kernel.ready()
        with RawClient(kernel.file) as client:
            timed(lambda: client.run(code), 20)
            return timed(lambda: client.run(code), size(400, 20))

    return play


TASK = (
    "import asyncio\nasync def tick():\n    while True:\n        await asyncio.sleep(0.05)\n"
    "ticking = asyncio.get_event_loop().create_task(tick())"
)


def beside_a_task(kernel: Kernel, size: Size) -> list[float]:
    """The loop waits in its selector when the request comes, and a task of the user's wakes it now and then."""
    kernel.ready()
    kernel.run(TASK)
    return timed(lambda: kernel.run("pass"), size(200, 5))


TURNS = """
import asyncio, time
async def turns():
    begun = time.thread_time()
    for _ in range({0}):
        await asyncio.sleep(0)
    return (time.thread_time() - begun) / {0}
"""


def turn(kernel: Kernel, size: Size) -> list[float]:
    kernel.ready()
    kernel.run(TURNS.format(size(100_000, 1_000)))
    taken = []
    for _ in range(5):
        text = text_of(kernel.run("print(await turns())"))
        need(text.strip(), "no answer")
        taken.append(float(text))
    return [median(taken)]


ROWS = [
    Row("raw-pass", "`pass`, by a bare client", raw("pass"), floor="kernel"),
    Row("raw-print", "`print(1)`, by a bare client", raw("print(1)")),
    *(Row(kind.name, kind.title, kind.trip, fresh=False, floor="kernel" if kind.name == "pass" else None) for kind in KINDS),
    *(Row(f"{kind.name}-at-once", f"{kind.title}, {kind.at_once} at once, each", kind.flood, fresh=False,
          floor="kernel" if kind.name == "pass" else None) for kind in KINDS),
    Row("pass-task", "`pass` beside a task that sleeps", beside_a_task),
    Row("turn", "`await asyncio.sleep(0)`, processor time of one among 100,000", turn, "processor"),
]  # fmt: skip
