#!/usr/bin/env python3
"""A language server asked for before, at and after the request to end, at random distances.

    python tests/soak/lsp_races.py [N] [--seed S] [--python EXE]... [--jobs 4] [--load 2]
    python tests/soak/lsp_races.py --replay SEED [--python EXE]

N runs for each of the three. What must hold: nobody is told of a server after the kernel said its
last word, an activation that came after the request is refused, no port that was named listens once
the process is gone, no type checker that an editor's question has started outlives it, and the end
keeps its budget.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import shutil
import socket
import sys
import time
from collections import Counter
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hazards"))

from hazardlib import kernels, load, ports, scene, table, verdict
from report import quantiles
from run import pool
from soak import LIMIT

WHEN = ("before", "at", "after")

# What the kernel is doing meanwhile; the last two keep the ladder busy for a while.
STATES = {
    "idle": "",
    "computing": "print('ready', flush=True)\nwhile True: pass",
    "stubborn": "import time\nprint('ready', flush=True)\n"
    "while True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        pass",
    "in C": "print('ready', flush=True)\nsum(range(10**13))",
}


MARK = "DRUPE_RACE"
"""The environment variable by which the processes of a run are known; it holds the seed."""

HALF_A_MESSAGE = b"Content-Length: 100\r\n\r\n{"


def _conversation() -> bytes:
    """As an editor that asks for the members of what a call returns."""
    uri = "file:///tmp/races.py"
    text = "import json\njson.JSONDecoder().decode('1')."
    document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    position = {"line": 1, "character": len(text.split("\n")[1])}
    says = [
        {
            "id": 1,
            "method": "initialize",
            "params": {"processId": None, "rootUri": None, "capabilities": {}},
        },
        {"method": "initialized", "params": {}},
        {"method": "textDocument/didOpen", "params": {"textDocument": document}},
        {
            "id": 2,
            "method": "textDocument/completion",
            "params": {"textDocument": {"uri": uri}, "position": position},
        },
    ]
    bodies = [json.dumps({"jsonrpc": "2.0"} | message).encode() for message in says]
    return b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)


QUESTION = _conversation()

LAST_WORDS = 0.5
"""Seconds before its end from which on a kernel need not read any more: its last reply is out. The end takes a second where
it is busy with a state, so that most activations come before that."""


@dataclass(frozen=True)
class Draw:
    """What a seed stands for."""

    seed: int
    when: str
    state: str
    delay: int
    """Milliseconds between the two messages; 0 where they are sent at once."""
    target: str
    first: str
    """Which of the two is sent first, where they are sent at once."""
    connects: bool
    """Whether an editor connects to the port, if there is one."""
    asks: bool
    """Whether it asks what only a type checker can answer, so that one is started."""
    pause: int
    """Milliseconds between that and the request to end."""

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.when} by {self.delay} ms, {self.state}, {self.target}"


@dataclass
class Outcome:
    """What became of a draw."""

    draw: Draw
    python: str
    seconds: float | None = None
    answer: str = "none"
    """"started", "refused", or "none": the kernel was gone before it read the activation."""
    failures: list[verdict.Failure] = field(default_factory=list)


def draw(seed: int) -> Draw:
    dice = random.Random(seed)
    when = WHEN[seed % len(WHEN)]
    # An idle kernel is gone before anything could come after.
    states = list(STATES)[2:] if when == "after" else list(STATES)
    return Draw(
        seed=seed,
        when=when,
        state=dice.choice(states),
        delay=0 if when == "at" else dice.randrange(301),
        target=dice.choice(["positron.lsp", "lsp"]),
        first=dice.choice(["shutdown", "activation"]),
        connects=dice.random() < 0.5,
        asks=dice.random() < 0.7,
        pause=dice.choice([0, 0, 5, 20, 100, 500]),
    )


def play(seed: int, kernel: kernels.Kernel) -> Outcome:
    """Play one draw; never raises for what the kernel does."""
    drawn = draw(seed)
    outcome = Outcome(drawn, kernel.python)
    stage = scene.Scene(kernel, patience=10, extra_env={MARK: str(seed)})
    activation = {"comm_open": drawn.target, "data": {"ip_address": "127.0.0.1"}}
    try:
        stage.wait_started("ready")
        if code := STATES[drawn.state]:
            stage.begin(code, "output ready")
        if drawn.when == "before":
            stage.perform(activation)
            stage.pump(drawn.delay / 1000)
            if drawn.delay > 100:
                stage.pump(10, lambda: bool(named_ports(stage)))
            if drawn.connects:
                connect(stage, QUESTION if drawn.asks else HALF_A_MESSAGE)
                stage.pump(drawn.pause / 1000 if drawn.asks else 0)
            stage.perform("shutdown")
        elif drawn.when == "at":
            both = ["shutdown", activation]
            for act in both if drawn.first == "shutdown" else reversed(both):
                stage.perform(act)
        else:
            stage.watch_listeners = True
            stage.perform("shutdown")
            stage.pump(drawn.delay / 1000)
            stage.perform(activation)
        sent_at = time.monotonic()
        ending = stage.await_end()
        judge(drawn, stage, ending, outcome)
        if drawn.when == "after" and outcome.answer == "refused":
            outcome.failures += refusal(ending.requests[-1])
        lived = ending.seconds is not None and ending.seconds - (sent_at - ending.triggered_at)
        if outcome.answer == "none" and lived > LAST_WORDS:
            text = f"the kernel lived for {lived:.2f} s and did not answer"
            outcome.failures.append(verdict.Failure("answer", text))
    except scene.SceneError as error:
        outcome.failures.append(verdict.Failure("state", str(error)))
    finally:
        stage.close()
    return outcome


def refusal(request) -> list[verdict.Failure]:
    """Whether an activation that was refused was refused once, and whole."""
    said = [m for m in request.client.log if m.channel == "iopub" and m.parent == request.id]
    kinds = [m.content.get("execution_state") or m.type for m in said]
    if kinds == ["busy", "comm_close", "idle"]:
        return []
    return [verdict.Failure("refusal", f"it was answered by {kinds}")]


def connect(stage: scene.Scene, says: bytes) -> None:
    """As an editor does once it knows the port; what it says is unanswered when the end comes."""
    for port in named_ports(stage):
        link = socket.create_connection(("127.0.0.1", port), timeout=5)
        link.sendall(says)
        stage.links.append(link)


def survivors(seed: int) -> list[str]:
    """The processes of a kernel that is gone, once they have had a second to go too."""
    mark = f"{MARK}={seed}".encode()

    def alive() -> list[str]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has gone meanwhile
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found.append(f"{folder.name}: {command.decode(errors='replace')}")
        return found

    until = time.monotonic() + 1
    while (left := alive()) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def named_ports(stage: scene.Scene) -> list[int]:
    """The ports that the kernel has named, in either form."""
    found = []
    for message in stage.client.log:
        data = message.content.get("data")
        if message.type == "comm_msg" and isinstance(data, dict):
            told = data.get("content") or data.get("params") or {}
            found += [told["port"]] if "port" in told else []
    return found


def judge(drawn: Draw, stage: scene.Scene, ending, outcome: Outcome) -> None:
    expect = table.Expect(silent_lsp=drawn.when == "after")
    row = table.Hazard("lsp", "lsp", "", expect=expect)
    outcome.seconds = ending.seconds
    outcome.failures = verdict.judge(row, ending, at_least=LIMIT)
    ports = named_ports(stage)
    closed = [m for m in stage.client.log if m.type == "comm_close" and m.channel == "iopub"]
    outcome.answer = "started" if ports else "refused" if closed else "none"
    if drawn.when == "after" and ports:
        outcome.failures.append(verdict.Failure("refusal", f"started on {ports}"))
    if drawn.when == "before" and not ports and drawn.delay > 100:
        outcome.failures.append(verdict.Failure("answer", "no port before the end was asked for"))
    if left := survivors(drawn.seed):
        outcome.failures.append(verdict.Failure("child", f"still there: {left}"))
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                outcome.failures.append(verdict.Failure("listener", f"{port} listens still"))


def summary(outcomes: list[Outcome], conditions: str, seconds: float) -> str:
    """Markdown: one line for each of the three."""
    out = [
        f"{len(outcomes)} runs in {seconds:.0f} s ({conditions}).",
        "",
        "| activation | runs | started | refused | gone before | failures | p50 | p99 | max |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for when in WHEN:
        these = [o for o in outcomes if o.draw.when == when]
        answers = Counter(o.answer for o in these)
        counts = [len(these), *(answers[a] for a in ("started", "refused", "none"))]
        counts.append(sum(bool(o.failures) for o in these))
        times = sorted(o.seconds for o in these if o.seconds is not None)
        cells = [when, *map(str, counts), *quantiles(times)]
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out) + "\n"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("runs", type=int, nargs="?", default=500, help="for each of the three")
    parser.add_argument("--python", action="append", default=[], help="default: this one")
    parser.add_argument("--seed", type=int, help="of the whole; default: drawn, and printed")
    parser.add_argument("--replay", type=int, action="append", help="play the draw of this seed")
    parser.add_argument("--jobs", type=int, default=4, help="kernels side by side")
    parser.add_argument("--load", type=int, default=0, help="pinned busy loops beside them")
    args = parser.parse_args(argv)
    try:
        chosen = [kernels.find("drupe", p) for p in args.python or [sys.executable]]
    except kernels.KernelMissing as error:
        print(error, file=sys.stderr)
        return 2
    whole = random.SystemRandom().randrange(1 << 31) if args.seed is None else args.seed
    seeds = args.replay or range(whole, whole + args.runs * len(WHEN))
    conditions = f"seed {whole}, {args.jobs} kernels at once, {args.load} busy loops"
    print(f"{len(seeds)} runs, {conditions}")
    begun = time.monotonic()
    loops = load.begin(args.load)
    outcomes = []
    try:
        with pool(args.jobs) as workers:
            turns = zip(seeds, itertools.cycle(chosen), strict=False)
            work = [workers.submit(play, seed, kernel) for seed, kernel in turns]
            for future in as_completed(work):
                outcomes.append(outcome := future.result())
                for failure in outcome.failures:
                    print(f"FAILED {outcome.draw} ({outcome.python}): {failure}", file=sys.stderr)
    finally:
        load.end(loops)
        shutil.rmtree(ports.scratch(), ignore_errors=True)
    print(summary(outcomes, conditions, time.monotonic() - begun))
    return 1 if any(o.failures for o in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
