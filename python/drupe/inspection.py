"""What the language server may know of the session, found without running the user's code.

Called by the core: `Inspector.snapshot` on the main thread after a cell, `Inspector.answer` from any thread inside the
gate. Everything is bounded. What describes objects is imported with the first that is described: a kernel starts without it.
"""

from __future__ import annotations

import importlib.machinery
import itertools
import json
import os
import pkgutil
import sys
import weakref
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from .reading import frames
from .reading.keys import keys_of
from .reading.statics import (
    MAPPINGS,
    MAX_MEMBERS,
    Unknown,
    class_members,
    fits,
    instance_dict,
    kind_of,
    module_members,
    module_of,
    name_of,
    type_name,
)

if TYPE_CHECKING:
    from .reading.results import Resolver

# Bounds on what a snapshot holds, so that it stays cheap whatever the user keeps.
MAX_NAMES = 10_000
MAX_TYPES = 500
MAX_KEYED = 100
MAX_OBJECTS = 1_000
MAX_TEXTS = 2_000
# Names that are copied in one go.
MAX_COPIED = 10_000
# Names between which others may run.
STEP = 200


class Texts:
    """What was written about objects, as JSON, for as long as they live and have as many names as then."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref, int, str]] = {}

    def get(self, value: Any, make: Callable[[Any], Any]) -> str:
        """The JSON of `make(value)`, made again only when the object is another or has changed in size."""
        size = len(instance_dict(value))
        known = self._known.get(id(value))
        if known is not None and known[0]() is value and known[1] == size:
            return known[2]
        text = _json(make(value)).decode("ascii")
        if len(self._known) >= MAX_TEXTS:
            self._known.clear()
        try:
            self._known[id(value)] = (weakref.ref(value), size, text)
        except TypeError:
            pass  # Some of CPython's own objects cannot be watched; they are cheap to describe.
        return text


class Inspector:
    """Answers for one IPython shell, of its namespace or of another."""

    def __init__(self, shell: Any, namespace: dict[str, Any] | None = None) -> None:
        self._shell = shell
        self._namespace = namespace
        self._seen: Any = None
        self._keyed: list[str] = []
        self._sizes: list[Any] = []
        self._modules: tuple[list[str], list[str]] | None = None
        self._magics: tuple[list[str], list[str]] | None = None
        self._members = Texts()
        self._texts = Texts()
        self._tables: dict[str, tuple[Any, str]] = {}
        self._resolver: Resolver | None = None

    def snapshot(self) -> bytes | None:
        """The namespace without its objects, as JSON; None when it is as it was the last time."""
        steps = self.steps()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def steps(self) -> Generator[None, None, bytes | None]:
        """The same in steps of a few hundred names. Between two of them others may run; where they have bound names, RuntimeError."""
        found = yield from self._names()
        seen = [(name, id(value), id(type(value))) for name, value in found]
        if seen == self._seen and self._sizes == self._sizes_now():
            return None
        # Until it is done there is none that the next could be like.
        self._seen = None
        # The parts are JSON already: most of them are as they were after the cell before.
        items: list[str] = []
        members: dict[str, str] = {}
        keys: dict[str, str] = {}
        objects: dict[str, str] = {}
        # By the identity of types: a metaclass may have its own idea of being equal.
        suffixes: dict[int, str] = {}
        done: set[int] = set()
        keyed: list[str] = []
        tables: dict[str, tuple[Any, str]] = {}
        for number, (name, value) in enumerate(found):
            if number % STEP == STEP - 1:
                yield
            kind = type(value)
            suffix = suffixes.get(id(kind))
            if suffix is None:
                told = {"kind": kind_of(value), "type": type_name(value)}
                if told["kind"] == "instance" and len(members) < MAX_TYPES:
                    key = _free_key(kind, members)
                    members[key] = self._members.get(kind, class_members)
                    if key != told["type"]:
                        told["key"] = key
                suffix = suffixes[id(kind)] = f",{json.dumps(told)[1:]}"
            text = name if name.isascii() else json.dumps(name)[1:-1]
            items.append(f'{{"name":"{text}"{suffix}')
            if id(kind) in done:
                continue
            about = kind_of(value)
            if about == "module":
                if len(members) < MAX_TYPES:
                    members[f"module:{name}"] = self._texts.get(value, module_members)
            elif about in ("function", "class"):
                if len(objects) < MAX_OBJECTS:
                    objects[name] = self._texts.get(value, _short)
            elif (size := _size_of(value)) is None:
                done.add(id(kind))
            elif len(keyed) < MAX_KEYED:
                keyed.append(name)
                known = self._tables.get(name)
                if known is None or known[0] != size or kind in MAPPINGS:
                    known = (size, _json(keys_of(value)).decode("ascii"))
                tables[name] = known
                keys[name] = known[1]
        self._keyed, self._tables = keyed, tables
        self._sizes = self._sizes_now()
        line_magics, cell_magics = self._magic_names()
        rest = _json(
            {
                "line_magics": line_magics,
                "cell_magics": cell_magics,
                "modules": self._modules[1] if self._modules else [],
                "path": [folder for folder in sys.path[:100] if type(folder) is str],
                "environment": sorted(os.environ),
                "directory": _directory(),
            }
        )
        parts = f'{{"names":[{",".join(items)}],"members":{_join(members)},"objects":{_join(objects)},"keys":{_join(keys)},'
        self._seen = seen
        return parts.encode("ascii") + rest[1:]

    def answer(self, question: bytes) -> bytes:
        """Answers `{"kind": "members" | "keys" | "strings" | "modules" | "inspect", …}`; `null` when nothing is known."""
        from .reading.bindings import members_of
        from .reading.keys import keys_found
        from .reading.results import Resolver

        asked = json.loads(question)
        prefix = asked.get("prefix", "")
        if self._resolver is None:
            self._resolver = Resolver(lambda: self._values)
        resolver = self._resolver
        if asked.get("given"):
            from .reading.given import after

            resolver = after(resolver, asked["given"])
        try:
            if asked["kind"] == "modules":
                found: Any = [{"name": name, "kind": "module"} for name in self.modules(prefix)]
            elif asked["kind"] == "strings":
                from .reading.arguments import strings

                found = strings(resolver, asked["calls"], prefix)
            else:
                value = resolver.resolve(asked["expression"])
                if asked["kind"] == "members":
                    found = members_of(value, prefix)
                elif asked["kind"] == "keys":
                    names = keys_found(value, prefix, asked.get("index", 0))
                    found = [{"name": name, "kind": "property"} for name in names]
                else:
                    from .reading.describing import MAX_DOC, located

                    found = located(value, MAX_DOC)
        except Unknown:
            found = None
        return _json(found)

    def modules(self, prefix: str) -> list[str]:
        """Importable modules whose dotted name begins with `prefix`; imports nothing."""
        package, dot, _ = prefix.rpartition(".")
        if not dot:
            return [name for name in self._top_level_modules() if fits(name, prefix)]
        found = []
        for module in pkgutil.iter_modules(_search_path(package)):
            name = f"{package}.{module.name}"
            if fits(name, prefix):
                found.append(name)
        return found[:MAX_MEMBERS]

    @property
    def _values(self) -> dict[str, Any]:
        return self._shell.user_ns if self._namespace is None else self._namespace

    def _names(self) -> Generator[None, None, list[tuple[str, Any]]]:
        """Those that a reader may ask for, as they were bound; where there are too many, the newest."""
        hidden = self._shell.user_ns_hidden
        names: list[tuple[str, Any]] = []
        # A copy, since other threads may bind names meanwhile; where that takes too long, they end this.
        copied = len(self._values) <= MAX_COPIED
        newest_first = reversed(list(self._values.items()) if copied else self._values.items())
        while some := list(itertools.islice(newest_first, STEP)):
            for name, value in some:
                # What is no identifier cannot be typed, and an identifier needs no escapes but for what is not ASCII.
                if type(name) is not str or name[:1] == "_" or not name.isidentifier():
                    continue
                if name in hidden and hidden[name] is value:
                    continue
                names.append((name, value))
            if len(names) >= MAX_NAMES:
                break
            yield
        names.reverse()
        return names[-MAX_NAMES:]

    def _sizes_now(self) -> list[Any]:
        """What tells that a mapping or table was changed in place."""
        return [_size_of(self._values.get(name)) for name in self._keyed]

    def _magic_names(self) -> tuple[list[str], list[str]]:
        magics = self._shell.magics_manager.magics
        return sorted(magics["line"]), sorted(magics["cell"])

    def _top_level_modules(self) -> list[str]:
        if self._modules is None or self._modules[0] != sys.path:
            names = set(sys.builtin_module_names) | sys.stdlib_module_names
            names.update(module.name for module in pkgutil.iter_modules())
            public = sorted(name for name in names if name.isidentifier() and name[0] != "_")
            self._modules = (list(sys.path), public)
        return self._modules[1]


def _short(value: Any) -> dict:
    from .reading.describing import short

    return short(value)


def _size_of(value: Any) -> Any:
    """Something that changes with the keys; None for what has none."""
    return len(value) if type(value) in MAPPINGS else frames.size(value)


def _free_key(kind: type, taken: dict[str, str]) -> str:
    """Under which the members of a type are found: its name, and more where another type has it."""
    name = name_of(kind)
    if name not in taken:
        return name
    full = f"{module_of(kind)}.{type.__dict__['__qualname__'].__get__(kind)}"
    key, number = full, 1
    while key in taken:
        number += 1
        key = f"{full} {number}"
    return key


def _search_path(package: str) -> list[str]:
    """Where a package's modules are, found without importing it."""
    path: Any = None
    for part in package.split("."):
        try:
            spec = importlib.machinery.PathFinder.find_spec(part, path)
        except Exception:
            return []
        if spec is None or spec.submodule_search_locations is None:
            return []
        path = list(spec.submodule_search_locations)
    return path or []


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def _join(texts: dict[str, str]) -> str:
    return f"{{{','.join(f'{json.dumps(name)}:{text}' for name, text in texts.items())}}}"


def _json(value: Any) -> bytes:
    # Lone surrogates in names or docstrings would be no UTF-8: they are escaped like all that is not ASCII.
    text = json.dumps(value, separators=(",", ":"))
    return text.encode("ascii") if "\\ud" not in text else _without_surrogates(value)


def _without_surrogates(value: Any) -> bytes:
    def clean(part: Any) -> Any:
        if isinstance(part, str):
            return part.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if isinstance(part, dict):
            return {clean(key): clean(held) for key, held in part.items()}
        if isinstance(part, list):
            return [clean(held) for held in part]
        return part

    return json.dumps(clean(value), separators=(",", ":")).encode("ascii")
