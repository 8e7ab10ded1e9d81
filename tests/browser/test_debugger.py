"""JupyterLab's debugger as its user has it: by the buttons, the margin of a cell and the panels.

JupyterLab 4.6 has nothing to give a breakpoint a condition or a log message with; tests/debugger plays those.
"""

from __future__ import annotations

import re

import pytest
from notebook import Notebook
from playwright.sync_api import Locator, expect

MEAN = """\
def mean(values):
    total = sum(values)
    count = len(values)
    return total / count"""

CALL = """\
numbers = [3, 1, 4, 1, 5]
result = mean(numbers)
print("the mean is", result)"""


class Debugger:
    """The debugger of the notebook that is open, and its panels at the right."""

    def __init__(self, notebook: Notebook):
        self.notebook = notebook
        self.page = notebook.page
        self.frames = self.page.locator(".jp-DebuggerCallstackFrame")
        self.breakpoints = self.page.locator(".jp-DebuggerBreakpoint")
        self.highlight = self.page.locator(".jp-Notebook .jp-DebuggerEditor-highlight")
        """The line that is next, in the notebook."""

    @property
    def button(self) -> Locator:
        return self.page.locator(".jp-DebuggerBugButton")

    def switch_on(self) -> None:
        self.button.click()
        expect(self.page.locator(".jp-DebuggerBreakpoints")).to_be_visible()
        expect(self.gutter(0)).to_be_visible()

    def gutter(self, cell: int) -> Locator:
        return self.notebook.cells.nth(cell).locator(".cm-gutter.cm-breakpoint-gutter")

    def marks(self, cell: int) -> Locator:
        """The red dots of a cell."""
        return self.gutter(cell).locator(".cm-gutterElement .cm-breakpoint-gutter:visible")

    def break_at(self, cell: int, line: int) -> None:
        """Click left of a line, which counts from 1."""
        before = self.breakpoints.count()
        # The first element is there to give the margin its width.
        self.gutter(cell).locator(".cm-gutterElement").nth(line).click()
        expect(self.breakpoints).to_have_count(before + 1)

    def press(self, command: str) -> None:
        """One of the buttons above the stack: continue, next, stepIn, stepOut, evaluate."""
        self.page.locator(f"#jp-debugger-sidebar [data-command='debugger:{command}']").click()

    def expect_stopped(self, *frames: str) -> None:
        """Stopped, with these frames, the innermost first: `mean Cell [1]:2`."""
        names = [re.compile(re.escape(frame).replace(r"\ ", r"\s*")) for frame in frames]
        expect(self.frames).to_have_text(names)

    def expect_line(self, text: str) -> None:
        expect(self.highlight).to_have_text(re.compile(re.escape(text)))

    def scope(self, name: str) -> None:
        self.page.get_by_label("Scope", exact=True).select_option(name)

    def variable(self, name: str) -> Locator:
        names = self.page.locator(".jp-DebuggerVariables-name", has_text=re.compile(f"^{name}$"))
        return self.page.locator(".jp-DebuggerVariables-body jp-tree-item").filter(has=names)

    def expect_variable(self, name: str, value: str) -> None:
        expect(self.variable(name).locator(".jp-DebuggerVariables-detail")).to_have_text(value)


@pytest.fixture
def debug(open_notebook):
    """A function that opens a notebook of these cells with the debugger switched on."""

    def debug(*cells: str) -> Debugger:
        debugger = Debugger(open_notebook(list(cells)))
        debugger.switch_on()
        return debugger

    return debug


@pytest.fixture
def stopped(debug) -> Debugger:
    """A notebook that is stopped in the second line of `mean`, called from the next cell."""
    debugger = debug(MEAN, CALL, "print(total)")
    debugger.break_at(0, 2)
    debugger.notebook.run(0)
    debugger.notebook.expect_run(0, 1)
    debugger.notebook.run(1)
    debugger.expect_stopped("mean Cell [1]:2", "<module> Cell [*]:2")
    return debugger


def test_steps_and_variables(stopped):
    debugger = stopped
    debugger.expect_line("total = sum(values)")
    debugger.scope("Locals")
    expect(debugger.variable("total")).to_have_count(0)
    debugger.press("next")
    debugger.expect_line("count = len(values)")
    debugger.expect_variable("total", "14")
    debugger.press("stepOut")
    debugger.expect_stopped("<module> Cell [*]:2")
    debugger.press("next")
    debugger.expect_stopped("<module> Cell [*]:3")
    debugger.expect_line("print(")
    debugger.press("continue")
    debugger.notebook.expect_run(1, 2)
    expect(debugger.notebook.output(1)).to_have_text("the mean is 2.8\n")
    expect(debugger.frames).to_have_count(0)
    expect(debugger.notebook.status).to_have_attribute("data-status", "idle")


def test_a_step_into_a_function(debug):
    debugger = debug(MEAN, CALL)
    debugger.notebook.run(0)
    debugger.notebook.expect_run(0, 1)
    debugger.break_at(1, 2)
    debugger.notebook.run(1)
    debugger.expect_stopped("<module> Cell [*]:2")
    debugger.press("stepIn")
    debugger.expect_stopped("mean Cell [1]:2", "<module> Cell [*]:2")
    debugger.expect_line("total = sum(values)")
    # The dot is taken away by a second click, and nothing stops any more.
    debugger.gutter(1).locator(".cm-gutterElement").nth(2).click()
    expect(debugger.breakpoints).to_have_count(0)
    debugger.press("continue")
    debugger.notebook.expect_run(1, 2)
    debugger.notebook.run(1)
    debugger.notebook.expect_run(1, 3)


def test_the_debug_console_evaluates_in_the_frame(stopped):
    debugger = stopped
    debugger.press("evaluate")
    console = debugger.page.locator(".jp-DebugConsole")
    prompt = console.locator(".jp-CodeConsole-promptCell .cm-content")
    cells = console.locator(".jp-CodeConsole-content .jp-CodeCell")
    expressions = {
        "[value * 2 for value in values]": "[6, 2, 8, 2, 10]",
        "total = 100": "",
        "total + len(values)": "105",
        "missing": "Evaluation resulted in an error",
    }
    for number, (code, answer) in enumerate(expressions.items()):
        prompt.click()
        debugger.page.keyboard.type(code)
        debugger.page.keyboard.press("Shift+Enter")
        expect(cells).to_have_count(number + 1)
        expect(cells.nth(number).locator(".jp-Cell-outputArea")).to_contain_text(answer)


def test_a_variable_is_copied_to_the_globals(stopped):
    debugger = stopped
    debugger.press("next")
    debugger.scope("Locals")
    debugger.variable("total").click(button="right")
    debugger.page.get_by_role("menuitem", name="Copy Variable to Globals").click()
    debugger.scope("Globals")
    debugger.expect_variable("total", "14")
    debugger.press("continue")
    debugger.notebook.expect_run(1, 2)
    debugger.notebook.run(2)
    debugger.notebook.expect_run(2, 3)
    expect(debugger.notebook.output(2)).to_have_text("14\n")


def test_breakpoints_outlive_a_restart_while_stopped(stopped):
    debugger = stopped
    notebook = debugger.notebook
    with notebook.expect_message("setBreakpoints", "response"):
        notebook.restart()
    expect(debugger.frames).to_have_count(0)
    expect(notebook.status).to_have_attribute("data-status", "idle")
    expect(debugger.breakpoints).to_have_count(1)
    expect(debugger.marks(0)).to_have_count(1)
    notebook.run(0)
    notebook.expect_run(0, 1)
    notebook.run(1)
    debugger.expect_stopped("mean Cell [1]:2", "<module> Cell [*]:2")
    debugger.press("continue")
    notebook.expect_run(1, 2)
    expect(notebook.output(1)).to_have_text("the mean is 2.8\n")


def test_an_interrupt_while_stopped(debug):
    debugger = debug("import time\nbegun = True\ntime.sleep(600)")
    notebook = debugger.notebook
    debugger.break_at(0, 2)
    # The second time it stops there again.
    for count in (1, 2):
        notebook.run(0)
        debugger.expect_stopped("<module> Cell [*]:2")
        notebook.interrupt()
        notebook.expect_run(0, count)
        expect(notebook.output(0)).to_contain_text("KeyboardInterrupt")
        expect(debugger.frames).to_have_count(0)
        expect(notebook.status).to_have_attribute("data-status", "idle")
        expect(debugger.breakpoints).to_have_count(1)


TABLE = """\
class Harvest:
    tons = {"plum": 12, "cherry": 7}
    def _repr_html_(self):
        rows = "".join(f"<tr><th>{name}</th><td>{tons}</td></tr>" for name, tons in self.tons.items())
        return f"<table>{rows}</table>"
harvest = Harvest()
best = "plum"
year = 2026"""


def test_variables_while_nothing_is_stopped(debug):
    debugger = debug(TABLE, "year += 1")
    page = debugger.page
    debugger.notebook.run(0)
    debugger.notebook.expect_run(0, 1)
    debugger.expect_variable("year", "2026")
    debugger.expect_variable("harvest", "Harvest")
    # As they are shown while something is stopped; and nothing that the user has not made.
    debugger.expect_variable("best", "plum")
    expect(debugger.page.locator(".jp-DebuggerVariables-body jp-tree-item")).to_have_count(4)
    debugger.notebook.run(1)
    debugger.expect_variable("year", "2027")
    # The magnifier shows a value as a cell would.
    debugger.variable("harvest").hover()
    page.locator(".jp-DebuggerVariables-renderVariable:visible").click()
    row = page.locator(".jp-VariableRendererPanel-renderer tr", has_text="cherry")
    expect(row).to_have_text("cherry7")
