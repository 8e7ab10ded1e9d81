"""Take the picture of the README: a notebook in JupyterLab, a cell that runs, and a completion meanwhile.

    DRUPE=target/release/drupe .venv/bin/python examples/picture.py docs/pictures/notebook.png

Needs what `make test` has installed for the tests with a browser, whose server and browser it uses.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import nbformat
import numpy as np
import pandas as pd
from PIL import Image
from playwright.sync_api import expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from conftest import LAUNCHER, SETTINGS, SLOW, address, browser_program  # noqa: E402
from notebook import Notebook  # noqa: E402

TABLE = """\
import pandas as pd

harvest = pd.read_csv("harvest.csv", index_col="day", parse_dates=True)
harvest.groupby(harvest.index.month_name(), sort=False).sum()"""

PLOT = """\
harvest.rolling(5).mean().plot(
    figsize=(8, 1.9), xlabel="", ylabel="kg a day", color=["crimson", "orange", "indigo"]
);"""

BUSY = """\
import time
from tqdm.notebook import tqdm

for day in tqdm(harvest.index, desc="counting stones"):
    time.sleep(0.1)"""

TYPED = 'harvest["'


def harvest():
    """What trees bear on 150 days: a table for the notebook to read."""
    days = pd.date_range("2026-05-01", periods=150, name="day")
    noise = np.random.default_rng(7).gamma(4, 0.25, (150, 3))
    peaks = {"cherry": 45, "peach": 80, "plum": 115}
    kilos = {
        fruit: 90 * np.exp(-(((np.arange(150) - peak) / 22) ** 2)) for fruit, peak in peaks.items()
    }
    return (pd.DataFrame(kilos, days) * noise).round(1)


def main():
    file = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, lab(pathlib.Path(folder)) as url:
        picture = take(url)
    picture = Image.open(io.BytesIO(picture)).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file}: {picture.width} x {picture.height}, {file.stat().st_size // 1024} KiB")


@contextlib.contextmanager
def lab(folder):
    """A JupyterLab server with the notebook, in a folder of its own; its address."""
    install = [LAUNCHER, "install", "--prefix", str(folder), "--python", sys.executable]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    for name, values in SETTINGS.items():
        file = folder / "config" / "lab" / "user-settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values))
    (folder / "notebooks").mkdir()
    harvest().to_csv(folder / "notebooks" / "harvest.csv")
    cells = [nbformat.v4.new_code_cell(code) for code in (TABLE, PLOT, BUSY, "")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {
        "name": "drupe",
        "display_name": "Python 3 (drupe)",
        "language": "python",
    }
    nbformat.write(notebook, folder / "notebooks" / "harvest.ipynb")
    env = os.environ | {
        "HOME": str(folder),
        "JUPYTER_PATH": str(folder / "share" / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.root_dir={folder / 'notebooks'}", "--ServerApp.port=0"]
    command += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
    try:
        yield address(server, folder)
    finally:
        server.terminate()
        server.wait(30)


def take(url):
    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_program(), args=["--no-sandbox"]
        )
        # So high that the list of completions has room below its cell.
        page = browser.new_page(viewport={"width": 1000, "height": 1500})
        page.set_default_timeout(SLOW)
        notebook = Notebook(page)
        # `doc` shows one document, without the list of files and the tabs.
        page.goto(f"{url}doc/tree/harvest.ipynb?reset")
        expect(page.get_by_text("| Idle")).to_be_visible()
        for index in range(2):
            notebook.run(index)
            notebook.expect_run(index, index + 1)
        notebook.run(2)
        # Until the bar has something to show.
        expect(notebook.output(2).get_by_text(re.compile("[23][0-9]%"))).to_be_visible()
        notebook.editor(3).click()
        page.keyboard.type(TYPED)
        page.keyboard.press("Tab")
        expect(page.locator(".jp-Completer-list .jp-Completer-match")).to_have_count(3)
        expect(notebook.prompt(2)).to_have_text("[*]:")
        box = page.locator(".jp-Completer").bounding_box()
        picture = page.screenshot(
            clip={"x": 0, "y": 0, "width": 1000, "height": box["y"] + box["height"] + 24}
        )
        browser.close()
        return picture


if __name__ == "__main__":
    main()
