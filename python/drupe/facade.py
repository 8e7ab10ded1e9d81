"""The name `ipykernel`, answered by drupe inside its own process.

Libraries recognise a notebook by that name: in `sys.modules`, in the module of the shell's class, by `isinstance`, in
`sys.argv[0]`. Where they do not find it they take the kernel for a console. So the modules in the folder `ipykernel` beside
this file are found under that name, whether or not the real package is installed; they hold nothing but what drupe's own
modules define. A submodule that is not there comes from the installed package, if there is one.

Called once, by `app.py`, before the shell is made; costs two small modules at the start, the others load when asked for.
Nothing outside of this process sees it: no environment variable, no `sys.path` entry, no distribution for
`importlib.metadata`. A child that is forked keeps its parent's modules, as it keeps everything else; one that is spawned
finds the installed package or none. `DRUPE_IPYKERNEL=0` turns it off.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from .hooks import find_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import TypeVar

    T = TypeVar("T")

# A program that embeds a kernel may have imported the real one, which stays.
ON = os.environ.get("DRUPE_IPYKERNEL") != "0" and "ipykernel" not in sys.modules

_HERE = os.path.dirname(os.path.abspath(__file__))
_FOLDER = os.path.join(_HERE, "ipykernel")
# What scripts that ask for the end of `sys.argv[0]` find. It exists, and it starts a kernel.
LAUNCHER = os.path.join(_HERE, "ipykernel_launcher.py")


def named(module: str) -> Callable[[type[T]], type[T]]:
    """A decorator: the class is the one that `ipykernel.MODULE` is known for, and says so."""

    def rename(cls: type[T]) -> type[T]:
        if ON:
            cls.__module__ = f"ipykernel.{module}"
        return cls

    return rename


def install() -> None:
    """Answer from now on."""
    if ON:
        sys.meta_path.insert(0, _Finder)
        import ipykernel.zmqshell  # noqa: F401


def set_arguments(connection_file: str, traits: dict, words: list) -> None:
    """`sys.argv` as ipykernel would have been started: what is drupe's own on the command line is not there."""
    if ON:
        given = [f"--{name}={value}" for name, values in traits.items() for value in values]
        sys.argv[:] = [LAUNCHER, "-f", connection_file, *given, *words]


class _Finder:
    """Finds the package and its modules; asked before all others."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "ipykernel":
            return _spec(name, _FOLDER)
        if name.startswith("ipykernel."):
            place = os.path.join(_FOLDER, *name.split(".")[1:])
            return _spec(name, place) or _installed(name)
        return None


def _spec(name: str, place: str) -> ModuleSpec | None:
    from importlib.util import spec_from_file_location

    file = os.path.join(place, "__init__.py")
    if os.path.exists(file):
        return spec_from_file_location(name, file, submodule_search_locations=[place])
    file = f"{place}.py"
    return spec_from_file_location(name, file) if os.path.exists(file) else None


def _installed(name: str) -> ModuleSpec | None:
    """Where the installed package has a module; None where there is no such module or no such package."""
    package = find_elsewhere(_Finder, "ipykernel", None)
    spec, known = package, "ipykernel"
    for part in name.split(".")[1:]:
        if spec is None or spec.submodule_search_locations is None:
            return None
        known = f"{known}.{part}"
        spec = find_elsewhere(_Finder, known, spec.submodule_search_locations)
    return spec
