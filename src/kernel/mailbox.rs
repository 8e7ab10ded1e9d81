//! The mailbox: what the io loop has admitted and `main` has not taken yet.
//!
//! The io loop pushes and `main`, woken by a file descriptor which its asyncio loop watches, takes; neither
//! ever waits for the other, and the lock is held for a few instructions only. While it is held
//! ([`Mailbox::hold`]) nothing can be taken, so that the io loop can put its house in order first: before
//! Python is up, while a failed cell's followers are aborted, after the end has begun.
//!
//! The descriptor is readable when something may have become takeable. A take that gives nothing clears it,
//! so whoever waits for the descriptor first takes until there is nothing.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use super::sync::{Mutex, MutexGuard, PoisonError};
use crate::os::Wake;

/// A queue from the io loop to `main`. It has no upper bound of its own: it counts what it holds, and the
/// sockets' budgets keep that small.
pub struct Mailbox<T> {
    queue: Mutex<Queue<T>>,
    wake: Wake,
}

struct Queue<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    held: bool,
}

impl<T> Queue<T> {
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
        };
        Ok(Self {
            queue: Mutex::new(queue),
            wake: Wake::new()?,
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
        taken
    }

    /// Takes out everything that `wanted` accepts, in order, also while the mailbox is held. For the io loop.
    /// `wanted` is called with the lock held: it only looks.
    pub fn drain_where(&self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let mut queue = self.lock();
        // Asked first and moved afterwards: nothing is lost where `wanted` panics.
        let wanted: Vec<bool> = queue.items.iter().map(|(item, _)| wanted(item)).collect();
        let (mut out, mut rest) = (Vec::new(), VecDeque::new());
        for (entry, wanted) in std::mem::take(&mut queue.items).into_iter().zip(wanted) {
            if wanted {
                out.push(entry.0)
            } else {
                rest.push_back(entry)
            }
        }
        queue.bytes = rest.iter().map(|(_, size)| size).sum();
        queue.items = rest;
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
