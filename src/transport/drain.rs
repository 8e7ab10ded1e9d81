//! Waiting until nothing is on its way: the queues are empty and the peers' systems have all bytes.
//!
//! Used by the owners of ROUTER and XPUB before the process ends. It waits for peers that read; one that has not
//! taken a byte for a while is left behind, so that it delays no exit.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::hub::{Hub, Pattern};

/// A peer with a full pipe that has taken nothing for this long does not count as reading.
const STALLED: Duration = Duration::from_secs(1);
/// Nothing tells when the bytes have arrived, so it is asked this often (the runtime's timer is no finer).
const ASK_AGAIN: Duration = Duration::from_millis(1);

/// Stays in the hub for as long as somebody drains, also when that somebody gives up waiting.
struct Draining<'a, P: Pattern>(&'a Hub<P>);

impl<P: Pattern> Drop for Draining<'_, P> {
    fn drop(&mut self) {
        self.0.end_drain();
    }
}

/// True when every reading peer's system has all bytes, false when `deadline` came first.
pub(super) async fn drain<P: Pattern>(hub: &Rc<Hub<P>>, deadline: Instant) -> bool {
    hub.begin_drain();
    let _draining = Draining(hub);
    let began = Instant::now();
    loop {
        let progress = hub.progress.notified();
        let now = Instant::now();
        let stalled = now.checked_sub(STALLED).unwrap_or(began);
        if !hub
            .peers()
            .iter()
            .any(|peer| peer.owes() && !peer.stands_since(stalled))
        {
            return true;
        }
        if now >= deadline {
            return false;
        }
        tokio::select! {
            () = progress => {}
            () = sleep_until(deadline.min(now + ASK_AGAIN)) => {}
        }
    }
}
