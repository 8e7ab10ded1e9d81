//! The Debug Adapter Protocol as bytes: frames to and from pydevd, and the contents of replies and events for clients.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// What pydevd says. The body stays text until somebody needs what is in it.
#[derive(Debug, Deserialize)]
pub struct Incoming {
    #[serde(rename = "type")]
    pub kind: String,
    pub request_seq: Option<u64>,
    #[serde(default)]
    pub success: bool,
    pub event: Option<String>,
    pub message: Option<String>,
    pub body: Option<Box<RawValue>>,
}

impl Incoming {
    /// The body, read. `null` where there is none.
    pub(super) fn read(&self) -> Value {
        self.body
            .as_ref()
            .and_then(|body| serde_json::from_str(body.get()).ok())
            .unwrap_or_default()
    }
}

/// A message with its length before it.
pub(super) fn frame(message: &impl Serialize) -> Bytes {
    let text = serde_json::to_vec(message).unwrap_or_default();
    let mut frame = format!("Content-Length: {}\r\n\r\n", text.len()).into_bytes();
    frame.extend(text);
    frame.into()
}

/// A request to pydevd.
pub(super) fn request(seq: u64, command: &str, arguments: &Value) -> Bytes {
    #[derive(Serialize)]
    struct Request<'a> {
        r#type: &'static str,
        seq: u64,
        command: &'a str,
        arguments: &'a Value,
    }
    frame(&Request {
        r#type: "request",
        seq,
        command,
        arguments,
    })
}

/// The content of a `debug_reply`.
#[derive(Serialize)]
pub(super) struct Response<'a, B> {
    r#type: &'static str,
    pub(super) seq: u64,
    pub(super) request_seq: &'a Value,
    pub(super) command: &'a str,
    pub(super) success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'a str>,
    pub(super) body: B,
}

impl<'a, B: Serialize> Response<'a, B> {
    pub(super) fn new(seq: u64, request_seq: &'a Value, command: &'a str, body: B) -> Self {
        Response {
            r#type: "response",
            seq,
            request_seq,
            command,
            success: true,
            message: None,
            body,
        }
    }

    pub(super) fn content(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// The content of a `debug_event`.
pub(super) fn event(seq: u64, event: &str, body: &impl Serialize) -> Bytes {
    #[derive(Serialize)]
    struct Event<'a, B> {
        r#type: &'static str,
        seq: u64,
        event: &'a str,
        body: B,
    }
    let content = Event {
        r#type: "event",
        seq,
        event,
        body,
    };
    serde_json::to_vec(&content).unwrap_or_default().into()
}
