"""From what was measured to a table, pictures and the pages that show them."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from pathlib import Path

import pictures
from kernels import ROOT, Contestant, version_of
from row import FORMS, Curve, Row, median, p99
from rows import CURVES, GROUPS

MARK = "◀"
"""Behind a figure of drupe's where another kernel is quicker or smaller."""
ENOUGH_FOR_P99 = 20

# What the README shows.
CHOSEN = (
    "kernel-info,first-execute,memory,pass,print,error,bash,pass-at-once,print-100k,displays,comm,comm-128,control-c,"
    "interrupt-sleep,restart-busy,shutdown"
).split(",")


def machine() -> str:
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []:
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {os.cpu_count()} processors, {platform.system()} {platform.release()}"


def about(contestants: list[Contestant]) -> dict:
    return {
        "kernels": {one.name: one.title for one in contestants},
        "machine": machine(),
        "versions": f"CPython {platform.python_version()}, IPython {version_of('ipython')}, "
        f"jupyter_client {version_of('jupyter_client')}, pyzmq {version_of('pyzmq')}",
        "load": [round(load, 1) for load in os.getloadavg()],
    }


def merge(file: Path, results: dict) -> dict:
    """What was measured now in place of what was kept of the same rows."""
    kept = (
        json.loads(file.read_text())
        if file.exists()
        else {"rows": {}, "curves": {}, "about": {"kernels": {}}}
    )
    for part in ("rows", "curves"):
        for name, by in results[part].items():
            kept[part].setdefault(name, {}).update(by)
    names = kept["about"]["kernels"] | results["about"]["kernels"]
    kept["about"] = results["about"] | {"kernels": names}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept))
    return kept


def numbers(values: list) -> list[float] | None:
    """None where most plays of it failed."""
    found = [value for value in values if not isinstance(value, str)]
    failed = len(values) - len(found)
    return found if found and failed * 2 < len(values) else None


def cell(values: list, row: Row) -> str:
    """The median; behind it the 99th of a hundred where there are enough for one, and else the least and the most."""
    found = numbers(values)
    if found is None:
        return next((value for value in values if isinstance(value, str)), "–")
    form = FORMS[row.unit]
    middle = form(median(found))
    if len(found) >= ENOUGH_FOR_P99:
        return f"{middle}; {form(p99(found))}"
    if len(found) > 1:
        return f"{middle} ({form(min(found))} – {form(max(found))})"
    return middle


def behind(by: dict, row: Row) -> list[str]:
    """The kernels that are quicker or smaller than drupe."""
    mine = numbers(by.get("drupe", []))
    found = []
    for name, values in by.items():
        theirs = numbers(values)
        if name in ("drupe", "floor") or theirs is None:
            continue
        if mine is None or median(theirs) < median(mine):
            found.append(name)
    return found


def line(by: dict, row: Row, names: list[str]) -> list[str]:
    shown = [cell(by.get(name, []), row) for name in names]
    if "drupe" in names and behind(by, row):
        shown[names.index("drupe")] += f" {MARK}"
    floor = numbers(by.get("floor", []))
    return [row.title, *shown, FORMS[row.unit](median(floor)) if floor else ""]


def markdown(lines: list[list[str]]) -> str:
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def table(results: dict, rows: list[Row], names: dict[str, str]) -> str:
    rows = [row for row in rows if results["rows"].get(row.name)]
    return markdown(
        [
            ["", *names.values(), "floor"],
            *(line(results["rows"][row.name], row, [*names]) for row in rows),
        ]
    )


def growth(results: dict, curve: Curve) -> str:
    """A row for each kernel: what it costs at each step, and the last beside the first."""
    by = results["curves"][curve.name]
    form = FORMS[curve.unit]
    steps = sorted(
        {int(step) for costs in by.values() if not isinstance(costs, str) for step in costs}
    )
    lines = [[curve.title, *(f"{step:,}" for step in steps), "last : first"]]
    for name, costs in by.items():
        if isinstance(costs, str):
            lines.append([name, costs, *[""] * len(steps)])
            continue
        medians = [median(costs.get(step) or costs[str(step)]) for step in steps]
        lines.append([name, *map(form, medians), f"{medians[-1] / medians[0]:.2f}"])
    return markdown(lines)


def text(results: dict) -> str:
    names = results["about"]["kernels"]
    parts = []
    for title, rows in GROUPS.items():
        if any(results["rows"].get(row.name) for row in rows):
            parts.append(f"### {title}\n\n{table(results, rows, names)}")
    parts += [growth(results, curve) for curve in CURVES if curve.name in results["curves"]]
    marked = [name for name, by in results["rows"].items() if behind(by, row_of(name))]
    rows = f"{len(results['rows'])} rows, {len(marked)} of them marked {MARK}"
    parts.append(f"{rows}: another kernel is quicker or smaller there." if len(names) > 1 else "")
    about = results["about"]
    parts.append(f"{about['versions']}. {about['machine']}; load {about['load'][0]} at the start.")
    return "\n\n".join(part for part in parts if part)


def row_of(name: str) -> Row:
    return next(row for rows in GROUPS.values() for row in rows if row.name == name)


def between(file: Path, name: str, new: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`."""
    page = file.read_text()
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(page):
        raise SystemExit(f"{file} has no place for {name}: <!-- {name} --> and <!-- /{name} -->")
    file.write_text(pattern.sub(lambda found: f"{found[1]}\n{new}\n\n{found[2]}", page))


def write(results: dict) -> None:
    names = results["about"]["kernels"]
    drawn = pictures.draw(results, ROOT / "docs/pictures")
    shown = "\n".join(f"![{title}](pictures/{file})" for title, file in drawn)
    between(ROOT / "docs/bench.md", "bench", f"{text(results)}\n\n{shown}")
    between(ROOT / "README.md", "bench", table(results, [row_of(name) for name in CHOSEN], names))
