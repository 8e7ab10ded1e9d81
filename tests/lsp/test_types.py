"""A type checker asked besides (`--lsp-types`): a real one, and impostors that hang, die, flood, never read, are slow or crash."""

from __future__ import annotations

import itertools
import pathlib
import signal
import stat
import sys
import time

import psutil
import pytest
from conftest import Document, command, initialize, start, stop
from jupyter_client.manager import KernelManager
from lsprotocol import types
from pytest_lsp import make_test_lsp_client
from test_kernel import NAME, activate

pytestmark = pytest.mark.asyncio

CODE = """
import json
from pathlib import Path

class Home:
    def folder(self, depth: int) -> Path: ...

home = Home()
"""
READY = 15
"""Seconds that a type checker may need until it answers."""


async def labels(client, document) -> list[str]:
    found = await client.text_document_completion_async(document.params(types.CompletionParams))
    return [item.label for item in found.items]


async def until(question, holds):
    """Asks until the answer holds: the type checker starts and indexes beside us."""
    end = time.monotonic() + READY
    while not holds(answer := await question()) and time.monotonic() < end:
        time.sleep(0.1)
    return answer


async def test_a_type_checker_completes_what_the_source_does_not_tell():
    client = await start("--lsp-types=ty")
    try:
        document = Document(client, CODE + "home.folder(1).|", "file:///tmp/typed.py")
        found = await until(lambda: labels(client, document), lambda found: "iterdir" in found)
        assert "iterdir" in found
        assert len(found) == len(set(found))

        # What we know ourselves stays first and is there once.
        document = Document(client, CODE + "home.fo|", "file:///tmp/typed2.py")
        assert await labels(client, document) == ["folder"]
    finally:
        await stop(client)


async def test_arguments_are_known_of_what_the_session_does_not_know():
    client = await start()
    try:
        for typed in ("", "ski"):
            document = Document(client, CODE + f"json.dumps({typed}|", "file:///tmp/typed.py")
            found = await until(
                lambda: complete(client, document),  # noqa: B023
                lambda found: any(item.label == "skipkeys=" for item in found.items),
            )
            first = min(found.items, key=lambda item: item.sort_text)
            assert first.label.endswith("=")
            labels_ = [item.label for item in found.items]
            assert len(labels_) == len(set(labels_))
    finally:
        await stop(client)


async def test_hover_signature_and_definition_reach_beyond_the_open_documents():
    client = await start("--lsp-types=ty")
    try:
        document = Document(client, CODE + "json.dumps(|", "file:///tmp/typed.py")
        help_ = await until(
            lambda: client.text_document_signature_help_async(
                document.params(types.SignatureHelpParams)
            ),
            bool,
        )
        assert "skipkeys" in help_.signatures[0].label

        document = Document(client, CODE + "home.fol|der", "file:///tmp/typed2.py")
        hover = await client.text_document_hover_async(document.params(types.HoverParams))
        assert "-> Path" in hover.contents.value

        document = Document(client, CODE + "json.dum|ps", "file:///tmp/typed3.py")
        places = await client.text_document_definition_async(
            document.params(types.DefinitionParams)
        )
        assert [place.uri.rsplit("/", 2)[-2] for place in places] == ["json"]
    finally:
        await stop(client)


async def test_a_notebook_is_one_program_to_the_type_checker():
    client = await start("--lsp-types=ty")
    try:
        texts = ["%matplotlib inline\n" + CODE, "é = '🙂'; home.folder(1)."]
        cells = [f"vscode-notebook-cell:/tmp/typed.ipynb#W{index}" for index in range(2)]
        client.notebook_document_did_open(
            types.DidOpenNotebookDocumentParams(
                types.NotebookDocument(
                    uri="file:///tmp/typed.ipynb",
                    notebook_type="jupyter-notebook",
                    version=1,
                    cells=[types.NotebookCell(types.NotebookCellKind.Code, uri) for uri in cells],
                ),
                [
                    types.TextDocumentItem(uri, "python", 1, text)
                    for uri, text in zip(cells, texts, strict=True)
                ],
            )
        )
        encoding = client.initialized.capabilities.position_encoding
        width = {"utf-8": lambda text: len(text.encode()), "utf-32": len}.get(
            encoding, lambda text: len(text.encode("utf-16-le")) // 2
        )

        async def complete():
            found = await client.text_document_completion_async(
                types.CompletionParams(
                    types.TextDocumentIdentifier(cells[1]), types.Position(0, width(texts[1]))
                )
            )
            return [item.label for item in found.items]

        assert "iterdir" in await until(complete, lambda found: "iterdir" in found)
    finally:
        await stop(client)


async def test_references_and_rename_reach_files_that_are_not_open(tmp_path):
    (tmp_path / "shapes.py").write_text("def area(side): return side\n")
    (tmp_path / "use.py").write_text("from shapes import area\né = '🙂', area(1)\n")
    client = make_test_lsp_client()
    await client.start_io(*command())
    client.initialized = await client.initialize_session(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(), root_uri=tmp_path.as_uri(), process_id=None
        )
    )
    try:
        uri = (tmp_path / "shapes.py").as_uri()
        document = Document(client, "def ar|ea(side): return side\n", uri)

        async def places():
            found = await client.text_document_references_async(
                document.params(types.ReferenceParams, context=types.ReferenceContext(True))
            )
            return sorted(
                (it.uri.rsplit("/")[-1], it.range.start.line, it.range.start.character)
                for it in found
            )

        # In the client's characters, of which a face has two.
        everywhere = [("shapes.py", 0, 4), ("use.py", 0, 19), ("use.py", 1, 10)]
        assert await until(places, lambda found: len(found) > 1) == everywhere
        edit = await client.text_document_rename_async(
            document.params(types.RenameParams, new_name="size")
        )
        changed = sorted(
            (uri.rsplit("/")[-1], it.range.start.line, it.new_text)
            for uri, edits in edit.changes.items()
            for it in edits
        )
        assert changed == [("shapes.py", 0, "size"), ("use.py", 0, "size"), ("use.py", 1, "size")]

        # A method is renamed where only its type tells that it is this one.
        method = "class A:\n    def |f(self): ...\nclass B(A): ...\nB().f()\nC().f()"
        document = Document(client, method, (tmp_path / "method.py").as_uri())
        edit = await client.text_document_rename_async(
            document.params(types.RenameParams, new_name="new")
        )
        after = "class A:\n    def new(self): ...\nclass B(A): ...\nB().new()\nC().f()"
        assert document.apply(edit.changes[document.uri]) == after

        # A local name is nobody else's.
        document = Document(client, "def area(si|de): return side\n", uri)
        edit = await client.text_document_rename_async(
            document.params(types.RenameParams, new_name="length")
        )
        assert list(edit.changes) == [uri]
    finally:
        await stop(client)


IMPOSTORS = {
    "hangs": "import time; time.sleep(600)",
    "dies": "raise SystemExit(3)",
    "floods": "import sys\nwhile True: sys.stdout.write('Content-Length: 4\\r\\n\\r\\nnull')",
    "announces a gigabyte": "import sys, time; sys.stdout.write('Content-Length: 1073741824\\r\\n\\r\\n'); "
    "sys.stdout.flush(); time.sleep(600)",
    "is ready and then silent": 'import sys, time\nbody = b\'{"id":0,"result":{"capabilities":{}}}\'\n'
    "sys.stdout.buffer.write(b'Content-Length: %d\\r\\n\\r\\n' % len(body) + body); sys.stdout.flush()\n"
    "time.sleep(600)",
}


def impostor(folder: pathlib.Path, code: str) -> pathlib.Path:
    """An environment's `python` beside a `ty` that runs `code`; the path of that `python`."""
    bin_ = folder / "bin"
    bin_.mkdir()
    script = bin_ / "ty"
    script.write_text(
        f"#!{sys.executable}\nimport os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(folder / 'pid')!r}, 'w').write(str(os.getpid()))\n{code}\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (bin_ / "python").symlink_to(sys.executable)
    return bin_ / "python"


SERVER = """
import json, os, sys, time
def send(message):
    body = json.dumps(message).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
    sys.stdout.buffer.flush()
text = ""
asked = 0
while header := sys.stdin.buffer.readline():
    length = int(header.split(b":")[1])
    sys.stdin.buffer.readline()
    message = json.loads(sys.stdin.buffer.read(length))
    method, params = message.get("method"), message.get("params")
    if method == "initialize":
        send({"id": message["id"], "result": {"capabilities": {}}})
    elif method == "textDocument/didOpen":
        text = params["textDocument"]["text"]
    elif method == "textDocument/didChange":
        text = params["contentChanges"][0]["text"]
    elif method == "textDocument/completion":
        asked += 1
        result = [{"label": f"given_{asked}"}, {"label": text}]
"""
"""The beginning of an impostor that gives the number of the question and the text that it was shown as members."""
SLOW = SERVER + "        time.sleep(2)\n        send({'id': message['id'], 'result': result})\n"
CRASHES = SERVER + (
    "        if asked == 2: os._exit(3)\n        send({'id': message['id'], 'result': result})\n"
)
FINE = SERVER + "        send({'id': message['id'], 'result': result})\n"


async def with_impostor(folder: pathlib.Path, code: str, *arguments: str):
    """A client of `drupe lsp` in whose environment `ty` runs `code`."""
    client = make_test_lsp_client()
    python = impostor(folder, code)
    await client.start_io(*command()[:2], "--python", str(python), *arguments)
    await initialize(client)
    return client


async def complete(client, document) -> types.CompletionList:
    return await client.text_document_completion_async(document.params(types.CompletionParams))


async def gone(pid: int) -> bool:
    end = time.monotonic() + 2
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("does", IMPOSTORS)
async def test_nothing_waits_for_a_type_checker_that(does, tmp_path):
    client = make_test_lsp_client()
    python = impostor(tmp_path, IMPOSTORS[does])
    await client.start_io(*command()[:2], "--python", str(python), "--lsp-types=ty")
    await initialize(client)
    try:
        document = Document(client, CODE + "home.fo|", "file:///tmp/typed.py")
        for _ in range(20):
            begin = time.monotonic()
            assert await labels(client, document) == ["folder"]
            assert time.monotonic() - begin < 1
            time.sleep(0.02)
        # Nothing was asked that the source does not tell.
        assert not (tmp_path / "pid").exists()
        document = Document(client, CODE + "home.folder(1).|", "file:///tmp/typed2.py")
        for _ in range(20):
            begin = time.monotonic()
            await labels(client, document)
            assert time.monotonic() - begin < 1
            time.sleep(0.02)
        assert (tmp_path / "pid").exists()
    finally:
        await stop(client)
    assert await gone(int((tmp_path / "pid").read_text()))


async def test_a_list_that_comes_late_is_there_for_the_next_letter(tmp_path):
    client = await with_impostor(tmp_path, SLOW)
    try:
        document = Document(client, CODE + "home.folder(1).|", "file:///tmp/typed.py")
        begin = time.monotonic()
        found = await complete(client, document)
        assert found.is_incomplete and not found.items
        assert time.monotonic() - begin < 1.5
        for count in itertools.count(1):
            text = CODE + f"home.folder(1).{'given_1'[:count]}|"
            found = await complete(client, Document(client, text, "file:///tmp/typed.py"))
            if not found.is_incomplete or time.monotonic() - begin > READY:
                break
            assert not found.items
            time.sleep(0.2)
        # It was asked once.
        assert [item.label for item in found.items] == ["given_1"]
        assert not found.is_incomplete
    finally:
        await stop(client)


async def test_one_that_crashes_is_started_again_and_the_log_says_so(tmp_path):
    client = await with_impostor(tmp_path, CRASHES)
    pid = tmp_path / "pid"
    try:

        async def given(number):
            text = CODE + f"home.folder({number}).given|"
            return await complete(client, Document(client, text, "file:///tmp/typed.py"))

        async def first():
            return [item.label for item in (await given(1)).items]

        assert await until(first, bool) == ["given_1"]
        before = pid.read_text()
        assert not (await given(2)).items
        # The text that the first was shown is shown again: the same question finds an answer by another process.
        assert await until(first, bool) == ["given_1"]
        assert pid.read_text() != before
        assert any("no types for 1s" in message.message for message in client.log_messages)
    finally:
        await stop(client)


@pytest.mark.parametrize("flag", ["off", "none"])
async def test_none_is_started_where_none_is_wanted(flag, tmp_path):
    client = await with_impostor(tmp_path, FINE, f"--lsp-types={flag}")
    try:
        document = Document(client, CODE + "home.folder(1).|", "file:///tmp/typed.py")
        for _ in range(3):
            assert not (await complete(client, document)).items
        assert not (tmp_path / "pid").exists()
    finally:
        await stop(client)


async def test_auto_without_any_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "python").symlink_to(sys.executable)
    client = make_test_lsp_client()
    await client.start_io(*command()[:2], "--python", str(tmp_path / "python"))
    await initialize(client)
    try:
        document = Document(client, CODE + "home.folder(1).|", "file:///tmp/typed.py")
        # That there is none is found out beside us.
        await until(lambda: complete(client, document), lambda found: not found.is_incomplete)
        for _ in range(3):
            found = await complete(client, document)
            assert not found.items and not found.is_incomplete
        assert not client.log_messages
    finally:
        await stop(client)


async def test_without_one_a_log_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "python").symlink_to(sys.executable)
    client = make_test_lsp_client()
    await client.start_io(
        *command()[:2], "--python", str(tmp_path / "python"), "--lsp-types=pyrefly"
    )
    await initialize(client)
    try:
        document = Document(client, CODE + "home.fo|", "file:///tmp/typed.py")
        assert await labels(client, document) == ["folder"]
        assert any("pip install pyrefly" in message.message for message in client.log_messages)
    finally:
        await stop(client)


@pytest.fixture
def session(tmp_path):
    """A kernel in whose environment `ty` is an impostor, its client, and the impostor's folder."""

    def begin(code: str, *arguments: str):
        python = impostor(tmp_path, code)
        # The same environment at another place.
        (tmp_path / "lib").symlink_to(pathlib.Path(sys.prefix) / "lib")
        (tmp_path / "pyvenv.cfg").write_bytes(
            (pathlib.Path(sys.prefix) / "pyvenv.cfg").read_bytes()
        )
        manager.kernel_spec.argv = [
            command()[0],
            "-f",
            "{connection_file}",
            "--python",
            str(python),
        ]
        manager.start_kernel(extra_arguments=list(arguments))
        kernel = manager.blocking_client()
        kernel.start_channels()
        started.append(kernel)
        kernel.wait_for_ready(timeout=30)
        return manager, kernel

    started = []
    manager = KernelManager(kernel_name=NAME)
    yield begin
    for kernel in started:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)


def asked(kernel, kind: str, code: str) -> dict:
    getattr(kernel, kind)(code)
    return kernel.get_shell_msg(timeout=10)["content"]


async def test_there_is_one_for_each_kernel_and_none_before_it_is_needed(session, tmp_path):
    _, kernel = session(FINE)
    kernel.execute_interactive("from pathlib import Path\nhome = Path()", timeout=30)
    clients = []
    try:
        _, port = activate(kernel)
        for _ in range(2):
            client = make_test_lsp_client()
            await client.start_tcp("127.0.0.1", port)
            await initialize(client)
            clients.append(client)
        # What nobody knows is the checker's: the names of the session are known once it has rested.
        document = Document(client, "ho|")
        await until(lambda: labels(client, document), lambda found: "home" in found)
        for client in clients:
            for text in (
                "home.|",
                "ho|",
                "import js|",
                "x = 1|",
                "'home.|'",
                "%time|",
                "# home().|",
            ):
                await complete(client, Document(client, text))
        assert asked(kernel, "complete", "home.")["matches"]
        assert not (tmp_path / "pid").exists()

        # Once the session has said what the name is, the checker is told of it also where the session is late.
        told = "import PosixPath as _drupe_home_type"
        document = Document(client, "home.nowhere().|", "file:///tmp/typed.py")
        found = await until(
            lambda: labels(client, document), lambda found: any(told in label for label in found)
        )
        first = int(found[0].removeprefix("given_"))
        pids = set()
        for number, client in enumerate([*clients, *clients], first + 1):
            document = Document(client, f"home.nowhere({number}).given|", "file:///tmp/typed.py")

            async def labels_():
                return [item.label for item in (await complete(client, document)).items]

            # It counts the questions: each client's are its own, and the process is the same.
            assert await until(labels_, bool) == [f"given_{number}"]
            pids.add((tmp_path / "pid").read_text())
        assert len(pids) == 1
    finally:
        for client in clients:
            await stop(client)


async def test_a_signature_that_says_nothing_gives_way():
    manager = KernelManager(kernel_name=NAME)
    manager.start_kernel()
    kernel = manager.blocking_client()
    kernel.start_channels()
    client = make_test_lsp_client()
    try:
        kernel.wait_for_ready(timeout=30)
        code = "import colorsys\ndef live(*args, **kwargs): ...\ncolorsys.rgb_to_hsv = live\n"
        kernel.execute_interactive(code, timeout=30)
        _, port = activate(kernel)
        await client.start_tcp("127.0.0.1", port)
        await initialize(client)

        async def help_(text):
            document = Document(client, text, "file:///tmp/typed.py")
            return await client.text_document_signature_help_async(
                document.params(types.SignatureHelpParams)
            )

        def is_told(found):
            return found and "(r: " in found.signatures[0].label

        assert is_told(await until(lambda: help_("colorsys.rgb_to_hsv(|"), is_told))
        # Of what the session has alone, that is all that there is.
        assert (await help_("live(|")).signatures[0].label == "live(*args, **kwargs)"
        assert await help_("nobody_knows([1, 2|])") is None
    finally:
        await stop(client)
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)


BUSY = {"idle": "pass", "busy": "import time; time.sleep(8)"}


@pytest.mark.parametrize("state", BUSY)
async def test_jupyters_completer_has_types_and_knows_the_session(state, session):
    _, kernel = session(FINE)
    kernel.execute_interactive("import json\nfrom pathlib import Path\nhome = Path()", timeout=30)
    if state == "busy":
        kernel.execute(BUSY[state])
        time.sleep(0.5)

        # What the snapshot does not hold. The session has 40 ms for it, which a loaded machine may need for itself: who types on asks again.
        async def decoder():
            return asked(kernel, "complete", "json.decoder.")["matches"]

        async def described():
            found = asked(kernel, "inspect", "json.decoder.JSONDecoder")["data"]
            return found.get("text/plain", "")

        assert "JSONDecoder" in await until(decoder, lambda found: "JSONDecoder" in found)
        assert "JSONDecoder" in await until(described, lambda found: "JSONDecoder" in found)

    async def members():
        return asked(kernel, "complete", "home.nowhere().")

    # The checker is told what the name is, once the session has said it in time.
    told = "import PosixPath as _drupe_home_type"
    found = await until(members, lambda found: any(told in match for match in found["matches"]))
    assert found["matches"][0].startswith("given_")
    assert (found["cursor_start"], found["cursor_end"]) == (15, 15)
    assert found["metadata"]["_jupyter_types_experimental"][0]["text"] == found["matches"][0]
    assert told in found["matches"][1]


# Of which the session cannot say what they are: nobody has written what `pop` gives.
UNBOUND = {
    "w = [Point(1)].pop()\nw.": ["@dataclass\nclass Point", "import dataclass as dataclass"],
    "if (w := [Point(1)].pop()): w.": ["class Point"],
    "y = [p].pop()\ny.": ["class Point", "def _drupe_p() -> Point"],
    "for q in points[:]: q.": ["class Point", "-> list[Point]"],
    "for q in paths[:]: q.": ["-> list[_drupe_paths_type]"],
    "def f(x: js.JSONDecoder): x.decode('1').": ["import json as js"],
    "x = [other()].pop()\nx.": ["class Point", "def other()"],
}


async def test_a_cell_alone_is_told_of_all_names_that_it_does_not_bind(session):
    _, kernel = session(FINE)
    code = (
        "import json as js\nfrom pathlib import Path\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass Point:\n    x: int\n"
        "p = Point(1)\npoints = [p]\npaths = [Path()]\ndef other() -> Point: ...\n"
    )
    kernel.execute_interactive(code, timeout=30)
    client = make_test_lsp_client()
    _, port = activate(kernel)
    await client.start_tcp("127.0.0.1", port)
    await initialize(client)
    try:
        for number, (text, told) in enumerate(UNBOUND.items()):
            document = Document(client, text + "|", f"file:///tmp/alone{number}.py")
            found = await until(
                lambda: labels(client, document),  # noqa: B023
                lambda found: any(text in label for label in found),  # noqa: B023
            )
            shown = next((label for label in found if text in label), "")
            assert all(it in shown for it in told), (text, shown)
            # What a line needs stands above it.
            if "_drupe_p()" in shown:
                assert shown.index("class Point") < shown.index("_drupe_p()")
    finally:
        await stop(client)


@pytest.mark.parametrize("way", ["asked", "killed"])
async def test_it_never_outlives_the_kernel(way, tmp_path, session):
    manager, kernel = session(IMPOSTORS["is ready and then silent"], "--lsp-types=ty")
    client = make_test_lsp_client()
    _, port = activate(kernel)
    await client.start_tcp("127.0.0.1", port)
    await initialize(client)
    pid = tmp_path / "pid"
    await labels(client, Document(client, CODE + "home.folder(1).|", "file:///tmp/typed.py"))
    assert await until(_none(lambda: pid.exists() and pid.read_text()), bool)
    process = psutil.Process(manager.provisioner.pid)
    if way == "killed":
        process.send_signal(signal.SIGKILL)
    else:
        kernel.shutdown()
    assert await gone(process.pid)
    assert await gone(int(pid.read_text()))


def _none(call):
    async def question():
        return call()

    return question
