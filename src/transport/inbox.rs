//! What a socket has read and its owner has not taken yet: a queue that is counted in bytes.
//!
//! The peer tasks of one socket put in, the socket's owner takes out. Never blocks the one who puts: a peer task looks
//! at [`Inbox::has_room`] before it reads.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use tokio::sync::Notify;

/// Bytes counted for an item beside its content, so that many empty ones cost something too.
const OVERHEAD: usize = 64;

#[derive(Debug)]
pub(super) struct Inbox<T> {
    items: RefCell<VecDeque<(T, usize)>>,
    bytes: Cell<usize>,
    budget: usize,
    arrived: Notify,
    /// Told when there is room again.
    pub(super) room: Notify,
}

impl<T> Inbox<T> {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            items: RefCell::default(),
            bytes: Cell::new(0),
            budget,
            arrived: Notify::new(),
            room: Notify::new(),
        }
    }

    /// Whether more is to be read, from a peer that is known or from a stranger, who waits sooner.
    pub(super) fn has_room(&self, known: bool) -> bool {
        self.bytes.get() < if known { self.budget } else { self.budget / 8 }
    }

    pub(super) fn put(&self, item: T, bytes: usize) {
        let bytes = bytes + OVERHEAD;
        self.items.borrow_mut().push_back((item, bytes));
        self.bytes.set(self.bytes.get() + bytes);
        self.arrived.notify_one();
    }

    pub(super) fn try_take(&self) -> Option<T> {
        let (item, bytes) = self.items.borrow_mut().pop_front()?;
        let had_room = (self.has_room(true), self.has_room(false));
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
        if had_room != (self.has_room(true), self.has_room(false)) {
            self.room.notify_waiters();
        }
        Some(item)
    }

    /// How many items wait.
    pub(super) fn len(&self) -> usize {
        self.items.borrow().len()
    }

    /// Returns when there is an item to take. May be dropped while waiting. One waiter at a time.
    pub(super) async fn filled(&self) {
        while self.len() == 0 {
            self.arrived.notified().await;
        }
    }

    /// The next item; loses nothing when dropped while waiting. One taker at a time.
    #[cfg(test)]
    pub(super) async fn take(&self) -> T {
        loop {
            if let Some(item) = self.try_take() {
                return item;
            }
            self.arrived.notified().await;
        }
    }
}
