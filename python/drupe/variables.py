"""The variables of the namespace as the debug adapter shows them, while nothing is stopped: to who asks for all, for what is in
one, or for how one is shown. Called on threads of the core's own, through `debugger.py`.
"""

from __future__ import annotations

import itertools
import reprlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from .jsonutil import encode, encode_images

if TYPE_CHECKING:
    from .shell import ZMQInteractiveShell

# Children of one value that are told.
_MOST = 1000


class Refused(Exception):
    """What was asked for cannot be done; the text is for the user."""


def shell() -> ZMQInteractiveShell:
    """The kernel's."""
    from IPython.core.interactiveshell import InteractiveShell

    return cast("ZMQInteractiveShell", InteractiveShell.instance())


class _Repr(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = (
            self.maxdeque
        ) = 50
        self.maxstring = self.maxother = self.maxlong = 2000


_repr = _Repr()
# The names that lead to a value, by the number that was told for it, counted from here; pydevd counts its own from one. Several
# threads may ask at a time.
_FIRST = 1 << 30
_counter = itertools.count(_FIRST + 1)
_paths: dict[int, tuple[tuple[str, ...], str]] = {}
# The same numbers by those names: who opens a value again and again gets the same one.
_numbers: dict[tuple[str, ...], int] = {}


def text(value: Any) -> str:
    """A short one of a value, whatever its own code does."""
    try:
        return _repr.repr(value)
    except BaseException as error:
        return f"<{type(value).__name__} whose text cannot be made: {type(error).__name__}>"


def _children(value: Any, start: int = 0, count: int | None = None) -> Iterator[tuple[str, Any]]:
    """Pairs: the name of a child, and the child. Runs no code of the user's."""
    pairs: Iterable[tuple[str, Any]]
    if isinstance(value, dict):
        pairs = ((text(key), child) for key, child in list(dict.items(value)))
    elif isinstance(value, (list, tuple)):
        pairs = ((str(index), child) for index, child in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        pairs = ((str(index), child) for index, child in enumerate(list(value)))
    else:
        pairs = sorted((str(name), child) for name, child in _attributes(value))
    count = _MOST if count is None else min(count, _MOST)
    for index, pair in enumerate(pairs):
        if index >= start + count:
            return
        if index >= start:
            yield pair


def _attributes(value: Any) -> list[tuple[str, Any]]:
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return []
    # By their names, so that values need no order.
    return [(name, attributes[name]) for name in sorted(map(str, attributes)) if name in attributes]


def _is_expandable(value: Any) -> bool:
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        return len(value) > 0
    return bool(_attributes(value)) and not isinstance(value, type) and not callable(value)


def _variable(name: str, value: Any, path: tuple[str, ...], evaluate: str) -> dict[str, Any]:
    reference = 0
    if _is_expandable(value):
        reference = _numbers.setdefault(path, next(_counter))
        # The value may be of another kind by now, and be written in another way.
        _paths[reference] = (path, evaluate)
    variable: dict[str, Any] = {
        "name": name,
        "value": text(value),
        "type": type(value).__name__,
        "evaluateName": evaluate,
        "variablesReference": reference,
    }
    if type(value) is str:
        # Front-ends show it without its quotes then, as they do where pydevd answers.
        variable["presentationHint"] = {"attributes": ["rawString"]}
    return variable


def inspect_variables(asked: dict[str, Any]) -> dict[str, Any]:
    """`inspectVariables`: all."""
    _paths.clear()
    _numbers.clear()
    namespace = shell().user_ns
    variables = []
    for name, value in list(namespace.items()):
        if isinstance(name, str) and _is_users(name):
            variables.append(_variable(name, value, (name,), name))
    return {"variables": variables}


def _is_users(name: str) -> bool:
    """Whether a name is neither Python's nor IPython's nor the server's, which is where the notebook stands."""
    return not (
        name in _NOT_USERS or name.startswith("_i") or name[:1] == "_" and name[1:2].isdigit()
    )


_NOT_USERS = frozenset(
    "__name__ __doc__ __package__ __loader__ __spec__ __annotations__ __builtins__ __builtin__ __display__ get_ipython "
    "__session__ debugpy exit quit open In Out _oh _dh _ __ ___ __warningregistry__".split()
)


def children_of(asked: dict[str, Any]) -> dict[str, Any]:
    """`variables`: what is in one of those that were told."""
    arguments = asked["arguments"]
    reference = arguments.get("variablesReference")
    known = _paths.get(reference) if isinstance(reference, int) else None
    if known is None:
        raise Refused("these variables are not known any more: inspect again")
    path, evaluate = known
    value = shell().user_ns.get(path[0])
    for name in path[1:]:
        found = [child for other, child in _children(value) if other == name]
        if not found:
            raise Refused("these variables are not there any more: inspect again")
        value = found[0]
    start, count = arguments.get("start") or 0, arguments.get("count") or None
    dotted = not isinstance(value, (dict, list, tuple, set, frozenset))
    return {
        "variables": [
            _variable(
                name,
                child,
                (*path, name),
                f"{evaluate}.{name}" if dotted else f"{evaluate}[{name}]",
            )
            for name, child in _children(value, start, count)
        ]
    }


def rich_inspect(asked: dict[str, Any]) -> dict[str, Any]:
    """`richInspectVariables`: one as a cell would show it."""
    name = asked["arguments"].get("variableName", "")
    namespace = shell().user_ns
    if name not in namespace:
        raise Refused(f"there is no variable {name}")
    return _formatted(namespace[name])


def _formatted(value: Any) -> dict[str, Any]:
    data, metadata = cast(Any, shell().display_formatter).format(value)
    metadata = {key: value for key, value in metadata.items() if key in data}
    return {"data": encode_images(data), "metadata": metadata}


def shown(value: Any) -> str:
    """How a value is shown, for a stopped frame's `richInspectVariables`: JSON in hexadecimal digits, which come through each
    way of quoting."""
    return encode(_formatted(value)).hex()
