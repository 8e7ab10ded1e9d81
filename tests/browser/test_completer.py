"""The completer of JupyterLab as its user has it: Tab, the list, and what comes into the cell."""

from __future__ import annotations

import pytest
from notebook import Notebook
from playwright.sync_api import Locator, expect

SETUP = """\
import json
import pandas as pd
harvest = pd.DataFrame({"apple trees": [1, 2], "cherry": [3, 4], "plum": [5, 6]})
config = {"rate": 0.1, "it's": 2}"""

BUSY = "import time; time.sleep(600)"


class Completer:
    """The list of what can be typed in the last cell of a notebook."""

    def __init__(self, notebook: Notebook):
        self.notebook = notebook
        self.page = notebook.page
        self.cell = notebook.editor(2)
        self.matches: Locator = self.page.locator(".jp-Completer-list .jp-Completer-match")

    def ask(self, text: str) -> None:
        """Type into the emptied cell, `|` being where the cursor is left, and press Tab."""
        before, _, after = text.partition("|")
        self.cell.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(before + after)
        for _ in after:
            self.page.keyboard.press("ArrowLeft")
        self.page.keyboard.press("Tab")

    def take(self, name: str) -> None:
        """Go down the list to this one, and choose it."""
        chosen = self.page.locator(".jp-Completer-list .jp-mod-active")
        expect(chosen).to_be_visible()
        for _ in range(self.matches.count()):
            if chosen.locator(".jp-Completer-match").inner_text() == name:
                break
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("Enter")

    def expect(self, *names: str) -> None:
        """These are in the list, whatever else."""
        for name in names:
            expect(self.matches.filter(has_text=name).first).to_be_attached()


@pytest.fixture
def completer(open_notebook) -> Completer:
    notebook = open_notebook([SETUP, BUSY, ""])
    notebook.run(0)
    notebook.expect_run(0, 1)
    return Completer(notebook)


@pytest.fixture
def busy(completer) -> Completer:
    """While a cell runs."""
    completer.notebook.run(1)
    expect(completer.notebook.prompt(1)).to_have_text("[*]:")
    expect(completer.notebook.status).to_have_attribute("data-status", "busy")
    return completer


KEYS = [
    ('harvest["|"]', "cherry", 'harvest["cherry"]'),
    ('harvest["ch|', "cherry", 'harvest["cherry'),
    ('harvest["apple |"]', "apple trees", 'harvest["apple trees"]'),
    ("config['it|']", "it\\'s", "config['it\\'s']"),
]
"""What is typed, what is chosen, and what the cell has then."""


@pytest.mark.parametrize("state", ["completer", "busy"])
def test_keys_and_columns_come_into_the_cell_with_their_quotes(request, state):
    completer = request.getfixturevalue(state)
    completer.ask('harvest["')
    completer.expect("apple trees", "cherry", "plum")
    expect(completer.matches).to_have_count(3)
    for typed, chosen, comes in KEYS:
        completer.ask(typed)
        completer.take(chosen)
        expect(completer.cell).to_have_text(comes)


def test_members_of_a_module_while_a_cell_runs(busy):
    busy.ask("json.dec")
    busy.expect("decoder")
    expect(busy.notebook.prompt(1)).to_have_text("[*]:")
