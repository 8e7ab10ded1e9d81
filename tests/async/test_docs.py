"""The examples of `docs/async.md`, run as its reader would run them."""

from __future__ import annotations

import re

from session import ROOT

PAGE = ROOT / "docs" / "async.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_says_what_comes_out(session):
    said = None
    cells = 0
    for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "python":
            assert not said, "the page does not say what the cell before put out"
            said = session.run(text)
            cells += 1
        elif kind == "text":
            assert said.strip() == text.strip()
            said = None
    assert cells > 5 and not said
