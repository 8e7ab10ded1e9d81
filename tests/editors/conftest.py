"""Editors as their users have them, attached to a running kernel: Neovim, and the library that Visual Studio Code's clients are made of.

Needs nvim and node; DRUPE_NVIM and DRUPE_NODE name others. DRUPE_KERNEL names the kernelspec (default: `drupe`).
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = os.environ.get("DRUPE", str(ROOT / "target" / "release" / "drupe"))
NAME = os.environ.get("DRUPE_KERNEL", "drupe")

SESSION = """
import pandas as pd
class Boat:
    "It floats."
    def row(self, strokes, rhythm=2):
        "Moves the boat."
boat = Boat()
boat.anchor = [1, 2]
df = pd.DataFrame({"town": ["Aachen"], "price": [1.5]})
"""


def program(name: str) -> str:
    """The path of an editor's program."""
    path = shutil.which(os.environ.get(f"DRUPE_{name.upper()}", name))
    if path is None:
        pytest.fail(f"there is no {name}: install it, or name one in DRUPE_{name.upper()}")
    return path


@dataclass
class Kernel:
    """A running kernel in which SESSION was run."""

    connection_file: str
    client: BlockingKernelClient

    def port(self) -> int:
        """That of a new language server inside."""
        opened = {"comm_id": os.urandom(8).hex(), "target_name": "lsp", "data": {}}
        self.client.shell_channel.send(self.client.session.msg("comm_open", opened))
        while True:
            message = self.client.get_iopub_msg(timeout=10)
            if message["msg_type"] == "comm_msg":
                return message["content"]["data"]["params"]["port"]

    def run(self, code: str) -> None:
        reply = self.client.execute_interactive(code, timeout=60)
        assert reply["content"]["status"] == "ok", reply["content"]
        time.sleep(1)  # The snapshot is taken when the kernel comes to rest.


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel(kernel_name=NAME)
    running = Kernel(manager.connection_file, client)
    running.run(SESSION)
    yield running
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def bridges(connection_file: str) -> list[psutil.Process]:
    """The processes of `drupe lsp` that lead to a kernel."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if connection_file in words and "lsp" in words[:2]:
            found.append(process)
    return found
