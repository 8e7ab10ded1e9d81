"""What a user of JupyterLab sees while a cell runs."""

from __future__ import annotations

from playwright.sync_api import expect

CELLS = [
    "import time\nlonely_name = 1\ndef lonely_function(depth, width=2):\n    'Measures loneliness.'\n",
    "time.sleep(600)",
    "",
]


def test_the_completer_and_the_inspector_answer_while_a_cell_runs(open_notebook):
    notebook = open_notebook(CELLS)
    page = notebook.page
    notebook.run(0)
    notebook.expect_run(0, 1)
    notebook.run(1)
    expect(notebook.prompt(1)).to_have_text("[*]:")
    expect(notebook.status).to_have_attribute("data-status", "busy")

    notebook.editor(2).click()
    page.keyboard.type("lonely_")
    page.keyboard.press("Tab")
    completer = page.locator(".jp-Completer-list .jp-Completer-match")
    expect(completer).to_have_count(2)
    assert sorted(completer.all_inner_texts()) == ["lonely_function", "lonely_name"]
    # The letters of their types: they come from the kernel alone.
    letters = page.locator(".jp-Completer-list .jp-Completer-monogram")
    assert sorted(letters.all_inner_texts()) == ["f", "i"]

    page.keyboard.press("Enter")
    page.keyboard.type("(")
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".jp-Tooltip")).to_contain_text("Measures loneliness.")

    # All the while the cell ran, and was shown to.
    expect(notebook.prompt(1)).to_have_text("[*]:")
    expect(notebook.status).to_have_attribute("data-status", "busy")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    page.keyboard.press("i")
    notebook.expect_run(1, 2)
    expect(notebook.cells.nth(1)).to_contain_text("KeyboardInterrupt")
    expect(notebook.status).to_have_attribute("data-status", "idle")
