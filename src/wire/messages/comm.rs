//! Comms: named two-way channels between objects in the kernel and in the front-end.
//!
//! The io loop reads them to keep the table for `comm_info` and to refuse what comes after shutdown began; the
//! language server's comm is Rust's own. For all other comms the data goes to Python unread.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Status;

/// `comm_open`, in either direction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommOpen {
    /// The new comm, named by who opens it.
    pub comm_id: String,
    /// What is to answer it at the other end.
    pub target_name: String,
    /// For the target; unread JSON, nested as deep as it likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

/// `comm_msg`, in either direction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommMsg {
    /// Which comm.
    pub comm_id: String,
    /// For its other end; unread JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

/// `comm_close`, in either direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommClose {
    /// Which comm.
    pub comm_id: String,
    /// Front-ends expect an object here, if only an empty one. What a client sends along is not read.
    #[serde(skip_deserializing)]
    data: BTreeMap<String, String>,
}

impl CommClose {
    /// A close without data.
    pub fn new(comm_id: impl Into<String>) -> Self {
        Self {
            comm_id: comm_id.into(),
            data: BTreeMap::new(),
        }
    }
}

/// Any of the three, where only the comm matters: its data, which may be large, is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CommId {
    /// Which comm.
    pub comm_id: String,
}

/// `comm_info_request`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct CommInfoRequest {
    /// Only comms of this target; all where it is missing, null or empty.
    #[serde(default)]
    pub target_name: Option<String>,
}

/// `comm_info_reply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommInfoReply {
    status: Status,
    /// The open comms by id.
    pub comms: BTreeMap<String, CommTarget>,
}

/// What `comm_info_reply` says of one comm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommTarget {
    /// The target that the comm was opened for.
    pub target_name: String,
}

impl CommInfoReply {
    /// The reply for some comms, each an id and a target's name.
    pub fn new<'a>(comms: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let target = |name: &str| CommTarget {
            target_name: name.to_owned(),
        };
        Self {
            status: Status::Ok,
            comms: comms
                .into_iter()
                .map(|(id, name)| (id.to_owned(), target(name)))
                .collect(),
        }
    }
}
