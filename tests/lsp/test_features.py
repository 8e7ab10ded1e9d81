"""Every feature of the language server, as an editor uses it."""

from __future__ import annotations

import pytest
from conftest import Document, start, stop
from lsprotocol import types

pytestmark = pytest.mark.asyncio


async def labels(client, text):
    document = Document(client, text)
    found = await client.text_document_completion_async(document.params(types.CompletionParams))
    return [item.label for item in found.items]


async def test_completion_of_names_in_scope(client):
    found = await labels(client, "def f(parameter):\n    para_local = 1\n    par|")
    assert found[:2] == ["para_local", "parameter"]
    assert "print" not in found
    assert len(found) == len(set(found))


async def test_completion_of_members_of_a_class(client):
    text = "class A:\n    def method(self): self.field = 1\nclass B(A):\n    own = 1\nb = B()\nb.|"
    assert set(await labels(client, text)) >= {"method", "field", "own"}


async def test_completion_of_self(client):
    text = "class A:\n    def method(self):\n        self.field = 1\n        self.f|"
    assert await labels(client, text) == ["field"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("import colle|", "collections"),
        ("whi|", "while"),
        ("isinst|", "isinstance"),
        ("%timei|", "timeit"),
        ("%%bas|", "bash"),
        ("'abc'.upp|", "upper"),
        ("def f(first, second): ...\nf(sec|", "second="),
    ],
)
async def test_completion_knows(client, text, wanted):
    assert wanted in await labels(client, text)


@pytest.mark.parametrize("text", ["# com|", "'str|'", "1.|", "%%bash\nfo|"])
async def test_completion_is_silent(client, text):
    assert await labels(client, text) == []


async def test_completion_of_paths(client, tmp_path):
    (tmp_path / "data.csv").touch()
    (tmp_path / "dates").mkdir()
    assert await labels(client, f"open('{tmp_path}/da|") == ["data.csv", "dates/"]


async def test_completion_resolve_brings_the_documentation(client):
    document = Document(client, "def function(a):\n    'What it does.'\nfuncti|")
    found = await client.text_document_completion_async(document.params(types.CompletionParams))
    item = await client.completion_item_resolve_async(found.items[0])
    assert "def function(a)" in item.documentation.value
    assert "What it does." in item.documentation.value


async def test_completion_edit_replaces_the_word(client):
    document = Document(client, "import json\nx = jso|")
    found = await client.text_document_completion_async(document.params(types.CompletionParams))
    assert document.apply([found.items[0].text_edit]) == "import json\nx = json"


async def test_hover(client):
    document = Document(client, "def f(a, b=1) -> int:\n    '''Adds.\n\n    Much.\n    '''\nf|(1)")
    found = await client.text_document_hover_async(document.params(types.HoverParams))
    assert "def f(a, b=1) -> int" in found.contents.value
    assert "Adds.\n\nMuch." in found.contents.value
    assert document.at(found.range) == "f"


async def test_hover_over_nothing(client):
    document = Document(client, "x = 1\n|\n")
    assert await client.text_document_hover_async(document.params(types.HoverParams)) is None


@pytest.mark.parametrize(
    ("call", "active"),
    [("f(|", 0), ("f(1, |", 1), ("f(1, c=|", 2), ("f(g(2), |", 1), ("f([1, 2], |", 1)],
)
async def test_signature_help(client, call, active):
    document = Document(client, f"def f(a, b, *, c=1):\n    'Doc.'\n{call}")
    found = await client.text_document_signature_help_async(
        document.params(types.SignatureHelpParams)
    )
    assert found.signatures[0].label == "f(a, b, *, c=1)"
    labels = [parameter.label for parameter in found.signatures[0].parameters]
    assert labels == ["a", "b", "*", "c=1"]
    assert found.active_parameter == (3 if "c=" in call else active)


@pytest.mark.parametrize("request_name", ["definition", "declaration"])
async def test_definition(client, request_name):
    document = Document(client, "value = 1\ndef f():\n    return val|ue\n")
    kind = {"definition": types.DefinitionParams, "declaration": types.DeclarationParams}
    request = getattr(client, f"text_document_{request_name}_async")
    found = await request(document.params(kind[request_name]))
    assert [(item.uri, item.range.start.line) for item in found] == [(document.uri, 0)]


async def test_definition_in_another_document(client):
    other = Document(client, "def helper(): ...\n", uri="file:///project/tools.py")
    document = Document(client, "from tools import helper\nhelp|er()")
    found = await client.text_document_definition_async(document.params(types.DefinitionParams))
    assert [item.uri for item in found] == [other.uri]


async def test_references_and_highlight(client):
    document = Document(client, "x = 1\ndef f(x): return x\nprint(|x)\nx += 1\n")
    found = await client.text_document_references_async(
        document.params(types.ReferenceParams, context=types.ReferenceContext(True))
    )
    assert [item.range.start.line for item in found] == [0, 2, 3]
    found = await client.text_document_document_highlight_async(
        document.params(types.DocumentHighlightParams)
    )
    write, read = types.DocumentHighlightKind.Write, types.DocumentHighlightKind.Read
    assert [item.kind for item in found] == [write, read, write]


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("x = 1\ndef f(x): return x\nprint(|x)", "new = 1\ndef f(x): return x\nprint(new)"),
        ("def f(|a): return a\nf(a=1)", "def f(new): return new\nf(new=1)"),
        ("import os\n|os.getcwd()", "import os as new\nnew.getcwd()"),
        ("from os import path\n|path", "from os import path as new\nnew"),
        (
            "class A:\n    def f(self): self.|x = 1\n    def g(self): return self.x",
            "class A:\n    def f(self): self.new = 1\n    def g(self): return self.new",
        ),
        (
            "class A:\n    def |f(self): ...\nclass B(A):\n    def g(self): self.f()\nC().f()",
            "class A:\n    def new(self): ...\nclass B(A):\n    def g(self): self.new()\nC().f()",
        ),
        ("f'{|x}'\nx = 1", "f'{new}'\nnew = 1"),
    ],
)
async def test_rename(client, text, after):
    document = Document(client, text)
    prepared = await client.text_document_prepare_rename_async(
        document.params(types.PrepareRenameParams)
    )
    assert prepared is not None
    found = await client.text_document_rename_async(
        document.params(types.RenameParams, new_name="new")
    )
    assert document.apply(found.changes[document.uri]) == after


ELSEWHERE = {
    "file:///p/shapes.py": "def area(side): return side\nprint(area(1))\n",
    "file:///p/use.py": "from shapes import area\nprint(area(2))\n",
    "file:///p/alias.py": "from shapes import area as a\nprint(a(2))\n",
    "file:///p/sub/dotted.py": "import shapes\nshapes.area(3)\n",
    "file:///p/sub/own.py": "def area(): ...\narea()\n",
    "file:///q/shapes.py": "area = 'another'\n",
    "file:///q/use.py": "from shapes import area\n",
}


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("file:///p/shapes.py", "def ar|ea(side): return side\nprint(area(1))\n"),
        ("file:///p/use.py", "from shapes import area\nprint(ar|ea(2))\n"),
        ("file:///p/alias.py", "from shapes import ar|ea as a\nprint(a(2))\n"),
        ("file:///p/sub/dotted.py", "import shapes\nshapes.ar|ea(3)\n"),
    ],
)
async def test_a_rename_reaches_all_open_documents_that_import_it(client, uri, text):
    documents = {
        other: Document(client, code, other) for other, code in ELSEWHERE.items() if other != uri
    }
    documents[uri] = document = Document(client, text, uri)
    assert await client.text_document_prepare_rename_async(
        document.params(types.PrepareRenameParams)
    )
    found = await client.text_document_rename_async(
        document.params(types.RenameParams, new_name="new")
    )
    after = {other: documents[other].apply(edits) for other, edits in found.changes.items()}
    assert after == {
        "file:///p/shapes.py": "def new(side): return side\nprint(new(1))\n",
        "file:///p/use.py": "from shapes import new\nprint(new(2))\n",
        "file:///p/alias.py": "from shapes import new as a\nprint(a(2))\n",
        "file:///p/sub/dotted.py": "import shapes\nshapes.new(3)\n",
    }
    found = await client.text_document_references_async(
        document.params(types.ReferenceParams, context=types.ReferenceContext(False))
    )
    assert sorted((place.uri, place.range.start.line) for place in found) == [
        ("file:///p/alias.py", 0),
        ("file:///p/shapes.py", 1),
        ("file:///p/sub/dotted.py", 1),
        ("file:///p/use.py", 0),
        ("file:///p/use.py", 1),
    ]
    definition = await client.text_document_definition_async(
        document.params(types.DefinitionParams)
    )
    assert [place.uri for place in definition] == ["file:///p/shapes.py"]


async def test_an_alias_is_renamed_in_its_document_alone(client):
    Document(client, ELSEWHERE["file:///p/shapes.py"], "file:///p/shapes.py")
    document = Document(
        client, "from shapes import area as |a\nprint(a(2))\n", "file:///p/alias.py"
    )
    found = await client.text_document_rename_async(
        document.params(types.RenameParams, new_name="new")
    )
    assert list(found.changes) == [document.uri]
    after = document.apply(found.changes[document.uri])
    assert after == "from shapes import area as new\nprint(new(2))\n"


@pytest.mark.parametrize("name", ["class", "1a", "a b", ""])
async def test_rename_refuses_what_is_no_name(client, name):
    document = Document(client, "|x = 1")
    with pytest.raises(Exception, match="not a name"):
        await client.text_document_rename_async(document.params(types.RenameParams, new_name=name))


async def test_document_symbols(client):
    document = Document(
        client, "CONSTANT = 1\nclass A:\n    x = 1\n    def f(self): ...\ndef g(): ...\n"
    )
    found = await client.text_document_document_symbol_async(
        types.DocumentSymbolParams(document.identifier)
    )
    assert [(item.name, item.kind.name) for item in found] == [
        ("CONSTANT", "Variable"),
        ("A", "Class"),
        ("g", "Function"),
    ]
    assert [item.name for item in found[1].children] == ["x", "f"]


async def test_workspace_symbols(client):
    Document(client, "def needle_one(): ...", uri="inmemory:/a")
    Document(client, "class NeedleTwo: ...", uri="inmemory:/b")
    found = await client.workspace_symbol_async(types.WorkspaceSymbolParams(query="needle"))
    assert sorted(item.name for item in found) == ["NeedleTwo", "needle_one"]


async def test_folding(client):
    text = "import a\nimport b\n\ndef f():\n    if a:\n        b\n    else:\n        c\n\nx = [\n  1,\n]\n# one\n# two\n"
    document = Document(client, text)
    found = await client.text_document_folding_range_async(
        types.FoldingRangeParams(document.identifier)
    )
    ranges = {(item.start_line, item.end_line) for item in found}
    assert ranges >= {(0, 1), (3, 7), (4, 5), (6, 7), (9, 11), (12, 13)}


async def test_selection_ranges_grow(client):
    document = Document(client, "def f():\n    return g(a.b|c, 1)\n")
    found = await client.text_document_selection_range_async(
        types.SelectionRangeParams(document.identifier, [document.position])
    )
    texts = []
    current = found[0]
    while current:
        if current.range.start.line == current.range.end.line:
            texts.append(document.at(current.range))
        current = current.parent
    assert texts[:4] == ["bc", "a.bc", "(a.bc, 1)", "g(a.bc, 1)"]


async def test_semantic_tokens(client):
    document = Document(client, "import os\nclass A:\n    def f(self, é): return é\nos.x\n")
    legend = client.initialized.capabilities.semantic_tokens_provider.legend
    found = await client.text_document_semantic_tokens_full_async(
        types.SemanticTokensParams(document.identifier)
    )
    line = start = 0
    tokens = []
    for index in range(0, len(found.data), 5):
        delta_line, delta_start, length, kind, _ = found.data[index : index + 5]
        line, start = (
            (line + delta_line, delta_start) if delta_line else (line, start + delta_start)
        )
        text = document.text.split("\n")[line][start : start + length]
        tokens.append((text, legend.token_types[kind]))
    assert tokens == [
        ("os", "namespace"),
        ("A", "class"),
        ("f", "method"),
        ("self", "parameter"),
        ("é", "parameter"),
        ("é", "parameter"),
        ("os", "namespace"),
    ]


async def test_diagnostics(client):
    document = Document(client, "import os\nundefined\nx = (\n")
    await client.wait_for_notification("textDocument/publishDiagnostics")
    found = {item.code: item for item in client.diagnostics[document.uri]}
    assert set(found) == {"unused-import", "undefined-name", "syntax-error"}
    assert found["unused-import"].tags[0] == types.DiagnosticTag.Unnecessary


async def test_diagnostics_follow_the_text_and_vanish_on_close(client):
    document = Document(client, "undefined\n")
    await client.wait_for_notification("textDocument/publishDiagnostics")
    assert client.diagnostics[document.uri]
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(2, document.uri),
            [
                types.TextDocumentContentChangePartial(
                    range=types.Range(types.Position(0, 0), types.Position(0, 9)), text="print"
                )
            ],
        )
    )
    await client.wait_for_notification("textDocument/publishDiagnostics")
    assert not client.diagnostics[document.uri]


async def actions(client, document):
    start = types.Position(0, 0)
    return await client.text_document_code_action_async(
        types.CodeActionParams(
            document.identifier,
            types.Range(start, types.Position(99, 0)),
            types.CodeActionContext([]),
        )
    )


@pytest.mark.parametrize(
    ("text", "title", "after"),
    [
        ("import os\nx = 1\n", "Remove unused import: os", "x = 1\n"),
        ("from a import b, c\nc\n", "Remove unused import: b", "from a import c\nc\n"),
        ("from a import b, c\nb\n", "Remove unused import: c", "from a import b\nb\n"),
        ("def f():\n    import os\n", "Remove unused import: os", "def f():\n    pass\n"),
        ("np.zeros(1)\n", "Add `import numpy as np`", "import numpy as np\nnp.zeros(1)\n"),
        ("json.dumps(1)\n", "Add `import json`", "import json\njson.dumps(1)\n"),
        ("pritn(1)\n", "Change to `print`", "print(1)\n"),
    ],
)
async def test_code_actions(client, text, title, after):
    document = Document(client, text)
    found = {action.title: action for action in await actions(client, document)}
    assert document.apply(found[title].edit.changes[document.uri]) == after


async def test_all_unused_imports_at_once(client):
    document = Document(client, "import a\nimport b\nimport c\nb\n")
    found = {action.title: action for action in await actions(client, document)}
    edits = found["Remove all unused imports"].edit.changes[document.uri]
    assert document.apply(edits) == "import b\nb\n"


async def test_formatting(client):
    document = Document(client, "%matplotlib inline\nx=[1,2]\nif x :\n    !ls   -l\n")
    edits = await client.text_document_formatting_async(
        types.DocumentFormattingParams(document.identifier, types.FormattingOptions(4, True))
    )
    assert document.apply(edits) == "%matplotlib inline\nx = [1, 2]\nif x:\n    !ls   -l\n"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (
            "x=!ls   -l {y}\nfor  z in x :\n    w = %sql   select\n",
            "x = !ls   -l {y}\nfor z in x:\n    w = %sql   select\n",
        ),
        ("%%bash\nx=1\nif  y\n", "%%bash\nx=1\nif  y\n"),
        ("%%time\nx=1\n", "%%time\nx = 1\n"),
        ("%%time  \n\n\ndef f( ): pass", "%%time  \ndef f():\n    pass"),
        ("%%time\nx=!ls\nlen?", "%%time\nx = !ls\nlen?"),
        ("%%time", "%%time"),
        ("f( );", "f();"),
        ("x=1\nf( ) ;  # why\n\n# end", "x = 1\nf();  # why\n\n# end"),
        ("if a : f( );", "if a:\n    f();"),
        ("a=1; b=2", "a = 1\nb = 2"),
        ("x = !ls ;", "x = !ls ;"),
        ("ls -la", "ls -la"),
        ("cd ..", "cd .."),
        ("pip install  foo", "pip install  foo"),
    ],
)
async def test_formatting_of_what_only_ipython_reads(client, text, after):
    document = Document(client, text)
    edits = await client.text_document_formatting_async(
        types.DocumentFormattingParams(document.identifier, types.FormattingOptions(4, True))
    )
    assert document.apply(edits or []) == after


# pytest-lsp knows only tokens that the server made.
@pytest.mark.filterwarnings("ignore:Unknown progress token")
async def test_what_takes_long_tells_its_progress(client):
    document = Document(client, "x=1\n")
    token = "formatting-1"
    await client.text_document_formatting_async(
        types.DocumentFormattingParams(
            document.identifier, types.FormattingOptions(4, True), work_done_token=token
        )
    )
    kinds = [report.kind for report in client.progress_reports[token]]
    assert kinds == ["begin", "end"]


async def test_formatting_of_broken_code_is_an_error_reply(client):
    document = Document(client, "x = (\n")
    with pytest.raises(Exception, match=r"not formatted: error: .*cell.py:\d"):
        await client.text_document_formatting_async(
            types.DocumentFormattingParams(document.identifier, types.FormattingOptions(4, True))
        )


async def test_a_file_keeps_no_semicolon(client):
    document = Document(client, "f( );\n", "file:///tmp/semicolon.py")
    edits = await client.text_document_formatting_async(
        types.DocumentFormattingParams(document.identifier, types.FormattingOptions(4, True))
    )
    assert document.apply(edits) == "f()\n"


async def test_range_formatting(client):
    document = Document(client, "a=1\nb=2\nc=3\n")
    edits = await client.text_document_range_formatting_async(
        types.DocumentRangeFormattingParams(
            document.identifier,
            types.Range(types.Position(1, 0), types.Position(1, 3)),
            types.FormattingOptions(4, True),
        )
    )
    assert document.apply(edits) == "a=1\nb = 2\nc=3\n"


async def test_help_topic(client):
    document = Document(client, "from os import path\npa|th")
    found = await client.protocol.send_request_async(
        "positron/textDocument/helpTopic",
        {"textDocument": {"uri": document.uri}, "position": {"line": 1, "character": 2}},
    )
    assert found.topic == "os.path"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (0, "%time x"),
        (2, "def f():\n    x = 1\n    return x"),
        (4, "def f():\n    x = 1\n    return x"),
        (5, "f()"),
    ],
)
async def test_statement_range(client, line, code):
    document = Document(client, "%time x\n\ndef f():\n    x = 1\n    return x\n\nf()\n")
    found = await client.protocol.send_request_async(
        "positron/textDocument/statementRange",
        {"textDocument": {"uri": document.uri}, "position": {"line": line, "character": 0}},
    )
    assert found.code == code


async def test_a_notebook_is_one_program(client):
    def cell(name, text):
        return types.TextDocumentItem(f"cell:{name}", "python", 1, text)

    code = types.NotebookCellKind.Code
    client.notebook_document_did_open(
        types.DidOpenNotebookDocumentParams(
            types.NotebookDocument(
                "file:///n.ipynb",
                "jupyter-notebook",
                1,
                [types.NotebookCell(code, f"cell:{name}") for name in "ab"],
            ),
            [cell("a", "def shared(x): ...\n"), cell("b", "shared(1)\nsha")],
        )
    )

    def at(line, character):
        return {
            "text_document": types.TextDocumentIdentifier("cell:b"),
            "position": types.Position(line, character),
        }

    found = await client.text_document_definition_async(types.DefinitionParams(**at(0, 1)))
    assert [item.uri for item in found] == ["cell:a"]
    found = await client.text_document_completion_async(types.CompletionParams(**at(1, 3)))
    assert "shared" in [item.label for item in found.items]
    found = await client.text_document_rename_async(types.RenameParams(**at(0, 1), new_name="new"))
    assert set(found.changes) == {"cell:a", "cell:b"}

    # A cell between them that defines the name again, then the first one goes.
    client.notebook_document_did_change(
        types.DidChangeNotebookDocumentParams(
            types.VersionedNotebookDocumentIdentifier(2, "file:///n.ipynb"),
            types.NotebookDocumentChangeEvent(
                cells=types.NotebookDocumentCellChanges(
                    structure=types.NotebookDocumentCellChangeStructure(
                        types.NotebookCellArrayChange(0, 1, [types.NotebookCell(code, "cell:c")]),
                        did_open=[cell("c", "x = 1\nshared = len\n")],
                        did_close=[types.TextDocumentIdentifier("cell:a")],
                    )
                )
            ),
        )
    )
    found = await client.text_document_definition_async(types.DefinitionParams(**at(0, 1)))
    assert [(item.uri, item.range.start.line) for item in found] == [("cell:c", 1)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_position_encodings(encoding):
    client = await start(encodings=[encoding])
    assert client.initialized.capabilities.position_encoding == encoding
    text = "x = 1; '𝒳é'; x"
    document = Document(client, text)
    units = {"utf-8": text.encode(), "utf-16": text.encode("utf-16-le")[::2], "utf-32": text}
    found = await client.text_document_document_highlight_async(
        types.DocumentHighlightParams(document.identifier, types.Position(0, len(units[encoding])))
    )
    assert [item.range.start.character for item in found] == [0, len(units[encoding]) - 1]
    await stop(client)
