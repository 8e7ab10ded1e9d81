//! Jupyter messages as frames, signed and checked independently of the kernel's own code.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// What separates the routing identities from the message.
pub const DELIMITER: &[u8] = b"<IDS|MSG>";

/// The `msg_id` of a request, by which everything that it causes is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub String);

/// A message to the kernel. Everything but type and content has a default.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub header: Value,
    pub parent_header: Value,
    pub metadata: Value,
    pub content: Value,
    pub buffers: Vec<Bytes>,
}

impl Outgoing {
    pub fn new(session: &str, msg_type: &str, content: Value) -> Self {
        Self {
            header: json!({
                "msg_id": uuid::Uuid::new_v4().to_string(),
                "session": session,
                "username": "tester",
                "date": "2026-11-21T02:37:00.000000Z",
                "msg_type": msg_type,
                "version": "5.5",
            }),
            parent_header: json!({}),
            metadata: json!({}),
            content,
            buffers: Vec::new(),
        }
    }

    pub fn id(&self) -> RequestId {
        RequestId(text(&self.header, "msg_id"))
    }

    /// The frames from the delimiter on.
    pub fn seal(&self, key: &[u8]) -> Vec<Bytes> {
        let parts = [&self.header, &self.parent_header, &self.metadata, &self.content]
            .map(|part| Bytes::from(part.to_string()));
        let mut frames = sealed(key, &parts);
        frames.extend(self.buffers.iter().cloned());
        frames
    }
}

/// Delimiter, signature and the four given parts: also for parts that are not JSON at all.
pub fn sealed(key: &[u8], parts: &[Bytes; 4]) -> Vec<Bytes> {
    let mut frames = vec![Bytes::from_static(DELIMITER), Bytes::from(signature(key, parts))];
    frames.extend(parts.iter().cloned());
    frames
}

/// HMAC-SHA256 over the parts in lower-case hexadecimal; nothing for an empty key.
pub fn signature(key: &[u8], parts: &[Bytes]) -> String {
    if key.is_empty() {
        return String::new();
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    let digest = mac.finalize().into_bytes();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A message from the kernel whose signature was right.
#[derive(Clone, Debug)]
pub struct Message {
    /// Frames before the delimiter: on iopub the topic.
    pub topic: Vec<Bytes>,
    pub header: Value,
    pub parent_header: Value,
    pub metadata: Value,
    pub content: Value,
    pub buffers: Vec<Bytes>,
}

impl Message {
    /// Takes the frames apart and checks the signature.
    pub fn open(key: &[u8], frames: &[Bytes]) -> Result<Self, String> {
        let at = frames
            .iter()
            .position(|frame| frame == DELIMITER)
            .ok_or_else(|| format!("no <IDS|MSG> delimiter in {frames:?}"))?;
        let (topic, rest) = frames.split_at(at);
        let [_, signed, header, parent_header, metadata, content, buffers @ ..] = rest else {
            return Err(format!("only {} frames after the delimiter", rest.len()));
        };
        let parts = [
            header.clone(),
            parent_header.clone(),
            metadata.clone(),
            content.clone(),
        ];
        let expected = signature(key, &parts);
        if signed != expected.as_bytes() {
            return Err(format!("the signature is {signed:?} and should be {expected}"));
        }
        let json = |name: &str, part: &Bytes| {
            serde_json::from_slice::<Value>(part)
                .map_err(|error| format!("the {name} is not JSON: {error}: {part:?}"))
        };
        Ok(Self {
            topic: topic.to_vec(),
            header: json("header", header)?,
            parent_header: json("parent_header", parent_header)?,
            metadata: json("metadata", metadata)?,
            content: json("content", content)?,
            buffers: buffers.to_vec(),
        })
    }

    pub fn msg_type(&self) -> String {
        text(&self.header, "msg_type")
    }

    /// The request that caused this message, if it has a parent.
    pub fn parent(&self) -> Option<RequestId> {
        self.parent_header["msg_id"]
            .as_str()
            .map(|id| RequestId(id.to_owned()))
    }

    pub fn is_child_of(&self, request: &RequestId) -> bool {
        self.parent().as_ref() == Some(request)
    }

    /// A text field of the content, or the empty text.
    pub fn text(&self, field: &str) -> String {
        text(&self.content, field)
    }

    pub fn status(&self) -> String {
        self.text("status")
    }

    /// Whether this is a status message with the given execution state.
    pub fn is_state(&self, state: &str) -> bool {
        self.header["msg_type"] == "status" && self.content["execution_state"] == state
    }

    /// One line for a failure's text.
    pub fn summary(&self) -> String {
        let mut content = self.content.to_string();
        if content.len() > 300 {
            let cut = (0..=300)
                .rev()
                .find(|at| content.is_char_boundary(*at))
                .unwrap_or(0);
            content.truncate(cut);
            content.push('…');
        }
        format!(
            "{} {content} (parent {:?})",
            self.msg_type(),
            self.parent_header["msg_id"]
        )
    }
}

fn text(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}
