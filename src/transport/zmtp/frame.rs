//! Frames: the header of one, and a whole message as the chunks to write.

use bytes::{BufMut, Bytes, BytesMut};

use super::ZmtpError;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// Parts up to this many bytes are copied beside their headers; longer ones are passed on as they are. A copy of
/// 4 KiB costs about as much as one more element in a vectored write.
pub const COPY_UP_TO: usize = 4096;

/// The header of a frame as it came in. `body` is the peer's claim: compare it with a limit before use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub more: bool,
    pub command: bool,
    /// Bytes of the body.
    pub body: u64,
    /// Bytes of this header: 2 or 9.
    pub size: usize,
}

impl Header {
    /// Reads a header from the front of `input`; none when more bytes are needed.
    pub fn decode(input: &[u8]) -> Result<Option<Self>, ZmtpError> {
        let Some(&flags) = input.first() else {
            return Ok(None);
        };
        let (more, command) = (flags & MORE != 0, flags & COMMAND != 0);
        if flags & !(MORE | LONG | COMMAND) != 0 || (more && command) {
            return Err(ZmtpError::Flags(flags));
        }
        let (body, size) = if flags & LONG == 0 {
            match input.get(1) {
                Some(&length) => (u64::from(length), 2),
                None => return Ok(None),
            }
        } else {
            match input.get(1..9).and_then(|bytes| bytes.try_into().ok()) {
                Some(bytes) => (u64::from_be_bytes(bytes), 9),
                None => return Ok(None),
            }
        };
        Ok(Some(Self {
            more,
            command,
            body,
            size,
        }))
    }
}

fn put_header(out: &mut BytesMut, flags: u8, length: usize) {
    match u8::try_from(length) {
        Ok(short) => out.put_slice(&[flags, short]),
        Err(_) => {
            out.put_u8(flags | LONG);
            out.put_u64(length as u64);
        }
    }
}

/// The chunks of one message, in order: small parts and headers together, each big part by itself and uncopied.
pub fn encode(parts: &[Bytes]) -> Vec<Bytes> {
    let big = parts.iter().filter(|part| part.len() > COPY_UP_TO).count();
    let copied: usize = parts
        .iter()
        .map(|part| 9 + if part.len() > COPY_UP_TO { 0 } else { part.len() })
        .sum();
    let mut chunks = Vec::with_capacity(2 * big + 1);
    let mut buffer = BytesMut::with_capacity(copied);
    for (index, part) in parts.iter().enumerate() {
        put_header(
            &mut buffer,
            if index + 1 < parts.len() { MORE } else { 0 },
            part.len(),
        );
        if part.len() > COPY_UP_TO {
            chunks.push(buffer.split().freeze());
            chunks.push(part.clone());
        } else {
            buffer.put_slice(part);
        }
    }
    if !buffer.is_empty() {
        chunks.push(buffer.freeze());
    }
    chunks
}

/// A command frame around `body`, which holds the command's name and data.
pub(super) fn encode_command_frame(body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(9 + body.len());
    put_header(&mut out, COMMAND, body.len());
    out.put_slice(body);
    out.freeze()
}
