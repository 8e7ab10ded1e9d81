//! What is said: one entry of the [`Outbox`](super::outbox::Outbox) for each message, made by Python's threads and by the
//! io thread, and sealed and sent by the io thread alone. Bytes, texts and numbers: no object of Python's is in it.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::input::Question;
use super::parent::Parent;
use crate::lifecycle::Shell;
use crate::wire::message::EMPTY;

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
    /// The cell of this shell whose reply comes next has failed: the cells that its client had sent there before it could know
    /// are to be aborted.
    Abort {
        shell: Shell,
    },
    /// The request has ended: what it still lacks is sent, then `idle`.
    Finished {
        id: u64,
    },
    InputRequest {
        question: Arc<Question>,
        content: Bytes,
    },
}

impl Out {
    /// Bytes that it keeps in memory, roughly.
    pub(super) fn size(&self) -> usize {
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
                Out::Began { .. } | Out::Abort { .. } | Out::Finished { .. } => 0,
            }
    }
}
