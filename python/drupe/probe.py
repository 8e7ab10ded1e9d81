"""What this interpreter is: one line of JSON, for the launcher.

Run by path, never imported. It imports nothing that a user could have written, and its syntax is
plain enough for Pythons that are far too old, so that they can be refused by their name.
"""

import sys

# Run by path, this file's own folder comes first: none of its modules must hide one of Python's.
if sys.path and sys.path[0] and __file__.startswith(sys.path[0]):
    del sys.path[0]

import json
import struct

VARIABLES = (
    "INSTSONAME",
    "LIBDIR",
    "LDLIBRARY",
    "LDVERSION",
    "MULTIARCH",
    "PYTHONFRAMEWORKPREFIX",
)

# Module to import, distribution that brings it.
MODULES = (
    ("IPython", "ipython"),
    ("comm", "comm"),
    ("matplotlib_inline", "matplotlib-inline"),
    ("jedi", "jedi"),
    ("psutil", "psutil"),
    ("debugpy", "debugpy"),
)


def identity():
    """What every Python since 2.7 can say."""
    implementation = getattr(sys, "implementation", None)
    return {
        "executable": sys.executable or "",
        "implementation": getattr(implementation, "name", "cpython"),
        "version": sys.version.split()[0],
        "version_info": list(sys.version_info[:2]),
        "bits": 8 * struct.calcsize("P"),
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "base_prefix", sys.prefix),
    }


def module(name, distribution):
    """Where a module would come from and its version, without importing it; None if nowhere."""
    import importlib.metadata
    import importlib.util

    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        version = None
    return {"version": version, "origin": spec.origin}


def surroundings():
    """What only a Python that drupe can run in is asked."""
    import importlib.util
    import os
    import sysconfig

    modules = ((name, module(name, distribution)) for name, distribution in MODULES)
    marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    return {
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "has_pip": importlib.util.find_spec("pip") is not None,
        "externally_managed": os.path.exists(marker),
        "config": dict((name, sysconfig.get_config_var(name)) for name in VARIABLES),
        "modules": dict((name, found) for name, found in modules if found is not None),
    }


answer = identity()
if sys.version_info >= (3, 10):
    answer.update(surroundings())
print(json.dumps(answer))
