//! A ZMTP peer that may say anything: for hostile input, and for looking at single frames.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A TCP connection to one of the kernel's ports. Errors while writing are kept quiet: a kernel may hang up on
/// nonsense at any moment, and the test then looks at the kernel, not at the connection.
pub struct RawPeer {
    pub stream: TcpStream,
}

/// Frame flags of ZMTP 3.
pub const MORE: u8 = 1;
pub const LONG: u8 = 2;
pub const COMMAND: u8 = 4;

impl RawPeer {
    #[track_caller]
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the port listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a time-out");
        stream
            .set_write_timeout(Some(Duration::from_secs(5)))
            .expect("a time-out");
        Self { stream }
    }

    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The 64 bytes with which a ZMTP 3.0 client without security begins.
    pub fn greeting(&mut self) -> bool {
        let mut greeting = [0_u8; 64];
        greeting[0] = 0xff;
        greeting[9] = 0x7f;
        greeting[10] = 3;
        greeting[12..16].copy_from_slice(b"NULL");
        self.write(&greeting)
    }

    /// The READY command of a socket of this type.
    pub fn ready(&mut self, socket_type: &str, identity: &[u8]) -> bool {
        let mut body = b"\x05READY".to_vec();
        for (name, value) in [("Socket-Type", socket_type.as_bytes()), ("Identity", identity)] {
            body.push(u8::try_from(name.len()).expect("a short name"));
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(&u32::try_from(value.len()).expect("a short value").to_be_bytes());
            body.extend_from_slice(value);
        }
        self.frame(COMMAND, &body)
    }

    /// Greeting and READY, in both directions.
    #[track_caller]
    pub fn handshake(&mut self, socket_type: &str, identity: &[u8]) {
        self.greeting();
        self.ready(socket_type, identity);
        self.read_past_greeting();
    }

    /// Takes the kernel's greeting and READY off the stream.
    #[track_caller]
    pub fn read_past_greeting(&mut self) {
        let mut greeting = [0; 64];
        self.stream
            .read_exact(&mut greeting)
            .expect("the kernel's greeting");
        let (flags, _) = self.read_frame().expect("the kernel's READY");
        assert_eq!(flags & COMMAND, COMMAND, "the first frame is a command");
    }

    /// One frame; lengths above 255 use the long form.
    pub fn frame(&mut self, flags: u8, body: &[u8]) -> bool {
        match u8::try_from(body.len()) {
            Ok(length) => self.write(&[flags, length]) && self.write(body),
            Err(_) => self.frame_claiming(flags, body.len() as u64) && self.write(body),
        }
    }

    /// The header of a frame of any claimed length, without its body.
    pub fn frame_claiming(&mut self, flags: u8, length: u64) -> bool {
        let mut header = vec![flags | LONG];
        header.extend_from_slice(&length.to_be_bytes());
        self.write(&header)
    }

    /// A message of these parts.
    pub fn message(&mut self, parts: &[&[u8]]) -> bool {
        let last = parts.len().saturating_sub(1);
        parts
            .iter()
            .enumerate()
            .all(|(at, part)| self.frame(if at < last { MORE } else { 0 }, part))
    }

    pub fn read_frame(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut flags = [0];
        self.stream.read_exact(&mut flags)?;
        let length = if flags[0] & LONG == 0 {
            let mut short = [0];
            self.stream.read_exact(&mut short)?;
            u64::from(short[0])
        } else {
            let mut long = [0; 8];
            self.stream.read_exact(&mut long)?;
            u64::from_be_bytes(long)
        };
        let mut body = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(1 << 27)];
        self.stream.read_exact(&mut body)?;
        Ok((flags[0], body))
    }

    /// Whether the other side has hung up, waiting for it up to the time-out.
    pub fn is_closed(&mut self) -> bool {
        let mut sink = [0; 4096];
        loop {
            match self.stream.read(&mut sink) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    );
                }
            }
        }
    }
}
