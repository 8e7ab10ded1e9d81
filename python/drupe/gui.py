"""`%gui`: the event loop of a graphics toolkit, served a little at a time from the kernel's own loop.

Programs may bring a toolkit of their own, with the functions that ipykernel has for it in `ipykernel.eventloops`.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

from .interrupt import interrupts
from .log import log

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .kernel import IPythonKernel, Kernel
    from .session import Channel

# Seconds between two looks at the toolkit's events: what a dragged window needs to look smooth.
_PERIOD = 0.02

_running: _Pump | None = None


def _tk() -> Callable[[], object]:
    import tkinter

    def pump() -> None:
        root = getattr(tkinter, "_default_root", None)
        if root is not None:
            root.update()

    return pump


def _qt(*bindings: str) -> Callable[[], Callable[[], object]]:
    """Qt by the first of these bindings that is there; without any by the one that IPython prefers."""

    def make() -> Callable[[], object]:
        from IPython.external.qt_loaders import load_qt, loaded_api

        loaded = loaded_api()
        if loaded and bindings and loaded not in bindings:
            raise ValueError(
                f"this session has loaded {loaded}, and no process can have two of Qt: restart the kernel to change it"
            )
        if bindings and not loaded:
            QtCore, QtGui, *_ = load_qt([*bindings])
        else:
            from IPython.external.qt_for_kernel import QtCore, QtGui
        widgets = sys.modules.get(QtCore.__name__.replace("QtCore", "QtWidgets"))
        kind = getattr(widgets, "QApplication", None) or QtGui.QGuiApplication
        application = QtCore.QCoreApplication.instance() or kind([" "])
        return application.processEvents

    return make


def _gtk(version: str) -> Callable[[], Callable[[], object]]:
    def make() -> Callable[[], object]:
        import gi

        gi.require_version("Gtk", version)
        from gi.repository import GLib

        context = GLib.MainContext.default()

        def pump() -> None:
            while context.pending():
                context.iteration(False)

        return pump

    return make


def _wx() -> Callable[[], object]:
    import wx

    application = wx.App.Get() or wx.App(redirect=False)

    def pump() -> None:
        events = wx.GUIEventLoop()
        with wx.EventLoopActivator(events):
            while events.Pending():
                events.Dispatch()
            application.ProcessPendingEvents()
            events.ProcessIdle()

    return pump


# Toolkits that need no loop of their own: they draw in the front-end, or use asyncio.
_NONE = (None, "inline", "nbagg", "notebook", "webagg", "ipympl", "widget", "asyncio", "agg")
_TOOLKITS = {
    "tk": _tk,
    "qt": _qt(),
    "qt5": _qt("pyqt5", "pyside2"),
    "qt6": _qt("pyqt6", "pyside6"),
    "gtk3": _gtk("3.0"),
    "gtk": _gtk("3.0"),
    "gtk4": _gtk("4.0"),
    "wx": _wx,
}


# By name: a function that a program has registered, which serves its toolkit until a request waits; None for those above.
loop_map = dict.fromkeys((*_NONE, *_TOOLKITS))


def register_integration(*names: str | None) -> Callable[[Any], Any]:
    """A decorator: `function(kernel)` serves the toolkits of these names from now on. Its `exit` decorates what ends it."""

    def decorate(function: Any) -> Any:
        loop_map.update(dict.fromkeys(names, function))
        function.exit_hook = None

        def exit_decorator(hook: Callable[..., Any]) -> Callable[..., Any]:
            function.exit_hook = hook
            return hook

        function.exit = exit_decorator
        return function

    return decorate


def get_shell_stream(kernel: Kernel) -> Channel:
    """Where the function of a toolkit sees that a request waits: `get_shell_stream(kernel).flush(limit=1)`."""
    return kernel.shell_stream


def enable(gui: str | None, kernel: IPythonKernel | None = None) -> None:
    """Serve this toolkit from now on, and no other; None ends it. ValueError where there is no such toolkit."""
    global _running
    if gui not in loop_map:
        known = ", ".join(sorted(name for name in loop_map if name))
        raise ValueError(f"Invalid GUI request {gui!r}, valid ones are: {known}")
    if kernel is None:
        from IPython import get_ipython

        kernel = get_ipython().kernel
    if _running is not None:
        _running.cancel()
        _running = None
    kernel.eventloop = loop_map[gui]
    if kernel.eventloop is not None:
        _running = _Pump(functools.partial(kernel.eventloop, kernel), kernel)
    elif gui not in _NONE:
        _running = _Pump(_TOOLKITS[gui](), kernel)


enable_gui = enable


class _Pump:
    """Calls a toolkit again and again while the kernel's loop is free."""

    def __init__(self, pump: Callable[[], object], kernel: IPythonKernel) -> None:
        self._pump = pump
        self._loop = kernel.server.loop
        self._next = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._next = self._loop.call_later(_PERIOD, self._turn)
        try:
            with interrupts.user_code():
                self._pump()
        except KeyboardInterrupt:
            log.info("the toolkit's events were interrupted")

    def cancel(self) -> None:
        self._next.cancel()
