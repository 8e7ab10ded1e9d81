"""An editor as far as a language server sees one: it opens a document, asks at the cursor, and reads what comes, over standard
input and output."""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import threading
from pathlib import Path

START = 30
"""Seconds that a server may need to say what it can do."""

CAPABILITIES = {
    "general": {"positionEncodings": ["utf-16"]},
    "workspace": {"configuration": True, "workspaceFolders": True},
    "textDocument": {
        "completion": {
            "contextSupport": True,
            "completionItem": {
                "snippetSupport": False,
                "documentationFormat": ["markdown", "plaintext"],
                "labelDetailsSupport": True,
                "insertReplaceSupport": True,
                "resolveSupport": {
                    "properties": ["documentation", "detail", "additionalTextEdits"]
                },
            },
        },
        "hover": {"contentFormat": ["markdown", "plaintext"]},
        "signatureHelp": {
            "signatureInformation": {
                "activeParameterSupport": True,
                "parameterInformation": {"labelOffsetSupport": True},
            }
        },
        "definition": {"linkSupport": False},
        "codeAction": {
            "codeActionLiteralSupport": {
                "codeActionKind": {"valueSet": ["", "quickfix", "source", "refactor"]}
            },
            "resolveSupport": {"properties": ["edit"]},
        },
        "rename": {"prepareSupport": False},
        "publishDiagnostics": {},
        "diagnostic": {},
        "synchronization": {},
    },
    "notebookDocument": {"synchronization": {}},
}


class Editor:
    """Connected to one server until `close`."""

    def __init__(self, command: list[str], folder: Path, log: Path, env: dict[str, str]):
        self.log = open(log, "wb")
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        self.numbers = itertools.count(1)
        self.answers: dict[int, queue.Queue] = {}
        self.reports: queue.Queue = queue.Queue()
        """Diagnostics that were published, as they came."""
        self.writing = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()
        root = folder.as_uri()
        about = self.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": root,
                "rootPath": str(folder),
                "workspaceFolders": [{"uri": root, "name": folder.name}],
                "capabilities": CAPABILITIES,
            },
            START,
        )
        self.can: dict = about["capabilities"]
        self.tell("initialized", {})

    def _read(self) -> None:
        stream = self.process.stdout
        while True:
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if not line:
                return
            message = json.loads(stream.read(length))
            if "method" not in message:
                if waiting := self.answers.get(message.get("id")):
                    waiting.put(message)
            elif "id" in message:
                self._answer(message)
            elif message["method"] == "textDocument/publishDiagnostics":
                self.reports.put(message["params"])

    def _answer(self, request: dict) -> None:
        """What a server asks its editor: no settings are made, and all is agreed to."""
        result = None
        if request["method"] == "workspace/configuration":
            result = [None] * len(request["params"]["items"])
        self._send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    def _send(self, message: dict) -> None:
        body = json.dumps(message).encode()
        with self.writing:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.process.stdin.flush()

    def tell(self, method: str, params: dict) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: dict | None, seconds: float):
        """The result; None where it is an error. TimeoutError where none came in time."""
        number = next(self.numbers)
        self.answers[number] = queue.Queue()
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        try:
            return self.answers[number].get(timeout=seconds).get("result")
        except queue.Empty:
            self.tell("$/cancelRequest", {"id": number})
            raise TimeoutError(method) from None
        finally:
            del self.answers[number]

    def open(self, uri: str, text: str) -> None:
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})

    def change(self, uri: str, version: int, text: str) -> None:
        document = {"uri": uri, "version": version}
        changes = {"textDocument": document, "contentChanges": [{"text": text}]}
        self.tell("textDocument/didChange", changes)

    def open_notebook(self, uri: str, cells: dict[str, str]) -> None:
        """Opens a notebook of these cells, texts by URI."""
        notebook = {"uri": uri, "notebookType": "jupyter-notebook", "version": 1, "metadata": {}}
        notebook["cells"] = [{"kind": 2, "document": cell} for cell in cells]
        texts = [
            {"uri": cell, "languageId": "python", "version": 1, "text": text}
            for cell, text in cells.items()
        ]
        self.tell(
            "notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": texts}
        )

    def shut(self, uri: str) -> None:
        self.tell("textDocument/didClose", {"textDocument": {"uri": uri}})

    def close(self) -> None:
        try:
            self.ask("shutdown", None, 5)
            self.tell("exit", {})
            self.process.wait(5)
        except (OSError, TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.log.close()
