"""`%gui`: the event loop of a graphics toolkit, served a little at a time from the kernel's own loop."""

import sys

from IPython.core.error import UsageError

# Seconds between two looks at the toolkit's events: what a dragged window needs to look smooth.
_PERIOD = 0.02

_running = None


def _tk():
    import tkinter

    def pump() -> None:
        root = tkinter._default_root
        if root is not None:
            root.update()

    return pump


def _qt():
    from IPython.external.qt_for_kernel import QtCore, QtGui

    widgets = sys.modules.get(QtCore.__name__.replace("QtCore", "QtWidgets"))
    kind = getattr(widgets, "QApplication", None) or QtGui.QGuiApplication
    application = QtCore.QCoreApplication.instance() or kind([" "])
    return application.processEvents


def _gtk(version: str):
    def make():
        import gi

        gi.require_version("Gtk", version)
        from gi.repository import GLib

        context = GLib.MainContext.default()

        def pump() -> None:
            while context.pending():
                context.iteration(False)

        return pump

    return make


def _wx():
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
    "qt": _qt,
    "qt5": _qt,
    "qt6": _qt,
    "gtk3": _gtk("3.0"),
    "gtk": _gtk("3.0"),
    "gtk4": _gtk("4.0"),
    "wx": _wx,
}


def enable(gui) -> None:
    """Serve this toolkit from now on, and no other; None ends it. UsageError where there is no such toolkit."""
    global _running
    if gui not in _NONE and gui not in _TOOLKITS:
        known = ", ".join(sorted(_TOOLKITS))
        raise UsageError(f"Invalid GUI request {gui!r}, valid ones are: {known}")
    if _running is not None:
        _running.cancel()
        _running = None
    if gui not in _NONE:
        _running = _Pump(_TOOLKITS[gui]())


class _Pump:
    """Calls a toolkit again and again while the kernel's loop is free."""

    def __init__(self, pump):
        from IPython import get_ipython

        self._pump = pump
        self._loop = get_ipython().kernel.io_loop.asyncio_loop
        self._next = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._next = self._loop.call_later(_PERIOD, self._turn)
        self._pump()

    def cancel(self) -> None:
        self._next.cancel()
