//! The driver over real sockets: with the `zeromq` crate as client, and with a hand-made one that lies.

mod hostile;
mod idle;
mod ipc;
mod leaving;
mod patterns;
mod raw;
mod slow;
mod strangers;

use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::timeout;

use super::*;

/// Runs a test where the driver runs: one thread, one local set. No test may hang.
fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let test = async {
        timeout(Duration::from_secs(60), test)
            .await
            .expect("the test hangs")
    };
    LocalSet::new().block_on(&runtime, test)
}

/// A tcp listener on a free port, and its endpoint.
fn tcp() -> (Vec<Listener>, String) {
    let endpoint = Endpoint::Tcp {
        host: "127.0.0.1".into(),
        port: 0,
    };
    let (listener, endpoint) = bind(&endpoint).expect("a free port");
    (vec![listener], endpoint.to_string())
}

fn router(limits: Limits) -> (Router, String) {
    let (listeners, endpoint) = tcp();
    (
        Router::bind(listeners, "shell", limits).expect("a router"),
        endpoint,
    )
}

fn xpub(limits: Limits) -> (XPub, String) {
    let (listeners, endpoint) = tcp();
    (XPub::bind(listeners, "iopub", limits).expect("an xpub"), endpoint)
}

fn frames<const N: usize>(parts: [&str; N]) -> Frames {
    parts
        .into_iter()
        .map(|part| Bytes::copy_from_slice(part.as_bytes()))
        .collect()
}

/// Makes a peer known, as its first message with a valid signature does.
async fn introduce(router: &mut Router, raw: &mut raw::Raw) {
    raw.send(b"\x00\x05hello").await;
    let frames = router.recv().await;
    assert_eq!(frames[1], "hello");
    router.trust(&frames[0]);
}

/// Lets the other tasks run until something is true.
async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
