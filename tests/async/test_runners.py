"""What `%autoawait` may choose, and libraries that run under more than one of them."""

from __future__ import annotations

import pytest

SERVER = """
import http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
"""


@pytest.mark.parametrize("runner", ["asyncio", "trio"])
def test_anyio(session, runner):
    assert session.run(f"%autoawait {runner}\nimport anyio, sniffio, threading") == ""
    assert session.run("await anyio.sleep(0); sniffio.current_async_library()") == f"'{runner}'"
    session.run(
        "done = []\nasync def work(n):\n    await anyio.sleep(0.01)\n    done.append(n)\n"
        "async with anyio.create_task_group() as group:\n    for n in range(3): group.start_soon(work, n)"
    )
    assert session.run("sorted(done)") == "[0, 1, 2]"
    code = "await anyio.to_thread.run_sync(lambda: threading.current_thread() is threading.main_thread())"
    assert session.run(code) == "False"
    code = "with anyio.move_on_after(0.05) as scope:\n    await anyio.sleep(100)\nscope.cancelled_caught"
    assert session.run(code) == "True"
    assert session.run_interrupted("await anyio.sleep(100)").endswith("KeyboardInterrupt")
    code = "async with anyio.create_task_group() as group:\n    group.start_soon(anyio.sleep, 100)"
    assert session.run_interrupted(code).endswith("KeyboardInterrupt")
    assert session.run("await anyio.sleep(0)\n'well'") == "'well'"


@pytest.mark.parametrize("runner", ["asyncio", "trio"])
def test_httpx(session, runner):
    assert session.run(f"%autoawait {runner}\nimport httpx" + SERVER) == ""
    session.run("client = httpx.AsyncClient(trust_env=False)")
    # A connection that one cell has made serves the next.
    for path in ("one", "two"):
        assert session.run(f"(await client.get(url + {path!r})).text") == f"'/{path}'"
    assert session.run("await client.aclose()\nserver.shutdown()") == ""


@pytest.mark.parametrize("runner", ["sync", "False"])
def test_nothing_is_awaited_where_ipython_does_not(session, runner):
    session.run(f"%autoawait {runner}\nimport asyncio")
    assert session.run("await asyncio.sleep(0)") == "SyntaxError"
    session.run("%autoawait asyncio")
    assert session.run("await asyncio.sleep(0, 7)") == "7"


def test_curio(session):
    if "ModuleNotFoundError" in session.run("import curio"):
        # It does not work on newer Pythons.
        assert session.run("import sys; sys.version_info >= (3, 12)") == "True"
        return
    session.run("%autoawait curio")
    assert session.run("await curio.sleep(0.01)\n8") == "8"
    session.run("%autoawait asyncio\nimport asyncio")
    assert session.run("await asyncio.sleep(0, 9)") == "9"
