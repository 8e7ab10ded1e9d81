//! Language-server framing: `Content-Length` headers around JSON-RPC bodies, with hard limits.
//!
//! Called by a connection's reader and writer only. It must never allocate what a peer merely announced,
//! never trust a length, and never guess where the next message starts once a frame was wrong: such a
//! stream is over.

use std::io::{self, BufRead, Read};

use lsp_server::{Message, Notification, Request, RequestId, Response};
use serde_json::Value;

/// The longest body that is read, in bytes. An editor's largest message is a whole document.
pub const MAX_BODY: usize = 64 * 1024 * 1024;
/// The longest header block that is read, in bytes; a real one has about 25.
pub const MAX_HEADER: usize = 8 * 1024;
/// A body is read in steps of this many bytes, so that memory grows with what came, not with what was announced.
const STEP: usize = 256 * 1024;

/// Why a stream of messages ended or a message was refused.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The header block is malformed; nothing after it can be trusted.
    #[error("malformed header: {0}")]
    Header(String),
    /// The announced body is longer than [`MAX_BODY`].
    #[error("a message of {0} bytes was announced, the limit is {MAX_BODY}")]
    TooLong(u64),
    /// The stream ended in the middle of a message.
    #[error("the connection ended in the middle of a message")]
    Half,
    /// The body is not JSON-RPC. The frame itself was whole: the next message can be read.
    #[error("not a JSON-RPC message: {0}")]
    Body(String),
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads the next message and says how many bytes its body had. `Ok(None)` is a clean end between two messages.
///
/// # Errors
/// [`FrameError::Body`] leaves the stream usable; every other error ends it.
pub fn read_message(input: &mut impl BufRead) -> Result<Option<(Message, usize)>, FrameError> {
    let Some((raw, length)) = read_json::<Raw>(input)? else {
        return Ok(None);
    };
    Ok(Some((raw.into_message()?, length)))
}

/// Reads the next message as it is; what else holds for [`read_message`] holds here.
///
/// # Errors
/// As [`read_message`].
pub fn read_value(input: &mut impl BufRead) -> Result<Option<Value>, FrameError> {
    Ok(read_json(input)?.map(|(value, _)| value))
}

/// Reads the next message as whatever it is wanted as, with the bytes of its body; what else holds for [`read_message`]
/// holds here.
///
/// # Errors
/// As [`read_message`].
pub fn read_json<T: serde::de::DeserializeOwned>(
    input: &mut impl BufRead,
) -> Result<Option<(T, usize)>, FrameError> {
    let Some(length) = read_header(input)? else {
        return Ok(None);
    };
    let body = read_body(input, length)?;
    let json = serde_json::from_slice(&body).map_err(|error| FrameError::Body(error.to_string()))?;
    Ok(Some((json, length)))
}

/// A message before it is known which kind it is.
#[derive(serde::Deserialize)]
struct Raw {
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Value,
}

impl Raw {
    fn into_message(self) -> Result<Message, FrameError> {
        let id = self
            .id
            .map(serde_json::from_value::<RequestId>)
            .transpose()
            .map_err(|_| FrameError::Body("the id is neither a string nor a small number".into()))?;
        match (id, self.method) {
            (Some(id), Some(method)) => Ok(Message::Request(Request {
                id,
                method,
                params: self.params,
            })),
            (None, Some(method)) => Ok(Message::Notification(Notification {
                method,
                params: self.params,
            })),
            // A client that cannot answer has as good as answered nothing.
            (Some(id), None) => Ok(Message::Response(Response::new_ok(id, self.result))),
            (None, None) => Err(FrameError::Body("neither an id nor a method".into())),
        }
    }
}

/// One message as it goes over the wire: header and body.
///
/// # Errors
/// A message that cannot be turned into JSON.
pub fn frame(message: &impl serde::Serialize) -> serde_json::Result<Vec<u8>> {
    #[derive(serde::Serialize)]
    struct Envelope<'a, T> {
        jsonrpc: &'static str,
        #[serde(flatten)]
        message: &'a T,
    }
    let body = serde_json::to_vec(&Envelope {
        jsonrpc: "2.0",
        message,
    })?;
    let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    frame.extend_from_slice(&body);
    Ok(frame)
}

fn read_header(input: &mut impl BufRead) -> Result<Option<usize>, FrameError> {
    let mut left = MAX_HEADER;
    let mut length = None;
    let mut first = true;
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(left as u64).read_until(b'\n', &mut line)?;
        left = left.saturating_sub(read);
        let Some(line) = line.strip_suffix(b"\n") else {
            return match read {
                0 if first => Ok(None),
                _ if left == 0 => Err(FrameError::Header(format!("longer than {MAX_HEADER} bytes"))),
                _ => Err(FrameError::Half),
            };
        };
        first = false;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(':') else {
            return Err(FrameError::Header(line.chars().take(80).collect::<String>()));
        };
        if name.trim().eq_ignore_ascii_case("Content-Length") {
            length = Some(value.trim().parse::<u64>().map_err(|_| {
                FrameError::Header(format!(
                    "Content-Length is {:?}",
                    value.chars().take(40).collect::<String>()
                ))
            })?);
        }
    }
    let length = length.ok_or_else(|| FrameError::Header("no Content-Length".into()))?;
    match usize::try_from(length) {
        Ok(length) if length <= MAX_BODY => Ok(Some(length)),
        _ => Err(FrameError::TooLong(length)),
    }
}

fn read_body(input: &mut impl BufRead, length: usize) -> Result<Vec<u8>, FrameError> {
    let mut body = Vec::with_capacity(length.min(STEP));
    while body.len() < length {
        let step = (length - body.len()).min(STEP);
        let read = input.by_ref().take(step as u64).read_to_end(&mut body)?;
        if read < step {
            return Err(FrameError::Half);
        }
    }
    Ok(body)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<(Message, usize)>, FrameError> {
        read_message(&mut io::Cursor::new(bytes))
    }

    #[test]
    fn a_message_survives_the_round_trip() {
        let message = Message::Notification(lsp_server::Notification::new(
            "exit".into(),
            serde_json::json!({"é": 1}),
        ));
        let bytes = frame(&message).unwrap();
        let Ok(Some((Message::Notification(back), _))) = read(&bytes) else {
            panic!("not read back");
        };
        assert_eq!(back.method, "exit");
        assert_eq!(back.params["é"], 1);
    }

    #[test]
    fn a_clean_end_is_no_error_and_a_half_message_is() {
        assert!(matches!(read(b""), Ok(None)));
        assert!(matches!(
            read(b"Content-Length: 10\r\n\r\n{\"a\""),
            Err(FrameError::Half)
        ));
        assert!(matches!(read(b"Content-Le"), Err(FrameError::Half)));
    }

    #[test]
    fn lengths_are_limited_before_anything_is_allocated() {
        for announced in ["1073741824", "4611686018427387904"] {
            let header = format!("Content-Length: {announced}\r\n\r\n");
            assert!(matches!(read(header.as_bytes()), Err(FrameError::TooLong(_))));
        }
        for wrong in ["-1", "", "ten", "99999999999999999999999"] {
            let header = format!("Content-Length: {wrong}\r\n\r\n");
            assert!(matches!(read(header.as_bytes()), Err(FrameError::Header(_))));
        }
    }

    #[test]
    fn an_endless_header_is_cut_off() {
        assert!(matches!(read(&vec![b'a'; 1 << 20]), Err(FrameError::Header(_))));
        let many = "X: y\r\n".repeat(1 << 12);
        assert!(matches!(read(many.as_bytes()), Err(FrameError::Header(_))));
    }

    #[test]
    fn a_wrong_body_leaves_the_stream_usable() {
        let mut bytes = b"Content-Length: 4\r\n\r\n\xff\xfe\xfd\xfc".to_vec();
        bytes.extend_from_slice(b"content-length:33\nX: y\n\n{\"jsonrpc\":\"2.0\",\"method\":\"exit\"}");
        let mut input = io::Cursor::new(bytes);
        assert!(matches!(read_message(&mut input), Err(FrameError::Body(_))));
        assert!(matches!(
            read_message(&mut input),
            Ok(Some((Message::Notification(_), 33)))
        ));
    }
}
