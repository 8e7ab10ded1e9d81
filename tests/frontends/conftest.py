"""What every test of the front-ends shares: kernelspecs that start drupe, in folders of their own.

`drupe` and `python3` both start the release binary with the interpreter that runs the tests, so that a front-end
which asks for "python3" gets drupe too. The environment variable DRUPE_TEST_KERNEL_ARGV puts another kernel in its
place (a command line with {connection_file}), which shows whether a test or the kernel is wrong.
"""

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from cells import Kernel

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DRUPE", str(ROOT / "target" / "release" / "drupe"))


def command() -> list[str]:
    """The command line of the kernel under test, as a kernelspec has it."""
    if line := os.environ.get("DRUPE_TEST_KERNEL_ARGV"):
        return shlex.split(line)
    return [BINARY, "-f", "{connection_file}", "--python", sys.executable]


@pytest.fixture(scope="module", autouse=True)
def environment(tmp_path_factory):
    """Kernelspecs, runtime files and IPython's history in a folder of the test module's own."""
    folder = tmp_path_factory.mktemp("jupyter")
    # jupyter_client's tests ask for "echo", which is a kernel of their own where there is no other of the name.
    modes = {"drupe": "message", "drupe-signal": "signal", "python3": "message", "echo": "message"}
    for name, mode in modes.items():
        spec = {
            "argv": command(),
            "display_name": name,
            "language": "python",
            "interrupt_mode": mode,
        }
        target = folder / "share" / "kernels" / name
        target.mkdir(parents=True)
        (target / "kernel.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "share"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        yield


@pytest.fixture
def kernel():
    """A kernel manager and a client that is ready."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="drupe")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel()
    assert manager.provisioner is None or manager.provisioner.process is None


@pytest.fixture(scope="module")
def shared(environment):
    """A kernel for all tests of a module, for `cells`."""
    with Kernel(command()) as kernel:
        yield kernel


@pytest.fixture
def fresh():
    """A kernel for one test, for `cells`."""
    with Kernel(command()) as kernel:
        yield kernel
