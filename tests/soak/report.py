"""The summary of a soak: what went wrong, how often, and how long the ends took."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

KINDS = {
    "hang": "hangs",
    "crash": "crashes",
    "lost": "runs with lost lines or files",
    "status": "wrong statuses",
    "late": "late ends",
    "child": "runs with a process left behind",
    "reply": "wrong replies",
    "answer": "unanswered requests",
    "state": "states not reached",
}


def summary(outcomes: list, conditions: str, seconds: float) -> str:
    """Markdown: counts, quantiles of clean and of forced ends, the seed of each failure."""
    counts = Counter(kind for o in outcomes for kind in {f.kind for f in o.failures})
    lines = sum(o.lines for o in outcomes)
    pythons = Counter(Path(o.python).parent.parent.name for o in outcomes)
    out = [
        f"{len(outcomes)} runs in {seconds:.0f} s ({conditions}); "
        + ", ".join(f"{name}: {n}" for name, n in sorted(pythons.items()))
        + f"; {lines} numbered lines.",
        "",
        "| | |",
        "| --- | --- |",
    ]
    out += [f"| {words} | {counts.pop(kind, 0)} |" for kind, words in KINDS.items()]
    out += [f"| {kind} | {n} |" for kind, n in sorted(counts.items())]
    out += ["", "| ends | runs | p50 | p99 | max |", "| --- | --- | --- | --- | --- |"]
    for name, forced in (("clean", False), ("forced", True)):
        times = sorted(o.seconds for o in outcomes if o.seconds is not None and o.forced is forced)
        out.append(f"| {name} | {len(times)} | " + " | ".join(quantiles(times)) + " |")
    failed = [o for o in outcomes if o.failures]
    if failed:
        out += ["", "Failures:", ""]
        for outcome in sorted(failed, key=lambda o: o.seed):
            why = "; ".join(str(f).split("\n", 1)[0] for f in outcome.failures)
            out.append(f"- {outcome.draw} ({outcome.python}): {why}")
    return "\n".join(out) + "\n"


def quantiles(times: list[float]) -> list[str]:
    """p50, p99 and max of sorted seconds."""
    if not times:
        return ["-"] * 3
    picked = [times[min(len(times) - 1, int(len(times) * q))] for q in (0.5, 0.99)]
    return [f"{t:.3f} s" for t in (*picked, times[-1])]
