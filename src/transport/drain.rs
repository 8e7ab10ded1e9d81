//! The end of a socket: the queues are emptied, the peers' systems have all bytes, and everything that came is read.
//!
//! The owners of ROUTER and XPUB enter this state once, before the process ends, and then ask until it is reached. It waits
//! for peers that read; one that has not taken a byte for a while is left behind, so that it delays no exit. It reads on,
//! since a connection that is closed with unread input is reset, which may cost its peer what it has not read yet; but one
//! that keeps sending is not read for ever.

use std::time::Duration;

use tokio::time::Instant;

use super::admission::Standing;
use super::hub::{Hub, Pattern};

/// A peer with a full pipe that has taken nothing for this long does not count as reading.
const STALLED: Duration = Duration::from_secs(1);

/// Enters the state, and says whether every reading peer's system has all bytes and nothing is left unread of those who
/// have been given any.
pub(super) fn is_drained<P: Pattern>(hub: &Hub<P>) -> bool {
    let began = hub.begin_drain();
    let now = Instant::now();
    let stalled = now.checked_sub(STALLED).unwrap_or(began);
    let reads_on = now < began + hub.limits.read_on;
    !hub.peers().iter().any(|peer| {
        peer.owes() && !peer.stands_since(stalled)
            || reads_on && hub.pattern.standing(peer) != Standing::Idle && peer.has_unread()
    })
}

/// Waits for it; false when `deadline` came first. Nothing tells when bytes have arrived, so it is asked every millisecond.
#[cfg(test)]
pub(super) async fn drained<P: Pattern>(hub: &Hub<P>, deadline: Instant) -> bool {
    while !is_drained(hub) {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    true
}
