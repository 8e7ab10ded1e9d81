"""What a kernel must do on any Python: start, cells, errors, interrupts, restart, the end. And the tour, by nbclient."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import pytest
from kernels import HERE, Newer, command, plain


@pytest.fixture(params=["launcher", "python"])
def argv(request, python):
    return command(python, door=request.param)


def test_cells_and_errors(argv, python):
    with Newer(argv) as kernel:
        assert kernel.ok("import sys; print(sys.executable)").text() == f"{python}\n"
        assert kernel.ok("6 * 7").value == "42"
        failed = kernel.run("def inner():\n    return 1 / 0\ninner()")
        assert failed.error == "ZeroDivisionError: division by zero"
        trace = plain("".join(failed.contents("error")[0]["traceback"]))
        assert "----> 3 inner()" in trace and "in inner()" in trace
        assert kernel.run("if True print()").error.startswith("SyntaxError")
        assert kernel.ok("import asyncio\nawait asyncio.sleep(0, 'awaited')").value == "'awaited'"
        assert kernel.ok("%%bash\necho from bash").text() == "from bash\n"
        assert kernel.end() == 0
        assert kernel.said() == ""


@pytest.mark.parametrize("code", ["import time\ntime.sleep(60)", "while True: pass", "input()"])
def test_interrupt(argv, code):
    with Newer(argv) as kernel:
        cell = kernel.send(
            "execute_request", {"code": f"print('begun', flush=True)\n{code}", "allow_stdin": True}
        )
        kernel.until_said("begun")
        time.sleep(0.2)
        kernel.interrupt()
        assert kernel.until_idle(cell).reply["content"]["ename"] == "KeyboardInterrupt"
        assert kernel.ok("6 * 7").value == "42"


def test_an_await_is_interrupted(kernel):
    cell = kernel.send(
        "execute_request", {"code": "import asyncio\nprint('begun')\nawait asyncio.sleep(60)"}
    )
    kernel.until_said("begun")
    timer = threading.Timer(0.2, kernel.manager.interrupt_kernel)
    timer.start()
    assert kernel.until_idle(cell).status == "error"
    timer.join()
    assert kernel.ok("6 * 7").value == "42"


def test_restart(argv):
    with Newer(argv) as kernel:
        kernel.ok("kept = 1")
        before = kernel.pid
        kernel.manager.restart_kernel()
        kernel.client.wait_for_ready(timeout=30)
        assert kernel.pid != before
        assert kernel.run("kept").error.startswith("NameError")


def test_it_ends_in_time(argv):
    """Beside a thread that does not end, with what is still to be said."""
    with Newer(argv) as kernel:
        kernel.ok(
            "import atexit, threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()"
        )
        kernel.ok("atexit.register(print, 'bye')")
        assert kernel.end() == 0
        said = ""
        while "bye" not in said:
            said += kernel.client.get_iopub_msg(timeout=5)["content"].get("text", "")


@pytest.mark.parametrize("flags", [["--loop", "uvloop"], ["--lsp-types", "ty"]], ids=" ".join)
def test_with_flags(python, flags):
    with Newer(command(python, *flags)) as kernel:
        assert kernel.ok("import asyncio\nawait asyncio.sleep(0, 'awaited')").value == "'awaited'"
        assert kernel.end() == 0


def test_tour(python, folders):
    spec = {
        "argv": command(python),
        "display_name": "newer",
        "language": "python",
        "interrupt_mode": "message",
    }
    target = folders / "share" / "kernels" / "newer"
    target.mkdir(parents=True, exist_ok=True)
    (target / "kernel.json").write_text(json.dumps(spec))
    tour = [sys.executable, str(HERE / "examples" / "run_tour.py"), "--kernel", "newer"]
    done = subprocess.run(tour, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
