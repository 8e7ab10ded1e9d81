"""A fresh kernel for each test, on each of this machine's Pythons, and a client that speaks to its subshells."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "async"))

from session import executable, pythons  # noqa: E402
from shells import Shells  # noqa: E402


@pytest.fixture(autouse=True, scope="session")
def folders(tmp_path_factory):
    """IPython's history and the runtime files, in a folder of the tests' own."""
    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        yield


@pytest.fixture(params=pythons())
def python(request) -> str:
    return executable(request.param)


@pytest.fixture
def kernel(python):
    kernel = Shells(python)
    yield kernel
    kernel.close()
