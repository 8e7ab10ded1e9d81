"""The covering array covers, and is the same each time."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hazards"))

import covering
import pairs
from hazardlib import table

ALL = frozenset(need for row in table.load() for need in row.needs)


def test_every_pair_is_met() -> None:
    axes = pairs.axes(ALL)
    scenes = covering.cover(axes, 1)
    assert set().union(*map(covering.met, scenes)) == covering.pairs(axes)
    # No smaller array can be had than the two longest axes multiplied, and a fair one is not much larger.
    least = len(axes["cell"]) * len(axes["thread"])
    assert least <= len(scenes) <= 1.2 * least
    assert len(scenes) >= 300


def test_the_same_seed_gives_the_same_scenes() -> None:
    axes = pairs.axes(ALL)
    assert covering.cover(axes, 2) == covering.cover(axes, 2)
    assert covering.cover(axes, 2) != covering.cover(axes, 3)


def test_small_arrays() -> None:
    assert covering.cover({"a": ["1", "2"]}, 1) == []
    two = covering.cover({"a": ["1", "2"], "b": ["3", "4"]}, 1)
    assert sorted((scene["a"], scene["b"]) for scene in two) == [
        ("1", "3"),
        ("1", "4"),
        ("2", "3"),
        ("2", "4"),
    ]


def test_the_rows_named_are_there_and_can_meet() -> None:
    """A cell runs in one row of a scene only; the others leave the kernel idle."""
    rows = {row.name: row for row in table.load()}
    for axis, names in pairs.AXES.items():
        for name in names:
            assert (axis == "cell") == bool(rows[name].cell), name
            assert rows[name].script == ("shutdown",), name
    listed = {name for names in pairs.AXES.values() for name in names}
    for excuse in (
        pairs.NOBODY_RUNS_PYTHON,
        pairs.NOBODY_GOES_ON,
        pairs.LITTLE_TIME,
        pairs.NEEDS_TIME,
        pairs.STUCK_MAIN,
        pairs.NEVER_RETURNS,
        pairs.CONTENDS,
    ):
        assert excuse <= listed
