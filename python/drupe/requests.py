"""The requests that Python answers: what a request asks for is read and checked here, and the kernel's `do_…` methods do it.

Called by `serve.py`, one request after the other, and by the kernel's own `…_request` methods, which libraries put theirs
around. An exception becomes an error reply: see `serve.py`.
"""

from __future__ import annotations

import inspect
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from . import _drupe, comms, shells
from .errors import described, error_reply
from .interrupt import interrupts
from .jsonutil import decode, encode
from .log import log

if TYPE_CHECKING:
    from typing import Any


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


async def carry_out(kernel: Any, request: _drupe.Request) -> None:
    """Answer one request, whatever becomes of it."""
    is_comm = request.msg_type in comms.TYPES
    try:
        handler = kernel.handler_of(request.msg_type)
        if handler is not None:
            await handled_elsewhere(kernel, handler, request)
        elif request.msg_type == "execute_request":
            await execute(kernel, request)
        elif is_comm:
            with interrupts.user_code():
                comms.handle(request)
        else:
            await answer(kernel, request)
    except BaseException as error:
        log.warning("%s failed: %s", request.msg_type, described(error))
        log.debug("%s failed", request.msg_type, exc_info=True)
        if not is_comm:
            request.reply(error_reply(error))


async def execute(
    kernel: Any,
    request: _drupe.Request,
    content: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Run a cell and answer it. `content` and `metadata` take the place of the request's own."""
    started = datetime.now(timezone.utc)
    with interrupts.cell():
        content = decode(request.content) if content is None else content
        metadata = decode(request.metadata) if metadata is None else metadata
        code = _text(content, "code")
        silent = bool(content.get("silent", False))
        store_history = bool(content.get("store_history", not silent))
        request.parent.allow_stdin = bool(content.get("allow_stdin", False))
        with shells.Counted(kernel.shell, store_history and not silent):
            if not silent:
                input_ = {"code": code, "execution_count": kernel.shell.execution_count}
                _drupe.publish("execute_input", encode(input_), parent=request.parent)
            reply: Any = kernel.do_execute(
                code,
                silent,
                store_history,
                content.get("user_expressions") or {},
                request.parent.allow_stdin,
                cell_meta=metadata,
                cell_id=metadata.get("cellId"),
            )
            if inspect.isawaitable(reply):
                reply = await reply
    status = reply["status"]
    if status == "error" and content.get("stop_on_error", True) and not silent:
        # Before the reply: what the client sends once it knows is not aborted.
        shells.abort_queued()
    # What ipyparallel and ipykernel's clients read.
    metadata = {
        "started": started.isoformat(),
        "dependencies_met": True,
        "engine": kernel.ident,
        "status": status,
    }
    request.reply(encode(reply), metadata=encode(metadata))


# Questions about code: what the kernel is asked, by the type of the request.


def _complete(kernel: Any, content: dict) -> Any:
    code = _text(content, "code")
    return kernel.do_complete(code, _cursor(content, code))


def _inspect(kernel: Any, content: dict) -> Any:
    code = _text(content, "code")
    level, omitted = content.get("detail_level", 0), content.get("omit_sections") or ()
    return kernel.do_inspect(code, _cursor(content, code), level, tuple(omitted))


def _is_complete(kernel: Any, content: dict) -> Any:
    return kernel.do_is_complete(_text(content, "code"))


_HISTORY = (
    "hist_access_type",
    "output",
    "raw",
    "session",
    "start",
    "stop",
    "n",
    "pattern",
    "unique",
)


def _history(kernel: Any, content: dict) -> Any:
    asked = {name: content[name] for name in _HISTORY if name in content}
    asked.setdefault("hist_access_type", None)
    return kernel.do_history(**{"output": False, "raw": True, **asked})


ANSWERS = {
    "complete_request": _complete,
    "inspect_request": _inspect,
    "is_complete_request": _is_complete,
    "history_request": _history,
}


async def answer(
    kernel: Any, request: _drupe.Request, content: dict[str, Any] | None = None
) -> None:
    """Answer a question about code."""
    ask = ANSWERS.get(request.msg_type)
    if ask is None:
        raise ValueError(f"a request of type {request.msg_type!r} is not known")
    with interrupts.user_code():
        reply = ask(kernel, decode(request.content) if content is None else content)
    if inspect.isawaitable(reply):
        await kernel.server.running_loop()
        with interrupts.user_code():
            reply = await reply
    request.reply(encode(reply))


async def handled_elsewhere(kernel: Any, handler: Any, request: _drupe.Request) -> None:
    """Leave a request to a handler that somebody has put into the kernel's table. It answers, or nobody does."""
    message = kernel.message_of(request)
    with interrupts.user_code():
        result = handler(kernel.stream_of(request), request.parent.identities, message)
    if inspect.isawaitable(result):
        await kernel.server.running_loop()
        with interrupts.user_code():
            await result
