"""What is offered where: the tables in `places`, driven through the server in a kernel and through the one alone."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import shlex
import socket
import statistics
import subprocess
import time

import pytest
from conftest import command
from jupyter_client.manager import start_new_kernel

PLACES = pathlib.Path(__file__).parent / "places"


class Case:
    """One line of a table."""

    def __init__(self, line: str, session: bool) -> None:
        code, words = line.split("⇒")
        code = code.rstrip(" ").replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\")
        before, _, after = code.partition("‸")
        lines = before.split("\n")
        self.text = before + after
        self.position = {"line": len(lines) - 1, "character": len(lines[-1])}
        self.words = shlex.split(words)
        self.session = session

    def of(self, kind: str) -> list[str]:
        """What the words of one kind say: `call:…`."""
        return [word.removeprefix(kind) for word in self.words if word.startswith(kind)]


def cases(alone: bool) -> list:
    found = []
    for table in sorted(PLACES.glob("*.txt")):
        session = None
        for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
            if line in ("[anywhere]", "[session]"):
                session = line == "[session]"
            elif line and not line.startswith("# ") or "⇒" in line:
                if not (alone and session):
                    found.append(pytest.param(Case(line, session), id=f"{table.stem}:{number}"))
    return found


class Client:
    """The smallest client: one request at a time, over any pair of streams."""

    def __init__(self, read, write) -> None:
        self.read, self.write = read, write
        self.ids = itertools.count(1)
        self.request("initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": {}})
        self.notify("initialized", {})

    def send(self, **message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.write.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.write.flush()

    def notify(self, method: str, params) -> None:
        self.send(method=method, params=params)

    def request(self, method: str, params):
        number = next(self.ids)
        self.send(id=number, method=method, params=params)
        while True:
            length = 0
            while (line := self.read.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            message = json.loads(self.read.read(length))
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            if "id" in message:
                self.send(id=message["id"], result=None)


@pytest.fixture(scope="module")
def alone():
    with subprocess.Popen(command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Client(process.stdout, process.stdin)
        process.kill()


@pytest.fixture(scope="module", params=["auto", "off"], ids=["types", "no-types"])
def beside(request):
    """The server of a kernel, with a type checker where the environment has one, and without."""
    manager, kernel = start_new_kernel(
        kernel_name=os.environ.get("DRUPE_KERNEL", "drupe"),
        extra_arguments=[f"--lsp-types={request.param}"],
    )
    kernel.execute_interactive((PLACES / "session.py").read_text(encoding="utf-8"), timeout=30)
    opened = {"comm_id": "lsp", "target_name": "lsp", "data": {"ip_address": "127.0.0.1"}}
    kernel.shell_channel.send(kernel.session.msg("comm_open", opened))
    while (message := kernel.get_iopub_msg(timeout=10))["msg_type"] != "comm_msg":
        pass
    port = message["content"]["data"]["params"]["port"]
    with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rwb")
        yield Client(stream, stream)
    kernel.stop_channels()
    manager.shutdown_kernel(now=True)


def check(client: Client, case: Case) -> None:
    uri = f"inmemory:/{next(client.ids)}"
    document = {"uri": uri, "languageId": "python", "version": 1, "text": case.text}
    client.notify("textDocument/didOpen", {"textDocument": document})
    place = {"textDocument": {"uri": uri}, "position": case.position}
    try:
        offered(client, case, place)
        called(client, case, place)
        hovered(client, case, place)
    finally:
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def offered(client: Client, case: Case, place: dict) -> None:
    context = {"triggerKind": 1}
    for sign in case.of("typed:"):
        context = {"triggerKind": 2, "triggerCharacter": sign}
    # Where the disk or the session is late, the list says that it is not whole, and who types on asks again.
    end = time.monotonic() + 5
    while True:
        answer = client.request("textDocument/completion", {**place, "context": context})
        try:
            return compare(case, answer["items"])
        except AssertionError:
            if not answer["isIncomplete"] or time.monotonic() > end:
                raise
        time.sleep(0.1)


def compare(case: Case, items: list[dict]) -> None:
    labels = [item["label"] for item in items]
    assert len(labels) == len(set(labels))
    special = ("typed:", "call:", "-call:", "nocall", "hover:", "nohover")
    for word in case.words:
        if word.startswith(special):
            continue
        if word == "nothing":
            assert labels == [], labels[:5]
        elif word.startswith("^"):
            assert labels[:1] == [word[1:]], labels[:5]
        elif word.startswith("-"):
            assert word[1:] not in labels
        else:
            name, equals, inserted = word.partition("=")
            name, inserted = (word, "") if not inserted else (name, inserted)
            assert name in labels, (name, labels[:5])
            if inserted:
                item = items[labels.index(name)]
                assert item["textEdit"]["newText"] == inserted
                assert item.get("filterText", name) == inserted


def called(client: Client, case: Case, place: dict) -> None:
    expected = case.of("call:")
    wrong = case.of("-call:")
    if not expected and not wrong and "nocall" not in case.words:
        return
    answer = client.request("textDocument/signatureHelp", place)
    if wrong:
        labels = [signature["label"] for signature in answer["signatures"]] if answer else []
        assert not set(wrong) & set(labels)
        return
    if not expected:
        assert answer is None or not answer["signatures"], answer
        return
    assert answer is not None
    label, _, index = expected[0].rpartition("@")
    active = answer["signatures"][answer.get("activeSignature") or 0]
    assert active["label"] == label
    parameter = answer.get("activeParameter")
    assert parameter == (None if index == "-" else int(index))


def hovered(client: Client, case: Case, place: dict) -> None:
    expected = case.of("hover:")
    if not expected and "nohover" not in case.words:
        return
    answer = client.request("textDocument/hover", place)
    if not expected:
        assert answer is None
        return
    assert answer is not None
    assert expected[0] in answer["contents"]["value"]


@pytest.mark.parametrize("case", cases(alone=False))
def test_in_a_session(beside, case):
    # A machine with other things to do may let the interpreter be late, which then is left alone for 0.3 s: meanwhile the snapshot answers.
    for _ in range(4 if case.session else 0):
        with contextlib.suppress(AssertionError):
            return check(beside, case)
        time.sleep(0.35)
    check(beside, case)


@pytest.mark.parametrize("case", cases(alone=True))
def test_alone(alone, case):
    check(alone, case)


def test_an_answer_takes_no_time(beside):
    text = "value = [1, 2, 3]\n" * 10_000 + "table."
    document = {"uri": "inmemory:/long", "languageId": "python", "version": 1, "text": text}
    beside.notify("textDocument/didOpen", {"textDocument": document})
    place = {
        "textDocument": {"uri": "inmemory:/long"},
        "position": {"line": 10_000, "character": 6},
    }
    beside.request("textDocument/completion", place)
    times = []
    for _ in range(20):
        started = time.perf_counter()
        beside.request("textDocument/completion", place)
        times.append(time.perf_counter() - started)
    assert statistics.median(times) < 0.05, times
