"""Whose output it is: that of tasks and threads while other cells run, line by line."""

from __future__ import annotations

import time

import pytest

CELLS = 10
WORKERS = 5
LINES = 60

SETUP = f"""
import asyncio, threading, time
shell = get_ipython()
behind = {{}}
def latest():
    return shell.get_parent().get("header", {{}}).get("msg_id")
def work(who):
    for n in range({LINES}):
        before = latest()
        # One write, so that no other thread's comes between.
        print(f"{{who}} {{n}} {{before}}\\n", end="")
        behind[who, n] = latest()
        time.sleep(0.02)
async def task(who):
    for n in range({LINES}):
        print(f"{{who}} {{n}} task\\n", end="")
        behind[who, n] = None
        await asyncio.sleep(0.02)
def grandparent(who):
    threading.Thread(target=work, args=(who + "-child",)).start()
    work(who)
"""


class Said:
    """Lines by the cell that they came to, in their order."""

    def __init__(self, session):
        self.session = session
        self.text: dict[str, str] = {}

    @property
    def by_cell(self) -> dict[str, list[list[str]]]:
        return {
            cell: [line.split() for line in text.splitlines()] for cell, text in self.text.items()
        }

    def listen_until(self, lines: int) -> None:
        """Until there are so many, from whomever. A line may come in two messages."""
        end, heard = time.monotonic() + 60, 0
        while heard < lines:
            assert time.monotonic() < end, heard
            message = self.session.client.get_iopub_msg(timeout=30)
            cell = message["parent_header"].get("msg_id")
            if message["msg_type"] == "stream":
                text = message["content"]["text"]
                self.text[cell] = self.text.get(cell, "") + text
                heard += text.count("\n")

    def of(self, who: str) -> list[tuple[str, list[str]]]:
        """The lines of one worker, each with its cell."""
        return [
            (cell, line) for cell, lines in self.by_cell.items() for line in lines if line[0] == who
        ]


def play(
    session, starts: dict[str, str], workers: list[str], cells: int = CELLS
) -> tuple[Said, dict[str, str]]:
    """Start the workers, each by a cell of its own, run some cells beside them, and listen to the end. Returns what was said, and who
    was started by which cell."""
    said, by = Said(session), {}
    for who, code in starts.items():
        by[who] = session.client.execute(code)
    for n in range(cells):
        session.client.execute(f"print('other {n} -\\n', end='')\nawait asyncio.sleep(0.1)")
    said.listen_until(LINES * len(workers) + cells)
    return said, by


def whole(said: Said, workers: list[str]) -> None:
    """None lost, none twice."""
    for who in workers:
        numbers = sorted(int(line[1]) for _, line in said.of(who))
        assert numbers == [*range(LINES)], who


def test_threads_put_out_to_the_latest_cell_and_tasks_to_their_own(session):
    session.run(SETUP)
    threads = [f"thread{n}" for n in range(WORKERS)]
    tasks = [f"task{n}" for n in range(WORKERS)]
    starts = {who: f"threading.Thread(target=work, args=({who!r},)).start()" for who in threads}
    starts |= {
        who: f"{who} = asyncio.get_running_loop().create_task(task({who!r}))" for who in tasks
    }
    said, by = play(session, starts, threads + tasks)
    whole(said, threads + tasks)
    for who in tasks:
        assert {cell for cell, _ in said.of(who)} == {by[who]}
    behind = eval(session.run("behind"))
    for who in threads:
        lines = said.of(who)
        assert len({cell for cell, _ in lines}) > 3
        for cell, (_, n, before) in lines:
            assert cell in (before, behind[who, int(n)]), (who, n)


def test_threads_and_their_children_may_keep_to_the_cell_that_started_them(session):
    session.run(SETUP)
    assert session.run("%config ZMQInteractiveShell.thread_output = 'cell'") == ""
    threads = [f"thread{n}" for n in range(WORKERS)]
    children = [f"{who}-child" for who in threads]
    starts = {
        who: f"threading.Thread(target=grandparent, args=({who!r},)).start()" for who in threads
    }
    said, by = play(session, starts, threads + children)
    whole(said, threads + children)
    for who in threads:
        assert {cell for cell, _ in said.of(who) + said.of(f"{who}-child")} == {by[who]}
    # And back.
    session.run("%config ZMQInteractiveShell.thread_output = 'latest'")
    session.run(
        "go = threading.Event()\nlate = threading.Thread(target=lambda: (go.wait(), print('late')))\nlate.start()"
    )
    assert session.run("go.set(); late.join()") == "late\n"
    assert "'latest', 'cell'" in session.run("%config ZMQInteractiveShell.thread_output = 'nobody'")


def test_a_thread_says_itself_where_its_output_goes(session):
    session.run(SETUP)
    # One write a line: the latest cell may be another one between two.
    starts = {
        "pinned": "mine = shell.get_parent()\ndef pinned():\n    token = shell.set_thread_parent(mine)\n"
        "    for n in range(60):\n        if n == 20:\n            shell.reset_thread_parent(token)\n"
        "        print(f'pinned {n} -\\n', end='')\n        time.sleep(0.02)\n"
        "threading.Thread(target=pinned).start()"
    }
    # Enough cells for a thread that is late with its first lines.
    said, by = play(session, starts, ["pinned"], 2 * CELLS)
    whole(said, ["pinned"])
    for cell, (_, n, _) in said.of("pinned"):
        if int(n) < 20:
            assert cell == by["pinned"]
    assert len({cell for cell, (_, n, _) in said.of("pinned") if int(n) >= 20}) > 2


@pytest.mark.parametrize(
    "code",
    [
        "asyncio.to_thread(work, 'w')",
        "asyncio.get_running_loop().create_task(asyncio.to_thread(work, 'w'))",
    ],
)
def test_a_job_of_a_task_s_is_the_task_s(session, code):
    """It runs in the task's context, on whatever thread."""
    session.run(SETUP)
    said, by = play(session, {"w": f"job = asyncio.ensure_future({code})"}, ["w"])
    whole(said, ["w"])
    assert {cell for cell, _ in said.of("w")} == {by["w"]}
