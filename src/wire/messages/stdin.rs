//! `input()` and `getpass()`: the kernel asks, the client that sent the cell answers.

use serde::Deserialize;

/// `input_reply`, from the client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InputReply {
    /// What was typed, without a newline; the single character U+0004 stands for the end of input.
    pub value: String,
}
