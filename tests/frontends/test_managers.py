"""jupyter_client's managers: how JupyterLab, nbclient, VS Code's helpers and consoles start, interrupt and end kernels."""

import asyncio
import os
import signal
import time
from datetime import datetime, timedelta, timezone

import psutil
import pytest
from jupyter_client.manager import AsyncKernelManager, KernelManager, start_new_kernel
from jupyter_client.multikernelmanager import MultiKernelManager


def run(client, code, **options):
    """The reply and what was written to stdout."""
    said = []

    def hook(message):
        if message["msg_type"] == "stream":
            said.append(message["content"]["text"])

    reply = client.execute_interactive(code, timeout=60, output_hook=hook, **options)
    return reply["content"], "".join(said)


def process_of(manager) -> psutil.Process:
    return psutil.Process(manager.provisioner.process.pid)


def reply_to(client, request):
    """The reply to one request: answers to earlier kernel_info requests may still lie before it."""
    while True:
        reply = client.get_shell_msg(timeout=30)
        if reply["parent_header"]["msg_id"] == request:
            return reply["content"]


def wait_for_output(client):
    while client.get_iopub_msg(timeout=30)["msg_type"] != "stream":
        pass


@pytest.mark.parametrize("name", ["drupe", "drupe-signal"])
@pytest.mark.parametrize("end", ["shutdown", "restart"])
def test_a_cell_cleans_up_when_a_manager_ends_its_kernel(name, end, tmp_path):
    """A manager interrupts right before it asks for the end. The `finally` block, which takes a while, is struck by neither."""
    kept = tmp_path / "kept"
    manager, client = start_new_kernel(kernel_name=name)
    try:
        client.execute(
            "try:\n    print('ready', flush=True)\n    while True: abs(1)\n"
            f"finally:\n    for _ in range(500_000): abs(1)\n    open({str(kept)!r}, 'w').write('kept')"
        )
        wait_for_output(client)
        if end == "restart":
            manager.restart_kernel()
            client.wait_for_ready(timeout=30)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    assert kept.read_text() == "kept"


@pytest.mark.parametrize("name", ["drupe", "drupe-signal"])
def test_start_interrupt_restart_shutdown(name):
    manager, client = start_new_kernel(kernel_name=name)
    try:
        for _ in range(3):
            request = client.execute("import time\nprint('ready', flush=True)\ntime.sleep(60)")
            wait_for_output(client)
            manager.interrupt_kernel()
            assert reply_to(client, request)["ename"] == "KeyboardInterrupt"
        content, said = run(client, "x = 1\nprint(x)")
        assert (content["status"], said) == ("ok", "1\n")
        before = process_of(manager).pid
        manager.restart_kernel()
        client.wait_for_ready(timeout=30)
        assert process_of(manager).pid != before
        content, _ = run(client, "x")
        assert content["ename"] == "NameError"
    finally:
        client.stop_channels()
    process = process_of(manager)
    manager.shutdown_kernel()
    assert not process.is_running()


def test_shutdown_does_not_wait_for_the_signal():
    """jupyter_client sends SIGTERM after 2.5 s; a kernel in a sleep, or idle, is gone long before."""
    for code in ["", "import time\nprint('ready', flush=True)\ntime.sleep(60)"]:
        manager, client = start_new_kernel(kernel_name="drupe")
        if code:
            client.execute(code)
            wait_for_output(client)
        client.stop_channels()
        process = manager.provisioner.process
        begun = time.monotonic()
        manager.shutdown_kernel()
        assert time.monotonic() - begun < 2.4
        assert process.returncode == 0, "front-ends show an error for any other status"


def test_shutdown_now():
    manager, client = start_new_kernel(kernel_name="drupe")
    client.stop_channels()
    process = process_of(manager)
    manager.shutdown_kernel(now=True)
    assert not process.is_running()


def test_restart_twice_keeps_the_connection(kernel):
    manager, client = kernel
    for _ in range(2):
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=30)
        assert run(client, "print('again')")[1] == "again\n"


def test_a_kernel_that_died_is_restarted():
    from jupyter_client.restarter import KernelRestarter

    manager, client = start_new_kernel(kernel_name="drupe")
    restarter = KernelRestarter(kernel_manager=manager)
    try:
        os.kill(process_of(manager).pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while manager.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        restarter.poll()
        client.wait_for_ready(timeout=30)
        assert run(client, "print('back')")[1] == "back\n"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_async_manager():
    async def scenario():
        manager = AsyncKernelManager(kernel_name="drupe")
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=30)
        reply = await client.execute_interactive(
            "1 + 1", timeout=30, output_hook=lambda message: None
        )
        assert reply["content"]["status"] == "ok"
        client.stop_channels()
        await manager.shutdown_kernel()

    asyncio.run(scenario())


def test_several_kernels_at_once():
    managers = MultiKernelManager(default_kernel_name="drupe")
    names = [managers.start_kernel() for _ in range(4)]
    clients = []
    for name in names:
        client = managers.get_kernel(name).client()
        client.start_channels()
        clients.append(client)
    for number, client in enumerate(clients):
        client.wait_for_ready(timeout=60)
        assert run(client, f"print({number})")[1] == f"{number}\n"
        client.stop_channels()
    managers.shutdown_all()
    assert managers.list_kernel_ids() == []


def test_ipc_transport():
    manager = KernelManager(kernel_name="drupe", transport="ipc")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=30)
        assert run(client, "print('over a socket file')")[1] == "over a socket file\n"
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def test_input_by_a_console(kernel):
    _, client = kernel
    answers = []

    def stdin_hook(message):
        answers.append(message["content"]["prompt"])
        client.input("from the console")

    content, said = run(client, "print(input('ask? '))", allow_stdin=True, stdin_hook=stdin_hook)
    assert (content["status"], said, answers) == ("ok", "from the console\n", ["ask? "])


def test_the_heart_beats_while_the_kernel_is_busy(kernel):
    _, client = kernel
    client.hb_channel.unpause()
    request = client.execute(
        "import ctypes\nprint('ready', flush=True)\nctypes.PyDLL(None).sleep(3)"
    )
    wait_for_output(client)
    time.sleep(1.5)
    assert client.hb_channel.is_beating()
    assert reply_to(client, request)["status"] == "ok"


def test_the_end_of_its_parent_is_the_kernel_s_end(tmp_path):
    """A manager that was killed leaves no kernel behind."""
    import subprocess
    import sys

    code = (
        "import os, signal\n"
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel(kernel_name='drupe')\n"
        "print(manager.provisioner.process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    process = int(parent.stdout)
    deadline = time.monotonic() + 5
    while psutil.pid_exists(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not psutil.pid_exists(process)


@pytest.mark.parametrize("word", ["exit", "quit()"])
def test_a_console_hears_that_a_cell_has_asked_for_the_end(word):
    """As jupyter_console waits: for the output, asking for input every 50 ms; then for the reply, as long as the kernel is alive."""
    for _ in range(5):
        manager, client = start_new_kernel(kernel_name="drupe")
        try:
            request = client.execute(word)
            idle = client.get_iopub_msg(timeout=30)
            while idle["content"].get("execution_state") != "idle":
                idle = client.get_iopub_msg(timeout=30)
            time.sleep(0.06)
            alive = manager.is_alive()
            age = datetime.now(timezone.utc) - idle["header"]["date"]
            # The kernel stays for 0.15 s. Who looks later than any console does proves nothing, and looks at another one.
            if not alive and age > timedelta(seconds=0.12):
                continue
            assert alive, "nobody would look for the reply any more"
            payload = reply_to(client, request)["payload"]
            assert [one["source"] for one in payload] == ["ask_exit"]
            end = time.monotonic() + 5
            while manager.is_alive() and time.monotonic() < end:
                time.sleep(0.01)
            assert not manager.is_alive()
            return
        finally:
            client.stop_channels()
            manager.shutdown_kernel()
    pytest.fail("this process is too slow to tell")
