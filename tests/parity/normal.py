"""What two runs of the same cell have in common: messages without what is different each time.

Every rule here applies to both kernels alike; a difference that is drupe's by intent is no rule but an entry in `allowed.toml`.
"""

import json
import re

# In this order: a longer pattern before one that it contains.
RULES = [
    (r"/[^\s'\"]*?/ipykernel_\d+/\d+\.py", "CELL.py"),
    (r"\b0x[0-9a-fA-F]{4,}\b", "0xADDRESS"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID"),
    (r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", "UUID"),
    # An object's address as a number, as Panel's links have it; short where the heap is low, as in a program at a fixed place.
    (r"\[\[\d{7,15},", "[[ADDRESS,"),
    (r"\(id=\d{7,15}\)", "(id=ADDRESS)"),
    # What Panel leaves of an identifier where it shortens a value.
    (r"\(id='[0-9a-f]{1,8}\.\.\.", "(id='UUID..."),
    (r"\b[0-9a-f]{8}-[0-9a-f]{24}_\d+_\d+\b", "MESSAGE"),
    (
        r"\b\d+(\.\d+)?(e[+-]\d+)? (ns|μs|µs|us|ms|s|min)\b( ± \d+(\.\d+)? (ns|μs|µs|us|ms|s))?",
        "TIME",
    ),
    (r"\bin \d+\.\d+s\b", "in TIME"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:?\d\d|Z)?", "DATE"),
    # The head of a summary by statsmodels.
    (r"(\bTime: +)\d\d:\d\d:\d\d\b", r"\1CLOCK"),
    (r"\b\d+[.,]\d+(it/s|s/it)", "RATE"),
    (r"\b\d\d:\d\d<\d\d:\d\d", "SPAN"),
    (r"<Task (pending|finished|cancelled) name='Task-\d+'", r"<Task \1 name='Task-N'"),
    # line_profiler's columns, and memory_profiler's sizes.
    (r"(?m)^( +\d+ +\d+) +\d+\.\d+ +\d+\.\d+ +\d+\.\d+", r"\1 TIMES"),
    (r"\b\d+\.\d+ MiB\b", "SIZE"),
    (r"\(\d+ loops? each\)|\d+ loops? each|\d+,?\d* loops", "LOOPS"),
]

ANSI = re.compile(r"\x1b\[[0-9;]*m")
# A frame in code of the kernel's or of the libraries that ipykernel sends with, which drupe does not use.
KERNELS = re.compile(
    r"^File .*/(ipykernel|drupe|jupyter_client|site-packages/comm)/|^ *\[\.\.\. skipping hidden \d+ frame"
)

# Of a message's metadata and content: written by jupyter_client's own session or by the clock.
IGNORED = {"started", "engine", "date"}


def normal(said: dict, own: dict) -> dict:
    """A cell's reply and messages as they can be compared. `own` maps texts of this run alone to their stand-ins."""
    return {
        "reply": plain(said["reply"], own),
        "messages": [plain(message, own) for message in joined(said["messages"])],
    }


def plain(data, own: dict):
    """Data as JSON has it, without what is different each time."""

    def text(value: str) -> str:
        for mine, stand_in in own.items():
            value = value.replace(mine, stand_in)
        for pattern, stand_in in RULES:
            value = re.sub(pattern, stand_in, value)
        return value

    def clean(value):
        if isinstance(value, str):
            return text(value)
        if isinstance(value, dict):
            return {
                text(key): frames(clean(item)) if key == "traceback" else clean(item)
                for key, item in value.items()
                if key not in IGNORED
            }
        if isinstance(value, list):
            return [clean(item) for item in value]
        return value

    return clean(json.loads(json.dumps(data, default=str)))


def frames(traceback: list) -> list:
    """A traceback in which the frames of the kernel's own code, however many, are one; and those of a recursion, whose number
    depends on how deep the kernel itself stands."""
    shown: list = []
    for line in traceback:
        if KERNELS.match(ANSI.sub("", line)):
            line = "frames of the kernel"
        if shown[-1:] != [line]:
            shown.append(line)
    return shown


def joined(messages: list) -> list:
    """Texts of one stream that follow each other are one: in how many pieces they come is a matter of time."""
    whole: list = []
    for message in messages:
        last = whole[-1] if whole else None
        if (
            last is not None
            and message["msg_type"] == last["msg_type"] == "stream"
            and message["content"]["name"] == last["content"]["name"]
        ):
            text = last["content"]["text"] + message["content"]["text"]
            whole[-1] = {**last, "content": {**last["content"], "text": text}}
        else:
            whole.append(message)
    return whole


def by_stream(messages: list) -> list:
    """The same with each stream's texts in one, at the place of its first: for cells whose streams have no order between them."""
    whole: list = []
    places: dict = {}
    for message in messages:
        name = message["content"].get("name") if message["msg_type"] == "stream" else None
        if name in places:
            place = places[name]
            text = whole[place]["content"]["text"] + message["content"]["text"]
            whole[place] = {**whole[place], "content": {"name": name, "text": text}}
            continue
        if name is not None:
            places[name] = len(whole)
        whole.append(message)
    return whole


def differences(ours: dict, theirs: dict) -> list:
    """Where two cells differ, one line each: the place, ipykernel's, drupe's."""
    lines: list = []
    _compare("", theirs, ours, lines)
    return lines


def matches(line: str, places: list) -> bool:
    """Whether a line of `differences` is at one of these places, regular expressions for its beginning."""
    return any(re.match(place, line) for place in places)


def _compare(place: str, theirs, ours, lines: list) -> None:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted({*theirs, *ours}):
            _compare(f"{place}.{key}", theirs.get(key, _NOTHING), ours.get(key, _NOTHING), lines)
    elif isinstance(theirs, list) and isinstance(ours, list):
        if [_kind(one) for one in theirs] != [_kind(one) for one in ours]:
            lines.append(f"{place}: {[_kind(x) for x in theirs]} != {[_kind(x) for x in ours]}")
        for number, (one, other) in enumerate(zip(theirs, ours)):
            _compare(f"{place}[{number}]", one, other, lines)
    elif theirs != ours:
        lines.append(f"{place}: {_short(theirs)} != {_short(ours)}")


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()


def _kind(value):
    return value.get("msg_type", "dict") if isinstance(value, dict) else type(value).__name__


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:300]} … {text[-300:]}"
