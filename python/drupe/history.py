"""IPython's history, off the way of cells: the database is opened behind the first line that is stored, and written beside the cells.

IPython opens it at the start of each session, tables, a row for the session and all, and waits for the disk several times; then it keeps
a lock while each line is written, for which the next cell waits. Both is what a disk takes: a hundredth of a second is usual.
Here its saving thread opens the database, and takes the lines away from under the lock before it writes them. Whoever asks for earlier lines
before that opens it, too. A session in which nothing is stored leaves no row.

Made by the shell, once; queries are IPython's.
"""

from __future__ import annotations

import threading
from contextlib import nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING
from weakref import ref

from IPython.core import history
from traitlets import default

from .errors import text_of
from .log import log

if TYPE_CHECKING:
    from typing import Any

_IN_MEMORY = ":memory:"
# Seconds that a line waits: a quick cell is over by then, its answer sent, and others may have come. A line that is lost where the process
# is killed within that time, IPython is about to write, too.
_BEHIND_CELL = 0.01
# Seconds that the end waits for the database.
_AT_END = 0.5


class HistoryManager(history.HistoryManager):
    """See the module. The name is IPython's, since `%config` knows it by that."""

    def __init__(self, **kwargs: Any) -> None:
        # Whoever comes second waits; the opener itself sees what it has opened so far.
        self._opening = threading.RLock()
        self._writing = threading.Lock()
        self._is_begun = False
        super().__init__(**kwargs)
        self._is_begun = True

    @default("enabled")
    def _enabled_default(self) -> bool:
        """Whether this Python has SQLite, without importing it."""
        return find_spec("_sqlite3") is not None

    def init_db(self) -> None:
        """IPython asks for it while it makes the manager: not yet. It is asked for again by `_open`, and behind a corrupt file."""
        if self._is_begun:
            super().init_db()

    @property
    def _finalizer(self) -> Any:
        """IPython's, which would close the connection at the exit, whoever uses it then: SQLite does not survive that. The process ends,
        and so does it."""

    @_finalizer.setter
    def _finalizer(self, finalizer: Any) -> None:
        finalizer.detach()

    def new_session(self, conn: Any = None) -> None:
        if self._is_begun:
            super().new_session(conn)

    @default("db")
    def _db_default(self) -> Any:
        self._open()
        return self.db

    @default("session_number")
    def _session_number_default(self) -> int:
        self._open()
        return self.session_number

    def _open(self) -> None:
        """A database that is locked, or on a full disk, costs the history and not a cell."""
        with self._opening:
            if not self._is_begun or self.is_open():
                return
            try:
                self._open_here()
            except Exception as error:
                reason = text_of(error.__context__ or error)
                log.warning(
                    "the history %s cannot be used (%s); this session's is not kept",
                    self.hist_file,
                    reason,
                )
                self.hist_file = _IN_MEMORY
                self.enabled = not isinstance(error, ImportError)
                self._open_here()

    def _open_here(self) -> None:
        self.init_db()
        if self.enabled:
            self.new_session()
        else:
            self.session_number = 0

    def has_lines(self) -> bool:
        """Whether there is something to write."""
        return bool(self.db_input_cache or self.db_output_cache)

    def is_kept(self) -> bool:
        """Whether there is a file to write to. Opens it."""
        self._open()
        return self.enabled and self.hist_file != _IN_MEMORY

    def connect(self) -> Any:
        """A connection for another thread."""
        import sqlite3

        return sqlite3.connect(str(self.hist_file), **self.connection_options)

    def is_open(self) -> bool:
        return "db" in self._trait_values and "session_number" in self._trait_values

    def end_session(self) -> None:
        """As IPython; a database that somebody keeps, or a disk that hangs, costs the end half a second and no more."""
        if not self.is_open() and not self.has_lines():
            return
        try:
            for lock in (self._opening, self._writing):
                if not lock.acquire(timeout=_AT_END):
                    raise TimeoutError("the database is locked, or its disk does not answer")
                lock.release()
            if self.is_open():
                self.db.execute(f"PRAGMA busy_timeout = {int(_AT_END * 1000)}")
            else:
                self.connection_options = {**self.connection_options, "timeout": _AT_END}
            super().end_session()
        except Exception as error:
            log.warning(
                "the last lines of the history %s are lost: %s", self.hist_file, text_of(error)
            )

    def writeout_cache(self, conn: Any = None) -> None:
        """By IPython's own, for lines that nobody adds to any more."""
        if not self.enabled or not self.has_lines():
            return
        conn = self.db if conn is None else conn
        with self._writing:
            batch: Any = _Batch(self)
            lines = batch.db_input_cache
            try:
                history.HistoryManager.writeout_cache(batch, conn)
            except Exception:
                # Somebody keeps the database: for whoever writes next, which the end does at the latest.
                with self.db_input_cache_lock:
                    self.db_input_cache = lines + self.db_input_cache
                raise


class _Batch:
    """A manager to IPython's functions that write: with lines of its own, and a lock that nobody else has."""

    enabled = True
    db_input_cache_lock = db_output_cache_lock = nullcontext()
    _writeout_input_cache = history.HistoryManager._writeout_input_cache
    _writeout_output_cache = history.HistoryManager._writeout_output_cache

    def __init__(self, manager: HistoryManager) -> None:
        self._manager = manager
        with manager.db_input_cache_lock:
            self.db_input_cache, manager.db_input_cache = manager.db_input_cache, []
        with manager.db_output_cache_lock:
            self.db_output_cache, manager.db_output_cache = manager.db_output_cache, []

    @property
    def session_number(self) -> int:
        return self._manager.session_number

    def new_session(self, conn: Any) -> None:
        self._manager.new_session(conn)


class SavingThread(threading.Thread):
    """In the place of IPython's: opens nothing before there is a line, and writes those of quick cells together."""

    def __init__(self, manager: HistoryManager) -> None:
        super().__init__(name="IPythonHistorySavingThread", daemon=True)
        self.history_manager = ref(manager)
        # Older releases of IPython have it in the manager, newer ones look for it here.
        self.save_flag = manager.save_flag or threading.Event()
        self._is_over = threading.Event()

    def run(self) -> None:
        connection: Any = None
        try:
            while True:
                self.save_flag.wait()
                self._is_over.wait(_BEHIND_CELL)
                self.save_flag.clear()
                # Behind the flag: whoever stops the thread sets both.
                is_over = self._is_over.is_set()
                manager = self.history_manager()
                if manager is not None and manager.has_lines():
                    if not manager.is_kept():
                        return
                    if connection is None:
                        connection = manager.connect()
                    try:
                        manager.writeout_cache(connection)
                    except Exception as error:
                        log.warning("lines of the history wait: %s", text_of(error))
                if is_over or manager is None:
                    return
                del manager
        except Exception as error:
            log.warning("the history is not written any more: %s", text_of(error))
        finally:
            if connection is not None:
                connection.close()

    def stop(self) -> None:
        """Before a fork, and at the end: behind the last line."""
        self._is_over.set()
        self.save_flag.set()
        if self.ident is not None and self is not threading.current_thread():
            self.join()


# What makes the thread looks for it there.
setattr(history, "HistorySavingThread", SavingThread)
