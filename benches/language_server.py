#!/usr/bin/env python3
"""What the language server in a running kernel costs, and how soon it answers.

    python benches/language_server.py [--kernel drupe] [--asks 300]

A session of 10,000 names and a DataFrame of 1,000 columns (pandas where it is there, else a table of
the same shape); completions over TCP while the kernel is idle and while its cell keeps Python. Then every
request at documents of up to 10,000 lines, and one cell edited in notebooks of as many.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import socket
import statistics
import sys
import time
from pathlib import Path

from jupyter_client.manager import start_new_kernel

SETUP = """
for number in range(10_000):
    globals()[f"name_{number:05}"] = number
try:
    import pandas
    frame = pandas.DataFrame({f"column {n}": [n] for n in range(1_000)})
except ImportError:
    frame = {f"column {n}": [n] for n in range(1_000)}
del number
"""
BUSY = {
    "sleeping": "import time; time.sleep({0})",
    "spinning": "import time; end = time.time() + {0}\nwhile time.time() < end: pass",
    "C holds the GIL": "import ctypes; ctypes.PyDLL(None).sleep({0})",
}
PLACES = ("name_0{}", "frame['column {}", "frame.h", "imp", "print(na")


LINES = (1_500, 3_000, 6_000, 10_000)
BLOCK = """\
import module_{0}, unused_{0}
class C{0}(object):
    def method_{0}(self, first, second=[i for i in df]):
        self.value = np.sum(first) + second
        return self.value
name_{0} = C{0}().method_{0}(df, second=df.size)
df = np.add(df, name_{0}, out=df.copy())
unknown_{0}(df.x, module_{0}.y)
print(name_{0})
df += 1
"""


class Editor:
    """As much of a language client as completions need."""

    def __init__(self, port: int):
        self.link = socket.create_connection(("127.0.0.1", port))
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.link.makefile("rb")
        self.arrived = 0.0
        self.ids = itertools.count(1)
        self.ask("initialize", {"capabilities": {}, "processId": None, "rootUri": None})
        self.tell("initialized", {})
        document = {"uri": "inmemory:/bench", "languageId": "python", "version": 1, "text": ""}
        self.tell("textDocument/didOpen", {"textDocument": document})
        self.versions = itertools.count(2)

    def tell(self, method: str, params: dict, **more) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params} | more).encode()
        self.link.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def ask(self, method: str, params: dict):
        number = next(self.ids)
        self.tell(method, params, id=number)
        while True:
            length = 0
            while (line := self.input.readline()) != b"\r\n":
                length = int(line.split(b":")[1])
            body = self.input.read(length)
            # What this client needs to read it is not the server's.
            self.arrived = time.perf_counter()
            answer = json.loads(body)
            if answer.get("id") == number and "method" not in answer:
                return answer["result"]

    def complete(self, text: str) -> tuple[float, int]:
        """Types `text` and completes it: milliseconds, and how many candidates came."""
        change = {"uri": "inmemory:/bench", "version": next(self.versions)}
        changes = {"textDocument": change, "contentChanges": [{"text": text}]}
        begin = time.perf_counter()
        self.tell("textDocument/didChange", changes)
        place = {"line": 0, "character": len(text)}
        document = {"uri": "inmemory:/bench"}
        answer = self.ask("textDocument/completion", {"textDocument": document, "position": place})
        return (self.arrived - begin) * 1000, len(answer["items"])


def activate(kernel) -> tuple[float, int]:
    """Milliseconds from the request for a server to its port, and the port."""
    content = {
        "comm_id": "bench",
        "target_name": "positron.lsp",
        "data": {"ip_address": "127.0.0.1"},
    }
    message = kernel.session.msg("comm_open", content)
    begin = time.perf_counter()
    kernel.shell_channel.send(message)
    while True:
        found = kernel.get_iopub_msg(timeout=10)
        if found["msg_type"] == "comm_msg":
            took = (time.perf_counter() - begin) * 1000
            return took, found["content"]["data"]["content"]["port"]


def private(pid: int) -> float:
    """MiB that belong to the process alone."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return (
        sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private")) / 1024
    )


def line(name: str, times: list[float]) -> str:
    times = sorted(times)
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    return f"| {name} | {statistics.median(times):.2f} ms | {p99:.2f} ms | {times[-1]:.2f} ms |"


def measure(editor: Editor, asks: int) -> list[float]:
    times = []
    for _ in range(asks):
        text = random.choice(PLACES).format(random.randrange(10))
        took, found = editor.complete(text)
        if not found:
            sys.exit(f"nothing was found for {text!r}")
        times.append(took)
    return times


def blocks(lines: int) -> list[str]:
    """A program of so many lines in cells of ten: few names are used everywhere, the others once."""
    return ["import numpy as np\ndf = np.zeros(3)\n", *map(BLOCK.format, range(lines // 10))]


def requests(lines: int) -> dict[str, tuple[str, dict]]:
    """What is asked of the program: the name of the row, the method, its parameters."""

    def at(line: int, character: int) -> dict:
        return {"line": line, "character": character}

    df, value, call = at(lines - 2, 1), at(lines - 5, 15), at(lines - 2, 12)
    context = {"includeDeclaration": True, "diagnostics": []}
    whole = {"start": at(0, 0), "end": at(lines, 0)}
    return {
        "completion": ("completion", {"position": at(lines - 2, 2)}),
        "hover": ("hover", {"position": df}),
        "signatureHelp": ("signatureHelp", {"position": call}),
        "definition": ("definition", {"position": df}),
        "definition of an attribute": ("definition", {"position": value}),
        "references": ("references", {"position": df, "context": context}),
        "references of an attribute": ("references", {"position": value, "context": context}),
        "documentHighlight": ("documentHighlight", {"position": df}),
        "rename": ("rename", {"position": df, "newName": "other"}),
        "documentSymbol": ("documentSymbol", {}),
        "semanticTokens": ("semanticTokens/full", {}),
        "foldingRange": ("foldingRange", {}),
        "selectionRange": ("selectionRange", {"positions": [df]}),
        "inlayHint": ("inlayHint", {"range": whole}),
        "codeAction": ("codeAction", {"range": {"start": df, "end": df}, "context": context}),
    }


def median(editor: Editor, work) -> float:
    """Milliseconds until the last answer is there, of seven."""
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        work()
        times.append((editor.arrived - begin) * 1000)
    return statistics.median(times)


def sizes(editor: Editor) -> None:
    """A row for each request, a column for each length."""
    rows: dict[str, list[str]] = {}
    for lines in LINES:
        uri = f"inmemory:/{lines}"
        text = "".join(blocks(lines))
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        editor.tell("textDocument/didOpen", {"textDocument": document})
        asked = requests(lines)
        for name, (method, params) in asked.items():
            params["textDocument"] = {"uri": uri}
            editor.ask(f"textDocument/{method}", params)
            took = median(editor, lambda m=method, p=params: editor.ask(f"textDocument/{m}", p))
            rows.setdefault(name, []).append(f"{took:.2f} ms")

        def edit(lines=lines, uri=uri, asked=asked):
            place = {"line": lines - 1, "character": 0}
            change = {"range": {"start": place, "end": place}, "text": " "}
            versioned = {"uri": uri, "version": next(editor.versions)}
            editor.tell(
                "textDocument/didChange", {"textDocument": versioned, "contentChanges": [change]}
            )
            editor.ask("textDocument/completion", asked["completion"][1])

        rows.setdefault("an edit, then completion", []).append(f"{median(editor, edit):.2f} ms")
        editor.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        rows.setdefault("an edit in a cell, then completion", []).append(
            f"{in_a_notebook(editor, lines):.2f} ms"
        )
    print("\n| request | " + " | ".join(f"{lines:,} lines" for lines in LINES) + " |")
    print("| --- |" + " --- |" * len(LINES))
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


def in_a_notebook(editor: Editor, lines: int) -> float:
    """The same program in cells of ten lines: one is edited, and completed."""
    book = f"inmemory:/{lines}.ipynb"
    texts = {f"cell:/{lines}/{index}": text for index, text in enumerate(blocks(lines))}
    cells = [{"kind": 2, "document": uri} for uri in texts]
    documents = [
        {"uri": uri, "languageId": "python", "version": 1, "text": text}
        for uri, text in texts.items()
    ]
    notebook = {"uri": book, "notebookType": "jupyter-notebook", "version": 1, "cells": cells}
    editor.tell(
        "notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": documents}
    )
    uri = f"cell:/{lines}/{lines // 20}"

    def edit():
        place = {"line": 9, "character": 0}
        versioned = {"uri": uri, "version": next(editor.versions)}
        changes = [{"range": {"start": place, "end": place}, "text": "d"}]
        content = [{"document": versioned, "changes": changes}]
        change = {
            "notebookDocument": {"uri": book, "version": versioned["version"]},
            "change": {"cells": {"textContent": content}},
        }
        editor.tell("notebookDocument/didChange", change)
        document = {"textDocument": {"uri": uri}, "position": {"line": 9, "character": 1}}
        editor.ask("textDocument/completion", document)

    took = median(editor, edit)
    closed = [{"uri": uri} for uri in texts]
    editor.tell(
        "notebookDocument/didClose",
        {"notebookDocument": {"uri": book}, "cellTextDocuments": closed},
    )
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kernel", default="drupe")
    parser.add_argument("--asks", type=int, default=300, help="completions for each state")
    args = parser.parse_args()
    manager, kernel = start_new_kernel(kernel_name=args.kernel)
    with contextlib.ExitStack() as stack:
        stack.callback(manager.shutdown_kernel, now=True)
        stack.callback(kernel.stop_channels)
        kernel.execute_interactive(SETUP, timeout=60)
        time.sleep(1)
        before = private(manager.provisioner.pid)
        took, port = activate(kernel)
        editor = Editor(port)
        time.sleep(1)
        idle = private(manager.provisioner.pid)
        print(
            f"activation to port: {took:.1f} ms; an idle server with a client: {idle - before:.1f} MiB\n"
        )
        print("| while the kernel is | p50 | p99 | max |\n| --- | --- | --- | --- |")
        measure(editor, 20)
        print(line("idle", measure(editor, args.asks)))
        for name, code in BUSY.items():
            seconds = args.asks * 0.08
            kernel.execute(code.format(int(seconds) + 1))
            time.sleep(0.3)
            print(line(name, measure(editor, args.asks)))
            kernel.get_shell_msg(timeout=seconds + 30)
        sizes(editor)


if __name__ == "__main__":
    main()
