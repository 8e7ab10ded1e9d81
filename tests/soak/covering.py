"""A covering array: few scenes in which every two values of different axes meet.

The same axes and the same seed always give the same scenes.
"""

from __future__ import annotations

import itertools
import random

_CANDIDATES = 20
"""Scenes that are tried for each one that is taken: more make the array a little smaller."""


def cover(axes: dict[str, list[str]], seed: int) -> list[dict[str, str]]:
    """Scenes, each with one value of every axis, so that each pair of values of two axes is in one of them."""
    dice = random.Random(seed)
    names = list(axes)
    missing = pairs(axes)
    # In a fixed order: that of a set differs from run to run.
    order = sorted(missing)
    scenes = []
    while missing:
        order = [pair for pair in order if pair in missing]
        best = max(
            (
                _candidate(axes, names, dice.choice(order), missing, dice)
                for _ in range(_CANDIDATES)
            ),
            key=lambda scene: len(missing & met(scene)),
        )
        missing -= met(best)
        scenes.append({name: best[name] for name in names})
    return scenes


def pairs(axes: dict[str, list[str]]) -> set:
    """Every pair of values of two axes."""
    return {
        ((one, a), (other, b))
        for one, other in itertools.combinations(axes, 2)
        for a in axes[one]
        for b in axes[other]
    }


def met(scene: dict[str, str]) -> set:
    """The pairs of values in one scene, whose axes are in the order of all axes."""
    return set(itertools.combinations(scene.items(), 2))


def _candidate(axes, names, pair, missing, dice) -> dict[str, str]:
    """A scene around one missing pair: the other axes, in a random order, take the value that meets most of what is
    missing."""
    scene = dict(pair)
    for name in dice.sample(names, len(names)):
        if name in scene:
            continue
        gains = {
            value: sum(_pair(names, (name, value), item) in missing for item in scene.items())
            for value in axes[name]
        }
        most = max(gains.values())
        scene[name] = dice.choice([value for value, gain in gains.items() if gain == most])
    return {name: scene[name] for name in names}


def _pair(names, one, other) -> tuple:
    return (one, other) if names.index(one[0]) < names.index(other[0]) else (other, one)
