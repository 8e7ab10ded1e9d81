"""A Jupyter server with jupyter-lsp, as somebody has it who installed drupe's wheel, and a client that speaks as JupyterLab does.

DRUPE names the launcher under test, whose folder is first on the server's PATH; the package is that of this checkout.
"""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import websocket
from jupyter_client.blocking import BlockingKernelClient

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = Path(os.environ.get("DRUPE", ROOT / "target" / "release" / "drupe")).resolve()
PATIENCE = 30

# The server is this machine's, whatever proxy there is for others: urllib and websocket both look here.
os.environ["no_proxy"] = "*"


def until(what: Callable, because: str, patience: float = PATIENCE):
    """The first true thing that `what()` gives."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    pytest.fail(f"not in {patience} s: {because}")


def processes(mark: str) -> dict[int, str]:
    """The command lines of the processes that have `mark` in their environment, by their numbers."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                if any(words):
                    found[int(folder.name)] = " ".join(words)
        except OSError:
            pass
    return found


class Server:
    """A running Jupyter server."""

    def __init__(self, folder: Path, *flags: str, token: str = "t0k3n") -> None:
        self.folder = folder
        self.root = folder / "notebooks"
        self.root.mkdir()
        self.runtime = folder / "runtime"
        kernels = [LAUNCHER, "install", "--prefix", str(folder), "--python", sys.executable]
        subprocess.run(kernels, check=True, stdout=subprocess.DEVNULL)
        env = os.environ | {"JUPYTER_PATH": str(folder / "share" / "jupyter"), "HOME": str(folder)}
        env |= {"JUPYTER_RUNTIME_DIR": str(self.runtime), "JUPYTER_CONFIG_DIR": str(folder / "c")}
        env |= {"PATH": f"{LAUNCHER.parent}{os.pathsep}{os.environ['PATH']}"}
        env |= {"PYTHONPATH": f"{ROOT / 'python'}{os.pathsep}{installed(folder)}"}
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"]
        command += [f"--ServerApp.root_dir={self.root}", "--ServerApp.port=0", *flags]
        command += ["--ServerApp.disable_check_xsrf=True"]
        if token:
            command.append(f"--IdentityProvider.token={token}")
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
        file = self.runtime / f"jpserver-{self.process.pid}.json"

        def info():
            try:
                return json.loads(file.read_text())
            except (OSError, ValueError):
                assert self.process.poll() is None, self.log()
                return None

        self.info = until(info, "the server writes its file")
        self.token = token
        self.cookies = ""

        def listens():
            try:
                return self.ask("api")
            except OSError:
                return None

        until(listens, "the server listens")

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def ask(self, path: str, method: str = "GET", body: dict | None = None):
        """An answer of the REST interface."""
        request = urllib.request.Request(
            f"{self.info['url']}{path}", json.dumps(body).encode() if body else None, method=method
        )
        request.add_header("Authorization", f"token {self.token}")
        request.add_header("Cookie", self.cookies)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def log_in(self, password: str) -> None:
        """From now on all is asked as the user who has said the password."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        form = urllib.parse.urlencode({"password": password}).encode()
        opener.open(f"{self.info['url']}login", form, timeout=PATIENCE).close()
        self.cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)

    def open(self, path: str, kernel: str = "drupe") -> str:
        """Start a kernel for a notebook; its id."""
        (self.root / path).parent.mkdir(exist_ok=True)
        session = {"path": path, "name": Path(path).name, "type": "notebook"}
        session["kernel"] = {"name": kernel}
        session = self.ask("api/sessions", "POST", session)
        return session["kernel"]["id"]

    def run(self, kernel: str, code: str) -> None:
        """Run a cell in a kernel, whatever it takes until that is up."""
        client = BlockingKernelClient(connection_file=str(self.runtime / f"kernel-{kernel}.json"))
        client.load_connection_file()
        # Without the heartbeat: a client without a manager takes one that is late by a second for the kernel's death.
        client.start_channels(hb=False)
        try:
            client.wait_for_ready(timeout=PATIENCE)
            assert client.execute_interactive(code, timeout=PATIENCE)["content"]["status"] == "ok"
        finally:
            client.stop_channels()

    def servers(self) -> dict[int, str]:
        """The language servers that run for this server."""
        all_ = processes(str(self.runtime))
        return {pid: command for pid, command in all_.items() if "/drupe-lsp " in command}

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE)


def installed(folder: Path) -> Path:
    """A folder in which drupe is installed as far as entry points go."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = folder / "installed" / "drupe-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: drupe\nVersion: 0\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {point}" for name, point in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return info.parent


class Page:
    """A page of JupyterLab's, as far as jupyter-lsp sees it."""

    def __init__(self, server: Server) -> None:
        url = server.info["url"].replace("http", "ws", 1)
        self.socket = websocket.create_connection(
            f"{url}lsp/ws/drupe?token={server.token}", timeout=PATIENCE, cookie=server.cookies
        )
        self.root = server.root.resolve().as_uri()
        self.number = 0
        self.version = 0
        self.answers: dict[int, dict] = {}
        said = {"capabilities": {"textDocument": {"completion": {}}}, "processId": None}
        self.answer = self.ask(
            "initialize", said | {"rootUri": self.root, "workspaceFolders": None}
        )
        self.tell("initialized", {})
        self.tell("workspace/didChangeConfiguration", {"settings": {}})

    def send(self, **message) -> None:
        self.socket.send(json.dumps({"jsonrpc": "2.0"} | message))

    def tell(self, method: str, params) -> None:
        self.send(method=method, params=params)

    def ask(self, method: str, params):
        """The result of a request."""
        self.number += 1
        self.send(id=self.number, method=method, params=params)
        return self.answer_to(self.number)

    def answer_to(self, number: int):
        while number not in self.answers:
            message = json.loads(self.socket.recv())
            if "method" not in message:
                self.answers[message["id"]] = message
        message = self.answers.pop(number)
        assert "error" not in message, message
        return message["result"]

    def uri(self, path: str) -> str:
        # As JupyterLab has it: `encodeURI`.
        return f"{self.root}/{urllib.parse.quote(path, safe=';,/?:@&=+$-_.!~*()#' + chr(39))}"

    def show(self, path: str, text: str) -> None:
        """Open a notebook's virtual document, and say it anew, as JupyterLab does."""
        self.version += 1
        document = {"uri": self.uri(path), "languageId": "python", "version": self.version}
        self.tell("textDocument/didOpen", {"textDocument": document | {"text": text}})
        self.edit(path, text)

    def edit(self, path: str, text: str) -> None:
        self.version += 1
        document = {"uri": self.uri(path), "version": self.version}
        change = {"textDocument": document, "contentChanges": [{"text": text}]}
        self.tell("textDocument/didChange", change)

    def names(self, path: str, line: int, character: int) -> list[str]:
        """What is offered there."""
        document = {"textDocument": {"uri": self.uri(path)}}
        document |= {"position": {"line": line, "character": character}}
        found = self.ask("textDocument/completion", document | {"context": {"triggerKind": 1}})
        items = found["items"] if isinstance(found, dict) else found or []
        return [item["label"] for item in items]

    def close(self) -> None:
        self.socket.close()


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> Iterator[None]:
    """The servers are asked directly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1,localhost")
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a server of a test's own."""
    with contextlib.ExitStack() as stack:

        def start(*flags: str, **more) -> Server:
            server = Server(tmp_path, *flags, **more)
            stack.callback(server.end)
            return server

        yield start


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    page = Page(server)
    yield page
    page.close()
