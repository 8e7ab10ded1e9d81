"""JupyterLab's server in the environment that drupe is installed in: it lists the kernel, starts it and has a cell run,
and has the language server for who installs jupyterlab-lsp."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.request
import uuid
from pathlib import Path

from environments import ROOT, run, surroundings

# A cell by way of the server's web socket, as the page sends it; tornado comes with the server.
CELL = """
import asyncio, json, sys
from tornado.websocket import websocket_connect

async def main(url, code):
    socket = await websocket_connect(url)
    header = {"msg_id": "1", "session": "test", "username": "", "date": "", "msg_type": "execute_request", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
    await socket.write_message(json.dumps(message))
    while True:
        answer = json.loads(await asyncio.wait_for(socket.read_message(), 30))
        if answer["msg_type"] == "stream":
            print(answer["content"]["text"], end="")
        if answer["msg_type"] == "execute_reply":
            return

asyncio.run(main(*sys.argv[1:]))
"""

# The server is this machine's, whatever proxy there is for others.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def asked(url: str, body: dict | None = None):
    data = None if body is None else json.dumps(body).encode()
    with OPENER.open(urllib.request.Request(url, data=data), timeout=30) as answer:
        return json.load(answer)


def test_jupyterlab_lists_and_starts_it(make, wheel, tmp_path):
    versions = ROOT / "requirements/lab.txt"
    lab = make("lab", wheel, "jupyterlab", "--constraint", versions)
    runtime = tmp_path / "runtime"
    env = surroundings(lab.home, JUPYTER_RUNTIME_DIR=str(runtime))
    command = [lab.python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"]
    command += ["--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"]
    with open(tmp_path / "log", "wb") as log:
        server = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=log, stderr=log)
    try:
        url = address(runtime, server)
        listed = asked(f"{url}api/kernelspecs")["kernelspecs"]["drupe"]
        assert listed["spec"]["display_name"] == "Python 3 (drupe)"
        assert listed["spec"]["metadata"]["debugger"] is True
        with OPENER.open(url.rstrip("/") + listed["resources"]["logo-64x64"]) as logo:
            assert logo.read().startswith(b"\x89PNG")
        assert "drupe" in asked(f"{url}lsp/status")["sessions"]
        kernel = asked(f"{url}api/kernels", {"name": "drupe"})
        socket = f"{url.replace('http', 'ws')}api/kernels/{kernel['id']}/channels?session_id={uuid.uuid4()}"
        code = "import sys; print(sys.prefix)"
        assert run(lab.python, "-c", CELL, socket, code, env=env).stdout.strip() == str(lab.prefix)
    finally:
        server.terminate()
        server.wait(30)


def address(runtime: Path, server: subprocess.Popen) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(ValueError):  # it is being written
                return json.loads(file.read_text())["url"]
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not start")
