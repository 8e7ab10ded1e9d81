#!/usr/bin/env python3
"""Drive language servers through the same 60 places, and write docs/language-server-places.md.

    python benches/places.py [--write] [--only drupe,ty] [--place columns] [--positron FOLDER]

Runs in an environment with the servers and the libraries (requirements/places.txt). Each place is asked ASKS times, each time
after a keystroke: the mark is that of the last answer, the time the median from keystroke to answer. Servers that know a session
have run the cells of places/session.cells before; the others have them in the document above the place.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import tomllib
from editor import Editor
from judging import GOOD, NONE, Document, judge
from kernels import ROOT
from report import between, machine, markdown
from row import median
from servers import BUSY, Running, Server, all_of, versions

HERE = Path(__file__).parent / "places"
KEPT = ROOT / ".cache" / "places.json"
PAGE = ROOT / "docs" / "language-server-places.md"
ASKS = 5
READY = 30
"""Seconds that a server may spend on its index before the first place."""
BUSY_FOR = 6
"""Seconds that the cell of a busy place runs: more than an answer may take."""
UNTIMED = ("diagnostics", "action")
"""They are published when the server likes, or ask for what is: they are asked once."""

CSV = "town,price,day\n" + "".join(f"Aachen,{n}.5,2026-05-{n:02}\n" for n in range(1, 21))


def places() -> dict[str, list[dict]]:
    """The places by group, their texts without the line end that makes places.toml readable."""
    groups = tomllib.loads((HERE / "places.toml").read_text())
    for place in (place for group in groups.values() for place in group):
        for field in {"text", "becomes"} & place.keys():
            place[field] = place[field].removeprefix("\n")
    for place in groups["IPython"]:
        place["notebook"] = True
    return groups


def opened(editor: Editor, place: dict, name: str) -> Document:
    """The place's document, open: a cell of a notebook where it is IPython's and the server takes notebooks, else a file."""
    session = (HERE / "session.cells").read_text()
    if place.get("notebook") and "notebookDocumentSync" in editor.can:
        path = Path(name).with_suffix(".ipynb")
        cells = [f"vscode-notebook-cell:{path}#W{number}s" for number in range(2)]
        document = Document.of(cells[1], "", place["text"])
        editor.open_notebook(path.as_uri(), dict(zip(cells, (session, document.text), strict=True)))
        return document
    before = "" if place.get("alone") else f"{session}\n\n"
    document = Document.of(Path(name).as_uri(), before, place["text"])
    editor.open(document.uri, document.text)
    return document


def visit(running: Running, place: dict, name: str) -> tuple[str, float | None]:
    """The mark of one place in a document of that name, and milliseconds."""
    editor = running.editor
    document = opened(editor, place, name)
    in_file = document.uri.startswith("file:")
    busy = running.run is not None and "busy" in place
    if busy:
        running.run(BUSY[place["busy"]].format(BUSY_FOR))
        time.sleep(0.3)
    times, mark = [], NONE
    for version in range(2, 3 if place.get("ask") in UNTIMED else 2 + ASKS):
        begin = time.perf_counter()
        try:
            if in_file:
                editor.change(document.uri, version, document.text)
            mark = judge(editor, place, document)
        except TimeoutError:
            # An answer that comes too late is none; the next question may be for what is known by then.
            mark = NONE
            if version > 2:
                break
            continue
        times.append((time.perf_counter() - begin) * 1000)
    if busy:
        running.wait()
    if in_file:
        editor.shut(document.uri)
    timed = times and mark != NONE and place.get("ask") not in UNTIMED and "silent" not in place
    return mark, median(times) if timed else None


def warm(running: Running, folder: Path) -> None:
    """Wait until the server knows what a library holds."""
    place = {"text": "Path().|", "has": ["iterdir"]}
    end = time.monotonic() + READY
    while time.monotonic() < end:
        if visit(running, place, str(folder / "warm.py"))[0] == GOOD:
            break


def measure(server: Server, groups: dict[str, list[dict]]) -> dict:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "work"
        folder.mkdir()
        (folder / "stones.csv").write_text(CSV)
        results = {}
        with server.start(folder) as running:
            warm(running, folder)
            for group in groups.values():
                for place in group:
                    name = str(folder / f"place{len(results)}.py")
                    mark, took = visit(running, place, name)
                    results[place["title"]] = [mark, took]
                    print(f"{server.name:20} {mark} {took or 0:8.1f} ms  {place['title']}")
        return results


def keep(results: dict) -> dict:
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for name, by in results.items():
        kept[name] = {
            "version": by["version"],
            "places": kept.get(name, {}).get("places", {}) | by["places"],
        }
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(kept, ensure_ascii=False))
    return kept


def shown(found: list | None) -> str:
    if found is None:
        return ""
    mark, took = found
    return (
        mark if took is None else f"{mark} {took:.0f} ms" if took >= 10 else f"{mark} {took:.1f} ms"
    )


def code(place: dict) -> str:
    """The last line of its text, as a cell of a table shows it."""
    text = next(line for line in place["text"].split("\n") if "|" in line).strip()
    text = text.replace("|", "❘")
    return f"``{text}``" if text else ""


def table(kept: dict, groups: dict[str, list[dict]]) -> str:
    lines = [["", "", *(f"{name} {by['version']}".strip() for name, by in kept.items())]]
    for title, group in groups.items():
        lines.append([f"**{title}**", *[""] * (len(lines[0]) - 1)])
        for place in group:
            found = [by["places"].get(place["title"]) for by in kept.values()]
            lines.append([place["title"], code(place), *map(shown, found)])
    return markdown(lines)


def totals(kept: dict) -> str:
    lines = [["", "right", "nothing", "wrong", "median"]]
    for name, by in kept.items():
        marks = [mark for mark, _ in by["places"].values()]
        times = [took for _, took in by["places"].values() if took is not None]
        good, none = marks.count(GOOD), marks.count(NONE)
        lines.append(
            [
                f"{name} {by['version']}".strip(),
                str(good),
                str(none),
                str(len(marks) - good - none),
                f"{median(times):.1f} ms" if times else "",
            ]
        )
    return markdown(lines)


def behind(kept: dict) -> list[str]:
    """The places where another is right and drupe is not."""
    mine = kept["drupe"]["places"]
    return [
        f"{title}: {', '.join(name for name, by in kept.items() if by['places'].get(title, [''])[0] == GOOD)}"
        for title, (mark, _) in mine.items()
        if mark != GOOD
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--only", default="", help="these servers, with commas between")
    parser.add_argument("--place", default="", help="the places whose titles hold this")
    parser.add_argument("--positron", type=Path, help="the folder with Positron's positron_lsp.py")
    args = parser.parse_args()
    groups = places()
    chosen = {
        title: [place for place in group if args.place in place["title"]]
        for title, group in groups.items()
    }
    servers = all_of(args.positron)
    results = {
        server.name: {"version": server.version, "places": measure(server, chosen)}
        for server in servers
        if not args.only or server.name in args.only.split(",")
    }
    kept = keep(results)
    order = [server.name for server in all_of(None)]
    order.insert(2, "Positron")
    kept = {name: kept[name] for name in order if name in kept}
    print(totals(kept))
    print("\n".join(["", "not right in drupe:", *behind(kept)]))
    if args.write:
        about = f"{versions()}. {machine()}."
        between(PAGE, "places", f"{totals(kept)}\n\n{table(kept, groups)}\n\n{about}")
        between(ROOT / "docs" / "language-server.md", "places", totals(kept))


if __name__ == "__main__":
    main()
