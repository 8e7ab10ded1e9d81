//! Messages in both directions, before and after the frames.
//!
//! The io loop gets a [`Message`] from [`Session::open`](super::Session::open) and hands an [`Outgoing`] to
//! [`Session::seal`](super::Session::seal). Parts stay the bytes they were: what goes to Python is parsed there, and
//! buffers are never copied.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::WireError;
use super::header::Header;
use super::json;

/// An empty JSON object, what stands for a missing parent, metadata or content.
pub const EMPTY: Bytes = Bytes::from_static(b"{}");

/// A received message whose signature and header are good. The other parts have not been looked at.
#[derive(Debug, Clone)]
pub struct Message {
    /// The routing identities, the peer's own first. A reply goes to the same.
    pub identities: Vec<Bytes>,
    /// Who sent it and what it is.
    pub header: Header,
    /// As received: the header of the message that it answers, if it answers one.
    pub parent_header: Bytes,
    /// As received.
    pub metadata: Bytes,
    /// As received.
    pub content: Bytes,
    /// Binary frames, not signed.
    pub buffers: Vec<Bytes>,
}

impl Message {
    /// Reads the content as one of [`messages`](super::messages), or any other shape; unknown fields are passed over.
    ///
    /// # Errors
    /// [`WireError::BadPart`] for a content that is not a JSON object of that shape.
    pub fn content<T: DeserializeOwned>(&self) -> Result<T, WireError> {
        json::object_from_slice(&self.content).map_err(|e| WireError::BadPart {
            part: "content",
            reason: e.to_string(),
        })
    }
}

/// `execute_reply` for `execute_request`; another name only gets the ending.
pub fn reply_type(msg_type: &str) -> String {
    format!("{}_reply", msg_type.strip_suffix("_request").unwrap_or(msg_type))
}

/// The JSON bytes of a content or of metadata; `{}` for a value that JSON cannot hold, which no type of
/// [`messages`](super::messages) is.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Bytes {
    match serde_json::to_vec(value) {
        Ok(bytes) => bytes.into(),
        Err(error) => {
            tracing::error!(%error, "a message could not be written as JSON");
            EMPTY
        }
    }
}

/// A message to send. Its header is made when it is sealed.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// For example `stream`.
    pub msg_type: Cow<'static, str>,
    /// The raw header of the request that this message belongs to; `None` for one that belongs to none.
    pub parent: Option<Bytes>,
    /// A JSON object.
    pub metadata: Bytes,
    /// A JSON object.
    pub content: Bytes,
    /// Binary frames.
    pub buffers: Vec<Bytes>,
    /// The date of the header.
    pub created: Timestamp,
}

impl Outgoing {
    /// A message without parent, metadata and buffers.
    pub fn new(msg_type: impl Into<Cow<'static, str>>, content: Bytes) -> Self {
        Self {
            msg_type: msg_type.into(),
            parent: None,
            metadata: EMPTY,
            content,
            buffers: Vec::new(),
            created: Timestamp::now(),
        }
    }
}
