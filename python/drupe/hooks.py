"""Work that waits for a module to be imported by somebody else, so that the start need not import it."""

import importlib.util
import sys

_waiting: dict = {}


def when_imported(name: str, callback) -> None:
    """Call `callback(module)` once the module has been executed; at once where it has been."""
    module = sys.modules.get(name)
    if module is not None:
        callback(module)
        return
    _waiting[name] = callback
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


class _Finder:
    """Finds nothing itself: it lets the others find, and listens to the loader."""

    def find_spec(self, name, path=None, target=None):
        callback = _waiting.pop(name, None)
        if callback is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            _waiting[name] = callback
            return None
        spec.loader = _Loader(spec.loader, callback)
        return spec


class _Loader:
    """A loader that calls back. Everything else is the real one's."""

    def __init__(self, loader, callback):
        self._loader = loader
        self._callback = callback

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        try:
            self._callback(module)
        except Exception:
            from .log import log

            log.exception("the hook behind the import of %s failed", module.__name__)


_finder = _Finder()
