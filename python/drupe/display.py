"""What a cell shows: its last value (`execute_result`) and what it displays (`display_data`)."""

import sys
import threading

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from traitlets import Bool

from . import _drupe, parents
from .jsonutil import clean, encode, encode_images

try:
    from IPython.core.history import HistoryOutput
except ImportError:  # IPython 8
    HistoryOutput = None


class _Hooks:
    """Functions that see a message before it goes out, per thread: each returns it, changed or not, or None to
    keep it back."""

    def __init__(self):
        self._local = threading.local()

    @property
    def functions(self) -> list:
        return self._local.__dict__.setdefault("functions", [])

    def publish(self, msg_type: str, content: dict, topic=None) -> None:
        """Send a message, unless a hook keeps it."""
        functions = self._local.__dict__.get("functions")
        if functions:
            content = self._run(functions, msg_type, clean(content))
            if content is None:
                return
        _drupe.publish(msg_type, encode(content), topic=topic)

    def _run(self, functions, msg_type: str, content: dict):
        from .compat import make_message

        message = make_message(msg_type, content, parents.message(_drupe.get_parent()))
        for function in list(functions):
            message = function(message)
            if message is None:
                return None
        return message["content"]


class _Hooked:
    """What publishers of messages have in common: hooks, and a parent that can be set."""

    @property
    def _hooks(self) -> list:
        return self.hooks.functions

    def register_hook(self, hook) -> None:
        """Let `hook` see the messages of the calling thread."""
        self.hooks.functions.append(hook)

    def unregister_hook(self, hook) -> bool:
        """Take it away; False when it was not there."""
        try:
            self.hooks.functions.remove(hook)
        except ValueError:
            return False
        return True

    @property
    def parent_header(self) -> dict:
        return parents.message(_drupe.get_parent()).get("header", {})

    def set_parent(self, parent) -> None:
        parents.set_parent(parent)

    def set_thread_parent(self, parent):
        return parents.set_thread_parent(parent)

    def reset_thread_parent(self, token) -> None:
        parents.reset_thread_parent(token)


class ZMQShellDisplayHook(_Hooked, DisplayHook):
    """Sends the value of a cell's last expression."""

    topic = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.hooks = _Hooks()
        # What is being put together, while a value is displayed.
        self.msg = None

    def start_displayhook(self) -> None:
        super().start_displayhook()
        self.msg = {"data": {}, "metadata": {}}

    def write_output_prompt(self) -> None:
        self.msg["execution_count"] = self.prompt_count

    def write_format_data(self, format_dict, md_dict=None) -> None:
        self.msg["data"] = encode_images(format_dict)
        self.msg["metadata"] = md_dict or {}

    def finish_displayhook(self) -> None:
        content, self.msg = self.msg, None
        self._is_active = False
        if content and content["data"]:
            self.hooks.publish("execute_result", content)


class ZMQDisplayPublisher(_Hooked, DisplayPublisher):
    """Sends what `display()` is given, and what is to replace it."""

    topic = b"display_data"
    store_display_history = Bool(
        False, help="Whether what is displayed is kept in the history manager's outputs."
    ).tag(config=True)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.hooks = _Hooks()

    def publish(self, data, metadata=None, *, transient=None, update=False, **_ignored) -> None:
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

    def _remember(self, data) -> None:
        outputs = getattr(getattr(self.shell, "history_manager", None), "outputs", None)
        if outputs is None or HistoryOutput is None:
            return
        count = self.shell.execution_count - 1
        output = HistoryOutput(output_type="display_data", bundle=data)
        outputs.setdefault(count, []).append(output)

    def clear_output(self, wait=False) -> None:
        """Clear the cell's output, at once or when the next output comes."""
        sys.stdout.flush()
        sys.stderr.flush()
        self.hooks.publish("clear_output", {"wait": bool(wait)})
