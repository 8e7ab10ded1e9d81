"""Whether what a language server answered is what a place wants: ✓, – for nothing, ✗ for something else."""

from __future__ import annotations

import queue
import re
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from editor import Editor

GOOD, NONE, WRONG = "✓", "–", "✗"
PATIENCE = 5
"""Seconds after which an answer comes too late for its user."""
QUIET = 8
"""Seconds without a report after which there is none to come."""


@dataclass(frozen=True)
class Document:
    """What is open: a text, and the cursor in it."""

    uri: str
    text: str
    line: int
    character: int
    """In UTF-16 units, which all of them are in the texts here."""

    @classmethod
    def of(cls, uri: str, before: str, marked: str) -> Document:
        head, _, tail = marked.partition("|")
        head = before + head
        lines = head.split("\n")
        return cls(uri, head + tail, len(lines) - 1, len(lines[-1]))

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @property
    def typed(self) -> str:
        """The line before the cursor."""
        return self.lines[self.line][: self.character]

    @property
    def word(self) -> str:
        return re.search(r"\w*$", self.typed)[0]

    def params(self, **more) -> dict:
        position = {"line": self.line, "character": self.character}
        return {"textDocument": {"uri": self.uri}, "position": position} | more

    def apply(self, edits: list[dict]) -> str:
        """The text after edits that do not overlap."""
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)

        def offset(at: dict) -> int:
            return min(starts[at["line"]] + at["character"], len(self.text))

        text = self.text
        for edit in sorted(edits, key=lambda edit: offset(edit["range"]["start"]), reverse=True):
            begin, end = (offset(edit["range"][side]) for side in ("start", "end"))
            text = text[:begin] + edit["newText"] + text[end:]
        return text


def judge(editor: Editor, place: dict, document: Document) -> str:
    """Ask once and hold the answer against what the place wants."""
    return ASKED[place.get("ask", "completion")](editor, place, document)


def wanted(place: dict, found: str) -> str:
    if not found:
        return NONE
    good = all(one in found for one in place["has"])
    return GOOD if good else WRONG


# --- completion -----------------------------------------------------------------------------------------------------


def name_of(item: dict) -> str:
    """What a candidate is called, without what its server puts around it: quotes, brackets, parameters, `=`."""
    label = item["label"].strip().split("(")[0]
    return label.strip("\"'[]%").rstrip("=/").strip()


def fits(word: str, item: dict) -> bool:
    """As an editor chooses among the candidates: the letters of the word come in this order."""
    rest = iter((item.get("filterText") or item["label"]).lower())
    return all(letter in rest for letter in word.lower())


def candidates(editor: Editor, document: Document) -> list[dict]:
    """What an editor would show; nothing where it would not ask."""
    options = editor.can.get("completionProvider")
    if options is None:
        return []
    context: dict = {"triggerKind": 1}
    if (last := document.typed[-1:]) in options.get("triggerCharacters", []):
        context = {"triggerKind": 2, "triggerCharacter": last}
    answer = editor.ask("textDocument/completion", document.params(context=context), PATIENCE)
    items = answer["items"] if isinstance(answer, dict) else answer or []
    return [item for item in items if fits(document.word, item)]


def completion(editor: Editor, place: dict, document: Document) -> str:
    if place.get("silent"):
        triggers = (editor.can.get("completionProvider") or {}).get("triggerCharacters", [])
        asked = document.typed[-1:] in triggers
        return WRONG if asked and candidates(editor, document) else GOOD
    items = candidates(editor, document)
    if not items:
        return NONE
    if "inserts" in place or "besides" in place:
        name, text = place.get("inserts") or place["besides"]
        chosen = [item for item in items if name in item["label"].replace("\\", "")]
        if not chosen:
            return NONE
        see = inserted if "inserts" in place else brought
        return GOOD if any(see(editor, item, document, text) for item in chosen) else WRONG
    names = {name_of(item) for item in items}
    good = names.issuperset(place["has"]) and names.isdisjoint(place.get("lacks", ()))
    return GOOD if good else WRONG


def inserted(editor: Editor, item: dict, document: Document, text: str) -> bool:
    edit = item.get("textEdit")
    if edit is None:
        at = {"line": document.line, "character": document.character}
        begin = at | {"character": document.character - len(document.word)}
        new = item.get("insertText") or item["label"]
        edit = {"range": {"start": begin, "end": at}, "newText": new}
    edit = {"range": edit.get("range") or edit["insert"], "newText": edit["newText"]}
    return document.apply([edit]).split("\n")[document.line].startswith(text)


def brought(editor: Editor, item: dict, document: Document, text: str) -> bool:
    if not item.get("additionalTextEdits") and editor.can["completionProvider"].get(
        "resolveProvider"
    ):
        item = editor.ask("completionItem/resolve", item, PATIENCE) or item
    return any(text in edit["newText"] for edit in item.get("additionalTextEdits") or [])


# --- what is read ---------------------------------------------------------------------------------------------------


def text_of(contents) -> str:
    if isinstance(contents, list):
        return "\n".join(map(text_of, contents))
    return contents["value"] if isinstance(contents, dict) else contents or ""


def hover(editor: Editor, place: dict, document: Document) -> str:
    if not editor.can.get("hoverProvider"):
        return NONE
    answer = editor.ask("textDocument/hover", document.params(), PATIENCE)
    return wanted(place, text_of(answer["contents"]) if answer else "")


def signature(editor: Editor, place: dict, document: Document) -> str:
    if not editor.can.get("signatureHelpProvider"):
        return NONE
    answer = editor.ask("textDocument/signatureHelp", document.params(), PATIENCE)
    if not answer or not answer.get("signatures"):
        return NONE
    shown = answer["signatures"][answer.get("activeSignature") or 0]
    index = shown.get("activeParameter", answer.get("activeParameter")) or 0
    labels = [one["label"] for one in shown.get("parameters") or []]
    if index >= len(labels):
        return WRONG
    label = labels[index]
    if not isinstance(label, str):
        label = shown["label"][label[0] : label[1]]
    return GOOD if re.match(r"\w*", label)[0] == place["parameter"] else WRONG


# --- places ---------------------------------------------------------------------------------------------------------


def lines_at(answer, document: Document) -> list[str]:
    """The lines that locations lead to."""
    found = []
    for location in answer if isinstance(answer, list) else [answer] if answer else []:
        uri = location.get("uri") or location["targetUri"]
        range_ = location.get("range") or location["targetSelectionRange"]
        if uri == document.uri:
            lines = document.lines
        else:
            path = Path(urllib.parse.unquote(urllib.parse.urlparse(uri).path))
            lines = path.read_text().split("\n") if path.exists() else []
        line = range_["start"]["line"]
        found += lines[line : line + 1]
    return found


def definition(editor: Editor, place: dict, document: Document) -> str:
    if not editor.can.get("definitionProvider"):
        return NONE
    lines = lines_at(editor.ask("textDocument/definition", document.params(), PATIENCE), document)
    if not lines:
        return NONE
    return GOOD if any(place["at"] in line for line in lines) else WRONG


def references(editor: Editor, place: dict, document: Document) -> str:
    if not editor.can.get("referencesProvider"):
        return NONE
    params = document.params(context={"includeDeclaration": True})
    answer = editor.ask("textDocument/references", params, PATIENCE)
    if not answer:
        return NONE
    found = {
        (one["range"]["start"]["line"], one["range"]["start"]["character"])
        for one in answer
        if one["uri"] == document.uri
    }
    return GOOD if len(found) == place["count"] else WRONG


def edits_of(edit: dict, document: Document) -> list[dict]:
    """The edits of this document, in whichever of the two forms."""
    edits = list((edit.get("changes") or {}).get(document.uri, []))
    for change in edit.get("documentChanges") or []:
        if change.get("textDocument", {}).get("uri") == document.uri:
            edits += change["edits"]
    return edits


def rename(editor: Editor, place: dict, document: Document) -> str:
    if not editor.can.get("renameProvider"):
        return NONE
    params = document.params(newName="amount")
    answer = editor.ask("textDocument/rename", params, PATIENCE)
    if not answer:
        return NONE
    text = document.apply(edits_of(answer, document))
    return GOOD if text.endswith(place["becomes"]) else WRONG


def reported(editor: Editor, document: Document) -> list[dict]:
    if editor.can.get("diagnosticProvider"):
        params = {"textDocument": {"uri": document.uri}}
        answer = editor.ask("textDocument/diagnostic", params, PATIENCE) or {}
        return answer.get("items", [])
    if document.uri.startswith("file:"):
        # What was published of it before may be of another state.
        editor.shut(document.uri)
        while not editor.reports.empty():
            editor.reports.get()
        editor.open(document.uri, document.text)
    found: list[dict] = []
    end = time.monotonic() + QUIET
    while (left := end - time.monotonic()) > 0:
        try:
            report = editor.reports.get(timeout=left)
        except queue.Empty:
            break
        if report["uri"] == document.uri:
            found = report["diagnostics"]
            if found:
                break
    return found


def serious(reports: list[dict]) -> list[dict]:
    """Errors and warnings: what is underlined, without hints and matters of style (pycodestyle's)."""
    return [
        one for one in reports if one.get("severity", 1) <= 2 and one.get("source") != "pycodestyle"
    ]


def diagnostics(editor: Editor, place: dict, document: Document) -> str:
    first = document.line - place["text"].count("\n")
    found = [
        one for one in serious(reported(editor, document)) if one["range"]["start"]["line"] >= first
    ]
    if place.get("silent"):
        return WRONG if found else GOOD
    return wanted(place, "\n".join(one["message"] for one in found))


def action(editor: Editor, place: dict, document: Document) -> str:
    if not editor.can.get("codeActionProvider"):
        return NONE
    at = {"line": document.line, "character": document.character}
    reports = [
        one for one in reported(editor, document) if one["range"]["start"]["line"] == document.line
    ]
    params = {
        "textDocument": {"uri": document.uri},
        "range": {"start": at, "end": at},
        "context": {"diagnostics": reports},
    }
    text = ""
    for one in editor.ask("textDocument/codeAction", params, PATIENCE) or []:
        if "edit" not in one and "command" not in one:
            one = editor.ask("codeAction/resolve", one, PATIENCE) or one
        text += "".join(edit["newText"] for edit in edits_of(one.get("edit") or {}, document))
    return wanted(place, text)


ASKED = {
    "completion": completion,
    "hover": hover,
    "signature": signature,
    "definition": definition,
    "references": references,
    "rename": rename,
    "diagnostics": diagnostics,
    "action": action,
}
