"""Kernels to be debugged: drupe's release binary with the interpreter that runs the tests."""

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from session import Debugged  # noqa: E402


def command() -> list[str]:
    if line := os.environ.get("DRUPE_TEST_KERNEL_ARGV"):
        return shlex.split(line)
    binary = os.environ.get("DRUPE", str(ROOT / "target" / "release" / "drupe"))
    return [binary, "-f", "{connection_file}", "--python", sys.executable]


@pytest.fixture(scope="module", autouse=True)
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jupyter")
    for name, mode in [("drupe", "message"), ("drupe-signal", "signal")]:
        target = folder / "share" / "kernels" / name
        target.mkdir(parents=True)
        spec = {
            "argv": command(),
            "display_name": name,
            "language": "python",
            "interrupt_mode": mode,
        }
        (target / "kernel.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "share"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        yield


@pytest.fixture
def kernel():
    """A kernel without a debug session."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="drupe")
    yield Debugged(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def debugged(kernel):
    """A kernel with a debug session that is attached."""
    pytest.importorskip("debugpy")
    kernel.attach()
    return kernel
