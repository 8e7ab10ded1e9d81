//! What somebody costs who has not shown that he belongs here: one connection, a little memory, his share of a turn.

use super::hostile::{fill_the_pipe, long, serves};
use super::raw::{Raw, opening};
use super::*;

/// Whether the connection is open and nothing but silence comes.
async fn stays(raw: &mut Raw) -> bool {
    tokio::time::timeout(Duration::from_millis(50), raw.is_closed())
        .await
        .is_err()
}

#[test]
fn the_oldest_stranger_makes_room_and_whoever_is_known_stays() {
    run(async {
        let (mut router, endpoint) = router(Limits {
            idle: 8,
            ready: 8,
            ..Limits::default()
        });
        let mut known = Raw::ready(&endpoint, "DEALER", b"known").await;
        introduce(&mut router, &mut known).await;
        let mut strangers = Vec::new();
        for _ in 0..20 {
            strangers.push(Raw::ready(&endpoint, "DEALER", b"").await);
        }
        until(|| router.counters().made_room == 13).await;
        for (number, stranger) in strangers.iter_mut().enumerate() {
            assert_eq!(stays(stranger).await, number >= 13, "number {number}");
        }
        assert!(stays(&mut known).await);
        serves(&mut router, &endpoint).await;
    });
}

#[test]
fn where_all_are_known_one_too_many_is_turned_away() {
    run(async {
        let (mut router, endpoint) = router(Limits {
            ready: 3,
            ..Limits::default()
        });
        let mut peers = Vec::new();
        for _ in 0..3 {
            let mut peer = Raw::ready(&endpoint, "DEALER", b"").await;
            introduce(&mut router, &mut peer).await;
            peers.push(peer);
        }
        let mut fourth = Raw::connect(&endpoint).await;
        fourth.send(&opening("DEALER", b"")).await;
        fourth.skip_greeting().await;
        assert_eq!(
            fourth.frame().await,
            (4, b"\x05ERROR\x14too many connections".to_vec())
        );
        assert!(fourth.is_closed().await);
        let ready = router.counters().ready;
        peers.pop();
        serves(&mut router, &endpoint).await;
        assert_eq!(router.counters().ready, ready + 1);
    });
}

#[test]
fn a_thousand_strangers_do_not_keep_a_client_waiting() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        let mut strangers = Vec::new();
        for _ in 0..1024 {
            strangers.push(Raw::ready(&endpoint, "DEALER", b"").await);
        }
        serves(&mut router, &endpoint).await;
        let counters = router.counters();
        assert!(
            counters.made_room >= 1024 - Limits::default().idle as u64,
            "{counters:?}"
        );
    });
}

/// Idle connections go, and those who subscribe and do not read; who subscribes and reads stays.
#[test]
fn a_subscriber_who_reads_is_not_thrown_out_for_idle_connections() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits {
            idle: 4,
            ready: 8,
            ..Limits::default()
        });
        let mut reader = Raw::ready(&endpoint, "SUB", b"").await;
        reader.send(b"\x00\x01\x01").await;
        xpub.recv().await;
        let mut deaf = Raw::ready(&endpoint, "SUB", b"").await;
        deaf.send(b"\x00\x02\x01d").await;
        xpub.recv().await;
        xpub.publish(vec!["d".into(), vec![0; 20 << 20].into()]);
        assert_eq!(reader.frame().await.1, b"d");
        assert_eq!(reader.frame().await.1.len(), 20 << 20);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let mut idle = Vec::new();
        for _ in 0..50 {
            idle.push(Raw::ready(&endpoint, "SUB", b"").await);
        }
        assert!(stays(&mut reader).await);
        xpub.publish(frames(["d", "still here"]));
        assert_eq!(reader.frame().await.1, b"d");
        assert_eq!(reader.frame().await.1, b"still here");
        assert_eq!(xpub.subscribers(), 2, "idle ones go before the deaf one");

        // Subscribers without end: the deaf one goes, and somebody of them for each that comes.
        for number in 0..50_u8 {
            let mut raw = Raw::ready(&endpoint, "SUB", b"").await;
            raw.send(&[0, 2, 1, number]).await;
            assert_eq!(xpub.recv().await.topic[..], [number]);
            idle.push(raw);
        }
        assert!(xpub.subscribers() <= 8);
        until(|| xpub.counters().made_room > 80).await;
        deaf.is_closed().await;
    });
}

#[test]
fn a_heartbeat_client_is_not_thrown_out_for_idle_connections() {
    run(async {
        let (listeners, endpoint) = tcp();
        let limits = Limits {
            idle: 4,
            ready: 8,
            ..Limits::default()
        };
        let heartbeat = Rep::echo(listeners, "heartbeat", limits).expect("a heartbeat");
        let mut client = Raw::ready(&endpoint, "REQ", b"").await;
        let mut idle = Vec::new();
        for _ in 0..50 {
            client.send(b"\x01\x00\x00\x04ping").await;
            assert_eq!(client.frame().await, (1, Vec::new()));
            assert_eq!(client.frame().await, (0, b"ping".to_vec()));
            idle.push(Raw::ready(&endpoint, "REQ", b"").await);
        }
        assert_eq!(heartbeat.counters().made_room, 47);
    });
}

#[test]
fn a_long_message_needs_a_signature_before_it() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        let mut stranger = Raw::ready(&endpoint, "DEALER", b"").await;
        stranger.send(&long(0, (16 << 20) + 1)).await;
        assert!(stranger.is_closed().await);
        // In one go with the message that makes it known.
        let mut client = Raw::ready(&endpoint, "DEALER", b"client").await;
        client
            .send(&[b"\x00\x05hello", &long(0, 100 << 20)[..], &vec![b'x'; 1 << 20]].concat())
            .await;
        let frames = router.recv().await;
        router.trust(&frames[0]);
        let rest = vec![b'x'; 99 << 20];
        let (_, message) = tokio::join!(client.send(&rest), router.recv());
        assert_eq!(message[1].len(), 100 << 20);
    });
}

/// The name of a client is no secret. Who takes it over does not become known by what the client had sent.
#[test]
fn trust_belongs_to_the_connection_and_not_to_its_name() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        let mut client = Raw::ready(&endpoint, "DEALER", b"me").await;
        client.send(b"\x00\x05hello").await;
        let frames = router.recv().await;
        let mut thief = Raw::ready(&endpoint, "DEALER", b"me").await;
        router.trust(&frames[0]);
        thief.send(&long(0, (16 << 20) + 1)).await;
        assert!(thief.is_closed().await);
    });
}

#[test]
fn unfinished_messages_of_strangers_share_a_budget() {
    run(async {
        let (mut router, endpoint) = router(Limits {
            stranger_message: 1 << 20,
            strangers: Account::new(4 << 20),
            ..Limits::default()
        });
        let mut small = Raw::ready(&endpoint, "DEALER", b"").await;
        small
            .send(&[&long(0, 1 << 20)[..], &vec![0; 50 << 10]].concat())
            .await;
        let mut strangers = Vec::new();
        for _ in 0..20 {
            let mut raw = Raw::ready(&endpoint, "DEALER", b"").await;
            raw.send(&[&long(0, 1 << 20)[..], &vec![0; 900 << 10]].concat())
                .await;
            strangers.push(raw);
        }
        until(|| router.counters().too_long == 16).await;
        assert!(stays(&mut small).await, "the longest go");
        serves(&mut router, &endpoint).await;
        // Who is gone holds nothing any more.
        drop(strangers);
        small.send(&vec![0; 974 << 10]).await;
        assert_eq!(router.recv().await[1].len(), 1 << 20);
        assert_eq!(router.counters().too_long, 16);
    });
}

/// On whichever socket they are, and whether it has come to its end or not.
#[test]
fn sockets_share_what_strangers_may_make_them_keep() {
    run(async {
        let limits = Limits {
            stranger_message: 3 << 20,
            strangers: Account::new(3 << 20),
            ..Limits::default()
        };
        let (mut shell, to_shell) = router(limits.clone());
        let (control, to_control) = router(limits);
        let mut whole = Raw::ready(&to_shell, "DEALER", b"").await;
        let message = [&long(0, 1 << 20)[..], &vec![0; 1 << 20]].concat();
        whole.send(&message).await;
        until(|| shell.waiting() == 1).await;
        let mut unfinished = Raw::ready(&to_control, "DEALER", b"").await;
        unfinished
            .send(&[&long(0, 3 << 20)[..], &vec![0; 5 << 19]].concat())
            .await;
        assert!(
            unfinished.is_closed().await,
            "together they are too much, and this is more"
        );
        until(|| control.counters().too_long == 1).await;
        // What has been opened counts no more.
        assert_eq!(shell.recv().await[1].len(), 1 << 20);
        let mut other = Raw::ready(&to_control, "DEALER", b"").await;
        other
            .send(&[&long(0, 3 << 20)[..], &vec![0; 5 << 19]].concat())
            .await;
        assert!(stays(&mut other).await);
        assert!(stays(&mut whole).await);
    });
}

/// One message of a stranger at a time is read before its signature has been looked at.
#[test]
fn a_stranger_does_not_fill_the_inbox() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        let raw = Raw::ready(&endpoint, "DEALER", b"").await;
        let message = [&long(0, 65_536)[..], &vec![b'x'; 65_536]].concat();
        fill_the_pipe(&raw, &message).await;
        let mut count = 0;
        while router.try_recv().is_some() {
            count += 1;
        }
        assert_eq!(count, 1);
        router.recv().await;
    });
}

#[test]
fn topics_are_bounded() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits::default());
        let mut raw = Raw::ready(&endpoint, "SUB", b"").await;
        for number in 0..300_u16 {
            raw.send(&[b"\x00\x03\x01", &number.to_be_bytes()[..]].concat())
                .await;
        }
        assert!(raw.is_closed().await);
        assert_eq!(xpub.subscribers(), 0);
        let mut told = 0;
        while xpub.try_recv().is_some() {
            told += 1;
        }
        assert_eq!(told, 256);
    });
}

/// Small requests, and small answers to nobody who reads them.
#[test]
fn the_heartbeat_and_the_publisher_read_short_messages_only() {
    run(async {
        let (listeners, echo) = tcp();
        let _heartbeat = Rep::echo(listeners, "heartbeat", Limits::default()).expect("a heartbeat");
        let (_xpub, iopub) = xpub(Limits::default());
        for (endpoint, socket_type, length) in [(&echo, "REQ", (256 << 10) + 1), (&iopub, "SUB", 8193)] {
            let mut raw = Raw::ready(endpoint, socket_type, b"").await;
            raw.send(&long(0, length)).await;
            assert!(raw.is_closed().await, "{socket_type}");
        }
        let raw = Raw::ready(&echo, "DEALER", b"").await;
        let ping = [b"\x01\x00", &long(0, 4096)[..], &[b'x'; 4096]].concat();
        let sent = fill_the_pipe(&raw, &ping).await;
        // What the system holds on both ways, and a little.
        assert!(sent < 64 << 20, "{sent}");
    });
}

#[test]
fn a_crowd_may_wait_at_the_door() {
    let (_listeners, endpoint) = tcp();
    let address = endpoint
        .strip_prefix("tcp://")
        .expect("tcp")
        .parse()
        .expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("crowd");
    let _listener = bind(&Endpoint::Ipc(path.clone())).expect("bound");
    let (sender, crowds) = std::sync::mpsc::channel();
    // A connection that the system does not take waits for ever, or for a second until its next try.
    std::thread::spawn(move || {
        let tcp: Vec<_> = (0..1000)
            .map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(900)))
            .collect();
        let ipc: Vec<_> = (0..1000)
            .map(|_| std::os::unix::net::UnixStream::connect(&path))
            .collect();
        let count = tcp.iter().filter(|stream| stream.is_ok()).count();
        sender.send((count, ipc.iter().filter(|stream| stream.is_ok()).count()))
    });
    assert_eq!(crowds.recv_timeout(Duration::from_secs(10)), Ok((1000, 1000)));
}
