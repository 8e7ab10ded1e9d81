//! A client made by hand, which says exactly the bytes that it is told to say.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::transport::zmtp::{encode_command, greeting};

pub(super) struct Raw {
    pub(super) stream: TcpStream,
}

impl Raw {
    pub(super) async fn connect(endpoint: &str) -> Self {
        let address = endpoint.strip_prefix("tcp://").expect("tcp");
        Self {
            stream: TcpStream::connect(address).await.expect("a connection"),
        }
    }

    /// A client whose handshake is done.
    pub(super) async fn ready(endpoint: &str, socket_type: &str, identity: &[u8]) -> Self {
        let mut raw = Self::connect(endpoint).await;
        raw.send(&opening(socket_type, identity)).await;
        raw.skip_greeting().await;
        assert_eq!(&raw.frame().await.1[..6], b"\x05READY");
        raw
    }

    pub(super) async fn skip_greeting(&mut self) {
        let mut theirs = [0; 64];
        self.stream.read_exact(&mut theirs).await.expect("a greeting");
        assert_eq!(theirs[..], greeting()[..]);
    }

    /// Errors are the server's way to close while we still talk, and no failure.
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.ok();
    }

    /// The next frame: flags and body.
    pub(super) async fn frame(&mut self) -> (u8, Vec<u8>) {
        let flags = self.stream.read_u8().await.expect("flags");
        let length = match flags & 2 {
            0 => u64::from(self.stream.read_u8().await.expect("a length")),
            _ => self.stream.read_u64().await.expect("a length"),
        };
        let mut body = vec![0; length as usize];
        self.stream.read_exact(&mut body).await.expect("a body");
        (flags, body)
    }

    /// Whether the server ends the connection within a second.
    pub(super) async fn is_closed(&mut self) -> bool {
        let end = async {
            let mut buffer = [0; 4096];
            while self.stream.read(&mut buffer).await.unwrap_or(0) > 0 {}
        };
        timeout(Duration::from_secs(1), end).await.is_ok()
    }
}

/// Greeting and READY of a client.
pub(super) fn opening(socket_type: &str, identity: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    for (name, value) in [("Socket-Type", socket_type.as_bytes()), ("Identity", identity)] {
        data.push(name.len() as u8);
        data.extend_from_slice(name.as_bytes());
        data.extend_from_slice(&(value.len() as u32).to_be_bytes());
        data.extend_from_slice(value);
    }
    [&greeting()[..], &encode_command("READY", &data)].concat()
}
