"""Neovim's screen as HTML: what it would draw in a terminal, without one.

It is started as a front-end of Neovim starts it, and tells what to draw in messages of its own protocol.
"""

from __future__ import annotations

import html
import subprocess
import threading
import time
from pathlib import Path

import msgpack

QUIET = 1.0
"""Seconds without a change after which the screen is as it will be."""


class Neovim:
    """A Neovim that shows a file on a screen of so many cells."""

    def __init__(self, program: str, file: str, folder: Path, width: int, height: int):
        self.process = subprocess.Popen(
            [program, "--embed", "-n", "-i", "NONE", "-u", "NONE", file],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.cells = [[(" ", 0)] * width for _ in range(height)]
        self.colours: dict[int, dict] = {}
        self.default = (0, 0xFFFFFF)
        self.cursor = (0, 0)
        self.changed = time.monotonic()
        threading.Thread(target=self._read, daemon=True).start()
        self.call("nvim_ui_attach", width, height, {"rgb": True, "ext_linegrid": True})

    def call(self, method: str, *arguments) -> None:
        """Its answer is not waited for: what it does is seen."""
        self.process.stdin.write(msgpack.packb([0, 0, method, arguments]))
        self.process.stdin.flush()

    def command(self, text: str) -> None:
        self.call("nvim_command", text)

    def type(self, keys: str) -> None:
        self.call("nvim_input", keys)

    def settle(self) -> None:
        """Wait until nothing more is drawn."""
        self.changed = time.monotonic()
        while time.monotonic() - self.changed < QUIET:
            time.sleep(0.05)

    def _read(self) -> None:
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        while data := self.process.stdout.read1(65536):
            unpacker.feed(data)
            for message in unpacker:
                if message[0] == 2 and message[1] == "redraw":
                    for name, *calls in message[2]:
                        if draw := getattr(self, f"_{name}", None):
                            for arguments in calls:
                                draw(*arguments)
                    self.changed = time.monotonic()
                elif message[0] == 1 and message[2]:
                    raise RuntimeError(message[2])

    def _default_colors_set(self, foreground, background, *_) -> None:
        self.default = (foreground, background)

    def _hl_attr_define(self, number, rgb, *_) -> None:
        self.colours[number] = rgb

    def _grid_clear(self, *_) -> None:
        self.cells = [[(" ", 0)] * len(line) for line in self.cells]

    def _grid_cursor_goto(self, _grid, row, column) -> None:
        self.cursor = (row, column)

    def _grid_line(self, _grid, row, column, cells, *_) -> None:
        colour = 0
        for text, *more in cells:
            colour = more[0] if more else colour
            for _ in range(more[1] if len(more) > 1 else 1):
                self.cells[row][column] = (text, colour)
                column += 1

    def _grid_scroll(self, _grid, top, bottom, left, right, rows, *_) -> None:
        lines = range(top, bottom - rows) if rows > 0 else range(bottom - 1, top - rows - 1, -1)
        for line in lines:
            self.cells[line][left:right] = self.cells[line + rows][left:right]

    def html(self) -> str:
        """A page with the screen in an element `#screen`."""
        lines = []
        for row, line in enumerate(self.cells):
            parts = []
            for column, (text, number) in enumerate(line):
                rgb = self.colours.get(number, {})
                pair = [rgb.get("foreground"), rgb.get("background")]
                pair = [self.default[i] if one is None else one for i, one in enumerate(pair)]
                if rgb.get("reverse") or (row, column) == self.cursor:
                    pair.reverse()
                style = "display:inline-block;height:18px;color:#{:06x};background:#{:06x}".format(
                    *pair
                )
                style += ";font-weight:bold" if rgb.get("bold") else ""
                style += ";text-decoration:underline" if rgb.get("underline") else ""
                parts.append(f'<span style="{style}">{html.escape(text or "")}</span>')
            lines.append("".join(parts))
        shown = "\n".join(lines)
        return (
            f'<body style="margin:0"><pre id="screen" style="display:inline-block;margin:0;padding:8px;'
            f"background:#{self.default[1]:06x};font:14px/18px 'DejaVu Sans Mono',monospace\">{shown}</pre>"
        )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
