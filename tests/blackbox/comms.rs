//! Comms: opened by either side, messages with buffers, unknown targets, and their list.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::client::fixtures::{resident_memory, wait_until};
use crate::client::{Channel, Client, Kernel, Message, RequestId};

const ECHO: &str = "\
from comm import get_comm_manager
def echo(comm, opening):
    comm.send({'opened': opening['content']['data']})
    @comm.on_msg
    def _(message):
        comm.send(message['content']['data'], metadata={'m': 1}, buffers=message['buffers'])
    @comm.on_close
    def _(message):
        print('closed', message['content']['data'])
get_comm_manager().register_target('echo', echo)
";

/// The iopub messages between busy and idle of a comm message, which has no reply.
#[track_caller]
fn outputs(kernel: &mut Client, request: &RequestId) -> Vec<Message> {
    kernel.recv_iopub_busy(request);
    kernel.recv_outputs(request)
}

#[track_caller]
fn open(kernel: &mut Client, comm_id: &str, target: &str, data: Value) -> Vec<Message> {
    let content = json!({"comm_id": comm_id, "target_name": target, "data": data});
    let request = kernel.send_request(Channel::Shell, "comm_open", content);
    outputs(kernel, &request)
}

#[test]
fn opened_by_the_front_end() {
    let mut kernel = Kernel::start();
    kernel.run(ECHO);
    let opened = open(&mut kernel, "c1", "echo", json!({"n": 1}));
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].msg_type(), "comm_msg");
    assert_eq!(
        opened[0].content,
        json!({"comm_id": "c1", "data": {"opened": {"n": 1}}})
    );

    let mut message = kernel.outgoing("comm_msg", json!({"comm_id": "c1", "data": [1, "zwei"]}));
    message.buffers = vec![
        Bytes::from_static(b"\x00\xff binary"),
        Bytes::from(vec![7; 1 << 20]),
    ];
    let request = kernel.send(Channel::Shell, &message);
    let echoed = outputs(&mut kernel, &request);
    assert_eq!(echoed.len(), 1);
    assert_eq!(echoed[0].content["data"], json!([1, "zwei"]));
    assert_eq!(echoed[0].metadata, json!({"m": 1}));
    assert_eq!(echoed[0].buffers, message.buffers);

    let content = json!({"comm_id": "c1", "data": {"why": "done"}});
    let request = kernel.send_request(Channel::Shell, "comm_close", content);
    let closed = outputs(&mut kernel, &request);
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].text("text").trim_end(), "closed {'why': 'done'}");
}

#[test]
fn an_unknown_target_is_closed() {
    let mut kernel = Kernel::start();
    let messages = open(&mut kernel, "lost", "no.such.target", json!({}));
    let closes: Vec<_> = messages
        .iter()
        .filter(|message| message.msg_type() == "comm_close")
        .collect();
    assert_eq!(closes.len(), 1, "{messages:?}");
    assert_eq!(closes[0].text("comm_id"), "lost");
    kernel.assert_alive();
}

#[test]
fn a_target_that_raises_is_closed() {
    let mut kernel = Kernel::start();
    kernel.run(
        "from comm import get_comm_manager\ndef bad(comm, opening): raise ValueError('bad target')\nget_comm_manager().register_target('bad', bad)",
    );
    let messages = open(&mut kernel, "b1", "bad", json!({}));
    assert!(
        messages.iter().any(|message| message.msg_type() == "comm_close"),
        "{messages:?}"
    );
    let reply = kernel.request(Channel::Shell, "comm_info_request", json!({}));
    assert_eq!(reply.content["comms"], json!({}));
}

#[test]
fn messages_to_nobody_are_passed_over() {
    let mut kernel = Kernel::start();
    for msg_type in ["comm_msg", "comm_close"] {
        let request = kernel.send_request(Channel::Shell, msg_type, json!({"comm_id": "nobody", "data": {}}));
        for message in outputs(&mut kernel, &request) {
            assert_eq!(message.msg_type(), "stream", "{}", message.summary());
        }
    }
    kernel.assert_alive();
}

#[test]
fn opened_by_the_kernel() {
    let mut kernel = Kernel::start();
    let code = "from comm import create_comm\ncomm = create_comm(target_name='view', data={'a': 1}, metadata={'v': 2}, buffers=[b'raw'])\ncomm.on_msg(lambda message: print(message['content']['data']))\ncomm.comm_id";
    let outcome = kernel.execute(code);
    let opened = outcome.only("comm_open");
    assert_eq!(opened.text("target_name"), "view");
    assert_eq!(opened.content["data"], json!({"a": 1}));
    assert_eq!(opened.metadata, json!({"v": 2}));
    assert_eq!(opened.buffers, [&b"raw"[..]]);
    let comm_id = opened.text("comm_id");
    assert_eq!(outcome.result(), format!("'{comm_id}'"));
    let content = json!({"comm_id": comm_id, "data": "hello"});
    let request = kernel.send_request(Channel::Shell, "comm_msg", content);
    let said = outputs(&mut kernel, &request);
    assert_eq!(
        said.iter()
            .map(|message| message.text("text"))
            .collect::<String>(),
        "hello\n"
    );
    let closed = kernel.execute("comm.close({'bye': True})");
    assert_eq!(closed.only("comm_close").content["data"], json!({"bye": true}));
}

#[test]
fn comm_info_lists_them_by_target() {
    let mut kernel = Kernel::start();
    kernel.run(ECHO);
    open(&mut kernel, "one", "echo", json!({}));
    kernel.run("from comm import create_comm\ncomm = create_comm(target_name='other', comm_id='two')");
    for channel in [Channel::Shell, Channel::Control] {
        let all = kernel.request(channel, "comm_info_request", json!({}));
        assert_eq!(
            all.content["comms"],
            json!({"one": {"target_name": "echo"}, "two": {"target_name": "other"}})
        );
        let some = kernel.request(channel, "comm_info_request", json!({"target_name": "echo"}));
        assert_eq!(some.content["comms"], json!({"one": {"target_name": "echo"}}));
    }
    kernel.run("comm.close()");
    let left = kernel.request(
        Channel::Shell,
        "comm_info_request",
        json!({"target_name": "other"}),
    );
    assert_eq!(left.content["comms"], json!({}));
}

/// A widget's callback that awaits its front-end must not wait for the cell that awaits the callback.
#[test]
fn messages_reach_a_cell_that_awaits_them() {
    let mut kernel = Kernel::start();
    let code = "import asyncio\nfrom comm import create_comm\ngot = asyncio.get_running_loop().create_future()\ncomm = create_comm(target_name='ask')\ncomm.on_msg(lambda message: got.set_result(message['content']['data']))\ntry:\n    answer = await asyncio.wait_for(got, 20)\nexcept asyncio.TimeoutError:\n    answer = 'nothing'\nanswer";
    let cell = kernel.send_execute(code);
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub_execute_input(&cell, code);
    let comm_id = kernel.recv_iopub(&cell, "comm_open").text("comm_id");
    kernel.send_request(
        Channel::Shell,
        "comm_msg",
        json!({"comm_id": comm_id, "data": "tea"}),
    );
    // Whether the message gets busy and idle of its own is the kernel's choice.
    let mut result = None;
    loop {
        let message = kernel.recv(Channel::Iopub);
        if message.msg_type() == "execute_result" {
            result = Some(message.content["data"]["text/plain"].clone());
        }
        if message.is_state("idle") && message.is_child_of(&cell) {
            break;
        }
    }
    assert_eq!(result, Some(json!("'tea'")));
    kernel.recv_shell_reply(&cell, "execute_reply");
    let next = kernel.send_execute("");
    loop {
        let message = kernel.recv(Channel::Iopub);
        if message.is_child_of(&next) && message.is_state("idle") {
            break;
        }
        assert!(
            message.msg_type() == "status" || message.is_child_of(&next),
            "{}",
            message.summary()
        );
    }
    kernel.recv_shell_reply(&next, "execute_reply");
}

/// Buffers of every kind arrive as their bytes: views of other types, and with gaps.
#[test]
fn buffers_of_every_kind() {
    let mut kernel = Kernel::start();
    let code = "import array\nfrom comm import create_comm\nwords = array.array('H', [1, 2, 3, 4])\n\
                comm = create_comm(target_name='b', buffers=[b'ab', bytearray(b'cd'), memoryview(b'efgh')[1:3], words, \
                memoryview(words)[::2], b'', memoryview(b'')])";
    let outcome = kernel.execute(code);
    let buffers = &outcome.only("comm_open").buffers;
    let expected: [&[u8]; 7] = [
        b"ab",
        b"cd",
        b"fg",
        b"\x01\0\x02\0\x03\0\x04\0",
        b"\x01\0\x03\0",
        b"",
        b"",
    ];
    assert_eq!(buffers, &expected);
    assert_eq!(kernel.execute("comm.send(buffers=[1])").error(), "TypeError");
    kernel.assert_alive();
}

/// What a large message took is given back when it is over.
#[test]
fn memory_of_a_large_message_is_given_back() {
    let mut kernel = Kernel::start();
    kernel.run(ECHO);
    open(&mut kernel, "c1", "echo", json!({}));
    kernel.assert_alive();
    let before = resident_memory(kernel.pid());
    let mut message = kernel.outgoing("comm_msg", json!({"comm_id": "c1", "data": {}}));
    message.buffers = vec![Bytes::from(vec![7; 100 << 20])];
    let request = kernel.send(Channel::Shell, &message);
    assert_eq!(outputs(&mut kernel, &request).len(), 1);
    kernel.run("for _ in range(2): display({'text/plain': 'x' * 60_000_000}, raw=True)");
    wait_until("the memory is back", || {
        resident_memory(kernel.pid()) < before + (8 << 20)
    });
}
