"""The name `ipykernel`, answered by drupe: what libraries look for to find out that they run in a notebook."""

import os
import queue
import subprocess
import sys

import pytest
from cells import Kernel
from conftest import BINARY, ROOT, command

compiler = pytest.importorskip("ipykernel.compiler")

# Modules of ipykernel that code in the open imports in a notebook, with names that it reads of them. Found by searching public
# repositories for imports and for names in quotes.
READ = {
    "ipykernel": "__version__ version_info get_connection_file get_connection_info connect_qtconsole zmqshell kernelapp",
    "ipykernel._version": "__version__ version_info kernel_protocol_version",
    "ipykernel.comm": "Comm CommManager",
    "ipykernel.comm.comm": "Comm BaseComm",
    "ipykernel.comm.manager": "CommManager",
    "ipykernel.compiler": "get_file_name get_tmp_directory get_tmp_hash_seed murmur2_x86 XCachingCompiler",
    "ipykernel.connect": "get_connection_file get_connection_info connect_qtconsole write_connection_file",
    "ipykernel.debugger": "_is_debugpy_available",
    "ipykernel.displayhook": "ZMQShellDisplayHook",
    "ipykernel.embed": "embed_kernel",
    "ipykernel.eventloops": "enable_gui register_integration loop_map get_shell_stream",
    "ipykernel.iostream": "OutStream IOPubThread BackgroundSocket MASTER CHILD",
    "ipykernel.ipkernel": "IPythonKernel ZMQInteractiveShell Kernel",
    "ipykernel.jsonutil": "json_clean encode_images ISO8601",
    "ipykernel.kernelapp": "IPKernelApp launch_new_instance kernel_aliases kernel_flags main",
    "ipykernel.kernelbase": "Kernel",
    "ipykernel.pylab.backend_inline": "flush_figures show",
    "ipykernel.pylab.config": "InlineBackend",
    "ipykernel.zmqshell": "ZMQInteractiveShell ZMQDisplayPublisher KernelMagics",
}

# A Python of this machine that has no ipykernel: the locked test environment has one from 3.11 on only.
WITHOUT = ROOT / ".venvs" / "3.10" / "bin" / "python"


@pytest.fixture(scope="module")
def notebook(environment):
    with Kernel(command()) as kernel:
        yield kernel


@pytest.fixture(scope="module")
def without(environment):
    """A kernel in whose environment there is no ipykernel."""
    if not WITHOUT.exists():
        pytest.skip("there is no CPython 3.10 on this machine")
    with Kernel([str(BINARY), "-f", "{connection_file}", "--python", str(WITHOUT)]) as kernel:
        assert (
            "False"
            in kernel.ok(
                "import importlib.metadata as m\n"
                "print(any(d.metadata['Name'] == 'ipykernel' for d in m.distributions()))"
            ).text()
        )
        yield kernel


def test_the_first_cell_finds_the_names():
    with Kernel(command()) as kernel:
        # Before anything else asks for them.
        code = "import sys; [name in sys.modules for name in ('ipykernel', 'ipykernel.zmqshell')]"
        assert kernel.ok(code).value == "[True, True]"


def test_who_the_objects_are(notebook):
    code = """
import sys, ipykernel.zmqshell, ipykernel.iostream, ipykernel.ipkernel, ipykernel.kernelbase, ipykernel.kernelapp
shell = get_ipython()
checks = [
    (shell, ipykernel.zmqshell.ZMQInteractiveShell, 'ipykernel.zmqshell'),
    (sys.stdout, ipykernel.iostream.OutStream, 'ipykernel.iostream'),
    (sys.stderr, ipykernel.iostream.OutStream, 'ipykernel.iostream'),
    (shell.kernel, ipykernel.ipkernel.IPythonKernel, 'ipykernel.ipkernel'),
    (shell.kernel, ipykernel.kernelbase.Kernel, 'ipykernel.ipkernel'),
    (shell.display_pub, ipykernel.zmqshell.ZMQDisplayPublisher, 'ipykernel.zmqshell'),
    (shell.displayhook, ipykernel.displayhook.ZMQShellDisplayHook, 'ipykernel.displayhook'),
    (ipykernel.kernelapp.IPKernelApp.instance(), ipykernel.kernelapp.IPKernelApp, 'ipykernel.kernelapp'),
]
print([isinstance(thing, kind) and type(thing).__module__ == module for thing, kind, module in checks])
print(shell.__class__ is ipykernel.zmqshell.ZMQInteractiveShell, str(type(shell)))
print(ipykernel.kernelapp.IPKernelApp.initialized(), ipykernel.kernelbase.Kernel.instance() is shell.kernel)
"""
    lines = notebook.ok(code).text().splitlines()
    assert lines[0] == str([True] * 8)
    assert lines[1] == "True <class 'ipykernel.zmqshell.ZMQInteractiveShell'>"
    assert lines[2] == "True True"


def read(kernel):
    code = """
import importlib
missing = []
for module, names in %r.items():
    found = importlib.import_module(module)
    missing += [f'{module}.{name}' for name in names.split() if not hasattr(found, name)]
print(missing)
"""
    assert kernel.ok(code % READ).text() == "[]\n"


def test_what_is_read_is_there(notebook):
    read(notebook)


def test_what_is_read_is_there_where_ipykernel_is_not_installed(without):
    read(without)


def test_the_version(notebook):
    assert notebook.ok("ipykernel.__version__, ipykernel.version_info[:2]").value == (
        "('7.4.0', (7, 4))"
    )


def test_importlib_metadata_is_left_alone(notebook, without):
    code = "import importlib.metadata; print(importlib.metadata.version('ipykernel'))"
    assert without.run(code).error.startswith("PackageNotFoundError")
    installed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert notebook.ok(code).text() == installed.stdout


def test_other_submodules_come_from_the_installed_package(notebook):
    """And what runs stays what it is."""
    code = """
import sys
before = type(get_ipython()), sys.stdout, get_ipython().kernel
import ipykernel.heartbeat, ipykernel.inprocess.ipkernel, ipykernel.kernelspec
print(ipykernel.heartbeat.__file__)
after = type(get_ipython()), sys.stdout, get_ipython().kernel
print(all(one is other for one, other in zip(before, after)))
print(ipykernel.inprocess.ipkernel.IPythonKernel is type(get_ipython().kernel))
import comm
print(comm.create_comm.__module__)
"""
    file, *rest = notebook.ok(code).text().splitlines()
    assert file.endswith("site-packages/ipykernel/heartbeat.py")
    assert rest == ["True", "True", "drupe.comms"]


def test_other_submodules_are_import_errors_where_it_is_not_installed(without):
    assert without.run("import ipykernel.heartbeat").error == (
        "ModuleNotFoundError: No module named 'ipykernel.heartbeat'"
    )


def test_it_can_be_found_and_imported_again(notebook):
    code = """
import importlib, importlib.util, sys
print(importlib.util.find_spec('ipykernel').origin.split('/')[-3:])
print(importlib.util.find_spec('ipykernel.zmqshell').name, importlib.util.find_spec('ipykernel.nothing'))
importlib.reload(ipykernel)
for name in [name for name in sys.modules if name.startswith('ipykernel')]:
    del sys.modules[name]
import ipykernel.zmqshell
print(isinstance(get_ipython(), ipykernel.zmqshell.ZMQInteractiveShell), 'drupe' in ipykernel.__file__)
"""
    assert notebook.ok(code).text().splitlines() == [
        "['drupe', 'ipykernel', '__init__.py']",
        "ipykernel.zmqshell None",
        "True True",
    ]


def test_the_command_line(notebook):
    code = """
import os, sys
print(os.path.basename(sys.argv[0]), os.path.isfile(sys.argv[0]), sys.argv[1], os.path.isfile(sys.argv[2]), sys.argv[3:])
config = get_ipython().config
print('IPKernelApp' in config, config['IPKernelApp']['connection_file'] == sys.argv[2])
print(ipykernel.get_connection_file() == sys.argv[2])
print(sorted(ipykernel.get_connection_info(unpack=True)) == sorted(__import__('json').load(open(sys.argv[2]))))
"""
    assert notebook.ok("import ipykernel\n" + code).text().splitlines() == [
        "ipykernel_launcher.py True -f True []",
        "True True",
        "True",
        "True",
    ]


def test_flags_are_passed_on_as_they_were_given():
    with Kernel([*command(), "--HistoryManager.hist_file=:memory:"]) as kernel:
        code = "import sys; print(sys.argv[3:])"
        assert kernel.ok(code).text() == "['--HistoryManager.hist_file=:memory:']\n"


def test_the_launcher_starts_a_kernel():
    launcher = str(ROOT / "python" / "drupe" / "ipykernel_launcher.py")
    with Kernel([sys.executable, launcher, "-f", "{connection_file}"]) as kernel:
        assert kernel.ok("import sys; sys.argv[0]").value == repr(launcher)


def test_a_kernel_can_be_started_again_in_its_place():
    """`os.execv(sys.executable, [sys.executable] + sys.argv)`, a restart that many notebooks have."""
    with Kernel(command()) as kernel:
        pid = kernel.pid
        kernel.ok("x = 1")
        restart = "import os, sys; os.execv(sys.executable, [sys.executable] + sys.argv)"
        kernel.client.execute(restart)
        for _ in range(30):
            # What is sent while there is nobody is lost.
            asked = kernel.client.execute("'x' in globals()")
            try:
                while (
                    kernel.client.get_shell_msg(timeout=2)["parent_header"].get("msg_id") != asked
                ):
                    pass
                break
            except queue.Empty:
                pass
        # Until iopub is connected again, too.
        kernel.client.wait_for_ready(timeout=60)
        result = kernel.ok("import os; 'x' in globals(), os.getpid()")
        assert result.value == f"(False, {pid})"


def test_the_session_name():
    with Kernel(command(), env=os.environ | {"JPY_SESSION_NAME": "/home/me/book.ipynb"}) as kernel:
        assert kernel.ok("__session__").value == "'/home/me/book.ipynb'"
    with Kernel(command()) as kernel:
        assert kernel.run("__session__").error.startswith("NameError")


def test_cells_have_the_file_names_that_front_ends_compute(notebook):
    """And tracebacks speak of the cell all the same."""
    code = "import sys; print(sys._getframe().f_code.co_filename)"
    name = notebook.ok(code).text().strip()
    hashed = compiler.murmur2_x86(code, compiler.get_tmp_hash_seed())
    assert name.endswith(f"/ipykernel_{notebook.pid}/{hashed}.py")
    computed = "import ipykernel.compiler as c; print(c.get_file_name(%r))" % code
    assert notebook.ok(computed).text().strip() == name
    failed = notebook.run("def f():\n    1/0\nf()")
    count = failed.reply["content"]["execution_count"]
    traceback = "\n".join(failed.reply["content"]["traceback"])
    assert f"In[{count}]" in traceback and "ipykernel_" not in traceback
    assert not os.path.exists(os.path.dirname(name))


def test_the_hash_is_murmur2(notebook):
    known = {"": 3990065800, "print(1)": 3773950048}
    code = (
        "import ipykernel.compiler as c\n"
        f"print([c.murmur2_x86(text, c.get_tmp_hash_seed()) for text in {list(known)!r}])"
    )
    assert notebook.ok(code).text() == f"{list(known.values())}\n"


def test_the_variable_names_cells(notebook):
    with Kernel(command(), env=os.environ | {"IPYKERNEL_CELL_NAME": "<IPY-INPUT>"}) as kernel:
        code = "import sys; print(sys._getframe().f_code.co_filename)"
        assert kernel.ok(code).text() == "<IPY-INPUT>\n"


# Children.

LOOK = (
    "import sys; print(sys.modules.get('ipykernel') is None, "
    "any('drupe' in str(entry) for entry in (*sys.path, *sys.meta_path)))"
)


def test_a_subprocess_does_not_see_it(notebook, without):
    for kernel in (notebook, without):
        code = f"import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', {LOOK!r}]).decode())"
        assert kernel.ok(code).text() == "True False\n\n"
    code = """import subprocess, sys
print(subprocess.run([sys.executable, '-c', 'import ipykernel'], capture_output=True).stderr.decode().splitlines()[-1])"""
    assert without.ok(code).text() == "ModuleNotFoundError: No module named 'ipykernel'\n"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_spawned_child_does_not_see_it(notebook, tmp_path, method):
    (tmp_path / "looking.py").write_text(
        "import sys\ndef look(queue):\n"
        "    queue.put(('ipykernel' in sys.modules, any('drupe' in str(f) for f in sys.meta_path)))\n"
    )
    code = f"""
import multiprocessing, sys
sys.path.insert(0, {str(tmp_path)!r})
import looking
context = multiprocessing.get_context({method!r})
queue = context.Queue()
child = context.Process(target=looking.look, args=(queue,))
child.start()
print(queue.get(timeout=30))
child.join()
"""
    assert notebook.ok(code).text() == "(False, False)\n"


def test_a_forked_child_keeps_what_its_parent_had(notebook):
    """It has a copy of everything, and it must not come to the end of two sets of classes."""
    code = """
import os, sys
import ipykernel.iostream
sys.stdout.flush()
pid = os.fork()
if pid == 0:
    import ipykernel.zmqshell
    print(isinstance(sys.stdout, ipykernel.iostream.OutStream), isinstance(get_ipython(), ipykernel.zmqshell.ZMQInteractiveShell))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(pid, 0);
"""
    assert notebook.ok(code).text() == "True True\n"


def test_it_can_be_turned_off(without):
    with Kernel(command(), env=os.environ | {"DRUPE_IPYKERNEL": "0"}) as kernel:
        code = """import sys
print('ipykernel' in sys.modules, type(get_ipython()).__module__, type(sys.stdout).__module__, type(get_ipython().kernel).__module__)
print(sys.argv[0].endswith('ipykernel_launcher.py'))
import ipykernel.zmqshell; print(ipykernel.__file__)"""
        lines = kernel.ok(code).text().splitlines()
        assert lines[:2] == ["False drupe.shell drupe.streams drupe.kernel", "False"]
        assert "drupe" not in lines[2]
        # ipykernel's own package is imported beside the kernel and takes nothing over.
        code = """import comm, ipykernel.ipkernel
print(comm.create_comm.__module__, type(get_ipython()).__module__)"""
        assert kernel.ok(code).text() == "drupe.comms drupe.shell\n"


# What libraries make of it.


def test_tqdm_and_plotly_look_for_these(notebook):
    """The newest tqdm and plotly: the one looks at `sys.modules`, the other at the module of the shell's class."""
    code = """
import sys
from IPython import get_ipython
print('ipykernel.zmqshell' in sys.modules, type(get_ipython()).__module__.startswith('ipykernel.'))
"""
    assert notebook.ok(code).text() == "True True\n"


def test_old_comms(notebook):
    """`ipykernel.comm.Comm`, deprecated and still imported by many."""
    code = """
import warnings
from ipykernel.comm import Comm
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter('always')
    old = Comm(target_name='nobody', data={'a': 1})
print(seen[0].category.__name__, old.kernel is get_ipython().kernel, old.comm_id in get_ipython().kernel.comm_manager.comms)
old.send({'b': 2})
old.close()
"""
    result = notebook.ok(code)
    assert result.text() == "DeprecationWarning True True\n"
    kinds = [m["msg_type"] for m in result.messages if m["msg_type"].startswith("comm")]
    assert kinds == ["comm_open", "comm_msg", "comm_close"]
