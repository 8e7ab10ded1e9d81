"""The wheel's programs on a system of years ago, Debian 11 with glibc 2.31: they are loaded there, and say what they say anywhere.

Its Python is too old for drupe, so no kernel runs. The system is a folder that mmdebstrap unpacks, which takes root; where it cannot be had the
test is left out, unless DRUPE_TEST_NEWER=1 says that it must be there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from environments import ROOT

sys.path.insert(0, str(ROOT / "tests" / "newer"))

import root  # noqa: E402

SUITE = "bullseye"
PACKAGES = "libc6,libgcc-s1,python3.9"


@pytest.fixture(scope="module")
def system() -> Path:
    folder = ROOT / ".cache" / f"{SUITE}-root"
    if not folder.exists():
        try:
            root.check()
            partial = folder.with_suffix(".new")
            shutil.rmtree(partial, ignore_errors=True)
            command = [
                "mmdebstrap",
                "--quiet",
                "--mode=root",
                "--variant=extract",
                *root.settings(),
            ]
            command += [f"--include={PACKAGES}", SUITE, str(partial), root.mirror()]
            subprocess.run(command, check=True)
            partial.rename(folder)
        except (root.CannotBeHad, OSError, subprocess.CalledProcessError) as why:
            if os.environ.get("DRUPE_TEST_NEWER") == "1":
                raise
            pytest.skip(f"there is no older system: {why}")
    return folder


@pytest.fixture(scope="module")
def unpacked(system, wheel) -> Path:
    """The wheel's files in that system, as an installer lays them out."""
    place = system / "opt" / "drupe"
    shutil.rmtree(place, ignore_errors=True)
    with zipfile.ZipFile(wheel) as file:
        for info in file.infolist():
            top, _, rest = info.filename.partition("/")
            if top == "drupe":
                target = place / "lib/python3.9/site-packages/drupe" / rest
            elif rest.startswith("scripts/"):
                target = place / "bin" / rest.removeprefix("scripts/")
            else:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read(info))
            target.chmod(info.external_attr >> 16 & 0o777)
    return place


def inside(system: Path, *command: str) -> subprocess.CompletedProcess:
    """Run a command there. Its /proc is mounted in a namespace that goes with it."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"}
    enter = 'mkdir -p "$0/proc" && mount --bind /proc "$0/proc" && exec chroot "$0" "$@"'
    words = ["unshare", "--mount", "sh", "-c", enter, str(system), *command]
    return subprocess.run(words, capture_output=True, text=True, env=env)


@pytest.mark.parametrize("program", ["drupe", "drupe-lsp"])
def test_the_programs_run(system, unpacked, wheel, program):
    done = inside(system, f"/opt/drupe/bin/{program}", "--version")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.split()[-1] == wheel.name.split("-")[1]


def test_a_python_that_is_too_old_is_named(system, unpacked):
    done = inside(system, "/opt/drupe/bin/drupe", "--python", "/usr/bin/python3.9", "-f", "x")
    assert done.returncode == 2
    assert "is Python 3.9" in done.stderr and "CPython 3.10 or newer" in done.stderr


def test_the_core_finds_all_that_it_needs_of_the_system(system, unpacked):
    """But for Python's own names, which are the interpreter's."""
    loader = next((system / "lib64").glob("ld-linux*.so*"))
    core = "/opt/drupe/lib/python3.9/site-packages/drupe/_drupe.abi3.so"
    done = inside(system, f"/lib64/{loader.name}", "--list", core)
    assert done.returncode == 0, done.stderr
    assert "not found" not in done.stdout + done.stderr
