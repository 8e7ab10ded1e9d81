//! The server side of ZeroMQ over tcp and ipc: ROUTER, XPUB and an echoing REP.
//!
//! Two layers. [`zmtp`] is the protocol without I/O. The rest is the driver: one task per listener and one per
//! connection, on the single-threaded runtime and inside the [`tokio::task::LocalSet`] of whoever binds. The kernel's io
//! loop is the caller; nothing above this module knows ZeroMQ, and nothing in here knows Jupyter.
//!
//! What it must never do: block its thread, panic for what a peer sent, allocate what a peer merely announced,
//! interleave two messages, drop a byte for a peer that reads, or let a peer that does not read cost more than its budget.

mod drain;
mod endpoint;
mod hub;
mod inbox;
mod listener;
mod outbox;
mod peer;
mod registry;
mod rep;
mod router;
mod stream;
#[cfg(test)]
mod tests;
mod xpub;
pub mod zmtp;

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

pub use endpoint::{Endpoint, EndpointError};
pub use listener::{Listener, bind};
pub use registry::{close_all_after_fork, hang_up};
pub use rep::Rep;
pub use router::Router;
pub use xpub::{Subscription, XPub};

/// The parts of one message. For a ROUTER the first one is the peer's identity.
pub type Frames = Vec<Bytes>;

/// One connection, for as long as this process lives; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(u64);

/// What one socket grants its peers. All sizes are bytes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From accept to the end of the handshake.
    pub handshake: Duration,
    /// Connections in their handshake; one more and the oldest of them is dropped, so that a client is served
    /// however many idle connections stand before it.
    pub pending: usize,
    /// Connections past their handshake; one more is turned away.
    pub ready: usize,
    /// A whole inbound message.
    pub message_bytes: u64,
    /// Parts of one inbound message.
    pub parts: usize,
    /// One inbound command.
    pub command_bytes: usize,
    /// What may wait to be written to one peer. A message may exceed it when it is the first to do so. A peer at its
    /// budget is not read from either: who does not take replies has no new requests taken.
    pub peer_budget: usize,
    /// How long a peer may stand at its budget without taking a byte; then it is cut off.
    pub stuck_after: Duration,
    /// What has been read on this socket and not been taken by its owner; above it reading pauses.
    pub inbound_budget: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(2),
            pending: 128,
            ready: 1024,
            message_bytes: 1 << 30,
            parts: 1024,
            command_bytes: 64 << 10,
            peer_budget: 32 << 20,
            stuck_after: Duration::from_secs(10),
            inbound_budget: 32 << 20,
        }
    }
}

impl Limits {
    fn zmtp(&self) -> zmtp::Limits {
        zmtp::Limits {
            message_bytes: self.message_bytes,
            parts: self.parts,
            command_bytes: self.command_bytes,
        }
    }
}

/// Why a ROUTER did not take a message. It is the caller's to log: the message is gone.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The peer has left, or there never was one of that identity.
    #[error("no peer of that identity is connected")]
    NoSuchPeer,
    /// The peer does not read, and its budget is used up.
    #[error("the peer does not read, its queue is full")]
    Full,
    /// There was no part behind the identity.
    #[error("a message without parts")]
    Empty,
}
