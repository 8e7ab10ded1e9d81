//! What the kernel publishes to all clients, as far as Rust makes it: status, output of streams, the welcome.
//!
//! These are written for every request and every line of output, so they borrow what they say.

use serde::Serialize;

/// `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StatusUpdate {
    /// What the kernel does.
    pub execution_state: ExecutionState,
}

/// What a kernel does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionState {
    /// The process has just begun; published once.
    Starting,
    /// The request is being dealt with.
    Busy,
    /// It is done, and all its output has been published.
    Idle,
}

impl ExecutionState {
    /// The content of the `status` message.
    pub const fn content(self) -> &'static [u8] {
        match self {
            Self::Starting => br#"{"execution_state":"starting"}"#,
            Self::Busy => br#"{"execution_state":"busy"}"#,
            Self::Idle => br#"{"execution_state":"idle"}"#,
        }
    }
}

/// `stream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stream<'a> {
    /// `stdout` or `stderr`.
    pub name: &'a str,
    /// What was written.
    pub text: &'a str,
}

/// `error`: an exception that ended a cell, or that arose in the kernel while it dealt with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ErrorOutput<'a> {
    /// The name of the exception's class.
    pub ename: &'a str,
    /// What it says.
    pub evalue: &'a str,
    /// Lines for the user.
    pub traceback: &'a [String],
}

/// `iopub_welcome`: tells a subscriber that its subscription has taken effect (5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct IopubWelcome<'a> {
    /// The topic subscribed to; empty for all.
    pub subscription: &'a str,
}
