"""Which Pythons drupe runs on is said once: the oldest by `MIN_PYTHON`, the newest by tests/pythons.py. All else agrees with it."""

from __future__ import annotations

import re
import sys

import pytest
from kernels import HERE
from root import VERSIONS

sys.path.append(str(HERE / "tests"))

from pythons import NEWEST, OLDEST  # noqa: E402

# Where the oldest is repeated, since nobody there can read it: the file, and what stands around it.
OLDEST_SAID = {
    "Cargo.toml": r"abi3-py(3)(\d+)",
    "python/drupe/probe.py": r"sys\.version_info >= \((\d+), (\d+)\):",
    "ruff.toml": r'target-version = "py(3)(\d+)"',
    "Makefile": r"--python-version (\d+)\.(\d+)",
    "README.md": r"CPython (\d+)\.(\d+) to \d+\.\d+",
}


def found(path: str, pattern: str) -> set[tuple[int, ...]]:
    text = (HERE / path).read_text()
    return {tuple(map(int, numbers)) for numbers in re.findall(pattern, text)}


@pytest.mark.parametrize("path", OLDEST_SAID)
def test_oldest(path):
    assert found(path, OLDEST_SAID[path]) == {OLDEST}


def test_oldest_of_the_package():
    oldest = found("pyproject.toml", r'(?m)^requires-python\s*=\s*">=\s*(\d+)\.(\d+)"')
    assert oldest == {OLDEST}


def test_the_launcher_asks_for_what_the_package_depends_on():
    source = (HERE / "src/launch/environment.rs").read_text()
    asked = re.findall(r'distribution: "([\w-]+)",\s*minimum: \((\d+), (\d+)\)', source)
    assert len(asked) == 3
    package = (HERE / "pyproject.toml").read_text()
    for name, major, minor in asked:
        assert re.search(rf'"{name}>={major}\.{minor}\b', package), name


def test_newest():
    assert found("README.md", r"CPython \d+\.\d+ to (\d+)\.(\d+)") == {NEWEST}
    assert max(tuple(map(int, version.split("."))) for version in VERSIONS) == NEWEST
