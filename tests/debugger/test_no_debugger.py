"""An environment whose debugpy is missing, too old or broken: `initialize` says which, and with what it is mended. The kernel has a
package of that name in its way, in a folder of PYTHONPATH's."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from session import Debugged

MISSING = "raise ModuleNotFoundError(\"No module named 'debugpy'\", name='debugpy')\n"
OLD = {
    "debugpy/__init__.py": "__version__ = '1.5.1'\n",
    "debugpy/server.py": "",
    "pydevd.py": "def stoptrace(): pass\ndef settrace(host, port, suspend, notify_stdin=None): pass\n",
}

# What stands in the way, and what is said of it.
STAND_INS = {
    "missing": ({"debugpy/__init__.py": MISSING}, "debugpy is missing."),
    "too old for its arguments": (
        OLD,
        "debugpy 1.5.1 does not fit, it lacks access_token, client_access_token, protocol, block_until_connected.",
    ),
    "too old for cells": (
        {
            "debugpy/__init__.py": "__version__ = '1.8.6'\n",
            "debugpy/server.py": "",
            "pydevd.py": "def stoptrace(): pass\n"
            "def settrace(access_token, client_access_token, notify_stdin, protocol, block_until_connected): pass\n",
        },
        "debugpy 1.8.6 is too old: it would stop at no breakpoint.",
    ),
    "too old for its server": (
        {"debugpy/__init__.py": "__version__ = '0.1'\n"},
        "debugpy cannot be imported: No module named 'debugpy.server'.",
    ),
    "broken": (
        {"debugpy/__init__.py": "raise RuntimeError('half installed')\n"},
        "debugpy cannot be imported: RuntimeError('half installed').",
    ),
    "broken text": (
        {"debugpy/__init__.py": "def (\n"},
        "debugpy cannot be imported: SyntaxError(",
    ),
    "without what it needs": (
        {"debugpy/__init__.py": "import no_such_module_at_all\n"},
        "debugpy cannot be imported: No module named 'no_such_module_at_all'.",
    ),
}


@pytest.fixture
def packages(tmp_path) -> Path:
    """The folder that is first on the kernel's path."""
    folder = tmp_path / "packages"
    folder.mkdir()
    return folder


@pytest.fixture
def hindered(packages):
    from jupyter_client.manager import start_new_kernel

    env = {**os.environ, "PYTHONPATH": str(packages)}
    manager, client = start_new_kernel(kernel_name="drupe", env=env)
    yield Debugged(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def put(packages: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = packages / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


@pytest.mark.parametrize("what", STAND_INS)
def test_initialize_says_what_is_wrong_and_what_mends_it(hindered, packages, what):
    files, said = STAND_INS[what]
    put(packages, files)
    mend = f"Mend it with: {sys.executable} -m pip install --upgrade 'debugpy>=1.8.7', and restart the kernel"
    # As often as it is asked: the sentence of a second start is none about what the first has left behind.
    for _ in range(2):
        reply = hindered.ask("initialize", adapterID="")
        assert reply["success"] is False and reply["command"] == "initialize"
        assert reply["message"].startswith(said) and reply["message"].endswith(f". {mend}"), reply
        assert reply["message"].count("pip install") == 1
    # There is no session, and what it is asked is answered; the kernel is as ever.
    assert hindered.body("debugInfo")["isStarted"] is False
    assert "initialize" in hindered.ask("attach")["message"]
    assert hindered.body("inspectVariables") == {"variables": []}
    cell = hindered.run("import sys\nprint(sys.breakpointhook is sys.__breakpointhook__)")
    assert hindered.done(cell)["status"] == "ok"
    assert hindered.text_of(cell) == "True\n"


def test_once_mended_and_restarted_it_is_there(hindered, packages):
    pytest.importorskip("debugpy")
    put(packages, STAND_INS["missing"][0])
    assert "missing" in hindered.ask("initialize", adapterID="")["message"]
    shutil.rmtree(packages / "debugpy")
    hindered.manager.restart_kernel(now=False)
    hindered.client.wait_for_ready(timeout=20)
    hindered.attach()
    code = "x = 1\ny = 2\n"
    hindered.break_at(code, 2)
    cell = hindered.run(code)
    hindered.stopped()
    hindered.body("continue", threadId=1)
    assert hindered.done(cell)["status"] == "ok"
