"""What MkDocs does not do by itself for the site of `make docs` (a hook of mkdocs.yml).

The documents are written to be read where the sources are shown: they link to files outside of `docs/`, and the first page is
the README. Here such a link becomes one to the file's page on the site, if it has one, or to the sources at `repo_url`; where no
`repo_url` is known it becomes plain text. A link to what is not there is a warning, which `--strict` makes an error.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LOG = logging.getLogger("mkdocs.hooks.site")
ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs/"

# Files outside of docs/ that have a place on the site.
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "RELEASING.md": "releasing.md",
    "CHANGELOG.md": "changelog.md",
    "kernelspec/logo-svg.svg": "logo.svg",
    "docs/decisions": "decisions/index.md",
}
BACK = {page: source for source, page in ELSEWHERE.items()}

BRANCH = "main"

FENCED = re.compile(r"(^ *```.*?^ *```$)", re.DOTALL | re.MULTILINE)
# A link may have a picture for its text.
LINK = re.compile(r"\[(?P<text>(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\((?P<target>[^)\s]+)\)")
ATTRIBUTE = re.compile(r'\b(?P<name>src|href)="(?P<target>[^"]+)"')
URL = re.compile(r"[a-z]+:|/")


def decisions() -> list[Path]:
    return sorted((ROOT / DOCS / "decisions").glob("*.md"))


def on_config(config: MkDocsConfig) -> None:
    """Every decision is in the menu, without a line for each in mkdocs.yml."""
    pages = [path.relative_to(ROOT / DOCS).as_posix() for path in decisions()]
    fill(config.nav, "Decisions", ["decisions/index.md", *pages])


def fill(menu: list, title: str, pages: list[str]) -> None:
    for entry in menu:
        for name, below in entry.items() if isinstance(entry, dict) else ():
            if name == title:
                entry[name] = pages
            elif isinstance(below, list):
                fill(below, title, pages)


def on_files(files: Files, config: MkDocsConfig) -> None:
    for source, page in ELSEWHERE.items():
        if (ROOT / source).is_file():
            files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    titles = ((path, path.read_text().splitlines()[0].lstrip("# ")) for path in decisions())
    lines = [f"- [{title}]({path.name})" for path, title in titles]
    text = "# Decisions\n\nWhy it is built as it is, with what was measured.\n\n"
    content = text + "\n".join(lines) + "\n"
    files.append(File.generated(config, "decisions/index.md", content=content))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    here = page.file.src_uri
    source = BACK.get(here, DOCS + here)
    # What is made of a whole folder stands in it.
    folder = source if (ROOT / source).is_dir() else posixpath.dirname(source)

    def link(match: re.Match) -> str:
        target = moved(match["target"], folder, here, config)
        return f"[{match['text']}]({target})" if target else match["text"]

    def attribute(match: re.Match) -> str:
        """MkDocs leaves HTML as it is: what stands there has to be right on the page."""
        target = moved(match["target"], folder, here, config) or ""
        file = files.get_file_from_path(posixpath.join(posixpath.dirname(here), target))
        return f'{match["name"]}="{file.url_relative_to(page.file) if file else target}"'

    parts = FENCED.split(markdown)
    # Every second part is a block of code.
    parts[::2] = [ATTRIBUTE.sub(attribute, LINK.sub(link, part)) for part in parts[::2]]
    return "".join(parts)


def moved(target: str, folder: str, here: str, config: MkDocsConfig) -> str | None:
    """What the target of a link in a file of `folder` is called from the page `here`; None for text alone."""
    path, sharp, anchor = target.partition("#")
    if not path or URL.match(target):
        return target
    path = posixpath.normpath(posixpath.join(folder, path))
    if not (ROOT / path).exists():
        LOG.warning("%s links to %s, which is not there", here, path)
        return None
    if path in ELSEWHERE:
        page = ELSEWHERE[path]
    elif path.startswith(DOCS) and (ROOT / path).is_file():
        page = path.removeprefix(DOCS)
    elif config.repo_url:
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{config.repo_url.rstrip('/')}/{kind}/{BRANCH}/{path}{sharp}{anchor}"
    else:
        return None
    return posixpath.relpath(page, posixpath.dirname(here) or ".") + sharp + anchor
