//! Hostile input below the messages: bytes that are no ZMTP, lengths that nobody can mean, connections that wait.
//!
//! After each the kernel must run a cell as if nothing had happened, in about the memory that it had before.

use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::client::Kernel;
use crate::client::fixtures::{Noise, resident_memory};
use crate::client::raw::{COMMAND, LONG, MORE, RawPeer};

/// How much a kernel may have grown after an attack.
const ALLOWANCE: u64 = 64 << 20;

#[track_caller]
fn survives(attack: impl Fn(&Kernel, u16)) {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let before = resident_memory(kernel.pid());
    let ports = kernel.connection.ports();
    for (name, port) in ports {
        attack(&kernel, port);
        kernel.assert_alive();
        assert_eq!(
            kernel.heartbeat(b"still there?"),
            [&b"still there?"[..]],
            "after {name}"
        );
    }
    let after = resident_memory(kernel.pid());
    assert!(after < before + ALLOWANCE, "grew from {before} to {after} bytes");
}

#[test]
fn random_bytes() {
    survives(|_, port| {
        let mut noise = Noise::new(u64::from(port));
        for length in [0, 1, 9, 10, 11, 63, 64, 65, 1000, 1 << 20] {
            let mut peer = RawPeer::connect(port);
            peer.write(&noise.bytes(length));
        }
    });
}

#[test]
fn random_bytes_after_the_handshake() {
    survives(|_, port| {
        let mut noise = Noise::new(u64::from(port) + 1);
        for length in [1, 2, 9, 100, 10_000, 1 << 20] {
            for socket_type in ["DEALER", "SUB", "REQ"] {
                let mut peer = RawPeer::connect(port);
                peer.greeting();
                peer.ready(socket_type, b"");
                peer.write(&noise.bytes(length));
            }
        }
    });
}

#[test]
fn a_request_of_another_protocol() {
    survives(|_, port| {
        for text in [
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
            "SSH-2.0-OpenSSH_9.9\r\n",
        ] {
            RawPeer::connect(port).write(text.as_bytes());
        }
    });
}

#[test]
fn frames_that_claim_more_than_there_is() {
    survives(|_, port| {
        for length in [1 << 30, 1 << 40, 1 << 62, u64::MAX] {
            for flags in [0, MORE, COMMAND] {
                // Instead of READY, and after it.
                let mut early = RawPeer::connect(port);
                early.greeting();
                early.frame_claiming(flags, length);
                early.write(&[0; 1000]);
                for socket_type in ["DEALER", "SUB", "REQ"] {
                    let mut late = RawPeer::connect(port);
                    late.greeting();
                    late.ready(socket_type, b"");
                    late.frame_claiming(flags, length);
                    late.write(&[0; 1000]);
                }
            }
        }
    });
}

#[test]
fn reserved_flags_and_broken_commands() {
    survives(|_, port| {
        for frame in [
            &[0xff, 3, 1, 2, 3][..],
            &[COMMAND, 0],
            &[COMMAND, 1, 200],
            &[COMMAND, 6, 5, b'R', b'E', b'A', b'D', b'Y'],
            &[COMMAND, 8, 5, b'R', b'E', b'A', b'D', b'Y', 200, b'x'],
            &[COMMAND | MORE, 5, 4, b'P', b'I', b'N', b'G'],
            &[COMMAND, 5, 4, b'P', b'I', b'N', b'G'],
            &[COMMAND, 8, 7, b'N', b'O', b'T', b'H', b'I', b'N', b'G'],
            &[COMMAND | LONG, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            let mut early = RawPeer::connect(port);
            early.greeting();
            early.write(frame);
            let mut late = RawPeer::connect(port);
            late.greeting();
            late.ready("DEALER", b"");
            late.write(frame);
        }
    });
}

#[test]
fn wrong_socket_types_are_refused() {
    let mut kernel = Kernel::start();
    let shell = kernel.connection.shell;
    let iopub = kernel.connection.iopub;
    let heartbeat = kernel.connection.heartbeat;
    for (port, socket_type) in [
        (shell, "SUB"),
        (shell, "PUB"),
        (shell, "PULL"),
        (shell, "NONSENSE"),
        (iopub, "DEALER"),
        (iopub, "PUB"),
        (heartbeat, "SUB"),
        (heartbeat, "PAIR"),
    ] {
        let mut peer = RawPeer::connect(port);
        peer.greeting();
        peer.ready(socket_type, b"");
        assert!(peer.is_closed(), "a {socket_type} was let in");
    }
    let mut peer = RawPeer::connect(shell);
    peer.greeting();
    peer.ready("DEALER", &[b'x'; 256]);
    drop(peer);
    kernel.assert_alive();
}

#[test]
fn a_mechanism_that_is_not_spoken() {
    survives(|_, port| {
        for mechanism in [&b"CURVE"[..], b"PLAIN", b"\xff\xff"] {
            let mut greeting = [0_u8; 64];
            greeting[0] = 0xff;
            greeting[9] = 0x7f;
            greeting[10] = 3;
            greeting[12..12 + mechanism.len()].copy_from_slice(mechanism);
            RawPeer::connect(port).write(&greeting);
        }
        // ZMTP 1 and 2 peers.
        RawPeer::connect(port).write(b"\x01\x00");
        RawPeer::connect(port).write(b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\0");
    });
}

#[test]
fn five_hundred_idle_connections() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let before = resident_memory(kernel.pid());
    let ports = kernel.connection.ports();
    let mut idle = Vec::new();
    for n in 0..500 {
        let (_, port) = ports[n % ports.len()];
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            idle.push(stream);
        }
    }
    kernel.assert_alive();
    // A front-end that comes now is served.
    let mut late = kernel.connect();
    let request = late.send_execute("'late'");
    assert_eq!(late.finish_execute(&request, Some("'late'")).result(), "'late'");
    kernel.finish_elsewhere(&request);
    assert!(resident_memory(kernel.pid()) < before + ALLOWANCE);
    drop(idle);
    kernel.assert_alive();
}

/// A connection in which every byte comes by itself is slow, not hostile.
#[test]
fn one_byte_at_a_time() {
    let mut kernel = Kernel::start();
    let mut peer = RawPeer::connect(kernel.connection.heartbeat);
    let mut bytes = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0];
    bytes.extend_from_slice(b"NULL");
    bytes.resize(64, 0);
    bytes.extend_from_slice(b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03REQ");
    bytes.extend_from_slice(b"\x01\x00\x00\x04slow");
    for byte in bytes {
        peer.write(&[byte]);
        std::thread::sleep(Duration::from_micros(500));
    }
    peer.read_past_greeting();
    let (flags, body) = peer.read_frame().expect("the empty delimiter");
    assert_eq!((flags, body), (MORE, Vec::new()));
    assert_eq!(peer.read_frame().expect("the echo").1, b"slow");
    kernel.assert_alive();
}

#[test]
fn a_thousand_connections_that_hang_up() {
    survives(|_, port| {
        for _ in 0..200 {
            let peer = TcpStream::connect(("127.0.0.1", port)).expect("the port listens");
            let _ = peer.shutdown(Shutdown::Both);
        }
    });
}

#[test]
fn messages_of_very_many_parts() {
    survives(|kernel, port| {
        if port == kernel.connection.heartbeat {
            return;
        }
        let mut peer = RawPeer::connect(port);
        peer.greeting();
        peer.ready(
            if port == kernel.connection.iopub {
                "SUB"
            } else {
                "DEALER"
            },
            b"",
        );
        let parts = [MORE, 0].repeat(100_000);
        peer.write(&parts);
    });
}

/// A second connection with the identity of the first takes its place.
#[test]
fn an_identity_that_comes_back() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    for _ in 0..20 {
        let mut peer = RawPeer::connect(kernel.connection.shell);
        peer.handshake("DEALER", b"twin");
        let request = kernel.outgoing("kernel_info_request", serde_json::json!({}));
        let frames = request.seal(kernel.key());
        let parts: Vec<&[u8]> = frames.iter().map(|frame| &frame[..]).collect();
        peer.message(&parts);
        loop {
            let (flags, _) = peer.read_frame().expect("the reply reaches the newest twin");
            if flags & MORE == 0 {
                break;
            }
        }
        kernel.recv_iopub_busy(&request.id());
        kernel.recv_iopub_idle(&request.id());
    }
    kernel.assert_alive();
}

/// Subscribing without end costs bounded memory.
#[test]
fn a_flood_of_subscriptions() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let before = resident_memory(kernel.pid());
    let mut peer = RawPeer::connect(kernel.connection.iopub);
    peer.handshake("SUB", b"");
    for n in 0..50_000_u32 {
        let mut topic = vec![1];
        topic.extend_from_slice(&[b'x'; 200]);
        topic.extend_from_slice(&n.to_be_bytes());
        if !peer.frame(0, &topic) {
            break;
        }
    }
    kernel.assert_alive();
    assert!(resident_memory(kernel.pid()) < before + ALLOWANCE);
}
