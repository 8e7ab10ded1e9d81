"""What a cell shows: its last value (`execute_result`) and what it displays (`display_data`)."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from traitlets import Any, Bool

from . import _drupe, parents, shells
from .facade import named
from .jsonutil import clean, encode_images, encode_strictly

if TYPE_CHECKING:
    import typing
    from collections.abc import Callable
    from contextvars import Token

try:
    from IPython.core.history import HistoryOutput
except ImportError:  # IPython 8
    HistoryOutput = None  # type: ignore[assignment, misc]  # asked for before it is used


class Hooks:
    """Functions that see a message before it goes out, per thread: each returns it, changed or not, or None to
    keep it back."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def functions(self) -> list:
        return self._local.__dict__.setdefault("functions", [])

    def pass_on(self, message: dict) -> dict[str, typing.Any] | None:
        """The message as the functions leave it; None where one keeps it."""
        for function in list(self.functions):
            message = function(message)
            if message is None:
                return None
        return message

    def publish(self, msg_type: str, content: dict, topic: bytes | None = None) -> None:
        """Send a message, unless a hook keeps it."""
        if not self._local.__dict__.get("functions"):
            _drupe.publish(msg_type, encode_strictly(content), topic=topic)
            return
        from .session import make_message, publish

        parent = parents.message(_drupe.get_parent())
        message = self.pass_on(make_message(msg_type, clean(content), parent))
        if message is not None:
            publish(message, topic=topic)


class Hooked:
    """What publishers of messages have in common: hooks, and a parent that can be set."""

    hooks: Hooks

    @property
    def _hooks(self) -> list:
        return self.hooks.functions

    def register_hook(
        self, hook: Callable[[dict[str, typing.Any]], dict[str, typing.Any] | None]
    ) -> None:
        """Let `hook` see the messages of the calling thread."""
        self.hooks.functions.append(hook)

    def unregister_hook(
        self, hook: Callable[[dict[str, typing.Any]], dict[str, typing.Any] | None]
    ) -> bool:
        """Take it away; False when it was not there."""
        try:
            self.hooks.functions.remove(hook)
        except ValueError:
            return False
        return True

    @property
    def parent_header(self) -> dict:
        return parents.message(_drupe.get_parent()).get("header", {})

    @parent_header.setter
    def parent_header(self, value: typing.Any) -> None:
        parents.set_parent(value)

    def set_parent(self, parent: _drupe.Parent | dict[str, typing.Any] | None) -> None:
        parents.set_parent(parent)

    def set_thread_parent(
        self, parent: _drupe.Parent | dict[str, typing.Any] | None
    ) -> Token[_drupe.Parent | None]:
        return parents.set_thread_parent(parent)

    def reset_thread_parent(self, token: Token[_drupe.Parent | None]) -> None:
        parents.reset_thread_parent(token)


class _Displayed(threading.local):
    exec_result = msg = None
    is_active = False


def _of_thread(name: str) -> typing.Any:
    """An attribute that each thread has its own of."""

    def get(hook: ZMQShellDisplayHook) -> typing.Any:
        return getattr(hook._displayed, name)

    def put(hook: ZMQShellDisplayHook, value: typing.Any) -> None:
        setattr(hook._displayed, name, value)

    return property(get, put)


# Held while `_`, `__`, `___` and `Out` are set together; a destructor may run within, and display something.
_underscores = threading.RLock()


@named("displayhook")
class ZMQShellDisplayHook(Hooked, DisplayHook):
    """Sends the value of a cell's last expression. What belongs to the value that is being displayed is the thread's own: cells
    of several shells display theirs at a time."""

    topic = None
    session = Any(allow_none=True)
    pub_socket = Any(allow_none=True)

    def __init__(self, *args: typing.Any, **kwargs: typing.Any) -> None:
        self._displayed = _Displayed()
        super().__init__(*args, **kwargs)
        self.hooks = Hooks()

    exec_result = _of_thread("exec_result")
    # What is being put together, while a value is displayed.
    msg = _of_thread("msg")
    _is_active = _of_thread("is_active")

    def quiet(self) -> bool:
        """Whether the cell ends in `;`."""
        if shells.several:
            shell: typing.Any = self.shell
            lines = shell.history_manager.input_hist_parsed
            count = shell.execution_count - 1
            for number in (count, count + 1):
                # Of IPython 8 the count goes on at the end of the cell.
                if number < len(lines) and shells.is_running(number):
                    return self.semicolon_at_end_of_expression(lines[number])
        return super().quiet()

    def update_user_ns(self, result: typing.Any) -> None:
        if not shells.several:
            super().update_user_ns(result)
            return
        with _underscores:
            super().update_user_ns(result)

    def start_displayhook(self) -> None:
        super().start_displayhook()
        self.msg = {"data": {}, "metadata": {}}

    def write_output_prompt(self) -> None:
        self.msg["execution_count"] = self.prompt_count

    def write_format_data(
        self, format_dict: dict[str, typing.Any], md_dict: dict[str, typing.Any] | None = None
    ) -> None:
        self.msg["data"] = encode_images(format_dict)
        self.msg["metadata"] = md_dict or {}

    def finish_displayhook(self) -> None:
        content, self.msg = self.msg, None
        self._is_active = False
        if content and content["data"]:
            self.hooks.publish("execute_result", content)


@named("zmqshell")
class ZMQDisplayPublisher(Hooked, DisplayPublisher):
    """Sends what `display()` is given, and what is to replace it."""

    topic = b"display_data"
    session = Any(allow_none=True)
    pub_socket = Any(allow_none=True)
    store_display_history = Bool(
        False, help="Whether what is displayed is kept in the history manager's outputs."
    ).tag(config=True)

    def __init__(self, *args: typing.Any, **kwargs: typing.Any) -> None:
        super().__init__(*args, **kwargs)
        self.hooks = Hooks()

    # As ipykernel's, without IPython's `source`, which has no meaning any more.
    def publish(  # type: ignore[override]
        self,
        data: dict[str, typing.Any],
        metadata: dict[str, typing.Any] | None = None,
        *,
        transient: dict[str, typing.Any] | None = None,
        update: bool = False,
        **_ignored: object,
    ) -> None:
        """Send a mime bundle. `transient` may hold the `display_id`; `update` replaces what has that id."""
        self._validate_data(data, metadata)
        if self.store_display_history:
            self._remember(data)
        content = {
            "data": encode_images(data),
            "metadata": metadata or {},
            "transient": transient or {},
        }
        self.hooks.publish("update_display_data" if update else "display_data", content)

    def _remember(self, data: dict[str, typing.Any]) -> None:
        outputs = getattr(getattr(self.shell, "history_manager", None), "outputs", None)
        if outputs is None or HistoryOutput is None:
            return
        count = self.shell.execution_count - 1
        output = HistoryOutput(output_type="display_data", bundle=data)
        outputs.setdefault(count, []).append(output)

    def clear_output(self, wait: bool = False) -> None:
        """Clear the cell's output, at once or when the next output comes."""
        sys.stdout.flush()
        sys.stderr.flush()
        self.hooks.publish("clear_output", {"wait": bool(wait)})
