"""jupyterlab-lsp in the browser: what it says of a name is what the notebook's own kernel knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import LAUNCHER, ROOT, Lab, running
from playwright.sync_api import expect


def announced(folder: Path) -> dict[str, str]:
    """The environment of a Jupyter server that knows drupe's language server, with drupe installed as far as entry points go."""
    info = folder / "installed" / "drupe-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: drupe\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        "[jupyter_lsp_spec_v1]\ndrupe = drupe.jupyter_lsp:spec\n"
    )
    return {
        "PYTHONPATH": f"{ROOT / 'python'}{os.pathsep}{info.parent}",
        "PATH": f"{Path(LAUNCHER).resolve().parent}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lsp")
    with running(folder, **announced(folder)) as lab:
        yield lab


def hover(notebook, index: int, word: str, text: str) -> None:
    """Point at a word, with the key pressed that jupyterlab-lsp wants, until it is told of `text`."""
    page = notebook.page
    place = notebook.editor(index).get_by_text(word, exact=True).first
    tooltip = page.locator(".lsp-hover")
    for _ in range(20):
        page.mouse.move(5, 5)
        place.hover()
        page.keyboard.down("Control")
        place.hover(position={"x": 8, "y": 6})
        try:
            expect(tooltip).to_contain_text(text, timeout=1500)
            return
        except AssertionError:
            continue
        finally:
            page.keyboard.up("Control")
    expect(tooltip).to_contain_text(text)


def test_two_notebooks_two_kernels(open_notebook):
    """No cell says what the name is, in a way that could be read."""
    contents = {"first": ("[1, 2, 3]", "list"), "second": ("{'a': 1}", "dict")}
    cells = {
        name: [f"globals().update(mine={value})", "mine"] for name, (value, _) in contents.items()
    }
    for name, (_, kind) in contents.items():
        notebook = open_notebook(cells[name], name)
        notebook.run(0)
        notebook.expect_run(0, 1)
        hover(notebook, 1, "mine", kind)
    # The kernel of the second is the newer one now.
    hover(open_notebook(cells["first"], "first"), 1, "mine", "list")
