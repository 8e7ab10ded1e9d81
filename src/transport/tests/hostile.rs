//! Peers that lie, flood, dawdle or do not read. After each of them a good client is served.

use std::time::Instant;

use super::raw::{Raw, opening};
use super::*;
use crate::transport::zmtp::{encode_command, greeting};

/// A good client must get its echo within a second.
pub(super) async fn serves(router: &mut Router, endpoint: &str) {
    let began = Instant::now();
    let mut good = Raw::ready(endpoint, "DEALER", b"good").await;
    good.send(b"\x00\x05hello").await;
    loop {
        let request = router.recv().await;
        if request[0] == "good" {
            router.send(request).expect("an echo");
            break;
        }
    }
    assert_eq!(good.frame().await, (0, b"hello".to_vec()));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "served after {:?}",
        began.elapsed()
    );
    drop(good);
    until(|| router.send(frames(["good", "x"])) == Err(SendError::NoSuchPeer)).await;
}

pub(super) fn long(flags: u8, length: u64) -> Vec<u8> {
    [&[flags | 2][..], &length.to_be_bytes()].concat()
}

/// Sends the same bytes again and again, until nothing is taken any more; how many were.
pub(super) async fn fill_the_pipe(raw: &Raw, bytes: &[u8]) -> usize {
    let (mut sent, mut at) = (0, 0);
    while tokio::time::timeout(Duration::from_millis(300), raw.stream.writable())
        .await
        .is_ok()
    {
        match raw.stream.try_write(&bytes[at..]) {
            Ok(count) => (sent, at) = (sent + count, (at + count) % bytes.len()),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        assert!(sent < 1 << 30, "it is read for ever");
    }
    sent
}

#[test]
fn huge_lengths_end_the_connection_and_nothing_else() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        for length in [(1 << 30) + 1, 1 << 40, 1 << 47, 1 << 62, (1 << 63) - 1, u64::MAX] {
            for flags in [0, 1, 4] {
                let mut before = Raw::connect(&endpoint).await;
                before
                    .send(&[greeting().to_vec(), long(flags, length)].concat())
                    .await;
                assert!(before.is_closed().await);
                let mut after = Raw::ready(&endpoint, "DEALER", b"").await;
                after.send(&long(flags, length)).await;
                assert!(after.is_closed().await);
            }
        }
        assert_eq!(router.counters().refused, 36);
        serves(&mut router, &endpoint).await;
    });
}

#[test]
fn garbage_ends_the_connection_and_nothing_else() {
    run(async {
        let (mut router, endpoint) = router(Limits {
            handshake: Duration::from_millis(200),
            ..Limits::default()
        });
        let mut state = 88_172_645_463_325_252_u64;
        for round in 0..200_usize {
            let mut raw = Raw::connect(&endpoint).await;
            let good = opening("DEALER", b"");
            let mut bytes = good[..good.len() * (round % 5) / 4].to_vec();
            for _ in 0..100 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.push(state as u8);
            }
            raw.send(&bytes).await;
            if round % 20 == 0 {
                raw.is_closed().await;
            }
        }
        serves(&mut router, &endpoint).await;
    });
}

#[test]
fn idle_connections_do_not_keep_a_client_waiting() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        let mut idle = Vec::new();
        for _ in 0..500 {
            idle.push(Raw::connect(&endpoint).await);
        }
        serves(&mut router, &endpoint).await;
        let counters = router.counters();
        assert!(
            counters.displaced >= 500 - Limits::default().pending as u64,
            "{counters:?}"
        );
        tokio::time::sleep(Duration::from_millis(2200)).await;
        assert_eq!(
            router.counters().refused + router.counters().displaced,
            500,
            "their time is over"
        );
        for raw in &mut idle {
            assert!(raw.is_closed().await);
        }
    });
}

#[test]
fn the_wrong_socket_type_is_told_so() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        for (socket_type, identity) in [("SUB", &b""[..]), ("", b""), ("DEALER", b"\0bad")] {
            let mut raw = Raw::connect(&endpoint).await;
            raw.send(&opening(socket_type, identity)).await;
            raw.skip_greeting().await;
            assert_eq!(&raw.frame().await.1[..6], b"\x05ERROR");
            assert!(raw.is_closed().await);
        }
        serves(&mut router, &endpoint).await;
    });
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    run(async {
        let (_router, endpoint) = router(Limits::default());
        let mut raw = Raw::connect(&endpoint).await;
        raw.stream.set_nodelay(true).expect("an option");
        for byte in opening("DEALER", b"slow") {
            raw.send(&[byte]).await;
            tokio::task::yield_now().await;
        }
        raw.skip_greeting().await;
        assert_eq!(&raw.frame().await.1[..6], b"\x05READY");
    });
}

#[test]
fn a_ping_is_answered() {
    run(async {
        let (_router, endpoint) = router(Limits::default());
        let mut raw = Raw::ready(&endpoint, "DEALER", b"").await;
        raw.send(&encode_command("PING", b"\x00\x10context")).await;
        assert_eq!(raw.frame().await, (4, b"\x04PONGcontext".to_vec()));
    });
}

#[test]
fn pings_of_a_peer_that_does_not_read_are_not_stored_without_end() {
    run(async {
        let (router, endpoint) = router(Limits {
            peer_budget: 64 << 10,
            ..Limits::default()
        });
        let raw = Raw::ready(&endpoint, "DEALER", b"").await;
        let flood = encode_command("PING", b"\x00\x100123456789abcdef").repeat(1000);
        fill_the_pipe(&raw, &flood).await;
        assert!(router.server_unread());
    });
}

#[test]
fn a_thousand_resets_leave_the_listener_alive() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        for _ in 0..1000 {
            let raw = Raw::connect(&endpoint).await;
            raw.stream.set_zero_linger().expect("an option");
        }
        serves(&mut router, &endpoint).await;
    });
}

#[test]
fn a_hundred_thousand_empty_parts_are_refused() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        let mut raw = Raw::ready(&endpoint, "DEALER", b"").await;
        raw.send(&[1, 0].repeat(100_000)).await;
        assert!(raw.is_closed().await);
        assert_eq!(router.counters().refused, 1);
        serves(&mut router, &endpoint).await;
    });
}

#[test]
fn a_flood_that_nobody_takes_is_not_read_without_end() {
    run(async {
        let (mut router, endpoint) = router(Limits {
            inbound_budget: 1 << 20,
            ..Limits::default()
        });
        let raw = Raw::ready(&endpoint, "DEALER", b"").await;
        let message = [&long(0, 65_536)[..], &vec![b'x'; 65_536]].concat();
        let sent = fill_the_pipe(&raw, &message).await;
        let whole = sent / message.len();
        for _ in 0..whole {
            assert_eq!(router.recv().await[1].len(), 65_536);
        }
    });
}
