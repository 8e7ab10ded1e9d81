//! Where the system has no eventfd: two sockets, and a byte that lies between them. Built and tested on every system.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

#[derive(Debug)]
pub(super) struct Counter {
    woken: UnixStream,
    wake: UnixStream,
}

impl Counter {
    pub(super) fn new() -> io::Result<Self> {
        let (woken, wake) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        Ok(Self { woken, wake })
    }

    pub(super) fn add(&self) {
        // It fails only when the socket is full, and then it is readable already.
        let _ = (&self.wake).write(&[1]);
    }

    pub(super) fn empty(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.woken).read(&mut bytes), Ok(count) if count > 0) {}
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}
