#!/usr/bin/env python3
"""Every two states of different kinds, met once: a cell, threads, tasks, atexit functions, objects and children.

    python tests/soak/pairs.py [--scenes N] [--seed S] [--python EXE]... [--jobs 3]
    python tests/soak/pairs.py --only NUMBER [--python EXE]

The values of each kind are rows of the hazard table; a covering array says which of them meet in which scene. Every scene
is played on each Python, or, with `--scenes N`, N of them, spread over the Pythons. Beside what the soak asks of its runs,
the first atexit function and a buffered file of each scene must be kept, whatever else is in it, unless nobody can run
Python any more.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hazards"))

import covering
import soak
from hazardlib import kernels, table

AXES = {
    "cell": (
        *("cell-sleep", "cell-spin", "cell-gil-deque", "cell-gil-deadlock", "cell-c-sleep"),
        *("cell-regex", "cell-input", "cell-await", "cell-await-finally", "cell-await-swallow"),
        *("cell-finally", "cell-finally-works", "cell-finally-blocks", "cell-swallow"),
        *("cell-swallow-spin", "cell-sigint-ignored", "cell-lock", "cell-subprocess", "cell-query"),
    ),
    "thread": (
        *("thread-nondaemon-sleep", "thread-nondaemon-spin", "thread-daemon-spin", "thread-timer"),
        *("thread-executor-forever", "thread-run-in-executor", "thread-process-pool"),
        *("thread-native-ctypes", "thread-call-soon", "thread-call-soon-native"),
        *("thread-native-forever", "thread-logging-lock", "thread-import-lock"),
        *("thread-asyncio-loop", "thread-starts-threads", "thread-joins-main", "thread-many"),
    ),
    "task": (
        *("task-finally", "task-finally-awaits", "task-ignores-cancel", "task-many"),
        *("async-generator", "async-server", "async-child"),
    ),
    "atexit": (
        *("atexit-writes", "atexit-works", "atexit-blocks", "atexit-swallows", "atexit-holds-gil"),
        *("atexit-raises", "atexit-spawns-child", "atexit-spawns-thread", "atexit-ten"),
    ),
    "object": (
        *("del-blocks", "del-joins", "del-cycle", "object-weakref-finalize", "object-exitstack"),
        *("drop-joins-at-exit", "file-unflushed", "file-zip"),
    ),
    "child": (
        *("child-alive", "child-ignores-sigterm", "child-own-session", "child-zombie"),
        *("child-stopped", "child-process", "child-pool", "child-fork", "child-orphan"),
        *("child-orphan-stubborn", "engine-pool-spawn"),
    ),
}
"""The rows that may meet. Each axis has the value "nothing", too."""

NOTHING = "nothing"

KEEPS = """
import atexit as _atexit
_atexit.register(lambda: open("first.txt", "w").write("kept"))
_out = open("buffered.txt", "w")
_ = _out.write("kept")
"""

NOBODY_RUNS_PYTHON = {"cell-gil-deque", "cell-gil-deadlock", "atexit-holds-gil"}
"""With one of these the GIL never comes back."""

NOBODY_GOES_ON = {"atexit-swallows"}
"""With one of these the atexit functions that were registered before are given up with it."""

LITTLE_TIME = {
    *("cell-c-sleep", "cell-await-swallow", "cell-finally-blocks", "cell-swallow"),
    *("cell-swallow-spin", "cell-sigint-ignored", "cell-query", "cell-regex"),
    *("thread-nondaemon-sleep", "thread-nondaemon-spin", "thread-timer", "thread-executor-forever"),
    *("thread-run-in-executor", "thread-process-pool", "thread-asyncio-loop", "thread-many"),
    *("thread-joins-main", "thread-starts-threads", "task-ignores-cancel"),
    *("child-ignores-sigterm", "child-orphan-stubborn"),
}
"""One of these takes all the time there is, so that the atexit functions have their 0.3 s, or a helper thread, which nothing
can interrupt, calls them."""

NEEDS_TIME = {
    *("atexit-works", "atexit-blocks", "atexit-ten", "thread-logging-lock", "thread-import-lock"),
    *("child-process", "child-pool", "engine-pool-spawn", "thread-process-pool"),
}
"""Each of these has an atexit function, its own or multiprocessing's, that needs that time or never returns."""


STUCK_MAIN = {
    *("cell-c-sleep", "cell-await-swallow", "cell-swallow", "cell-swallow-spin"),
    *("cell-sigint-ignored", "cell-query", "cell-regex"),
}
"""The main thread does not come out of one of these: helper threads do the teardown."""

NEVER_RETURNS = {"atexit-blocks", "thread-logging-lock", "thread-import-lock"}
"""Each has an atexit function that is stuck for ever, and a helper thread that calls it with it."""

CONTENDS = {
    *("cell-swallow-spin", "thread-nondaemon-spin", "thread-daemon-spin", "thread-native-ctypes"),
    *(
        "thread-call-soon",
        "thread-call-soon-native",
        "thread-native-forever",
        "task-ignores-cancel",
    ),
}
"""Beside one of these the next helper, which waits 0.055 s for the GIL, may come too late for it."""

STARTS_A_PROCESS = {"atexit-spawns-child"}
"""Its atexit function starts a process, which beside one that contends waits for the GIL a dozen times."""


def keeps(names: list[str]) -> tuple[str, ...]:
    """What must be kept in a scene of these rows."""
    rows = set(names)
    if rows & NOBODY_RUNS_PYTHON:
        return ()
    if rows & STUCK_MAIN and rows & NEVER_RETURNS and rows & CONTENDS:
        return ()
    needs_time = rows & NEEDS_TIME or (rows & STARTS_A_PROCESS and rows & CONTENDS)
    if rows & NOBODY_GOES_ON or (rows & LITTLE_TIME and needs_time):
        return ("buffered.txt",)
    return ("first.txt", "buffered.txt")


def axes(abilities: frozenset[str]) -> dict[str, list[str]]:
    """The values of each axis that can be played here."""
    rows = {row.name: row for row in table.load()}
    found = {}
    for axis, names in AXES.items():
        playable = [name for name in names if set(rows[name].needs) <= abilities]
        found[axis] = [NOTHING, *playable]
    return found


def scenes(abilities: frozenset[str], seed: int) -> list[soak.Draw]:
    """All scenes, in an order in which each first part of them is a fair choice."""
    rows = {row.name: row for row in table.load()}
    drawn = []
    for number, values in enumerate(covering.cover(axes(abilities), seed)):
        dice = random.Random(f"{seed} {number}")
        # The cell comes last: it runs at the trigger.
        names = [values[axis] for axis in ("object", "thread", "task", "atexit", "child", "cell")]
        drawn.append(
            soak.Draw(
                seed=number,
                rows=tuple(rows[name] for name in names if name != NOTHING),
                trigger=dice.choice(list(soak.TRIGGERS)),
                delay=dice.randrange(301),
                pause=dice.choice([0.001, 0.02]),
                setup=(KEEPS,),
                keeps=keeps(names),
            )
        )
    return drawn


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kernel", choices=kernels.NAMES, default="drupe")
    parser.add_argument("--python", action="append", default=[], help="default: this one")
    parser.add_argument("--seed", type=int, default=1, help="of the covering array")
    parser.add_argument(
        "--scenes", type=int, help="this many, spread over the Pythons; default: all on each"
    )
    parser.add_argument("--only", type=int, action="append", help="play the scene of this number")
    parser.add_argument("--jobs", type=int, default=3, help="kernels side by side")
    parser.add_argument("--load", type=int, default=0, help="pinned busy loops beside them")
    parser.add_argument("--markdown", type=Path, help="write the summary to this file")
    args = parser.parse_args(argv)

    chosen = soak.choose(args.kernel, args.python)
    if not chosen:
        return 2
    # A row that one of them cannot play is left out of all: the scenes are the same everywhere.
    abilities = frozenset.intersection(*(kernel.abilities for kernel in chosen))
    drawn = scenes(abilities, args.seed)
    met = covering.pairs(axes(abilities))
    print(f"{len(drawn)} scenes for {len(met)} pairs, seed {args.seed}, {args.jobs} at once")
    if args.only:
        drawn = [drawn[number] for number in args.only]
    if args.scenes is None:
        work = [(draw, kernel) for draw in drawn for kernel in chosen]
    else:
        work = [
            (draw, chosen[index % len(chosen)]) for index, draw in enumerate(drawn[: args.scenes])
        ]
    conditions = f"{len(met)} pairs, seed {args.seed}, {args.jobs} kernels at once"
    return soak.run(work, args, conditions)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
