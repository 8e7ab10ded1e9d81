"""Measures drupe beside the other Python kernels, in one run with one client.

    benches/run.py [--smoke] [--kernels drupe,ipykernel,xeus-python] [--rounds 5] [--only NAME,NAME] [--write]

The rounds go through the kernels in turn, so that a machine that is busy for a while is busy for all of them. A kernel
that is not installed beside the interpreter that runs this is left out. Whatever was measured is kept in `--results`, one run
after the other, and `--write` puts all of that into docs/bench.md, its pictures and the README. The smoke run plays a taste of
each row with drupe alone, checks what came, and fails where something did not.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import kernels
import psutil
import report
from kernels import Contestant
from processes import Kernel
from row import Curve, Failed, Row, Size
from rows import CURVES, GROUPS
from rows.growth import LanguageServer

Value = float | str

# What a kernel that has ended, or answers nonsense, makes of whoever measures it.
WRONG = (RuntimeError, OSError, ValueError, KeyError, IndexError, psutil.Error)


def note(text: str) -> None:
    print(f"\r{text}", end="\033[K", file=sys.stderr, flush=True)


def values_of(row: Row, kernel: Kernel, size: Size) -> list[Value]:
    try:
        value = row.play(kernel, size)
    except Failed as failure:
        return [str(failure)]
    except queue.Empty:
        return ["no answer"]
    except WRONG as error:
        return [f"failed: {error}"[:80]]
    return [*value] if isinstance(value, list) else [value]


def batches(rows: list[Row]) -> list[list[Row]]:
    """Rows that share a kernel, together."""
    found: list[list[Row]] = []
    for row in rows:
        if found and not row.fresh and not found[-1][-1].fresh:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def play(
    batch: list[Row], contestant: Contestant, folder: Path, size: Size
) -> dict[str, list[Value]]:
    """Whoever failed gets a new kernel for the next row."""
    taken: dict[str, list[Value]] = {}
    with ExitStack() as stack:
        kernel = None
        for row in batch:
            note(f"{contestant.name}: {row.name}")
            if kernel is None:
                kernel = stack.enter_context(Kernel(contestant.argv, folder))
                if not row.fresh:
                    kernel.ready()
            taken[row.name] = values_of(row, kernel, size)
            if isinstance(taken[row.name][0], str):
                stack.pop_all().close()
                kernel = None
    return taken


def has_failed(results: dict, row: Row, contestant: Contestant) -> bool:
    values = results.get(row.name, {}).get(contestant.name, [])
    return any(isinstance(value, str) for value in values)


def measure_rows(
    contestants: list[Contestant],
    rows: list[Row],
    rounds: int,
    folder: Path,
    size: Size,
    results: dict,
) -> Iterator[None]:
    """Into results, `{row: {kernel or "floor": [values and failures]}}`; yields when a few rows are done."""

    def keep(name: str, who: str, values: list[Value]) -> None:
        results.setdefault(name, {}).setdefault(who, []).extend(values)

    nothing = kernels.floor()
    for batch in batches(rows):
        most = max(row.rounds or rounds for row in batch) if size.whole else 1
        for number in range(most):
            now = [row for row in batch if number < (row.rounds or rounds)]
            for contestant in contestants:
                # Who has failed is not asked again: it takes longest.
                able = [row for row in now if not has_failed(results, row, contestant)]
                for name, values in play(able, contestant, folder, size).items():
                    keep(name, contestant.name, values)
            for row in now:
                if row.floor == "kernel" and nothing:
                    keep(row.name, "floor", play([row], nothing, folder, size)[row.name])
                elif callable(row.floor):
                    value = row.floor(size)
                    keep(row.name, "floor", value if isinstance(value, list) else [value])
        yield


def measure_curve(curve: Curve, contestant: Contestant, folder: Path, size: Size) -> dict | str:
    """`{step: [values]}`, or why there are none."""
    note(f"{contestant.name}: {curve.name}")
    try:
        with Kernel(contestant.argv, folder) as kernel:
            if contestant.language_server:
                kernel.ready()
                with LanguageServer(kernel):
                    return curve.play(kernel, curve.steps if size.whole else curve.taste)
            return curve.play(kernel, curve.steps if size.whole else curve.taste)
    except Failed as failure:
        return str(failure)
    except queue.Empty:
        return "no answer"
    except WRONG as error:
        return f"failed: {error}"[:80]


def failures(results: dict) -> list[str]:
    found = [
        f"{name}: {value}"
        for name, by in results["rows"].items()
        for value in by.get("drupe", ["nothing was measured"])
        if isinstance(value, str) and not report.row_of(name).waits
    ]
    for name, by in results["curves"].items():
        found += [f"{name}, {who}: {value}" for who, value in by.items() if isinstance(value, str)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--kernels", default=",".join(kernels.KERNELS), help="which kernels, by name"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each row is played")
    parser.add_argument(
        "--only",
        default="",
        help="only these rows and curves, by name; a name that ends with * stands for all that begin so",
    )
    parser.add_argument("--smoke", action="store_true", help="a taste of everything, drupe alone")
    parser.add_argument("--results", type=Path, default=kernels.ROOT / ".cache/bench/results.json")
    parser.add_argument(
        "--write", action="store_true", help="write the documents from the results kept"
    )
    arguments = parser.parse_args()
    asked = [name for name in arguments.only.split(",") if name]

    def wanted(name: str) -> bool:
        return not asked or any(
            name.startswith(one[:-1]) if one.endswith("*") else name == one for one in asked
        )

    size = Size(whole=not arguments.smoke)
    results: dict = {"rows": {}, "curves": {}}

    def keep() -> dict:
        """An hour is long: what there is, is kept."""
        if arguments.smoke:
            return results
        return report.merge(arguments.results, json.loads(json.dumps(results)))

    with tempfile.TemporaryDirectory(prefix="drupe-bench-") as name:
        folder = Path(name)
        contestants = []
        for kernel in ["drupe"] if arguments.smoke else arguments.kernels.split(","):
            found = kernels.KERNELS[kernel](folder)
            if found:
                contestants.append(found)
            else:
                print(f"{kernel} is not installed here: left out", file=sys.stderr)
        results["about"] = report.about(contestants)
        rows = [row for group in GROUPS.values() for row in group if wanted(row.name)]
        for _ in measure_rows(contestants, rows, arguments.rounds, folder, size, results["rows"]):
            keep()
        both = [
            *contestants,
            *(
                Contestant("drupe with an editor", one.version, one.argv, language_server=True)
                for one in contestants
                if one.name == "drupe"
            ),
        ]
        for curve in CURVES:
            if wanted(curve.name):
                results["curves"][curve.name] = {
                    one.name: measure_curve(curve, one, folder, size) for one in both
                }
                keep()
    note("")
    print(report.text(results))
    if arguments.smoke:
        wrong = failures(results)
        print("\n".join(wrong) or "everything came, and all of it")
        sys.exit(bool(wrong))
    if arguments.write:
        report.write(keep())


if __name__ == "__main__":
    main()
