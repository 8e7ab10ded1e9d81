//! The Jupyter wire protocol, version 5.5: frames, signatures, headers and the typed contents of the messages that
//! Rust itself answers.
//!
//! The kernel's io loop is its caller: it opens what a socket received into a [`Message`] and seals every
//! [`Outgoing`] into frames. Nothing here touches a socket, a thread or Python, and the only file it reads or writes
//! is a connection file whose path it was given. Everything that arrives is taken to be hostile: each function
//! returns an error for input it cannot use and none panics.

pub mod connection;
pub mod error;
pub mod header;
pub mod json;
pub mod message;
pub mod messages;
mod replay;
pub mod session;
pub mod signature;

pub use connection::{
    ConnectionError, ConnectionFile, ConnectionInfo, Key, Ports, Registration, RegistrationForm, Transport,
};
pub use error::WireError;
pub use header::Header;
pub use message::{Message, Outgoing};
pub use session::Session;

/// The version of the messaging protocol that drupe speaks; it stands in every header and in `kernel_info_reply`.
pub const PROTOCOL_VERSION: &str = "5.5";

/// The frame between a message's routing identities and the message.
pub const DELIMITER: &[u8] = b"<IDS|MSG>";
