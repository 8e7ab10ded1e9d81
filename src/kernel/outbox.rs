//! The queue of everything that Python says, on its way to the sockets.
//!
//! Python threads push (through the core), the io thread takes. Order is the order of the pushes, over all kinds,
//! so a display never overtakes the print before it. Stream text is coalesced here: while the io thread has not
//! taken it yet, a write with the same name and parent is appended to the text before it.
//!
//! A push never waits. Whoever may write without end asks [`Outbox::wait_for_room`] first, with the GIL released;
//! that is what makes a flood slow down instead of growing without bound or being dropped.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::parent::Parent;
use crate::wire::message::EMPTY;

/// Bytes that may wait here before a writer has to. A few screens of the largest terminal output, and small
/// beside Python itself.
const CAPACITY: usize = 16 << 20;

/// Text of one stream message is not coalesced beyond this many bytes, so that a front-end gets pieces it can draw.
const STREAM_MESSAGE: usize = 128 << 10;

/// Which ROUTER socket a reply belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    Shell,
    Control,
}

impl Channel {
    /// The channel's name in the Jupyter documentation.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Shell => "shell",
            Channel::Control => "control",
        }
    }
}

/// The name of a text stream of Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamName {
    Stdout,
    Stderr,
}

impl StreamName {
    /// The `name` field of a stream message.
    pub fn name(self) -> &'static str {
        match self {
            StreamName::Stdout => "stdout",
            StreamName::Stderr => "stderr",
        }
    }
}

/// The parts of a message that its sender decides.
#[derive(Debug, Clone)]
pub struct Body {
    pub msg_type: String,
    /// JSON object.
    pub content: Bytes,
    /// JSON object.
    pub metadata: Bytes,
    pub buffers: Vec<Bytes>,
    /// When it was said: the date of its header, though it is sent a moment later.
    pub created: Timestamp,
}

impl Body {
    /// A body without metadata and buffers.
    pub fn new(msg_type: impl Into<String>, content: Bytes) -> Self {
        Body {
            msg_type: msg_type.into(),
            content,
            metadata: EMPTY,
            buffers: Vec::new(),
            created: Timestamp::now(),
        }
    }
}

/// One thing to send.
#[derive(Debug)]
pub enum Out {
    Stream {
        name: StreamName,
        parent: Option<Parent>,
        text: String,
    },
    Iopub {
        parent: Option<Parent>,
        /// `None`: the usual topic of the message type.
        topic: Option<Bytes>,
        body: Body,
    },
    Reply {
        /// The request's number.
        id: u64,
        channel: Channel,
        parent: Parent,
        body: Body,
    },
    /// The request takes effect: `busy`.
    Began {
        /// The request's number.
        id: u64,
        parent: Parent,
        /// It runs a cell.
        executes: bool,
    },
    /// The cell whose reply comes next has failed: the cells that its client had sent before it could know are to be
    /// aborted.
    Abort,
    /// The request has ended: what it still lacks is sent, then `idle`.
    Finished {
        id: u64,
    },
    InputRequest {
        parent: Parent,
        content: Bytes,
    },
}

impl Out {
    /// Bytes that it keeps in memory, roughly.
    fn size(&self) -> usize {
        const OVERHEAD: usize = 128;
        OVERHEAD
            + match self {
                Out::Stream { text, .. } => text.len(),
                Out::Iopub { body, .. } | Out::Reply { body, .. } => {
                    body.content.len()
                        + body.metadata.len()
                        + body.buffers.iter().map(Bytes::len).sum::<usize>()
                }
                Out::InputRequest { content, .. } => content.len(),
                Out::Began { .. } | Out::Abort | Out::Finished { .. } => 0,
            }
    }
}

/// How pressing it is to send what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Something other than text, or a lot of text.
    Urgent,
    /// Text that ends with a line.
    Lines,
    /// Text whose line goes on, probably at once: `print` writes the end of its line by itself.
    PartOfLine,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Out>,
    bytes: usize,
    /// Something other than stream text waits, or a lot of text: send now.
    urgent: bool,
    /// Nothing is taken any more: whoever writes waits for the end of the process.
    closed: bool,
}

impl Queue {
    fn full(&self) -> bool {
        self.closed || self.bytes > CAPACITY
    }
}

/// See the module.
#[derive(Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    room: Condvar,
    filled: Notify,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic of another thread between two statements leaves at worst a count that is off.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Append one message. Never waits. Once the queue is closed nothing is appended.
    pub fn push(&self, out: Out) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        queue.bytes += out.size();
        queue.items.push_back(out);
        queue.urgent = true;
        drop(queue);
        self.filled.notify_one();
    }

    /// Append stream text, to the last message where that has the same name and parent. Never waits. Returns
    /// whether the queue is full now, so that the writer is to [wait](Self::wait_for_room). It counts as full for
    /// ever once it is closed: a `print` that cannot be sent any more does not return as if it had been.
    pub fn write(&self, name: StreamName, parent: Option<Parent>, text: &str) -> bool {
        if text.is_empty() {
            return false;
        }
        let mut queue = self.lock();
        if queue.closed {
            return true;
        }
        let was_empty = queue.items.is_empty();
        let was_urgent = queue.urgent;
        match queue.items.back_mut() {
            Some(Out::Stream {
                name: last_name,
                parent: last_parent,
                text: last_text,
            }) if *last_name == name
                && *last_parent == parent
                && last_text.len() + text.len() <= STREAM_MESSAGE =>
            {
                last_text.push_str(text);
                queue.bytes += text.len();
            }
            _ => {
                let out = Out::Stream {
                    name,
                    parent,
                    text: text.to_owned(),
                };
                queue.bytes += out.size();
                queue.items.push_back(out);
            }
        }
        if queue.bytes >= STREAM_MESSAGE {
            queue.urgent = true;
        }
        let wake = was_empty || (queue.urgent && !was_urgent);
        let full = queue.full();
        drop(queue);
        if wake {
            self.filled.notify_one();
        }
        full
    }

    /// Wait until there is room for more, at most `timeout`. Returns whether there is. Call with the GIL released.
    pub fn wait_for_room(&self, timeout: Duration) -> bool {
        let mut queue = self.lock();
        let deadline = Instant::now() + timeout;
        while queue.full() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = self
                .room
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Whether a writer that may write without end should wait before it goes on.
    pub fn is_full(&self) -> bool {
        self.lock().full()
    }

    /// Take what waits, up to about `limit` bytes, in order.
    pub fn take(&self, limit: usize) -> Vec<Out> {
        let mut queue = self.lock();
        let mut taken = Vec::with_capacity(queue.items.len().min(64));
        let mut bytes = 0;
        while bytes < limit {
            let Some(out) = queue.items.pop_front() else {
                break;
            };
            bytes += out.size();
            taken.push(out);
        }
        queue.bytes = queue.bytes.saturating_sub(bytes);
        if queue.items.is_empty() {
            queue.bytes = 0;
            queue.urgent = false;
        }
        drop(queue);
        if !taken.is_empty() {
            self.room.notify_all();
        }
        taken
    }

    /// Take all that was said, and nothing more from now on.
    pub fn close(&self) -> Vec<Out> {
        let mut queue = self.lock();
        queue.closed = true;
        queue.bytes = 0;
        queue.urgent = false;
        std::mem::take(&mut queue.items).into()
    }

    /// Have [`Outbox::filled`] resolve once more, for what a take has left.
    pub fn more(&self) {
        self.filled.notify_one();
    }

    /// What waits; `None` where nothing does.
    pub fn waiting(&self) -> Option<Waiting> {
        let queue = self.lock();
        let last = queue.items.back()?;
        Some(match last {
            _ if queue.urgent => Waiting::Urgent,
            Out::Stream { text, .. } if !text.ends_with('\n') => Waiting::PartOfLine,
            _ => Waiting::Lines,
        })
    }

    /// Resolves after a push, or at once when there was one since the last call.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(outbox: &Outbox) -> Vec<String> {
        outbox
            .take(usize::MAX)
            .into_iter()
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
        outbox.write(StreamName::Stdout, None, "a");
        outbox.write(StreamName::Stdout, None, "b");
        outbox.push(display());
        outbox.write(StreamName::Stdout, None, "c");
        outbox.write(StreamName::Stderr, None, "d");
        outbox.write(StreamName::Stdout, None, "e");
        assert_eq!(
            texts(&outbox),
            ["stdout:ab", "display_data", "stdout:c", "stderr:d", "stdout:e"]
        );
        assert_eq!(outbox.waiting(), None);
    }

    #[test]
    fn text_is_lazy_and_messages_are_urgent() {
        let outbox = Outbox::default();
        outbox.write(StreamName::Stdout, None, "a");
        assert_eq!(outbox.waiting(), Some(Waiting::PartOfLine));
        outbox.write(StreamName::Stdout, None, "\n");
        assert_eq!(outbox.waiting(), Some(Waiting::Lines));
        outbox.push(display());
        assert_eq!(outbox.waiting(), Some(Waiting::Urgent));
        outbox.take(usize::MAX);
        outbox.write(StreamName::Stdout, None, &"x".repeat(STREAM_MESSAGE));
        assert_eq!(outbox.waiting(), Some(Waiting::Urgent));
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_lets_nobody_think_it_has_more() {
        let outbox = Outbox::default();
        assert!(!outbox.write(StreamName::Stdout, None, "a"));
        assert_eq!(outbox.close().len(), 1);
        assert!(outbox.write(StreamName::Stdout, None, "b"));
        assert!(!outbox.wait_for_room(Duration::from_millis(1)));
        outbox.push(display());
        assert_eq!(outbox.waiting(), None);
    }

    #[test]
    fn a_full_queue_says_so_until_it_is_taken() {
        let outbox = Outbox::default();
        outbox.write(StreamName::Stdout, None, &"x".repeat(CAPACITY + 1));
        assert!(outbox.is_full());
        assert!(!outbox.wait_for_room(Duration::from_millis(1)));
        outbox.take(1);
        assert!(!outbox.is_full());
        assert!(outbox.wait_for_room(Duration::ZERO));
    }
}
