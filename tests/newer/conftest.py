"""Kernels on CPython 3.14 and 3.15 in a root of their own (see root.py), and clients outside of it.

Where `make newer-pythons` has not been run, the tests are skipped; with DRUPE_TEST_NEWER=1 they fail.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

for suite in ("frontends", "hazards", "debugger"):
    sys.path.append(str(Path(__file__).parents[1] / suite))

from kernels import Newer, command  # noqa: E402
from root import VERSIONS, environments  # noqa: E402


@pytest.fixture(autouse=True, scope="session")
def folders(tmp_path_factory):
    """IPython's history and the runtime files, in a folder of the tests' own."""
    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "share"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        yield folder


@pytest.fixture(scope="session", params=VERSIONS)
def python(request) -> str:
    """The Python of an environment."""
    found = environments().get(request.param)
    if found is None:
        why = f"there is no CPython {request.param}: `make newer-pythons` brings it, as root on Debian"
        if os.environ.get("DRUPE_TEST_NEWER"):
            pytest.fail(why)
        pytest.skip(why)
    return str(found)


@pytest.fixture
def kernel(python):
    """A kernel for one test."""
    with Newer(command(python)) as kernel:
        yield kernel


@pytest.fixture
def only_3_15(python):
    if "/3.15/" not in python:
        pytest.skip("CPython 3.15 has it")
