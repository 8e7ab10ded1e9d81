"""The wheel under test, and the environments that several tests share.

DRUPE_WHEEL names the wheel, by default the one in dist/; DRUPE_TEST_WHEEL_PYTHONS the Pythons, such as `oldest newest system`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from environments import CLIENT, ROOT, Environment, ordinary  # noqa: E402


@pytest.fixture(scope="session")
def wheel() -> Path:
    if name := os.environ.get("DRUPE_WHEEL"):
        return Path(name).resolve()
    found = sorted((ROOT / "dist").glob("drupe-*.whl"))
    assert len(found) == 1, f"dist/ has {len(found)} wheels of drupe: make wheel"
    return found[0]


@pytest.fixture(scope="session")
def base() -> str:
    """The Python of the tests that need but one."""
    known = ordinary()
    own = [name for name in known if not name.startswith("system")]
    return known[(own or list(known))[-1]]


@pytest.fixture
def home(tmp_path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def make(tmp_path, base, home):
    """A function that makes an environment of this name, with these packages in it."""

    def make(name: str, *packages: str | Path) -> Environment:
        environment = Environment.made(tmp_path / name, base, home)
        if packages:
            environment.uv("install", *packages)
        return environment

    return make


@pytest.fixture
def installed(make, wheel) -> Environment:
    """drupe, and a Jupyter that starts it, in one environment."""
    return make("installed", wheel, *CLIENT)


@pytest.fixture
def server(make) -> Environment:
    """A Jupyter without drupe."""
    return make("server", *CLIENT)
