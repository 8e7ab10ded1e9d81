//! A socket on which nothing happens costs nothing.

use super::raw::Raw;
use super::*;

/// Milliseconds of processor time that this thread has used.
fn thread_time() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes a timespec to the address of a live local.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

#[test]
fn connections_that_wait_use_no_processor() {
    run(async {
        let (mut xpub, endpoint) = xpub(Limits {
            peer_budget: 1 << 20,
            ..Limits::default()
        });
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(Raw::connect(&endpoint).await);
            silent.push(Raw::ready(&endpoint, "SUB", b"").await);
        }
        // One that stands at its budget waits, too.
        silent[1].send(b"\x00\x01\x01").await;
        xpub.recv().await;
        xpub.publish(vec!["t".into(), vec![0; 20 << 20].into()]);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = thread_time();
        tokio::time::sleep(Duration::from_millis(1000)).await;
        assert!(thread_time() - before < 50, "{} ms", thread_time() - before);
    });
}
