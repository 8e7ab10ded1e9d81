"""What is seen of the end of a kernel, and the looking."""

from __future__ import annotations

import contextlib
import gzip
import sqlite3
import zipfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from .client import Client


@dataclass
class Request:
    """A request which a script sent and of which something is expected."""

    client: Client
    id: str
    type: str
    content: dict
    act: dict
    after_trigger: bool


@dataclass
class Ending:
    """What was seen of a kernel's end."""

    seconds: float | None
    """From the first trigger to the end of the process; None if it had to be killed."""
    status: int | None
    reply_seconds: float | None
    """From the first trigger to the first shutdown_reply on control or shell."""
    survivors: list[str]
    """Of the kernel's processes, those that live on in its session."""
    outsiders: list[str]
    """Those that live on in sessions of their own."""
    left_lives: bool
    listeners: set[int]
    """Ports that the kernel began to listen on after the trigger."""
    stderr: str
    """What the process wrote to its own stderr."""
    files: dict[str, str]
    archives: dict[str, list[str]]
    """The names in each whole zip, the lines in each whole gz."""
    rows: dict[str, int]
    """How many rows the table `rows` of each whole database has."""
    requests: list[Request]
    clients: list[Client]
    triggered_at: float


def listening(pid: int) -> set[int]:
    """The TCP ports on which a process listens."""
    with contextlib.suppress(psutil.Error):
        links = psutil.Process(pid).net_connections(kind="tcp")
        return {link.laddr.port for link in links if link.status == psutil.CONN_LISTEN}
    return set()


def read_files(folder: Path) -> dict[str, str]:
    """Every file below a folder with its text, and every folder as "name/"."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = path.read_text(errors="replace")
        elif path.is_dir():
            found[str(path.relative_to(folder)) + "/"] = ""
    return found


def read_archives(folder: Path) -> dict[str, list[str]]:
    """The names in each zip, the lines in each gz; one that is not whole is left out."""
    found = {}
    for path in folder.glob("*.zip"):
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            found[path.name] = archive.namelist() if archive.testzip() is None else []
    for path in folder.glob("*.gz"):
        with contextlib.suppress(OSError, EOFError), gzip.open(path, "rt") as file:
            found[path.name] = file.read().splitlines()
    return found


def count_rows(folder: Path) -> dict[str, int]:
    """How many rows the table `rows` of each database has; one that is not whole is left out."""
    found = {}
    for path in folder.glob("*.sqlite"):
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as base:
            if base.execute("pragma integrity_check").fetchone() == ("ok",):
                found[path.name] = base.execute("select count(*) from rows").fetchone()[0]
    return found
