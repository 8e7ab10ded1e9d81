"""Source packages of others, fetched once from the package index and unpacked.

Used by `notebooks/playing.py`, for notebooks, and by `frontends/suites.py`, for tests. pip finds and fetches them, so that its
settings (index, certificates, proxies) hold, but builds nothing: `pip download` would run the package's build for its metadata.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tarfile
from pathlib import Path

from pip._internal.commands import create_command

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "sources"


def fetch(name: str, version: str, sha256: str | None = None) -> Path:
    """The folder of the unpacked package. Without `sha256` the index's own hash has to do."""
    folder = CACHE / f"{name}-{version}"
    CACHE.mkdir(parents=True, exist_ok=True)
    # The suites are processes beside each other, and two of them want the same packages.
    with open(CACHE / ".lock", "w") as one:
        fcntl.flock(one, fcntl.LOCK_EX)
        if not folder.is_dir():
            archive, wanted = _download(name, version)
            found = hashlib.sha256(archive.read_bytes()).hexdigest()
            if found != (sha256 or wanted):
                archive.unlink()
                raise ValueError(f"{archive.name} has the hash {found}, not {sha256 or wanted}")
            unpacking = CACHE / f"{name}-{version}.unpacking"
            # One that was stopped in the middle has left it.
            shutil.rmtree(unpacking, ignore_errors=True)
            with tarfile.open(archive) as tar:
                tar.extractall(unpacking, filter="data")
            (inner,) = unpacking.iterdir()
            inner.rename(folder)
            unpacking.rmdir()
            archive.unlink()
    return folder


def _download(name: str, version: str) -> tuple[Path, str | None]:
    command = create_command("download")
    options, _ = command.parse_args(["--quiet", "--no-binary", ":all:", name])
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session)
        links = [
            candidate.link
            for candidate in finder.find_all_candidates(name)
            if str(candidate.version) == version and candidate.link.filename.endswith(".tar.gz")
        ]
        if not links:
            raise LookupError(f"the package index has no {name}-{version}.tar.gz")
        response = session.get(links[0].url_without_fragment)
        response.raise_for_status()
    archive = CACHE / links[0].filename
    archive.write_bytes(response.content)
    return archive, links[0].hash if links[0].hash_name == "sha256" else None
