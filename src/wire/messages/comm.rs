//! Comms: named two-way channels between objects in the kernel and in the front-end.
//!
//! The io loop reads them to keep the table for `comm_info` and to refuse what comes after shutdown began; the
//! language server's comm is Rust's own. For all other comms the data goes to Python unread.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

/// `comm_open`, `comm_msg` or `comm_close`, where only the comm matters: its data, which may be large, is passed over.
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
