"""A kernel in the root, by either door, and what its clients ask."""

from __future__ import annotations

import os
from pathlib import Path

from cells import Kernel
from root import ENTER

HERE = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DRUPE", str(HERE / "target" / "release" / "drupe"))


def command(python: str, *flags: str, door: str = "launcher") -> list[str]:
    """A kernel's command line. The launcher that stays outside finds no libpython there, and becomes Python: the other door."""
    line = [BINARY, "-f", "{connection_file}", "--python", python, *flags]
    return [str(ENTER), *line] if door == "launcher" else line


class Newer(Kernel):
    """Asks about code, too."""

    def complete(self, code: str) -> dict[str, dict]:
        """The completions at the end, with what is said of each."""
        result = self.until_idle(
            self.send("complete_request", {"code": code, "cursor_pos": len(code)})
        )
        assert result.status == "ok", result.reply["content"]
        content = result.reply["content"]
        return {one["text"]: one for one in content["metadata"]["_jupyter_types_experimental"]}

    def inspect(self, code: str, detail_level: int = 0) -> str:
        """The help for the name at the end, without colours and line breaks."""
        content = {"code": code, "cursor_pos": len(code), "detail_level": detail_level}
        result = self.until_idle(self.send("inspect_request", content))
        assert result.status == "ok", result.reply["content"]
        text = plain(result.reply["content"]["data"].get("text/plain", ""))
        return " ".join(text.split()).replace("( ", "(").replace(", )", ")")

    def end(self) -> int:
        """End it by a `shutdown_request`; the status that the process ends with, which must be soon. The deadline is 2.3 s, and what that
        does not end, nothing does."""
        self.client.shutdown()
        return self.ended(3.5)


def plain(text: str) -> str:
    """Without colours."""
    parts = text.split("\x1b[")
    return parts[0] + "".join(part.partition("m")[2] for part in parts[1:])
