"""The requests that Python answers: each function takes the request's content and returns the reply's.

An exception becomes an error reply: see `serve.py`.
"""

import inspect
import sys
from datetime import datetime, timezone

from . import _drupe, forks
from .interrupt import Cell, interrupts
from .jsonutil import decode, encode
from .log import log

_EXPERIMENTAL_TYPES = "_jupyter_types_experimental"


def _text(content: dict, key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str):
        raise ValueError(f"the request has no text {key!r}")
    return value


def _cursor(content: dict, code: str) -> int:
    """The position of the cursor, in characters; the end of the code where none is given."""
    position = content.get("cursor_pos")
    if position is None:
        return len(code)
    if not isinstance(position, int):
        raise ValueError("cursor_pos must be a number")
    return max(0, min(position, len(code)))


# Execution.


class Execution:
    """One `execute_request`."""

    def __init__(self, shell, request, task):
        self.shell = shell
        self.request = request
        self.task = task
        self.started = datetime.now(timezone.utc)
        content = decode(request.content)
        self.code = _text(content, "code")
        self.silent = bool(content.get("silent", False))
        self.store_history = bool(content.get("store_history", not self.silent))
        self.expressions = content.get("user_expressions") or {}
        self.stop_on_error = bool(content.get("stop_on_error", True))
        request.parent.allow_stdin = bool(content.get("allow_stdin", False))
        self.metadata = decode(request.metadata)

    async def run(self) -> dict:
        """Run the cell; the content of its reply."""
        shell = self.shell
        shell.begin_cell()
        self.count = shell.execution_count
        if not self.silent:
            input_ = {"code": self.code, "execution_count": self.count}
            _drupe.publish("execute_input", encode(input_), parent=self.request.parent)
        failed = await self._run_cell()
        expressions = {}
        if failed is None and self.expressions:
            try:
                with interrupts.user_code():
                    expressions = shell.user_expressions(self.expressions)
            except BaseException:
                interrupts.install()
                shell.showtraceback()
                failed = shell._last_error
        if failed is None:
            reply = {"status": "ok", "user_expressions": expressions}
        else:
            name, value = failed
            reply = {
                "status": "error",
                "ename": name,
                "evalue": value,
                "traceback": shell._last_traceback or [],
                "user_expressions": {},
            }
        reply["execution_count"] = shell.execution_count - 1
        reply["payload"] = shell.payload_manager.read_payload()
        shell.payload_manager.clear_payload()
        return reply

    def reply_metadata(self, status: str) -> dict:
        """What ipyparallel and ipykernel's clients read."""
        return {
            "started": self.started.isoformat(),
            "dependencies_met": True,
            "engine": self.shell.kernel.ident,
            "status": status,
        }

    async def _run_cell(self):
        """None, or the name and the text of the error."""
        shell = self.shell
        try:
            result = await self._run_code()
        except BaseException as error:
            forks.leave_if_forked(error)
            # The signal landed in IPython's own code, outside what it guards, or before that began.
            if self.store_history and shell.execution_count == self.count:
                shell.execution_count += 1
            if shell._last_traceback is None:
                shell.show_plainly(error)
            return shell._last_error
        error = result.error_before_exec or result.error_in_exec
        forks.leave_if_forked(error)
        if error is None:
            return shell._last_error if shell._last_traceback_during_displayhook else None
        if shell._last_traceback is not None:
            return shell._last_error
        return type(error).__name__, str(error)

    async def _run_code(self):
        shell = self.shell
        arguments = {
            "store_history": self.store_history,
            "silent": self.silent,
            **_accepted(
                shell.run_cell_async,
                cell_id=self.metadata.get("cellId"),
                cell_meta=self.metadata,
            ),
        }
        failure = None
        with interrupts.user_code():
            try:
                transformed = shell.transform_cell(self.code)
            except Exception:
                transformed, failure = self.code, sys.exc_info()
            if _runs_elsewhere(shell, self.code, transformed, failure):
                # Another runner than asyncio's, such as `%autoawait trio`: IPython calls it.
                return shell.run_cell(self.code, **arguments)
        coroutine = shell.run_cell_async(
            self.code,
            transformed_cell=transformed,
            preprocessing_exc_tuple=failure,
            **arguments,
        )
        result = None
        try:
            result = await Cell(coroutine, interrupts, self.task)
            _present_interrupt(result)
        finally:
            with interrupts.user_code():
                shell.events.trigger("post_execute")
                if not self.silent:
                    shell.events.trigger("post_run_cell", result)
        return result


def _runs_elsewhere(shell, code, transformed, failure) -> bool:
    from IPython.core.interactiveshell import _asyncio_runner

    if shell.loop_runner is _asyncio_runner and not getattr(shell, "trio_runner", None):
        return False
    return shell.should_run_async(
        code, transformed_cell=transformed, preprocessing_exc_tuple=failure
    )


def _present_interrupt(result) -> None:
    """A cell that an interrupt cancelled has failed with that interrupt."""
    from .shell import as_interrupt, is_cancellation

    if interrupts.cancelled and is_cancellation(result.error_in_exec):
        result.error_in_exec = as_interrupt(result.error_in_exec)


_parameters: dict = {}


def _accepted(function, **arguments) -> dict:
    """Those of the arguments that the function knows: IPython's newer releases know more."""
    key = function.__qualname__
    if key not in _parameters:
        _parameters[key] = frozenset(inspect.signature(function).parameters)
    return {name: value for name, value in arguments.items() if name in _parameters[key]}


async def execute(shell, request, task) -> None:
    """Run a cell and answer it."""
    interrupts.begin_cell()
    try:
        execution = Execution(shell, request, task)
        reply = await execution.run()
    finally:
        interrupts.end_cell()
    failed = reply["status"] == "error"
    metadata = execution.reply_metadata(reply["status"])
    if failed:
        log.debug("a cell failed:\n%s", "\n".join(reply["traceback"]))
        if execution.stop_on_error and not execution.silent:
            # Before the reply: what the client sends once it knows is not aborted.
            _drupe.abort_queued()
    request.reply(encode(reply), metadata=encode(metadata))


# Questions about code.


def complete(shell, content: dict) -> dict:
    """Completions by IPython and jedi, with their types."""
    code = _text(content, "code")
    cursor = _cursor(content, code)
    from IPython.core.completer import provisionalcompleter, rectify_completions

    completer = shell.Completer
    with provisionalcompleter():
        found = list(rectify_completions(code, completer.completions(code, cursor)))
        if not found and completer.use_jedi:
            # jedi finds nothing also where it fails, for one because another process is writing to its cache.
            completer.use_jedi = False
            try:
                found = list(rectify_completions(code, completer.completions(code, cursor)))
            finally:
                completer.use_jedi = True
    types = [
        {
            "start": one.start,
            "end": one.end,
            "text": one.text,
            "type": one.type,
            "signature": one.signature,
        }
        for one in found
    ]
    return {
        "status": "ok",
        "matches": [one.text for one in found],
        "cursor_start": found[0].start if found else cursor,
        "cursor_end": found[0].end if found else cursor,
        "metadata": {_EXPERIMENTAL_TYPES: types},
    }


def inspect_object(shell, content: dict) -> dict:
    """The documentation of the name at the cursor, or its source."""
    from IPython.utils.tokenutil import token_at_cursor

    code = _text(content, "code")
    name = token_at_cursor(code, _cursor(content, code))
    reply = {"status": "ok", "found": False, "data": {}, "metadata": {}}
    try:
        bundle = shell.object_inspect_mime(
            name,
            detail_level=content.get("detail_level", 0),
            omit_sections=tuple(content.get("omit_sections") or ()),
        )
    except KeyError:
        return reply
    if not shell.enable_html_pager:
        bundle.pop("text/html", None)
    reply.update(found=True, data=bundle)
    return reply


def is_complete(shell, content: dict) -> dict:
    """Whether the code can be run as it stands."""
    status, spaces = shell.input_transformer_manager.check_complete(_text(content, "code"))
    reply = {"status": status}
    if status == "incomplete":
        reply["indent"] = " " * (spaces or 0)
    return reply


def history(shell, content: dict) -> dict:
    """Lines of this session and of earlier ones."""
    manager = shell.history_manager
    raw, output = content.get("raw", True), content.get("output", False)
    access = content.get("hist_access_type")
    if access == "tail":
        found = manager.get_tail(content.get("n"), raw=raw, output=output, include_latest=True)
    elif access == "range":
        session, start = content.get("session", 0), content.get("start", 0)
        stop = content.get("stop")
        found = manager.get_range(session, start, stop, raw=raw, output=output)
        # IPython numbers the running session 0; one that was asked for by its number keeps it.
        found = [(number or max(session, 0), *rest) for number, *rest in found]
    elif access == "search":
        found = manager.search(
            content.get("pattern") or "*",
            raw=raw,
            output=output,
            n=content.get("n"),
            unique=content.get("unique", False),
        )
    else:
        raise ValueError(f"hist_access_type must be tail, range or search, not {access!r}")
    return {"status": "ok", "history": list(found)}


ANSWERS = {
    "complete_request": complete,
    "inspect_request": inspect_object,
    "is_complete_request": is_complete,
    "history_request": history,
}
