"""What does not age: a cell's cost as a session grows, and the memory that is left behind."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable

from jupyter_client.blocking.client import BlockingKernelClient
from processes import PATIENCE, Kernel
from row import Curve, timed

from .volume import echo, open_echo

Costs = dict[int, list[float]]


def cost(kernel: Kernel) -> list[float]:
    """Of a cell that binds a name: whoever keeps a picture of the namespace has something to do after it."""
    timed(lambda: kernel.run("quick = 1"), 5)
    return timed(lambda: kernel.run("quick = 1"), 40)


def namespace(code: str) -> Callable[[Kernel, tuple[int, ...]], Costs]:
    """`code` makes the namespace as big as `{0}`."""

    def play(kernel: Kernel, steps: tuple[int, ...]) -> Costs:
        kernel.ready()
        costs = {}
        for step in steps:
            kernel.run(code.format(step))
            # What is put off until a kernel is idle may be done before the next cell comes, as it would be with a user.
            time.sleep(0.5)
            costs[step] = cost(kernel)
        return costs

    return play


def after_cells(kernel: Kernel, steps: tuple[int, ...]) -> Costs:
    kernel.ready()
    costs, ran = {}, 0
    for step in steps:
        while ran < step:
            some = min(200, step - ran)
            kernel.run_at_once([f"{ran + n}" for n in range(some)])
            ran += some
        costs[step] = cost(kernel)
    return costs


def clients(kernel: Kernel, steps: tuple[int, ...]) -> Costs:
    """More of them on iopub, which all read; the cell prints 10 kB."""
    kernel.ready()
    costs, others = {}, []
    with contextlib.ExitStack() as stack:
        for step in steps:
            while len(others) < step - 1:
                other = BlockingKernelClient()
                other.load_connection_file(kernel.file)
                other.start_channels(stdin=False, hb=False)
                stack.callback(other.stop_channels)
                others.append(other)
            time.sleep(0.5)

            def cell() -> None:
                kernel.run("print('x' * 10_000)")
                for other in others:
                    other.iopub_channel.socket.recv_multipart()

            timed(cell, 3)
            for other in others:
                while other.iopub_channel.socket.poll(20):
                    other.iopub_channel.socket.recv_multipart()
            spans = []
            for _ in range(20):
                begun = time.perf_counter()
                kernel.run("print('x' * 10_000)")
                spans.append(time.perf_counter() - begun)
                for other in others:
                    while other.iopub_channel.socket.poll(0):
                        other.iopub_channel.socket.recv_multipart()
            costs[step] = spans
    return costs


def comms(kernel: Kernel, steps: tuple[int, ...]) -> Costs:
    kernel.ready()
    kernel.run("from comm import create_comm\ncomms = []")
    costs = {}
    for step in steps:
        kernel.run(f"while len(comms) < {step}: comms.append(create_comm(target_name='bench'))")
        costs[step] = cost(kernel)
    return costs


def memory_over_cells(kernel: Kernel, steps: tuple[int, ...]) -> Costs:
    """Cells that print and bind the same name again, with history."""
    kernel.ready()
    costs, ran = {}, 0
    for step in steps:
        while ran < step:
            kernel.run_at_once(["kept = list(range(100)); print(len(kept))"] * min(200, step - ran))
            ran += min(200, step - ran)
        time.sleep(1)
        costs[step] = [kernel.memory("uss")]
    return costs


def memory_after_messages(kernel: Kernel, steps: tuple[int, ...]) -> Costs:
    """So many MiB to and fro, and five seconds later; 0 is before."""
    kernel.ready()
    open_echo(kernel)
    costs = {}
    for step in steps:
        if step:
            echo(kernel, [b"x" * (step << 20)], patience=PATIENCE)
            time.sleep(5)
        costs[step] = [kernel.memory("uss")]
    return costs


class LanguageServer:
    """The one of a running kernel, with an editor that has a document open."""

    def __init__(self, kernel: Kernel) -> None:
        content = {
            "comm_id": "lsp",
            "target_name": "positron.lsp",
            "data": {"ip_address": "127.0.0.1"},
        }
        kernel.send("comm_open", content)
        while True:
            found = kernel.client.get_iopub_msg(timeout=PATIENCE)
            if found["msg_type"] == "comm_msg":
                port = found["content"]["data"]["content"]["port"]
                break
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._say("initialize", {"capabilities": {}, "processId": None, "rootUri": None}, 1)
        self._say("initialized", {})
        document = {
            "uri": "untitled:bench",
            "languageId": "python",
            "version": 1,
            "text": "quick\n",
        }
        self._say("textDocument/didOpen", {"textDocument": document})
        place = {"textDocument": {"uri": "untitled:bench"}, "position": {"line": 0, "character": 3}}
        self._say("textDocument/completion", place, 2)

    def _say(self, method: str, params: dict, number: int | None = None) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def __enter__(self) -> LanguageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


TEN = tuple(10**n for n in range(1, 8))

CURVES = [
    Curve("names", "a cell beside so many names", "names in the namespace", TEN[:6], TEN[:3],
          namespace("globals().update({{f'name_{{n}}': n for n in range({0})}})")),
    Curve("dict", "a cell beside a dict of so many entries", "entries", TEN, TEN[:3],
          namespace("big = dict.fromkeys(range({0}), 'value')")),
    Curve("rows", "a cell beside a DataFrame of so many rows", "rows", TEN, TEN[:3],
          namespace("import numpy, pandas\nframe = pandas.DataFrame({{'a': numpy.arange({0}), 'b': numpy.arange({0})}})")),
    Curve("cells", "a cell after so many", "cells run", (10, 1_000, 10_000, 100_000), (10, 100), after_cells),
    Curve("clients", "a print of 10 kB with so many clients", "clients", (1, 4, 16, 64), (1, 4), clients),
    Curve("comms", "a cell with so many comms open", "comms", (0, 10, 100, 1_000), (0, 10), comms),
    Curve("memory-cells", "memory after so many cells (USS)", "cells run", (0, 1_000, 2_000, 5_000, 10_000), (0, 100),
          memory_over_cells, "bytes"),
    Curve("memory-messages", "memory 5 s after a message of so many MiB and its echo (USS)", "MiB", (0, 1, 10, 100), (0, 1),
          memory_after_messages, "bytes"),
]  # fmt: skip
