//! Why a peer's bytes were refused. Each of these ends the connection and is written to the log by the driver.

use thiserror::Error;

/// A violation of the protocol or of a limit. Texts that came from the peer are shortened and escaped.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ZmtpError {
    #[error("not ZMTP: the signature is missing")]
    Signature,
    #[error("ZMTP {0}.x is not spoken here, only 3.0 and later")]
    Version(u8),
    #[error("security mechanism {0:?} is not spoken here, only NULL")]
    Mechanism(String),
    #[error("reserved frame flags {0:#04x}")]
    Flags(u8),
    #[error("a command of {size} bytes is over the limit of {limit}")]
    CommandSize { size: u64, limit: usize },
    #[error("a message of at least {size} bytes is over the limit of {limit}")]
    MessageSize { size: u64, limit: u64 },
    #[error("a message of more than {0} parts")]
    Parts(usize),
    #[error("there is no memory for a part of {0} bytes")]
    Memory(usize),
    #[error("malformed command: {0}")]
    Command(&'static str),
    #[error("{0} instead of READY")]
    Handshake(String),
    #[error("a {theirs:?} socket cannot talk to {ours}")]
    SocketType { theirs: String, ours: &'static str },
    #[error("the peer said ERROR {0:?}")]
    Peer(String),
}

/// At most 64 bytes of foreign text, fit for a log line.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..64).unwrap_or(bytes)).into_owned()
}
