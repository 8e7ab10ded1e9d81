"""The library that Visual Studio Code's language clients are made of, connected to the port of a running kernel.

The editor itself cannot be had everywhere: vscode/vscode.js stands in for it, and what the library registers there is asked as the
editor would.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, program

HERE = Path(__file__).parent / "vscode"
MODULES = ROOT / ".cache" / "vscode" / "node_modules"


@pytest.fixture
def code(kernel, tmp_path):
    """Runs a scene of `editor` with a client of its own, and `meanwhile` once it is ready; what it returned."""

    def see(scene: str, meanwhile: Callable[[], None] | None = None):
        assert MODULES.is_dir(), "make .cache/vscode/.filled installs it"
        (tmp_path / "scene.js").write_text(scene)
        command = [program("node"), str(HERE / "client.js"), str(kernel.port())]
        with subprocess.Popen(
            [*command, str(tmp_path / "scene.js")],
            env=os.environ | {"NODE_PATH": str(MODULES)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as client:
            if meanwhile:
                assert client.stdout.readline() == "ready\n", client.stderr.read()
                meanwhile()
            out, errors = client.communicate(timeout=90)
        assert client.returncode == 0, errors
        return json.loads(out)

    return see


def test_columns_and_members_of_the_session(code):
    columns, members = code("""
        const columns = await editor.whole(editor.open('df["|'));
        return [columns, await editor.whole(editor.open('boat.|', 'file:///tmp/second.py'))];
    """)
    assert sorted(columns) == ["price", "town"]
    assert {"anchor", "row"} <= set(members)


def test_what_was_typed_arrives(code):
    found = code("""
        const document = editor.open('# 🙂 é\\nx = "🙂"; |');
        for (const letter of 'boat.an') editor.type(document, letter);
        return await editor.whole(document);
    """)
    assert found == ["anchor"]


def test_a_candidate_is_described_when_it_is_looked_at(code):
    shown = code("""
        const found = await editor.complete(editor.open('boat.ro|'));
        return await editor.wait(async () => {
          const item = await editor.vscode.providers.CompletionItem.resolveCompletionItem(
            found.items[0], editor.never,
          );
          return item.documentation?.value ?? item.documentation;
        });
    """)
    assert "Moves the boat." in shown


def test_a_list_that_was_cut_is_asked_again(code, kernel):
    kernel.run("for number in range(3000): globals()[f'crew_{number:04}'] = number")
    first, then = code("""
        const document = editor.open('cr|');
        const first = await editor.complete(document);
        editor.type(document, 'ew_2999');
        let then;
        // What could be imported is added once it is known what is installed: until then every list is one that grows.
        await editor.wait(async () => {
          then = await editor.complete(document, editor.never, { triggerKind: 2 });
          return !then.isIncomplete && then.items.length;
        });
        return [first, then].map((one) => [one.isIncomplete, one.items.map((item) => item.label)]);
    """)
    assert first[0] is True and len(first[1]) <= 1000
    assert then == [False, ["crew_2999"]]


def test_a_cancelled_question_hurts_nobody(code):
    cancelled, after = code("""
        const document = editor.open('boat.|');
        const source = new editor.vscode.CancellationTokenSource();
        const asked = editor.complete(document, source.token);
        source.cancel();
        const cancelled = await asked.then((found) => found.items.length, () => 'refused');
        return [cancelled, (await editor.whole(document)).includes('anchor')];
    """)
    assert after is True
    assert cancelled in (0, "refused")


def test_a_notebook_is_one_program(code):
    before, after = code("""
        const notebook = editor.notebook(['mast_one = 1', '%matplotlib inline', 'mast_|']);
        const last = notebook.cells[2].document;
        const before = await editor.labels(last);
        editor.insert(notebook, 1, 'mast_two = 2');
        return [before, await editor.labels(last)];
    """)
    assert before == ["mast_one"]
    assert sorted(after) == ["mast_one", "mast_two"]


def test_semantic_tokens_have_the_announced_kinds(code):
    tokens, kinds = code("""
        const document = editor.open('def sail(boat):\\n    return boat\\n');
        const { DocumentSemanticToken } = editor.vscode.providers;
        const tokens = await DocumentSemanticToken.provideDocumentSemanticTokens(document, editor.never);
        const legend = DocumentSemanticToken.more[0];
        return [[...tokens.data], legend.tokenTypes];
    """)
    assert len(tokens) % 5 == 0
    named = [kinds[kind] for kind in tokens[3::5]]
    assert "function" in named and "parameter" in named


def test_hover_signature_definition_and_rename(code):
    seen = code("""
        const { providers } = editor.vscode;
        const text = 'def sail(miles, wind=1):\\n    "Goes."\\n    return miles\\nsa|il(3)\\n';
        const document = editor.open(text);
        const at = document.cursor;
        const hover = await providers.Hover.provideHover(document, at, editor.never);
        const places = await providers.Definition.provideDefinition(document, at, editor.never);
        const edit = await providers.Rename.provideRenameEdits(document, at, 'row', editor.never);
        const call = editor.open('boat.row(1, |', 'file:///tmp/call.py');
        const help = await editor.wait(() => providers.SignatureHelp.provideSignatureHelp(
          call, call.cursor, editor.never, { triggerKind: 1, isRetrigger: false },
        ));
        return {
          hover: [hover.contents].flat().map((one) => one.value ?? one).join(),
          line: [places].flat()[0].range.start.line,
          edits: edit.texts.flatMap(([, edits]) => edits.map((one) => (one[0] ?? one).newText)),
          active: help.activeParameter ?? help.signatures[0].activeParameter,
          label: help.signatures[0].label,
        };
    """)
    assert "Goes." in seen["hover"]
    assert seen["line"] == 0
    assert seen["edits"] == ["row", "row"]
    assert "rhythm" in seen["label"].split(",")[seen["active"]]


def test_a_definition_is_the_line_with_the_name(code, kernel, tmp_path):
    # A module that no checker finds: the session alone knows where it is.
    lines = [
        "import functools",
        "@functools.lru_cache(",
        "    maxsize=None",
        ")",
        "def trim(sail): ...",
    ]
    (tmp_path / "rigging.py").write_text("\n".join(lines) + "\n")
    kernel.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import rigging")
    uri, line = code("""
        const document = editor.open('rigging.tr|im');
        const { providers } = editor.vscode;
        const place = await editor.wait(async () => {
          const found = await providers.Definition.provideDefinition(document, document.cursor, editor.never);
          return [found].flat()[0];
        });
        return [place.uri.path, place.range.start.line];
    """)
    assert uri == str(tmp_path / "rigging.py")
    assert lines[line].startswith("def trim")


def test_an_unknown_name_is_marked(code):
    found = code("""
        const uri = 'file:///tmp/marks.py';
        editor.open('print(unknown_name)|', uri);
        const { diagnostics } = editor.vscode;
        const marks = await editor.wait(() => diagnostics[uri]?.length && diagnostics[uri]);
        return marks.map((mark) => [mark.message, mark.range.start.character]);
    """)
    assert [(start, "unknown_name" in text) for text, start in found] == [(6, True)]


def test_hints_are_asked_again_after_a_cell(code, kernel):
    before, after = code(
        """
        const { providers, Range } = editor.vscode;
        const document = editor.open('depth = measured()\\n');
        const hints = async () => (await providers.InlayHint.provideInlayHints(
          document, new Range(0, 0, 1, 0), editor.never,
        ) ?? []).map((hint) => hint.label);
        let after = [];
        providers.InlayHint.onDidChangeInlayHints(async () => { after = await hints(); });
        const before = await hints();
        editor.ready();
        await editor.wait(() => after.length);
        return [before, after];
        """,
        lambda: kernel.run("depth = Boat()"),
    )
    assert (before, after) == ([], [": Boat"])


def test_what_its_user_has_set_is_heard(code):
    marks, quiet = code("""
        const { diagnostics, fire, settings } = editor.vscode;
        const uri = 'file:///tmp/set.py';
        editor.open('print(unknown_name)|', uri);
        const marks = await editor.wait(() => diagnostics[uri]?.length);
        settings.drupe = { diagnostics: false };
        fire('onDidChangeConfiguration', { affectsConfiguration: () => true });
        return [marks, await editor.wait(() => diagnostics[uri].length === 0)];
    """)
    assert (marks, quiet) == (1, True)
