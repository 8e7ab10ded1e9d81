"""What happens to running kernels, and what stays behind, when the wheel is replaced and removed."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from pathlib import Path

from environments import CLIENT, Environment, run, surroundings

UPGRADE = """
import subprocess, sys
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="drupe")

def asked(client, code):
    said = []
    def hook(message):
        said.append(message["content"].get("text") or "\\n".join(message["content"].get("traceback", [])))
    client.execute_interactive(code, timeout=60, output_hook=hook)
    return "".join(said).strip()

VERSION = "import importlib.metadata as m; print(m.version('drupe'))"
before = asked(client, "x = 1\\n" + VERSION)
subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", sys.argv[1]], check=True)
assert asked(client, "x += 1; print(x)") == "2"
# What is imported at its first use.
assert "matches" in client.complete("x.bit_", reply=True, timeout=20)["content"]
assert client.inspect("x", reply=True, timeout=20)["content"]["found"]
assert "ZeroDivisionError" in asked(client, "1 / 0")
client.shutdown(reply=True, timeout=20)
client.stop_channels()
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=30)
print(before, asked(client, VERSION))
manager.shutdown_kernel()
"""


def newer(wheel: Path, folder: Path) -> Path:
    """The same wheel as the next release would be: every file is another one, and so is the version."""
    old = wheel.name.split("-")[1]
    new = f"{old}.post1"
    target = folder / wheel.name.replace(f"-{old}-", f"-{new}-")
    rows = []
    with (
        zipfile.ZipFile(wheel) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as result,
    ):
        for info in source.infolist():
            data = source.read(info)
            info.filename = info.filename.replace(f"drupe-{old}.", f"drupe-{new}.")
            if info.filename.endswith("/RECORD"):
                record = info
                continue
            if info.filename.endswith("/METADATA"):
                data = data.replace(
                    f"\nVersion: {old}\n".encode(), f"\nVersion: {new}\n".encode(), 1
                )
            elif info.filename.endswith(".py"):
                data += b"\n# the next release\n"
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append([info.filename, f"sha256={digest}", len(data)])
            result.writestr(info, data)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*rows, [record.filename, "", ""]])
        result.writestr(record, text.getvalue())
    return target


def test_a_kernel_goes_on_when_drupe_is_upgraded(installed, wheel, tmp_path):
    command = [installed.python, "-c", UPGRADE, newer(wheel, tmp_path)]
    said = run(*command, env=surroundings(installed.home)).stdout.split()
    version = wheel.name.split("-")[1]
    assert said == [version, f"{version}.post1"]


def files(environment: Environment) -> set[str]:
    prefix = environment.prefix
    return {str(path.relative_to(prefix)) for path in prefix.rglob("*")}


def test_nothing_is_left_when_it_is_uninstalled(make, wheel):
    environment = make("env", *CLIENT, wheel)
    # What it depends on stays, as it would with any package.
    environment.pip("uninstall", "-y", "drupe")
    before = files(environment)
    environment.pip("install", wheel)
    assert environment.ask("print(1); import drupe.aio, drupe.trio") == "1"
    environment.pip("uninstall", "-y", "drupe")
    left = {
        path for path in files(environment) - before if "__pycache__" not in path or "drupe" in path
    }
    assert left == set()
    left = {path.name for path in environment.home.rglob("*") if "drupe" in path.name}
    # What it knows of interpreters is a cache's, and how kernels ended is Jupyter's runtime.
    assert left <= {"drupe"}, left
