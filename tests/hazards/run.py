#!/usr/bin/env python3
"""Play the hazard table on one or more kernels and print what each did.

    python tests/hazards/run.py [--kernel NAME]... [--python EXE]... [--only PATTERN]...
                                [--jobs N] [--markdown FILE] [--verbose]

Each row is given to each kernel in turn; a kernel ends by itself or counts as hung. drupe is held
to everything that the table and `verdict` say; the others only to what a user feels: whether they
end, when, with which status, and what is lost. Exit status 1 when drupe failed a row.
"""

from __future__ import annotations

import argparse
import fnmatch
import itertools
import multiprocessing
import os
import platform
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hazardlib import kernels, load, ports, scene, table, verdict
from hazardlib.process import become_reaper

LIMIT = 2.5
"""Seconds within which a kernel must have ended to survive a row: then jupyter_client's manager
sends SIGTERM."""


@dataclass
class Result:
    """One row on one kernel."""

    hazard: str
    kernel: str
    python: str
    seconds: float | None = None
    failures: list[verdict.Failure] = field(default_factory=list)
    absent: str = ""
    """Why the row was not played."""

    @property
    def survived(self) -> bool:
        """Whether it ended by itself, in time, with status 0, and nothing was lost."""
        return not any(f.kind in verdict.FELT for f in self.failures)

    @property
    def cell(self) -> str:
        """The result in a few words, as in the printed table."""
        if self.absent:
            return f"n/a ({self.absent})"
        felt = [
            f for f in self.failures if f.kind in verdict.FELT and f.kind not in ("hang", "late")
        ]
        when = "**no exit**" if self.seconds is None else f"{self.seconds:.2f} s"
        if self.seconds is not None and any(f.kind == "late" for f in self.failures):
            when = f"**{when}**"
        return "; ".join([when, *(str(f)[:160] for f in felt)])


def play(
    hazard: table.Hazard,
    kernel: kernels.Kernel,
    patience: float,
    slack: float,
    at_least: float,
) -> Result:
    """Play one row and judge it; never raises for what the kernel does."""
    result = Result(hazard.name, kernel.name, kernel.python)
    if missing := [n for n in hazard.needs if n not in kernel.abilities]:
        result.absent = f"needs {', '.join(missing)}"
        return result
    try:
        ending = scene.play(hazard, kernel, patience=patience)
    except scene.SceneError as error:
        result.failures.append(verdict.Failure("state", str(error)))
        return result
    except Exception as error:  # a message that no client expects must not end the whole run
        result.failures.append(verdict.Failure("wire", repr(error)))
        return result
    result.seconds = ending.seconds
    # The tighter times of some rows are drupe's own aims.
    if kernel.name != "drupe":
        slack, at_least = 1.0, LIMIT
    result.failures = verdict.judge(hazard, ending, slack=slack, at_least=at_least)
    return result


def begin_worker(slots: int, counter) -> None:
    with counter.get_lock():
        slot = counter.value
        counter.value += 1
    become_reaper()
    ports.share_ports(slot, slots)


def pool(jobs: int) -> ProcessPoolExecutor:
    """Processes that play scenes side by side, each with its own share of the ports."""
    context = multiprocessing.get_context("fork")
    counter = context.Value("i", 0)
    return ProcessPoolExecutor(jobs, context, begin_worker, (jobs, counter))


def select(rows: list[table.Hazard], patterns: list[str]) -> list[table.Hazard]:
    """The rows whose name or class matches one of the patterns (all when there is none)."""
    if not patterns:
        return rows
    return [
        row
        for row in rows
        if any(fnmatch.fnmatch(row.name, p) or fnmatch.fnmatch(row.group, p) for p in patterns)
    ]


def markdown(rows: list[table.Hazard], results: list[Result], command: str) -> str:
    """The table of all results, one column for each kernel."""
    columns = list(dict.fromkeys((r.kernel, r.python) for r in results))
    several = len({python for _, python in columns}) > 1
    heads = [f"{k} ({_version(p)})" if several else k for k, p in columns]
    found = {(r.hazard, r.kernel, r.python): r for r in results}
    lines = ["| hazard | " + " | ".join(heads) + " |", "| --- |" + " --- |" * len(heads)]
    for row in rows:
        cells = [found[(row.name, *column)].cell.replace("|", "\\|") for column in columns]
        lines.append(f"| {row.name}: {row.about} | " + " | ".join(cells) + " |")
    totals = []
    for column in columns:
        played = [r for r in results if (r.kernel, r.python) == column and not r.absent]
        totals.append(f"{sum(r.survived for r in played)} of {len(played)}")
    lines.append("| **survived by itself** | " + " | ".join(totals) + " |")
    where = f"{os.cpu_count()} processors, {platform.system()} {platform.release()}"
    intro = (
        f"Made by `{command}` ({where}). A time is from the request to the end of the process; "
        f"bold where that was too late. Survived: ended by itself within {LIMIT} s, exit status 0, "
        "nothing lost.\n"
    )
    return intro + "\n" + "\n".join(lines) + "\n"


def often(rows: list[table.Hazard], results: list[Result]) -> str:
    """A line for each row that was played many times, all kernels together."""
    lines = []
    for row in rows:
        played = [r for r in results if r.hazard == row.name and not r.absent]
        times = sorted(r.seconds for r in played if r.seconds is not None) or [float("nan")]
        failed = sum(bool(r.failures) for r in played)
        lines.append(
            f"{row.name:28} {len(played):5} played, {failed:3} failed, median {times[len(times) // 2]:.2f} s, "
            f"longest {times[-1]:.2f} s"
        )
    return "\n".join(lines)


def _version(python: str) -> str:
    return Path(python).parent.parent.name


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kernel", action="append", choices=kernels.NAMES, default=[])
    parser.add_argument("--python", action="append", default=[], help="default: this one")
    parser.add_argument("--only", action="append", default=[], help="name or class, * allowed")
    parser.add_argument("--jobs", type=int, default=1, help="rows played side by side")
    parser.add_argument("--patience", type=float, default=8.0, help="seconds until a row is hung")
    parser.add_argument("--slack", type=float, default=1.0, help="factor on every time allowed")
    parser.add_argument(
        "--at-least", type=float, default=0.0, help="seconds that are allowed in any case"
    )
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    parser.add_argument("--representative", action="store_true", help="only the small set")
    parser.add_argument(
        "--origins", action="store_true", help="only the failures that drupe began with"
    )
    parser.add_argument("--times", type=int, default=1, help="play each row so often")
    parser.add_argument("--load", type=int, default=0, help="pinned busy loops beside them")
    parser.add_argument("--list", action="store_true", help="print the rows and stop")
    parser.add_argument("--verbose", action="store_true", help="every failure of every kernel")
    args = parser.parse_args(argv)

    rows = select(table.load(), args.only)
    if args.representative:
        rows = [row for row in rows if row.representative]
    if args.origins:
        rows = [row for row in rows if row.origin]
    if args.list:
        for row in rows:
            print(f"{row.group:8} {row.name:28} {row.about}")
        return 0
    kernels.build_extension()
    chosen = []
    for name, python in itertools.product(
        args.kernel or kernels.NAMES,
        [os.path.abspath(python) for python in args.python] or [sys.executable],
    ):
        try:
            chosen.append(kernels.find(name, python))
        except kernels.KernelMissing as error:
            print(f"left out: {error}", file=sys.stderr)
            if args.kernel:
                return 2
    loops = load.begin(args.load)
    try:
        results = run(rows, chosen, args)
    finally:
        load.end(loops)
    if args.times > 1:
        print(often(rows, results))
        return 1 if any(r.kernel == "drupe" and r.failures for r in results) else 0
    command = "make hazards"
    text = markdown(rows, results, command)
    if args.markdown:
        args.markdown.write_text(text, encoding="utf-8")
    print(text)
    failed = [r for r in results if r.kernel == "drupe" and r.failures]
    for result in failed:
        for failure in result.failures:
            print(f"FAILED {result.hazard} ({result.python}): {failure}")
    return 1 if failed else 0


def run(rows: list[table.Hazard], chosen: list[kernels.Kernel], args) -> list[Result]:
    """Play every row on every kernel; reports each on stderr as it ends."""
    results = []
    done = 0
    begun = time.monotonic()
    with pool(args.jobs) as workers:
        work = {
            workers.submit(play, row, kernel, args.patience, args.slack, args.at_least): row
            for _ in range(args.times)
            for kernel in chosen
            for row in rows
        }
        for future in as_completed(work):
            result = future.result()
            results.append(result)
            done += 1
            mark = "n/a" if result.absent else "ok" if not result.failures else "FAILED"
            if result.kernel != "drupe" and not result.absent:
                mark = "survived" if result.survived else "lost"
            took = "-" if result.seconds is None else f"{result.seconds:.3f} s"
            line = f"[{done}/{len(work)} {time.monotonic() - begun:4.0f} s] {result.kernel:12}"
            print(f"{line} {result.hazard:28} {took:>9} {mark}", file=sys.stderr)
            if result.failures and (args.verbose or result.kernel == "drupe"):
                for failure in result.failures:
                    print(f"      {failure}", file=sys.stderr)
    shutil.rmtree(ports.scratch(), ignore_errors=True)
    order = {row.name: i for i, row in enumerate(rows)}
    which = {(k.name, k.python): i for i, k in enumerate(chosen)}
    return sorted(results, key=lambda r: (which[r.kernel, r.python], order[r.hazard]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
