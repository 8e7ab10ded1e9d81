"""`%gui`: the windows of a toolkit live beside the kernel's loop. Off-screen: Qt draws by itself, the others on a virtual display.

tk comes with Python, Qt from PyPI, GTK and wx from the system's packages: see `environment`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from session import ROOT, Session

SYSTEM = Path("/usr/lib/python3/dist-packages")

QT = """
from {package} import QtCore, QtWidgets
window = QtWidgets.QLabel("a window")
window.show()
timer = QtCore.QTimer()
timer.timeout.connect(lambda: tick())
timer.start(10)
"""

# By the name of the toolkit: what makes a window and calls `tick` every 10 ms.
WINDOWS = {
    "tk": """
import tkinter
window = tkinter.Tk()
tkinter.Label(window, text="a window").pack()
def again():
    window.after(10, again)
    tick()
_ = window.after(10, again)
""",
    "qt5": QT.format(package="PyQt5"),
    "qt6": QT.format(package="PyQt6"),
    "gtk3": """
import gi
gi.require_version("Gtk", "3.0")
from gi.repository import GLib, Gtk
window = Gtk.Window(title="a window")
window.show_all()
def again():
    # It is called no more where it has failed.
    GLib.timeout_add(10, again)
    tick()
_ = GLib.timeout_add(10, again)
""",
    "wx": """
import wx
window = wx.Frame(None, title="a window")
_ = window.Show()
timer = wx.Timer(window)
window.Bind(wx.EVT_TIMER, lambda event: tick(), timer)
_ = timer.Start(10)
""",
}

TICKS = """
ticks, does = [], []
def tick():
    ticks.append(1)
    if does: does.pop()()
"""


@pytest.fixture(scope="module")
def display():
    """A display that nobody sees."""
    read, write = os.pipe()
    server = subprocess.Popen(
        [
            "Xvfb",
            "-displayfd",
            str(write),
            "-screen",
            "0",
            "640x480x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as told:
        yield f":{told.readline().strip()}"
    server.kill()
    server.wait()


def has_tk(python: Path) -> bool:
    return (
        subprocess.run([python, "-c", "import tkinter"], stderr=subprocess.DEVNULL).returncode == 0
    )


VENVS = ROOT / ".venvs"
OF_TK = [path for path in sorted(VENVS.glob("3.*/bin/python")) if has_tk(path)]
OF_SYSTEM = [*VENVS.glob("system-*/bin/python")]


def environment(toolkit: str, folder: Path, display: str) -> tuple[str, dict[str, str]]:
    """The Python that has the toolkit, and the variables that it needs."""
    if toolkit.startswith("qt"):
        variables = {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(folder)}
        return str(ROOT / ".cache" / "toolkits" / "bin" / "python"), variables
    if toolkit == "tk":
        return str(OF_TK[-1]), {"DISPLAY": display}
    # The system's packages, and of these no more than the toolkit: the others are the environment's.
    for name in ("gi", "wx"):
        (folder / name).symlink_to(SYSTEM / name)
    return str(OF_SYSTEM[0]), {"DISPLAY": display, "PYTHONPATH": str(folder)}


def missing() -> str:
    """What the tests need and this machine lacks."""
    have = {
        "Xvfb": shutil.which("Xvfb"),
        "tkinter": OF_TK,
        "the system's Python": OF_SYSTEM,
        **{name: (SYSTEM / name).exists() for name in ("gi", "wx")},
    }
    return ", ".join(name for name, found in have.items() if not found)


# Whoever brings the toolkits says so, and a missing one is then an error.
pytestmark = pytest.mark.skipif(
    bool(missing()) and not os.environ.get("DRUPE_TEST_TOOLKITS"),
    reason=f"this machine lacks {missing()}",
)


@pytest.fixture(params=WINDOWS)
def window(request, tmp_path, display):
    """A session with a window that ticks."""
    toolkit = request.param
    python, variables = environment(toolkit, tmp_path, display)
    session = Session(python, env={"MPLBACKEND": "agg", **variables})
    assert session.run(f"%gui {toolkit}") == ""
    assert session.run(TICKS + WINDOWS[toolkit]) == ""
    yield session
    session.close()


def test_a_window_lives_beside_the_cells(window):
    assert window.goes_on("ticks")
    # Also while a cell awaits, and the kernel's tasks go on beside it.
    window.run(
        "import asyncio, time\nbeats = []\nasync def beat():\n    while True:\n"
        "        beats.append(1)\n        await asyncio.sleep(0.01)\ntask = asyncio.create_task(beat())"
    )
    assert window.run("n = len(ticks)\nwhile len(ticks) < n + 6: await asyncio.sleep(0.01)") == ""
    assert window.goes_on("beats")
    # What an event's function does is the user's to interrupt, and takes no window with it.
    window.run("does.append(lambda: (print('busy', flush=True), time.sleep(100)))")
    window.until_heard("busy")
    window.manager.interrupt_kernel()
    assert window.run("1 + 1") == "2"
    assert window.goes_on("ticks")
    # What fails there is told of, in the cell that has asked for the toolkit.
    window.client.execute("does.append(lambda: 1/0)")
    window.until_heard("ZeroDivisionError")
    assert window.goes_on("ticks")
    assert window.run("%gui") == ""
    before = window.run("len(ticks)")
    time.sleep(0.3)
    assert window.run("len(ticks)") == before


def test_a_kernel_with_a_window_ends(window):
    begin = time.monotonic()
    window.close()
    assert time.monotonic() - begin < 2.5
