"""The build of drupe's wheel: maturin's, with the two programs, the kernelspec and the licences of others beside the core.

maturin builds one crate for one wheel. The core is that crate; the programs are built here by cargo and laid into the wheel's data
folder (`DATA`), whose `scripts` go into an environment's `bin` and whose `data` into its prefix. `pip`, `uv` and `build` call the hooks
of PEP 517 below; `make wheel` runs this file, which builds for an old glibc, with zig as the linker.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import licenses

ROOT = Path(__file__).resolve().parent.parent
# As `pyproject.toml` names them to maturin.
DATA = ROOT / "target" / "wheel" / "data"
LICENSES = ROOT / "THIRD-PARTY-LICENSES.txt"

PROGRAMS = ("drupe", "drupe-lsp")
KERNEL = Path("share/jupyter/kernels/drupe")

# The oldest glibc that Rust's own library runs on.
GLIBC = "2.17"


class CannotBuild(SystemExit):
    """What is missing, and how to come by it."""


def need_cargo() -> None:
    """maturin needs it, too, even to say what the wheel is called."""
    if shutil.which("cargo") is None:
        raise CannotBuild(
            "drupe is built from source with Rust (1.95 or newer), and there is no cargo on PATH: get it from https://rustup.rs, "
            "or install a wheel of drupe, which needs none"
        )


def cargo_build(target: str | None = None) -> dict[str, Path]:
    """Build the programs; with a target for that, by zig. Returns where each is."""
    need_cargo()
    command = ["cargo", "build" if target is None else "zigbuild", "--release", "--locked"]
    command += ["--package", "drupe", "--bins", "--message-format", "json-render-diagnostics"]
    if target is not None:
        command += ["--target", target]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise CannotBuild(
            f"the programs could not be built: {' '.join(command)} ended with {done.returncode}"
        )
    built = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and message["executable"]:
            built[message["target"]["name"]] = Path(message["executable"])
    return {name: built[name] for name in PROGRAMS}


def lay_out(programs: dict[str, Path]) -> None:
    """Make the wheel's data folder."""
    need_cargo()
    shutil.rmtree(DATA, ignore_errors=True)
    scripts, kernel = DATA / "scripts", DATA / "data" / KERNEL
    scripts.mkdir(parents=True)
    for name, path in programs.items():
        # pip leaves a program without this bit as it is, and nobody could run it.
        shutil.copyfile(path, scripts / name)
        (scripts / name).chmod(0o755)
    kernel.mkdir(parents=True)
    for path in sorted((ROOT / "kernelspec").iterdir()):
        shutil.copyfile(path, kernel / path.name)
        (kernel / path.name).chmod(0o644)
    # Each time: another Cargo.lock has other crates.
    LICENSES.write_text(licenses.text(ROOT), encoding="utf-8")


# The hooks of PEP 517 and PEP 660.


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    import maturin

    lay_out(cargo_build())
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    import maturin

    lay_out(cargo_build())
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    import maturin

    lay_out({})
    return maturin.build_sdist(sdist_directory, config_settings)


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: dict[str, Any] | None = None
) -> str:
    import maturin

    lay_out({})
    return maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    # What maturin itself asks for: it is named in `pyproject.toml`, and Rust is looked for above.
    return []


get_requires_for_build_editable = get_requires_for_build_sdist = get_requires_for_build_wheel


# For `make wheel`.


def settings() -> None:
    """The environment in which the same sources give the same bytes, wherever they lie."""
    if "SOURCE_DATE_EPOCH" not in os.environ:
        time = subprocess.run(
            ["git", "log", "-1", "--format=%ct"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        os.environ["SOURCE_DATE_EPOCH"] = time.stdout.strip() or "946684800"
    # Its own, so that whoever builds a checkout meanwhile need not wait.
    os.environ.setdefault("CARGO_TARGET_DIR", str(DATA.parent))
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    flags = [f"--remap-path-prefix={ROOT}=/drupe", f"--remap-path-prefix={home}=/cargo"]
    os.environ["RUSTFLAGS"] = " ".join([os.environ.get("RUSTFLAGS", ""), *flags]).strip()
    # zig is a package of Python's, beside this interpreter.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def forget_place(path: Path) -> None:
    """Take out of a wheel where it was built: maturin's list of what went into it (the SBOM) names the folders of our own crates."""
    draft = path.with_suffix(".new")
    with zipfile.ZipFile(path) as wheel, zipfile.ZipFile(draft, "w") as result:
        record = next(info for info in wheel.infolist() if info.filename.endswith("/RECORD"))
        lines = wheel.read(record).decode()
        for info in wheel.infolist():
            data = wheel.read(info)
            if info is record:
                data = lines.encode()
            elif "/sboms/" in info.filename:
                old = entry(info.filename, data)
                data = data.replace(f"file://{ROOT}".encode(), b"file:///drupe")
                lines = lines.replace(old, entry(info.filename, data))
            result.writestr(info, data)
    draft.replace(path)


def entry(name: str, data: bytes) -> str:
    """A file's line in a wheel's RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def release(folder: Path) -> None:
    """The wheel for old machines, and the sdist."""
    settings()
    machine = os.uname().machine
    target = f"{machine}-unknown-linux-gnu"
    lay_out(cargo_build(f"{target}.{GLIBC}"))
    tag = f"manylinux_{GLIBC.replace('.', '_')}"
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("drupe-*.whl"), *folder.glob("drupe-*.tar.gz")]:
        old.unlink()
    command = ["maturin", "build", "--release", "--locked", "--zig", "--target", target]
    command += ["--compatibility", tag, "--out", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    for wheel in folder.glob("drupe-*.whl"):
        forget_place(wheel)
    lay_out({})
    subprocess.run(["maturin", "sdist", "--out", str(folder)], cwd=ROOT, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the wheel and the sdist are put")
    release(parser.parse_args().folder)


if __name__ == "__main__":
    main()
