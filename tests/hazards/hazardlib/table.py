"""The table: rows read from `*.toml`, one file for each class, checked as they are read.

A file is `class = "..."`, a table `[common]` with what its rows are where they say nothing else, and
`[[hazard]]` tables. Their keys are the fields of `Hazard`; code runs in the kernel with an empty
folder of its own as the current directory.

`script` is what is done once the state is reached, in order. Time runs, and the kernel is expected
to end, from its first trigger. Its items:

    "shutdown"          shutdown_request on control     "shutdown-shell"   the same on shell
    "restart"           … with restart = true           "other-shutdown"   … from the second client
    "sigterm" "sigint"  the signal                      "exit"             a cell with `exit()`
    "parent-gone"       SIGKILL to the parent           "client-gone"      the client vanishes
    "exits-itself"      nothing: what the next act has the kernel do ends it
    "term"              SIGTERM that the kernel is to survive: no trigger
    "pause N"           N milliseconds
    "await TEXT"        until TEXT is in the cell's output
    "await-file NAME"   until the file is there
    {send = TYPE, content = {…}, channel = "shell", times = 1, refused = true, answered = true,
     until = "server_started", padding = 0}
        a request; with `refused` it must be answered as in a kernel that is shutting down, with
        `answered` it must get its reply all the same; `padding` makes a cell that many bytes longer
    {execute = CODE, …}, {comm_open = TARGET, data = {…}, …}, {delete_subshell = K, …}
        short forms of it; each of these may have `subshell = K`: it is sent to the K-th subshell
    {debug = COMMAND, arguments = {…}, until = EVENT, silent = true, refused = true, times = 1}
        a debug request, whose reply is waited for unless it is `silent`, and an event behind it; with
        `refused` it must be answered without success. A `threadId` of 0 is the thread that stopped
        last, a `frameId` of 0 its first frame, a name as `variablesReference` a local variable there
    {half_lsp = true}, {lsp_initialize = true}
        connect to the language server announced last, and send half a message / initialize
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import tomllib

FOLDER = Path(__file__).resolve().parents[1]

TRIGGERS = (
    "shutdown",
    "shutdown-shell",
    "restart",
    "other-shutdown",
    "sigterm",
    "parent-gone",
    "exit",
    "exits-itself",
)
_ACTS = (*TRIGGERS, "sigint", "term", "client-gone")
_TIMED = ("pause", "await", "await-file")


class TableError(Exception):
    """A row of the table is wrong; the message says which and why."""


@dataclass(frozen=True)
class Expect:
    """What must hold in the end, beside what always must (see `verdict`)."""

    within: int = 2500
    """Most milliseconds from the trigger to the end of the process."""
    status: int = 0
    output: tuple[str, ...] = ()
    """Pieces of text that must be in the stdout stream on iopub, in this order."""
    numbered: bool = False
    """Whether every "line N" up to the last number which the code wrote to the file `said`, after
    its print had returned, must have come on iopub, once and in order."""
    files: dict[str, str] = field(default_factory=dict)
    """Files and what they must contain, exactly; "-" for a pattern of which none may be there."""
    last_line: dict[str, str] = field(default_factory=dict)
    """Files and what their last line must be."""
    archives: dict[str, list[str]] = field(default_factory=dict)
    """Archives that must be whole: the names in a zip, the lines in a gz."""
    rows: dict[str, int] = field(default_factory=dict)
    """Databases that must be whole, and how many rows their table `rows` must have."""
    children: str = "gone"
    """"gone": none of the kernel's processes lives on, but the one in `left.pid`. "session": none in
    the kernel's session. "any": not looked at."""
    unlinked: bool = False
    """Whether the shared memory whose name is in `memory.name` must be gone."""
    left: bool = False
    """Whether the process whose pid is in `left.pid` must still live."""
    says: tuple[str, ...] = ()
    """Pieces of text that a forced end must say in the stderr stream on iopub."""
    silent_lsp: bool = False
    """Whether no language server may be announced or be listening after the trigger."""


@dataclass(frozen=True)
class Hazard:
    """One row."""

    name: str
    group: str
    about: str
    start: str = "ready"
    """"ready": idle after its start. "hello": as soon as it answers kernel_info on control.
    "bound": as soon as the control socket is connected."""
    setup: tuple[str, ...] = ()
    """Cells that are run to their end first."""
    cell: str = ""
    """The cell that is running at the trigger."""
    subshells: int = 0
    """How many subshells are made once `setup` has run; they are counted from 1."""
    subshell: int = 0
    """The one that `cell` runs in; 0: the main shell."""
    debug: tuple[int, ...] = ()
    """Lines of `cell` with breakpoints: a debug session is attached before it runs, and it is waited for until it is stopped."""
    until: str = "output ready"
    """What is waited for after `cell` was sent: "output TEXT", "reply", "input" (it asks for a
    line), "file NAME" or "sent" (nothing)."""
    script: tuple[str | dict, ...] = ("shutdown",)
    needs: tuple[str, ...] = ()
    """Abilities without which the row is left out: a module's name, or "lsp"."""
    parent: str = "runner"
    """"runner", "nohup" (it ignores SIGHUP), "stand-in" (which can be killed) or "wrapper" (with a shell between)."""
    stdin: str = "null"
    """"null" or "pipe": the kernel's own standard input."""
    clients: int = 1
    deaf: bool = False
    """Whether there is one more client, which subscribes to iopub and never reads."""
    representative: bool = False
    """Whether the row belongs to the small set that is run on every Python."""
    origin: str = ""
    """Which of the five failures it plays that the project began with; see docs/shutdown.md."""
    soak: bool = True
    """Whether the soak may draw this row: its state is reached and kept without its script."""
    expect: Expect = field(default_factory=Expect)

    @property
    def triggers(self) -> list[str]:
        return [act for act in self.script if isinstance(act, str) and act in TRIGGERS]


def load(folder: Path = FOLDER) -> list[Hazard]:
    """Every row of every file, in the order of files and rows; raises `TableError`."""
    rows: list[Hazard] = []
    names: set[str] = set()
    for path in sorted(folder.glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        for raw in data.get("hazard", []):
            row = _row(data.get("common", {}) | raw, data["class"], path.name)
            if row.name in names:
                raise TableError(f"{path.name}: a second row is named {row.name}")
            names.add(row.name)
            rows.append(row)
    return rows


def _row(raw: dict, group: str, file: str) -> Hazard:
    where = f"{file}: {raw.get('name', '(no name)')}"
    expect = _build(Expect, raw.get("expect", {}), where)
    row = _build(Hazard, raw | {"group": group, "expect": expect}, where)
    for act in row.script:
        known = isinstance(act, dict) or act in _ACTS or act.split(" ")[0] in _TIMED
        if not known:
            raise TableError(f"{where}: unknown act {act!r}")
    if not row.triggers:
        raise TableError(f"{where}: nothing in its script ends the kernel")
    return row


def _build(kind: type, raw: dict, where: str):
    known = {f.name for f in fields(kind)}
    if unknown := set(raw) - known:
        raise TableError(f"{where}: unknown keys {', '.join(sorted(unknown))}")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise TableError(f"{where}: {error}") from None
