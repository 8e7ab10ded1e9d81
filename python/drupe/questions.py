"""Questions about code: completion, inspection, whether it is whole, and what was run before.

Each function answers the kernel's method of the same name: it returns the content of a reply, and raises where the question
makes no sense. They run on the main thread between cells.
"""

from __future__ import annotations

import builtins
import json
import re
from typing import TYPE_CHECKING

from . import _drupe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .shell import ZMQInteractiveShell


_EXPERIMENTAL_TYPES = "_jupyter_types_experimental"
# IPython's own cell magics that run Python.
_OF_PYTHON = ("capture", "prun", "time", "timeit")
# The longest expression, in characters, whose first name is looked for.
_LONGEST = 4_000
# A comment, or a string up to its last quote or to where it breaks off.
_COMMENT_OR_STRING = r"""(?xs)
    \#[^\n]*
    | (?P<prefix>\b[a-zA-Z]{1,2})?
      (?: (?P<long>'{3}|"{3}) (?:\\.|(?!(?P=long)).)* (?P<long_end>(?P=long))?
        | (?P<short>['"]) (?:\\.|(?!(?P=short))[^\n])* (?P<short_end>(?P=short)|\n)? )
"""


def complete(shell: ZMQInteractiveShell, code: str, cursor: int, typed: bool = True) -> dict:
    """Completions by IPython and jedi, with their types; by IPython alone where `typed` is off.

    The language engine comes first where the text alone tells what fits: in a string in brackets, where IPython offers files and
    magics, in the cell of a magic, which may be of another language, and for attributes of a name that only code above the cursor
    binds, which jedi takes seconds for. Where neither finds anything it is asked as well: it has a
    type checker, for what a call returns, mostly. Without jedi, which is off where only names are wanted, it is not.
    """
    if not typed:
        return _complete_line(shell, code, cursor)
    from IPython.core.completer import provisionalcompleter, rectify_completions

    completer = shell.Completer
    before = code[: max(cursor, 0)]
    if completer.use_jedi:
        magic = _magic_above(before)
        if magic is not None:
            reply = _complete_by_engine(code, cursor)
            if reply["matches"] or magic not in _OF_PYTHON:
                return reply
        if _is_string_in_brackets(before):
            reply = _complete_by_engine(code, cursor)
            # Files are IPython's: it completes them in all strings.
            if any(one["type"] != "path" for one in reply["metadata"][_EXPERIMENTAL_TYPES]):
                return reply
        owner = _owner(before)
        if owner and owner not in shell.user_ns and not hasattr(builtins, owner):
            reply = _complete_by_engine(code, cursor)
            if reply["matches"]:
                return reply
    with provisionalcompleter():
        try:
            found = list(rectify_completions(code, completer.completions(code, cursor)))
        except Exception:
            if not completer.use_jedi:
                raise
            found = []
        if not found and completer.use_jedi and not _is_text(before):
            # jedi finds nothing also where it fails, for one because another process is writing to its cache. IPython by itself
            # looks at the line alone, and would find the names of code in a docstring.
            completer.use_jedi = False
            try:
                found = list(rectify_completions(code, completer.completions(code, cursor)))
            finally:
                completer.use_jedi = True
    if not found and completer.use_jedi:
        return _complete_by_engine(code, cursor)
    types = [
        {
            "start": one.start,
            "end": one.end,
            "text": one.text,
            "type": one.type,
            "signature": one.signature,
        }
        for one in found
    ]
    return {
        "status": "ok",
        "matches": [one.text for one in found],
        "cursor_start": found[0].start if found else cursor,
        "cursor_end": found[0].end if found else cursor,
        "metadata": {_EXPERIMENTAL_TYPES: types},
    }


def _complete_by_engine(code: str, cursor: int) -> dict:
    # A lone surrogate is no text to the core; whatever stands in its place is one character, too.
    text = code.encode("utf-8", "replace").decode()
    return json.loads(_drupe.engine_complete(text, max(cursor, 0)))


def _magic_above(before: str) -> str | None:
    """The cell magic below whose line the cursor behind `before` is: the text there may be of any language."""
    found = re.match(r"\s*%%(\w+)[^\n]*\n", before)
    return found and found[1]


def _owner(before: str) -> str:
    """The first name of the expression whose attribute `before` breaks off in: `df` of `df["a"].str.up`; empty where there is none."""
    attribute = re.search(r"\.\w*\Z", before)
    if attribute is None or _last_open(before) is not None:
        return ""
    hidden = re.sub(_COMMENT_OR_STRING, lambda it: '"' * len(it[0]), before[: attribute.start()])
    hidden = hidden[-_LONGEST:]
    end = len(hidden)
    start = len(hidden.rstrip())
    # What is in brackets and strings is passed over, from the last sign to the first.
    depth = 0
    while start and (depth or re.match(r"[\w.)\]\"]", hidden[start - 1])):
        start -= 1
        depth += {")": 1, "]": 1, "}": 1, "(": -1, "[": -1, "{": -1}.get(hidden[start], 0)
        if depth < 0:
            start += 1
            break
        if hidden[start] == ".":
            # A chain goes on in the next line.
            start = len(hidden[:start].rstrip()) if not depth else start
    found = re.match(r"[^\W\d]\w*", hidden[start:end])
    return found[0] if found else ""


def _is_string_in_brackets(before: str) -> bool:
    """Whether the cursor behind `before` is in a string in brackets: of a call, of a subscript, or of a list in one of them."""
    if not _is_text(before):
        expression = _expression_of_string(before)
        return bool(expression) and _is_string_in_brackets(expression)
    depth = 0
    for bracket in re.findall(r"[()\[\]{}]", re.sub(_COMMENT_OR_STRING, "", before)):
        depth = max(0, depth + (1 if bracket in "([{" else -1))
    return depth > 0


def _is_text(before: str) -> bool:
    """Whether the cursor behind `before` is in a comment or in a string, but not in an f-string's expression."""
    return _last_open(before) is not None and not _expression_of_string(before)


def _expression_of_string(before: str) -> str:
    """The expression in an f-string that `before` breaks off in, from its brace on; empty where it breaks off elsewhere."""
    last = _last_open(before)
    if last is None or not set(last["prefix"] or "") & set("fFtT"):
        return ""
    start = before.rfind("{", last.start())
    return before[start:] if start > before.rfind("}", last.start()) else ""


def _last_open(before: str) -> re.Match | None:
    """The comment or string that `before` ends in."""
    last = None
    for last in re.finditer(_COMMENT_OR_STRING, before):
        pass
    if last is None or last.end() != len(before) or last["long_end"] or last["short_end"]:
        return None
    return last


def _complete_line(shell: ZMQInteractiveShell, code: str, cursor: int) -> dict:
    from IPython.utils.tokenutil import line_at_cursor

    line, offset = line_at_cursor(code, cursor)
    text, matches = shell.complete("", line, cursor - offset)
    return {
        "status": "ok",
        "matches": matches,
        "cursor_start": cursor - len(text),
        "cursor_end": cursor,
        "metadata": {},
    }


def inspect_object(
    shell: ZMQInteractiveShell,
    code: str,
    cursor: int,
    detail_level: int = 0,
    omit_sections: Iterable[str] = (),
) -> dict:
    """The documentation of the name at the cursor, or its source."""
    from IPython.utils.tokenutil import token_at_cursor

    name = token_at_cursor(code, cursor)
    reply = {"status": "ok", "data": {}, "metadata": {}, "found": False}
    try:
        bundle = shell.object_inspect_mime(
            name, detail_level=detail_level, omit_sections=tuple(omit_sections or ())
        )
    except KeyError:
        return reply
    if not shell.enable_html_pager:
        bundle.pop("text/html", None)
    reply.update(found=True, data=bundle)
    return reply


def is_complete(shell: ZMQInteractiveShell, code: str) -> dict:
    """Whether the code can be run as it stands."""
    status, spaces = shell.input_transformer_manager.check_complete(code)
    reply = {"status": status}
    if status == "incomplete":
        reply["indent"] = " " * (spaces or 0)
    return reply


def history(
    shell: ZMQInteractiveShell,
    hist_access_type: str | None,
    output: bool = False,
    raw: bool = True,
    session: int = 0,
    start: int = 0,
    stop: int | None = None,
    n: int | None = None,
    pattern: str | None = None,
    unique: bool = False,
) -> dict:
    """Lines of this session and of earlier ones."""
    manager = shell.history_manager
    found: Iterable[tuple]
    if hist_access_type == "tail":
        found = manager.get_tail(n, raw=raw, output=output, include_latest=True)
    elif hist_access_type == "range":
        session = session or 0
        lines = manager.get_range(session, start or 0, stop, raw=raw, output=output)
        # IPython numbers the running session 0; one that was asked for by its number keeps it.
        found = [(number or max(session, 0), *rest) for number, *rest in lines]
    elif hist_access_type == "search":
        found = manager.search(pattern or "*", raw=raw, output=output, n=n, unique=unique)
    else:
        raise ValueError(
            f"hist_access_type must be tail, range or search, not {hist_access_type!r}"
        )
    return {"status": "ok", "history": list(found)}
