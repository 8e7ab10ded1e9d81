//! A kernel's end of a connection: opens what the sockets received, seals what they are to send.
//!
//! The io loop owns the one session of a kernel and uses it for all channels. It checks signatures before it parses
//! anything, and it never tells a peer why a message was refused.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use uuid::Uuid;

use super::error::WireError;
use super::header::Header;
use super::message::{EMPTY, Message, Outgoing};
use super::replay::Replay;
use super::signature::Signer;
use super::{DELIMITER, PROTOCOL_VERSION};

/// Signature, header, parent header, metadata, content.
const MESSAGE_FRAMES: usize = 5;

/// The signing key, the memory of what was received, and the name under which messages go out.
#[derive(Debug)]
pub struct Session {
    id: String,
    signer: Signer,
    replay: Replay,
    sent: AtomicU64,
}

impl Session {
    /// A session with a new id, for a connection file's `key` and `signature_scheme`. An empty key means that
    /// messages are neither signed nor checked.
    ///
    /// # Errors
    /// [`WireError::UnknownScheme`].
    pub fn new(key: &[u8], scheme: &str) -> Result<Self, WireError> {
        Ok(Self {
            id: Uuid::new_v4().to_string(),
            signer: Signer::new(scheme, key)?,
            replay: Replay::default(),
            sent: AtomicU64::new(0),
        })
    }

    /// The same under an id of its own, made of plain characters: who comes back under it is the same client.
    #[must_use]
    pub fn named(mut self, id: String) -> Self {
        self.id = id;
        self
    }

    /// The id that stands in every header of this session.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Opens a received message: identities, delimiter, signature, four parts, buffers.
    ///
    /// # Errors
    /// Any [`WireError`]; the message is to be dropped. A signature that was right is remembered even where the
    /// message behind it was of no use.
    pub fn open(&mut self, frames: Vec<Bytes>) -> Result<Message, WireError> {
        let (identities, mut rest) = split(frames)?;
        if rest.len() < MESSAGE_FRAMES {
            return Err(WireError::TooFewFrames {
                got: rest.len(),
                needed: MESSAGE_FRAMES,
            });
        }
        let buffers = rest.split_off(MESSAGE_FRAMES);
        let Ok([signature, header, parent_header, metadata, content]) =
            <[Bytes; MESSAGE_FRAMES]>::try_from(rest)
        else {
            return Err(WireError::TooFewFrames {
                got: 0,
                needed: MESSAGE_FRAMES,
            });
        };
        self.check(&signature, &[&header, &parent_header, &metadata, &content])?;
        let header = Header::parse(header)?;
        Ok(Message {
            identities,
            header,
            parent_header,
            metadata,
            content,
            buffers,
        })
    }

    /// Opens a message of the one-part form that a registration is answered in: delimiter, signature, content.
    ///
    /// # Errors
    /// Any [`WireError`] but those about headers.
    pub fn open_single(&mut self, frames: Vec<Bytes>) -> Result<Bytes, WireError> {
        let (_, rest) = split(frames)?;
        let [signature, content] = rest.as_slice() else {
            return Err(WireError::TooFewFrames {
                got: rest.len(),
                needed: 2,
            });
        };
        self.check(signature, &[content])?;
        Ok(content.clone())
    }

    /// Makes the frames of a message: the identities (for iopub, the topic) first, the buffers last.
    pub fn seal(&self, identities: &[Bytes], out: &Outgoing) -> Vec<Bytes> {
        let header = self.header(out);
        let parent = out.parent.clone().unwrap_or(EMPTY);
        let signature = self.signer.sign(&[&header, &parent, &out.metadata, &out.content]);
        let mut frames = Vec::with_capacity(identities.len() + 1 + MESSAGE_FRAMES + out.buffers.len());
        frames.extend_from_slice(identities);
        frames.extend([Bytes::from_static(DELIMITER), signature, header, parent]);
        frames.extend([out.metadata.clone(), out.content.clone()]);
        frames.extend_from_slice(&out.buffers);
        frames
    }

    /// Makes the frames of the one-part form in which a kernel registers: delimiter, signature, content.
    pub fn seal_single(&self, content: Bytes) -> Vec<Bytes> {
        vec![
            Bytes::from_static(DELIMITER),
            self.signer.sign(&[&content]),
            content,
        ]
    }

    fn check(&mut self, signature: &[u8], parts: &[&[u8]]) -> Result<(), WireError> {
        match self.signer.verify(signature, parts)? {
            Some(tag) if !self.replay.admit(tag) => Err(WireError::ReplayedSignature),
            _ => Ok(()),
        }
    }

    /// Written by hand, since every line of output needs one: the id is made of plain characters, only the type, which user
    /// code may choose, is escaped. `username` is what Jupyter's own kernels say; nobody reads it.
    fn header(&self, out: &Outgoing) -> Bytes {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let mut json = Vec::with_capacity(320);
        // Writing into a `Vec` does not fail, and neither does writing a string as JSON.
        let _ = write!(
            json,
            r#"{{"msg_id":"{id}_{number}","session":"{id}","username":"username","date":"{date:.6}","msg_type":"#,
            id = self.id,
            date = out.created
        );
        let _ = serde_json::to_writer(&mut json, out.msg_type.as_ref());
        let _ = write!(json, r#","version":"{PROTOCOL_VERSION}"}}"#);
        json.into()
    }
}

/// Parts the identities from what stands behind the first delimiter.
fn split(mut frames: Vec<Bytes>) -> Result<(Vec<Bytes>, Vec<Bytes>), WireError> {
    let Some(at) = frames.iter().position(|frame| frame == DELIMITER) else {
        return Err(WireError::MissingDelimiter { frames: frames.len() });
    };
    let rest = frames.split_off(at + 1);
    frames.truncate(at);
    Ok((frames, rest))
}

#[cfg(test)]
mod tests;
