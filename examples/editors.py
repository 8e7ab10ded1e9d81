"""Take the pictures of docs/language-server.md: JupyterLab's completer and Neovim, beside a kernel that runs.

    DRUPE=target/release/drupe .venv/bin/python examples/editors.py docs/pictures

Needs what `make test` has installed for the tests with a browser and with editors.
"""

from __future__ import annotations

import io
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

import nbformat
from jupyter_client.manager import KernelManager
from neovim import Neovim
from picture import SLOW, harvest, lab
from PIL import Image
from playwright.sync_api import expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from conftest import LAUNCHER, browser_program, running  # noqa: E402
from notebook import Notebook  # noqa: E402
from test_language_server import announced, hover  # noqa: E402

TYPED = 'harvest.sort_values(by="'
READ = (
    'import pandas as pd\nharvest = pd.read_csv("harvest.csv", index_col="day", parse_dates=True)'
)
BUSY = "import time; time.sleep(600)"

TEXT = """\
# Attached to a kernel that has read the table, and that is busy now.
import pandas as pd

best = harvest.cherry.max()
print(f"{best} kg, {wrost} at worst")

"""


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_program(), args=["--no-sandbox"]
        )
        save(jupyterlab(browser), folder / "lsp-jupyterlab.png")
        save(jupyterlab_lsp(browser), folder / "lsp-jupyterlab-lsp.png")
        for name, picture in neovim(browser).items():
            save(picture, folder / f"lsp-neovim-{name}.png")
        browser.close()


def save(picture: bytes, file: pathlib.Path) -> None:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file}: {image.width} x {image.height}, {file.stat().st_size // 1024} KiB")


def jupyterlab(browser) -> bytes:
    """The completer below a cell that runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        without = folder / "config" / "labconfig" / "page_config.json"
        without.parent.mkdir(parents=True)
        without.write_text('{"disabledExtensions": {"@jupyter-lsp/jupyterlab-lsp": true}}')
        with lab(folder) as url:
            return completer(browser, url)


def completer(browser, url: str) -> bytes:
    page = browser.new_page(viewport={"width": 900, "height": 1500})
    page.set_default_timeout(SLOW)
    notebook = Notebook(page)
    page.goto(f"{url}doc/tree/harvest.ipynb?reset")
    expect(page.get_by_text("| Idle")).to_be_visible()
    notebook.run(0)
    notebook.expect_run(0, 1)
    notebook.run(2)
    expect(notebook.prompt(2)).to_have_text("[*]:")
    expect(notebook.output(2)).to_contain_text("%")
    notebook.editor(3).click()
    page.keyboard.type(TYPED)
    page.keyboard.press("Tab")
    expect(page.locator(".jp-Completer-list .jp-Completer-match")).to_have_count(3)
    top = notebook.cells.nth(2).bounding_box()["y"]
    box = page.locator(".jp-Completer").bounding_box()
    return page.screenshot(
        clip={"x": 0, "y": top, "width": 900, "height": box["y"] + box["height"] + 12 - top}
    )


def jupyterlab_lsp(browser) -> bytes:
    """What jupyterlab-lsp shows of a name that only the notebook's kernel knows."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with running(folder, **announced(folder)) as server:
            harvest().to_csv(server.folder / "harvest.csv")
            cells = [nbformat.v4.new_code_cell(code) for code in (READ, "harvest")]
            file = nbformat.v4.new_notebook(cells=cells)
            file.metadata.kernelspec = {"name": "drupe", "display_name": "drupe"}
            nbformat.write(file, server.folder / "hover.ipynb")
            page = browser.new_page(viewport={"width": 900, "height": 900})
            page.set_default_timeout(SLOW)
            notebook = Notebook(page)
            page.goto(f"{server.url}doc/tree/hover.ipynb?reset")
            expect(page.get_by_text("| Idle")).to_be_visible()
            notebook.run(0)
            notebook.expect_run(0, 1)
            hover(notebook, 1, "harvest", "cherry")
            top = notebook.cells.nth(0).bounding_box()["y"]
            box = page.locator(".lsp-hover").bounding_box()
            bottom = min(box["y"] + box["height"] + 12, 900)
            return page.screenshot(clip={"x": 0, "y": top, "width": 900, "height": bottom - top})


def neovim(browser) -> dict[str, bytes]:
    """A completion, and what the cursor stands on."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        harvest().to_csv(folder / "harvest.csv")
        (folder / "fruit.py").write_text(TEXT)
        manager = KernelManager()
        manager.kernel_spec.argv = [
            LAUNCHER,
            "-f",
            "{connection_file}",
            "--python",
            sys.executable,
        ]
        manager.start_kernel(cwd=str(folder))
        kernel = manager.blocking_client()
        kernel.start_channels()
        program = shutil.which(os.environ.get("DRUPE_NVIM", "nvim"))
        editor = Neovim(program, "fruit.py", folder, 88, 20)
        try:
            kernel.wait_for_ready(timeout=30)
            kernel.execute_interactive(READ, timeout=60)
            time.sleep(0.5)
            kernel.execute(BUSY)
            command = [LAUNCHER, "lsp", "--existing", manager.connection_file]
            words = ", ".join(map(json.dumps, command))
            (folder / "attach.lua").write_text(
                f"""
                local client = vim.lsp.start_client({{ name = "drupe", cmd = {{ {words} }} }})
                vim.lsp.buf_attach_client(0, client)
                vim.bo.omnifunc = "v:lua.vim.lsp.omnifunc"
                """
            )
            for line in (
                "set termguicolors background=dark laststatus=0 noshowmode noruler signcolumn=yes",
                "set completeopt=menu,menuone,noselect shortmess+=c fillchars=eob:\\  ",
                "colorscheme slate",
                "highlight SignColumn guibg=NONE",
                "highlight Pmenu guibg=#3a4252 guifg=#e0e0e0",
                "syntax on",
                "luafile attach.lua",
            ):
                editor.command(line)
            editor.settle()
            pictures = {}
            editor.type(f"Go{TYPED}<C-x><C-o>")
            pictures["completion"] = shot(browser, editor)
            editor.type("<C-e><Esc>dd")
            editor.settle()
            editor.type("4G/harvest<CR>:nohlsearch | lua vim.lsp.buf.hover()<CR>")
            pictures["hover"] = shot(browser, editor)
            return pictures
        finally:
            editor.close()
            kernel.stop_channels()
            manager.shutdown_kernel(now=True)


def shot(browser, editor: Neovim) -> bytes:
    editor.settle()
    page = browser.new_page(viewport={"width": 1000, "height": 600})
    page.set_content(editor.html())
    picture = page.locator("#screen").screenshot()
    page.close()
    return picture


if __name__ == "__main__":
    main()
