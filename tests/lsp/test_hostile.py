"""What no editor would send, byte by byte: the server answers or hangs up, and serves the next one."""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time

import pytest
from conftest import command


class Peer:
    """A client that knows nothing but frames."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*command(), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.ids = 0
        # A server that says nothing ends its test instead of the test's patience.
        self.alarm = threading.Timer(60, self.process.kill)
        self.alarm.start()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_) -> None:
        self.alarm.cancel()
        self.process.kill()
        self.process.wait()

    def raw(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, method: str, params=None, *, request: bool = True) -> int | None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if request:
            self.ids += 1
            message["id"] = self.ids
        body = json.dumps(message).encode()
        self.raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self.ids if request else None

    def receive(self) -> dict | None:
        """The next message; None when the server has hung up."""
        length = None
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return None if length is None else json.loads(self.process.stdout.read(length))

    def answer(self, id_: int) -> dict:
        while True:
            message = self.receive()
            assert message is not None, "the server hung up"
            if message.get("id") == id_:
                return message

    def ask(self, method: str, params=None) -> dict:
        return self.answer(self.send(method, params))

    def initialize(self) -> None:
        assert "result" in self.ask("initialize", {"capabilities": {}})
        self.send("initialized", {}, request=False)

    def open(self, text: str, uri: str = "inmemory:/x") -> None:
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.send("textDocument/didOpen", {"textDocument": document}, request=False)

    def complete(self, line: int, character: int, uri: str = "inmemory:/x") -> dict:
        place = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
        return self.ask("textDocument/completion", place)

    def memory(self) -> int:
        """Resident memory in MiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) // 1024
        raise AssertionError("no VmRSS")


@pytest.fixture
def peer():
    with Peer() as peer:
        yield peer


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe\xfd",
        b"{",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":1.5,"method":"x"}',
        b'{"jsonrpc":"2.0","id":99999999999999999999,"method":"x"}',
        b'"\\ud800"',
    ],
)
def test_a_body_that_is_no_message_is_told_and_survived(peer, body):
    peer.raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert peer.receive()["error"]["code"] == -32700
    peer.initialize()


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: 1073741824\r\n\r\n{",
        b"Content-Length: 99999999999999999999999\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"\r\n\r\n",
        b"x" * 100_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_a_frame_that_is_none_ends_the_connection(peer, data):
    try:
        peer.raw(data)
    except BrokenPipeError:
        pass
    message = peer.receive()
    assert message is None or "error" in message
    assert peer.process.wait(5) == 1


def test_half_a_message_and_gone(peer):
    peer.raw(b'Content-Length: 100\r\n\r\n{"jsonrpc"')
    peer.process.stdin.close()
    assert peer.process.wait(5) == 1


def test_announcing_a_lot_costs_nothing(peer):
    peer.initialize()
    before = peer.memory()
    peer.raw(b"Content-Length: %d\r\n\r\nx" % (64 * 1024 * 1024))
    time.sleep(0.2)
    assert peer.memory() - before < 8


def test_requests_before_initialize_and_after_shutdown(peer):
    assert peer.ask("textDocument/hover", {})["error"]["code"] == -32002
    peer.initialize()
    assert peer.ask("initialize", {})["error"]["code"] == -32600
    assert peer.ask("no/such/method", {})["error"]["code"] == -32601
    assert peer.ask("textDocument/hover", {"wrong": 1})["error"]["code"] == -32602
    assert peer.ask("textDocument/hover", None)["error"]["code"] == -32602
    assert peer.ask("shutdown")["result"] is None
    assert peer.ask("textDocument/hover", {})["error"]["code"] == -32600
    peer.send("exit", request=False)
    assert peer.process.wait(5) == 0


def test_a_document_that_is_not_open(peer):
    peer.initialize()
    answer = peer.complete(0, 0, "inmemory:/never-opened")
    assert "not open" in answer["error"]["message"]
    change = {"textDocument": {"uri": "x", "version": 1}, "contentChanges": [{"text": "a"}]}
    peer.send("textDocument/didChange", change, request=False)
    peer.open("x = 1\n")
    assert "result" in peer.complete(0, 1)


def test_positions_far_outside(peer):
    peer.initialize()
    peer.open("é = 1\n")
    for line, character in [(0, 4_294_967_295), (4_294_967_295, 0), (1, 5)]:
        assert "result" in peer.complete(line, character)
    change = {
        "textDocument": {"uri": "inmemory:/x", "version": 2},
        "contentChanges": [
            {
                "range": {
                    "start": {"line": 9, "character": 9},
                    "end": {"line": 0, "character": 0},
                },
                "text": "name_at_the_end = 1\nname_",
            }
        ],
    }
    peer.send("textDocument/didChange", change, request=False)
    items = peer.complete(2, 5)["result"]["items"]
    assert [item["label"] for item in items] == ["name_at_the_end"]


def test_a_document_of_ten_megabytes(peer):
    peer.initialize()
    text = "".join(f"name_{i} = {i}\n" for i in range(600_000))
    assert len(text) > 10_000_000
    peer.open(text)
    started = time.monotonic()
    assert "result" in peer.complete(0, 3)
    assert time.monotonic() - started < 5
    for version in range(2, 20):
        place = {"line": 300_000, "character": 0}
        change = {"range": {"start": place, "end": place}, "text": "x"}
        document = {"uri": "inmemory:/x", "version": version}
        peer.send(
            "textDocument/didChange",
            {"textDocument": document, "contentChanges": [change]},
            request=False,
        )
    assert "result" in peer.complete(0, 3)
    assert peer.memory() < 300


def test_too_much_text_is_refused_and_said(peer):
    peer.initialize()
    for index in range(5):
        peer.open("#" * 60_000_000, f"inmemory:/{index}")
    while True:
        message = peer.receive()
        if message.get("method") == "window/logMessage":
            assert "not opened" in message["params"]["message"]
            break
    peer.open("x = 1", "inmemory:/4")
    assert "result" in peer.complete(0, 0, "inmemory:/4")


@pytest.mark.parametrize("bomb", ["(" * 200_000, "x" + ".a" * 200_000, "-" * 200_000 + "1"])
def test_nesting_without_end(peer, bomb):
    peer.initialize()
    peer.open(bomb + "\nname_here = 1\n")
    assert "result" in peer.complete(1, 3)
    folding = {"textDocument": {"uri": "inmemory:/x"}}
    for method in ["foldingRange", "documentSymbol", "semanticTokens/full"]:
        assert "result" in peer.ask(f"textDocument/{method}", folding)


def test_ten_thousand_requests_at_once(peer):
    peer.initialize()
    peer.open("name_one = 1\nname_")
    first = peer.ids + 1
    count = 10_000
    place = {
        "textDocument": {"uri": "inmemory:/x"},
        "position": {"line": 1, "character": 5},
    }

    def flood():
        for _ in range(count):
            peer.send("textDocument/completion", place)

    sender = threading.Thread(target=flood)
    sender.start()
    answered = set()
    while len(answered) < count:
        message = peer.receive()
        if message.get("id", 0) >= first:
            assert message["id"] not in answered
            answered.add(message["id"])
    sender.join()
    assert peer.memory() < 100


def test_a_cancelled_request_is_answered_once(peer):
    peer.initialize()
    peer.open("x = 1\n" * 50_000)
    place = {"textDocument": {"uri": "inmemory:/x"}, "position": {"line": 0, "character": 1}}
    peer.send("textDocument/completion", place)
    cancelled = peer.send("textDocument/completion", place)
    peer.send("$/cancelRequest", {"id": cancelled}, request=False)
    assert peer.answer(cancelled)["error"]["code"] == -32800
    peer.send("$/cancelRequest", {"id": "never seen"}, request=False)
    peer.send("$/cancelRequest", {}, request=False)
    assert "result" in peer.complete(0, 1)


def test_a_stream_of_noise_never_kills_it():
    dice = random.Random(7)
    for _ in range(20):
        with Peer() as peer:
            peer.initialize()
            peer.open("def f(a): return a\nf(")
            noise = bytes(dice.randrange(256) for _ in range(dice.randrange(2000)))
            peer.raw(b"Content-Length: %d\r\n\r\n" % len(noise) + noise)
            assert "result" in peer.complete(1, 2)
