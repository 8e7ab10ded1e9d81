"""The IPython shell behind the kernel. Its name and its config section `IPKernelApp` are what libraries look
for to find out that they run in a notebook."""

from __future__ import annotations

import contextlib
import copy
import os
import sys
import threading
from typing import TYPE_CHECKING

from IPython.core import page
from IPython.core.autocall import ExitAutocall
from IPython.core.interactiveshell import InteractiveShell, InteractiveShellABC
from IPython.core.payload import PayloadManager
from traitlets import Any, CBool, Enum, Instance, Type, default, observe

from . import _drupe, parents, shells
from .compiler import XCachingCompiler
from .display import ZMQDisplayPublisher, ZMQShellDisplayHook
from .errors import Presenter
from .facade import named
from .history import HistoryManager
from .interrupt import interrupts
from .later import MadeLater

if TYPE_CHECKING:
    import ast
    import typing
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from contextvars import Token
    from types import CodeType

    from IPython.core.interactiveshell import ExecutionResult

# Where IPython's own callbacks around a cell are.
_IPYTHONS_CALLBACKS = ("IPython.core.interactiveshell", "IPython.core.displaypub")


class ZMQExitAutocall(ExitAutocall):
    """`exit` and `quit`; called with True they end the session and leave the kernel running."""

    _ip: ZMQInteractiveShell

    def __call__(self, keep_kernel: bool = False) -> None:
        self._ip.keepkernel_on_exit = keep_kernel
        self._ip.ask_exit()


class _Next(threading.local):
    """What a thread is going to run."""

    # The kernel's next cell, and what its transformers have made of it.
    expected: tuple[str, str | None] | None = None
    # The cell that `_run_cell` is going to be called with, from its transformers.
    transformed: str | None = None


class _Written(threading.local):
    def __init__(self) -> None:
        self.payload: list = []


class ShellPayloadManager(PayloadManager):
    """What a front-end is asked to do after the cell, each shell's own."""

    def __init__(self, **kwargs: typing.Any) -> None:
        self._written = _Written()
        super().__init__(**kwargs)

    @property
    def _payload(self) -> list:
        return self._written.payload

    @_payload.setter
    def _payload(self, payload: list) -> None:
        self._written.payload = payload


@named("zmqshell")
class ZMQInteractiveShell(MadeLater):
    """IPython whose output goes to the wire."""

    if TYPE_CHECKING:
        # What IPython only knows to be one of a kind, or none until `__init__` has made it.
        displayhook: ZMQShellDisplayHook
        display_pub: ZMQDisplayPublisher
        payload_manager: PayloadManager
        history_manager: HistoryManager

    displayhook_class = Type(ZMQShellDisplayHook)
    display_pub_class = Type(ZMQDisplayPublisher)
    compiler_class = Type(XCachingCompiler)
    execution_count = shells.Count(1)
    data_pub_class = Any()
    data_pub = Any(
        help="Publishes data for ipyparallel's engines, where that puts a publisher here."
    )
    kernel = Any()
    exiter = Instance(ExitAutocall)
    readline_use = CBool(False)
    autoindent = CBool(False)
    keepkernel_on_exit: bool | None = None
    thread_output = Enum(
        ("latest", "cell"),
        default_value="latest",
        help="Where the output of a thread goes: to the cell that ran last, or to the one that has started it.",
    ).tag(config=True)
    # Is called at the beginning of each cell, once there has been a debug session.
    before_cell: Callable[[], None] | None = None
    # The toolkit that `%gui` has chosen.
    active_eventloop = None

    def __init__(self, *args: typing.Any, **kwargs: typing.Any) -> None:
        # IPython may show an error of the configuration's while it is made.
        self.presenter = Presenter(self)
        super().__init__(*args, **kwargs)
        self._next = _Next()

    @observe("thread_output")
    def _thread_output_changed(self, change: dict[str, typing.Any]) -> None:
        parents.keep_threads_to_their_cell(change["new"] == "cell")

    @default("exiter")
    def _exiter_default(self) -> ExitAutocall:
        return ZMQExitAutocall(self)

    def init_events(self) -> None:
        """IPython's, each callback by itself: with the user's interrupts where it is the user's."""
        super().init_events()
        events, trigger = self.events, type(self.events).trigger

        def trigger_each(event: str, *args: typing.Any, **kwargs: typing.Any) -> None:
            for callback in list(events.callbacks[event]):
                alone = copy.copy(events)
                alone.callbacks = {event: [callback]}
                if getattr(callback, "__module__", None) in _IPYTHONS_CALLBACKS:
                    with interrupts.own_code():
                        trigger(alone, event, *args, **kwargs)
                    continue
                with interrupts.beside_cell() as mark:
                    trigger(alone, event, *args, **kwargs)
                if mark.was_struck() and event.startswith("pre_"):
                    # IPython has told of it as of the callback's failure, and would run the cell all the same.
                    raise KeyboardInterrupt

        events.trigger = trigger_each  # type: ignore[method-assign]  # the table of this shell alone

    def init_history(self) -> None:
        self.history_manager = HistoryManager(shell=self, parent=self)
        # IPython says that these are shells, and appends its managers.
        self.configurables.append(self.history_manager)

    def init_payload(self) -> None:
        self.payload_manager = ShellPayloadManager(parent=self)
        self.configurables.append(self.payload_manager)

    def init_environment(self) -> None:
        """Colours for those who write to us, and no pager that would wait for a key."""
        os.environ.update(
            TERM="xterm-color",
            CLICOLOR="1",
            FORCE_COLOR="1",
            CLICOLOR_FORCE="1",
            PAGER="cat",
            GIT_PAGER="cat",
        )

    def init_virtualenv(self) -> None:
        """The kernel runs in the environment that it was started with, not in `$VIRTUAL_ENV`."""

    def init_hooks(self) -> None:
        super().init_hooks()
        self.set_hook("show_in_pager", page.as_hook(self._page), 99)

    def init_magics(self) -> None:
        super().init_magics()
        from .magics import KernelMagics

        self.register_magics(KernelMagics)
        self.magics_manager.register_alias("ed", "edit")

    # Payloads: what the front-end is asked to do after the cell.

    def _page(
        self,
        text: str | dict[str, str],
        start: int = 0,
        screen_lines: int = 0,
        pager_cmd: typing.Any = None,
    ) -> None:
        data = text if isinstance(text, dict) else {"text/plain": text}
        payload = {"source": "page", "data": data, "start": max(0, start)}
        self.payload_manager.write_payload(payload)

    payloadpage_page = _page

    def set_next_input(self, text: str, replace: bool = False) -> None:
        """Have the front-end put `text` into the next cell, or in place of this one."""
        payload = {"source": "set_next_input", "text": text, "replace": replace}
        self.payload_manager.write_payload(payload)

    def ask_exit(self) -> None:
        """End the kernel after this cell, unless it is to be kept."""
        self.exit_now = not self.keepkernel_on_exit
        payload = {"source": "ask_exit", "keepkernel": bool(self.keepkernel_on_exit)}
        self.payload_manager.write_payload(payload)

    @observe("exit_now")
    def _exit_asked_for(self, change: dict[str, typing.Any]) -> None:
        if change["new"] and self.kernel is not None:
            self.kernel.server.exit_soon()

    # Cells and their errors.

    def begin_cell(self) -> None:
        """Forget the errors of the cell before."""
        if self.before_cell is not None:
            self.before_cell()
        self.presenter.forget()
        self.displayhook.msg = None

    def expect(self, code: str, transformed: str | None) -> None:
        """The next cell that is run is the kernel's own. Where its transformers have seen it, `transformed` is what they made
        of it: they are to see it once."""
        self._next.expected = (code, transformed)

    def _own_cell(self) -> AbstractContextManager[typing.Any]:
        """A context for IPython's own code around a cell. Around one that user code runs, it is a part of that."""
        expected, self._next.expected = self._next.expected, None
        if expected is None:
            return contextlib.nullcontext()
        return interrupts.own_code(strikes=False)

    def run_cell(self, raw_cell: str, *args: typing.Any, **kwargs: typing.Any) -> ExecutionResult:
        self.begin_cell()
        expected = self._next.expected
        with self._own_cell():
            if expected is not None and expected[0] == raw_cell:
                self._next.transformed = expected[1]
            return super().run_cell(raw_cell, *args, **kwargs)

    async def run_cell_async(self, *args: typing.Any, **kwargs: typing.Any) -> ExecutionResult:
        with self._own_cell():
            return await super().run_cell_async(*args, **kwargs)

    def _run_cell(
        self,
        raw_cell: str,
        store_history: bool,
        silent: bool,
        shell_futures: bool,
        *cell: typing.Any,
    ) -> ExecutionResult:
        """As IPython. The kernel's own cell has been through its transformers, and awaits nothing."""
        transformed, self._next.transformed = self._next.transformed, None
        if transformed is None:
            return super()._run_cell(raw_cell, store_history, silent, shell_futures, *cell)
        coroutine = self.run_cell_async(
            raw_cell,
            store_history=store_history,
            silent=silent,
            shell_futures=shell_futures,
            transformed_cell=transformed,
            **dict(zip(("cell_id", "cell_meta"), cell)),
        )
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        coroutine.close()
        raise RuntimeError("the code awaits something, and was not known to")

    async def run_code(
        self, code_obj: CodeType, result: ExecutionResult | None = None, *, async_: bool = False
    ) -> bool:
        """As IPython, with the user's interrupts. One that strikes in IPython's lines around the code is the cell's, too, and
        is shown unless they have shown an error already."""
        hook, before = sys.excepthook, self.presenter.lines
        running = super().run_code(code_obj, result, async_=async_)
        try:
            awaited = self.kernel.server.directly(running) if async_ else running
            with interrupts.user_code():
                return await awaited
        except KeyboardInterrupt as error:
            # Where it has not begun, nobody is to be told that it was not awaited.
            running.close()
            sys.excepthook = hook
            failed = result is not None and result.error_in_exec is not None
            if not failed or self.presenter.lines is before:
                self.showtraceback()
            if result is not None and not failed:
                result.error_in_exec = error
            return True

    def transform_ast(self, node: ast.AST) -> typing.Any:
        """As IPython; transformers may be anybody's."""
        with interrupts.user_code():
            return super().transform_ast(node)

    if hasattr(InteractiveShell, "_tee"):

        def _tee(self, channel: str) -> typing.Any:
            """IPython would keep all that is printed, for ever, by a function around each `write`."""
            return contextlib.nullcontext()

    def showtraceback(
        self, exc_tuple: typing.Any = None, *args: typing.Any, **kwargs: typing.Any
    ) -> None:
        self.presenter.show(super().showtraceback, exc_tuple, *args, **kwargs)

    def _showtraceback(
        self, etype: type[BaseException], evalue: BaseException, stb: str | list[str]
    ) -> None:
        self.presenter.publish(etype, evalue, stb)

    def _format_exception_for_storage(
        self, exception: BaseException, *args: typing.Any, **kwargs: typing.Any
    ) -> dict:
        """The traceback as it was shown: IPython would make it a second time for the history."""
        shown = self.presenter.stored()
        return shown or super()._format_exception_for_storage(exception, *args, **kwargs)

    # The request that output belongs to.

    @property
    def parent_header(self) -> dict:
        return self.get_parent()

    def get_parent(self) -> dict:
        """The request whose cell this code belongs to."""
        return parents.message(_drupe.get_parent())

    def set_parent(self, parent: _drupe.Parent | dict[str, typing.Any] | None) -> None:
        """Output of this thread, and of threads that have no parent of their own, belongs to `parent`."""
        parents.set_parent(parent)

    def set_thread_parent(
        self, parent: _drupe.Parent | dict[str, typing.Any] | None
    ) -> Token[_drupe.Parent | None]:
        """The same for the calling thread only; returns what `reset_thread_parent` takes."""
        return parents.set_thread_parent(parent)

    def reset_thread_parent(self, token: Token[_drupe.Parent | None]) -> None:
        parents.reset_thread_parent(token)

    def atexit_operations(self) -> None:
        """Close the history and remove temporary files. What IPython does beyond that, the exit ladder does where
        it can be given up: see `teardown.py`."""
        import shutil

        if self.history_manager is not None:
            self.history_manager.end_session()
        for file in self.tempfiles:
            file.unlink(missing_ok=True)
        for folder in self.tempdirs:
            shutil.rmtree(folder, ignore_errors=True)

    # The system.

    def system_piped(self, cmd: str) -> None:
        """Run a shell command; what it writes is shown as it comes."""
        from .system import run

        self.user_ns["_exit_code"] = code = run(self.var_expand(cmd, depth=1))
        if code != 0 and getattr(self, "system_raise_on_error", False):
            from subprocess import CalledProcessError

            raise CalledProcessError(code, cmd)

    system = system_piped

    def enable_gui(self, gui: str | None = None) -> None:
        """Run the event loop of a toolkit beside the kernel's, for `%gui` and `%matplotlib`."""
        from IPython.core.error import UsageError

        from .gui import enable

        try:
            enable(gui, self.kernel)
        except ValueError as error:
            raise UsageError(str(error)) from error
        self.active_eventloop = gui


InteractiveShellABC.register(ZMQInteractiveShell)
