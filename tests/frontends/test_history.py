"""The history's database: opened behind the first line, written beside the cells, whole at the end."""

import os
import signal
import sqlite3
import threading
import time
from contextlib import closing

from cells import Kernel
from conftest import command


def rows(file, table="history", columns="line, source_raw"):
    with closing(sqlite3.connect(file)) as database:
        return database.execute(f"select {columns} from {table}").fetchall()


def started(folder):
    return Kernel([*command(), f"--HistoryManager.hist_file={folder / 'history.sqlite'}"])


def wait_for(file, lines):
    end = time.monotonic() + 30
    while True:
        try:
            if len(rows(file)) >= lines:
                return
        except sqlite3.OperationalError:
            pass
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_line_is_kept_while_its_cell_runs(tmp_path):
    """What a process that is killed has run is there."""
    with started(tmp_path) as kernel:
        kernel.run("a = 1")
        kernel.client.execute("import time; time.sleep(60)")
        wait_for(tmp_path / "history.sqlite", 2)
        os.kill(kernel.pid, signal.SIGKILL)
        kernel.manager.provisioner.process.wait()
    assert [line for line, _ in rows(tmp_path / "history.sqlite")] == [1, 2]


def test_lines_of_quick_cells_are_all_written_and_in_order(tmp_path):
    with started(tmp_path) as kernel:
        cells = [kernel.client.execute(f"n = {n}") for n in range(300)]
        for _ in cells:
            kernel.client.get_shell_msg(timeout=20)
        wait_for(tmp_path / "history.sqlite", 300)
    found = rows(tmp_path / "history.sqlite")
    assert found == [(n + 1, f"n = {n}") for n in range(300)]


def test_the_last_line_is_written_by_the_end(tmp_path):
    with started(tmp_path) as kernel:
        kernel.run("a = 1")
        # To open it may take longer than the end, which has half a second for what is left to write.
        wait_for(tmp_path / "history.sqlite", 1)
        kernel.client.execute("b = 2")
        kernel.client.get_shell_msg(timeout=20)
        kernel.client.shutdown()
        kernel.manager.provisioner.process.wait()
    file = tmp_path / "history.sqlite"
    assert rows(file) == [(1, "a = 1"), (2, "b = 2")]
    [(start, end, lines)] = rows(file, "sessions", "start, end, num_cmds")
    assert start and end and lines == 2


def test_a_session_without_a_line_leaves_nothing(tmp_path):
    with started(tmp_path) as kernel:
        kernel.client.execute("1 + 1", store_history=False)
        kernel.client.get_shell_msg(timeout=20)
        kernel.client.shutdown()
        kernel.manager.provisioner.process.wait()
    assert not (tmp_path / "history.sqlite").exists()


def test_earlier_sessions_are_there_before_a_line_is_stored(tmp_path):
    with started(tmp_path) as kernel:
        kernel.run("earlier = 1")
        kernel.client.shutdown()
        kernel.manager.provisioner.process.wait()
    with started(tmp_path) as kernel:
        assert kernel.run("%history -g earlier", store_history=False).text().split() == [
            "1/1:",
            "earlier",
            "=",
            "1",
        ]
        assert (
            kernel.run("get_ipython().history_manager.session_number", store_history=False).value
            == "2"
        )


def test_a_cell_does_not_wait_for_a_database_that_somebody_keeps(tmp_path):
    with (
        started(tmp_path) as kernel,
        closing(sqlite3.connect(tmp_path / "history.sqlite", check_same_thread=False)) as other,
    ):
        kernel.run("a = 1")
        wait_for(tmp_path / "history.sqlite", 1)
        other.execute("begin exclusive")
        release = threading.Timer(10, other.rollback)
        release.start()
        begun = time.monotonic()
        for n in range(20):
            kernel.run(f"n = {n}")
        assert time.monotonic() - begun < 5
        release.join()
        wait_for(tmp_path / "history.sqlite", 21)


def test_lines_outlive_a_database_that_was_kept_too_long(tmp_path):
    with Kernel(
        [
            *command(),
            f"--HistoryManager.hist_file={tmp_path / 'history.sqlite'}",
            "--HistoryManager.connection_options={'check_same_thread': False, 'timeout': 0.1}",
        ]
    ) as kernel:
        kernel.run("a = 1")
        wait_for(tmp_path / "history.sqlite", 1)
        with closing(sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)) as other:
            other.execute("begin exclusive")
            kernel.run("b = 2; import time; time.sleep(0.5)")
            other.execute("rollback")
        kernel.run("c = 3")
        wait_for(tmp_path / "history.sqlite", 3)


def test_a_child_that_is_forked_right_behind_a_cell(tmp_path):
    """The thread is stopped for it, and goes on for what comes then."""
    fork = "import os\npid = os.fork()\nif pid == 0: os._exit(3)\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"
    with started(tmp_path) as kernel:
        # At each moment of the thread's pause and its work.
        for number in range(60):
            pause = f"import time; time.sleep({number % 20 * 0.001})\n"
            assert kernel.run(pause + fork).value == "3"
        wait_for(tmp_path / "history.sqlite", 60)
