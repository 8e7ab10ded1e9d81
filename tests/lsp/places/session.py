"""What the session of the tables has run."""

import contextlib
import math  # noqa: F401
import os  # noqa: F401
import pathlib  # noqa: F401


class Table:
    """Rows and columns."""

    def head(self, count=5, *, wide=False):
        """The first rows."""
        return self

    def tail(self, count=5):
        """The last rows."""
        return self

    def same(self) -> "Table":
        """Itself."""
        return self

    def read_csv(self, path):
        """Reads."""

    @property
    def trap(self):
        """Ends the process when it is read."""
        raise SystemExit


table = Table()
table.own = Table()
config = {
    "first key": 1,
    "second key": 2,
    "it's": 3,
    'say "hi"': 4,
    "back\\slash": 5,
    "two\nlines": 6,
}
nested = {"inner": {"deep": 1}}
numbers = [1, 2, 3]
words = "abc"
DataFrame = Table


def greet(name, greeting="hello", *, loud=False):
    """Greets."""


def fresh() -> Table:
    """One."""


def few() -> list[Table]:
    """Some."""


def pair() -> tuple[str, Table]:
    """A name and a table."""


@contextlib.contextmanager
def entered() -> "collections.abc.Iterator[Table]":  # noqa: F821
    """One for a while."""
