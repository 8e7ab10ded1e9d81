"""The names of cells' code."""

from __future__ import annotations

import os

from drupe._drupe import cell_folder, murmur2
from drupe.compiler import SEED, XCachingCompiler, file_name  # noqa: F401


def murmur2_x86(data: str, seed: int) -> int:
    """The hash of a text."""
    return murmur2(data.encode("utf-8"), seed)


def get_tmp_directory() -> str:
    """The folder of the names."""
    return cell_folder()


def get_tmp_hash_seed() -> int:
    """The seed of the hash."""
    return SEED


def get_file_name(code: str) -> str:
    """The name of a cell."""
    return file_name(code)


def convert_to_long_pathname(filename: str) -> str:
    """For Windows, where paths have two forms."""
    return os.fspath(filename)
