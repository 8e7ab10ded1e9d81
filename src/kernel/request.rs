//! A request on its way to Python.

use bytes::Bytes;

use super::out::Channel;
use super::parent::Parent;
use crate::wire;

/// A message that was read, checked and admitted, and that the main thread is to answer.
#[derive(Debug)]
pub struct Request {
    /// Unique in this process, in the order of arrival.
    pub id: u64,
    pub channel: Channel,
    pub msg_type: String,
    pub parent: Parent,
    /// The subshell that its header names.
    pub subshell: Option<String>,
    /// As received; Python parses it.
    pub metadata: Bytes,
    /// As received; Python parses it.
    pub content: Bytes,
    pub buffers: Vec<Bytes>,
}

impl Request {
    pub fn new(id: u64, channel: Channel, message: wire::Message) -> Self {
        Request {
            id,
            channel,
            msg_type: message.header.msg_type,
            subshell: message.header.subshell_id,
            parent: Parent::new(message.header.raw, message.header.msg_id, message.identities),
            metadata: message.metadata,
            content: message.content,
            buffers: message.buffers,
        }
    }

    /// Bytes that it keeps in memory while it waits, roughly.
    pub fn size(&self) -> usize {
        /// What the kernel remembers of each beside its parts: so many small ones count, too.
        const OVERHEAD: usize = 2048;
        let parts = [self.parent.header(), &self.metadata, &self.content];
        OVERHEAD
            + parts
                .into_iter()
                .chain(&self.buffers)
                .map(Bytes::len)
                .sum::<usize>()
    }

    /// The type of its reply.
    pub fn reply_type(&self) -> String {
        wire::message::reply_type(&self.msg_type)
    }

    /// Whether it is one of the three comm messages, which have no reply.
    pub fn is_comm(&self) -> bool {
        matches!(self.msg_type.as_str(), "comm_open" | "comm_msg" | "comm_close")
    }

    /// Whether it runs a cell.
    pub fn is_execute(&self) -> bool {
        self.msg_type == "execute_request"
    }
}
