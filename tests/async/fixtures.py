"""What the kernels of these tests, and of those of subshells, stand in: a Python of this machine, and folders of their own."""

from __future__ import annotations

import pytest
from session import executable, pythons


@pytest.fixture(autouse=True, scope="session")
def folders(tmp_path_factory):
    """IPython's history and the runtime files, in a folder of the tests' own."""
    folder = tmp_path_factory.mktemp("jupyter")
    (folder / "runtime").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        yield


@pytest.fixture(params=pythons())
def python(request) -> str:
    return executable(request.param)
