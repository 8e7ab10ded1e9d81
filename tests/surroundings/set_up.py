"""What people have set up: profiles, configuration files, start-up code, arguments. Each is played on both kernels.

A case says what the cells show on either; `but` is the reason why only drupe is played, where ipykernel does not start or shows
something else. `told` are words that drupe writes to the terminal.
"""

import json
from dataclasses import dataclass, field

from playing import Surrounding

# The last cell of each case: the kernel lives.
ALIVE = ("x = 6\nprint('said')\nx * 7", "said\n42")


@dataclass
class Case:
    """A surrounding, what its cells show there, and what is told on the terminal."""

    surrounding: Surrounding
    cells: dict = field(default_factory=dict)
    but: str = ""
    told: list = field(default_factory=list)


def given(*arguments, **files) -> Surrounding:
    return Surrounding(arguments=list(arguments), **files)


CONFIG = "c = get_config()\nc.InteractiveShellApp.exec_lines = ['a = 1']\n"
DEFAULT = "ipython/profile_default"
PLACE = "get_ipython().profile_dir.location"
LOADED = "'autoreload' in str(get_ipython().extension_manager.loaded)"
ENDS = "ipykernel ends"
FAILING = {"f.py": "a = 1\n1/0\n"}
STARTUP = {"PYTHONSTARTUP": "{folder}/s.py"}
ZERO = ["the start-up code failed", "1/0", "ZeroDivisionError: division by zero"]

PROFILE = {"ipython/profile_work/ipython_config.py": CONFIG}
EXTENSION = {"work/myext.py": "def load_ipython_extension(ip): ip.user_ns['a'] = 'loaded'\n"}

CASES = {
    "profile": Case(
        given("--profile=work", files=PROFILE), {"a": "1", PLACE: "'FOLDER/ipython/profile_work'"}
    ),
    "profile, in two words": Case(given("--profile", "work", files=PROFILE), {"a": "1"}),
    "a profile that is not there": Case(
        given("--profile=nope"), {}, ENDS, ["Profile 'nope' not found"]
    ),
    "a profile's place": Case(
        given(
            "--ProfileDir.location={folder}/elsewhere",
            files={"elsewhere/ipython_kernel_config.py": CONFIG},
        ),
        {"a": "1", PLACE: "'FOLDER/elsewhere'"},
    ),
    "exec_lines of the shell's application": Case(
        given("--InteractiveShellApp.exec_lines=['a = 1', 'b = 2']"), {"a, b": "(1, 2)"}
    ),
    "exec_lines of the kernel's": Case(
        given("--IPKernelApp.exec_lines=['a = 1', 'b = 2']"), {"a, b": "(1, 2)"}
    ),
    "exec_lines, one": Case(given("--IPKernelApp.exec_lines=a = 1"), {"a": "1"}),
    "exec_lines, twice": Case(
        given("--IPKernelApp.exec_lines=a = 1", "--IPKernelApp.exec_lines=b = 2"),
        {"a, b": "(1, 2)"},
    ),
    "a trait that is no list, twice": Case(
        given("--InteractiveShell.colors=linux", "--InteractiveShell.colors=nocolor"),
        {"get_ipython().colors": "'nocolor'"},
        ENDS,
    ),
    "exec_lines that fail": Case(
        given("--InteractiveShellApp.exec_lines=['1/0', 'a = 2']"), {"a": "2"}, told=ZERO
    ),
    "exec_files": Case(
        given(
            "--IPKernelApp.exec_files=['{folder}/f.py']",
            files={"f.py": "import sys\na = __file__[-4:], sys.argv\n"},
        ),
        {"a": "('f.py', ['FOLDER/f.py'])"},
    ),
    "exec_files, a file of IPython's": Case(
        given("--InteractiveShellApp.exec_files={folder}/f.ipy", files={"f.ipy": "a = !echo hi\n"}),
        {"a": "['hi']"},
    ),
    "exec_files that fail": Case(
        given("--IPKernelApp.exec_files=['{folder}/f.py']", files=FAILING), {"a": "1"}, told=ZERO
    ),
    "exec_files that are not there": Case(
        given("--IPKernelApp.exec_files=['{folder}/f.py']"),
        told=["File not found: 'FOLDER/f.py'"],
    ),
    "exec_files that leave": Case(
        given(
            "--IPKernelApp.exec_files=['{folder}/f.py', '{folder}/g.py']",
            files={"f.py": "raise SystemExit(3)\n", "g.py": "a = 1\n"},
        ),
        {"a": "1"},
        ENDS,
        ["SystemExit(3)", "f.py"],
    ),
    "extensions": Case(
        given("--IPKernelApp.extensions=['myext']", files=EXTENSION), {"a": "'loaded'"}
    ),
    "extensions of the shell's application": Case(
        given("--InteractiveShellApp.extensions=['autoreload']"), {LOADED: "True"}
    ),
    "one more extension": Case(
        given("--IPKernelApp.extra_extensions=autoreload"), {LOADED: "True"}
    ),
    "an extension by its flag": Case(given("--ext=autoreload"), {LOADED: "True"}),
    "an extension that is not there": Case(
        given("--IPKernelApp.extensions=['nosuch']"),
        told=["Error in loading extension: nosuch", "No module named 'nosuch'"],
    ),
    "an extension that fails": Case(
        given(
            "--IPKernelApp.extensions=['myext']",
            files={"work/myext.py": "def load_ipython_extension(ip): 1/0\n"},
        ),
        told=["Error in loading extension: myext", "division by zero"],
    ),
    "an extension that leaves": Case(
        given(
            "--IPKernelApp.extensions=['myext']",
            "--IPKernelApp.exec_lines=a = 1",
            files={"work/myext.py": "def load_ipython_extension(ip): raise SystemExit\n"},
        ),
        {"a": "1"},
        ENDS,
        ["SystemExit()"],
    ),
    "pylab of the kernel's application": Case(
        given("--IPKernelApp.pylab=inline"),
        {
            "plot.__module__, __import__('matplotlib').get_backend()": "('matplotlib.pyplot', 'inline')"
        },
    ),
    "pylab of the shell's": Case(
        given("--InteractiveShellApp.pylab=inline"),
        {
            "plot.__module__, __import__('matplotlib').get_backend()": "('matplotlib.pyplot', 'inline')"
        },
    ),
    "pylab by its flag": Case(given("--pylab"), {"plot.__module__": "'matplotlib.pyplot'"}),
    "matplotlib": Case(
        given("--matplotlib=agg"), {"import matplotlib; matplotlib.get_backend()": "'agg'"}
    ),
    "automagic": Case(given("--no-automagic"), {"get_ipython().automagic": "False"}),
    "arguments of the terminal's IPython": Case(
        given("--no-banner", "--no-confirm-exit", "--nosuch=1", "--NoSuch.thing=1"), {}, ENDS
    ),
    "start-up files": Case(
        given(
            files={
                f"{DEFAULT}/startup/00-a.py": "a = 1\nprint('told')\n",
                f"{DEFAULT}/startup/01-b.ipy": "%env SOME=1\nb = a + 1\n",
            }
        ),
        {"a, b": "(1, 2)", "'__file__' in dir()": "False"},
    ),
    "a start-up file that fails": Case(
        given(files={f"{DEFAULT}/startup/00-a.py": FAILING["f.py"]}), {"a": "1"}, told=ZERO
    ),
    "a start-up file that is no Python": Case(
        given(files={f"{DEFAULT}/startup/00-a.py": "a = (1\n"}),
        told=["the start-up code failed", "SyntaxError: '(' was never closed", "00-a.py"],
    ),
    "a start-up file that leaves": Case(
        given(
            files={
                f"{DEFAULT}/startup/00-a.py": "import sys; sys.exit(3)\n",
                f"{DEFAULT}/startup/01-b.py": "b = 2\n",
            }
        ),
        {"b": "2"},
        ENDS,
        ["SystemExit(3)", "00-a.py"],
    ),
    "the kernel's configuration": Case(
        given(
            files={
                f"{DEFAULT}/ipython_kernel_config.py": CONFIG
                + "c.InteractiveShell.ast_node_interactivity = 'all'\n"
            }
        ),
        {"a": "1", "print(1)\nlen.__name__": "1\n'len'"},
    ),
    "IPython's configuration": Case(
        given(files={f"{DEFAULT}/ipython_config.py": CONFIG}), {"a": "1"}
    ),
    "a configuration in JSON": Case(
        given(
            files={
                f"{DEFAULT}/ipython_kernel_config.json": json.dumps(
                    {"InteractiveShellApp": {"exec_lines": ["a = 1"]}}
                )
            }
        ),
        {"a": "1"},
    ),
    "a configuration that fails": Case(
        given(files={f"{DEFAULT}/ipython_kernel_config.py": "1/0\n"}),
        told=["Exception while loading config file", "division by zero"],
    ),
    "a configuration that is no Python": Case(
        given(files={f"{DEFAULT}/ipython_config.py": "c = ((\n"}),
        told=["Exception while loading config file", "SyntaxError"],
    ),
    "a configuration that is no JSON": Case(
        given(files={f"{DEFAULT}/ipython_kernel_config.json": "{"}),
        told=["Exception while loading config file", "JSONDecodeError"],
    ),
    "a configuration that leaves": Case(
        given(files={f"{DEFAULT}/ipython_config.py": "import sys; sys.exit(4)\n"}),
        {},
        ENDS,
        ["the configuration files could not be read", "SystemExit: 4"],
    ),
    "PYTHONSTARTUP": Case(
        given(environment=STARTUP, files={"s.py": "a = 1\nprint('told')\n"}), {"a": "1"}
    ),
    "PYTHONSTARTUP, switched off": Case(
        given(
            "--InteractiveShellApp.exec_PYTHONSTARTUP=False",
            environment=STARTUP,
            files={"s.py": "a = 1\n"},
        ),
        {"'a' in dir()": "False"},
    ),
    "PYTHONSTARTUP that fails": Case(
        given(environment=STARTUP, files={"s.py": FAILING["f.py"]}), {"a": "1"}, told=ZERO
    ),
    "PYTHONSTARTUP that is not there": Case(
        given(environment=STARTUP), told=["File not found: 'FOLDER/s.py'"]
    ),
}

# What neither kernel can work with: drupe ends with status 2 and one sentence, which has these words.
REFUSED = {
    "a trait's value": (
        given("--InteractiveShell.cache_size=lots"),
        ["'cache_size' trait", "expected an int", "on the command line"],
    ),
    "a trait's value in a file": (
        given(files={f"{DEFAULT}/ipython_config.py": "c.InteractiveShell.cache_size = 'lots'\n"}),
        ["'cache_size' trait", "on the command line or", "ipython_config.py"],
    ),
    "pylab": (given("--IPKernelApp.pylab=nosuch"), ["'pylab' trait", "on the command line"]),
    "matplotlib": (given("--matplotlib=nosuch"), ["'matplotlib' trait", "on the command line"]),
    "PYTHONHOME": (
        Surrounding(environment={"PYTHONHOME": "/dev/null/nowhere"}),
        ["Fatal Python error", "unset PYTHONHOME, which is /dev/null/nowhere"],
    ),
}
