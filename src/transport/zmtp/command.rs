//! Commands: READY and ERROR of the handshake, PING and PONG, SUBSCRIBE and CANCEL.

use bytes::{Buf, BufMut, Bytes};

use super::error::{ZmtpError, excerpt};
use super::frame::encode_command_frame;

/// Bytes of the longest identity (ZMTP 3.1, "Identity").
pub const MAX_IDENTITY: usize = 255;

/// Bytes of a PING's context that are echoed (ZMTP 3.1: "at most 16 octets"); libzmq cuts there as well.
pub const MAX_PING_CONTEXT: usize = 16;

/// A command as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Ready {
        socket_type: Bytes,
        identity: Bytes,
    },
    Error(String),
    /// The time to live that a PING carries is not kept: a client that is gone is found out by its socket.
    Ping {
        context: Bytes,
    },
    Pong,
    Subscribe(Bytes),
    Cancel(Bytes),
    /// Unknown ones are no error, so that later versions of the protocol can talk to this one.
    Unknown(String),
}

impl Command {
    /// Reads the body of a command frame.
    pub fn decode(mut body: Bytes) -> Result<Self, ZmtpError> {
        let name = take(&mut body, 1).ok_or(ZmtpError::Command("without a name"))?;
        Ok(match &name[..] {
            b"READY" => return ready(body),
            b"ERROR" => Self::Error(excerpt(&take(&mut body, 1).unwrap_or_default())),
            b"PING" => {
                if body.len() < 2 {
                    return Err(ZmtpError::Command("PING without a time to live"));
                }
                body.advance(2);
                body.truncate(MAX_PING_CONTEXT);
                Self::Ping { context: body }
            }
            b"PONG" => Self::Pong,
            b"SUBSCRIBE" => Self::Subscribe(body),
            b"CANCEL" => Self::Cancel(body),
            other => Self::Unknown(excerpt(other)),
        })
    }
}

/// Splits off a value that stands behind its length, which has `width` bytes; none when the body is too short.
fn take(body: &mut Bytes, width: usize) -> Option<Bytes> {
    if body.len() < width {
        return None;
    }
    let length = usize::try_from(body.get_uint(width)).ok()?;
    (length <= body.len()).then(|| body.split_to(length))
}

fn ready(mut body: Bytes) -> Result<Command, ZmtpError> {
    let (mut socket_type, mut identity) = (Bytes::new(), Bytes::new());
    while !body.is_empty() {
        let name = take(&mut body, 1).filter(|name| !name.is_empty());
        let name = name.ok_or(ZmtpError::Command("READY with a cut property name"))?;
        let value = take(&mut body, 4).ok_or(ZmtpError::Command("READY with a cut property value"))?;
        if name.eq_ignore_ascii_case(b"Socket-Type") {
            socket_type = value;
        } else if name.eq_ignore_ascii_case(b"Identity") {
            identity = value;
        }
    }
    if identity.len() > MAX_IDENTITY {
        return Err(ZmtpError::Command(
            "READY with an identity of more than 255 bytes",
        ));
    }
    Ok(Command::Ready {
        socket_type,
        identity,
    })
}

/// A whole command frame: the name, then its data as it is.
pub fn encode_command(name: &str, data: &[u8]) -> Bytes {
    let mut body = Vec::with_capacity(1 + name.len() + data.len());
    put_short(&mut body, name.as_bytes());
    body.put_slice(data);
    encode_command_frame(&body)
}

pub(super) fn encode_ready(socket_type: &str) -> Bytes {
    let mut data = Vec::new();
    put_property(&mut data, "Socket-Type", socket_type.as_bytes());
    // ROUTER peers expect the property; an empty one says that the name is theirs to make up.
    put_property(&mut data, "Identity", b"");
    encode_command("READY", &data)
}

pub(super) fn encode_error(reason: &str) -> Bytes {
    let mut data = Vec::new();
    put_short(&mut data, reason.as_bytes());
    encode_command("ERROR", &data)
}

fn put_property(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    put_short(out, name.as_bytes());
    out.put_u32(value.len() as u32);
    out.put_slice(value);
}

/// A length of one byte and the text, which is cut to fit.
fn put_short(out: &mut Vec<u8>, text: &[u8]) {
    let text = text.get(..255).unwrap_or(text);
    out.put_u8(text.len() as u8);
    out.put_slice(text);
}
