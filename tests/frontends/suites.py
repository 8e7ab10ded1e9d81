"""The test suites of other packages: fetched from their source packages, nothing of them is kept here, and run as they are, each in a
process of its own, where the kernelspec "python3" means drupe."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
import sources  # noqa: E402  (the folder above this one is no package)


def fetch(package: str) -> Path:
    """The unpacked source package of the installed version, fetched once."""
    return sources.fetch(package, importlib.metadata.version(package))


class Run:
    """A file of a suite that is being run. Several may be at once."""

    def __init__(self, suite: Path, file: str, folder: Path, options=(), environment=None):
        self.suite = suite
        self.file = file
        self.folder = folder
        self.options = options
        inherited = {key: value for key, value in os.environ.items() if key[:6] != "PYTEST"}
        self.environment = inherited | (environment or {})
        self.process, self.report, self.log = self._start("", [file])

    def _start(self, mark: str, tests: list[str]):
        name = self.file.replace("/", "-").removesuffix(".py") + mark
        report, log = self.folder / f"{name}.xml", self.folder / f"{name}.log"
        # Its own configuration turns every warning of every package into a failure: not what is asked here.
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            os.devnull,
            f"--rootdir={self.suite}",
            "-q",
        ]
        command += [*tests, "-p", "no:cacheprovider", "--timeout=120", f"--junitxml={report}"]
        command += ["--basetemp", str(self.folder / name), *self.options]
        with open(log, "wb") as output:
            process = subprocess.Popen(
                command, cwd=self.suite, env=self.environment, stdout=output, stderr=output
            )
        return process, report, log

    def results(self) -> dict[str, str]:
        """By test: "passed", "skipped: …" or the failure's text."""
        self.process.wait(timeout=600)
        assert self.report.exists(), self.log.read_text()
        return dict(outcomes(self.report))

    def again(self, failed) -> dict[str, str]:
        """The results of those that failed, each played once more and alone: files are run side by side, and some of the tests have a
        race of their own, such as a thread that is to say something before the next cell begins."""
        results = {}
        for number, name in enumerate(failed):
            process, report, log = self._start(f"-again-{number}", [f"{self.file}::{name}"])
            process.wait(timeout=600)
            assert report.exists(), log.read_text()
            results |= dict(outcomes(report))
        return results


def outcomes(report: Path):
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = "passed"
        for child in case:
            if child.tag in ("failure", "error"):
                outcome = f"{child.get('message')}\n{child.text}"
            elif child.tag == "skipped":
                outcome = f"skipped: {child.get('message')}"
        # The module, and behind it the class, if there is one.
        place = (case.get("classname") or "").rpartition(".")[2]
        name = case.get("name") or ""
        yield f"{place}::{name}" if place[:1].isupper() else name, outcome


def failures(results: dict[str, str]) -> dict[str, str]:
    return {
        name: outcome
        for name, outcome in results.items()
        if outcome != "passed" and not outcome.startswith("skipped")
    }


def told(failed: dict[str, str]) -> str:
    report = "\n\n".join(f"{name}: {outcome}" for name, outcome in failed.items())
    return f"{len(failed)} failed: {', '.join(failed)}\n\n{report}"
