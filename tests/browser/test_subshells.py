"""What JupyterLab does beside a cell that runs: a console of its own for the notebook's kernel, and widgets that answer."""

from __future__ import annotations

from playwright.sync_api import expect

COUNT = """\
import time
steps = 0
while steps >= 0:
    steps += 1
    time.sleep(0.01)
print("told to stop")"""


def test_a_subshell_console_runs_code_beside_a_cell(open_notebook):
    notebook = open_notebook([COUNT])
    page = notebook.page
    notebook.run(0)
    expect(notebook.prompt(0)).to_have_text("[*]:")
    notebook.editor(0).click(button="right")
    page.get_by_role("menuitem", name="New Subshell Console for Notebook").click()
    prompt = page.locator(".jp-CodeConsole-promptCell .cm-content")
    cells = page.locator(".jp-CodeConsole-content .jp-CodeCell")
    expect(page.locator(".jp-CodeConsole-banner")).to_contain_text("IPython")

    lines = {
        "%subshell": "subshell id: ",
        "import threading; threading.current_thread() is threading.main_thread()": "False",
        "0 < steps < 100_000": "True",
        "steps = -1_000_000": "",
    }
    for number, (code, answer) in enumerate(lines.items()):
        # All of it while the notebook's cell runs.
        expect(notebook.prompt(0)).to_have_text("[*]:")
        prompt.click()
        page.keyboard.type(code)
        page.keyboard.press("Shift+Enter")
        expect(cells).to_have_count(number + 1)
        expect(cells.nth(number).locator(".jp-InputPrompt")).to_have_text(f"[{number + 2}]:")
        expect(cells.nth(number).locator(".jp-Cell-outputArea")).to_contain_text(answer)
    notebook.expect_run(0, 1)
    expect(notebook.output(0)).to_have_text("told to stop\n")


PLOT = """\
%matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
from ipywidgets import interact

x = np.linspace(0, 6, 200)

@interact(waves=(1, 8))
def draw(waves=1):
    global shown
    plt.figure(figsize=(5, 1.5))
    plt.plot(x, np.sin(waves * x))
    plt.title(f"{waves} waves")
    plt.show()
    shown = waves"""

WAIT = """\
import time
while shown < 4:
    time.sleep(0.01)
print("the slider came to", shown)"""


def test_a_slider_moves_a_plot_while_a_cell_runs(open_notebook):
    notebook = open_notebook([PLOT, WAIT])
    notebook.run(0)
    notebook.expect_run(0, 1)
    plot = notebook.output(0).locator("img")
    expect(plot).to_have_count(1)
    notebook.run(1)
    expect(notebook.prompt(1)).to_have_text("[*]:")

    slider = notebook.output(0).locator(".noUi-handle")
    for waves in (2, 3):
        before = plot.get_attribute("src")
        slider.press("ArrowRight")
        expect(notebook.output(0).locator(".widget-readout")).to_have_text(str(waves))
        expect(plot).not_to_have_attribute("src", before)
        expect(plot).to_have_count(1)
        expect(notebook.prompt(1)).to_have_text("[*]:")
    slider.press("ArrowRight")
    notebook.expect_run(1, 2)
    # Each plot has come where it belongs.
    expect(notebook.output(1)).to_have_text("the slider came to 4\n")
    # The main shell is idle, and the slider answers as before.
    before = plot.get_attribute("src")
    slider.press("ArrowRight")
    expect(plot).not_to_have_attribute("src", before)
    expect(plot).to_have_count(1)
