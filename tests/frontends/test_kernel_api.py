"""`get_ipython().kernel` and what hangs on it, as code in notebooks uses it; nothing of it is an AttributeError."""

import json
import os
import subprocess
import sys
import time

import pytest
from cells import Kernel
from conftest import ROOT, command


@pytest.fixture(scope="module")
def notebook(environment):
    with Kernel(command()) as kernel:
        kernel.ok("import sys\nkernel = get_ipython().kernel")
        yield kernel


# The end.


@pytest.mark.parametrize("restart", [True, False])
def test_do_shutdown_is_the_end_behind_the_cell(restart):
    """The restart cell of countless notebooks. Who started the kernel starts it again."""
    with Kernel(command()) as kernel:
        result = kernel.ok(f"get_ipython().kernel.do_shutdown({restart})")
        assert result.value == f"{{'status': 'ok', 'restart': {restart}}}"
        assert kernel.ended() == 0


def test_do_shutdown_lets_the_cell_come_to_its_end():
    with Kernel(command()) as kernel:
        code = (
            "import time\nget_ipython().kernel.do_shutdown(True)\ntime.sleep(0.3)\nprint('whole')"
        )
        assert kernel.ok(code).text() == "whole\n"
        assert kernel.ended() == 0


@pytest.mark.parametrize("where", ["thread", "task"])
def test_do_shutdown_from_elsewhere(where):
    code = """
import asyncio, threading, time
def end():
    get_ipython().kernel.do_shutdown(False)
async def end_later():
    await asyncio.sleep(0.2)
    end()
"""
    start = {
        "thread": "threading.Timer(0.2, end).start()",
        "task": "task = asyncio.ensure_future(end_later())",
    }
    with Kernel(command()) as kernel:
        kernel.ok(code + start[where])
        assert kernel.ended() == 0


# The request that is answered.


def test_get_parent_is_whole(notebook):
    code = """
parent = get_ipython().get_parent()
print(sorted(parent))
print(parent['content']['code'].strip() == In[-1].strip(), parent['content']['silent'])
print(parent['metadata'], parent['msg_type'], parent['header']['msg_id'] == parent['msg_id'])
print(type(parent['header']['date']).__name__, parent['buffers'], parent['parent_header'])
print(kernel.get_parent() == parent == kernel.get_parent('shell') == kernel._parent_header, kernel._parent_ident['shell'])
"""
    result = notebook.run(code, metadata={"cellId": "abc", "tags": ["a"]})
    lines = result.text().splitlines()
    parts = ["buffers", "content", "header", "metadata", "msg_id", "msg_type", "parent_header"]
    assert lines[0] == str(parts)
    assert lines[1] == "True False"
    assert lines[2] == "{'cellId': 'abc', 'tags': ['a']} execute_request True"
    assert lines[3] == "datetime [] {}"
    assert lines[4].startswith("True [b'")


def test_a_header_that_was_kept_can_be_set_again(notebook):
    """`sys.stdout.parent_header` of one cell, set in a thread of another."""
    first = notebook.ok("import threading\nkept = dict(sys.stdout.parent_header)")
    code = """
def work():
    sys.stdout.set_thread_parent(kept)
    print('to the first')
thread = threading.Thread(target=work); thread.start(); thread.join()
print('to the second')
"""
    second = notebook.ok(code)
    assert second.text() == "to the second\n"
    stray = [m for m in second.others if m["msg_type"] == "stream"]
    assert "".join(m["content"]["text"] for m in stray) == "to the first\n"
    parents = {m["parent_header"]["msg_id"] for m in stray}
    assert parents == {first.reply["parent_header"]["msg_id"]}


def test_set_parent_moves_output(notebook):
    code = """
before = kernel.get_parent()
kernel.set_parent([b'x'], {'header': {'msg_id': 'made-up', 'msg_type': 'execute_request'}})
print('elsewhere')
kernel.set_parent(kernel._parent_ident, before)
print('here')
"""
    assert notebook.ok(code).text() == "here\n"


# Messages.


def test_session_sends_on_iopub(notebook):
    code = """
kernel.session.send(kernel.iopub_socket, 'display_data', {'data': {'text/plain': 'sent'}, 'metadata': {}},
                    parent=kernel.get_parent(), ident=kernel._topic('display_data'), metadata={'a': 1})
kernel.send_response(kernel.iopub_socket, 'stream', {'name': 'stdout', 'text': 'said'})
kernel.session.send(kernel.iopub_thread, 'stream', {'name': 'stdout', 'text': ' twice'}, parent=kernel.get_parent())
message = kernel.session.msg('stream', {'name': 'stdout', 'text': ' thrice'}, parent=kernel.get_parent())
sorted(kernel.session.send(kernel.iopub_socket, message))
"""
    result = notebook.ok(code)
    assert result.contents("display_data") == [{"data": {"text/plain": "sent"}, "metadata": {}}]
    [display] = [m for m in result.messages if m["msg_type"] == "display_data"]
    assert display["metadata"] == {"a": 1}
    assert result.text() == "said twice thrice"
    assert "'parent_header'" in result.value


def test_session_has_the_key(notebook):
    code = """
import json
info = json.load(open(kernel.connection_file))
print(kernel.session.key == info['key'].encode(), kernel.session.signature_scheme, type(kernel.session.session).__name__)
"""
    assert notebook.ok(code).text() == "True hmac-sha256 str\n"


def test_session_does_the_rest_by_jupyter_client(notebook):
    code = """
frames = kernel.session.serialize(kernel.session.msg('x_request', {'a': 1}))
idents, rest = kernel.session.feed_identities([b'who', *frames])
print(idents, kernel.session.deserialize(rest)['content'])
"""
    assert notebook.ok(code).text() == "[b'who'] {'a': 1}\n"


def test_a_handler_in_the_table_is_asked(notebook):
    """And the one that was there can be called by it."""
    code = """
seen = []
theirs = kernel.shell_handlers['execute_request']
async def mine(stream, ident, parent):
    seen.append((parent['content']['code'], type(ident).__name__, stream is kernel.shell_stream))
    await theirs(stream, ident, parent)
kernel.shell_handlers['execute_request'] = mine
"""
    notebook.ok(code)
    assert notebook.ok("6 * 7").value == "42"
    assert notebook.run("1/0").error == "ZeroDivisionError: division by zero"
    notebook.ok("kernel.shell_handlers['execute_request'] = theirs")
    assert notebook.ok("seen").value.startswith("[('6 * 7', 'list', True)")
    assert notebook.ok("len(seen)").value == "3"


def test_a_handler_may_answer_itself(notebook):
    code = """
def mine(stream, ident, parent):
    kernel.session.send(stream, 'execute_reply', {'status': 'ok', 'execution_count': 0, 'payload': [], 'user_expressions': {},
                        'mine': parent['content']['code']}, parent, ident, metadata={'by': 'me'})
    kernel.shell_handlers['execute_request'] = kernel.execute_request
kernel.shell_handlers['execute_request'] = mine
"""
    notebook.ok(code)
    result = notebook.ok("this is no Python")
    assert result.reply["content"]["mine"] == "this is no Python"
    assert result.reply["metadata"] == {"by": "me"}
    assert notebook.ok("'as before'").value == "'as before'"


def test_a_handler_for_a_message_of_ones_own(notebook):
    code = """
def answer(stream, ident, parent):
    kernel.session.send(stream, 'weather_reply', {'weather': parent['content']['where']}, parent, ident)
kernel.shell_handlers['weather_request'] = answer
"""
    notebook.ok(code)
    reply = notebook.until_idle(notebook.send("weather_request", {"where": "here"})).reply
    assert (reply["msg_type"], reply["content"]) == ("weather_reply", {"weather": "here"})


def test_a_handler_that_fails_costs_its_request_only(notebook):
    notebook.ok("kernel.shell_handlers['broken_request'] = lambda *args: 1/0")
    reply = notebook.until_idle(notebook.send("broken_request", {})).reply
    assert reply["content"]["ename"] == "ZeroDivisionError"
    assert notebook.ok("1").value == "1"


@pytest.mark.parametrize("name", ["do_execute", "do_complete", "do_inspect", "do_is_complete"])
def test_a_method_that_was_replaced_is_called(notebook, name):
    code = f"""
theirs = kernel.{name}
calls = []
def mine(*args, **kwargs):
    calls.append(args[0])
    return theirs(*args, **kwargs)
kernel.{name} = mine
"""
    notebook.ok(code)
    client = notebook.client
    ask = {
        "do_execute": lambda: notebook.ok("'asked'"),
        "do_complete": lambda: client.complete("prin", 4, reply=True, timeout=30),
        "do_inspect": lambda: client.inspect("print", 3, reply=True, timeout=30),
        "do_is_complete": lambda: client._recv_reply(client.is_complete("for x in y:"), timeout=30),
    }
    reply = ask[name]()
    code = {"do_execute": "'asked'", "do_complete": "prin", "do_inspect": "print"}.get(
        name, "for x in y:"
    )
    assert notebook.ok(f"del kernel.__dict__['{name}']; {code!r} in calls").value == "True"
    if name == "do_is_complete":
        assert reply["content"]["status"] == "incomplete"


def test_questions_can_be_asked_within(notebook):
    code = """
print(kernel.do_complete('impor', 5)['matches'], kernel.do_is_complete('1+')['status'])
print(kernel.do_inspect('len', 2)['found'], kernel.do_history('tail', False, True, n=1)['status'])
print((await kernel.do_execute('within = 5\\nwithin + 1', False))['status'], within)
"""
    result = notebook.ok(code)
    assert result.text() == "['import'] invalid\nTrue ok\nok 5\n"


# Comms in the middle of a cell.

TARGET = """
from comm import get_comm_manager
got = []
def opened(comm, message):
    def receive(message):
        print('handled', message['content']['data'])
        got.append(message['content']['data'])
    comm.on_msg(receive)
get_comm_manager().register_target('polled', opened)
"""


def open_comm(kernel, comm_id):
    kernel.ok(TARGET)
    kernel.send("comm_open", {"comm_id": comm_id, "target_name": "polled", "data": {}})
    kernel.ok("pass")
    return lambda data: kernel.send("comm_msg", {"comm_id": comm_id, "data": data})


@pytest.mark.parametrize(
    "poll",
    [
        "drupe.process_comms()",
        "kernel.do_one_iteration()",
        "await kernel.do_one_iteration()",
        "await kernel.process_one()",
    ],
)
def test_comms_are_handled_while_a_cell_computes(notebook, poll):
    send = open_comm(notebook, f"comm of {poll}")
    code = f"""
import time, drupe
end = time.monotonic() + 20
print('ready', flush=True)
while not got and time.monotonic() < end:
    {poll}
    time.sleep(0.01)
print('cell', got)
"""
    asked = notebook.client.execute(code)
    notebook.until_said("ready")
    slid = send({"slid": 1})
    result = notebook.until_idle(asked)
    assert result.text() == "cell [{'slid': 1}]\n"
    said = [m for m in result.others if m["msg_type"] == "stream"]
    assert "".join(m["content"]["text"] for m in said) == "handled {'slid': 1}\n"
    assert {m["parent_header"]["msg_id"] for m in said} == {slid}


def test_jupyter_ui_poll(notebook):
    """Its idiom, from the thread in which it polls: handlers replaced, parents put back, cells in between run later."""
    pytest.importorskip("jupyter_ui_poll")
    send = open_comm(notebook, "of jupyter_ui_poll")
    code = """
import time
from jupyter_ui_poll import ui_events
with ui_events() as poll:
    print('ready', flush=True)
    end = time.monotonic() + 20
    while not got and time.monotonic() < end:
        poll(10)
        time.sleep(0.01)
print('cell', got)
"""
    asked = notebook.client.execute(code)
    notebook.until_said("ready")
    behind = notebook.client.execute("'behind'")
    send({"slid": 2})
    assert notebook.until_idle(asked).text() == "cell [{'slid': 2}]\n"
    assert notebook.until_idle(behind).value == "'behind'"


def test_an_interrupt_in_the_middle_of_polling_ends_the_cell(notebook):
    code = "import time, drupe\nprint('ready', flush=True)\nwhile True:\n    drupe.process_comms()\n    time.sleep(0.01)"
    asked = notebook.client.execute(code)
    notebook.until_said("ready")
    notebook.interrupt()
    assert notebook.until_idle(asked).reply["content"]["ename"] == "KeyboardInterrupt"


# Streams and displays.


def test_hooks_of_displays_see_and_change_messages(notebook):
    code = """
def hook(message):
    message['content']['data']['text/plain'] += ', hooked'
    message['metadata']['hooked'] = True
    return message
pub = get_ipython().display_pub
pub.register_hook(hook)
display(1)
pub.unregister_hook(hook), pub.unregister_hook(hook)
"""
    result = notebook.ok(code)
    [message] = [m for m in result.messages if m["msg_type"] == "display_data"]
    assert message["content"]["data"]["text/plain"] == "1, hooked"
    assert message["metadata"] == {"hooked": True}
    assert result.value == "(True, False)"


def test_a_hook_may_keep_a_display(notebook):
    code = """
kept = []
pub.register_hook(lambda message: kept.append(message['msg_type']))
display(1)
pub._hooks.clear()
hook = get_ipython().displayhook
hook.register_hook(lambda message: kept.append(message['header']['msg_type']))
'never seen'
"""
    result = notebook.ok(code)
    assert result.contents("display_data") == result.contents("execute_result") == []
    assert (
        notebook.ok("hook._hooks.clear(); print(kept)").text()
        == "['display_data', 'execute_result']\n"
    )


def test_hooks_and_echo_of_a_stream(notebook):
    code = """
import io
def shout(message):
    message['content']['text'] = message['content']['text'].upper()
    return message
sys.stdout.register_hook(shout)
print('loud')
sys.stdout.unregister_hook(shout)
sys.stdout.echo = io.StringIO()
print('quiet'); sys.stdout.writelines(['a', 'b\\n'])
echoed, sys.stdout.echo = sys.stdout.echo.getvalue(), None
print(repr(echoed))
"""
    assert notebook.ok(code).text() == "LOUD\nquiet\nab\n'quiet\\nab\\n'\n"


def test_a_stream_of_ones_own(notebook):
    """`OutStream(session, pub_thread, name)`, as loggers make one."""
    code = """
from ipykernel.iostream import OutStream
class Mine(OutStream):
    def write(self, text):
        return super().write(text.replace('a', 'o'))
mine = Mine(sys.stdout.session, sys.stdout.pub_thread, 'stdout')
print('banana', file=mine)
"""
    assert notebook.ok(code).text() == "bonono\n"


# The loop.


def test_io_loop_without_tornado():
    with Kernel(command()) as kernel:
        code = """
import asyncio, datetime, sys
assert 'tornado' not in sys.modules
loop = get_ipython().kernel.io_loop
order = []
loop.add_callback(order.append, 'callback')
loop.spawn_callback(order.append, 'spawned')
loop.call_later(0.02, order.append, 'later')
loop.call_at(loop.time() + 0.04, order.append, 'at')
loop.add_timeout(datetime.timedelta(seconds=0.06), order.append, 'timeout')
gone = loop.add_timeout(loop.time() + 0.01, order.append, 'never'); loop.remove_timeout(gone)
async def awaited():
    await asyncio.sleep(0.08)
    order.append('coroutine')
loop.add_callback(awaited)
future = loop.run_in_executor(None, lambda: order.append('executor') or 5)
loop.add_future(future, lambda done: order.append(done.result()))
while len(order) < 8:
    await asyncio.sleep(0.01)
print(order)
print(loop.asyncio_loop is asyncio.get_event_loop(), 'tornado' in sys.modules)
"""
        lines = kernel.ok(code).text().splitlines()
        done = eval(lines[0])
        assert set(done) == {
            "callback",
            "spawned",
            "later",
            "at",
            "timeout",
            "coroutine",
            "executor",
            5,
        }
        assert [
            one
            for one in done
            if one in ("callback", "spawned", "later", "at", "timeout", "coroutine")
        ] == [
            "callback",
            "spawned",
            "later",
            "at",
            "timeout",
            "coroutine",
        ]
        assert lines[1] == "True False"


def test_io_loop_is_tornados_once_that_is_imported(notebook):
    code = """
import asyncio
from tornado.ioloop import IOLoop
loop = kernel.io_loop
print(isinstance(loop, IOLoop), loop is IOLoop.current(), loop is kernel.io_loop, loop.asyncio_loop is asyncio.get_event_loop())
from tornado import gen
done = []
async def work():
    await gen.sleep(0.02)
    done.append(1)
loop.add_callback(work)
import threading
threading.Thread(target=lambda: kernel.io_loop.add_callback(done.append, 2)).start()
while len(done) < 2:
    await asyncio.sleep(0.01)
print(sorted(done))
"""
    assert notebook.ok(code).text() == "True True True True\n[1, 2]\n"


def test_an_event_loop_of_ones_own(notebook, tmp_path):
    """`register_integration`: a toolkit that is served between cells, and that sees when a request waits."""
    third = tmp_path / "third"
    code = f"""
from ipykernel.eventloops import enable_gui, get_shell_stream, register_integration
turns = []
@register_integration('mine')
def serve(kernel):
    turns.append(bool(get_shell_stream(kernel).flush(limit=1)))
    if len(turns) == 3: open({str(third)!r}, 'w').close()
%gui mine
"""
    notebook.ok(code)
    end = time.monotonic() + 20
    while not third.exists():
        assert time.monotonic() < end, "it is not served"
        time.sleep(0.01)
    assert notebook.ok("set(turns) <= {True, False}").value == "True"
    notebook.ok("%gui")
    assert "Invalid GUI request 'nothing'" in notebook.ok("%gui nothing").text("stderr")


# What is not there says what to use.


def test_what_is_not_there_says_so(notebook):
    code = """
from ipykernel.kernelapp import IPKernelApp
from ipykernel.embed import embed_kernel
import inspect
async def what(call):
    try:
        result = call()
        if inspect.isawaitable(result):
            await result
    except NotImplementedError as error:
        return len(str(error)) > 20
calls = [
    lambda: kernel.start(), lambda: kernel.do_apply(None, None, None, None), lambda: kernel.dispatch_shell([]),
    lambda: kernel.kernel_info_request(None, None, {}), lambda: kernel.usage_request(None, None, {}),
    lambda: kernel.shell_stream.on_recv(print), lambda: kernel.iopub_socket.send_multipart([b'']),
    lambda: kernel.session.send(kernel.stdin_socket, 'input_request', {}),
    lambda: kernel.execute_request(kernel.shell_stream, [], {'header': {'msg_id': 'old'}, 'content': {}, 'metadata': {}}),
    lambda: IPKernelApp.launch_instance(), lambda: IPKernelApp.instance().initialize([]), lambda: embed_kernel(),
    lambda: IPKernelApp.instance().blocking_client(),
]
print([await what(call) for call in calls].count(True) == len(calls))
"""
    assert notebook.ok(code).text() == "True\n"


def test_a_kernel_class_of_ones_own(notebook):
    """Its class can be made, for modules that have one are imported; an object of it says what to do."""
    code = """
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelbase import Kernel
class Mine(IPythonKernel):
    implementation = 'mine'
class Bare(Kernel):
    def __init__(self):
        self.shell = None
Bare()
Mine()
"""
    failed = notebook.run(code)
    assert failed.error.startswith("NotImplementedError: Mine cannot be made here")
    assert "process of its own" in failed.error
    assert notebook.ok("Kernel.instance() is kernel").value == "True"


def test_kernel_info_says_what_the_wire_says(notebook):
    reply = notebook.client.kernel_info(reply=True, timeout=30)["content"]
    here = json.loads(notebook.ok("import json; print(json.dumps(kernel.kernel_info))").text())
    reply["language_info"].pop("positron", None)
    # The last line of IPython's banner is another tip each time.
    here["banner"], reply["banner"] = (
        here["banner"].split("Tip")[0],
        reply["banner"].split("Tip")[0],
    )
    for name in sorted(here):
        assert here[name] == reply[name], name


# A kernel in a running program.

PROGRAM = """
import sys
import drupe
answer = 42
def work():
    local = 'seen'
    drupe.embed(argv=['-f', sys.argv[1]])
if __name__ == '__main__':
    work()
"""


def test_embed_in_a_plain_program(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    env = os.environ | {"PYTHONPATH": str(ROOT / "python")}
    with Kernel([sys.executable, str(program), "{connection_file}"], env=env) as kernel:
        assert (
            kernel.ok("answer, local, sys.argv[0].endswith('program.py')").value
            == "(42, 'seen', True)"
        )
        assert kernel.ok("import __main__; __main__.answer").value == "42"
        kernel.ok("exit")
        assert kernel.ended() == 0


def test_embed_in_a_kernel_says_what_to_do(notebook):
    assert notebook.run("import drupe; drupe.embed()").error.startswith(
        "RuntimeError: IPython runs in this program"
    )


def test_embedding_needs_a_connection_file_no_more_than_a_kernel_does(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import drupe\ndrupe.embed(argv=['-f', 'no/such/folder/k.json'])\n")
    env = os.environ | {"PYTHONPATH": str(ROOT / "python")}
    ended = subprocess.run(
        [sys.executable, program], env=env, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode != 0
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
