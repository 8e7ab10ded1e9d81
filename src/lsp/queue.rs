//! The bounded queue between a connection's reader and its worker.
//!
//! Used by [`super::connection`] alone. A full queue makes the reader wait, so a client that sends faster than
//! it is served is slowed down by TCP itself; neither the number of messages nor their bytes grow without bound.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What [`Queue::pop`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Popped<T> {
    /// The next message.
    Item(T),
    /// Nothing came in time.
    Idle,
    /// The queue is closed and empty.
    Closed,
}

/// A first-in-first-out queue with a limit on its items and on their bytes.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    most_items: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    closed: bool,
}

impl<T> Queue<T> {
    /// A queue for at most `most_items` items; one item may exceed `most_bytes` only when it is alone.
    pub fn new(most_items: usize, most_bytes: usize) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                bytes: 0,
                closed: false,
            }),
            changed: Condvar::new(),
            most_items,
            most_bytes,
        }
    }

    /// Adds an item of `bytes` bytes, waiting for room. False when the queue was closed: the item is dropped.
    pub fn push(&self, item: T, bytes: usize) -> bool {
        let mut state = self.lock();
        while !state.closed && !self.has_room(&state, bytes) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.bytes += bytes;
        state.items.push_back((item, bytes));
        self.changed.notify_all();
        true
    }

    /// Takes the next item, waiting at most `patience`.
    pub fn pop(&self, patience: Duration) -> Popped<T> {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            if let Some((item, bytes)) = state.items.pop_front() {
                state.bytes -= bytes;
                self.changed.notify_all();
                return Popped::Item(item);
            }
            if state.closed {
                return Popped::Closed;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Popped::Idle;
            }
            (state, _) = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// True when an item waits.
    pub fn has_items(&self) -> bool {
        !self.lock().items.is_empty()
    }

    /// No more items will come; those inside can still be taken.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Closes and drops what is inside.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.items.clear();
        state.bytes = 0;
        drop(state);
        self.changed.notify_all();
    }

    fn has_room(&self, state: &State<T>, bytes: usize) -> bool {
        state.items.is_empty()
            || (state.items.len() < self.most_items && state.bytes + bytes <= self.most_bytes)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const SOON: Duration = Duration::from_millis(20);

    #[test]
    fn a_full_queue_makes_the_sender_wait() {
        let queue = Arc::new(Queue::new(2, 100));
        assert!(queue.push(1, 10) && queue.push(2, 10));
        let sender = std::thread::spawn({
            let queue = queue.clone();
            move || queue.push(3, 10)
        });
        std::thread::sleep(SOON);
        assert!(!sender.is_finished());
        assert_eq!(queue.pop(SOON), Popped::Item(1));
        assert!(sender.join().is_ok_and(|sent| sent));
        queue.close();
        assert_eq!(queue.pop(SOON), Popped::Item(2));
        assert_eq!(queue.pop(SOON), Popped::Item(3));
        assert_eq!(queue.pop(SOON), Popped::Closed);
    }

    #[test]
    fn bytes_count_and_a_single_giant_passes() {
        let queue = Queue::new(10, 100);
        assert!(queue.push("giant", 1000));
        assert_eq!(queue.pop(SOON), Popped::Item("giant"));
        assert_eq!(queue.pop(SOON), Popped::Idle);
        queue.abandon();
        assert!(!queue.push("late", 1));
    }
}
