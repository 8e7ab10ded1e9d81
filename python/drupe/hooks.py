"""Work that waits for a module to be imported by somebody else, so that the start need not import it.

`when_imported` is called while the kernel starts, and when the first subshell is made, which may be in the middle of an import; the
callbacks run on whichever thread imports the module, or on one of their own behind an import that had begun. A search for
the module that imports nothing (completion, `importlib.util.find_spec`) must leave everything as it was, so a callback
is kept until the module has really been executed.
"""

from __future__ import annotations

import _thread
import importlib
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from typing import Any

_waiting: dict[str, list[Callable[[ModuleType], object]]] = {}


def when_imported(name: str, callback: Callable[[ModuleType], object]) -> None:
    """Call `callback(module)` once the module has been executed; at once where it has been."""
    module = sys.modules.get(name)
    if getattr(getattr(module, "__spec__", None), "_initializing", False):
        # There is nothing to replace in it yet. To import it is to wait for whoever does, so nobody else waits for that.
        _thread.start_new_thread(_call_behind_import, (name, callback))
        return
    if module is not None:
        callback(module)
        return
    waiting = _waiting.setdefault(name, [])
    waiting.append(callback)
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    # Another thread may have found the module between the first look and here, and tells nobody. Who takes the callback away calls it.
    if name in sys.modules:
        try:
            waiting.remove(callback)
        except ValueError:
            return
        when_imported(name, callback)


def find_elsewhere(
    asking: object, name: str, path: Sequence[str] | None, target: ModuleType | None = None
) -> ModuleSpec | None:
    """The spec that the finders other than `asking` have for a module; None where they have none."""
    for finder in list(sys.meta_path):
        find_spec = getattr(finder, "find_spec", None)
        if finder is asking or find_spec is None:
            continue
        spec = find_spec(name, path, target)
        if spec is not None:
            return spec
    return None


class _Finder:
    """Finds nothing itself: it lets the others find, and is told when the module is executed."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _waiting:
            return None
        spec = find_elsewhere(_Finder, name, path, target)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            _listen(spec)
        return spec


def _listen(spec: ModuleSpec) -> None:
    """Have the callbacks called behind the loader's `exec_module`. A loader of this module's alone is the real one still, and
    only its method is covered; one that others share is wrapped."""
    loader: Any = spec.loader
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        if spec.loader is loader:
            loader.__dict__.pop("exec_module", None)
        else:
            spec.loader = module.__loader__ = loader
        execute(module)
        _call_back(module)

    own = getattr(loader, "__dict__", None)
    if getattr(loader, "name", None) == spec.name and isinstance(own, dict):
        own["exec_module"] = exec_module
    else:
        wrapped: Any = _Wrapped(loader, exec_module)
        spec.loader = wrapped


class _Wrapped:
    """A loader that is told of the execution. Everything else is the real one's."""

    def __init__(self, loader: Any, exec_module: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self.exec_module = exec_module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)


def _call_behind_import(name: str, callback: Callable[[ModuleType], object]) -> None:
    try:
        callback(importlib.import_module(name))
    except Exception:
        _tell_failed(name)


def _call_back(module: ModuleType) -> None:
    waiting = _waiting.pop(module.__name__, [])
    while waiting:
        try:
            waiting.pop(0)(module)
        except Exception:
            _tell_failed(module.__name__)


def _tell_failed(name: str) -> None:
    from .log import log

    log.exception("the hook behind the import of %s failed", name)


@contextmanager
def postponed(name: str, function: str) -> Iterator[None]:
    """Within it whoever takes that function from that module gets one that imports the module when it is called."""
    if name in sys.modules:
        yield
        return
    stand_in: Any = ModuleType(name)

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(name), function)(*args, **kwargs)

    setattr(stand_in, function, call)
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
