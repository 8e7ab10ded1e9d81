"""CPython 3.14 and 3.15 on a Debian machine whose own archive is older: a minimal root of Debian unstable.

`python3 tests/newer/root.py` makes `.cache/newer-pythons` and prints `NAME PATH` lines like `tests/pythons.py`, for `make
newer-pythons`, which fills an environment for each. What is there already is kept. In the folder are

    root/           what mmdebstrap has made, from the mirror that this machine's apt is set up with
    enter           runs a command among the root's Pythons: its /usr lies over the machine's, in a mount namespace
    bin/python3.14  a program that enters and becomes Python; inside, a link to Python itself lies over it
    3.14/           an environment, whose bin/python is a link to that: an interpreter like any other, seen from both sides

Everything but /usr is the machine's own, so connection files, the checkout, /proc, the ports and the settings of pip are the
same on both sides, and a program that was built outside runs inside, where glibc is newer. The namespace goes with its last
process: nothing is ever mounted that somebody else could see, and nothing has to be unmounted.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = (Path(__file__).resolve().parents[2] / ".cache").resolve() / "newer-pythons"
ROOT = FOLDER / "root"
ENTER = FOLDER / "enter"

VERSIONS = ("3.14", "3.15")

# Where unstable has not got a Python yet, experimental may have it.
SUITES = ("unstable", "experimental")

# What the kernels' cells and the libraries of the tests need beside Python.
PACKAGES = ("libstdc++6", "procps")

# Inside the root. The lists of packages are still there.
INSTALL = """
for version in {versions}; do
  apt-cache show python$version >/dev/null 2>&1 || {{ echo "the archive has no python$version" >&2; continue; }}
  apt-get install -qy --no-install-recommends python$version python$version-venv libpython$version
done
"""

ENTER_SCRIPT = """#!/bin/sh
# Made by tests/newer/root.py, which says what it is for. Remains the process that was started, so that signals reach the command.
[ ! -d /usr/lib/newer-pythons ] || exec "$@"  # it is inside already
exec unshare --mount /bin/sh -c '
  root=$0 bin=$1
  shift
  mount --bind "$root/etc/ld.so.cache" /etc/ld.so.cache &&
  mount --bind "$root/usr/lib/newer-pythons" "$bin" &&
  mount --bind "$root/usr" /usr && exec "$@"' {root} {bin} "$@"
"""

PYTHON_SCRIPT = """#!/bin/sh
# Made by tests/newer/root.py. The name it is called by says which environment is meant.
case $0 in /*) ;; *) set -- "$PWD/$0" "$@"; exec {enter} "$@" ;; esac
exec {enter} "$0" "$@"
"""


class CannotBeHad(Exception):
    """Why there can be no root on this machine."""


def environments():
    """{name: the Python of its environment}, of those that have been made and filled."""
    made = [name for name in VERSIONS if (FOLDER / name / ".hazards").is_file()]
    return {name: FOLDER / name / "bin" / "python" for name in made}


def ask(*command):
    """The lines that a command prints."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()


def run(*command, **options):
    """Run a command that says on stderr what it does."""
    print("+", shlex.join(map(str, command)), file=sys.stderr)
    subprocess.run(command, check=True, stdout=sys.stderr, **options)


def mirror():
    """The address of Debian's archive, as apt has it."""
    question = ("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)")
    for attempt in range(2):
        for line in ask(*question, "Created-By: Packages"):
            origin, label, address = line.split("|", 2)
            if (origin, label) == ("Debian", "Debian"):
                return address
        if attempt == 0:
            run("apt-get", "update", "-q")
    raise CannotBeHad("the sources of this machine's apt do not name Debian's archive")


def settings():
    """What apt has been told of its way to the archive, such as a proxy, as options of mmdebstrap."""
    found = ask("apt-config", "dump", "Acquire::http", "Acquire::https")
    found = [line for line in found if not line.endswith(' "";')]
    return [f"--aptopt={line}" for line in ['Acquire::Check-Valid-Until "false";', *found]]


def check():
    """Raises where a root cannot be made or entered."""
    if not shutil.which("apt-get"):
        raise CannotBeHad("there is no apt-get: the root is made on Debian only")
    if os.geteuid() != 0:
        raise CannotBeHad("only root can make it and enter it")
    if not all(os.path.islink(folder) for folder in ("/bin", "/lib")):
        raise CannotBeHad("/bin and /lib do not lie in /usr, which is laid over this machine's")
    if not shutil.which("unshare") or subprocess.run(["unshare", "--mount", "true"]).returncode:
        raise CannotBeHad(
            "this machine allows no mount namespace (a container needs CAP_SYS_ADMIN)"
        )
    with open("/proc/self/mountinfo") as mounts:
        points = [line.split()[4] for line in mounts]
    if mounted := [point for point in points if point.startswith(f"{FOLDER}/")]:
        raise CannotBeHad(f"something is mounted at {' '.join(mounted)}: umount it first")


def make_root():
    """The root, from the beginning; one that is half made never has its name."""
    address = mirror()
    if not shutil.which("mmdebstrap"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "install", "-qy", "--no-install-recommends", "mmdebstrap", env=quiet)
    partial = FOLDER / "root.new"
    for folder in (partial, ROOT):
        shutil.rmtree(folder, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    install = shlex.quote(INSTALL.format(versions=" ".join(VERSIONS)))
    run(
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=apt", *settings()),
        f"--include={','.join(PACKAGES)}",
        f'--customize-hook=DEBIAN_FRONTEND=noninteractive chroot "$1" sh -ec {install}',
        *("", str(partial)),
        *(f"deb {address} {suite} main" for suite in SUITES),
    )
    links = partial / "usr" / "lib" / "newer-pythons"
    links.mkdir()
    for version in VERSIONS:
        if (partial / "usr" / "bin" / f"python{version}").exists():
            (links / f"python{version}").symlink_to(f"/usr/bin/python{version}")
    (partial / "recipe").write_text(recipe())
    partial.rename(ROOT)


def recipe():
    """What a root was made by: another one makes it anew."""
    return "\n".join([*VERSIONS, *SUITES, *PACKAGES, INSTALL])


def write(path, text):
    """A program, put in its place at once: others may be running it."""
    partial = path.with_name(f"{path.name}.new")
    partial.write_text(text)
    partial.chmod(0o755)
    partial.replace(path)


def make():
    """{name: path} of the programs that are Pythons; what is there is kept."""
    check()
    made = ROOT / "recipe"
    if not made.is_file() or made.read_text() != recipe():
        make_root()
    programs = FOLDER / "bin"
    programs.mkdir(exist_ok=True)
    names = {"bin": shlex.quote(str(programs)), "root": shlex.quote(str(ROOT))}
    write(ENTER, ENTER_SCRIPT.format(**names))
    pythons = {}
    for version in VERSIONS:
        if (ROOT / "usr" / "bin" / f"python{version}").exists():
            pythons[version] = programs / f"python{version}"
            write(pythons[version], PYTHON_SCRIPT.format(enter=shlex.quote(str(ENTER))))
    return pythons


def main():
    try:
        pythons = make()
    except CannotBeHad as why:
        print(f"the newer Pythons cannot be had: {why}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"the newer Pythons cannot be had: {error}", file=sys.stderr)
        return 1
    for name, path in pythons.items():
        print(name, path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
