"""Both doors into the kernel: run by its path (the launcher does), or as `python -m drupe`.

The working folder must not hide a module of the standard library while the kernel starts, so it
leaves `sys.path` here and comes back, as `''`, once the shell stands.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _need_the_gil() -> None:
    """A build without the GIL finds no core, since that is not built for it. The launcher says the same."""
    if "t" not in getattr(sys, "abiflags", ""):
        return
    with_gil = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    print(
        f"drupe: {sys.executable} is free-threaded Python {sys.version.split()[0]}, which drupe does not run in yet "
        "(see docs/decisions/free-threading.md). "
        f"To mend it: choose a build with the GIL, {with_gil} and not {with_gil}t",
        file=sys.stderr,
    )
    sys.exit(2)


def _leave_working_folder() -> None:
    """Take away what Python put in front for the script or for `-m`; nothing where it was told not to."""
    if getattr(sys.flags, "safe_path", False) or sys.flags.isolated:
        return
    if sys.path and os.path.abspath(sys.path[0]) in (_HERE, os.getcwd()):
        del sys.path[0]


def _stand_somewhere() -> None:
    """Where the working folder has been taken away, the kernel runs in the user's home: Python and IPython ask where they
    are all the time."""
    try:
        os.getcwd()
    except OSError as error:
        for place in (os.path.expanduser("~"), os.sep):
            try:
                os.chdir(place)
            except OSError:
                continue
            reason = error.strerror or error
            print(
                f"drupe: the working folder is not there ({reason}); running in {place}",
                file=sys.stderr,
            )
            return


def _register_package() -> None:
    """Make `drupe` importable from this folder without adding the folder's parent to `sys.path`."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(
        "drupe", os.path.join(_HERE, "__init__.py"), submodule_search_locations=[_HERE]
    )
    assert spec is not None and spec.loader is not None, "it is a file's"
    package = importlib.util.module_from_spec(spec)
    sys.modules["drupe"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    _need_the_gil()
    _stand_somewhere()
    _leave_working_folder()
    if not __package__:
        _register_package()
    from drupe.app import main

    main()
