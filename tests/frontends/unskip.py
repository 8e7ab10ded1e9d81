"""A pytest plugin: runs tests that their own suite skips, named in the environment variable DRUPE_UNSKIP."""

import os


def pytest_collection_modifyitems(items):
    names = os.environ.get("DRUPE_UNSKIP", "").split()
    for item in items:
        if item.originalname in names:
            item.own_markers = [
                mark for mark in item.own_markers if not mark.name.startswith("skip")
            ]


def pytest_addoption(parser):
    """A test asks whether coverage is measured, by the option of a plugin that need not be there."""
    try:
        parser.addoption("--cov", default=None)
    except ValueError:
        pass
