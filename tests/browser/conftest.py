"""JupyterLab in a real browser, with drupe behind it: a server, a browser and notebooks for the tests of this folder.

Needs Chromium or Chrome; DRUPE_BROWSER names another one. Playwright drives it. DRUPE names the launcher whose kernel is played, DRUPE_TEST_KERNEL
another kernelspec in its place (`python3` is ipykernel), which shows whether a test or the kernel is wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from notebook import SLOW, Notebook  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = os.environ.get("DRUPE", str(ROOT / "target" / "release" / "drupe"))
KERNEL = os.environ.get("DRUPE_TEST_KERNEL", "drupe")

# JupyterLab asks its user whether it may look for news, and that in front of what is to be clicked on.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}

# It is installed for the tests of it, and would draw the completer of all others.
LANGUAGE_SERVERS = "@jupyter-lsp/jupyterlab-lsp"

# The server is this machine's, whatever proxy there is for others.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Lab:
    """A running JupyterLab server."""

    url: str
    folder: Path
    """Where its notebooks are."""


def browser_program() -> str:
    for name in (os.environ.get("DRUPE_BROWSER"), *BROWSERS):
        if name and (path := shutil.which(name)):
            return path
    pytest.fail(f"no browser: install one of {', '.join(BROWSERS)}, or name one in DRUPE_BROWSER")


@contextlib.contextmanager
def running(folder: Path, disabled: tuple[str, ...] = (), **more: str) -> Iterator[Lab]:
    """A JupyterLab server that knows the kernel under test, in folders of its own, without the `disabled` extensions and with `more`
    in its environment."""
    if KERNEL == "drupe":
        install = [LAUNCHER, "install", "--prefix", str(folder), "--python", sys.executable]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    for name, values in SETTINGS.items():
        file = folder / "config" / "lab" / "user-settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values))
    page = folder / "config" / "labconfig" / "page_config.json"
    page.parent.mkdir()
    page.write_text(json.dumps({"disabledExtensions": dict.fromkeys(disabled, True)}))
    env = os.environ | {"JUPYTER_PATH": str(folder / "share" / "jupyter"), "HOME": str(folder)}
    env |= {"JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    env |= {"JUPYTER_CONFIG_DIR": str(folder / "config")} | more
    (folder / "notebooks").mkdir()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.root_dir={folder / 'notebooks'}", "--ServerApp.port=0"]
    command += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
    try:
        yield Lab(address(server, folder), folder / "notebooks")
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> Iterator[Lab]:
    with running(tmp_path_factory.mktemp("lab"), (LANGUAGE_SERVERS,)) as lab:
        yield lab


def address(server: subprocess.Popen, folder: Path) -> str:
    end = time.monotonic() + 2 * SLOW / 1000
    while time.monotonic() < end and server.poll() is None:
        for file in (folder / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(ValueError):  # it is being written
                return json.loads(file.read_text())["url"]
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start: {(folder / 'log').read_text()[-2000:]}")


@pytest.fixture(scope="session")
def browser() -> Browser:
    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser_program(), args=["--no-sandbox"]
        )
        yield chromium
        chromium.close()


def forget(lab: Lab) -> None:
    """End all kernels, so that the next notebook has one of its own."""
    sessions = f"{lab.url}api/sessions"
    with OPENER.open(sessions) as answer:
        known = json.load(answer)
    for session in known:
        request = urllib.request.Request(f"{sessions}/{session['id']}", method="DELETE")
        OPENER.open(request).close()


@pytest.fixture
def open_notebook(lab: Lab, browser: Browser, request):
    """A function that writes cells to a notebook, and opens it in a page of its own once its kernel is idle."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(SLOW)
    page = context.new_page()

    def open_notebook(cells: list[str], name: str = "test") -> Notebook:
        file = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
        file.metadata.kernelspec = {"name": KERNEL, "display_name": KERNEL, "language": "python"}
        nbformat.write(file, lab.folder / f"{name}.ipynb")
        notebook = Notebook(page)
        page.goto(f"{lab.url}lab/tree/{name}.ipynb?reset")
        expect(notebook.cells).to_have_count(len(cells))
        # The circle is idle before there is a kernel, too; the bar below is not.
        expect(page.get_by_text("| Idle")).to_be_visible()
        # The list of files, which takes a quarter of the page.
        page.locator(".jp-SideBar.jp-mod-left [data-id=filebrowser]").click()
        expect(page.locator("#filebrowser")).to_be_hidden()
        return notebook

    yield open_notebook
    context.close()
    forget(lab)
