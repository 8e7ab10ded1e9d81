"""What is known of the namespace while a cell runs, however much is in it; and that no cell pays for that."""

import time

import pytest
from cells import Kernel
from conftest import command

MANY = "globals().update({f'name_{n}': n for n in range(50_000)})"
# How often a picture of the namespace is begun.
COUNT = (
    "from drupe.inspection import Inspector\nbegun, steps = [], Inspector.steps\n"
    "def counted(self):\n    begun.append(1)\n    return (yield from steps(self))\n"
    "Inspector.steps = counted"
)


@pytest.fixture
def kernel():
    with Kernel(command()) as kernel:
        # The first picture needs a moment.
        kernel.run("pass")
        time.sleep(0.5)
        yield kernel


def matches(kernel, code):
    request = kernel.send("complete_request", {"code": code, "cursor_pos": len(code)})
    end = time.monotonic() + 10
    while True:
        reply = kernel.client.get_shell_msg(timeout=end - time.monotonic())
        if reply["parent_header"]["msg_id"] == request:
            return reply["content"]["matches"]


def busy(kernel, seconds=3):
    kernel.send(
        "execute_request",
        {"code": f"import time; print('on', flush=True); time.sleep({seconds})", "silent": False},
    )
    while True:
        message = kernel.client.get_iopub_msg(timeout=10)
        if message["msg_type"] == "stream":
            return


def wait_for_a_picture(kernel):
    """Between pauses, since none is begun beside cells."""
    for _ in range(20):
        time.sleep(0.5)
        if kernel.run("len(begun)").value != "0":
            return
    pytest.fail("no picture was begun")


def test_a_name_is_known_in_the_cell_right_behind(kernel):
    kernel.run("latest_of_all = 1")
    busy(kernel)
    assert matches(kernel, "latest_of") == ["latest_of_all"]


@pytest.mark.parametrize("at_first", [True, False])
@pytest.mark.parametrize("many", ["", MANY.replace("50_000", "2_000")])
def test_names_of_cells_that_were_sent_together_are_known_in_the_last(at_first, many):
    """As of a notebook that is run from its top, the last cell of which takes long."""
    with Kernel(command()) as kernel:
        if not at_first:
            kernel.run("pass")
            time.sleep(0.5)
        # What costs more than half a millisecond, as on a slow machine, is done where the cells have taken a hundred times that.
        pause = "time.sleep(4)" if many else "time.sleep(0.5)"
        for code in ["import time", many, pause, "latest_of_all = 1", pause, "last = 1"]:
            kernel.send("execute_request", {"code": code, "silent": False})
        busy(kernel)
        assert matches(kernel, "latest_of") == ["latest_of_all"]


@pytest.mark.parametrize("imports", ["", "import asyncio"])
def test_a_name_among_many_is_known_after_a_moment(kernel, imports):
    """Without a loop, and with one."""
    kernel.run(imports)
    kernel.run(MANY)
    kernel.run("latest_of_all = 1")
    time.sleep(1.5)
    busy(kernel)
    assert matches(kernel, "latest_of") == ["latest_of_all"]


@pytest.mark.parametrize("imports", ["", "import asyncio"])
def test_no_cell_pays_for_many_names(kernel, imports):
    kernel.run(imports)
    kernel.run(COUNT)
    kernel.run("few = 1")
    wait_for_a_picture(kernel)
    kernel.run(MANY)
    kernel.run("begun.clear()")
    for n in range(30):
        kernel.run(f"more_{n} = {n}")
    # None for each; but where the machine makes pauses between them, a picture may be begun in one.
    assert int(kernel.run("len(begun)").value) <= 10
    wait_for_a_picture(kernel)


def test_a_thread_that_binds_names_all_the_time_harms_nothing(kernel):
    kernel.run(MANY)
    kernel.run(
        "import threading, time\ndef bind():\n    n = 0\n    while not over:\n        globals()[f'of_thread_{n % 5000}'] = n\n"
        "        n += 1\n        if not n % 50: time.sleep(0.001)\nover = False\nthreading.Thread(target=bind).start()"
    )
    for n in range(20):
        assert kernel.run(f"{n} + 1").value == str(n + 1)
        time.sleep(0.1)
    kernel.run("over = True")
    kernel.log.seek(0)
    assert "no snapshot" not in kernel.log.read()


# The main thread is kept for a moment between a cell's reply and its end, as on a machine with much to do.
LATE = """
import time
from drupe import requests
def late(execute):
    async def slowly(*args, **options):
        await execute(*args, **options)
        time.sleep(0.5)
    requests.execute = slowly
late(requests.execute)
"""


@pytest.mark.parametrize("kind", ["complete_request", "inspect_request"])
def test_who_has_a_cells_reply_is_told_what_it_has_bound(kernel, kind):
    kernel.run(LATE)
    cell = kernel.send("execute_request", {"code": "latest_of_all = 5", "silent": False})
    while kernel.client.get_shell_msg(timeout=10)["parent_header"]["msg_id"] != cell:
        pass
    if kind == "complete_request":
        assert matches(kernel, "latest_of") == ["latest_of_all"]
    else:
        asked = kernel.send(kind, {"code": "latest_of_all", "cursor_pos": 3, "detail_level": 0})
        while (reply := kernel.client.get_shell_msg(timeout=10))["parent_header"][
            "msg_id"
        ] != asked:
            pass
        # IPython's own answer, as between any other two cells.
        assert "Type:" in reply["content"]["data"]["text/plain"]


def test_who_asks_between_two_cells_does_not_wait_for_the_second(kernel):
    kernel.run(LATE)
    first = kernel.send("execute_request", {"code": "latest_of_all = 5", "silent": False})
    kernel.send("execute_request", {"code": "time.sleep(5)", "silent": False})
    while kernel.client.get_shell_msg(timeout=10)["parent_header"]["msg_id"] != first:
        pass
    begun = time.monotonic()
    matches(kernel, "latest_of")
    assert time.monotonic() - begun < 3
    kernel.interrupt()
