#!/usr/bin/env python3
"""Random shutdowns, many: hazards singly and in pairs, random delays and triggers, under load.

    python tests/soak/soak.py [N] [--seed S] [--python EXE]... [--jobs 4] [--load 2]
    python tests/soak/soak.py --replay SEED [--python EXE]

Each run draws from its own seed: one or two rows of the hazard table, how the kernel is asked to
end, and when. Beside them a thread prints numbered lines and records, after each print returned,
that it did: every recorded line must have arrived. A failed run is named with its seed, and
`--replay SEED` plays just that draw again.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import sys
import time
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hazards"))

import report
from hazardlib import kernels, load, ports, scene, table, verdict
from hazardlib.ending import Ending
from run import pool

TRIGGERS = {
    "shutdown": ("shutdown",),
    "restart": ("restart",),
    "sigterm": ("sigterm",),
    "both": ("shutdown", "sigterm"),
    "both-later": ("shutdown", "pause 100", "sigterm"),
    "client-gone": ("client-gone", "pause 50", "sigterm"),
    "client-and-parent-gone": ("client-gone", "pause 50", "parent-gone"),
    "parent-gone": ("parent-gone",),
}

NUMBERED = """
def _numbered():
    import os, threading, time
    said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    def work():
        n = 0
        while True:
            n += 1
            # One write, so that no other thread's output comes between.
            print("line " + str(n) + "\\n", end="")
            os.write(said, b"%d\\n" % n)
            time.sleep({pause})
    threading.Thread(target=work, daemon=True, name="numbered").start()
    while not os.fstat(said).st_size:
        time.sleep(0.001)
_numbered()
"""


LIMIT = 3.0
"""Seconds within which a kernel must have ended. The deadline is 2.3 s, and an end that it does not cut short comes never: between
them is only what a busy machine adds. The rows of the table, which are played two at a time, are held to 2.5 s."""


# A name that the second row binds anew must not be the end of what the first one had there: some
# of those ends never return, and the kernel would never be asked to end.
# Nor may it be run by what the first one has chosen to await with.
KEPT = "%autoawait asyncio\n_kept = dict(globals())"


@dataclass(frozen=True)
class Draw:
    """What a seed stands for."""

    seed: int
    rows: tuple[table.Hazard, ...]
    trigger: str
    delay: int
    """Milliseconds between the state and the trigger."""
    pause: float
    """Seconds between two numbered lines."""
    setup: tuple[str, ...] = ()
    """Cells that are run before those of the rows."""
    keeps: tuple[str, ...] = ()
    """Files that must hold "kept" in the end."""

    def __str__(self) -> str:
        names = " + ".join(row.name for row in self.rows) or "nothing"
        return f"seed {self.seed}: {names}, {self.trigger} after {self.delay} ms"


@dataclass
class Outcome:
    """What became of one draw. `seconds` is None where the kernel had to be killed."""

    draw: str
    seed: int
    python: str
    seconds: float | None
    lines: int
    failures: list[verdict.Failure] = field(default_factory=list)
    forced: bool = False
    """Whether something was left behind: the kernel said so on stderr, or took over a second."""


def eligible(abilities: frozenset[str]) -> list[table.Hazard]:
    """The rows that a draw may hold: states that need nothing but cells."""
    return [
        row
        for row in table.load()
        if row.soak
        and row.start == "ready"
        and row.clients == 1
        and not row.deaf
        and row.stdin == "null"
        and not row.expect.numbered
        and set(row.needs) <= abilities
        # A row whose script does more than to end the kernel is a state of its own.
        and row.script == ("shutdown",)
    ]


def can_meet(first: table.Hazard, second: table.Hazard) -> bool:
    """Whether both states can be reached: where a thread keeps the lock of a handler of `logging`, uvicorn, which configures
    that anew, waits for it without end, in any program."""
    names = (first.name, second.name)
    return "thread-logging-lock" not in names or not any("uvicorn" in name for name in names)


def draw(seed: int, rows: list[table.Hazard]) -> Draw:
    """The same seed always gives the same draw from the same table."""
    dice = random.Random(seed)
    first = dice.choice(rows)
    chosen = [first]
    if dice.random() < 0.5:
        # Two cells cannot run at once: the second row is one that leaves the kernel idle.
        others = [row for row in rows if not row.cell and row is not first]
        quiet = [row for row in others if can_meet(row, first)]
        chosen.insert(0, dice.choice(quiet))
    return Draw(
        seed=seed,
        rows=tuple(chosen),
        trigger=dice.choice(list(TRIGGERS)),
        delay=dice.randrange(301),
        pause=dice.choice([0.0, 0.001, 0.02]),
    )


def play(drawn: Draw, kernel: kernels.Kernel) -> Outcome:
    """Play one draw; never raises for what the kernel does."""
    script = TRIGGERS[drawn.trigger]
    outcome = Outcome(str(drawn), drawn.seed, kernel.python, None, 0)
    stage = scene.Scene(
        kernel, parent="stand-in" if "parent-gone" in script else "runner", patience=10
    )
    try:
        stage.wait_started("ready")
        stage.run(NUMBERED.format(pause=drawn.pause))
        for code in drawn.setup:
            stage.run(code)
        for row in drawn.rows:
            if row is not drawn.rows[0]:
                stage.run(KEPT)
            for code in row.setup:
                stage.run(code)
            stage.make_subshells(row.subshells)
            if row.cell:
                stage.begin(row.cell, row.until, row.subshell)
        stage.pump(drawn.delay / 1000)
        for act in script:
            stage.perform(act)
        ending = stage.await_end()
    except scene.SceneError as error:
        outcome.failures.append(verdict.Failure("state", str(error)))
        return outcome
    finally:
        stage.close()
    outcome.seconds = ending.seconds
    outcome.lines = ending.files.get("said", "").count("\n")
    said = ending.clients[0].text("stderr")
    outcome.forced = "had to leave something behind" in said or (ending.seconds or 99) > 1
    outcome.failures = judge(drawn, ending)
    return outcome


def judge(drawn: Draw, ending: Ending) -> list[verdict.Failure]:
    """What did not hold. What each row loses or keeps is not asked of a pair, whose halves share
    one budget: the end, its status, the lines, the reply and the kernel's own processes are."""
    limit = LIMIT + 1 if "parent-gone" in TRIGGERS[drawn.trigger] else LIMIT
    plain = table.Hazard("soak", "soak", "", expect=table.Expect(children="session"))
    failures = verdict.judge(plain, ending, at_least=limit)
    if ending.seconds is not None:
        lost = [name for name in drawn.keeps if ending.files.get(name) != "kept"]
        failures += [verdict.Failure("lost", f"the file {name}") for name in lost]
    client = ending.clients[0]
    if not client.closed:
        failures += verdict.numbered(client.text("stdout"), ending.files.get("said", ""))
    return failures


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("runs", type=int, nargs="?", default=200)
    parser.add_argument("--kernel", choices=kernels.NAMES, default="drupe")
    parser.add_argument("--python", action="append", default=[], help="default: this one")
    parser.add_argument("--seed", type=int, help="of the whole; default: drawn, and printed")
    parser.add_argument("--replay", type=int, action="append", help="play the draw of this seed")
    parser.add_argument("--jobs", type=int, default=4, help="kernels side by side")
    parser.add_argument("--load", type=int, default=0, help="pinned busy loops beside them")
    parser.add_argument("--markdown", type=Path, help="write the summary to this file")
    args = parser.parse_args(argv)

    chosen = choose(args.kernel, args.python)
    if not chosen:
        return 2
    whole = random.SystemRandom().randrange(1 << 31) if args.seed is None else args.seed
    dice = random.Random(whole)
    seeds = args.replay or [dice.randrange(1 << 31) for _ in range(args.runs)]
    print(f"{len(seeds)} runs, seed {whole}, {args.jobs} at once, {args.load} busy loops")
    if args.replay:
        args.jobs = 1
    rows = {kernel: eligible(kernel.abilities) for kernel in chosen}
    turns = zip(seeds, itertools.cycle(chosen), strict=False)
    work = [(draw(seed, rows[kernel]), kernel) for seed, kernel in turns]
    conditions = f"seed {whole}, {args.jobs} kernels at once, {args.load} busy loops"
    return run(work, args, conditions)


def choose(name: str, pythons: list[str]) -> list[kernels.Kernel]:
    """The kernel on each of the Pythons, by default on this one; none, and a line on stderr, where one is missing."""
    kernels.build_extension()
    try:
        return [kernels.find(name, python) for python in pythons or [sys.executable]]
    except kernels.KernelMissing as error:
        print(error, file=sys.stderr)
        return []


def run(work: list[tuple[Draw, kernels.Kernel]], args, conditions: str) -> int:
    """Play it all and print the summary; the exit status. `args` has `jobs`, `load` and `markdown`."""
    begun = time.monotonic()
    loops = load.begin(args.load)
    try:
        outcomes = soak(work, args.jobs)
    finally:
        load.end(loops)
        shutil.rmtree(ports.scratch(), ignore_errors=True)
    text = report.summary(outcomes, conditions, time.monotonic() - begun)
    print(text)
    if args.markdown:
        args.markdown.write_text(text, encoding="utf-8")
    return 1 if any(o.failures for o in outcomes) else 0


def soak(work: list[tuple[Draw, kernels.Kernel]], jobs: int) -> list[Outcome]:
    """Play each draw on its kernel; reports failures on stderr as they come."""
    outcomes = []
    begun = time.monotonic()
    with pool(jobs) as workers:
        plays = [workers.submit(play, drawn, kernel) for drawn, kernel in work]
        for future in as_completed(plays):
            outcome = future.result()
            outcomes.append(outcome)
            if outcome.failures:
                print(f"FAILED {outcome.draw} ({outcome.python})", file=sys.stderr)
                for failure in outcome.failures:
                    print(f"      {failure}", file=sys.stderr)
            if len(outcomes) % 100 == 0:
                rate = (time.monotonic() - begun) / len(outcomes)
                failed = sum(bool(o.failures) for o in outcomes)
                print(
                    f"[{len(outcomes)}/{len(plays)}] {failed} failed, {rate:.2f} s each",
                    file=sys.stderr,
                )
    return outcomes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
