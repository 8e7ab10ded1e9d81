"""ipykernel's own black-box tests, run against drupe.

They are fetched from ipykernel's source package (nothing of them is kept here) and run as they are, in a process of
their own, where the kernelspec "python3" means drupe. `left_out.toml` names the tests that are left out, and why.
"""

import importlib.metadata
import os
import re
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib")
pytest.importorskip("ipykernel")

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    "test_message_spec.py",
    "test_kernel.py",
    "test_async.py",
    "test_subshells.py",
    "test_debugger.py",
]
# At least so many tests pass, so that a change upstream or here cannot empty the run unseen.
AT_LEAST = 60


@pytest.fixture(scope="module")
def suite() -> Path:
    """The unpacked source package of the installed version, fetched once."""
    version = importlib.metadata.version("ipykernel")
    cache = ROOT / ".cache" / "ipykernel-tests"
    folder = cache / f"ipykernel-{version}"
    if not (folder / "tests").is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        options = [
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-binary",
            "ipykernel",
        ]
        pip = [sys.executable, "-m", "pip", "download", *options, "--dest", str(cache)]
        subprocess.run([*pip, f"ipykernel=={version}"], check=True)
        with tarfile.open(cache / f"ipykernel-{version}.tar.gz") as archive:
            archive.extractall(cache, filter="data")
    return folder


def lists() -> dict[str, list[dict]]:
    with open(Path(__file__).with_name("left_out.toml"), "rb") as file:
        return tomllib.load(file)


def names(entries: list[dict], file: str) -> list[str]:
    return [name for entry in entries if entry["file"] == file for name in entry["names"]]


@pytest.fixture(scope="module")
def results(suite, environment, tmp_path_factory) -> dict[str, dict[str, str]]:
    """For each file, what became of each test: passed, or the failure's text."""
    folder = tmp_path_factory.mktemp("ipykernel")
    running = {}
    for file in FILES:
        report = folder / f"{file}.xml"
        # Its own configuration turns every warning of every package into a failure: not what is asked here.
        command = [sys.executable, "-m", "pytest", "-c", os.devnull, f"--rootdir={suite}", "-q"]
        command += [f"tests/{file}", "-p", "no:cacheprovider", "--timeout=120"]
        command += [f"--junitxml={report}", "--basetemp", str(folder / file.removesuffix(".py"))]
        left_out = names(lists()["left_out"], file)
        command += [f"--deselect=tests/{file}::{name}" for name in left_out]
        command += ["-p", "unskip"]
        environment = {name: value for name, value in os.environ.items() if name[:6] != "PYTEST"}
        environment["PYTHONPATH"] = str(Path(__file__).parent)
        environment["DRUPE_UNSKIP"] = " ".join(names(lists()["run_all_the_same"], file))
        environment["DRUPE_HIDE"] = " ".join(names(lists()["hidden"], file))
        with open(folder / f"{file}.log", "wb") as log:
            process = subprocess.Popen(command, cwd=suite, env=environment, stdout=log, stderr=log)
        running[file] = (process, report, folder / f"{file}.log")
    results = {}
    for file, (process, report, log) in running.items():
        process.wait(timeout=600)
        assert report.exists(), log.read_text()
        results[file] = dict(outcomes(report))
    return results


def outcomes(report: Path):
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = "passed"
        for child in case:
            if child.tag in ("failure", "error"):
                outcome = f"{child.get('message')}\n{child.text}"
            elif child.tag == "skipped":
                outcome = f"skipped: {child.get('message')}"
        yield case.get("name"), outcome


def test_python3_means_drupe():
    if os.environ.get("DRUPE_TEST_KERNEL_ARGV"):
        pytest.skip("another kernel is being tested")
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    info = client._recv_reply(client.kernel_info(), timeout=30)
    client.stop_channels()
    manager.shutdown_kernel()
    assert info["content"]["implementation"] == "drupe"


@pytest.mark.parametrize("file", FILES)
def test_none_of_ipykernel_s_tests_fails(file, results):
    failed = {
        name: outcome
        for name, outcome in results[file].items()
        if outcome != "passed" and not outcome.startswith("skipped")
    }
    report = "\n\n".join(f"{name}: {outcome}" for name, outcome in failed.items())
    assert not failed, f"{len(failed)} failed: {', '.join(failed)}\n\n{report}"


def test_enough_of_them_pass(results):
    passed = sum(outcome == "passed" for file in FILES for outcome in results[file].values())
    skipped = [
        f"{name}: {outcome}"
        for file in FILES
        for name, outcome in results[file].items()
        if outcome.startswith("skipped")
    ]
    assert passed >= AT_LEAST, f"{passed} passed; skipped: {skipped}"


def test_what_is_left_out_exists(suite):
    for entry in [*lists()["left_out"], *lists()["run_all_the_same"]]:
        source = (suite / "tests" / entry["file"]).read_text()
        defined = set(re.findall(r"^(?:async )?def (test_\w+)", source, re.MULTILINE))
        missing = set(entry["names"]) - defined
        assert not missing, f"{entry['file']} has no {missing}"
    assert all(entry["reason"] for entry in lists()["left_out"])
