"""The sdist: where Rust is, pip makes the same of it, programs and kernelspec included; where it is not, that is what it says."""

from __future__ import annotations

import os
import zipfile

import pytest
from environments import ROOT, run, surroundings

# As quick to build as can be: what is in it counts, not how fast it is.
QUICK = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_TARGET_DIR": str(ROOT / "target/from-sdist"),
}


@pytest.fixture
def sdist():
    found = sorted((ROOT / "dist").glob("drupe-*.tar.gz"))
    assert len(found) == 1, f"dist/ has {len(found)} sdists of drupe: make wheel"
    return found[0]


def names(path) -> dict[str, int]:
    """The files of a wheel, and which of them may be executed."""
    with zipfile.ZipFile(path) as file:
        return {info.filename: info.external_attr >> 16 & 0o111 for info in file.infolist()}


def test_pip_builds_the_same_from_it(make, sdist, wheel, tmp_path):
    environment = make("env")
    command = [
        environment.python,
        "-m",
        "pip",
        "-q",
        "wheel",
        "--no-deps",
        "-w",
        tmp_path / "out",
        sdist,
    ]
    run(*command, env=os.environ | QUICK)
    (built,) = (tmp_path / "out").glob("*.whl")
    assert built.name.split("-")[:4] == wheel.name.split("-")[:4]
    assert names(built) == names(wheel)
    environment.uv("install", built)
    assert (
        "no problems" in run(environment.drupe, "doctor", env=surroundings(environment.home)).stdout
    )


def test_it_says_that_rust_is_missing(make, sdist, home):
    environment = make("env")
    command = [environment.python, "-m", "pip", "wheel", "--no-deps", "-w", home, sdist]
    done = run(*command, check=False, env=surroundings(home))
    assert done.returncode != 0
    assert "https://rustup.rs" in done.stdout + done.stderr
