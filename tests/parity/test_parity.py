"""Cells played on the installed ipykernel and on drupe in one run, and compared message by message.

What is alike needs no entry. A difference is allowed only by an entry in `allowed.toml`, with the reason why drupe's is right; an
entry whose cell does not differ any more fails. `DRUPE_PARITY=theme` in the environment prints all differences of one theme.
"""

import concurrent.futures
import os
import subprocess
import sys
from pathlib import Path

import pytest
from normal import by_stream, differences, matches, normal
from playing import kernels, play, read

tomllib = pytest.importorskip("tomllib")
pytest.importorskip("ipykernel")

HERE = Path(__file__).parent
DRUPE = Path(os.environ.get("DRUPE", HERE.parents[1] / "target" / "release" / "drupe"))
THEMES = {
    file.stem: file
    for folder in ("libraries", "cells")
    for file in sorted((HERE / folder).glob("*.cells"))
}
# The environment that has the libraries, which `make` fills from requirements/parity.txt.
LIBRARIES = HERE.parents[1] / ".cache" / "parity" / "bin" / "python"
AT_LEAST = 400


def python(file: Path) -> str:
    """The interpreter for a theme."""
    return str(LIBRARIES) if file.parent.name == "libraries" else sys.executable


def allowed() -> dict:
    with open(HERE / "allowed.toml", "rb") as file:
        return tomllib.load(file)


@pytest.fixture(scope="module")
def played() -> dict:
    """For each theme, by kernel: a future of what its cells said. Two kernels at a time, as the machine has processors."""
    for one in (sys.executable, LIBRARIES):
        # matplotlib's list of fonts: whoever has to make that first, and is slow, says so on stderr.
        subprocess.run([one, "-c", "import matplotlib.font_manager"], check=True)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield {
            theme: {
                name: pool.submit(play, argv, read(file))
                for name, argv in kernels(DRUPE, python(file)).items()
            }
            for theme, file in THEMES.items()
        }


@pytest.mark.parametrize("theme", THEMES)
def test_both_say_the_same(theme, played):
    (ours, our_own), (theirs, their_own) = (
        played[theme][name].result() for name in ("drupe", "ipykernel")
    )
    rules = allowed()
    entries = {title: entry for entry in rules.get(theme, []) for title in entry["cells"]}
    faults, unused = [], set(entries)
    for cell in read(THEMES[theme]):
        one = normal(ours[cell.title], our_own)
        other = normal(theirs[cell.title], their_own)
        everywhere(rules["everywhere"], one, other)
        entry = entries.get(cell.title)
        if entry and entry.get("sometimes"):
            unused.discard(cell.title)
        if entry and entry.get("streams") == "apart":
            one["messages"], other["messages"] = map(
                by_stream, (one["messages"], other["messages"])
            )
        found = differences(one, other)
        if entry and entry.get("places"):
            left = [line for line in found if not matches(line, entry["places"])]
            if left != found:
                unused.discard(cell.title)
            found = left
        faults += [f"{cell.title}: {line}" for line in found]
    if os.environ.get("DRUPE_PARITY") == theme:
        print("\n".join(faults))
    assert not faults, f"{len(faults)} differences (ipykernel's != drupe's)\n" + "\n".join(faults)
    assert not unused, f"these do not differ, and need no entry: {sorted(unused)}"


def everywhere(rules: list, *sides) -> None:
    """Take away what differs in every cell, by an entry that says why."""
    for rule in rules:
        *path, last = rule["place"].split(".")
        for side in sides:
            for start in [side, *side["messages"]] if path[:1] == ["messages"] else [side]:
                found = start
                for key in path[1:] if path[:1] == ["messages"] else path:
                    found = found.get(key, {}) if isinstance(found, dict) else {}
                if isinstance(found, dict):
                    found.pop(last, None)


def test_each_entry_has_its_reason():
    for theme, entries in allowed().items():
        for entry in entries:
            assert len(entry["reason"]) > 20, f"{theme}: {entry}"
            if theme != "everywhere":
                titles = {cell.title for cell in read(THEMES[theme])}
                assert set(entry["cells"]) <= titles, f"{theme}: {set(entry['cells']) - titles}"


def test_there_are_enough_cells():
    assert sum(len(read(file)) for file in THEMES.values()) >= AT_LEAST
