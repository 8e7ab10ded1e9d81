"""The failures that drupe began with, and one row of each class of hazards: does the kernel end, in time, with nothing lost?"""

from __future__ import annotations

import dataclasses
import signal

import pytest
from hazardlib import kernels, ports, scene, table, verdict
from hazardlib.process import become_reaper
from root import ENTER

ROWS = [row for row in table.load() if row.origin or row.representative]
AT_LEAST = 0.5
"""As in tests/hazards: a test on a busy machine is no stop-watch."""


@pytest.fixture(autouse=True, scope="module")
def prepared():
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    become_reaper()
    kernels.build_extension()
    ports.share_ports(0, 1)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_hazard(python, row):
    outside = kernels.find("drupe", python)
    kernel = dataclasses.replace(outside, command=(str(ENTER), *outside.command))
    if missing := [need for need in row.needs if need not in kernel.abilities]:
        pytest.skip(f"needs {', '.join(missing)}")
    ending = scene.play(row, kernel)
    failures = verdict.judge(row, ending, at_least=AT_LEAST)
    told = f"gone after {ending.seconds} s, replied after {ending.reply_seconds} s; stderr:\n{ending.stderr[-2000:]}"
    assert not failures, "\n".join(map(str, failures)) + f"\n\n{told}"
