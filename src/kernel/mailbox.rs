//! The mailbox: what the io loop has admitted and `main` has not taken yet.
//!
//! The io loop pushes and `main`, woken by a file descriptor which its asyncio loop watches, takes; neither
//! ever waits for the other, and the lock is taken for a few instructions only.
//!
//! Between [`Mailbox::hold`] and [`Mailbox::release`] nothing can be taken: after a cell has failed, the cells that were sent
//! behind it are taken out and answered `aborted` before `main` can begin one of them.
//!
//! It is bounded in bytes, by the one who pushes: while [`Mailbox::has_room`] says no the io loop reads nothing from shell,
//! so that the clients' own queues, and at last the clients, wait. Control is read all the same.
//!
//! The descriptor is readable when something may have become takeable. A take that gives nothing clears it,
//! so whoever waits for the descriptor first takes until there is nothing.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use tokio::sync::Notify;

use super::sync::{Mutex, MutexGuard, PoisonError};
use crate::os::Wake;

/// Bytes that may wait; one item more may exceed it, since a message is as large as it is. More than any notebook's cells,
/// and what a comm brings while a cell runs for some seconds.
pub const CAPACITY: usize = 64 << 20;

/// A queue from the io loop to `main`.
pub struct Mailbox<T> {
    queue: Mutex<Queue<T>>,
    wake: Wake,
    room: Notify,
}

struct Queue<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    held: bool,
    /// There was no room when somebody looked.
    wanted: bool,
}

impl<T> Queue<T> {
    /// Whether there is room again for the one who found none. Not at the first byte: it is woken for a batch.
    fn makes_room(&mut self) -> bool {
        let makes = self.wanted && self.bytes <= CAPACITY / 2;
        self.wanted &= !makes;
        makes
    }

    fn remove(&mut self, index: usize) -> Option<T> {
        let (item, size) = self.items.remove(index)?;
        self.bytes = self.bytes.saturating_sub(size);
        Some(item)
    }
}

impl<T> Mailbox<T> {
    /// An empty mailbox, not held.
    ///
    /// # Errors
    /// Where the system has no file descriptor left.
    pub fn new() -> std::io::Result<Self> {
        let queue = Queue {
            items: VecDeque::new(),
            bytes: 0,
            held: false,
            wanted: false,
        };
        Ok(Self {
            queue: Mutex::new(queue),
            wake: Wake::new()?,
            room: Notify::new(),
        })
    }

    /// Appends an item of about `size` bytes and wakes `main`, unless the mailbox is held.
    pub fn push(&self, item: T, size: usize) {
        let mut queue = self.lock();
        queue.items.push_back((item, size));
        queue.bytes = queue.bytes.saturating_add(size);
        if !queue.held {
            self.wake.wake();
        }
    }

    /// The first item. `None` when there is none, or while the mailbox is held; then the descriptor is clear.
    pub fn take(&self) -> Option<T> {
        self.take_where(|_| true)
    }

    /// The first item that `wanted` accepts, whatever stands before it. `None` as for [`Mailbox::take`], also
    /// when others wait. `wanted` is called with the lock held: it only looks.
    pub fn take_where(&self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        let mut queue = self.lock();
        let found = if queue.held {
            None
        } else {
            queue.items.iter().position(|(item, _)| wanted(item))
        };
        let taken = found.and_then(|index| queue.remove(index));
        if taken.is_none() {
            // With the lock held, so that the wake of a push that comes next is not lost.
            self.wake.clear();
        }
        self.tell(queue);
        taken
    }

    fn tell(&self, mut queue: MutexGuard<'_, Queue<T>>) {
        let room = queue.makes_room();
        drop(queue);
        if room {
            self.room.notify_one();
        }
    }

    /// Whether another item may be pushed. After a no, [`Mailbox::room`] tells when to look again.
    pub fn has_room(&self) -> bool {
        let mut queue = self.lock();
        queue.wanted |= queue.bytes >= CAPACITY;
        !queue.wanted
    }

    /// Resolves when there is room after there was none. For the io loop.
    pub async fn room(&self) {
        self.room.notified().await;
    }

    /// Takes out everything that `wanted` accepts, in order, also while the mailbox is held. For the io loop.
    /// `wanted` is called with the lock held: it only looks.
    pub fn drain_where(&self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        self.drain(wanted, |_| true)
    }

    /// The same, where `wanted` accepts just `count` items; otherwise nothing is taken out.
    pub fn drain_if_all(&self, count: usize, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        self.drain(wanted, |found| found == count)
    }

    fn drain(&self, wanted: impl Fn(&T) -> bool, enough: impl FnOnce(usize) -> bool) -> Vec<T> {
        let mut queue = self.lock();
        // Asked first and moved afterwards: nothing is lost where `wanted` panics.
        let wanted: Vec<bool> = queue.items.iter().map(|(item, _)| wanted(item)).collect();
        let (mut out, mut rest) = (Vec::new(), VecDeque::new());
        if !enough(wanted.iter().filter(|wanted| **wanted).count()) {
            return out;
        }
        for (entry, wanted) in std::mem::take(&mut queue.items).into_iter().zip(wanted) {
            if wanted {
                out.push(entry.0)
            } else {
                rest.push_back(entry)
            }
        }
        queue.bytes = rest.iter().map(|(_, size)| size).sum();
        queue.items = rest;
        self.tell(queue);
        out
    }

    /// From now on nothing can be taken. What was taken before was taken before.
    pub fn hold(&self) {
        self.lock().held = true;
    }

    /// Ends a [`Mailbox::hold`] and wakes `main` if something waits.
    pub fn release(&self) {
        let mut queue = self.lock();
        queue.held = false;
        if !queue.items.is_empty() {
            self.wake.wake();
        }
    }

    /// Wakes `main` though nothing was pushed: the end has begun. Stays until a take gives nothing.
    pub fn wake(&self) {
        let _queue = self.lock();
        self.wake.wake();
    }

    /// The descriptor that is readable when something may be taken. It is the mailbox's: nobody else reads or
    /// closes it.
    pub fn wake_fd(&self) -> RawFd {
        self.wake.as_fd().as_raw_fd()
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes wait, as the pushers counted them.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        // Where a caller's `wanted` panics, the queue is as it was.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("len", &self.len())
            .field("bytes", &self.bytes())
            .finish()
    }
}
