"""The language server under test, driven by pytest-lsp's client over stdio and over TCP.

`DRUPE_LSP` is the command that serves standard input and output (default: `drupe lsp --python <this python>`).
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import shlex
import sys

import pytest
import pytest_asyncio
from jupyter_client.manager import start_new_kernel
from lsprotocol import types
from pygls.lsp.client import BaseLanguageClient
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

BUILT = pathlib.Path(__file__).parents[2] / "target" / "release" / "drupe"


def command() -> list[str]:
    """The command line of a server on standard input and output."""
    given = os.environ.get("DRUPE_LSP")
    if given:
        return shlex.split(given)
    drupe = os.environ.get("DRUPE", str(BUILT))
    return [drupe, "lsp", "--python", sys.executable]


async def start(*arguments: str, encodings: list[str] | None = None) -> LanguageClient:
    """A client of a fresh server on standard input and output, initialized."""
    client = make_test_lsp_client()
    await client.start_io(*command(), *arguments)
    await initialize(client, encodings)
    return client


async def initialize(client: LanguageClient, encodings: list[str] | None = None) -> None:
    """Says what Visual Studio Code says; `client.initialized` is the answer."""
    # What Visual Studio Code answers, and pytest-lsp does not.
    for method in (types.CLIENT_REGISTER_CAPABILITY, types.WORKSPACE_INLAY_HINT_REFRESH):
        client.feature(method)(lambda _: None)
    capabilities = client_capabilities("visual-studio-code")
    if encodings:
        capabilities.general.position_encodings = encodings
    client.initialized = await client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities,
            process_id=os.getpid(),
            root_uri=None,
        )
    )


async def stop(client: BaseLanguageClient) -> None:
    """Ends the conversation as an editor does."""
    if isinstance(client, LanguageClient):
        await asyncio.wait_for(client.shutdown_session(), 5)
    await asyncio.wait_for(client.stop(), 5)


@pytest.fixture(scope="session")
def port():
    """The port of a language server inside a running kernel."""
    manager, kernel = start_new_kernel(kernel_name=os.environ.get("DRUPE_KERNEL", "drupe"))
    opened = {"comm_id": "lsp", "target_name": "lsp", "data": {"ip_address": "127.0.0.1"}}
    kernel.shell_channel.send(kernel.session.msg("comm_open", opened))
    while (message := kernel.get_iopub_msg(timeout=10))["msg_type"] != "comm_msg":
        pass
    yield message["content"]["data"]["params"]["port"]
    kernel.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest_asyncio.fixture(params=["stdio", "tcp"])
async def client(request):
    """A client of `drupe lsp`, and one of the server inside a kernel."""
    if request.param == "stdio":
        client = await start()
    else:
        client = make_test_lsp_client()
        await client.start_tcp("127.0.0.1", request.getfixturevalue("port"))
        await initialize(client)
    yield client
    await stop(client)


class Document:
    """An open document; `|` marks the cursor and is not part of the text."""

    def __init__(self, client: LanguageClient, text: str, uri: str = "inmemory:/test") -> None:
        before, cursor, after = text.partition("|")
        self.client = client
        self.uri = uri
        self.text = before + after
        lines = before.split("\n")
        self.position = types.Position(len(lines) - 1, len(lines[-1]) if cursor else 0)
        client.text_document_did_open(
            types.DidOpenTextDocumentParams(
                types.TextDocumentItem(uri=uri, language_id="python", version=1, text=self.text)
            )
        )

    @property
    def identifier(self) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri)

    def params(self, kind, **more):
        """Parameters of a request at the cursor."""
        return kind(text_document=self.identifier, position=self.position, **more)

    def apply(self, edits) -> str:
        """The text after the edits, which must not overlap."""
        lines = self.text.splitlines(keepends=True) + [""]
        starts = [sum(map(len, lines[:index])) for index in range(len(lines) + 1)]

        def offset(position):
            return starts[min(position.line, len(lines))] + position.character

        text = self.text
        for edit in sorted(edits, key=lambda edit: offset(edit.range.start), reverse=True):
            text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
        return text

    def at(self, range_) -> str:
        """The text in a range of one line."""
        line = self.text.split("\n")[range_.start.line]
        return line[range_.start.character : range_.end.character]
