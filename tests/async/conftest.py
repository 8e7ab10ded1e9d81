"""A fresh kernel for each test, on each of this machine's Pythons."""

from __future__ import annotations

import pytest
from fixtures import folders, python  # noqa: F401
from session import Session


@pytest.fixture
def session(python):  # noqa: F811
    session = Session(python)
    yield session
    session.close()
