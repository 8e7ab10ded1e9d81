"""What a row of the table is, and the few things that all of them need."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from processes import Kernel


class Failed(Exception):
    """The kernel did not do what was measured; the text goes into the table."""


@dataclass(frozen=True)
class Size:
    """How much of everything: all of it, or a taste of each for the smoke run."""

    whole: bool

    def __call__(self, number: int, taste: int) -> int:
        return number if self.whole else taste


@dataclass(frozen=True)
class Row:
    name: str
    """By which it is asked for."""
    title: str
    """In Markdown."""
    play: Callable[[Kernel, Size], float | list[float]]
    """Takes a kernel that has been started, and gives seconds or bytes; raises Failed where what it asked for did not come."""
    unit: str = "time"
    fresh: bool = True
    """In a kernel of its own; otherwise in one with the rows beside it that say so, too."""
    floor: Callable[[Size], float | list[float]] | str | None = None
    """What no kernel can be quicker than: the name of the do-nothing kernel, or a function that measures it."""
    waits: bool = False
    """No kernel answers it; it is there to be seen if one does."""
    rounds: int | None = None
    """How often, where once for each round is too much."""


@dataclass(frozen=True)
class Curve:
    """What one thing costs as another grows."""

    name: str
    title: str
    along: str
    """What grows, for the axis."""
    steps: tuple[int, ...]
    taste: tuple[int, ...]
    """The steps of the smoke run."""
    play: Callable[[Kernel, tuple[int, ...]], dict[int, list[float]]]
    """Takes a kernel through the steps, and gives what each cost."""
    unit: str = "time"


def timed(action: Callable[[], object], times: int) -> list[float]:
    spans = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        spans.append(time.perf_counter() - begun)
    return spans


def p99(values: list[float]) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * 0.99))]


def median(values: list[float]) -> float:
    return statistics.median(values)


def text_of(messages: list[dict], stream: str = "stdout") -> str:
    return "".join(
        message["content"]["text"]
        for message in messages
        if message["msg_type"] == "stream" and message["content"]["name"] == stream
    )


def shown(messages: list[dict]) -> list[dict]:
    """The bundles of what was displayed, and of the result."""
    kinds = ("display_data", "execute_result")
    return [message["content"]["data"] for message in messages if message["msg_type"] in kinds]


def need(true: object, otherwise: str) -> None:
    if not true:
        raise Failed(otherwise)


def seconds(value: float) -> str:
    if value >= 0.995:
        return f"{value:.2f} s"
    return f"{value * 1000:.{2 if value < 0.00995 else 1 if value < 0.0995 else 0}f} ms"


def mebibytes(value: float) -> str:
    return f"{value / 2**20:.1f} MiB"


FORMS = {
    "time": seconds,
    "bytes": mebibytes,
    "processor": lambda value: f"{value * 1e6:.2f} µs",
    "count": lambda value: f"{value:.0f}",
}
