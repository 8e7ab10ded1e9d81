"""Wherever the wheel is installed and whoever starts it, the kernel runs in the right environment."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from environments import ASK, CLIENT, UV, Environment, run, surroundings

PREFIX = "import sys; print(sys.prefix)"


def test_another_environment_is_active(installed, server):
    """A shell has activated one environment, and starts another's Jupyter by its path."""
    active = {"VIRTUAL_ENV": str(server.prefix), "PATH": f"{server.prefix}/bin:/usr/bin:/bin"}
    assert installed.ask(PREFIX, **active) == str(installed.prefix)


def test_a_link_to_an_environment(installed, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(installed.prefix)
    assert Path(Environment(link, installed.home).ask(PREFIX)).resolve() == installed.prefix


def test_an_environment_that_was_moved(installed, tmp_path):
    moved = Environment(tmp_path / "moved", installed.home)
    installed.prefix.rename(moved.prefix)
    assert moved.ask(PREFIX) == str(moved.prefix)
    assert "no problems" in run(moved.drupe, "doctor", env=surroundings(moved.home)).stdout


def test_a_jupyter_in_another_environment_finds_it_by_its_path(installed, server):
    found = server.ask(PREFIX, JUPYTER_PATH=str(installed.prefix / "share/jupyter"))
    assert found == str(installed.prefix)


def test_a_jupyter_in_another_environment_finds_what_was_installed_for_the_user(installed, server):
    env = surroundings(installed.home)
    run(installed.drupe, "install", "--user", env=env)
    assert server.ask(PREFIX) == str(installed.prefix)
    run(installed.drupe, "uninstall", "--user", env=env)
    assert not [*installed.home.glob(".local/share/jupyter/kernels/*")]


def test_a_users_own(wheel, base, server, tmp_path, home):
    """`pip install --user`, with the Python of nobody's environment."""
    user = tmp_path / "user"
    env = surroundings(home, PYTHONUSERBASE=str(user))
    run(base, "-m", "pip", "-q", "install", "--user", wheel, *CLIENT, env=env)
    question = "import sys, site; print(sys.version, sys.prefix, site.getuserbase())"
    assert (
        run(base, ASK, "drupe", question, env=env).stdout
        == run(base, "-c", question, env=env).stdout
    )
    # A Jupyter in a virtual environment, which does not see what the user has installed: it is the same Python that runs.
    places = {"PYTHONUSERBASE": str(user), "PATH": f"{Path(base).parent}:/usr/bin:/bin"}
    places |= {"JUPYTER_PATH": str(user / "share/jupyter")}
    assert server.ask(question, **places) + "\n" == run(base, "-c", question, env=env).stdout


def test_a_folder_that_pip_was_told(wheel, server, tmp_path):
    """`pip install --target`: nobody's environment. What is missing is said, and it runs where nothing is."""
    target = tmp_path / "target"
    server.uv("install", "--no-deps", "--target", target, wheel)
    places = {"JUPYTER_PATH": str(target / "share/jupyter")}
    first = server.fails(**places).splitlines()[0]
    assert first.startswith("drupe: ") and str(server.python) in first
    assert "pip install 'ipython>=" in first
    server.uv("install", "ipython", "comm", "matplotlib-inline")
    assert server.ask(PREFIX, **places) == str(server.prefix)


def test_a_prefix_like_condas(wheel, base, tmp_path, home):
    """No virtual environment: a whole Python, which the launcher finds by nothing but the place of the kernelspec."""
    prefix = tmp_path / "conda"
    source = Path(run(base, "-c", "import sys; print(sys.base_prefix)").stdout.strip())
    ignored = shutil.ignore_patterns("test", "site-packages", "__pycache__", "*.a")
    shutil.copytree(source, prefix, symlinks=True, ignore=ignored)
    (prefix / "conda-meta").mkdir()
    conda = Environment(prefix, home)
    if not conda.python.exists():
        conda.python.symlink_to("python3")
    conda.uv("install", "--system", wheel, *CLIENT)
    active = {"CONDA_PREFIX": str(prefix), "PATH": f"{prefix}/bin:/usr/bin:/bin"}
    assert conda.ask(PREFIX, **active) == str(prefix)
    assert conda.ask(PREFIX) == str(prefix)


@pytest.fixture
def project(tmp_path, base) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    text = '[project]\nname = "study"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["six"]\n'
    (folder / "pyproject.toml").write_text(text)
    return folder


def uv_run(project: Path, base: str, home: Path, *words: str | Path, **more: str) -> str:
    command = [UV, "run", "-q", "--python", base, *words]
    return run(*command, cwd=project, env=surroundings(home, **more)).stdout.strip()


BOTH = "import sys, six, jupyter_client; print(sys.prefix)"


@pytest.mark.parametrize("mode", ["hardlink", "symlink"])
def test_beside_a_project_for_one_command(project, wheel, base, home, mode):
    """`uv run --with drupe --with jupyterlab`: the kernel sees the project's packages and those of the command."""
    words = ["--with", wheel, "--with", *CLIENT, "python", ASK, "drupe", BOTH]
    prefix = uv_run(project, base, home, *words, UV_LINK_MODE=mode)
    assert prefix != str(project / ".venv") and "uv" in prefix, prefix
    refusal = uv_run(
        project, base, home, "--with", wheel, "python", "-c", REFUSED, UV_LINK_MODE=mode
    )
    assert "uv run --with" in refusal


REFUSED = """
import subprocess
done = subprocess.run(["drupe", "install", "--user"], capture_output=True, text=True)
assert done.returncode == 1, done
print(done.stderr)
"""


def test_a_part_of_a_project(project, wheel, base, home):
    """`uv add --dev drupe`."""
    env = surroundings(home)
    run(UV, "add", "-q", "--python", base, "--dev", wheel, *CLIENT, cwd=project, env=env)
    prefix = uv_run(project, base, home, "python", ASK, "drupe", BOTH)
    assert prefix == str(project / ".venv")


def test_a_foreign_environment_is_given_what_it_lacks(installed, make):
    """A user's drupe that serves an environment without IPython."""
    for foreign, tool in (
        (make("by-pip"), "-m pip install"),
        (bare(make("by-uv")), "uv pip install"),
    ):
        words = ["install", "--user", "--replace", "--name", "foreign", "--python", foreign.python]
        env = surroundings(installed.home, PATH=f"{Path(UV).parent}:/usr/bin:/bin")
        first = run(installed.drupe, *words, check=False, env=env).stderr.splitlines()[0]
        assert tool in first and str(foreign.python) in first
        run(installed.drupe, *words, "--with-deps", env=env)
        assert installed.ask(PREFIX, kernel="foreign") == str(foreign.prefix)


def bare(environment: Environment) -> Environment:
    environment.pip("uninstall", "-y", "pip")
    return environment


def test_the_kernelspec_is_nobody_elses(installed):
    spec = json.loads((installed.prefix / "share/jupyter/kernels/drupe/kernel.json").read_text())
    assert spec["display_name"] == "Python 3 (drupe)"
    assert os.listdir(installed.prefix / "share/jupyter/kernels") == ["drupe"]
