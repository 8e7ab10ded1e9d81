"""Suites of packages that run notebooks, under the name python3. Each test that is left out is named, with its reason."""

from __future__ import annotations

import ast

import pytest
import suites

pytest.importorskip("papermill")

ECHO = 'runs the word "hello", as only the echoing kernel of that suite can'
DEAD = "wants a cell that sends SIGTERM to its own kernel to be a dead kernel: here it ends, as it was asked to"

# Of jupyter_client these are the files whose kernels a kernelspec may choose: the others bring kernels of their own, or start none.
# By package: options for pytest, files, tests that are left out with the reason, and how many pass at least.
SUITES = {
    "nbclient": (
        ["-o", "asyncio_mode=auto"],
        ["tests/test_client.py"],
        {
            "tests/test_client.py::TestExecute::test_kernel_death_during_execution": DEAD,
            "tests/test_client.py::TestExecute::test_error_notebook_hook": DEAD,
        },
        80,
    ),
    "papermill": (
        [],
        [
            f"papermill/tests/test_{name}.py"
            for name in ("execute", "engines", "autosave", "clientwrap", "inspect", "parameterize")
        ],
        {
            "papermill/tests/test_execute.py::TestBrokenNotebook2::test": "imports what IPython 9 has no more; "
            "it fails on ipykernel, too",
        },
        90,
    ),
    "jupyter_client": (
        ["-o", "asyncio_mode=auto"],
        ["tests/test_client.py", "tests/test_multikernelmanager.py"],
        {"tests/test_client.py::TestAsyncKernelClient::test_execute_interactive": ECHO},
        50,
    ),
}


@pytest.mark.parametrize("package", SUITES)
def test_a_suite(package, environment, tmp_path):
    options, files, left_out, at_least = SUITES[package]
    suite = suites.fetch(package)
    for test in left_out:
        file, *names = test.split("::")
        source = (suite / file).read_text()
        assert all(name in source for name in names), f"there is no {test} any more"
    options = [*options, *(f"--deselect={test}" for test in left_out)]
    running = [suites.Run(suite, file, tmp_path, options) for file in files]
    found = [run.results() for run in running]
    results = {}
    for file, run, outcomes in zip(files, running, found):
        outcomes |= run.again(suites.failures(outcomes))
        results |= {f"{file}::{name}": outcome for name, outcome in outcomes.items()}
    failed = suites.failures(results)
    assert not failed, suites.told(failed)
    assert sum(outcome == "passed" for outcome in results.values()) >= at_least, results


# ipywidgets' suite knows no clients: it is run in a cell, where its comms and shell are drupe's.
IPYWIDGETS = """
import os, pytest
class Seen:
    def __init__(self):
        self.failed, self.passed = {}, 0
    def pytest_runtest_logreport(self, report):
        self.passed += report.when == "call" and report.passed
        if report.failed:
            self.failed[report.nodeid] = report.longreprtext
    def pytest_collectreport(self, report):
        if report.failed:
            self.failed[report.nodeid] = report.longreprtext
seen = Seen()
pytest.main(["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", "--pyargs", "ipywidgets"], plugins=[seen])
seen.passed, seen.failed
"""


def test_ipywidgets_in_a_cell(fresh):
    passed, failed = ast.literal_eval(fresh.ok(IPYWIDGETS).value)
    assert not failed, suites.told(failed)
    assert passed >= 300
