"""Busy loops beside what is played, one pinned to each processor in turn; none outlives this process."""

from __future__ import annotations

import os
import subprocess
import sys


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
