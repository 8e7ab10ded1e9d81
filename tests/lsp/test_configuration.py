"""What a client may choose, at the beginning and later."""

from __future__ import annotations

import asyncio
import os

import pytest
from conftest import Document, command, stop
from jupyter_client.manager import start_new_kernel
from lsprotocol import types
from pytest_lsp import client_capabilities, make_test_lsp_client

pytestmark = pytest.mark.asyncio


async def connect(options=None, settings=None, port=None):
    """A client of `drupe lsp`, or of a kernel, that was initialized with `options` and answers with `settings` when it is asked."""
    client = make_test_lsp_client()
    client.refreshed = 0
    client.registered = []

    @client.feature(types.WORKSPACE_INLAY_HINT_REFRESH)
    def _(_):
        client.refreshed += 1

    @client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def _(params):
        client.registered += [wish.method for wish in params.registrations]

    client.set_configuration(settings, section="drupe")
    if port is None:
        await client.start_io(*command())
    else:
        await client.start_tcp("127.0.0.1", port)
    capabilities = client_capabilities("visual-studio-code")
    capabilities.workspace.inlay_hint = types.InlayHintWorkspaceClientCapabilities(True)
    client.initialized = await client.initialize_session(
        types.InitializeParams(
            capabilities=capabilities,
            process_id=os.getpid(),
            root_uri=None,
            initialization_options=options,
        )
    )
    return client


async def until(condition):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it never came")


BROKEN = "x = (\n"


async def silent(client):
    """Whether a broken document gets no diagnostics in the time in which it would."""
    document = Document(client, BROKEN, "inmemory:/silent")
    await asyncio.sleep(0.6)
    return not client.diagnostics.get(document.uri)


async def test_diagnostics_can_be_turned_off():
    client = await connect({"diagnostics": False})
    assert await silent(client)
    await stop(client)


async def test_settings_are_asked_for_and_followed():
    client = await connect(settings={"diagnostics": False})
    await until(lambda: "workspace/didChangeConfiguration" in client.registered)
    assert await silent(client)
    client.set_configuration({"diagnostics": True}, section="drupe")
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await until(lambda: client.diagnostics.get("inmemory:/silent"))
    changed = {"drupe": {"diagnostics": False}}
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams(changed))
    await until(lambda: not client.diagnostics.get("inmemory:/silent"))
    await stop(client)


async def test_what_is_wrong_is_said():
    client = await connect({"announce": "some", "inlayHints": 1})
    await until(lambda: len(client.log_messages) >= 2)
    said = {message.message for message in client.log_messages}
    assert 'initializationOptions: announce is "some": it must be "all" or "live-only"' in said
    assert "initializationOptions: inlayHints is 1: it must be true or false" in said
    assert client.initialized.capabilities.definition_provider
    await stop(client)


@pytest.mark.parametrize(
    ("options", "everything"),
    [
        (None, True),
        ({"announce": "live-only"}, False),
        ({"positron": {"working_directory": "/"}}, False),
        ({"positron": {"working_directory": "/"}, "announce": "all"}, True),
    ],
)
async def test_what_is_announced(options, everything):
    client = await connect(options)
    offered = client.initialized.capabilities
    assert offered.completion_provider and offered.hover_provider and offered.inlay_hint_provider
    assert offered.signature_help_provider and offered.experimental
    source = [
        offered.definition_provider,
        offered.references_provider,
        offered.rename_provider,
        offered.document_symbol_provider,
        offered.folding_range_provider,
        offered.document_formatting_provider,
        offered.semantic_tokens_provider,
        offered.code_action_provider,
    ]
    assert [bool(provider) for provider in source] == [everything] * len(source)
    if everything:
        document = Document(client, BROKEN)
        await until(lambda: client.diagnostics.get(document.uri))
    else:
        assert await silent(client)
    await stop(client)


async def test_hints_are_asked_for_again_when_they_are_turned_off():
    client = await connect()
    before = client.refreshed
    client.set_configuration({"inlayHints": False}, section="drupe")
    client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await until(lambda: client.refreshed > before)
    await stop(client)


async def test_hints_are_asked_for_again_after_a_cell():
    manager, kernel = start_new_kernel(kernel_name=os.environ.get("DRUPE_KERNEL", "drupe"))
    try:
        opened = {"comm_id": "lsp", "target_name": "lsp", "data": {"ip_address": "127.0.0.1"}}
        kernel.shell_channel.send(kernel.session.msg("comm_open", opened))
        while (message := kernel.get_iopub_msg(timeout=10))["msg_type"] != "comm_msg":
            pass
        client = await connect(port=message["content"]["data"]["params"]["port"])
        document = Document(client, "table = make()\n")
        everything = types.Range(types.Position(0, 0), types.Position(9, 0))
        params = types.InlayHintParams(document.identifier, everything)
        assert not await client.text_document_inlay_hint_async(params)
        before = client.refreshed
        kernel.execute_interactive("class Table: pass\ntable = Table()", timeout=30)
        hints = []
        while not hints:
            # The first may be for what the session was before the cell.
            await until(lambda: client.refreshed > before)
            before = client.refreshed
            hints = await client.text_document_inlay_hint_async(params)
        assert [hint.label for hint in hints] == [": Table"]
        await stop(client)
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)


async def test_names_without_import_can_be_turned_off():
    client = await connect({"autoImport": False})
    for _ in range(3):
        await asyncio.sleep(1)
        document = Document(client, "OrderedDi|")
        found = await client.text_document_completion_async(document.params(types.CompletionParams))
        assert not found.items
    await stop(client)
