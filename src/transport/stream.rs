//! A connection of either kind, as the peer task uses it: wait, try to read, try to write.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};

use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, UnixStream};

use super::registry::Registration;
use crate::os::socket::send_vectored;

#[derive(Debug)]
pub(super) struct Stream {
    // Dropped first, as in `Acceptor`.
    _registered: Registration,
    socket: Socket,
}

/// When bytes count as delivered. A TCP connection that is closed with unread input is reset, and what the peer's
/// system does not have by then is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// A unix socket puts them into the peer's hands at once.
    Written,
    /// Within one machine what has been sent is in the peer's queue. Its acknowledgement may take another 40 ms (it is
    /// put off in the hope of a reply to ride on), which is as long as a whole exit may take.
    Sent,
    Acknowledged,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Ipc(UnixStream),
}

impl Stream {
    pub(super) fn tcp(stream: TcpStream) -> Self {
        Self {
            _registered: Registration::new(stream.as_raw_fd()),
            socket: Socket::Tcp(stream),
        }
    }

    pub(super) fn ipc(stream: UnixStream) -> Self {
        Self {
            _registered: Registration::new(stream.as_raw_fd()),
            socket: Socket::Ipc(stream),
        }
    }

    pub(super) fn fd(&self) -> RawFd {
        match &self.socket {
            Socket::Tcp(stream) => stream.as_raw_fd(),
            Socket::Ipc(stream) => stream.as_raw_fd(),
        }
    }

    /// What it takes for written bytes to be safe from the end of this process.
    pub(super) fn delivery(&self) -> Delivery {
        let Socket::Tcp(stream) = &self.socket else {
            return Delivery::Written;
        };
        match (stream.local_addr(), stream.peer_addr()) {
            (Ok(ours), Ok(theirs)) if ours.ip() == theirs.ip() || theirs.ip().is_loopback() => Delivery::Sent,
            _ => Delivery::Acknowledged,
        }
    }

    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match &self.socket {
            Socket::Tcp(stream) => stream.ready(interest).await,
            Socket::Ipc(stream) => stream.ready(interest).await,
        }
    }

    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.socket {
            Socket::Tcp(stream) => stream.try_read(buffer),
            Socket::Ipc(stream) => stream.try_read(buffer),
        }
    }

    pub(super) fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.socket {
            Socket::Tcp(stream) => stream.try_io(Interest::WRITABLE, || send_vectored(stream, buffers)),
            Socket::Ipc(stream) => stream.try_io(Interest::WRITABLE, || send_vectored(stream, buffers)),
        }
    }
}
