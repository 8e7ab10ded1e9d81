"""JupyterLab in a real browser, with drupe behind it: what a user sees while a cell runs.

Needs Chromium or Chrome; DRUPE_BROWSER names another one. Playwright drives it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SLOW = 30_000
"""Milliseconds that a page, a kernel or a machine under load may need."""

CELLS = [
    "import time\nlonely_name = 1\ndef lonely_function(depth, width=2):\n    'Measures loneliness.'\n",
    "time.sleep(600)",
    "",
]


def browser() -> str:
    for name in (os.environ.get("DRUPE_BROWSER"), *BROWSERS):
        if name and (path := shutil.which(name)):
            return path
    pytest.fail(f"no browser: install one of {', '.join(BROWSERS)}, or name one in DRUPE_BROWSER")


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> str:
    """The address of a JupyterLab server whose notebooks run on drupe."""
    folder = tmp_path_factory.mktemp("lab")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS])
    notebook.metadata.kernelspec = {"name": "drupe", "display_name": "drupe", "language": "python"}
    nbformat.write(notebook, folder / "busy.ipynb")
    env = os.environ | {"JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    env |= {"JUPYTER_CONFIG_DIR": str(folder / "config"), "HOME": str(folder)}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=", "--ServerApp.port=0"]
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
    try:
        yield address(server, folder)
    finally:
        server.terminate()
        server.wait(30)


def address(server: subprocess.Popen, folder: Path) -> str:
    end = time.monotonic() + SLOW / 1000
    while time.monotonic() < end and server.poll() is None:
        for file in (folder / "runtime").glob("jpserver-*.json"):
            return json.loads(file.read_text())["url"]
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start: {(folder / 'log').read_text()[-2000:]}")


@pytest.fixture
def page(lab) -> Page:
    """The notebook, open, with its kernel idle."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        page = chromium.new_page()
        page.set_default_timeout(SLOW)
        expect.set_options(timeout=SLOW)
        page.goto(f"{lab}lab/tree/busy.ipynb?reset")
        expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(len(CELLS))
        # The circle is idle before there is a kernel, too; the bar below is not.
        expect(page.get_by_text("| Idle")).to_be_visible()
        yield page
        chromium.close()


def status(page: Page):
    """The circle that shows what the kernel does."""
    return page.locator(".jp-Notebook-ExecutionIndicator")


def run(page: Page, index: int) -> None:
    """Runs a cell, with its editor in focus."""
    page.locator(".jp-CodeCell .cm-content").nth(index).click()
    page.keyboard.press("Shift+Enter")


def prompt(page: Page, index: int):
    return page.locator(".jp-CodeCell .jp-InputPrompt").nth(index)


def test_the_completer_and_the_inspector_answer_while_a_cell_runs(page):
    run(page, 0)
    expect(prompt(page, 0)).to_have_text("[1]:")
    run(page, 1)
    expect(prompt(page, 1)).to_have_text("[*]:")
    expect(status(page)).to_have_attribute("data-status", "busy")

    page.locator(".jp-CodeCell .cm-content").nth(2).click()
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
    expect(prompt(page, 1)).to_have_text("[*]:")
    expect(status(page)).to_have_attribute("data-status", "busy")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    page.keyboard.press("i")
    expect(prompt(page, 1)).to_have_text("[2]:")
    expect(page.locator(".jp-CodeCell").nth(1)).to_contain_text("KeyboardInterrupt")
    expect(status(page)).to_have_attribute("data-status", "idle")
