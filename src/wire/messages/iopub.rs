//! What the kernel publishes to all clients, as far as Rust makes it: status, output of streams, the welcome.
//!
//! These are written for every request and every line of output, so they borrow what they say.

use serde::Serialize;

/// `status`: what a kernel does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// `iopub_welcome`: tells a subscriber that its subscription has taken effect (5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct IopubWelcome<'a> {
    /// The topic subscribed to; empty for all.
    pub subscription: &'a str,
}
