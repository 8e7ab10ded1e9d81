//! Peers that do not read, or not quickly: what they cost the others, and what they lose.

use std::time::Instant;

use super::hostile::serves;
use super::raw::Raw;
use super::*;

async fn subscriber(xpub: &mut XPub, endpoint: &str) -> Raw {
    let mut raw = Raw::ready(endpoint, "SUB", b"").await;
    raw.send(b"\x00\x01\x01").await;
    xpub.recv().await;
    raw
}

/// Publishes numbered messages of 64 KiB, each as soon as there is room; the longest wait, and all of them together.
async fn flood(xpub: &XPub, count: u32) -> (Duration, Duration) {
    let payload = Bytes::from(vec![0; 64 << 10]);
    let (mut longest, mut sum) = (Duration::ZERO, Duration::ZERO);
    for number in 0..count {
        let began = Instant::now();
        xpub.writable().await;
        longest = longest.max(began.elapsed());
        sum += began.elapsed();
        xpub.publish(vec![
            Bytes::copy_from_slice(&number.to_be_bytes()),
            payload.clone(),
        ]);
        // Lets the peers' tasks run.
        tokio::task::yield_now().await;
    }
    (longest, sum)
}

/// Reads all messages of a flood, in order.
async fn read_flood(mut raw: Raw, count: u32) {
    for number in 0..count {
        assert_eq!(raw.frame().await, (1, number.to_be_bytes().to_vec()));
        assert_eq!(raw.frame().await.1.len(), 64 << 10);
    }
}

/// Reads `bytes` every `pause`, until the connection ends.
async fn read_slowly(raw: Raw, bytes: usize, pause: Duration) {
    let mut buffer = vec![0; bytes];
    loop {
        let mut left = bytes;
        while left > 0 {
            raw.stream.readable().await.ok();
            match raw.stream.try_read(&mut buffer[..left]) {
                Ok(0) => return,
                Ok(count) => left -= count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
        tokio::time::sleep(pause).await;
    }
}

#[test]
fn who_never_reads_costs_the_others_a_second_once() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits {
            peer_budget: 4 << 20,
            ..Limits::default()
        });
        let mut deaf = subscriber(&mut xpub, &endpoint).await;
        let healthy = subscriber(&mut xpub, &endpoint).await;
        let reader = tokio::task::spawn_local(read_flood(healthy, 2000));
        let (longest, sum) = flood(&xpub, 2000).await;
        reader.await.expect("everything, in order");
        assert_eq!(xpub.counters().stuck, 1);
        assert!(deaf.is_closed().await);
        assert!(longest >= Duration::from_millis(900), "{longest:?}");
        assert!(
            sum - longest < Duration::from_millis(900),
            "{longest:?} of {sum:?}"
        );
    });
}

/// As before, but a byte now and then, which once had it counted as reading.
#[test]
fn who_reads_a_little_throttles_nobody_for_ever() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits {
            peer_budget: 4 << 20,
            ..Limits::default()
        });
        let slow = subscriber(&mut xpub, &endpoint).await;
        let healthy = subscriber(&mut xpub, &endpoint).await;
        let slow = tokio::task::spawn_local(read_slowly(slow, 20 << 10, Duration::from_millis(200)));
        let reader = tokio::task::spawn_local(read_flood(healthy, 2000));
        let (_, sum) = flood(&xpub, 2000).await;
        reader.await.expect("everything, in order");
        slow.await.expect("cut off");
        assert_eq!(xpub.counters().stuck, 1);
        assert!(sum < Duration::from_millis(2500), "{sum:?}");
    });
}

/// Slower than the other, and quick enough to be waited for.
#[test]
fn who_keeps_the_pace_gets_everything() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits {
            peer_budget: 1 << 20,
            ..Limits::default()
        });
        let slow = subscriber(&mut xpub, &endpoint).await;
        let healthy = subscriber(&mut xpub, &endpoint).await;
        let slow = tokio::task::spawn_local(read_slowly(slow, 1 << 20, Duration::from_millis(250)));
        let reader = tokio::task::spawn_local(read_flood(healthy, 320));
        flood(&xpub, 320).await;
        reader.await.expect("everything, in order");
        assert_eq!(xpub.counters().stuck, 0);
        drop(xpub);
        slow.await.expect("its end");
    });
}

/// A front-end under a debugger, the only one that there is: the writer waits for it.
#[test]
fn the_only_subscriber_has_time_and_loses_nothing() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits {
            peer_budget: 1 << 20,
            ..Limits::default()
        });
        let only = subscriber(&mut xpub, &endpoint).await;
        let reader = tokio::task::spawn_local(async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            read_flood(only, 1000).await;
        });
        let (longest, _) = flood(&xpub, 1000).await;
        reader.await.expect("everything, in order");
        assert!(longest > Duration::from_secs(3), "{longest:?}");
        assert_eq!(xpub.counters().stuck, 0);
    });
}

/// But not for ever; and where two stand, they wait for nobody but each other.
#[test]
fn nobody_is_waited_for_without_end() {
    for subscribers in [1, 2] {
        run(async {
            let (mut xpub, endpoint) = xpub(Limits {
                peer_budget: 1 << 20,
                patience: Duration::from_millis(1500),
                ..Limits::default()
            });
            let mut deaf = Vec::new();
            for _ in 0..subscribers {
                deaf.push(subscriber(&mut xpub, &endpoint).await);
            }
            let (longest, sum) = flood(&xpub, 1000).await;
            assert_eq!(xpub.counters().stuck, subscribers);
            assert!(longest >= Duration::from_millis(1400), "{longest:?}");
            assert!(sum < Duration::from_millis(4000), "{sum:?}");
        });
    }
}

/// A subscriber at its budget is let be as long as nobody has anything to say.
#[test]
fn who_holds_up_nobody_is_not_cut_off() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits {
            peer_budget: 1 << 20,
            held_up: Duration::from_millis(100),
            ..Limits::default()
        });
        let mut late = subscriber(&mut xpub, &endpoint).await;
        let mut quick = subscriber(&mut xpub, &endpoint).await;
        xpub.publish(vec!["t".into(), vec![1; 20 << 20].into()]);
        quick.frame().await;
        assert_eq!(quick.frame().await.1.len(), 20 << 20);
        tokio::time::sleep(Duration::from_millis(1000)).await;
        late.frame().await;
        assert_eq!(late.frame().await.1.len(), 20 << 20);
        assert_eq!(xpub.counters().stuck, 0);
    });
}

#[test]
fn all_queues_together_are_bounded() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits {
            peer_budget: 16 << 20,
            subscribers_budget: 40 << 20,
            ..Limits::default()
        });
        // Each leaves just before it would stand at its budget.
        let mut hoarders = Vec::new();
        for _ in 0..8 {
            let mut raw = subscriber(&mut xpub, &endpoint).await;
            let before = xpub.queued();
            while xpub.queued() < before + (14 << 20) {
                xpub.publish(vec!["t".into(), vec![0; 1 << 20].into()]);
                tokio::time::sleep(Duration::from_millis(1)).await;
                assert!(xpub.queued() <= 44 << 20, "{}", xpub.queued());
                if xpub.counters().stuck > 0 {
                    return;
                }
            }
            raw.send(b"\x00\x01\x00").await;
            until(|| xpub.subscribers() == 0).await;
            hoarders.push(raw);
        }
        panic!("eight hoarders hold {} bytes", xpub.queued());
    });
}

/// Its welcome would be missing, and it would wait for it.
#[test]
fn a_welcome_has_no_queue_of_its_own() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits {
            peer_budget: 1 << 20,
            ..Limits::default()
        });
        let mut raw = Raw::ready(&endpoint, "SUB", b"").await;
        raw.send(b"\x00\x01\x01").await;
        let peer = xpub.recv().await.peer;
        xpub.publish(vec!["t".into(), vec![0; 20 << 20].into()]);
        xpub.publish_to(peer, frames(["welcome", "x"]));
        until(|| xpub.counters().stuck == 1).await;
        assert!(raw.is_closed().await);
    });
}

#[test]
fn a_client_that_takes_no_replies_is_cut_off() {
    run(async {
        let limits = Limits {
            stuck_after: Duration::from_secs(1),
            peer_budget: 1 << 20,
            ..Limits::default()
        };
        let (mut router, endpoint) = router(limits);
        let mut raw = Raw::ready(&endpoint, "DEALER", b"deaf").await;
        introduce(&mut router, &mut raw).await;
        let reply = vec![Bytes::from_static(b"deaf"), vec![0; 20 << 20].into()];
        assert_eq!(router.send(reply.clone()), Ok(()));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(router.send(reply.clone()), Ok(()), "it is waited for");
        until(|| router.counters().stuck == 1).await;
        assert_eq!(router.send(reply), Err(SendError::NoSuchPeer));
        assert!(raw.is_closed().await);
        serves(&mut router, &endpoint).await;
    });
}

/// Where not even the queue behind the queue has room, the client is told by the end of its connection that something is
/// missing.
#[test]
fn of_several_replies_all_arrive_or_the_connection_ends() {
    run(async {
        let (mut router, endpoint) = router(Limits {
            peer_budget: 1 << 20,
            answers_beyond: 4 << 20,
            ..Limits::default()
        });
        for (big, small) in [(64 << 20, 1000), (20 << 20, 100_000)] {
            let mut raw = Raw::ready(&endpoint, "DEALER", b"slow").await;
            introduce(&mut router, &mut raw).await;
            let mut sizes = vec![big];
            sizes.extend([small; 200]);
            let mut cut_off = false;
            for size in &sizes {
                let sent = router.send(vec![Bytes::from_static(b"slow"), vec![0; *size].into()]);
                cut_off |= sent == Err(SendError::CutOff);
                assert!(cut_off || sent == Ok(()), "{sent:?}");
            }
            assert_eq!(cut_off, small == 100_000);
            if cut_off {
                assert!(raw.is_closed().await);
                assert_eq!(router.counters().stuck, 1);
            } else {
                tokio::time::sleep(Duration::from_millis(500)).await;
                for size in sizes {
                    assert_eq!(raw.frame().await.1.len(), size);
                }
            }
        }
    });
}
