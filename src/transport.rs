//! The server side of ZeroMQ over tcp and ipc: ROUTER, XPUB and an echoing REP.
//!
//! Two layers. [`zmtp`] is the protocol without I/O. The rest is the driver: one task per listener and one per
//! connection, on the single-threaded runtime and inside the [`tokio::task::LocalSet`] of whoever binds. The kernel's io
//! loop is the caller; nothing above this module knows ZeroMQ, and nothing in here knows Jupyter.
//!
//! What it must never do: block its thread, panic for what a peer sent, allocate what a peer merely announced,
//! interleave two messages, drop a byte for a peer that reads, leave out a message for one that does not (it is cut off
//! instead), let a peer that does not read cost the others more than a second, or let a stranger cost more than the little
//! that [`Limits`] grants it.

mod account;
mod admission;
mod allowance;
mod drain;
mod endpoint;
mod hub;
mod inbox;
mod limits;
mod link;
mod listener;
mod outbox;
mod pace;
mod peer;
mod registry;
mod rep;
mod router;
mod stream;
#[cfg(test)]
mod tests;
mod topics;
mod xpub;
pub mod zmtp;

use bytes::Bytes;
use thiserror::Error;

pub use account::Account;
pub use endpoint::{Endpoint, EndpointError};
pub use limits::Limits;
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

/// Why a ROUTER did not take a message. It is the caller's to log: the message is gone.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The peer has left, or there never was one of that identity.
    #[error("no peer of that identity is connected")]
    NoSuchPeer,
    /// The peer does not read; it has been cut off, so that it knows that something is missing.
    #[error("the peer does not read, and has been cut off")]
    CutOff,
    /// There was no part behind the identity.
    #[error("a message without parts")]
    Empty,
}
