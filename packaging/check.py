"""What a wheel and an sdist of drupe must be, before anybody else gets them: `make dist-check`.

Contents, sizes, the executable bit, the symbols that the programs ask the system for, the metadata as an index reads it, and the oath of the
stable ABI. Prints each thing that is wrong; the status is 1 where one is.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path

import tomllib
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

ROOT = Path(__file__).resolve().parent.parent
MEGABYTE = 1_000_000
BUDGET = 12 * MEGABYTE

PROGRAMS = ("drupe", "drupe-lsp")
KERNEL = "share/jupyter/kernels/drupe"

# What may be linked: glibc, and what comes with it and with every compiler's runtime.
LIBRARIES = {
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libgcc_s.so.1",
}
LIBRARIES |= {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def expected(version: str) -> set[str]:
    """Every file of the wheel."""
    package = {
        str(path.relative_to(ROOT / "python"))
        for path in (ROOT / "python/drupe").rglob("*")
        if path.suffix in (".py", ".pyi") or path.name == "py.typed"
    }
    data, info = f"drupe-{version}.data", f"drupe-{version}.dist-info"
    licenses = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license-files"]
    return (
        package
        | {"drupe/_drupe.abi3.so"}
        | {f"{data}/scripts/{name}" for name in PROGRAMS}
        | {f"{data}/data/{KERNEL}/{path.name}" for path in (ROOT / "kernelspec").iterdir()}
        | {f"{info}/licenses/{name}" for name in licenses}
        | {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
        | {f"{info}/sboms/drupe-python.cyclonedx.json"}
    )


def faults_of_wheel(path: Path) -> Iterator[str]:
    _, version, python, abi, platform = path.stem.split("-")
    if (python, abi) != ("cp310", "abi3"):
        yield f"its tag is {python}-{abi}, not cp310-abi3"
    if path.stat().st_size > BUDGET:
        yield f"it has {path.stat().st_size / MEGABYTE:.1f} MB, and {BUDGET / MEGABYTE:.0f} are the most"
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        for name in sorted(expected(version) - names):
            yield f"{name} is missing"
        for name in sorted(names - expected(version)):
            yield f"{name} should not be there"
        for info in wheel.infolist():
            mode = info.external_attr >> 16
            if "/scripts/" in info.filename and mode & 0o777 != 0o755:
                yield f"{info.filename} has the mode {mode & 0o777:o}: pip would leave it so"
            if info.compress_type not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
                yield f"{info.filename} is packed in a way that older Pythons cannot read"
            data = wheel.read(info)
            for place in (ROOT, Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")):
                if str(place).encode() in data:
                    yield f"{info.filename} tells where it was built: {place}"
            if data.startswith(b"\x7fELF"):
                yield from faults_of_program(info.filename, data, floor(platform))
        if f"drupe-{version}.dist-info/METADATA" in names:
            text = wheel.read(f"drupe-{version}.dist-info/METADATA")
            yield from faults_of_metadata(text, version)


def floor(platform: str) -> tuple[int, ...]:
    """The glibc of a tag such as `manylinux_2_17_x86_64`; of several the oldest."""
    found = re.findall(r"manylinux_(\d+)_(\d+)", platform)
    return min((int(major), int(minor)) for major, minor in found) if found else (99,)


def faults_of_program(name: str, data: bytes, glibc: tuple[int, ...]) -> Iterator[str]:
    elf = ELFFile(io.BytesIO(data))
    dynamic = elf.get_section_by_name(".dynamic")
    needed = {tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"}
    for library in sorted(needed - LIBRARIES):
        yield f"{name} is linked with {library}"
    for section in elf.iter_sections():
        if not isinstance(section, GNUVerNeedSection):
            continue
        for _, versions in section.iter_versions():
            for version in versions:
                found = re.fullmatch(r"GLIBC_([\d.]+)", version.name)
                if found and tuple(map(int, found[1].split("."))) > glibc:
                    yield f"{name} needs {version.name}, and the wheel promises {'.'.join(map(str, glibc))}"


def faults_of_metadata(text: bytes, version: str) -> Iterator[str]:
    metadata = BytesParser().parsebytes(text)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if metadata["Version"] != version:
        yield f"the version is {metadata['Version']}"
    if metadata["Requires-Python"] != project["requires-python"]:
        yield f"Requires-Python is {metadata['Requires-Python']}"
    if set(metadata.get_all("Requires-Dist", [])) != set(project["dependencies"]):
        yield f"the dependencies are {metadata.get_all('Requires-Dist')}"


def faults_of_sdist(path: Path) -> Iterator[str]:
    with tarfile.open(path) as sdist:
        members = {member.name.partition("/")[2] for member in sdist.getmembers()}
    needed = {
        "Cargo.lock",
        "Cargo.toml",
        "pyproject.toml",
        "PKG-INFO",
        "LICENSE-MIT",
        "LICENSE-APACHE",
    }
    needed |= {"packaging/backend.py", "packaging/licenses.py", "kernelspec/kernel.json"}
    needed |= {
        "python/Cargo.toml",
        "python/drupe/__init__.py",
        "src/main.rs",
        "src/bin/drupe-lsp.rs",
    }
    for name in sorted(needed - members):
        yield f"{name} is missing"
    for name in sorted(members):
        if name.endswith((".so", ".pyc")) or name.startswith("target/"):
            yield f"{name} should not be there"


# In every 3.10 too, though not yet promised there; python/src/buffer.rs says what it takes of them for granted.
EARLY = {"PyBuffer_Release", "PyObject_GetBuffer"}


def faults_by_tools(wheels: list[Path], sdists: list[Path]) -> Iterator[str]:
    """What the field's own tools say."""
    done = tool("twine", "check", "--strict", *wheels, *sdists)
    if done.returncode:
        yield f"twine:\n{done.stdout}{done.stderr}"
    done = tool("abi3audit", "--report", "--assume-minimum-abi3", "3.10", *wheels)
    if not done.stdout:
        yield f"abi3audit:\n{done.stderr}"
        return
    for spec in json.loads(done.stdout)["specs"].values():
        for extension in spec["wheel"]:
            result = extension["result"]
            taken = {*result["non_abi3_symbols"], *result["future_abi3_objects"]}
            for symbol in sorted(taken - EARLY):
                yield f"{extension['name']} takes {symbol}, which is not in the stable ABI of 3.10"
            if not result["is_abi3"]:
                yield f"{extension['name']} is not for the stable ABI"


def tool(*words: str | Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the wheel and the sdist are")
    folder = parser.parse_args().folder
    wheels, sdists = sorted(folder.glob("drupe-*.whl")), sorted(folder.glob("drupe-*.tar.gz"))
    if not wheels or not sdists:
        print(f"{folder} has {len(wheels)} wheels and {len(sdists)} sdists", file=sys.stderr)
        return 1
    faults = [f"{path.name}: {fault}" for path in wheels for fault in faults_of_wheel(path)]
    faults += [f"{path.name}: {fault}" for path in sdists for fault in faults_of_sdist(path)]
    faults += faults_by_tools(wheels, sdists)
    for fault in faults:
        print(fault, file=sys.stderr)
    for path in [*wheels, *sdists]:
        print(f"{path.name}: {path.stat().st_size / MEGABYTE:.1f} MB")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
