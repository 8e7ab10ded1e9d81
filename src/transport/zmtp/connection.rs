//! One connection as a state machine: greeting, READY from the peer, the owner's verdict, traffic.

use std::io;

use bytes::{Buf, Bytes, BytesMut};

use super::body::{BIG, Body};
use super::command::{Command, encode_command, encode_error, encode_ready};
use super::error::excerpt;
use super::frame::Header;
use super::{GREETING_LEN, Limits, SocketType, ZmtpError, greeting};

/// Bytes that are read at once during the handshake: enough for a greeting and READY.
const HANDSHAKE_ROOM: usize = 512;
/// Bytes of traffic that are read at once. Small parts keep the whole block alive, so it stays small.
const TRAFFIC_ROOM: usize = 8 * 1024;

/// What a peer says of itself in READY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    pub socket_type: Bytes,
    /// Empty when the peer leaves its name to us.
    pub identity: Bytes,
}

/// What came out of the bytes that went in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The peer's READY is in order: answer with [`Connection::accept`] or [`Connection::refuse`].
    Hello(Hello),
    Message(Vec<Bytes>),
    /// In command form or as a message `\x01topic`; on XPUB alone. Duplicates are reported as they come.
    Subscribe(Bytes),
    /// In command form or as a message `\x00topic`; on XPUB alone.
    Cancel(Bytes),
    /// A command that means nothing here, by name.
    Ignored(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    Handshake,
    /// READY is in, and the owner has not said yet whether it will have this peer.
    Verdict,
    Traffic,
    Closed,
}

/// The protocol of one connection. After an error it is closed: what it had to say is in the output, and nothing
/// more is read.
#[derive(Debug)]
pub struct Connection {
    socket: SocketType,
    limits: Limits,
    state: State,
    input: BytesMut,
    output: Vec<Bytes>,
    /// The frame whose body is still coming; its length has been checked.
    header: Option<Header>,
    /// That body, where it is big. What has been read behind the header is in it, so `input` is empty.
    body: Option<Body>,
    parts: Vec<Bytes>,
    /// Bytes of `parts` and of the body that is coming.
    message_bytes: u64,
}

impl Connection {
    /// A connection that has just been accepted; the greeting is in the output already.
    pub fn new(socket: SocketType, limits: Limits) -> Self {
        Self {
            socket,
            limits,
            state: State::Greeting,
            input: BytesMut::new(),
            output: vec![greeting()],
            header: None,
            body: None,
            parts: Vec::new(),
            message_bytes: 0,
        }
    }

    /// From now on whole messages may be this long.
    pub fn allow(&mut self, message_bytes: u64) {
        self.limits.message_bytes = message_bytes;
    }

    /// Has at most `limit` bytes read to where they belong, by `read`, which says how many came. Memory follows what has
    /// arrived, never what was announced.
    ///
    /// # Errors
    /// Those of `read`, and [`io::ErrorKind::OutOfMemory`] where the system has none left for a big part.
    pub fn fill(
        &mut self,
        limit: usize,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if let Some(body) = self.body.as_mut().filter(|body| !body.is_whole()) {
            let room = body.room()?;
            let length = room.len().min(limit);
            let count = read(room.get_mut(..length).unwrap_or_default())?;
            body.read(count);
            return Ok(count);
        }
        let usual = match self.state {
            State::Traffic => TRAFFIC_ROOM,
            _ => HANDSHAKE_ROOM,
        };
        let missing = self
            .header
            .map_or(0, |header| header.body.saturating_sub(self.input.len() as u64));
        let missing = usize::try_from(missing).unwrap_or(BIG).min(BIG);
        let (begun, free) = (self.input.len(), self.input.capacity() - self.input.len());
        let length = if missing > usual {
            // Twice what is here, so that a part is copied less than once on its way to its full length.
            missing.min(usual.max(begun))
        } else if free >= usual / 4 {
            // The block goes on: a new one for each message would be kept alive by a few bytes of it.
            free.min(usual)
        } else {
            usual
        };
        let length = length.min(limit);
        self.input.resize(begun + length, 0);
        let read = read(self.input.get_mut(begun..).unwrap_or_default());
        self.input.truncate(begun + *read.as_ref().unwrap_or(&0));
        read
    }

    /// Takes bytes that were read elsewhere.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let fed = self.fill(bytes.len(), |room| {
                let count = room.len().min(bytes.len());
                room[..count].copy_from_slice(&bytes[..count]);
                Ok(count)
            });
            match fed {
                Ok(count) => bytes = &bytes[count..],
                Err(_) => return,
            }
        }
    }

    /// Bytes of a message, or of anything else, that has not come to its end.
    pub fn partial(&self) -> usize {
        let parts: usize = self
            .parts
            .iter()
            .map(|part| part.len() + size_of::<Bytes>())
            .sum();
        parts + self.input.len() + self.body.as_ref().map_or(0, Body::filled)
    }

    /// Bytes of memory that are kept for what comes next.
    pub fn held(&self) -> usize {
        self.input.capacity() + self.body.as_ref().map_or(0, Body::held)
    }

    /// The bytes to write before anything else, in order: greeting, READY or ERROR, PONG.
    pub fn take_output(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.output)
    }

    /// Admits the peer: READY goes out and traffic begins. Does nothing when nobody asked.
    pub fn accept(&mut self) {
        if self.state == State::Verdict {
            self.output.push(encode_ready(self.socket.name()));
            self.state = State::Traffic;
        }
    }

    /// Turns the peer away with ERROR and a reason of at most 255 bytes.
    pub fn refuse(&mut self, reason: &str) {
        if matches!(self.state, State::Handshake | State::Verdict) {
            self.output.push(encode_error(reason));
        }
        self.state = State::Closed;
    }

    /// The next event; none when more bytes, or a verdict, are needed.
    pub fn poll(&mut self) -> Result<Option<Event>, ZmtpError> {
        let polled = self.step();
        if let Err(error) = &polled {
            self.refuse(&error.to_string());
        }
        polled
    }

    fn step(&mut self) -> Result<Option<Event>, ZmtpError> {
        loop {
            match self.state {
                State::Greeting => {
                    if !super::greeting::check(&self.input)? {
                        return Ok(None);
                    }
                    self.input.advance(GREETING_LEN);
                    self.state = State::Handshake;
                }
                State::Handshake => {
                    let Some((_, body)) = self.frame()? else {
                        return Ok(None);
                    };
                    return self.hello(body).map(Some);
                }
                State::Verdict | State::Closed => return Ok(None),
                State::Traffic => {
                    let Some((header, body)) = self.frame()? else {
                        return Ok(None);
                    };
                    let event = if header.command {
                        self.command(body)?
                    } else {
                        self.part(header.more, body)
                    };
                    if event.is_some() {
                        return Ok(event);
                    }
                }
            }
        }
    }

    /// The next whole frame. Its length is checked as soon as the header is there.
    fn frame(&mut self) -> Result<Option<(Header, Bytes)>, ZmtpError> {
        let header = match self.header {
            Some(header) => header,
            None => {
                let Some(header) = Header::decode(&self.input)? else {
                    return Ok(None);
                };
                self.check(header)?;
                self.input.advance(header.size);
                self.header = Some(header);
                header
            }
        };
        // The limits have made sure that it fits.
        let length = header.body as usize;
        let body = if self.input.len() >= length && self.body.is_none() {
            // An empty slice would keep the block that it was cut from alive.
            if length == 0 {
                Bytes::new()
            } else {
                self.input.split_to(length).freeze()
            }
        } else if length < BIG {
            return Ok(None);
        } else {
            match self.body.take() {
                None => {
                    self.body = Some(Body::new(length, &self.input).map_err(|_| ZmtpError::Memory(length))?);
                    self.input = BytesMut::new();
                    return Ok(None);
                }
                Some(body) if body.is_whole() => body.into_bytes(),
                unfinished => {
                    self.body = unfinished;
                    return Ok(None);
                }
            }
        };
        self.header = None;
        if length > TRAFFIC_ROOM {
            // What is left of the block, which is little, must not keep the whole of it alive.
            self.input = BytesMut::from(&self.input[..]);
        }
        Ok(Some((header, body)))
    }

    fn check(&mut self, header: Header) -> Result<(), ZmtpError> {
        if header.command {
            let limit = self.limits.command_bytes;
            if header.body > limit as u64 {
                return Err(ZmtpError::CommandSize {
                    size: header.body,
                    limit,
                });
            }
            return Ok(());
        }
        if self.state == State::Handshake {
            return Err(ZmtpError::Handshake("a message".into()));
        }
        if self.parts.len() >= self.limits.parts {
            return Err(ZmtpError::Parts(self.limits.parts));
        }
        let (size, limit) = (
            self.message_bytes.saturating_add(header.body),
            self.limits.message_bytes,
        );
        if size > limit || usize::try_from(size).is_err() {
            return Err(ZmtpError::MessageSize { size, limit });
        }
        self.message_bytes = size;
        Ok(())
    }

    fn hello(&mut self, body: Bytes) -> Result<Event, ZmtpError> {
        match Command::decode(body)? {
            Command::Ready {
                socket_type,
                identity,
            } => {
                if !self.socket.accepts(&socket_type) {
                    let theirs = excerpt(&socket_type);
                    return Err(ZmtpError::SocketType {
                        theirs,
                        ours: self.socket.name(),
                    });
                }
                self.state = State::Verdict;
                Ok(Event::Hello(Hello {
                    socket_type,
                    identity,
                }))
            }
            Command::Error(reason) => Err(ZmtpError::Peer(reason)),
            Command::Unknown(name) => Err(ZmtpError::Handshake(name)),
            _ => Err(ZmtpError::Handshake("another command".into())),
        }
    }

    /// Commands may stand between the parts of a message: libzmq's heartbeats do.
    fn command(&mut self, body: Bytes) -> Result<Option<Event>, ZmtpError> {
        let subscribes = self.socket == SocketType::XPub;
        Ok(match Command::decode(body)? {
            Command::Ping { context } => {
                self.output.push(encode_command("PONG", &context));
                None
            }
            Command::Pong => None,
            Command::Subscribe(topic) if subscribes => Some(Event::Subscribe(topic)),
            Command::Cancel(topic) if subscribes => Some(Event::Cancel(topic)),
            Command::Error(reason) => return Err(ZmtpError::Peer(reason)),
            Command::Unknown(name) => Some(Event::Ignored(name)),
            Command::Ready { .. } => Some(Event::Ignored("READY".into())),
            Command::Subscribe(_) => Some(Event::Ignored("SUBSCRIBE".into())),
            Command::Cancel(_) => Some(Event::Ignored("CANCEL".into())),
        })
    }

    fn part(&mut self, more: bool, mut body: Bytes) -> Option<Event> {
        if self.socket == SocketType::XPub && !more && self.parts.is_empty() {
            let form = body.first().copied();
            if let Some(form @ (0 | 1)) = form {
                self.message_bytes = 0;
                body.advance(1);
                return Some(if form == 1 {
                    Event::Subscribe(body)
                } else {
                    Event::Cancel(body)
                });
            }
        }
        self.parts.push(body);
        if more {
            return None;
        }
        self.message_bytes = 0;
        Some(Event::Message(std::mem::take(&mut self.parts)))
    }
}
