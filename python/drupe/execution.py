"""One cell: run by the shell, awaited with the user's interrupts, and told of in a reply.

Called by the kernel's `do_execute`, on the main thread, within the task that serves requests. It sends no message itself but
those of the code that it runs.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

from . import forks, shells
from .errors import as_interrupt, text_of
from .interrupt import interrupts
from .log import log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from .kernel import IPythonKernel

_WORDS = ("await", "async")


class Execution:
    """One run of some code."""

    def __init__(
        self,
        kernel: IPythonKernel,
        code: str,
        silent: bool,
        store_history: bool,
        expressions: dict[str, str] | None,
        cell_meta: dict[str, Any] | None,
        cell_id: str | None,
    ) -> None:
        self.kernel = kernel
        self.shell = kernel.shell
        self.code = code
        self.silent = silent
        self.store_history = store_history
        self.expressions = expressions
        self.cell = {"cell_meta": cell_meta, "cell_id": cell_id}

    async def run(self) -> dict:
        """Run it; the content of the reply."""
        shell, shown = self.shell, self.shell.presenter
        shell.begin_cell()
        self.count = shell.execution_count
        failed = await self._run_cell()
        expressions = {}
        if failed is None and self.expressions:
            try:
                with interrupts.user_code():
                    expressions = shell.user_expressions(self.expressions)
            except BaseException:
                shell.showtraceback()
                failed = shown.error
        if interrupts.take_missed() and failed is None:
            # It came where there was nothing of the user's to be interrupted, and it is this cell that was meant.
            shown.show_plainly(KeyboardInterrupt())
            failed = shown.error
        if failed is None:
            reply = {"status": "ok", "user_expressions": expressions}
        else:
            name, value = failed
            reply = {
                "status": "error",
                "ename": name,
                "evalue": value,
                "traceback": shown.lines or [],
                "user_expressions": {},
            }
            log.debug("a cell failed:\n%s", "\n".join(reply["traceback"]))
        reply["execution_count"] = shell.execution_count - 1
        reply["payload"] = shell.payload_manager.read_payload()
        shell.payload_manager.clear_payload()
        return reply

    async def _run_cell(self) -> tuple[str, str] | None:
        """None, or the name and the text of the error."""
        shell, shown = self.shell, self.shell.presenter
        try:
            result = await self._run_code()
        except BaseException as error:
            forks.leave_if_forked(error)
            # The signal landed in IPython's own code, outside what it guards, or before that began.
            if self.store_history and shell.execution_count == self.count:
                shell.execution_count += 1
            if shown.lines is None:
                shown.show_plainly(error)
            return shown.error
        failure = result.error_before_exec or result.error_in_exec
        forks.leave_if_forked(failure)
        if failure is None:
            return shown.error if shown.while_displaying else None
        if shown.lines is not None:
            return shown.error
        return type(failure).__name__, text_of(failure)

    async def _run_code(self) -> Any:
        """Run it by `shell.run_cell`, or `run_cell_async` where it awaits something: what others have put around either has
        its say."""
        shell = self.shell
        arguments: dict[str, Any] = {"store_history": self.store_history, "silent": self.silent}
        failure = None
        with interrupts.user_code():
            try:
                transformed = shell.transform_cell(self.code)
            except Exception:
                transformed, failure = self.code, sys.exc_info()
            awaits = self._awaits(transformed, failure)
        runner = self._runner() if awaits else None
        if runner is None:
            # One that awaits after all is another runner's, such as curio's, which IPython calls.
            shell.expect(self.code, None if awaits or failure else transformed)
            arguments.update(_accepted(shell.run_cell, self.cell))
            with interrupts.beside_cell():
                return shell.run_cell(self.code, **arguments)
        await self.kernel.server.running_loop()
        shell.expect(self.code, None)
        arguments.update(_accepted(shell.run_cell_async, self.cell))
        arguments.update(transformed_cell=transformed, preprocessing_exc_tuple=failure)
        result = None
        server, on_main = self.kernel.server, shells.here() is None
        try:
            server.runs_awaiting_cell |= on_main
            with interrupts.beside_cell():
                result = await runner(shell.run_cell_async(self.code, **arguments))
            # A cell that an interrupt has cancelled failed with that.
            result.error_in_exec = as_interrupt(result.error_in_exec)
        finally:
            if on_main:
                server.runs_awaiting_cell = False
            shell.events.trigger("post_execute")
            if not self.silent:
                shell.events.trigger("post_run_cell", result)
        return result

    def _awaits(self, transformed: str, failure: Any) -> bool:
        """Whether it awaits something, by IPython's word. One that does has one of these words, so most cells need not be
        compiled to find it out."""
        if not any(word in transformed for word in _WORDS):
            return False
        return self.shell.should_run_async(
            self.code, transformed_cell=transformed, preprocessing_exc_tuple=failure
        )

    def _runner(self) -> Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]] | None:
        """What awaits a cell's coroutine by `%autoawait`: the kernel's own loop, or trio, which is its guest. None for others."""
        from IPython.core import async_helpers, interactiveshell

        if getattr(self.shell, "trio_runner", None):
            return None
        if self.shell.loop_runner is interactiveshell._asyncio_runner:
            return self.kernel.server.in_place
        if self.shell.loop_runner is async_helpers._trio_runner:
            return self._in_trio
        return None

    @staticmethod
    async def _in_trio(coroutine: Coroutine[Any, Any, Any]) -> Any:
        from . import trio

        try:
            guest = trio.guest()
        except BaseException:
            coroutine.close()
            raise
        return await guest.run(coroutine)


_parameters: dict = {}


def _accepted(function: Callable[..., Any], arguments: dict) -> dict:
    """Those of the arguments that the function knows: IPython's newer releases know more."""
    key = getattr(function, "__func__", function)
    known = _parameters.get(key)
    if known is None:
        from IPython.core.interactiveshell import InteractiveShell

        theirs = inspect.signature(InteractiveShell.run_cell_async).parameters
        parameters = inspect.signature(function).parameters
        takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
        known = frozenset(
            name for name in arguments if name in theirs and (takes_all or name in parameters)
        )
        if len(_parameters) > 20:
            # Somebody makes a new wrapper for each cell.
            _parameters.clear()
        _parameters[key] = known
    return {name: value for name, value in arguments.items() if name in known}
