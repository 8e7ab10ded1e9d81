"""Raw pyzmq sockets: libzmq is the other implementation that must get on with drupe's own server side."""

import contextlib
import json
import time

import pytest
import zmq
from jupyter_client.session import Session


@pytest.fixture
def connection(kernel):
    manager, _ = kernel
    info = manager.get_connection_info()
    context = zmq.Context()
    sockets = []

    def connect(kind, port, **options):
        socket = context.socket(kind)
        socket.linger = 0
        for name, value in options.items():
            setattr(socket, name, value)
        socket.connect(f"tcp://{info['ip']}:{info[port]}")
        sockets.append(socket)
        return socket

    yield connect, Session(key=info["key"], signature_scheme=info["signature_scheme"])
    for socket in sockets:
        socket.close()
    context.term()


def receive(socket, session, timeout=30_000):
    assert socket.poll(timeout), "nothing came"
    _, frames = session.feed_identities(socket.recv_multipart())
    return session.deserialize(frames)


def request(socket, session, kind, **content):
    session.send(socket, kind, content)
    return receive(socket, session)


def kinds_until_idle(socket, session, request_id):
    """The types of one request's iopub messages; those of others are passed over."""
    kinds = []
    while True:
        message = receive(socket, session)
        if message["parent_header"].get("msg_id") == request_id:
            kinds.append(message["msg_type"])
            if message["content"].get("execution_state") == "idle":
                return kinds


def test_an_identity_that_comes_back_gets_the_replies(connection):
    connect, session = connection
    for _ in range(10):
        socket = connect(zmq.DEALER, "shell_port", identity=b"the same")
        assert request(socket, session, "kernel_info_request")["msg_type"] == "kernel_info_reply"
        socket.close()


def test_two_at_once_with_one_identity(connection):
    connect, session = connection
    first = connect(zmq.DEALER, "shell_port", identity=b"the same")
    request(first, session, "kernel_info_request")
    second = connect(zmq.DEALER, "shell_port", identity=b"the same")
    assert request(second, session, "kernel_info_request")["content"]["status"] == "ok"


def test_subscriptions_choose_what_comes(connection):
    connect, session = connection
    everything = connect(zmq.SUB, "iopub_port")
    everything.subscribe(b"")
    assert receive(everything, session)["msg_type"] == "iopub_welcome"
    nothing = connect(zmq.SUB, "iopub_port")
    nothing.subscribe(b"no such topic")
    assert receive(nothing, session)["content"] == {"subscription": "no such topic"}
    shell = connect(zmq.DEALER, "shell_port")
    reply = request(shell, session, "execute_request", code="print('x')", silent=False)
    kinds = kinds_until_idle(everything, session, reply["parent_header"]["msg_id"])
    assert kinds == ["status", "execute_input", "stream", "status"]
    assert not nothing.poll(100)
    everything.unsubscribe(b"")
    everything.subscribe(b"another")
    assert receive(everything, session)["content"] == {"subscription": "another"}
    request(shell, session, "execute_request", code="print('y')", silent=False)
    assert not everything.poll(100)


def test_every_client_sees_every_output(connection):
    connect, session = connection
    readers = []
    for _ in range(5):
        reader = connect(zmq.SUB, "iopub_port", rcvhwm=0)
        reader.subscribe(b"")
        # One session for each: a session refuses a signature that it has seen before.
        own = Session(key=session.key, signature_scheme=session.signature_scheme)
        assert receive(reader, own)["msg_type"] == "iopub_welcome"
        readers.append((reader, own))
    shell = connect(zmq.DEALER, "shell_port")
    code = "for i in range(20_000): print(i)"
    assert (
        request(shell, session, "execute_request", code=code, silent=False)["content"]["status"]
        == "ok"
    )
    expected = "".join(f"{i}\n" for i in range(20_000))
    for reader, own in readers:
        text = ""
        while text != expected:
            message = receive(reader, own)
            if message["msg_type"] == "stream":
                text += message["content"]["text"]


def test_large_buffers_come_back_whole(connection):
    connect, session = connection
    iopub = connect(zmq.SUB, "iopub_port", rcvhwm=0)
    iopub.subscribe(b"")
    receive(iopub, session)
    shell = connect(zmq.DEALER, "shell_port", sndhwm=0)
    code = (
        "from comm import get_comm_manager\n"
        "def echo(comm, _):\n"
        "    comm.on_msg(lambda message: comm.send({}, buffers=message['buffers']))\n"
        "get_comm_manager().register_target('echo', echo)"
    )
    request(shell, session, "execute_request", code=code, silent=True)
    session.send(shell, "comm_open", {"comm_id": "c", "target_name": "echo", "data": {}})
    block = bytes(range(256)) * (1 << 16)
    for count in (1, 3):
        session.send(shell, "comm_msg", {"comm_id": "c", "data": {}}, buffers=[block] * count)
        while True:
            message = receive(iopub, session)
            if message["msg_type"] == "comm_msg":
                break
        assert [bytes(buffer) for buffer in message["buffers"]] == [block] * count


def test_the_heart_beats_for_req_and_dealer(connection):
    connect, _ = connection
    req = connect(zmq.REQ, "hb_port")
    for beat in (b"ping", b"", b"\xff" * 100_000):
        req.send(beat)
        assert req.poll(30_000) and req.recv() == beat
    dealer = connect(zmq.DEALER, "hb_port")
    for number in range(100):
        dealer.send_multipart([b"", str(number).encode()])
    for number in range(100):
        assert dealer.poll(30_000)
        assert dealer.recv_multipart() == [b"", str(number).encode()]


def test_zmq_s_own_heartbeats_are_answered(connection):
    """libzmq sends PING and hangs up when no PONG comes."""
    connect, session = connection
    options = {"heartbeat_ivl": 100, "heartbeat_timeout": 2000, "heartbeat_ttl": 2000}
    shell = connect(zmq.DEALER, "shell_port", identity=b"beating", **options)
    monitor = shell.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    request(shell, session, "kernel_info_request")
    time.sleep(2.6)
    assert not monitor.poll(0), "the connection was lost"
    shell.disable_monitor()
    assert request(shell, session, "kernel_info_request")["content"]["status"] == "ok"


def test_old_and_strange_peers_are_refused(connection):
    connect, session = connection
    curve = connect(
        zmq.DEALER,
        "shell_port",
        curve_serverkey=zmq.curve_keypair()[0],
        curve_publickey=(pair := zmq.curve_keypair())[0],
        curve_secretkey=pair[1],
        sndtimeo=0,
    )
    # Who has been refused already has nobody to send to, and would wait for ever.
    with contextlib.suppress(zmq.Again):
        session.send(curve, "kernel_info_request", {})
    assert not curve.poll(300)
    plain = connect(zmq.DEALER, "shell_port")
    assert request(plain, session, "kernel_info_request")["content"]["status"] == "ok"


def test_json_from_python_s_own_writer(connection):
    """json.dumps writes NaN and lone surrogates; jupyter_client's readers take them back."""
    connect, session = connection
    session.pack = lambda value: json.dumps(value, default=str).encode()
    session.unpack = json.loads
    shell = connect(zmq.DEALER, "shell_port")
    metadata = {"nan": float("nan"), "lone": "\ud800", "big": 10**40}
    session.send(shell, "execute_request", {"code": "1", "silent": True}, metadata=metadata)
    assert receive(shell, session)["content"]["status"] == "ok"


def test_a_question_waits_for_its_client(connection):
    """The cell may ask before the client's stdin socket has got through to the kernel."""
    connect, session = connection
    shell = connect(zmq.DEALER, "shell_port", identity=b"asked")
    session.send(shell, "execute_request", {"code": "answer = input()", "allow_stdin": True})
    assert not shell.poll(500)
    stdin = connect(zmq.DEALER, "stdin_port", identity=b"asked")
    assert receive(stdin, session)["msg_type"] == "input_request"
    session.send(stdin, "input_reply", {"value": "late, but here"})
    assert receive(shell, session)["content"]["status"] == "ok"
