"""The load of the machine: busy loops beside what is played, and how the system shares its processors.

The loops are pinned to one processor after another; none outlives this process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")


def begin(processes: int) -> list[subprocess.Popen]:
    """Start so many."""
    available = sorted(os.sched_getaffinity(0))
    code = f"import os\nwhile os.getppid() == {os.getpid()}: pass"
    loops = []
    for index in range(processes):
        loop = subprocess.Popen([sys.executable, "-c", code])
        os.sched_setaffinity(loop.pid, {available[index % len(available)]})
        loops.append(loop)
    return loops


def end(loops: list[subprocess.Popen]) -> None:
    """End them."""
    for loop in loops:
        loop.kill()
        loop.wait()


def is_grouped() -> bool:
    """Whether Linux may share the processors by session. Each kernel has one of its own, and of three that computed on two
    processors one has been kept from running for up to 4.5 s; without, for 20 ms."""
    try:
        return AUTOGROUP.read_text().strip() != "0"
    except OSError:
        return False
