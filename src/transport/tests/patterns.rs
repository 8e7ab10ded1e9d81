//! ROUTER, XPUB and REP with a client that somebody else has written.

use std::str::FromStr;

use zeromq::util::PeerIdentity;
use zeromq::{DealerSocket, ReqSocket, Socket, SocketOptions, SocketRecv, SocketSend, SubSocket, ZmqMessage};

use super::raw::Raw;
use super::*;

fn message(parts: &[&[u8]]) -> ZmqMessage {
    let parts: Vec<Bytes> = parts.iter().map(|part| Bytes::copy_from_slice(part)).collect();
    ZmqMessage::try_from(parts).expect("a message")
}

async fn dealer(endpoint: &str, identity: Option<&str>) -> DealerSocket {
    let mut options = SocketOptions::default();
    if let Some(identity) = identity {
        options.peer_identity(PeerIdentity::from_str(identity).expect("an identity"));
    }
    let mut dealer = DealerSocket::with_options(options);
    dealer.connect(endpoint).await.expect("a connection");
    dealer
}

#[test]
fn a_request_comes_with_its_identity_and_the_reply_finds_its_way() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        for identity in [Some("a-session"), None] {
            let mut dealer = dealer(&endpoint, identity).await;
            dealer.send(message(&[b"", b"one", b"two"])).await.expect("sent");
            let mut request = router.recv().await;
            match identity {
                Some(identity) => assert_eq!(request[0], identity),
                None => assert_eq!(request[0][..], [0, 0, 0, 0, 1]),
            }
            assert_eq!(request[1..], frames(["", "one", "two"]));
            request.push("three".into());
            router.send(request).expect("a reply");
            let reply = dealer.recv().await.expect("a reply").into_vec();
            assert_eq!(reply, frames(["", "one", "two", "three"]));
        }
    });
}

#[test]
fn big_parts_come_back_whole() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        let mut dealer = dealer(&endpoint, Some("big")).await;
        dealer.send("hello".into()).await.expect("sent");
        let hello = router.recv().await;
        router.trust(&hello[0]);
        let parts: Vec<Bytes> = [0, 1, 300, 70_000, 5, 20 << 20]
            .iter()
            .map(|size| vec![*size as u8; *size].into())
            .collect();
        dealer
            .send(ZmqMessage::try_from(parts.clone()).expect("a message"))
            .await
            .expect("sent");
        let request = router.recv().await;
        assert_eq!(request[1..], parts);
        router.send(request).expect("a reply");
        assert!(dealer.recv().await.expect("a reply").into_vec() == parts);
    });
}

#[test]
fn a_reply_to_nobody_is_an_error_and_nothing_else() {
    run(async {
        let (router, _) = router(Limits::default());
        assert_eq!(router.send(frames(["nobody", "x"])), Err(SendError::NoSuchPeer));
        assert_eq!(router.send(frames(["nobody"])), Err(SendError::Empty));
        assert_eq!(router.send(vec![]), Err(SendError::Empty));
    });
}

#[test]
fn an_identity_that_comes_back_replaces_the_old_connection() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        let mut old = Raw::ready(&endpoint, "DEALER", b"me").await;
        let mut new = Raw::ready(&endpoint, "DEALER", b"me").await;
        assert!(old.is_closed().await);
        until(|| router.counters().handed_over == 1).await;
        drop(old);
        new.send(b"\x00\x01x").await;
        assert_eq!(router.recv().await, frames(["me", "x"]));
        router
            .send(frames(["me", "y"]))
            .expect("the newer connection holds the name");
        assert_eq!(new.frame().await, (0, b"y".to_vec()));
        drop(new);
        until(|| router.send(frames(["me", "y"])) == Err(SendError::NoSuchPeer)).await;
    });
}

#[test]
fn the_heartbeat_answers_by_itself() {
    run(async {
        let (listeners, endpoint) = tcp();
        let heartbeat = Rep::echo(listeners, "heartbeat", Limits::default()).expect("a heartbeat");
        let mut client = ReqSocket::new();
        client.connect(&endpoint).await.expect("a connection");
        for _ in 0..3 {
            client.send("ping".into()).await.expect("sent");
            assert_eq!(client.recv().await.expect("an echo").into_vec(), frames(["ping"]));
        }
        let mut raw = Raw::ready(&endpoint, "DEALER", b"").await;
        raw.send(b"\x00\x01x\x01\x00\x00\x01y").await;
        assert_eq!(
            raw.frame().await,
            (1, b"".to_vec()),
            "the one without a delimiter is no request"
        );
        assert_eq!(heartbeat.counters().ignored, 1);
    });
}

#[test]
fn subscribers_get_what_they_asked_for() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits::default());
        let (mut all, mut some) = (SubSocket::new(), SubSocket::new());
        all.connect(&endpoint).await.expect("a connection");
        some.connect(&endpoint).await.expect("a connection");
        all.subscribe("").await.expect("subscribed");
        let Subscription { topic, peer } = xpub.recv().await;
        assert_eq!(topic, "");
        some.subscribe("kernel.b").await.expect("subscribed");
        assert_eq!(xpub.recv().await.topic, "kernel.b");
        assert_eq!(xpub.subscribers(), 2);
        xpub.publish_to(peer, frames(["iopub_welcome", "w"]));
        for topic in ["kernel.a", "kernel.b", "kernel.b.c", "k"] {
            xpub.publish(frames([topic, "x"]));
        }
        for topic in ["iopub_welcome", "kernel.a", "kernel.b", "kernel.b.c", "k"] {
            assert_eq!(all.recv().await.expect("a message").into_vec()[0], topic);
        }
        for topic in ["kernel.b", "kernel.b.c"] {
            assert_eq!(some.recv().await.expect("a message").into_vec()[0], topic);
        }
        some.unsubscribe("kernel.b").await.expect("unsubscribed");
        until(|| xpub.subscribers() == 1).await;
        drop(all);
        until(|| xpub.subscribers() == 0).await;
        xpub.publish_to(peer, frames(["gone", "x"]));
    });
}

#[test]
fn a_topic_is_reported_once_however_often_it_is_subscribed_to() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits::default());
        let mut raw = Raw::ready(&endpoint, "SUB", b"").await;
        let forms = b"\x00\x02\x01a\x00\x02\x01a\x04\x0b\x09SUBSCRIBEa\x04\x08\x06CANCELa".repeat(1000);
        raw.send(&[&forms[..], b"\x00\x02\x01b"].concat()).await;
        assert_eq!(xpub.recv().await.topic, "a");
        assert_eq!(xpub.recv().await.topic, "b");
        raw.send(b"\x00\x02\x01a\x00\x02\x01c").await;
        assert_eq!(xpub.recv().await.topic, "c");
        assert_eq!(xpub.try_recv(), None);
        xpub.publish(frames(["a", "still"]));
        assert_eq!(raw.frame().await.1, b"a");
    });
}

#[test]
fn a_sweep_finds_what_has_arrived() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        let raw = Raw::ready(&endpoint, "DEALER", b"me").await;
        raw.stream.set_nodelay(true).expect("an option");
        for round in 0..100 {
            // Without letting any other task run.
            assert_eq!(raw.stream.try_write(b"\x00\x01x").expect("sent"), 3);
            router.sweep().await;
            assert_eq!(router.try_recv(), Some(frames(["me", "x"])), "round {round}");
            assert_eq!(router.try_recv(), None);
        }
    });
}
