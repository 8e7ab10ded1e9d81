"""ipykernel's own black-box tests, run against drupe.

They are fetched from ipykernel's source package (nothing of them is kept here) and run as they are, in a process of
their own, where the kernelspec "python3" means drupe. `left_out.toml` names the tests that are left out, and why.
"""

import os
import re
from pathlib import Path

import pytest
import suites

tomllib = pytest.importorskip("tomllib")
pytest.importorskip("ipykernel")

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
    return suites.fetch("ipykernel")


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
        left_out = names(lists()["left_out"], file)
        options = [f"--deselect=tests/{file}::{name}" for name in left_out] + ["-p", "unskip"]
        environment = {
            "PYTHONPATH": str(Path(__file__).parent),
            "DRUPE_UNSKIP": " ".join(names(lists()["run_all_the_same"], file)),
        }
        running[file] = suites.Run(suite, f"tests/{file}", folder, options, environment)
    results = {file: run.results() for file, run in running.items()}
    for file, run in running.items():
        results[file] |= run.again(suites.failures(results[file]))
    return results


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
    failed = suites.failures(results[file])
    assert not failed, suites.told(failed)


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
