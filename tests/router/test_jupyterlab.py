"""Each notebook's document is answered by its own kernel, and by the source where that is none or not drupe's."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from conftest import LAUNCHER, PATIENCE, Page, Server, processes, until
from jupyter_server.auth import passwd


def offered(page: Page, path: str, name: str, line: int = 0, character: int = 4):
    return until(lambda: name in page.names(path, line, character), f"{name} is offered in {path}")


def test_jupyter_lsp_knows_the_server(server: Server, page: Page):
    spec = server.ask("lsp/status")["specs"]["drupe"]
    assert spec["languages"] == ["python"] and spec["requires_documents_on_disk"] is False
    assert page.answer["serverInfo"]["name"] == "drupe"
    assert server.ask("lsp/status")["sessions"]["drupe"]["status"] == "started"


def test_each_notebook_has_its_own_kernel(server: Server, page: Page):
    first, second = server.open("first.ipynb"), server.open("sub folder/zweites é.ipynb")
    server.run(first, "only_in_first = 1")
    server.run(second, "only_in_second = 2")
    newest = server.open("unopened.ipynb")
    server.run(newest, "only_in_newest = 3")
    page.show("first.ipynb", "only\n")
    page.show("sub folder/zweites é.ipynb", "only\n")
    offered(page, "first.ipynb", "only_in_first")
    offered(page, "sub folder/zweites é.ipynb", "only_in_second")
    for path, name in (
        ("first.ipynb", "only_in_first"),
        ("sub folder/zweites é.ipynb", "only_in_second"),
    ):
        ours = {one for one in page.names(path, 0, 4) if one.startswith("only_in")}
        assert ours == {name}
    # An edit counts in both.
    page.edit("first.ipynb", "a_name_of_the_text = 1\nonly_in_first.re\na_name\n")
    assert "real" in page.names("first.ipynb", 1, 16)
    assert "a_name_of_the_text" in page.names("first.ipynb", 2, 6)


def test_a_kernel_that_starts_later(server: Server, page: Page):
    page.show("later.ipynb", "in_text = 1\nin_\n")
    assert "in_text" in page.names("later.ipynb", 1, 3)
    server.run(server.open("later.ipynb"), "in_session = 1")
    offered(page, "later.ipynb", "in_session", 1, 3)
    assert "in_text" in page.names("later.ipynb", 1, 3)


def test_a_restart(server: Server, page: Page):
    kernel = server.open("restarted.ipynb")
    server.run(kernel, "before_restart = 1")
    page.show("restarted.ipynb", "befo\n")
    offered(page, "restarted.ipynb", "before_restart")
    server.ask(f"api/kernels/{kernel}/restart", "POST")
    # What was known is gone, and every question has an answer at any time.
    page.edit("restarted.ipynb", "befo\nafter_all = 1\nafter")
    assert "after_all" in page.names("restarted.ipynb", 2, 5)
    until(lambda: "before_restart" not in page.names("restarted.ipynb", 0, 4), "it is forgotten")
    server.run(kernel, "before_or_after = 2")
    offered(page, "restarted.ipynb", "before_or_after")
    assert "after_all" in page.names("restarted.ipynb", 2, 5)
    assert "before_restart" not in page.names("restarted.ipynb", 0, 4)


def test_a_kernel_that_dies_while_it_is_asked(server: Server, page: Page):
    kernel = server.open("dies.ipynb")
    server.run(kernel, "import os; kernel_pid = os.getpid()")
    page.show("dies.ipynb", "kernel\n")
    offered(page, "dies.ipynb", "kernel_pid", 0, 6)
    (pid,) = (
        pid
        for pid, command in processes(str(server.runtime)).items()
        if f"kernel-{kernel}" in command
    )
    numbers = []
    document = {"textDocument": {"uri": page.uri("dies.ipynb")}}
    for round_ in range(200):
        page.number += 1
        page.send(
            id=page.number,
            method="textDocument/hover",
            params=document | {"position": {"line": 0, "character": 1}},
        )
        numbers.append(page.number)
        if round_ == 100:
            os.kill(pid, signal.SIGKILL)
    for number in numbers:
        page.answer_to(number)


def test_another_kernel_is_answered_from_the_source(server: Server, page: Page):
    kernel = server.open("other.ipynb", "python3")
    server.run(kernel, "in_session = 1")
    page.show("other.ipynb", "in_text = 1\nin_\n")
    until(lambda: "in_text" in page.names("other.ipynb", 1, 3), "the source answers")
    # It has been asked by now; its other clients have seen nothing of it.
    page.socket.settimeout(PATIENCE)
    assert "in_session" not in page.names("other.ipynb", 1, 3)
    assert "No such comm target" not in server.log()


def test_a_notebook_that_gets_another_kernel(server: Server, page: Page):
    server.run(server.open("changed.ipynb"), "of_the_first = 1")
    page.show("changed.ipynb", "of_the\n")
    offered(page, "changed.ipynb", "of_the_first", 0, 6)
    (session,) = (one for one in server.ask("api/sessions") if one["path"] == "changed.ipynb")
    change = {"id": session["id"], "kernel": {"name": "drupe"}}
    changed = server.ask(f"api/sessions/{session['id']}", "PATCH", change)
    server.run(changed["kernel"]["id"], "of_the_second = 1")
    offered(page, "changed.ipynb", "of_the_second", 0, 6)
    assert "of_the_first" not in page.names("changed.ipynb", 0, 6)


def test_a_second_page(server: Server, page: Page):
    """Both share one process; each says `initialize`, and the answers of either reach both."""
    server.run(server.open("shared.ipynb"), "shared_name = 1")
    page.show("shared.ipynb", "shar\n")
    offered(page, "shared.ipynb", "shared_name")
    second = Page(server)
    second.number = 1000
    assert second.answer == page.answer
    second.show("shared.ipynb", "shar\n")
    assert "shared_name" in second.names("shared.ipynb", 0, 4)
    second.close()
    assert "shared_name" in page.names("shared.ipynb", 0, 4)


def test_nothing_counts_as_use(server: Server, page: Page):
    """A server, or a kernel, that ends when nobody uses it does so: looking for kernels is no use of either."""
    kernel = server.open("idle.ipynb")
    server.run(kernel, "idle_name = 1")
    page.show("idle.ipynb", "idle\n")
    offered(page, "idle.ipynb", "idle_name")

    def used():
        kernels = server.ask("api/kernels?no_track_activity=1")
        kernels = {one["id"]: one["last_activity"] for one in kernels}
        return server.ask("api/status?no_track_activity=1")["last_activity"], kernels[kernel]

    before = used()
    # The router looks every two seconds while its client has something to say.
    end = time.monotonic() + 5
    while time.monotonic() < end:
        assert "idle_name" in page.names("idle.ipynb", 0, 4)
    assert used() == before


def test_pages_that_come_and_go_push_nobody_out(server: Server):
    """A kernel serves eight at most; a page that is loaded anew takes the place of the one before, not of an editor."""
    kernel = server.open("reloaded.ipynb")
    server.run(kernel, "kept_name = 1")
    file = server.runtime / f"kernel-{kernel}.json"
    editor = subprocess.Popen(
        [LAUNCHER, "lsp", "--existing", file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}'
    editor.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    editor.stdin.flush()
    assert editor.stdout.readline().startswith(b"Content-Length")
    for _ in range(10):
        page = Page(server)
        page.show("reloaded.ipynb", "kept\n")
        offered(page, "reloaded.ipynb", "kept_name")
        page.close()
        until(lambda: not server.servers(), "the page is gone")
    assert editor.poll() is None
    editor.stdin.close()
    assert editor.wait(PATIENCE) == 0


def test_the_last_page_ends_it(server: Server):
    page = Page(server)
    # That of the page before may still be about to end.
    until(lambda: len(server.servers()) == 1, "it is the only one")
    (pid,) = server.servers()
    page.close()
    until(lambda: pid not in server.servers(), "the language server has ended")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_the_server_leaves_nothing(start, how):
    server = start("--ServerApp.base_url=/user/somebody/")
    server.run(server.open("x.ipynb"), "in_session = 1")
    page = Page(server)
    page.show("x.ipynb", "in_\n")
    offered(page, "x.ipynb", "in_session", 0, 3)
    assert len(server.servers()) == 1
    server.process.send_signal(how)
    server.process.wait(PATIENCE)
    until(lambda: not processes(str(server.runtime)), "all processes have ended")


def test_a_server_that_cannot_be_asked(start):
    """With a password alone there is no token; the kernels' processes tell whose they are."""
    flag = f"--PasswordIdentityProvider.hashed_password={passwd('secret')}"
    locked = start(flag, token="")
    assert locked.info["token"] == ""
    locked.log_in("secret")
    first, second = locked.open("first.ipynb"), locked.open("sub/second.ipynb")
    locked.run(first, "only_in_first = 1")
    locked.run(second, "only_in_second = 1")
    page = Page(locked)
    page.show("first.ipynb", "only\n")
    page.show("sub/second.ipynb", "only\n")
    offered(page, "first.ipynb", "only_in_first")
    offered(page, "sub/second.ipynb", "only_in_second")
    assert "only_in_second" not in page.names("first.ipynb", 0, 4)
    assert locked.log().count("drupe lsp: kernels are found by their processes") == 1
    page.close()
