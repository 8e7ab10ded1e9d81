//! Subscribers and clients that do not read, or that ask for more than anybody needs.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::fixtures::resident_memory;
use crate::client::raw::RawPeer;
use crate::client::{Channel, Kernel};

/// The same subscription again and again makes one welcome, not a hundred thousand.
#[test]
fn the_same_subscription_a_hundred_thousand_times() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let before = resident_memory(kernel.pid());
    let mut peer = RawPeer::connect(kernel.connection.iopub);
    peer.handshake("SUB", b"");
    for forms in [b"\x00\x02\x01t\x00\x02\x01t", b"\x00\x02\x01t\x00\x02\x00t"] {
        assert!(peer.write(&forms.repeat(25_000)));
    }
    assert!(peer.write(b"\x00\x03\x01at"));
    let mut welcomes = Vec::new();
    while welcomes.last().map(String::as_str) != Some("at") {
        let (_, topic) = peer.read_frame().expect("a welcome");
        welcomes.push(String::from_utf8(topic).expect("text"));
        // Delimiter, signature, header, parent, metadata, content.
        for _ in 0..6 {
            peer.read_frame().expect("a frame");
        }
    }
    assert_eq!(welcomes, ["t", "at"]);
    kernel.assert_alive();
    let after = resident_memory(kernel.pid());
    assert!(after < before + (16 << 20), "grew from {before} to {after} bytes");
}

/// Somebody subscribes and never reads: the cell that prints is held up for a second, and not again.
#[test]
fn a_subscriber_that_never_reads_costs_a_second() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let code = "for _ in range(1200): print('x' * 99_999)";
    let mut plays = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(kernel.run(code).len(), 120_000_000);
        let usual = began.elapsed();
        let mut deaf = RawPeer::connect(kernel.connection.iopub);
        deaf.handshake("SUB", b"");
        deaf.message(&[b"\x01"]);
        deaf.read_frame().expect("its welcome");
        let began = Instant::now();
        assert_eq!(kernel.run(code).len(), 120_000_000);
        let beside = began.elapsed();
        assert!(deaf.is_closed());
        plays.push((usual, beside));
        if beside < usual * 3 / 2 + Duration::from_millis(1500) {
            let log = kernel.log();
            assert!(log.contains("reads more slowly than others"), "{log}");
            return;
        }
    }
    panic!("alone and beside it: {plays:?}");
}

/// A client that pauses gets the large reply, and all that were asked for behind it.
#[test]
fn replies_behind_a_large_one_all_arrive() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let mut peer = RawPeer::connect(kernel.connection.shell);
    peer.handshake("DEALER", b"run-all");
    let mut ids = Vec::new();
    let mut send = |code: &str, expressions: serde_json::Value| {
        let content = json!({"code": code, "silent": true, "store_history": false, "user_expressions": expressions,
            "allow_stdin": false, "stop_on_error": true});
        let request = kernel.outgoing("execute_request", content);
        let frames = request.seal(kernel.key());
        let parts: Vec<&[u8]> = frames.iter().map(|frame| &frame[..]).collect();
        assert!(peer.message(&parts));
        ids.push(request.id());
    };
    send(
        "class Large:\n    def __repr__(self): return 'x' * (64 << 20)\nlarge = Large()",
        json!({}),
    );
    send("", json!({"large": "large"}));
    for _ in 0..200 {
        send("", json!({}));
    }
    std::thread::sleep(Duration::from_secs(3));
    let mut longest = 0;
    for id in &ids {
        let mut reply = Vec::new();
        loop {
            let (flags, frame) = peer.read_frame().expect("a reply");
            reply.push(frame);
            if flags & crate::client::raw::MORE == 0 {
                break;
            }
        }
        longest = longest.max(reply[5].len());
        let parent: serde_json::Value = serde_json::from_slice(&reply[3]).expect("JSON");
        assert_eq!(parent["msg_id"], id.0.as_str());
    }
    assert!(longest > 64 << 20, "{longest}");
    // What its cells had the kernel say belongs to nobody here.
    for id in &ids {
        kernel.recv_iopub_busy(id);
        kernel.recv_iopub_idle(id);
    }
}

/// What a client had sent when the end came is read: its connection ends, it is not reset, and it has the reply.
#[test]
fn a_client_with_much_to_say_at_the_end_has_its_reply() {
    for _ in 0..5 {
        let mut kernel = Kernel::start();
        kernel.assert_alive();
        let mut peer = RawPeer::connect(kernel.connection.control);
        peer.handshake("DEALER", b"talks");
        let shutdown = kernel.outgoing("shutdown_request", json!({"restart": false}));
        let frames = shutdown.seal(kernel.key());
        let parts: Vec<&[u8]> = frames.iter().map(|frame| &frame[..]).collect();
        peer.message(&parts);
        // More than the kernel reads at once, none of it of any use.
        let forged = vec![0; 60_000];
        for _ in 0..200 {
            if !peer.message(&[b"<IDS|MSG>", b"", &forged]) {
                break;
            }
        }
        let mut types = Vec::new();
        let end = loop {
            match peer.read_frame() {
                Ok((_, frame)) => {
                    if let Ok(header) = serde_json::from_slice::<serde_json::Value>(&frame)
                        && let Some(name) = header["msg_type"].as_str()
                    {
                        types.push(name.to_owned());
                    }
                }
                Err(error) => break error.kind(),
            }
        };
        assert!(types.contains(&"shutdown_reply".to_owned()), "{types:?}");
        assert_eq!(end, std::io::ErrorKind::UnexpectedEof);
        assert!(kernel.wait(Duration::from_secs(10)).success());
        kernel.recv_to_end(Channel::Iopub);
    }
}
