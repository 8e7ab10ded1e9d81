"""nbclient, by which nbconvert, papermill, jupyter-book and many others run notebooks."""

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def run(*sources, **options):
    cells = [source if not isinstance(source, str) else new_code_cell(source) for source in sources]
    notebook = new_notebook(cells=cells)
    NotebookClient(notebook, kernel_name="drupe", timeout=60, **options).execute()
    nbformat.validate(notebook)
    return notebook


def outputs(notebook):
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def text(output):
    return output.get("text") or output["data"]["text/plain"]


def test_a_notebook_runs_end_to_end():
    notebook = run(
        new_markdown_cell("# A title"),
        "x = 6\nprint('printed')\nx * 7",
        "import asyncio\nawait asyncio.sleep(0.01)\n'awaited'",
        "import sys\nprint('warned', file=sys.stderr)",
        "from IPython.display import display, HTML\nhandle = display(HTML('<i>1</i>'), display_id='d')",
        "handle.update(HTML('<i>2</i>'))",
        "!echo from the shell",
        "%%capture held\nprint('held')",
        "held.stdout",
    )
    printed, awaited, warned, shown, updated, shell, captured, held = outputs(notebook)
    assert [text(output) for output in printed] == ["printed\n", "42"]
    assert [text(output) for output in awaited] == ["'awaited'"]
    assert [(output.name, output.text) for output in warned] == [("stderr", "warned\n")]
    assert shown[0].data["text/html"] == "<i>2</i>"
    assert updated == []
    assert shell[0].text.replace("\r", "") == "from the shell\n"
    assert captured == []
    assert text(held[0]) == "'held\\n'"
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, 9))


def test_an_error_stops_the_notebook():
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run("1/0", "print('must not run')")


def test_an_error_that_is_allowed():
    cell = new_code_cell("1/0", metadata={"tags": ["raises-exception"]})
    failed, after = outputs(run(cell, "'after'"))
    assert failed[0].output_type == "error"
    assert failed[0].ename == "ZeroDivisionError"
    assert text(after[0]) == "'after'"


def test_a_cell_that_takes_too_long_is_interrupted():
    cells = [
        "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('stopped')",
        "'after'",
    ]
    notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
    client = NotebookClient(notebook, kernel_name="drupe", timeout=2, interrupt_on_timeout=True)
    client.execute()
    stopped, after = outputs(notebook)
    assert text(stopped[0]) == "stopped\n"
    assert text(after[0]) == "'after'"


def test_widgets_open_their_comms():
    pytest.importorskip("ipywidgets")
    notebook = run(
        "import ipywidgets\nslider = ipywidgets.IntSlider(value=3)\nslider",
        "slider.value = 5",
    )
    [shown], _ = outputs(notebook)
    model = shown.data["application/vnd.jupyter.widget-view+json"]["model_id"]
    states = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"].state
    assert states[model].state["value"] == 5


def test_ten_thousand_lines_are_complete_and_few_outputs():
    """nbclient keeps each stream message as an output of its own, so a flood must not become thousands of them."""
    [streams] = outputs(run("for i in range(10_000):\n    print(i)"))
    assert "".join(output.text for output in streams).split() == [str(i) for i in range(10_000)]
    assert len(streams) < 100
