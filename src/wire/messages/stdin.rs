//! `input()` and `getpass()`: the kernel asks, the client that sent the cell answers.

use serde::{Deserialize, Serialize};

/// `input_request`, from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct InputRequest<'a> {
    /// What to show before the field.
    pub prompt: &'a str,
    /// Whether to hide what is typed.
    pub password: bool,
}

/// `input_reply`, from the client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InputReply {
    /// What was typed, without a newline; the single character U+0004 stands for the end of input.
    pub value: String,
}
