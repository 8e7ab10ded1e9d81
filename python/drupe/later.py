"""What IPython makes at its start and a first cell does not need: made, and imported, when somebody asks for it.

The base of the kernel's shell. What IPython merely imports is postponed by `hooks.postponed`.
"""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type

from .interrupt import interrupts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class _TypeLater(Type):
    """A class that is imported when somebody asks for it, and not with each instance."""

    def instance_init(self, obj: Any) -> None:
        """Nothing yet."""

    def default(self, obj: Any = None) -> Any:
        self._resolve_classes()
        return super().default(obj)

    def validate(self, obj: Any, value: Any) -> Any:
        self._resolve_classes()
        return super().validate(obj, value)


class _Configurables(list):
    """What `%config` goes through: whoever does finds the completer, too."""

    def __init__(self, shell: MadeLater, configurables: list) -> None:
        super().__init__(configurables)
        self._shell = shell

    def __iter__(self) -> Iterator:
        _ = self._shell.Completer
        return super().__iter__()


# Is told the theme by IPython before `__init__` is over; the maker of the inspector knows it.
_NO_INSPECTOR = SimpleNamespace(set_theme_name=lambda _name: None)


class MadeLater(InteractiveShell):
    """A shell whose completer and inspector are made when they are asked for."""

    inspector_class = _TypeLater(
        "IPython.core.oinspect.Inspector", help="Class to use to instantiate the shell inspector"
    ).tag(config=True)

    # IPython's own names. `__init__` assigns the list, and what makes a part assigns the part.
    _completer: Any = None
    _completer_is_made = False
    _inspector: Any = None
    # It makes one where it finds none.
    _is_asked_by_ipython = False
    _configurables: list
    _is_made = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Whoever comes second waits; the maker itself sees what it has made so far.
        self._making = threading.RLock()
        super().__init__(*args, **kwargs)
        self._is_made = True

    @property
    def Completer(self) -> Any:  # noqa: N802  # IPython's name
        if not self._completer_is_made:
            with interrupts.own_code(), self._making:
                if self._completer is None:
                    super().init_completer()
                    self._completer_is_made = True
        return self._completer

    @Completer.setter
    def Completer(self, completer: Any) -> None:  # noqa: N802
        self._completer = completer

    def init_completer(self) -> None:
        """Nothing yet; see `Completer`."""

    def set_hook(self, name: str, hook: Any, *args: Any, **kwargs: Any) -> None:
        if name == "complete_command":
            # IPython's own hooks stand before those of others.
            _ = self.Completer
        super().set_hook(name, hook, *args, **kwargs)

    @property
    def configurables(self) -> list:
        return self._configurables

    @configurables.setter
    def configurables(self, configurables: list) -> None:
        self._configurables = _Configurables(self, configurables)

    @property
    def inspector(self) -> Any:
        if self._inspector is None:
            if not self._is_made:
                return _NO_INSPECTOR
            with interrupts.own_code(), self._making:
                if self._is_asked_by_ipython:
                    raise AttributeError("it is being made")
                if self._inspector is None:
                    self._is_asked_by_ipython = True
                    try:
                        super().init_syntax_highlighting()
                    finally:
                        self._is_asked_by_ipython = False
        return self._inspector

    @inspector.setter
    def inspector(self, inspector: Any) -> None:
        self._inspector = inspector
