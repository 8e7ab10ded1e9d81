"""`make notebooks`: runs every notebook of the table on both kernels and prints, for each, what it showed and where drupe differs.

`ARGS="--only PATTERN"` runs those whose name has the pattern. The status is 1 if anything differs that no entry allows, or an entry
is not needed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import re
import sys
import traceback

import playing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a regular expression")
    parser.add_argument("--jobs", type=int, default=2, help="kernels at a time")
    parser.add_argument(
        "--width", type=int, default=400, help="letters of a difference that are shown"
    )
    options = parser.parse_args()
    notebooks = [row for row in playing.table() if re.search(options.only, row.name)]
    alike, faults = 0, []
    print("| notebook | cells | outputs | errors | ipykernel s | drupe s | |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = [
            [pool.submit(playing.play, row, kernel) for kernel in playing.KERNELS]
            for row in notebooks
        ]
        for notebook, run in zip(notebooks, runs):
            try:
                theirs, ours = (future.result() for future in run)
            except Exception:
                faults.append(f"{notebook.name}: could not be run\n{traceback.format_exc()}")
                continue
            lines, unused = playing.differences(notebook, ours, theirs)
            lines += [f"needs no entry any more: {entry['reason']}" for entry in unused]
            alike += not lines
            faults += [f"{notebook.name}: {line[: options.width]}" for line in lines]
            allowed = "differs as it may" if notebook.differences else "alike"
            print(
                f"| {notebook.name} | {len(ours.cells)} | {ours.outputs()} | {ours.errors()} | {theirs.seconds:.1f} "
                f"| {ours.seconds:.1f} | {'DIFFERS' if lines else allowed} |",
                flush=True,
            )
    print(f"\n{alike} of {len(notebooks)} as they should be")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
