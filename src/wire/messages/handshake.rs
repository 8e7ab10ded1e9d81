//! The start-up handshake, by which a kernel that chose its own ports tells who started it.
//!
//! There are two forms, and the registration file's fields tell which (see
//! [`RegistrationForm`](crate::wire::RegistrationForm)). In that of Positron's supervisor the kernel sends a whole
//! message, `handshake_request` with [`Ports`] as its content, over a REQ socket. In that of JEP 66 it sends one
//! signed part, [`RegistrationContent`], over a DEALER socket, and any signed part is the acknowledgement.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::connection::Ports;

/// The type of the supervisor's request; its content is [`Ports`].
pub const HANDSHAKE_REQUEST: &str = "handshake_request";

/// The type of the supervisor's answer; its content is [`HandshakeReply`].
pub const HANDSHAKE_REPLY: &str = "handshake_reply";

/// `handshake_reply`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct HandshakeReply {
    /// `ok`, or that the supervisor does not take the kernel.
    pub status: String,
    /// Why not: text or whatever else the supervisor says.
    #[serde(default)]
    pub error: Value,
    /// What the supervisor can do; nothing is defined yet.
    #[serde(default)]
    pub capabilities: Map<String, Value>,
}

/// What a kernel registers with under JEP 66. The ports are text there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistrationContent {
    kernel_id: String,
    shell_port: String,
    iopub_port: String,
    stdin_port: String,
    control_port: String,
    hb_port: String,
}

impl RegistrationContent {
    /// The registration of the kernel that its launcher calls `kernel_id`.
    pub fn new(kernel_id: impl Into<String>, ports: Ports) -> Self {
        Self {
            kernel_id: kernel_id.into(),
            shell_port: ports.shell.to_string(),
            iopub_port: ports.iopub.to_string(),
            stdin_port: ports.stdin.to_string(),
            control_port: ports.control.to_string(),
            hb_port: ports.hb.to_string(),
        }
    }
}
