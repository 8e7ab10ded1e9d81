//! ZMTP 3.0 and 3.1, the server's half, without I/O: bytes go in, events come out, bytes to write come out.
//!
//! The driver ([`super::peer`]) owns one [`Connection`] per socket and is its only caller; the fuzz targets are
//! the second. It speaks the NULL mechanism, reads every length before anything is allocated for it, and hands
//! parts out as slices of what was read. It must never panic, whatever comes in, and never allocate more than
//! what has really arrived plus a constant.
//!
//! The protocol is [ZMTP 3.1](https://rfc.zeromq.org/spec/37/); names of states and commands are its own.

mod body;
mod command;
mod connection;
mod error;
mod frame;
mod greeting;
#[cfg(test)]
mod tests;

pub use command::{Command, MAX_IDENTITY, MAX_PING_CONTEXT, encode_command};
pub use connection::{Connection, Event, Hello};
pub use error::ZmtpError;
pub use frame::{COPY_UP_TO, Header, encode};
pub use greeting::{GREETING_LEN, greeting};

/// What a peer may send, checked on each length before a byte of the body is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a whole message, all its parts together.
    pub message_bytes: u64,
    /// Parts of one message.
    pub parts: usize,
    /// Bytes of one command; every frame of the handshake is a command.
    pub command_bytes: usize,
}

/// The three patterns that a server here speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketType {
    Router,
    XPub,
    Rep,
}

impl SocketType {
    /// The value of the `Socket-Type` property.
    pub fn name(self) -> &'static str {
        match self {
            Self::Router => "ROUTER",
            Self::XPub => "XPUB",
            Self::Rep => "REP",
        }
    }

    /// Whether a peer of the type `theirs` may talk to this one (the table of ZMTP 3.1, "Socket-Type").
    pub fn accepts(self, theirs: &[u8]) -> bool {
        match self {
            Self::Router => matches!(theirs, b"REQ" | b"DEALER" | b"ROUTER"),
            Self::XPub => matches!(theirs, b"SUB" | b"XSUB"),
            Self::Rep => matches!(theirs, b"REQ" | b"DEALER"),
        }
    }
}
