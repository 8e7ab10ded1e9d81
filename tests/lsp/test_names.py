"""Names as an editor sees them: what is undefined, what is silenced, what a rename reaches."""

from __future__ import annotations

import pytest
from conftest import Document
from lsprotocol import types

pytestmark = pytest.mark.asyncio


async def problems(client, text):
    """The words under the diagnostics of a document, with their codes."""
    document = Document(client, text)
    await client.wait_for_notification("textDocument/publishDiagnostics")
    return {(document.at(it.range), it.code) for it in client.diagnostics[document.uri]}


@pytest.mark.parametrize(
    "text",
    [
        "from typing import Annotated\nx: Annotated[int, 'unit']",
        "class A:\n    class X: ...\n    def f[T](self, a: X) -> X: return a",
        "%time x = 1\nprint(x)",
        "%%capture out\nprint(1)\nout.show()",
        "%%memit\nx = [0] * 1000",
        "%%bash --out listing\nls",
        "%store -r a b\nprint(a, b)",
        "import os  # noqa",
        "import os  # noqa: F401",
        "undefined  # noqa: F821",
        "undefined  # type: ignore",
        "# ruff: noqa\nimport os\nundefined",
    ],
)
async def test_nothing_is_wrong_with(client, text):
    assert await problems(client, text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "%load_ext autoreload\n%autoreload 2\nundefined",
        "%time undefined",
        "%%memit\nundefined",
        "undefined  # noqa: F401",
        "from typing import Annotated\nx: Annotated['undefined', 1]",
    ],
)
async def test_an_undefined_name_is_found_in(client, text):
    assert await problems(client, text) == {("undefined", "undefined-name")}


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (
            "def f():\n    def g():\n        nonlocal |x\n        x = 2\n    x = 1\n    return x",
            "def f():\n    def g():\n        nonlocal new\n        new = 2\n    new = 1\n    return new",
        ),
        (
            "x = 0\ndef f():\n    def g():\n        nonlocal x\n        x = 2\n    |x = 1",
            "x = 0\ndef f():\n    def g():\n        nonlocal new\n        new = 2\n    new = 1",
        ),
        ("a = 1\n%time b = |a + a\nb", "new = 1\n%time b = new + new\nb"),
        ("%%capture o|ut\nprint()\nout.show()", "%%capture new\nprint()\nnew.show()"),
        ("[x for x in [x for x in |x]]\nx = []", "[x for x in [x for x in new]]\nnew = []"),
    ],
)
async def test_a_rename_reaches_all_places(client, text, after):
    document = Document(client, text)
    found = await client.text_document_rename_async(
        document.params(types.RenameParams, new_name="new")
    )
    assert document.apply(found.changes[document.uri]) == after


async def test_names_in_a_first_iterable_are_those_around_it(client):
    document = Document(client, "inner = []\n[item for item in [it.| for it in inner]]")
    document.position.character -= 1
    found = await client.text_document_completion_async(document.params(types.CompletionParams))
    labels = [item.label for item in found.items]
    assert "it" in labels and "item" not in labels


async def test_formatting_reads_the_escapes_of_a_uri(client, tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "ruff.toml").write_text('format.quote-style = "single"\n')
    uri = (folder / "x.py").as_uri()
    assert "%20" in uri
    document = Document(client, 'x="1"\n', uri)
    edits = await client.text_document_formatting_async(
        types.DocumentFormattingParams(document.identifier, types.FormattingOptions(4, True))
    )
    assert document.apply(edits) == "x = '1'\n"
