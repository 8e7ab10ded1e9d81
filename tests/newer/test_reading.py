"""The session's half of the language server: annotations, types and modules are kept in another way from 3.14 on."""

from __future__ import annotations

import subprocess
from pathlib import Path

LSP = Path(__file__).parents[1] / "lsp"
READING = [
    "test_inspection.py",
    "test_bindings.py",
    "test_traps.py",
    "test_frames.py",
    "test_files.py",
    "test_given.py",
    "test_standard.py",
]


def test_the_session_is_read_as_on_the_others(python):
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [str(LSP / name) for name in READING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
