"""The session's answers about libraries that are heavy: in the environment that has them, see libraries.py."""

from __future__ import annotations

import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
LIBRARIES = HERE.parents[1] / ".cache" / "parity" / "bin" / "python"


def test_tables_and_models_of_other_libraries():
    command = [LIBRARIES, "-m", "pytest", "-q", "-p", "no:cacheprovider", HERE / "libraries.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
