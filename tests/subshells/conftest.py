"""A fresh kernel for each test, on each of this machine's Pythons, and a client that speaks to its subshells."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "async"))

from fixtures import folders, python  # noqa: E402, F401
from shells import Shells  # noqa: E402


@pytest.fixture
def kernel(python):  # noqa: F811
    kernel = Shells(python)
    yield kernel
    kernel.close()
