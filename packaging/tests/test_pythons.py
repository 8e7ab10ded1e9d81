"""The wheel in fresh environments of every Python, by pip with the newest of everything and by uv with the oldest that is promised."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import tomllib
from environments import ROOT, UV, Environment, pythons, run, surroundings

PYTHONS = pythons()

TOUR = ["nbclient", "nbformat", "ipywidgets", "matplotlib", "pandas"]


def fill(environment: Environment, installer: str, wheel: Path) -> None:
    if installer == "pip":
        environment.pip("install", wheel, *TOUR)
    else:
        # Named here, they are direct ones.
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        lowest = ["--resolution", "lowest-direct", *project["dependencies"]]
        environment.uv("install", wheel, *lowest)
        # What the tour needs beside it, without touching those.
        frozen = run(UV, "-q", "pip", "freeze", "--python", environment.python).stdout
        kept = environment.prefix / "kept.txt"
        kept.write_text("\n".join(line for line in frozen.splitlines() if "==" in line))
        environment.uv("install", *TOUR, "--constraint", kept)


@pytest.fixture(
    scope="module", params=[(name, by) for name in PYTHONS for by in ("pip", "uv")], ids="-".join
)
def environment(request, wheel, tmp_path_factory) -> Environment:
    name, installer = request.param
    folder = tmp_path_factory.mktemp(f"{name}-{installer}")
    (folder / "home").mkdir()
    environment = Environment.made(folder / "env", PYTHONS[name], folder / "home")
    fill(environment, installer, wheel)
    return environment


def test_there_is_nothing_to_mend(environment):
    done = run(environment.drupe, "doctor", "--json", env=surroundings(environment.home))
    report = json.loads(done.stdout)
    assert report["problems"] == []
    assert Path(report["prefix"]) == environment.prefix
    assert [Path(spec["folder"]) for spec in report["kernelspecs"]] == [
        environment.prefix / "share/jupyter/kernels/drupe"
    ]


def test_the_tour(environment):
    assert environment.ask("import shutil; print(shutil.which('cargo'))") == "None"
    run(environment.python, ROOT / "examples/run_tour.py", env=surroundings(environment.home))


# Which versions of its dependencies are there makes no difference to how it ends.
@pytest.mark.parametrize(
    "environment", [(name, "pip") for name in PYTHONS], ids="-".join, indirect=True
)
def test_the_hazards(environment):
    command = [sys.executable, ROOT / "tests/hazards/run.py", "--kernel", "drupe"]
    # A test on a busy machine is no stop-watch.
    command += [
        "--python",
        environment.python,
        "--representative",
        "--jobs",
        "2",
        "--at-least",
        "0.5",
    ]
    # Its own tools, such as a C compiler, are the tests'.
    run(*command, env=os.environ | {"DRUPE": str(environment.drupe)})
