"""Code that is being typed, as a tree: expressions, and the arguments before a string with the place where that stands."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

# What stands for the string. Nobody writes it.
_MARK = "\0"
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_TOKEN = re.compile(
    r"""\#.*|(?i:\b[bfrtu]{1,2})?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|[()\[\]{}]"""
)
# What may stand behind a backslash. Of all else the parser says, to whoever looks at the cell's output, that it is no escape.
_ESCAPED = frozenset("\n\r'\"\\abfnrtvxNuU01234567")


class Written(NamedTuple):
    """The arguments of a call, the one with the string among them."""

    positional: list[ast.expr] = []
    keywords: dict[str, ast.expr] = {}
    # What is around the string within its argument, outermost first: "key" or "value" of a dictionary, or the place in a list.
    around: tuple[str | int, ...] = ()


def parse(expression: str) -> ast.expr:
    """An expression as a tree, without a word of warning; raises what `ast.parse` does. Strings with odd escapes are empty."""
    return ast.parse(_TOKEN.sub(_quiet, expression), mode="eval").body


def read(text: str) -> Written | None:
    """What `df, other, on=["` says, without the quote; None where that is not to be understood."""
    brackets: list[str] = []
    for sign in _TOKEN.findall(text):
        if sign in _CLOSING:
            brackets.append(_CLOSING[sign])
        elif brackets and sign == brackets[-1]:
            brackets.pop()
    end = "".join(reversed(brackets))
    for string in ('"\\0"', '"\\0": 0'):
        try:
            call = parse(f"_({text}{string}{end})")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if isinstance(call, ast.Call):
            keywords = {word.arg: word.value for word in call.keywords if word.arg is not None}
            last = call.keywords[-1].value if call.keywords else call.args[-1]
            return Written(call.args, keywords, _around(last))
    return None


def _quiet(token: re.Match) -> str:
    found: str = token[0]
    prefix, quote, escaped = "", found[-1], []
    if quote in "'\"" and found[0] != "#":
        prefix = found[: found.index(quote)]
        escaped = [] if "r" in prefix.lower() else re.findall(r"(?s)\\(.)", found)
    return found if _ESCAPED.issuperset(escaped) else prefix + quote * 2


def _around(node: ast.expr) -> tuple[str | int, ...]:
    around: list[str | int] = []
    while True:
        if isinstance(node, ast.Dict) and node.keys:
            key = node.keys[-1]
            is_key = isinstance(key, ast.Constant) and key.value == _MARK
            around.append("key" if is_key else "value")
            if is_key:
                break
            node = node.values[-1]
        elif isinstance(node, ast.Set):
            # It may become a dictionary yet.
            around.append("key")
            break
        elif isinstance(node, ast.List | ast.Tuple) and node.elts:
            around.append(len(node.elts) - 1)
            node = node.elts[-1]
        else:
            break
    return tuple(around)
