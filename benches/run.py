"""Measures drupe beside the other Python kernels, in one run with one client, and prints a table in Markdown.

    benches/run.py [--kernels drupe,ipykernel,xeus-python] [--rounds 5] [--only NAME]

Every number is a median over the rounds. The rounds go through the kernels in turn, so that a machine that is busy
for a while is busy for all of them. A kernel that is not installed beside the interpreter that runs this is left out.
"""

import argparse
import importlib.metadata
import os
import platform
import queue
import statistics
import sys
import tempfile
from pathlib import Path

from measures import MEASURES, Failed
from processes import Kernel

ROOT = Path(__file__).resolve().parents[1]
DRUPE = ROOT / "target" / "release" / "drupe"


def version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def drupe(folder: Path) -> tuple[str, list[str]] | None:
    """drupe as a front-end starts it: from a kernelspec that `drupe install` wrote."""
    import json
    import subprocess

    if not DRUPE.exists():
        return None
    install = ["install", "--name", "bench", "--prefix", str(folder), "--python", sys.executable]
    subprocess.run([DRUPE, *install], check=True, stdout=subprocess.DEVNULL)
    spec = json.loads((folder / "share/jupyter/kernels/bench/kernel.json").read_text())
    version = subprocess.run([DRUPE, "--version"], check=True, capture_output=True, text=True)
    return version.stdout.split()[-1], spec["argv"]


def ipykernel(_: Path) -> tuple[str, list[str]] | None:
    version = version_of("ipykernel")
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return version and (version, argv)


def xeus_python(_: Path) -> tuple[str, list[str]] | None:
    version = version_of("xeus-python")
    argv = [sys.executable, "-m", "xpython_launcher", "-f", "{connection_file}"]
    return version and (version, argv)


KERNELS = {"drupe": drupe, "ipykernel": ipykernel, "xeus-python": xeus_python}


def machine() -> str:
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []:
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return f"{model}, {os.cpu_count()} processors, {platform.system()} {platform.release()}, load {load}"


def measure(kernels: dict, measures: dict, rounds: int, folder: Path) -> dict:
    """`{measure: {kernel: [values or a failure's text]}}`"""
    results = {name: {kernel: [] for kernel in kernels} for name in measures}
    for number in range(rounds):
        for name, (function, _, _) in measures.items():
            for kernel, (_, argv) in kernels.items():
                print(f"\rround {number + 1}: {kernel}: {name}", end="\033[K", file=sys.stderr)
                try:
                    with Kernel(argv, folder) as process:
                        value = function(process)
                except Failed as failure:
                    value = str(failure)
                except queue.Empty:
                    value = "no answer"
                results[name][kernel].append(value)
    print("\r\033[K", end="", file=sys.stderr)
    return results


def cell(values: list, form) -> str:
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) * 2 <= len(values):
        return next(value for value in values if isinstance(value, str))
    return form(statistics.median(numbers))


def table(results: dict, measures: dict, kernels: dict) -> str:
    head = [""] + [f"{name} {version}" for name, (version, _) in kernels.items()]
    lines = [head, ["---"] * len(head)]
    for name, (_, title, form) in measures.items():
        lines.append([title] + [cell(results[name][kernel], form) for kernel in kernels])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kernels", default=",".join(KERNELS), help="which kernels, by name")
    parser.add_argument("--rounds", type=int, default=5, help="how often each number is taken")
    parser.add_argument("--only", default="", help="only measures whose names contain this")
    arguments = parser.parse_args()
    measures = {name: entry for name, entry in MEASURES.items() if arguments.only in name}
    with tempfile.TemporaryDirectory(prefix="drupe-bench-") as name:
        folder = Path(name)
        kernels = {}
        for kernel in arguments.kernels.split(","):
            found = KERNELS[kernel](folder)
            if found:
                kernels[kernel] = found
            else:
                print(f"{kernel} is not installed here: left out", file=sys.stderr)
        results = measure(kernels, measures, arguments.rounds, folder)
    python = f"CPython {platform.python_version()}"
    client = f"jupyter_client {version_of('jupyter_client')}, pyzmq {version_of('pyzmq')}"
    print(table(results, measures, kernels))
    print(f"\nMedians of {arguments.rounds}. {python}, IPython {version_of('ipython')}; {client}.")
    print(f"{machine()}.")


if __name__ == "__main__":
    main()
