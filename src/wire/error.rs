//! What can be wrong with a message that came off a socket.
//!
//! The io loop logs these and counts them. None of them carries a key, and text that a peer chose is clipped, so a
//! log line stays a line.

/// Why a message was not accepted. Each is a reason to drop the message, never the connection or the kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No frame is `<IDS|MSG>`, so identities cannot be told from the message.
    #[error("no <IDS|MSG> delimiter in a message of {frames} frames")]
    MissingDelimiter {
        /// How many frames the message had.
        frames: usize,
    },

    /// Too few frames stand behind the delimiter.
    #[error("{got} frames after the delimiter, at least {needed} are needed")]
    TooFewFrames {
        /// Frames behind the delimiter.
        got: usize,
        /// Frames that the form of message needs.
        needed: usize,
    },

    /// The connection has a key, and the message came with an empty signature.
    #[error("the message is not signed, but the connection has a key")]
    MissingSignature,

    /// The signature is not the one that the connection's key gives.
    #[error("the signature does not fit the message and the connection's key")]
    BadSignature,

    /// A message with this signature was accepted before.
    #[error("the signature was used before: a replayed message")]
    ReplayedSignature,

    /// One part of the message is not what it has to be.
    #[error("bad {part}: {reason}")]
    BadPart {
        /// `header` or `content`.
        part: &'static str,
        /// What is wrong, clipped to a few hundred bytes.
        reason: String,
    },

    /// A name in the header is longer than [`MAX_NAME`](crate::wire::header::MAX_NAME).
    #[error("the header's {field} has {length} bytes, at most 1024 are allowed; it begins {preview:?}")]
    NameTooLong {
        /// Which field: `msg_type` or `msg_id`.
        field: &'static str,
        /// The length received, in bytes.
        length: usize,
        /// Its first characters.
        preview: String,
    },

    /// The connection names a signature scheme that drupe does not have.
    #[error(
        "unknown signature scheme {scheme:?}; known are hmac-sha256, hmac-sha224, hmac-sha384, hmac-sha512, hmac-sha1 and hmac-md5"
    )]
    UnknownScheme {
        /// The scheme, clipped.
        scheme: String,
    },
}

/// The first `max` bytes of a text, cut at a character, with `…` where something was left out.
pub(crate) fn clip(text: &str, max: usize) -> String {
    match text.char_indices().find(|(at, c)| at + c.len_utf8() > max) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
