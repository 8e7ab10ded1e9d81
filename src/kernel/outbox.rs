//! The queue of everything that Python says, on its way to the sockets.
//!
//! Python threads push (through the core), the io thread takes. Order is the order of the pushes, over all kinds,
//! so a display never overtakes the print before it. Stream text is coalesced here: while the io thread has not
//! taken it yet, a write with the same name and parent is appended to the text before it. How long it is left here for
//! that is [`Flush`]'s to say.
//!
//! A push never waits. Whoever may write without end asks [`Outbox::wait_for_room`] first, with the GIL released;
//! that is what makes a flood slow down instead of growing without bound or being dropped.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::flush::{Due, Flush};
use super::out::{Out, StreamName};
use super::parent::Parent;

/// Bytes that may wait here before a writer has to. A few screens of the largest terminal output, and small
/// beside Python itself.
const CAPACITY: usize = 16 << 20;

/// Text of one stream message is not coalesced beyond this many bytes, so that a front-end gets pieces it can draw.
const STREAM_MESSAGE: usize = 512 << 10;

/// How long a `flush()` waits for a client that takes nothing, which is not worth more.
const CLIENT_PATIENCE: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Queue {
    items: VecDeque<Out>,
    bytes: usize,
    flush: Flush,
    /// How many items were ever appended, taken, and given to the sockets.
    pushed: u64,
    taken: u64,
    handed: u64,
    /// A client took nothing more when the io thread looked last.
    held_up: bool,
    /// Nothing is taken any more: whoever writes waits for the end of the process.
    closed: bool,
}

impl Queue {
    fn full(&self) -> bool {
        self.closed || self.bytes > CAPACITY
    }

    fn append(&mut self, out: Out) {
        self.bytes += out.size();
        self.pushed += 1;
        self.items.push_back(out);
    }

    /// Append to the last text where it is of the same stream and parent and not too long. Whether it was.
    fn coalesce(&mut self, name: StreamName, parent: &Option<Parent>, text: &str) -> bool {
        match self.items.back_mut() {
            Some(Out::Stream {
                name: last_name,
                parent: last_parent,
                text: last,
            }) if *last_name == name
                && last_parent == parent
                && last.len() + text.len() <= STREAM_MESSAGE =>
            {
                last.push_str(text);
                self.bytes += text.len();
                true
            }
            _ => false,
        }
    }

    /// After text was appended: when is it to go?
    fn schedule(&mut self, text: &str) {
        let (items, whole) = (self.items.len(), text.len() >= STREAM_MESSAGE);
        // The clock is not read for every single print.
        if self.flush.waits() && self.bytes < STREAM_MESSAGE {
            return;
        }
        let now = Instant::now();
        self.flush.text(now);
        if whole {
            self.flush.whole(now, items, false);
        } else if self.bytes >= STREAM_MESSAGE {
            self.flush.whole(now, items - 1, true);
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    room: Condvar,
    handed: Condvar,
    filled: Notify,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic of another thread between two statements leaves at worst a count that is off.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Do something to the queue, and have the io thread look at it if something is due earlier than it knows.
    fn change<T>(&self, mut queue: MutexGuard<'_, Queue>, change: impl FnOnce(&mut Queue) -> T) -> T {
        let before = queue.flush.due();
        let result = change(&mut queue);
        let earlier = queue.flush.due() != before;
        drop(queue);
        if earlier {
            self.filled.notify_one();
        }
        result
    }

    /// Append one message, which goes at once. Never waits. Once the queue is closed nothing is appended.
    pub fn push(&self, out: Out) {
        let queue = self.lock();
        if queue.closed {
            return;
        }
        self.change(queue, |queue| {
            if matches!(out, Out::Began { .. }) {
                queue.flush.begins();
            }
            queue.append(out);
            queue.flush.message(queue.items.len());
        });
    }

    /// Append stream text, to the last message where that has the same name and parent. Never waits. Returns
    /// whether the queue is full now, so that the writer is to [wait](Self::wait_for_room). It counts as full for
    /// ever once it is closed: a `print` that cannot be sent any more does not return as if it had been.
    pub fn write(&self, name: StreamName, parent: Option<Parent>, text: &str) -> bool {
        if text.is_empty() {
            return false;
        }
        let queue = self.lock();
        if queue.closed {
            return true;
        }
        self.change(queue, |queue| {
            if !queue.coalesce(name, &parent, text) {
                queue.append(Out::Stream {
                    name,
                    parent,
                    text: text.to_owned(),
                });
            }
            queue.schedule(text);
            queue.full()
        })
    }

    /// Have the text that waits sent. Returns whether that happens at once, so that it is worth
    /// [waiting](Self::wait_until_sent) for: in a flood of flushes most are put together.
    pub fn flush(&self) -> bool {
        self.change(self.lock(), |queue| queue.flush.flush(Instant::now()))
    }

    /// Wait until all that was said so far has been given to the sockets, at most `timeout`, and no more than a moment
    /// where a client takes nothing. Call with the GIL released.
    pub fn wait_until_sent(&self, timeout: Duration) {
        let queue = self.lock();
        let all = queue.pushed;
        let waits = move |queue: &mut Queue| !queue.closed && queue.handed < all;
        let (queue, _) = self
            .handed
            .wait_timeout_while(queue, CLIENT_PATIENCE.min(timeout), waits)
            .unwrap_or_else(PoisonError::into_inner);
        let left = timeout.saturating_sub(CLIENT_PATIENCE);
        // Whatever comes of it, there is nothing more to do here.
        drop(
            self.handed
                .wait_timeout_while(queue, left, |queue| !queue.held_up && waits(queue)),
        );
    }

    /// Wait until there is room for more, at most `timeout`. Returns whether there is. Call with the GIL released.
    pub fn wait_for_room(&self, timeout: Duration) -> bool {
        let queue = self.lock();
        let (queue, _) = self
            .room
            .wait_timeout_while(queue, timeout, |queue| queue.full())
            .unwrap_or_else(PoisonError::into_inner);
        !queue.full()
    }

    /// Whether a writer that may write without end should wait before it goes on.
    pub fn is_full(&self) -> bool {
        self.lock().full()
    }

    /// When the first of what waits is to be taken.
    pub fn due(&self) -> Due {
        self.lock().flush.due()
    }

    /// Take the first of what waits, if it goes by now.
    pub fn take(&self, now: Instant) -> Option<Out> {
        let mut queue = self.lock();
        let items = queue.items.len();
        if !queue.flush.take(now, items) {
            return None;
        }
        let was_full = queue.full();
        let out = queue.items.pop_front()?;
        queue.taken += 1;
        queue.bytes = queue.bytes.saturating_sub(out.size());
        let room = was_full && !queue.full();
        drop(queue);
        if room {
            self.room.notify_all();
        }
        Some(out)
    }

    /// What was taken is in the sockets' hands, as far as those take it.
    pub fn handed_over(&self) {
        let mut queue = self.lock();
        queue.handed = queue.taken;
        queue.held_up = false;
        drop(queue);
        self.handed.notify_all();
    }

    /// A client takes nothing more, so that nothing is taken here either until it does.
    pub fn held_up(&self) {
        self.lock().held_up = true;
        self.handed.notify_all();
    }

    /// Take all that was said, and nothing more from now on.
    pub fn close(&self) -> Vec<Out> {
        let mut queue = self.lock();
        queue.closed = true;
        queue.bytes = 0;
        queue.flush = Flush::default();
        let rest = std::mem::take(&mut queue.items).into();
        drop(queue);
        self.handed.notify_all();
        rest
    }

    /// Resolves when something has become due earlier than the last [`Outbox::due`] said, or at once when that was so since
    /// the last call.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::flush::{GOES_ON, LONE};
    use crate::kernel::out::Body;
    use crate::wire::message::EMPTY;

    fn texts(outbox: &Outbox, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| outbox.take(now))
            .map(|out| match out {
                Out::Stream { name, text, .. } => format!("{}:{text}", name.name()),
                Out::Iopub { body, .. } => body.msg_type,
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn display() -> Out {
        Out::Iopub {
            parent: None,
            topic: None,
            body: Body::new("display_data", EMPTY),
        }
    }

    #[test]
    fn text_is_coalesced_but_never_across_another_message() {
        let outbox = Outbox::default();
        let now = Instant::now();
        outbox.write(StreamName::Stdout, None, "a");
        outbox.write(StreamName::Stdout, None, "b");
        outbox.push(display());
        outbox.write(StreamName::Stdout, None, "c");
        outbox.write(StreamName::Stderr, None, "d");
        outbox.write(StreamName::Stdout, None, "e");
        assert_eq!(texts(&outbox, now), ["stdout:ab", "display_data"]);
        assert_eq!(
            texts(&outbox, now + GOES_ON),
            ["stdout:c", "stderr:d", "stdout:e"]
        );
        assert_eq!(outbox.due(), Due::Never);
    }

    #[test]
    fn text_waits_and_what_comes_behind_it_takes_it_along() {
        let outbox = Outbox::default();
        let now = Instant::now();
        outbox.write(StreamName::Stdout, None, "a\n");
        assert!(matches!(outbox.due(), Due::At(at) if at >= now + LONE));
        assert_eq!(texts(&outbox, now), [""; 0]);
        outbox.push(display());
        assert_eq!(outbox.due(), Due::Now);
        assert_eq!(texts(&outbox, now), ["stdout:a\n", "display_data"]);
    }

    #[test]
    fn a_flood_goes_in_whole_pieces() {
        let outbox = Outbox::default();
        let now = Instant::now();
        let line = "x".repeat(STREAM_MESSAGE / 4);
        for _ in 0..9 {
            outbox.write(StreamName::Stdout, None, &line);
        }
        let sizes: Vec<usize> = std::iter::from_fn(|| outbox.take(now))
            .map(|out| out.size())
            .collect();
        assert_eq!(sizes.len(), 2, "the ninth line may still grow");
        assert!(sizes.iter().all(|size| *size > STREAM_MESSAGE));
        outbox.write(StreamName::Stdout, None, &"x".repeat(STREAM_MESSAGE));
        assert_eq!(
            texts(&outbox, now).len(),
            2,
            "nothing will be appended to what is so long"
        );
        assert_eq!(outbox.due(), Due::Never);
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_lets_nobody_think_it_has_more() {
        let outbox = Outbox::default();
        assert!(!outbox.write(StreamName::Stdout, None, "a"));
        assert_eq!(outbox.close().len(), 1);
        assert!(outbox.write(StreamName::Stdout, None, "b"));
        assert!(!outbox.wait_for_room(Duration::from_millis(1)));
        outbox.push(display());
        assert_eq!(outbox.due(), Due::Never);
        outbox.wait_until_sent(Duration::from_secs(60));
    }

    #[test]
    fn a_full_queue_says_so_until_it_is_taken() {
        let outbox = Outbox::default();
        outbox.write(StreamName::Stdout, None, &"x".repeat(CAPACITY + 1));
        assert!(outbox.is_full());
        assert!(!outbox.wait_for_room(Duration::from_millis(1)));
        outbox.take(Instant::now());
        assert!(!outbox.is_full());
        assert!(outbox.wait_for_room(Duration::ZERO));
    }

    #[test]
    fn a_flush_is_waited_for_until_the_sockets_have_it() {
        let outbox = Outbox::default();
        outbox.write(StreamName::Stdout, None, "a");
        assert!(outbox.flush());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| wait(&outbox));
            std::thread::sleep(CLIENT_PATIENCE * 2);
            assert!(!waiter.is_finished());
            assert!(outbox.take(Instant::now()).is_some());
            outbox.handed_over();
            let waited = waiter.join().expect("the waiter");
            assert!(waited < Duration::from_secs(30), "{waited:?}");
        });
    }

    #[test]
    fn a_flush_does_not_wait_for_a_client_that_takes_nothing() {
        let outbox = Outbox::default();
        outbox.push(display());
        outbox.held_up();
        let waited = wait(&outbox);
        assert!(
            CLIENT_PATIENCE <= waited && waited < Duration::from_secs(30),
            "{waited:?}"
        );
        std::thread::scope(|scope| {
            // It has taken what there was: it is waited for again, until it is found to take nothing once more.
            assert!(outbox.take(Instant::now()).is_some());
            outbox.handed_over();
            outbox.push(display());
            let waiter = scope.spawn(|| wait(&outbox));
            std::thread::sleep(CLIENT_PATIENCE * 2);
            assert!(!waiter.is_finished());
            outbox.held_up();
            let waited = waiter.join().expect("the waiter");
            assert!(waited < Duration::from_secs(30), "{waited:?}");
        });
    }

    fn wait(outbox: &Outbox) -> Duration {
        let begun = Instant::now();
        outbox.wait_until_sent(Duration::from_secs(60));
        begun.elapsed()
    }
}
