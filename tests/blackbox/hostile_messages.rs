//! Hostile input above ZMTP: messages that are cut, forged, replayed, or that are not what they say.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::client::fixtures::resident_memory;
use crate::client::message::{DELIMITER, sealed};
use crate::client::{Channel, Client, Kernel, RequestId};

const CHANNELS: [Channel; 3] = [Channel::Shell, Channel::Control, Channel::Stdin];

fn header(msg_type: &str) -> Value {
    json!({
        "msg_id": uuid::Uuid::new_v4().to_string(),
        "session": "hostile",
        "username": "mallory",
        "date": "2026-11-21T00:00:00Z",
        "msg_type": msg_type,
        "version": "5.5",
    })
}

fn parts(header: &[u8], parent: &[u8], metadata: &[u8], content: &[u8]) -> [Bytes; 4] {
    [header, parent, metadata, content].map(Bytes::copy_from_slice)
}

/// Takes whatever the kernel says to nonsense (an error reply, a status): the cell after it is what counts. A
/// channel is served in order, so the answer to a last request shows that all before it has been dealt with.
fn discard(kernel: &mut Client) {
    for channel in [Channel::Shell, Channel::Control] {
        let barrier = kernel.send_request(channel, "kernel_info_request", json!({}));
        while !kernel.recv(channel).is_child_of(&barrier) {}
        loop {
            let message = kernel.recv(Channel::Iopub);
            if message.is_child_of(&barrier) && message.is_state("idle") {
                break;
            }
        }
    }
    let patience = std::time::Duration::from_millis(20);
    for channel in [Channel::Shell, Channel::Iopub, Channel::Stdin] {
        while kernel.recv_within(channel, patience).is_some() {}
    }
}

#[track_caller]
fn survives(kernel: &mut Kernel, frames: &[Bytes]) {
    for channel in CHANNELS {
        kernel.send_frames(channel, frames.to_vec());
        discard(kernel);
        kernel.assert_alive();
    }
}

#[test]
fn too_few_frames_and_no_delimiter() {
    let mut kernel = Kernel::start();
    let whole = kernel
        .outgoing("kernel_info_request", json!({}))
        .seal(kernel.key());
    for length in 1..whole.len() {
        survives(&mut kernel, &whole[..length]);
    }
    survives(&mut kernel, &whole[1..]);
    survives(&mut kernel, &[Bytes::new()]);
    survives(&mut kernel, &vec![Bytes::from_static(b"x"); 500]);
    survives(&mut kernel, &vec![Bytes::from_static(DELIMITER); 6]);
}

/// A forged message changes nothing and gets no answer.
#[test]
fn signatures_that_are_wrong_empty_or_replayed() {
    let mut kernel = Kernel::start();
    kernel.run("touched = 0");
    let mut content = crate::client::session::execute_content("touched += 1");
    content["silent"] = json!(true);
    let genuine = kernel.outgoing("execute_request", content);
    let request = genuine.id();
    let frames = genuine.seal(kernel.key());
    for signature in [&b""[..], b"0", b"\xff\xff", &[b'a'; 64], &[b'0'; 100_000]] {
        let mut forged = frames.clone();
        forged[1] = Bytes::copy_from_slice(signature);
        survives(&mut kernel, &forged);
    }
    survives(&mut kernel, &genuine.seal(b"another key"));
    assert_eq!(kernel.execute("touched").result(), "0");

    kernel.send_frames(Channel::Shell, frames.clone());
    kernel.finish_execute(&request, None).assert_ok();
    survives(&mut kernel, &frames);
    assert_eq!(
        kernel.execute("touched").result(),
        "1",
        "a replayed request was run"
    );
}

#[test]
fn parts_that_are_not_json() {
    let mut kernel = Kernel::start();
    let before = resident_memory(kernel.pid());
    let deep = "[".repeat(100_000);
    let deep_object = r#"{"a":"#.repeat(100_000);
    let bad: [&[u8]; 10] = [
        b"",
        b"not json",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"\"text\"",
        b"5",
        b"{\"a\": ",
        deep.as_bytes(),
        deep_object.as_bytes(),
    ];
    for bad in bad {
        for at in 0..4 {
            for msg_type in ["kernel_info_request", "execute_request", "comm_open"] {
                let header = header(msg_type).to_string();
                let mut message = parts(header.as_bytes(), b"{}", b"{}", b"{}");
                message[at] = Bytes::copy_from_slice(bad);
                kernel.send_frames(Channel::Shell, sealed(kernel.key(), &message));
            }
        }
        discard_all(&mut kernel);
        kernel.assert_alive();
    }
    assert!(resident_memory(kernel.pid()) < before + (64 << 20));
}

#[test]
fn headers_that_lack_fields_or_have_others() {
    let mut kernel = Kernel::start();
    let key = kernel.key().to_vec();
    for field in ["msg_id", "session", "username", "date", "msg_type", "version"] {
        for wrong in [None, Some(json!(null)), Some(json!(7)), Some(json!({"a": []}))] {
            let mut header = header("kernel_info_request");
            match wrong {
                None => drop(header.as_object_mut().and_then(|header| header.remove(field))),
                Some(wrong) => header[field] = wrong,
            }
            let header = header.to_string();
            let message = parts(header.as_bytes(), b"{}", b"{}", b"{}");
            survives(&mut kernel, &sealed(&key, &message));
        }
    }
}

#[test]
fn names_of_a_megabyte() {
    let mut kernel = Kernel::start();
    let key = kernel.key().to_vec();
    let before = resident_memory(kernel.pid());
    let long = "x".repeat(1 << 20);
    for field in ["msg_type", "msg_id", "session", "username"] {
        let mut header = header("kernel_info_request");
        header[field] = json!(long);
        let header = header.to_string();
        let message = parts(header.as_bytes(), b"{}", b"{}", b"{}");
        survives(&mut kernel, &sealed(&key, &message));
    }
    let log = kernel.log();
    assert!(log.len() < 100_000, "the log has {} bytes", log.len());
    assert!(resident_memory(kernel.pid()) < before + (64 << 20));
}

/// What Python's own JSON reader takes, and other readers do not.
#[test]
fn json_that_only_python_reads() {
    let mut kernel = Kernel::start();
    let key = kernel.key().to_vec();
    for (at, text) in [
        (2, r#"{"n": NaN, "i": Infinity, "m": -Infinity}"#),
        (
            2,
            r#"{"big": 123456789012345678901234567890123456789012345678901234567890}"#,
        ),
        (2, r#"{"lone": "\ud800", "pair": "\ud835\udd2a"}"#),
        (2, r#"{"twice": 1, "twice": 2}"#),
        (1, r#"{"n": NaN, "msg_id": "\udfff"}"#),
    ] {
        let header = header("execute_request").to_string();
        let content = crate::client::session::execute_content("'ran'").to_string();
        let mut message = parts(header.as_bytes(), b"{}", b"{}", content.as_bytes());
        message[at] = Bytes::copy_from_slice(text.as_bytes());
        kernel.send_frames(Channel::Shell, sealed(&key, &message));
        let reply = kernel.recv(Channel::Shell);
        assert_eq!(reply.status(), "ok", "{text}: {}", reply.summary());
        discard(&mut kernel);
    }
}

#[test]
fn contents_of_the_wrong_kind() {
    let mut kernel = Kernel::start();
    for msg_type in [
        "execute_request",
        "comm_open",
        "comm_msg",
        "comm_close",
        "comm_info_request",
        "interrupt_request",
        "input_reply",
        "usage_request",
        "connect_request",
        "status",
        "execute_reply",
        "",
    ] {
        for content in [
            json!({}),
            json!({"code": 7}),
            json!({"code": "1", "silent": "maybe", "user_expressions": [1], "store_history": {}}),
            json!({"comm_id": 5, "target_name": null, "data": [[]]}),
            json!({"value": {"a": 1}}),
        ] {
            let header = header(msg_type).to_string();
            let content = content.to_string();
            let message = parts(header.as_bytes(), b"{}", b"{}", content.as_bytes());
            for channel in CHANNELS {
                kernel.send_frames(channel, sealed(kernel.key(), &message));
            }
        }
        discard_all(&mut kernel);
        kernel.assert_alive();
    }
}

/// Like [`discard`], when requests that Python must answer are among the nonsense.
fn discard_all(kernel: &mut Client) {
    // What was sent on control is before the cell, too, when it has been read.
    let read = kernel.send_request(Channel::Control, "kernel_info_request", json!({}));
    while !kernel.recv(Channel::Control).is_child_of(&read) {}
    let barrier: RequestId = kernel.send_execute("'barrier'");
    loop {
        let message = kernel.recv(Channel::Iopub);
        if message.is_child_of(&barrier) && message.is_state("idle") {
            break;
        }
    }
    discard(kernel);
}

#[test]
fn a_reply_to_nobody() {
    let mut kernel = Kernel::start();
    // The asker is gone before the answer: its reply must be thrown away, and nothing else.
    for _ in 0..20 {
        let gone = kernel.connect();
        gone.send_execute("import time; time.sleep(0.02)");
        gone.send_request(Channel::Shell, "kernel_info_request", json!({}));
        drop(gone);
    }
    discard_all(&mut kernel);
    kernel.assert_alive();
}

#[test]
fn buffers_of_a_hundred_megabytes_pass() {
    let mut kernel = Kernel::start();
    // As any front-end does: a client that is not known yet may send no more than 16 MiB at once.
    kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    let mut message = kernel.outgoing("comm_msg", json!({"comm_id": "nobody", "data": {}}));
    message.buffers = vec![Bytes::from(vec![7; 100 << 20])];
    kernel.send(Channel::Shell, &message);
    discard_all(&mut kernel);
    kernel.assert_alive();
}
