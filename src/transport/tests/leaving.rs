//! The end: nothing that was sent is lost to a client that reads, and a client that does not read delays nobody.

use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use super::raw::{Raw, opening};
use super::*;

fn soon(millis: u64) -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_millis(millis)
}

/// A subscriber on its own thread that reads to the end and says how many bytes of traffic came.
fn count_bytes(endpoint: &str, pause: Duration) -> thread::JoinHandle<usize> {
    let mut stream = TcpStream::connect(endpoint.strip_prefix("tcp://").expect("tcp")).expect("a connection");
    let bytes = [opening("SUB", b""), b"\x00\x01\x01".to_vec()].concat();
    std::io::Write::write_all(&mut stream, &bytes).expect("sent");
    thread::spawn(move || {
        thread::sleep(pause);
        let (mut total, mut buffer) = (0, vec![0; 1 << 16]);
        loop {
            match stream.read(&mut buffer).expect("an end, not a reset") {
                0 => return total,
                count => total += count,
            }
        }
    })
}

#[test]
fn twenty_thousand_messages_before_the_end_all_arrive() {
    for pause in [0, 300] {
        run(async {
            let (mut xpub, endpoint) = xpub(Limits::default());
            let client = count_bytes(&endpoint, Duration::from_millis(pause));
            xpub.recv().await;
            let payload = Bytes::from(vec![b'x'; 4096]);
            for _ in 0..20_000 {
                xpub.writable().await;
                xpub.publish(vec!["t".into(), payload.clone()]);
            }
            assert!(xpub.drained(soon(20_000)).await);
            drop(xpub);
            // Lets the tasks close their sockets, as the end of the process would.
            tokio::time::sleep(Duration::from_millis(5)).await;
            let overhead = 64 + 2 + "READYSocket-TypeIdentityXPUB".len() + 11;
            let received = tokio::task::spawn_blocking(|| client.join())
                .await
                .expect("a thread")
                .expect("a count");
            assert_eq!(received, overhead + 20_000 * (3 + 9 + 4096));
        });
    }
}

#[test]
fn a_drain_with_nothing_to_do_is_over_at_once() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits::default());
        let client = count_bytes(&endpoint, Duration::ZERO);
        xpub.recv().await;
        let began = Instant::now();
        assert!(xpub.drained(soon(10_000)).await);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        drop(xpub);
        tokio::task::spawn_blocking(|| client.join())
            .await
            .expect("a thread")
            .expect("a count");
    });
}

#[test]
fn a_drain_ends_at_its_deadline() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits::default());
        let mut deaf = Raw::ready(&endpoint, "SUB", b"").await;
        deaf.send(b"\x00\x01\x01").await;
        xpub.recv().await;
        xpub.publish(vec!["t".into(), vec![0; 30 << 20].into()]);
        let began = Instant::now();
        assert!(!xpub.drained(soon(100)).await);
        // Before the peer is given up.
        assert!(began.elapsed() < Duration::from_millis(900));
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let began = Instant::now();
        assert!(
            xpub.drained(soon(10_000)).await,
            "a peer that has not read for a second is left behind"
        );
        assert!(began.elapsed() < Duration::from_secs(1));
    });
}

/// Asked again and again without a pause in between, as a loop asks that has other things to do.
#[test]
fn what_a_client_had_sent_by_the_end_is_read_and_its_replies_arrive() {
    run(async {
        let (mut router, endpoint) = router(Limits {
            inbound_budget: 8000,
            // By far more than it takes.
            read_on: Duration::from_secs(20),
            ..Limits::default()
        });
        let mut raw = Raw::ready(&endpoint, "DEALER", b"me").await;
        introduce(&mut router, &mut raw).await;
        let request = [&b"\x02\0\0\0\0\0\x01\0\0"[..], &vec![0; 65536]].concat();
        for _ in 0..40 {
            raw.send(&request).await;
        }
        until(|| router.server_unread()).await;
        let reply = vec![Bytes::from_static(b"me"), vec![7; 3 << 20].into()];
        router.send(reply).expect("a reply");
        let replied = tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let reply = raw.frame().await;
            assert_eq!(reply.1.len(), 3 << 20);
            raw
        });
        let began = Instant::now();
        while !router.is_drained() {
            assert!(began.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!router.server_unread());
        drop(router);
        let mut raw = replied.await.expect("all of the reply");
        assert!(raw.is_closed().await);
    });
}

#[test]
fn who_keeps_sending_does_not_put_off_the_end() {
    run(async {
        let (mut router, endpoint) = router(Limits::default());
        let mut raw = Raw::ready(&endpoint, "DEALER", b"flood").await;
        introduce(&mut router, &mut raw).await;
        let flood = tokio::task::spawn_local(async move {
            let requests = b"\x00\x01x".repeat(10_000);
            loop {
                raw.send(&requests).await;
                tokio::task::yield_now().await;
            }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let began = Instant::now();
        assert!(router.drained(soon(10_000)).await);
        assert!(
            began.elapsed() < Duration::from_millis(1500),
            "{:?}",
            began.elapsed()
        );
        flood.abort();
    });
}

#[test]
fn a_forked_child_lets_go_of_the_sockets() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits::default());
        let mut raw = Raw::ready(&endpoint, "SUB", b"").await;
        raw.send(b"\x00\x01\x01").await;
        xpub.recv().await;
        let open = |fd: i32| {
            // SAFETY: asks for the flags of a descriptor, open or not.
            unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
        };
        let fds: Vec<i32> = xpub.fds();
        assert!(!fds.is_empty() && fds.iter().all(|fd| open(*fd)));
        // SAFETY: the child calls nothing but async-signal-safe functions before `_exit`.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                close_all_after_fork();
                libc::_exit(fds.iter().filter(|fd| open(**fd)).count() as i32);
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
            status
        };
        assert!(libc::WIFEXITED(status));
        assert_eq!(
            libc::WEXITSTATUS(status),
            0,
            "descriptors stayed open in the child"
        );
        xpub.publish(frames(["still", "here"]));
        assert_eq!(raw.frame().await.1, b"still");
    });
}
