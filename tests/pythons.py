"""Which Pythons this machine has: one per minor version, and the system's own.

`python tests/pythons.py` prints `NAME PATH` lines, where NAME is the folder under `.venvs` that the
tests use. `--best` prints one path: the `python3` of PATH where drupe and the tests can use it,
else the newest. Runs on any Python 3, so that it can find a better one.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys


def oldest():
    """The oldest Python that the launcher takes, from where it is said."""
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(here, "..", "src", "launch", "environment.rs")
    with open(path, "rb") as source:
        said = re.search(r"MIN_PYTHON: \(u32, u32\) = \((\d+), (\d+)\);", source.read().decode())
    return int(said.group(1)), int(said.group(2))


OLDEST = oldest()
NEWEST = (3, 15)

# The tests read TOML with Python's own parser.
OLDEST_FOR_TESTS = (3, 11)

QUESTION = """
import json, sys, sysconfig
import ensurepip, venv
free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
print(json.dumps([sys.version_info[:3], sys.executable, free_threaded]))
"""


def candidates():
    """Every path that may be a Python, the preferred first."""
    yield shutil.which("python3")
    roots = [os.environ.get("PYENV_ROOT"), os.path.expanduser("~/.pyenv")]
    for root in filter(None, roots):
        for path in sorted(glob.glob(os.path.join(root, "versions", "3.*", "bin", "python3"))):
            yield path
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        yield shutil.which("python3.%d" % minor)
    yield "/usr/bin/python3"


def examine(path):
    """(version, executable) of a Python that can make an environment; None for any other."""
    try:
        answer = subprocess.run([path, "-I", "-c", QUESTION], capture_output=True, timeout=60)
        version, executable, free_threaded = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    version = tuple(version)
    if free_threaded or not OLDEST <= version[:2] <= NEWEST:
        return None
    return version, executable


def found():
    """{name: (version, executable)}: one of each minor version, and the system's own."""
    pythons = {}
    seen = set()
    for path in filter(None, candidates()):
        python = examine(path)
        if python is None or python[1] in seen:
            continue
        seen.add(python[1])
        version, executable = python
        name = "%d.%d" % version[:2]
        if os.path.dirname(executable) == "/usr/bin":
            name = "system-" + name
        pythons.setdefault(name, python)
    return pythons


def best(pythons):
    """The path to make `.venv` from; None where there is no Python that can serve."""
    if not pythons:
        return None
    # The first found is PATH's own, when it is suitable at all.
    for version, executable in pythons.values():
        if version[:2] >= OLDEST_FOR_TESTS:
            return executable
    return max(pythons.values())[1]


def main():
    pythons = found()
    if "--best" not in sys.argv[1:]:
        for name, (_, executable) in sorted(pythons.items()):
            print(name, executable)
        return 0
    path = best(pythons)
    if path is None:
        print(
            "no CPython %d.%d to %d.%d with the modules venv and ensurepip was found; "
            "on Debian: apt-get install python3-venv" % (OLDEST + NEWEST),
            file=sys.stderr,
        )
        return 2
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
