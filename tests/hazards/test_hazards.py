"""The hazard table on drupe: one test for each row.

The rows run whole on the first Python and the representative ones on the others. The Pythons are
those of DRUPE_TEST_PYTHONS (paths, separated by ":"), else the virtual environments in `.venvs`,
else this interpreter. DRUPE_HAZARD_SLACK multiplies every time that a row allows (default 1).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hazardlib import kernels, ports, scene, table, verdict
from hazardlib.process import become_reaper

ROOT = Path(__file__).resolve().parents[2]
SLACK = float(os.environ.get("DRUPE_HAZARD_SLACK", "1"))
AT_LEAST = 0.5
"""Seconds that are allowed in any case: a test on a busy machine is no stop-watch. The true times
are printed by `make hazards`, and held there."""

ROWS = table.load()


def pythons() -> list[str]:
    """The interpreters that the kernel is tried on."""
    if named := os.environ.get("DRUPE_TEST_PYTHONS"):
        return [path for path in named.split(":") if path]
    return sorted(map(str, (ROOT / ".venvs").glob("*/bin/python"))) or [sys.executable]


def _cases() -> list:
    found = pythons()
    main = next((p for p in found if Path(p).parent.parent.name.startswith("3.11")), found[0])
    cases = []
    for python in sorted(found, key=lambda p: p != main):
        for row in ROWS:
            if python == main or row.representative:
                label = f"{Path(python).parent.parent.name}-{row.name}"
                cases.append(pytest.param(python, row, id=label))
    return cases


@pytest.fixture(scope="session", autouse=True)
def prepared() -> None:
    """The runner reaps orphans, and the native extension is there before the first row."""
    # Whoever runs the tests by nohup would have every child of every kernel's be one that its user wants to stay.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    become_reaper()
    kernels.build_extension()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    ports.share_ports(int(worker), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.mark.parametrize(("python", "row"), _cases())
def test_hazard(python: str, row: table.Hazard) -> None:
    kernel = kernels.find("drupe", python)
    if missing := [need for need in row.needs if need not in kernel.abilities]:
        pytest.skip(f"needs {', '.join(missing)}")
    ending = scene.play(row, kernel)
    failures = verdict.judge(row, ending, slack=SLACK, at_least=AT_LEAST)
    told = f"gone after {ending.seconds} s, replied after {ending.reply_seconds} s; stderr:\n{ending.stderr[-2000:]}"
    assert not failures, "\n".join(map(str, failures)) + f"\n\n{told}"


def test_table_is_large_enough() -> None:
    """The classes that the table promises are all there."""
    groups = {row.group for row in ROWS}
    assert len(ROWS) >= 60
    assert groups == {
        "cell",
        "thread",
        "object",
        "atexit",
        "async",
        "child",
        "file",
        "message",
        "start",
        "engine",
        "debugger",
        "subshell",
    }
