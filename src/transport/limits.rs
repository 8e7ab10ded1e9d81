//! What one socket grants its peers, and to whom it grants little.
//!
//! A peer that has not yet proved that it belongs here is a *stranger*: on a ROUTER until its first message with a valid
//! signature has been opened ([`Router::trust`](super::Router::trust)); on XPUB and REP, where nobody ever signs, always.
//! A stranger costs a connection, a small and bounded piece of memory, and no more than its share of a turn.

use std::time::Duration;

use super::{Account, zmtp};
use crate::os::process;

/// The limits of one socket. All sizes are bytes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From accept to the end of the handshake.
    pub handshake: Duration,
    /// Connections in their handshake; one more and the oldest of them makes room, so that a client is served however
    /// many idle connections stand before it.
    pub pending: usize,
    /// Connections past their handshake that have not shown what they are for: on a ROUTER strangers, on XPUB those
    /// without a subscription, on REP those without a request. One more and the oldest of them makes room.
    pub idle: usize,
    /// All connections past their handshake; one more and somebody makes room, as long as there is anybody who may be
    /// asked to: see [`Standing`](super::admission::Standing).
    pub ready: usize,
    /// A whole inbound message of a peer that is known.
    pub message_bytes: u64,
    /// A whole inbound message of a stranger.
    pub stranger_message: u64,
    /// Messages of all strangers together that are unfinished or have not been opened; sockets whose limits are clones of
    /// each other share it.
    pub strangers: Account,
    /// Parts of one inbound message.
    pub parts: usize,
    /// One inbound command. The longest that means anything is a subscription.
    pub command_bytes: usize,
    /// What may wait to be written to one peer that is known. A message may exceed it when it is the first to do so. A
    /// peer at its budget is not read from either: who does not take replies has no new requests taken.
    pub peer_budget: usize,
    /// What may wait on top of that for a peer of a ROUTER: answers to what it had asked before. With one more it is cut
    /// off, for none of several answers is left out.
    pub answers_beyond: usize,
    /// What may wait to be written to a stranger.
    pub stranger_budget: usize,
    /// What may wait to be written to all subscribers together, as if none of it were shared.
    pub subscribers_budget: usize,
    /// How long a peer of a ROUTER may stand at its budget without taking a byte; then it is cut off.
    pub stuck_after: Duration,
    /// How long, all in all, a subscriber at its budget may hold up others who read; then it is cut off, unless it has
    /// taken [`Limits::pace`] meanwhile.
    pub held_up: Duration,
    /// Bytes a second. Who takes that much is waited for, whoever else could go on faster.
    pub pace: u64,
    /// How long a subscriber may stand at its budget without taking a byte where nobody else is held up. Until then the
    /// writer waits, and nothing is lost.
    pub patience: Duration,
    /// What has been read on this socket and not been taken by its owner; above it reading pauses. Strangers pause at an
    /// eighth of it.
    pub inbound_budget: usize,
    /// How long, at the end, what peers send is waited for to come to its end.
    pub read_on: Duration,
}

impl Default for Limits {
    /// The numbers of connections follow the number of descriptors that this process may have, so that all five sockets
    /// of a kernel, full of strangers, leave some to the user's code.
    fn default() -> Self {
        let descriptors = process::most_descriptors();
        Self {
            handshake: Duration::from_secs(2),
            pending: (descriptors / 32).clamp(8, 64),
            idle: (descriptors / 16).clamp(16, 128),
            ready: (descriptors / 4).clamp(32, 256),
            message_bytes: 1 << 30,
            stranger_message: 16 << 20,
            strangers: Account::new(16 << 20),
            parts: 1024,
            command_bytes: 8 << 10,
            peer_budget: 32 << 20,
            answers_beyond: 256 << 20,
            stranger_budget: 64 << 10,
            subscribers_budget: 256 << 20,
            stuck_after: Duration::from_secs(10),
            held_up: Duration::from_secs(1),
            pace: 256 << 10,
            patience: Duration::from_secs(300),
            inbound_budget: 32 << 20,
            read_on: Duration::from_millis(50),
        }
    }
}

impl Limits {
    /// What a connection begins with.
    pub(super) fn zmtp(&self) -> zmtp::Limits {
        zmtp::Limits {
            message_bytes: self.stranger_message.min(self.message_bytes),
            parts: self.parts,
            command_bytes: self.command_bytes,
        }
    }

    /// Peers send nothing but subscriptions and take much.
    pub(super) fn of_a_publisher(mut self) -> Self {
        self.stranger_message = self.stranger_message.min(self.command_bytes as u64);
        self.stranger_budget = self.peer_budget;
        self
    }

    /// Requests are a few bytes that come back. As many echoes as there are connections may wait for somebody to take them.
    pub(super) fn of_an_echo(mut self) -> Self {
        self.ready = self.ready.min(self.idle);
        self.stranger_message = self.stranger_message.min(256 << 10);
        self.parts = self.parts.min(16);
        self
    }
}
