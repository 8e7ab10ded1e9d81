"""The curves as pictures, PNG for those who read and SVG for those who look closely."""

from __future__ import annotations

from pathlib import Path

from row import median
from rows import CURVES

COLOURS = {
    "drupe": "#b3446c",
    "drupe with an editor": "#e08aa8",
    "ipykernel": "#3b6ea5",
    "xeus-python": "#6a9a3b",
}
SCALES = {"time": (1000, "ms"), "bytes": (1 / 2**20, "MiB")}


def draw(results: dict, folder: Path) -> list[tuple[str, str]]:
    """Titles and file names."""
    import matplotlib

    matplotlib.use("agg")
    # The same picture gives the same file.
    matplotlib.rcParams["svg.hashsalt"] = "drupe"
    import matplotlib.pyplot as plt

    curves = [curve for curve in CURVES if curve.name in results["curves"]]
    figure, places = plt.subplots(
        (len(curves) + 1) // 2, 2, figsize=(11, 3.2 * ((len(curves) + 1) // 2))
    )
    for curve, place in zip(curves, places.flat, strict=False):
        factor, unit = SCALES[curve.unit]
        for name, costs in results["curves"][curve.name].items():
            if isinstance(costs, str):
                continue
            steps = sorted(map(int, costs))
            heights = [median(costs[str(step)]) * factor for step in steps]
            place.plot(steps, heights, "o-", color=COLOURS.get(name), label=name)
        place.set_xscale("symlog" if 0 in curve.steps else "log")
        place.set_ylim(bottom=0)
        place.set_title(curve.title, fontsize=10)
        place.set_xlabel(curve.along, fontsize=9)
        place.set_ylabel(unit, fontsize=9)
        place.grid(alpha=0.3)
    for place in places.flat[len(curves) :]:
        place.remove()
    places.flat[0].legend(fontsize=8)
    figure.tight_layout()
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / "growth.png", dpi=110)
    figure.savefig(folder / "growth.svg", metadata={"Date": None})
    return [("What a session's growth costs", "growth.png")]
