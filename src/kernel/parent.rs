//! The request that an output belongs to: shared between the message, Python's context and the queue of outputs.

use std::sync::Arc;

use bytes::Bytes;

/// Handle of a request's header and of where its replies go. Cloning is cheap; equality is identity of the message.
#[derive(Clone, Debug)]
pub struct Parent(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The header exactly as received; echoed as `parent_header`.
    header: Bytes,
    msg_id: String,
    /// The routing frames in front of the delimiter, which lead back to the client.
    identities: Vec<Bytes>,
}

impl Parent {
    pub fn new(header: Bytes, msg_id: String, identities: Vec<Bytes>) -> Self {
        Parent(Arc::new(Inner {
            header,
            msg_id,
            identities,
        }))
    }

    pub fn header(&self) -> &Bytes {
        &self.0.header
    }

    pub fn msg_id(&self) -> &str {
        &self.0.msg_id
    }

    pub fn identities(&self) -> &[Bytes] {
        &self.0.identities
    }
}

impl PartialEq for Parent {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.header == other.0.header
    }
}

impl Eq for Parent {}
