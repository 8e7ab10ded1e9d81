//! A connection as the rest of the transport sees it: what it is called, what waits for it, what it holds.
//!
//! Its task ([`super::peer`]) is the only one to touch the socket; the hub and the patterns look here, put in what is to be
//! written, and ask for the end.

use std::cell::{Cell, RefCell};
use std::os::fd::RawFd;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::PeerId;
use super::outbox::Outbox;
use super::stream::{Delivery, Stream};
use crate::os::socket;

/// Bytes of PONGs that may wait to be written. A peer that takes none of them is not read from.
const ANSWERS: usize = 64 << 10;

/// Why this side ended a connection by its own decision.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    #[error("given up: too many handshakes at once, and this is the oldest")]
    Displaced,
    #[error("given up: too many connections, and this one makes room for another")]
    MadeRoom,
    #[error("given up: strangers have sent too many long messages, and this one's is the longest")]
    TooLong,
    #[error("its identity came back on a newer connection")]
    HandedOver,
    #[error("cut off: it does not read")]
    Stuck,
    #[error("cut off: it reads more slowly than others who wait for it")]
    Slow,
    #[error("the socket is closed")]
    Closed,
}

/// A connection as the rest of the module sees it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: PeerId,
    /// For the log.
    pub(super) address: String,
    /// None once the task has ended, since the number may then belong to somebody else.
    pub(super) fd: Cell<Option<RawFd>>,
    delivery: Delivery,
    pub(super) outbox: RefCell<Outbox>,
    /// Tells the task that the queue is no longer empty, that it is full, that more may be read, or that the connection
    /// is to end.
    pub(super) wake: Notify,
    /// Why it is to end, once it is.
    pub(super) ended: Cell<Option<Dropped>>,
    warned: Cell<bool>,
    /// It has sent a valid signature.
    known: Cell<bool>,
    /// A stranger's bytes of a message that has not come to its end.
    partial: Cell<usize>,
    /// A stranger's message that has been read and not been opened, one at a time: its bytes, else 0.
    unopened: Cell<usize>,
    /// What stands for it in [`super::account`].
    charged: Cell<usize>,
    /// What has been read holds more than the last turn was long enough for.
    pub(super) more: Cell<bool>,
    /// Bytes of PONGs that were queued since the queue was last empty.
    pub(super) answers: Cell<usize>,
}

impl Link {
    pub(super) fn new(id: PeerId, address: String, stream: &Stream, budget: usize) -> Self {
        Self {
            id,
            address,
            fd: Cell::new(Some(stream.fd())),
            delivery: stream.delivery(),
            outbox: RefCell::new(Outbox::new(budget)),
            wake: Notify::new(),
            ended: Cell::new(None),
            warned: Cell::new(false),
            known: Cell::new(false),
            partial: Cell::new(0),
            unopened: Cell::new(0),
            charged: Cell::new(0),
            more: Cell::new(false),
            answers: Cell::new(0),
        }
    }

    /// Queues one whole message. Its task writes it as soon as the caller lets other tasks run, along with
    /// whatever is queued until then.
    pub(super) fn put(&self, message: impl IntoIterator<Item = Bytes>) {
        let mut outbox = self.outbox.borrow_mut();
        let (was_empty, was_full) = (outbox.is_empty(), outbox.is_full());
        outbox.put(message);
        if was_empty != outbox.is_empty() || was_full != outbox.is_full() {
            self.wake.notify_one();
        }
    }

    /// Ends the connection; what is still queued is lost. The first reason stays.
    pub(super) fn end(&self, reason: Dropped) {
        self.ended.set(self.ended.get().or(Some(reason)));
        self.wake.notify_one();
    }

    /// Has its task look again at what there is to do.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) fn is_known(&self) -> bool {
        self.known.get()
    }

    /// It has sent a valid signature: from now on it has `budget` bytes of queue.
    pub(super) fn trust(&self, budget: usize) {
        self.known.set(true);
        self.outbox.borrow_mut().set_budget(budget);
        self.wake.notify_one();
    }

    /// What a stranger has sent of an unfinished message.
    pub(super) fn set_partial(&self, bytes: usize) {
        self.partial.set(bytes);
    }

    /// What a stranger makes this side keep: the message that is unfinished, and the one that waits to be opened.
    pub(super) fn held(&self) -> usize {
        self.partial.get() + self.unopened.get()
    }

    pub(super) fn holds_nothing(&self) {
        self.partial.set(0);
        self.unopened.set(0);
    }

    /// What it was charged with until now; from now on it is what it holds.
    pub(super) fn charge(&self) -> usize {
        self.charged.replace(self.held())
    }

    /// A message of so many bytes has been handed on; a stranger is not read from until it has been taken.
    pub(super) fn handed_on(&self, bytes: usize) {
        if !self.is_known() {
            self.unopened.set(bytes.max(1));
        }
    }

    /// That message is being opened.
    pub(super) fn opened(&self) {
        if self.unopened.replace(0) > 0 {
            self.wake.notify_one();
        }
    }

    pub(super) fn is_unopened(&self) -> bool {
        self.unopened.get() > 0
    }

    /// Whether it does not take what the protocol itself has to say.
    pub(super) fn owes_answers(&self) -> bool {
        self.answers.get() > ANSWERS
    }

    /// Queues what the protocol itself has to say.
    pub(super) fn answer(&self, chunks: Vec<Bytes>) {
        let bytes: usize = chunks.iter().map(Bytes::len).sum();
        self.answers.set(self.answers.get() + bytes);
        self.outbox.borrow_mut().put(chunks);
    }

    pub(super) fn is_full(&self) -> bool {
        self.outbox.borrow().is_full()
    }

    pub(super) fn has_room_for(&self, bytes: usize, beyond: usize) -> bool {
        self.outbox.borrow().has_room_for(bytes, beyond)
    }

    /// Bytes that wait to be written.
    pub(super) fn queued(&self) -> usize {
        self.outbox.borrow().bytes()
    }

    /// Bytes that the peer has taken in its life.
    pub(super) fn taken(&self) -> u64 {
        self.outbox.borrow().taken()
    }

    /// Whether something waits to be written, or has been written and is not safe in the peer's system yet.
    pub(super) fn owes(&self) -> bool {
        let fd = self.fd.get();
        let under_way = match self.delivery {
            Delivery::Written => None,
            Delivery::Sent => fd.and_then(socket::unsent),
            Delivery::Acknowledged => fd.and_then(socket::unacknowledged),
        };
        !self.outbox.borrow().is_empty() || under_way.is_some_and(|bytes| bytes > 0)
    }

    /// Whether something is queued and the peer has not taken a byte since `since`.
    pub(super) fn stands_since(&self, since: Instant) -> bool {
        let outbox = self.outbox.borrow();
        !outbox.is_empty() && outbox.progress() < since
    }

    #[cfg(test)]
    pub(super) fn fd(&self) -> Option<RawFd> {
        self.fd.get()
    }

    /// Whether there are bytes from the peer that have not been read, or not been handed on.
    pub(super) fn has_unread(&self) -> bool {
        self.more.get()
            || self
                .fd
                .get()
                .and_then(socket::unread)
                .is_some_and(|bytes| bytes > 0)
    }

    /// Writes to the log what is odd about this peer: the first time as a warning, then for debugging only.
    pub(super) fn warn(&self, socket: &str, what: &dyn std::fmt::Display) {
        if self.warned.replace(true) {
            tracing::debug!(socket, peer = %self.address, "{what}");
        } else {
            tracing::warn!(socket, peer = %self.address, "{what}");
        }
    }
}
