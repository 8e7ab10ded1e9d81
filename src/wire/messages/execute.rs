//! `execute`: the little that Rust has to know of a cell. Its code and its results are Python's affair.

use serde::Deserialize;

/// What decides about the queue and about input; the defaults are those of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExecuteFlags {
    /// Run without output of its own, history and execution count.
    pub silent: bool,
    /// Whether an error aborts the `execute_request`s that are queued behind.
    pub stop_on_error: bool,
    /// Whether the client answers `input_request`.
    pub allow_stdin: bool,
}

impl Default for ExecuteFlags {
    fn default() -> Self {
        Self {
            silent: false,
            stop_on_error: true,
            allow_stdin: true,
        }
    }
}
