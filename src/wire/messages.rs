//! The contents of the messages that Rust reads or writes itself, one file per family.
//!
//! Structs to be read take any unknown field and forgive missing ones where Jupyter's kernels do; structs to be
//! written name every field that front-ends look for. What only Python reads or writes has no type here.

pub mod comm;
pub mod control;
pub mod handshake;
pub mod info;
pub mod iopub;
pub mod stdin;

use serde::{Deserialize, Serialize};

/// The `status` of a reply that has nothing else to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The request was done.
    Ok,
    /// It failed.
    Error,
    /// It was not begun, because something before it failed or the kernel is shutting down.
    Aborted,
}

/// A reply that holds a status and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    /// How the request ended.
    pub status: Status,
}

impl StatusReply {
    /// Done.
    pub const OK: Self = Self { status: Status::Ok };
    /// Never begun.
    pub const ABORTED: Self = Self {
        status: Status::Aborted,
    };
}

/// The reply to any request that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorReply {
    status: Status,
    /// The name of the exception's class.
    pub ename: String,
    /// What it says.
    pub evalue: String,
    /// Lines for the user, possibly with terminal colours.
    pub traceback: Vec<String>,
}

impl ErrorReply {
    /// An error with no traceback, as those that arise in the kernel itself have none.
    pub fn new(ename: impl Into<String>, evalue: impl Into<String>) -> Self {
        Self {
            status: Status::Error,
            ename: ename.into(),
            evalue: evalue.into(),
            traceback: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
