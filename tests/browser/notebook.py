"""A notebook in JupyterLab as its user has it: cells to click on and run, and what is to be seen of them.

The tests of this folder open one by the fixture `open_notebook`. Nothing here waits for a time: what is to be seen is waited for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from playwright.sync_api import Locator, Page, WebSocket, expect

SLOW = 30_000
"""Milliseconds that a page, a kernel or a machine under load may need."""


class Notebook:
    """The one notebook that is open in a page, with its kernel idle at first."""

    def __init__(self, page: Page):
        self.page = page
        self.cells = page.locator(".jp-Notebook .jp-CodeCell")
        self.messages: list[bytes] = []
        """What the server has sent since the page was opened, as it came."""
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on(
            "framereceived",
            lambda frame: self.messages.append(
                frame if isinstance(frame, bytes) else frame.encode()
            ),
        )

    @property
    def status(self) -> Locator:
        """The circle that shows what the kernel does, by its attribute data-status."""
        return self.page.locator(".jp-Notebook-ExecutionIndicator")

    def editor(self, index: int) -> Locator:
        return self.cells.nth(index).locator(".cm-content").first

    def prompt(self, index: int) -> Locator:
        """What stands left of a cell: `[*]:` while it runs."""
        return self.cells.nth(index).locator(".jp-InputPrompt")

    def output(self, index: int) -> Locator:
        return self.cells.nth(index).locator(".jp-Cell-outputArea")

    def run(self, index: int) -> None:
        """Run a cell, with its editor in focus."""
        self.editor(index).click()
        self.page.keyboard.press("Shift+Enter")

    def menu(self, *names: str) -> None:
        """Choose from the menus at the top of the page."""
        bar = self.page.locator(".jp-MainMenuPanel, #jp-top-panel").get_by_role("menubar")
        bar.get_by_role("menuitem", name=names[0], exact=True).click()
        for name in names[1:]:
            self.page.locator(".lm-Menu").last.get_by_role("menuitem", name=name).click()

    def restart(self) -> None:
        """Restart the kernel by the menu, and say yes to the question."""
        self.menu("Kernel", "Restart Kernel…")
        self.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()

    @contextlib.contextmanager
    def expect_message(self, *words: str) -> Iterator[None]:
        """Behind this block, a message that holds these strings of JSON has come since its beginning: for what the page does not show."""
        before = len(self.messages)
        sought = [f'"{word}"'.encode() for word in words]
        yield
        for _ in range(SLOW // 100):
            if any(all(word in it for word in sought) for it in self.messages[before:]):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"no message with {words} has come from the server")

    def interrupt(self) -> None:
        """Interrupt the kernel by the notebook's button."""
        self.page.get_by_role("button", name="Interrupt the kernel").click()

    def expect_run(self, index: int, count: int) -> None:
        """The cell has come to its end and is the kernel's cell of that number."""
        expect(self.prompt(index)).to_have_text(f"[{count}]:")
