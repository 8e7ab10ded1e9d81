"""Who is served: on this machine the same user alone, since a port is open to everybody who has a login."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CLIENT = """
import os, socket, sys
family, address, port, user = sys.argv[1:]
os.setuid(int(user))
client = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET)
client.settimeout(10)
client.connect((address, int(port)))
body = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}'
try:
    client.sendall(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    print(client.recv(14).decode())
except ConnectionError:
    print()
"""
NOBODY = 65534


def answer(family: int, address: str, port: int, user: int) -> str:
    arguments = [str(family), address, str(port), str(user)]
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, *arguments], capture_output=True, text=True, timeout=30
    )
    assert done.stderr == ""
    return done.stdout.strip()


PLACES = [(4, "127.0.0.1"), (6, "::ffff:127.0.0.1")]


@pytest.mark.parametrize(("family", "address"), PLACES)
def test_the_same_user_is_served(port, family, address):
    assert answer(family, address, port, os.geteuid()) == "Content-Length"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(("family", "address"), PLACES)
def test_another_user_is_not(port, family, address):
    assert answer(family, address, port, NOBODY) == ""
