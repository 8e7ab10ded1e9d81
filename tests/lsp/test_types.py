"""A type checker asked besides (`--lsp-types`): a real one, and impostors that hang, die, flood or never read."""

from __future__ import annotations

import pathlib
import signal
import stat
import sys
import time

import psutil
import pytest
from conftest import Document, command, initialize, start, stop
from jupyter_client.manager import KernelManager
from lsprotocol import types
from pytest_lsp import make_test_lsp_client
from test_kernel import NAME, activate

pytestmark = pytest.mark.asyncio

CODE = """
import json
from pathlib import Path

class Home:
    def folder(self, depth: int) -> Path: ...

home = Home()
"""
READY = 15
"""Seconds that a type checker may need until it answers."""


async def labels(client, document) -> list[str]:
    found = await client.text_document_completion_async(document.params(types.CompletionParams))
    return [item.label for item in found.items]


async def until(question, holds):
    """Asks until the answer holds: the type checker starts and indexes beside us."""
    end = time.monotonic() + READY
    while not holds(answer := await question()) and time.monotonic() < end:
        time.sleep(0.1)
    return answer


async def test_a_type_checker_completes_what_the_source_does_not_tell():
    client = await start("--lsp-types=ty")
    try:
        document = Document(client, CODE + "home.folder(1).|", "file:///tmp/typed.py")
        found = await until(lambda: labels(client, document), lambda found: "iterdir" in found)
        assert "iterdir" in found
        assert len(found) == len(set(found))

        # What we know ourselves stays first and is there once.
        document = Document(client, CODE + "home.fo|", "file:///tmp/typed2.py")
        assert await labels(client, document) == ["folder"]
    finally:
        await stop(client)


async def test_hover_signature_and_definition_reach_beyond_the_open_documents():
    client = await start("--lsp-types=ty")
    try:
        document = Document(client, CODE + "json.dumps(|", "file:///tmp/typed.py")
        help_ = await until(
            lambda: client.text_document_signature_help_async(
                document.params(types.SignatureHelpParams)
            ),
            bool,
        )
        assert "skipkeys" in help_.signatures[0].label

        document = Document(client, CODE + "home.fol|der", "file:///tmp/typed2.py")
        hover = await client.text_document_hover_async(document.params(types.HoverParams))
        assert "-> Path" in hover.contents.value

        document = Document(client, CODE + "json.dum|ps", "file:///tmp/typed3.py")
        places = await client.text_document_definition_async(
            document.params(types.DefinitionParams)
        )
        assert [place.uri.rsplit("/", 2)[-2] for place in places] == ["json"]
    finally:
        await stop(client)


async def test_a_notebook_is_one_program_to_the_type_checker():
    client = await start("--lsp-types=ty")
    try:
        texts = ["%matplotlib inline\n" + CODE, "é = '🙂'; home.folder(1)."]
        cells = [f"vscode-notebook-cell:/tmp/typed.ipynb#W{index}" for index in range(2)]
        client.notebook_document_did_open(
            types.DidOpenNotebookDocumentParams(
                types.NotebookDocument(
                    uri="file:///tmp/typed.ipynb",
                    notebook_type="jupyter-notebook",
                    version=1,
                    cells=[types.NotebookCell(types.NotebookCellKind.Code, uri) for uri in cells],
                ),
                [
                    types.TextDocumentItem(uri, "python", 1, text)
                    for uri, text in zip(cells, texts, strict=True)
                ],
            )
        )
        encoding = client.initialized.capabilities.position_encoding
        width = {"utf-8": lambda text: len(text.encode()), "utf-32": len}.get(
            encoding, lambda text: len(text.encode("utf-16-le")) // 2
        )

        async def complete():
            found = await client.text_document_completion_async(
                types.CompletionParams(
                    types.TextDocumentIdentifier(cells[1]), types.Position(0, width(texts[1]))
                )
            )
            return [item.label for item in found.items]

        assert "iterdir" in await until(complete, lambda found: "iterdir" in found)
    finally:
        await stop(client)


IMPOSTORS = {
    "hangs": "import time; time.sleep(600)",
    "dies": "raise SystemExit(3)",
    "floods": "import sys\nwhile True: sys.stdout.write('Content-Length: 4\\r\\n\\r\\nnull')",
    "announces a gigabyte": "import sys, time; sys.stdout.write('Content-Length: 1073741824\\r\\n\\r\\n'); "
    "sys.stdout.flush(); time.sleep(600)",
    "is ready and then silent": 'import sys, time\nbody = b\'{"id":0,"result":{"capabilities":{}}}\'\n'
    "sys.stdout.buffer.write(b'Content-Length: %d\\r\\n\\r\\n' % len(body) + body); sys.stdout.flush()\n"
    "time.sleep(600)",
}


def impostor(folder: pathlib.Path, code: str) -> pathlib.Path:
    """An environment's `python` beside a `ty` that runs `code`; the path of that `python`."""
    bin_ = folder / "bin"
    bin_.mkdir()
    script = bin_ / "ty"
    script.write_text(
        f"#!{sys.executable}\nimport os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(folder / 'pid')!r}, 'w').write(str(os.getpid()))\n{code}\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (bin_ / "python").symlink_to(sys.executable)
    return bin_ / "python"


async def gone(pid: int) -> bool:
    end = time.monotonic() + 2
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("does", IMPOSTORS)
async def test_nothing_waits_for_a_type_checker_that(does, tmp_path):
    client = make_test_lsp_client()
    python = impostor(tmp_path, IMPOSTORS[does])
    await client.start_io(*command()[:2], "--python", str(python), "--lsp-types=ty")
    await initialize(client)
    try:
        document = Document(client, CODE + "home.fo|", "file:///tmp/typed.py")
        for _ in range(20):
            begin = time.monotonic()
            assert await labels(client, document) == ["folder"]
            assert time.monotonic() - begin < 1
            time.sleep(0.02)
        # Nothing was asked that the source does not tell.
        assert not (tmp_path / "pid").exists()
        document = Document(client, CODE + "home.folder(1).|", "file:///tmp/typed2.py")
        for _ in range(20):
            begin = time.monotonic()
            await labels(client, document)
            assert time.monotonic() - begin < 1
            time.sleep(0.02)
        assert (tmp_path / "pid").exists()
    finally:
        await stop(client)
    assert await gone(int((tmp_path / "pid").read_text()))


async def test_without_one_a_log_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "python").symlink_to(sys.executable)
    client = make_test_lsp_client()
    await client.start_io(
        *command()[:2], "--python", str(tmp_path / "python"), "--lsp-types=pyrefly"
    )
    await initialize(client)
    try:
        document = Document(client, CODE + "home.fo|", "file:///tmp/typed.py")
        assert await labels(client, document) == ["folder"]
        assert any("pip install pyrefly" in message.message for message in client.log_messages)
    finally:
        await stop(client)


@pytest.mark.parametrize("way", ["asked", "killed"])
async def test_it_never_outlives_the_kernel(way, tmp_path):
    python = impostor(tmp_path, IMPOSTORS["is ready and then silent"])
    # The same environment at another place, whose `ty` is the impostor.
    (tmp_path / "lib").symlink_to(pathlib.Path(sys.prefix) / "lib")
    (tmp_path / "pyvenv.cfg").write_bytes((pathlib.Path(sys.prefix) / "pyvenv.cfg").read_bytes())
    manager = KernelManager(kernel_name=NAME)
    manager.kernel_spec.argv = [command()[0], "-f", "{connection_file}", "--python", str(python)]
    manager.start_kernel(extra_arguments=["--lsp-types=ty"])
    kernel = manager.blocking_client()
    kernel.start_channels()
    kernel.wait_for_ready(timeout=30)
    client = make_test_lsp_client()
    try:
        _, port = activate(kernel)
        await client.start_tcp("127.0.0.1", port)
        await initialize(client)
        pid = tmp_path / "pid"
        document = Document(client, CODE + "home.folder(1).|", "file:///tmp/typed.py")
        await labels(client, document)
        assert await until(_none(lambda: pid.exists() and pid.read_text()), bool)
        process = psutil.Process(manager.provisioner.pid)
        if way == "killed":
            process.send_signal(signal.SIGKILL)
        else:
            kernel.shutdown()
        assert await gone(process.pid)
        assert await gone(int(pid.read_text()))
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)


def _none(call):
    async def question():
        return call()

    return question
