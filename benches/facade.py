"""What the name `ipykernel` costs at the start: the time to the first executed cell with it and with DRUPE_IPYKERNEL=0.

    benches/facade.py [--starts 30]

The two take turns, so that a busy machine is busy for both.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from kernels import drupe
from processes import Kernel
from report import machine
from row import Size
from rows.life import to_first_execute

VARIANTS = {"with the façade": None, "with DRUPE_IPYKERNEL=0": "0"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=30, help="how often each is started")
    starts = parser.parse_args().starts
    taken: dict = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory(prefix="drupe-bench-") as name:
        folder = Path(name)
        found = drupe(folder)
        if found is None:
            raise SystemExit("there is no target/release/drupe: make build")
        for _ in range(starts):
            for variant, value in VARIANTS.items():
                kernel = Kernel(found.argv, folder)
                if value is not None:
                    kernel.environment["DRUPE_IPYKERNEL"] = value
                with kernel:
                    taken[variant].append(to_first_execute(kernel, Size(whole=True)))
    print("| start to the first cell | |\n| --- | --- |")
    for variant, values in taken.items():
        print(f"| {variant} | {statistics.median(values) * 1000:.1f} ms |")
    print(f"\nMedians of {starts} starts. {machine()}.")


if __name__ == "__main__":
    main()
