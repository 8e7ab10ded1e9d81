"""Odd surroundings: files, folders, limits, locales, variables. drupe works in each, or says what to do.

ipykernel is played beside it where it starts there at all, and must show the same.
"""

import contextlib
import ctypes
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import jupyter_client
import pytest
from playing import DRUPE, NoKernel, Player, Surrounding, command
from set_up import ALIVE

pytest.importorskip("ipykernel")

# Names of the standard library's that users give to files beside a notebook, and of packages that the kernel itself needs.
SHADOWS = (
    "random code token asyncio json select email types enum string queue copy ast inspect logging ctypes threading signal "
    "tempfile datetime math statistics re typing dataclasses faulthandler pdb sqlite3 IPython comm traitlets jedi drupe"
).split()


def drop_power() -> None:
    """The superuser may write anywhere; without this he may not (CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH)."""
    if sys.platform == "linux":
        for capability in (1, 2):
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


def read_only() -> None:
    for folder in ("../home", "../ipython"):
        os.chmod(folder, 0o555)
    drop_power()


def limited(limit: int, value: int):
    return lambda: resource.setrlimit(limit, (value, value))


def variables(**values) -> Surrounding:
    return Surrounding(environment=values)


UNICODE = {"print('é ☃')\n'ö'": "é ☃\n'ö'", "!echo ☃": "☃\n"}
AWAITED = {"import asyncio\nawait asyncio.sleep(0.01)\n'awaited'": "'awaited'"}

# Where both work, and show the same.
BOTH = {
    "PYTHONPATH with rubbish": (
        Surrounding(
            environment={"PYTHONPATH": "/dev/null/nowhere::{folder}/f.txt:\x01:{folder}/z.zip:"},
            files={"f.txt": "x", "z.zip": "no zip"},
        ),
        {},
    ),
    "warnings as errors": (
        variables(PYTHONWARNINGS="error"),
        {**AWAITED, "import warnings\nwarnings.warn('w')": "UserWarning: w", "!echo hi": "hi\n"},
    ),
    "the dev mode": (
        variables(PYTHONDEVMODE="1"),
        {**AWAITED, "import sys\nsys.flags.dev_mode": "True", "!echo hi": "hi\n"},
    ),
    "asyncio's debug mode": (
        variables(PYTHONASYNCIODEBUG="1", PYTHONTRACEMALLOC="1", PYTHONFAULTHANDLER="1"),
        {
            # On a slow machine it tells of each cell that takes long.
            "import logging\nlogging.getLogger('asyncio').setLevel('ERROR')": "",
            **AWAITED,
            "import tracemalloc\ntracemalloc.is_tracing()": "True",
        },
    ),
    "the C locale": (variables(LC_ALL="C", LANG=None), UNICODE),
    "the POSIX locale": (variables(LC_ALL="POSIX"), UNICODE),
    "an ASCII locale": (
        variables(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0"),
        {
            "print('é ☃')\n'ö'": "é ☃\n'ö'",
            "import sys\nsys.getfilesystemencoding()": "'ascii'",
        },
    ),
    "PYTHONIOENCODING": (
        variables(PYTHONIOENCODING="latin-1"),
        {"print('é ☃')\n'ö'": "é ☃\n'ö'"},
    ),
    "HOME unset": (
        variables(HOME=None, IPYTHONDIR=None),
        {"import os\nos.path.expanduser('~') != '~'": "True"},
    ),
    "a home that is not there": (
        variables(HOME="/dev/null/nowhere/home", IPYTHONDIR=None, XDG_CACHE_HOME=None),
        {"import os\nos.path.expanduser('~')": "'/dev/null/nowhere/home'"},
    ),
    "a read-only home": (
        Surrounding(enter=read_only),
        {"get_ipython().history_manager.writeout_cache()\n'written'": "'written'"},
    ),
    "TMPDIR that is not there": (
        variables(TMPDIR="/dev/null/nowhere"),
        {"import tempfile\ntempfile.gettempdir() != '/dev/null/nowhere'": "True", **AWAITED},
    ),
    "PYTHONSAFEPATH": (variables(PYTHONSAFEPATH="1"), {}),
    "PYTHONOPTIMIZE": (
        variables(PYTHONOPTIMIZE="2", PYTHONDONTWRITEBYTECODE="1", PYTHONNOUSERSITE="1"),
        {"assert False": "", "import sys\nsys.flags.optimize": "2"},
    ),
    "PYTHONINSPECT": (variables(PYTHONINSPECT="1", PYTHONUNBUFFERED="1"), {}),
    "PYTHONBREAKPOINT=0": (variables(PYTHONBREAKPOINT="0"), {"breakpoint()": ""}),
    "MPLBACKEND": (
        variables(MPLBACKEND="agg"),
        {"import matplotlib\nmatplotlib.get_backend()": "'agg'"},
    ),
    "no PATH": (variables(PATH=None), {"!echo hi": "hi\n"}),
    "a terminal without colours": (
        variables(NO_COLOR="1", TERM="dumb", COLUMNS="40"),
        {"1/0": "ZeroDivisionError: division by zero"},
    ),
    "stdin closed": (
        Surrounding(enter=lambda: os.close(0)),
        {
            "input()": "StdinNotImplementedError: raw_input was called, but this frontend does not support input requests."
        },
    ),
}


def play(kernel: str, surrounding: Surrounding, cells: dict) -> str:
    """Play the cells, each of which shows what is written beside it; the terminal's text."""
    with Player(command(kernel), surrounding) as player:
        for code, expected in {**cells, ALIVE[0]: ALIVE[1]}.items():
            assert str(player.run(code)) == expected
        if kernel == "drupe":
            assert player.ends() == 0
        return player.log()


@pytest.mark.parametrize("kernel", ["drupe", "ipykernel"])
@pytest.mark.parametrize("name", BOTH)
def test_it_works_in(name, kernel):
    play(kernel, *BOTH[name])


@pytest.mark.parametrize("kernel", ["drupe", "ipykernel"])
def test_the_working_folder_stands_behind_the_standard_library(kernel):
    place = "import sys\n[name.rpartition('/')[2] for name in sys.path if 'zip' not in name]"
    play(
        kernel,
        Surrounding(files={"work/mine.py": "a = 1\n"}),
        {
            place: str([f"python3.{sys.version_info.minor}", "lib-dynload", "", "site-packages"]),
            "import mine\nmine.a": "1",
        },
    )


def test_files_beside_the_notebook_hide_nothing():
    """ipykernel does not start where one of them is `types.py`: Python itself looks beside the notebook first for `-m`."""
    files = {f"work/{name}.py": "raise RuntimeError('hidden')\n" for name in SHADOWS}
    cells = {"import random, json, code, token, asyncio\n[len(random.__file__) > 9]": "[True]"}
    cells |= AWAITED | {"!echo hi": "hi\n", "1/0": "ZeroDivisionError: division by zero"}
    play("drupe", Surrounding(files=files), cells)


def test_a_working_folder_that_is_gone():
    """ipykernel does not start there."""
    cells = {"import os\nos.getcwd()": "'FOLDER/home'", "%pwd": "'FOLDER/home'", "!echo hi": "hi\n"}
    log = play("drupe", Surrounding(enter=lambda: os.rmdir(os.getcwd())), cells)
    assert "the working folder is not there" in log


def test_64_descriptors():
    """As many as some servers allow; a cell may use them up and give them back."""
    count = limited(resource.RLIMIT_NOFILE, 64)
    use_up = (
        "held = []\ntry:\n    while True:\n        held.append(open('/dev/null'))\n"
        "except OSError as error:\n    held.clear()\n    print(error.errno)"
    )
    cells = {"!echo hi": "hi\n", **AWAITED, use_up: "24\n"}
    play("drupe", Surrounding(enter=count), cells)


def test_a_full_disk():
    """Not a byte can be written: no history, no log on the terminal, which is a file here. ipykernel does not start."""
    write = (
        "try:\n    with open('file', 'w') as file:\n        file.write('text')\n"
        "except OSError as error:\n    print(error.strerror)"
    )
    cells = {
        write: "File too large\n",
        "get_ipython().history_manager.writeout_cache()\n'written'": "'written'",
        "1/0": "ZeroDivisionError: division by zero",
    }
    play("drupe", Surrounding(enter=limited(resource.RLIMIT_FSIZE, 0)), cells)


def test_a_locked_history(tmp_path):
    """Another program holds the database: the cells run, and what is lost is the history. ipykernel does not start there."""
    database = tmp_path / "history.sqlite"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as lock:
        lock.execute("CREATE TABLE t (x)")
        lock.execute("BEGIN EXCLUSIVE")
        surrounding = Surrounding(arguments=[f"--HistoryManager.hist_file={database}"])
        # sqlite waits for five seconds, on a thread of its own.
        cells = {"1/0": "ZeroDivisionError: division by zero", "import time; time.sleep(6); 1": "1"}
        log = play("drupe", surrounding, cells)
    assert f"the history {database} cannot be used" in log
    assert "database is locked" in log


def test_the_end_while_the_history_is_locked(tmp_path):
    """It does not wait for it, and says what is lost."""
    database = tmp_path / "history.sqlite"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as lock:
        lock.execute("CREATE TABLE t (x)")
        lock.execute("BEGIN EXCLUSIVE")
        surrounding = Surrounding(arguments=[f"--HistoryManager.hist_file={database}"])
        log = play("drupe", surrounding, {"1 + 1": "2"})
    # Whoever was first to open it, the end or the thread that saves.
    assert f"the history {database}" in log
    assert "database is locked" in log
    assert "had to leave something behind" not in log


def environment_without(folder: Path, module: str) -> str:
    """An environment that has all of this one's packages but one; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    target = folder / "lib" / version / "site-packages"
    for package in Path(jupyter_client.__file__).parents[1].iterdir():
        name = package.name.lower()
        if name != module and not name.startswith(f"{module}-"):
            (target / package.name).symlink_to(package)
    return str(folder / "bin" / "python")


@pytest.mark.parametrize("module", ["ipython", "comm", "matplotlib_inline", "traitlets"])
def test_an_environment_that_lacks(module, tmp_path):
    python = environment_without(tmp_path / "env", module)
    with (
        pytest.raises(NoKernel) as ended,
        Player(command("drupe", python), Surrounding()) as player,
    ):
        player.run("pass")
    log = ended.value.log
    assert ended.value.status == 2, log
    assert f"uv pip install --python {python}" in log or "-m pip install" in log
    assert module.replace("_", "-") in log
    assert "Traceback" not in log


def test_an_environment_without_jedi(tmp_path):
    """Completion is IPython's own there."""
    python = environment_without(tmp_path / "env", "jedi")
    with Player(command("drupe", python), Surrounding()) as player:
        assert str(player.run(ALIVE[0])) == ALIVE[1]
        assert "printed" not in player.complete("pri")
        assert "print" in player.complete("pri")


def test_a_record_does_not_hold_where_pythonhome_leads_elsewhere(tmp_path):
    """The installed kernel knows its Python, which would end with a page of CPython's own words."""
    env = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "share")}
    env |= {"JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}
    install = [str(DRUPE), "install", "--user", "--python", sys.executable]
    subprocess.run(install, env=env, check=True, capture_output=True)
    [record] = tmp_path.rglob("environment.json")
    run = [str(DRUPE), "--environment", str(record)]
    env |= {"PYTHONHOME": "/dev/null/nowhere"}
    ended = subprocess.run(run, env=env, capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "unset PYTHONHOME, which is /dev/null/nowhere" in ended.stderr
