//! The header of a received message: the fields that Rust routes by, and the bytes as they came.
//!
//! The bytes are what later stands as `parent_header` in everything that the request gives rise to, so fields that
//! drupe does not know reach the client again unchanged. A header is therefore bounded in size and depth: it is sent
//! back with every line of output.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::error::{WireError, clip};
use super::json;

/// The longest `msg_type` or `msg_id`, in bytes. Those in use have fewer than 100.
pub const MAX_NAME: usize = 1024;

/// The longest header, in bytes. Those in use have about 250.
pub const MAX_HEADER: usize = 64 * 1024;

/// A request's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The header as received: a JSON object. Only what was not UTF-8 in it has been replaced, by U+FFFD, so that no
    /// client is sent what it cannot decode.
    pub raw: Bytes,
    /// Unique per message, chosen by the client.
    pub msg_id: String,
    /// For example `execute_request`.
    pub msg_type: String,
    /// The subshell that it is for, where it names one.
    pub subshell_id: Option<String>,
}

/// The fields that are needed; the others may be missing or of any type, as kernels have always let them.
#[derive(Deserialize)]
struct Fields {
    msg_id: String,
    msg_type: String,
    #[serde(default)]
    subshell_id: Value,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// A header that is too long, too deep, not a JSON object, without `msg_id` or `msg_type`, or with a name longer
    /// than [`MAX_NAME`].
    pub fn parse(raw: Bytes) -> Result<Self, WireError> {
        let bad = |reason: String| WireError::BadPart {
            part: "header",
            reason,
        };
        if raw.len() > MAX_HEADER {
            // The one long field that is likely is named for the log's sake.
            return Err(
                match json::object_from_slice::<Fields>(&raw).map(|fields| name("msg_type", fields.msg_type))
                {
                    Ok(Err(error)) => error,
                    _ => bad(format!("{} bytes, at most {MAX_HEADER} are allowed", raw.len())),
                },
            );
        }
        if json::depth(&raw) > json::MAX_DEPTH {
            return Err(bad(json::JsonError::TooDeep.to_string()));
        }
        let raw = match String::from_utf8_lossy(&raw) {
            Cow::Owned(mended) => mended.into(),
            Cow::Borrowed(_) => raw,
        };
        let fields: Fields = json::object_from_slice(&raw).map_err(|e| bad(e.to_string()))?;
        Ok(Self {
            raw,
            msg_id: name("msg_id", fields.msg_id)?,
            msg_type: name("msg_type", fields.msg_type)?,
            subshell_id: match fields.subshell_id {
                Value::String(id) => Some(name("subshell_id", id)?),
                _ => None,
            },
        })
    }
}

fn name(field: &'static str, value: String) -> Result<String, WireError> {
    match value.len() {
        0..=MAX_NAME => Ok(value),
        length => Err(WireError::NameTooLong {
            field,
            length,
            preview: clip(&value, 40),
        }),
    }
}

#[cfg(test)]
mod tests;
