"""A session without a kernel, to which the live half's questions are put.

The package's own start-up needs the core; the modules that answer do not, and so any Python can be asked.
"""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
import types

PACKAGE = pathlib.Path(__file__).parents[2] / "python" / "drupe"


def load():
    """`drupe.inspection`, without its core."""
    package = types.ModuleType("drupe_without_core")
    package.__path__ = [str(PACKAGE)]
    sys.modules.setdefault(package.__name__, package)
    return importlib.import_module(f"{package.__name__}.inspection")


class Session:
    """As much of a shell as is asked for, and the questions."""

    def __init__(self, code: str = "", **names) -> None:
        self.user_ns = {"hidden": 1, **names}
        self.user_ns_hidden = {"hidden": self.user_ns["hidden"]}
        magics = {"line": {"time": None}, "cell": {"bash": None}}
        self.magics_manager = types.SimpleNamespace(magics=magics)
        exec(compile(code, "<cell>", "exec", dont_inherit=True), self.user_ns)
        self.inspector = load().Inspector(self)

    def ask(self, kind: str, expression: str = "", prefix: str = "", index: int = 0, given=()):
        question = {"kind": kind, "expression": expression, "prefix": prefix, "index": index}
        question["given"] = list(given)
        return json.loads(self.inspector.answer(json.dumps(question).encode()))

    def names(self, *question) -> set[str]:
        return {item["name"] for item in self.ask(*question)}

    def strings(self, *calls, prefix: str = "") -> list[str] | None:
        """For a string in calls, innermost first: `callee`, or `(callee, index or keyword, arguments before it)`."""
        told = [(call, 0) if isinstance(call, str) else call for call in calls]
        asked = [
            {
                "callee": callee,
                "index": where if isinstance(where, int) else 0,
                "keyword": where if isinstance(where, str) else None,
                "written": "".join(written),
            }
            for callee, where, *written in told
        ]
        question = {"kind": "strings", "calls": asked, "prefix": prefix}
        found = json.loads(self.inspector.answer(json.dumps(question).encode()))
        return None if found is None else [item["name"] for item in found]

    def signature(self, expression: str) -> str | None:
        found = self.ask("inspect", expression)
        return None if found is None else found["signature"]

    def type(self, expression: str) -> str | None:
        found = self.ask("inspect", expression)
        return None if found is None else found["type"]

    def snapshot(self) -> dict:
        return json.loads(self.inspector.snapshot())
