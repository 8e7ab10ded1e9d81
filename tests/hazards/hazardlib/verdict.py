"""What did not hold in the end of a kernel.

Two kinds of failures: those that a user feels whatever the kernel promised (it did not end, ended
late or with an error, output, files or a child were lost), and those against what drupe promises
on the wire (the last word, an answer for everyone). Only the first count when kernels are compared.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

from . import load
from .client import Client, Message
from .ending import Ending, Request
from .table import Hazard

FELT = ("hang", "late", "status", "crash", "lost", "child", "state", "wire")

_CRASH = re.compile(
    r"Fatal Python error[^\n]*|panicked at[^\n]*|Segmentation fault|terminate called"
)
_NUMBER = re.compile(r"line (\d+)\n")
_NO_REPLY = ("comm_msg", "comm_close", "comm_open", "input_reply")


@dataclass(frozen=True)
class Failure:
    """One thing that did not hold. `kind` is one of `FELT`, or "reply", "answer", "refusal",
    "words" or "listener"."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def judge(
    hazard: Hazard, ending: Ending, *, slack: float = 1.0, at_least: float = 0.0
) -> list[Failure]:
    """Every failure of one row. `slack` multiplies the time that the row allows; `at_least` is
    allowed in any case (seconds)."""
    limit = max(hazard.expect.within / 1000 * slack, at_least)
    failures = _end(hazard, ending, limit)
    if ending.seconds is None:
        # What a kernel that had to be killed would have kept is not known.
        return failures
    failures += [
        *_kept(hazard, ending),
        *_left(hazard, ending),
        *_words(hazard, ending),
        *_last_word(ending),
    ]
    for request in ending.requests:
        failures += _answers(request)
    for client in ending.clients:
        failures += [Failure("wire", text) for text in client.invalid]
    return failures


def _end(hazard: Hazard, ending: Ending, limit: float) -> list[Failure]:
    out = []
    if ending.seconds is None:
        out.append(Failure("hang", "did not end by itself"))
    else:
        if ending.seconds > limit:
            text = f"ended after {ending.seconds:.2f} s, not {limit:.2f} s"
            if load.is_grouped():
                text += f" ({load.AUTOGROUP} is on: another kernel may have had its processor)"
            out.append(Failure("late", text))
        if ending.status != hazard.expect.status:
            out.append(Failure("status", f"exit status {ending.status}"))
    if found := _CRASH.search(ending.stderr):
        out.append(Failure("crash", found.group(0)[:160]))
    return out


def _kept(hazard: Hazard, ending: Ending) -> list[Failure]:
    out = []
    expect = hazard.expect
    seen = [c for c in ending.clients if not c.closed or c.log]
    text = seen[0].text("stdout") if seen else ""
    position = 0
    for piece in expect.output:
        at = text.find(piece, position)
        if at < 0:
            out.append(Failure("lost", f"the output {piece!r}"))
        else:
            position = at + len(piece)
    if expect.numbered:
        out += numbered(text, ending.files.get("said", ""))
    for name, wanted in expect.files.items():
        found = ending.files.get(name)
        if wanted == "-":
            if fnmatch.filter(ending.files, name):
                out.append(Failure("lost", f"{name} was not cleaned away"))
        elif found is None:
            out.append(Failure("lost", f"the file {name}"))
        elif found != wanted:
            out.append(Failure("lost", f"{name}: {found[-60:]!r}, not {wanted[-60:]!r}"))
    for name, wanted in expect.last_line.items():
        if not ending.files.get(name, "").endswith(f"{wanted}\n"):
            out.append(Failure("lost", f"the last line of {name}"))
    for name, wanted in (expect.archives | expect.rows).items():
        if (found := (ending.archives | ending.rows).get(name)) != wanted:
            out.append(Failure("lost", f"{name} holds {found}, not {wanted}"))
    return out


def numbered(text: str, said: str) -> list[Failure]:
    """Whether the lines that `said` records, all of whose prints had returned, are in `text`."""
    printed = [int(n) for n in said.split()]
    arrived = [int(n) for n in _NUMBER.findall(text)]
    if not printed:
        return [Failure("state", "the code recorded no line")]
    missing = sorted(set(range(1, max(printed) + 1)) - set(arrived))
    out = []
    if missing:
        some = f"{missing[0]}…{missing[-1]}"
        out.append(Failure("lost", f"{len(missing)} of {max(printed)} lines ({some})"))
    if arrived != sorted(set(arrived)):
        out.append(Failure("lost", "lines came twice or out of order"))
    return out


def _left(hazard: Hazard, ending: Ending) -> list[Failure]:
    out = []
    kinds = {"gone": ending.survivors + ending.outsiders, "session": ending.survivors, "any": []}
    if behind := kinds[hazard.expect.children]:
        out.append(Failure("child", f"left behind: {'; '.join(behind)}"))
    if hazard.expect.left and not ending.left_lives:
        out.append(Failure("child", "a process outside the kernel's group was ended"))
    name = ending.files.get("memory.name", "")
    if hazard.expect.unlinked and (not name or Path("/dev/shm", name).exists()):
        out.append(Failure("child", f"the shared memory {name!r} was left behind"))
    if hazard.expect.silent_lsp and ending.listeners:
        out.append(Failure("listener", f"began to listen on {sorted(ending.listeners)}"))
    return out


def _words(hazard: Hazard, ending: Ending) -> list[Failure]:
    said = ending.clients[0].text("stderr")
    missing = [w for w in hazard.expect.says if w not in said]
    return [Failure("words", f"stderr does not say {w!r}") for w in missing]


def _last_word(ending: Ending) -> list[Failure]:
    """Who asked hears one shutdown_reply, and nothing after it."""
    out = []
    for client in ending.clients:
        asked = [i for i, (_, kind) in client.sent.items() if kind == "shutdown_request"]
        if client.closed or not asked:
            continue
        for request in asked:
            channel = client.sent[request][0]
            replies = _of(client, request, channel)
            if len(replies) != 1:
                out.append(Failure("reply", f"{len(replies)} shutdown_reply on {channel}"))
        iopub = [m for m in client.log if m.channel == "iopub"]
        if not any(m.type == "shutdown_reply" for m in iopub):
            out.append(Failure("reply", "no shutdown_reply on iopub"))
        elif iopub[-1].type != "shutdown_reply":
            out.append(Failure("reply", f"iopub ends with {_brief(iopub[-1])}"))
        control = [m for m in client.log if m.channel == "control"]
        if control and control[-1].type != "shutdown_reply":
            out.append(Failure("reply", f"control ends with {_brief(control[-1])}"))
    return out


def _answers(request: Request) -> list[Failure]:
    """Whoever asked something gets one answer, between busy and idle."""
    client, act = request.client, request.act
    if client.closed or request.type == "shutdown_request":
        return []
    marked = act.get("refused") or act.get("answered")
    if request.after_trigger and not marked:
        return []
    out = []
    name = request.type
    channel = act.get("channel", "shell")
    replies = _of(client, request.id, channel)
    if request.type not in _NO_REPLY and len(replies) != 1:
        out.append(Failure("answer", f"{len(replies)} replies to {name}"))
    states = [
        m.content.get("execution_state")
        for m in _of(client, request.id, "iopub")
        if m.type == "status"
    ]
    if request.type == "execute_request" and states[:2] == ["busy", "busy"]:
        # While a cell runs, `busy` is said again after the `idle` of a request beside it.
        states = ["busy", *states[states.count("busy") :]]
    if states != ["busy", "idle"]:
        out.append(Failure("answer", f"the states around {name} were {states}"))
    if act.get("refused"):
        out += _refusal(request, replies)
    return out


def _refusal(request: Request, replies: list[Message]) -> list[Failure]:
    if request.type == "comm_open":
        closed = [
            m
            for m in request.client.log
            if m.channel == "iopub"
            and m.type == "comm_close"
            and m.content.get("comm_id") == request.content["comm_id"]
        ]
        return [] if len(closed) == 1 else [Failure("refusal", f"{len(closed)} comm_close")]
    if request.type == "debug_request":
        told = [m.content.get("success") for m in replies]
        return [] if told == [False] else [Failure("refusal", f"a debug request: success {told}")]
    wanted = "aborted" if request.type == "execute_request" else "error"
    statuses = [m.content.get("status") for m in replies]
    if statuses != [wanted]:
        return [Failure("refusal", f"{request.type} was answered {statuses}, not {wanted!r}")]
    return []


def _of(client: Client, request: str, channel: str) -> list[Message]:
    return [m for m in client.children(request) if m.channel == channel]


def _brief(message: Message) -> str:
    detail = message.content.get("execution_state") or message.content.get("text") or ""
    return f"{message.type} {detail!r}"[:80]
