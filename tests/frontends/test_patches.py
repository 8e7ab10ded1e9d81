"""What drupe changes in other modules: a cell for each row of `drupe/patches.py` that shows the change at work."""

import os

import pytest
from cells import Kernel
from conftest import command

# By module and names: code, and the plain text of its value.
ROWS = {
    ("trio._core._run", "start_thread_soon"): (
        "%autoawait trio\nimport trio, sys\nfrom drupe.trio import guest\nguest()\n"
        "sys.modules['trio._core._run'].start_thread_soon.__module__",
        "'drupe.trio'",
    ),
    ("trio._threads", "start_thread_soon"): (
        "%autoawait trio\nimport trio, sys\nfrom drupe.trio import guest\nguest()\n"
        "sys.modules['trio._threads'].start_thread_soon.__module__",
        "'drupe.trio'",
    ),
    ("builtins", "input"): ("input.__module__", "'drupe.stdin'"),
    ("getpass", "getpass"): ("import getpass; getpass.getpass.__module__", "'drupe.stdin'"),
    ("comm", "create_comm get_comm_manager"): (
        "import comm; (comm.create_comm.__module__, comm.get_comm_manager.__module__, "
        "comm.create_comm(target_name='t').comm_id in comm.get_comm_manager().comms)",
        "('drupe.comms', 'drupe.comms', True)",
    ),
    ("IPython.core.debugger", "Pdb"): (
        "import pdb, IPython.core.debugger as d; (pdb.Pdb is d.Pdb, issubclass(pdb.Pdb, d.InterruptiblePdb))",
        "(True, True)",
    ),
    ("pdb", "set_trace"): ("import pdb; pdb.set_trace.__module__", "'drupe.patches'"),
    ("atexit", "register unregister _run_exitfuncs _clear _ncallbacks"): (
        "import atexit\nbefore = atexit._ncallbacks()\natexit.register(print)\nmore = atexit._ncallbacks() - before\n"
        "atexit.unregister(print)\nmore, atexit._ncallbacks() - before, "
        "{getattr(atexit, n).__module__ for n in ('register', 'unregister', '_run_exitfuncs', '_clear', '_ncallbacks')}",
        "(1, 0, {'drupe.exits'})",
    ),
    ("IPython.core.history", "HistorySavingThread"): (
        "get_ipython().history_manager.save_thread.__module__",
        "'drupe.history'",
    ),
    ("_signal", "signal getsignal"): (
        "import signal\nhandler = lambda *_: None\nbefore = signal.signal(signal.SIGTERM, handler)\n"
        "theirs = signal.getsignal(signal.SIGTERM) is handler\nsignal.signal(signal.SIGTERM, before)\n"
        "theirs, before == signal.SIG_DFL",
        "(True, True)",
    ),
    ("signal", "default_int_handler"): (
        "import signal; signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.default_int_handler.__name__",
        "(True, 'default_int_handler')",
    ),
    ("sys", "unraisablehook"): ("import sys; sys.unraisablehook.__name__", "'notice_unraisable'"),
    ("sys", "excepthook"): (
        "import sys\ntry: 1/0\nexcept ZeroDivisionError: sys.excepthook(*sys.exc_info())\n"
        "sys.excepthook is not sys.__excepthook__",
        "True",
    ),
    ("sys", "stdout stderr"): (
        "import sys; type(sys.stdout).__name__, type(sys.stderr).__name__",
        "('OutStream', 'OutStream')",
    ),
    ("threading", "Thread.start"): (
        "import comm, threading; comm.get_comm_manager(); threading.Thread.start.__module__",
        "'drupe.parents'",
    ),
}


def test_every_row_has_a_test(shared):
    shown = shared.ok("from drupe import patches\n[row[:2] for row in patches.TABLE]").value
    assert {tuple(row) for row in eval(shown)} == set(ROWS)


def test_every_row_says_why_and_who(shared):
    code = "[row for row in patches.TABLE if not row.why or (row.apply is None) != bool(row.by)]"
    assert shared.ok("from drupe import patches\n" + code).value == "[]"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}: {row[1].split()[0]}")
def test_the_row_is_at_work(fresh, row):
    code, value = ROWS[row]
    assert fresh.ok(code).value == value


BESIDE = {
    ("ipykernel.ipkernel", "comm.create_comm comm.get_comm_manager"): (
        "import ipykernel.ipkernel, comm; (comm.create_comm.__module__, comm.get_comm_manager.__module__)",
        "('drupe.comms', 'drupe.comms')",
    ),
    ("ipykernel.comm.comm", "BaseComm.publish_msg"): (
        "import ipykernel.comm.comm as c; c.BaseComm.publish_msg.__module__",
        "'drupe.comms'",
    ),
}


def test_the_rows_beside_ipykernel_are_at_work():
    with Kernel(command(), env=os.environ | {"DRUPE_IPYKERNEL": "0"}) as kernel:
        shown = kernel.ok(
            "from drupe import patches\n[row[:2] for row in patches.TABLE_BESIDE_IPYKERNEL]"
        ).value
        assert {tuple(row) for row in eval(shown)} == set(BESIDE)
        for code, value in BESIDE.values():
            assert kernel.ok(code).value == value
