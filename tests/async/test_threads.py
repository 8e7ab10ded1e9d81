"""Threads of other runtimes: posts into the loop, and the hooks around them."""

from __future__ import annotations

import ctypes
import time

import pytest


@pytest.fixture
def session(session):
    """One in which the loop and the threads are at hand."""
    assert session.run("import asyncio, threading, drupe.aio, drupe.threads") == ""
    return session


def test_hooks_are_called_once_and_may_fail(session):
    session.run(
        "calls = []\ndef enter(): calls.append('enter'); 1/0\n"
        "for _ in range(2): drupe.threads.on_enter(enter)\n"
        "drupe.threads.on_exit(lambda: calls.append('exit'))\n"
        "def work():\n    drupe.threads.register('a')\n    drupe.threads.register('b')\n"
        "    drupe.threads.unregister()\n    drupe.threads.unregister()\n"
        "one = threading.Thread(target=work); one.start(); one.join()"
    )
    assert session.run("calls") == "['enter', 'exit']"


def test_posting_from_every_kind_of_thread(session):
    session.run(
        "import ctypes\nfrom drupe.aio import Caller, call_soon\nfrom drupe import post\n"
        "where = []\ndef note(what): where.append((what, threading.current_thread() is threading.main_thread()))"
    )
    session.run("threads = [threading.Thread(target=post, args=(note, 'post')) for _ in range(3)]")
    session.run("threads += [threading.Thread(target=call_soon, args=(note, 'soon'))]")
    session.run(
        "for one in threads: one.start()\nfor one in threads: one.join()\nawait asyncio.sleep(0.05)"
    )
    assert (
        session.run("sorted(where)")
        == "[('post', True), ('post', True), ('post', True), ('soon', True)]"
    )
    # A thread that has nothing to do with Python: the C library's, which calls the function itself.
    session.run(
        "del where[:]\ncaller = Caller(lambda: note('native'))\nlibc = ctypes.CDLL(None)\n"
        "handle = ctypes.c_ulong()\n"
        "_ = libc.pthread_create(ctypes.byref(handle), None, ctypes.c_void_p(caller.address),"
        " ctypes.c_void_p(caller.number))\n_ = libc.pthread_join(handle, None)\nawait asyncio.sleep(0.05)"
    )
    assert session.run("where") == "[('native', True)]"
    assert session.run("caller()") == "True"
    assert session.run("await asyncio.sleep(0.05)\nlen(where)") == "2"
    session.run("caller.close(); caller()\nawait asyncio.sleep(0.05)")
    assert session.run("len(where)") == "2"
    session.run(
        "bad = Caller(lambda: 1/0); bad(); good = Caller(lambda: note('good')); good()\nawait asyncio.sleep(0.05)"
    )
    assert session.run("where[-1]") == "('good', True)"


def test_a_caller_outlives_the_loop(session):
    """Where a cell closes that by force, the next cell has a new one."""
    session.run("from drupe.aio import Caller\nhits = []\ncaller = Caller(lambda: hits.append(1))")
    session.run(
        "loop = asyncio.get_running_loop()\ndef close():\n    loop._thread_id = None\n    loop.close()\n"
        "later = loop.call_later(0.05, close)"
    )
    time.sleep(0.3)
    assert session.run("await asyncio.sleep(0.1)\nloop is asyncio.get_running_loop()") == "False"
    assert session.run("caller()\nawait asyncio.sleep(0.05)\nhits") == "[1]"


def test_what_is_left_of_a_closed_loop_takes_nobody_along(session):
    """The task that served in it is collected while the next one waits for a request."""
    session.run(
        "import gc, threading\ngc.disable()\nloop = asyncio.get_running_loop()\n"
        "def close():\n    loop._thread_id = None\n    loop.close()\nlater = loop.call_later(0.05, close)"
    )
    time.sleep(0.3)
    session.run("del loop, later, close\nthreading.Timer(0.2, gc.collect).start()")
    time.sleep(0.6)
    assert session.run("await asyncio.sleep(0)\n1 + 1") == "2"


def test_a_flood_of_posts_is_bounded(session):
    assert ctypes.sizeof(ctypes.c_ulong) == 8
    session.run("from drupe.aio import Caller\nhits = []\ncaller = Caller(lambda: hits.append(1))")
    assert session.run("taken = sum(caller() for _ in range(70_000)); taken") == str(1 << 16)
    # A turn of the loop calls a thousand.
    assert session.run("while len(hits) < 1 << 16: await asyncio.sleep(0.01)") == ""
    assert session.run("await asyncio.sleep(0.05)\nlen(hits)") == str(1 << 16)
