"""The licences of the crates that are linked into drupe, as one text.

They ask to be shipped with what was built of them. cargo knows which crates those are, and each brings its licence's text.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

NAMES = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "COPYRIGHT*", "UNLICENSE*")
OURS = ("drupe", "drupe-python")


def linked(root: Path) -> list[dict]:
    """The packages, as `cargo metadata` describes them, that the programs and the core are linked from."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    done = subprocess.run(command, cwd=root, capture_output=True, check=True)
    metadata = json.loads(done.stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    left = [id for id in metadata["workspace_members"] if packages[id]["name"] in OURS]
    seen = set(left)
    while left:
        for dependency in nodes[left.pop()]["deps"]:
            kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
            # None: it is linked. A build script or a test is not.
            if None in kinds and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                left.append(dependency["pkg"])
    found = [packages[id] for id in seen if packages[id]["name"] not in OURS]
    return sorted(found, key=lambda package: (package["name"], package["version"]))


def text(root: Path) -> str:
    """Every crate with its licence, then each licence's text once, with the crates that bring it."""
    table, texts = [], {}
    for package in linked(root):
        name = f"{package['name']} {package['version']}"
        table.append(f"{name}: {package['license'] or 'see its text'}")
        folder = Path(package["manifest_path"]).parent
        for path in sorted({path for pattern in NAMES for path in folder.glob(pattern)}):
            if path.is_file():
                body = path.read_text(encoding="utf-8", errors="replace").strip()
                texts.setdefault(body, []).append(f"{name} ({path.name})")
    parts = ["drupe is linked from these crates:", "", *table]
    for body, names in sorted(texts.items(), key=lambda item: item[1]):
        parts += ["", "-" * 80, *names, "-" * 80, "", body]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text(Path(__file__).resolve().parent.parent))
