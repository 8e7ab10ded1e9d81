"""The session's half of the language server on every Python of `make test-venvs`: it reads what each of them keeps elsewhere."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
PYTHONS = sorted((HERE.parents[1] / ".venvs").glob("*/bin/python"))
READING = ["test_inspection.py", "test_bindings.py", "test_traps.py", "test_standard.py"]
"""What needs no kernel and no library."""


def test_there_are_some():
    assert PYTHONS, "`make test-venvs` makes them"


@pytest.mark.parametrize("python", PYTHONS, ids=lambda python: python.parts[-3])
def test_the_session_is_read_alike(python):
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [HERE / name for name in READING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
