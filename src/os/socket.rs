//! What the system knows of a socket beyond what `std` and tokio ask: sent or not, read or not, ended for everybody.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, RawFd};

/// One `sendmsg` of many buffers, which does not wait.
///
/// Not `writev`: a peer that has left would raise SIGPIPE, whose default user code may well have restored, and that ends
/// the process.
pub fn send_vectored(socket: &impl AsFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    socket2::SockRef::from(socket).send_vectored_with_flags(buffers, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
}

/// Bytes that the peer's system has not acknowledged yet (SIOCOUTQ, the same number as TIOCOUTQ); none for a socket
/// that cannot tell, or is gone.
#[cfg(target_os = "linux")]
pub fn unacknowledged(fd: RawFd) -> Option<usize> {
    query(fd, libc::TIOCOUTQ as _)
}

/// Bytes that have not been sent to the peer's system yet.
#[cfg(target_os = "linux")]
pub fn unsent(fd: RawFd) -> Option<usize> {
    /// From `linux/sockios.h`.
    const SIOCOUTQNSD: libc::c_ulong = 0x894b;
    query(fd, SIOCOUTQNSD)
}

/// Other systems have no such question: what the socket has taken counts as delivered.
#[cfg(not(target_os = "linux"))]
pub fn unacknowledged(_: RawFd) -> Option<usize> {
    None
}

#[cfg(not(target_os = "linux"))]
pub fn unsent(_: RawFd) -> Option<usize> {
    None
}

/// Bytes that have arrived and not been read; none for a socket that is gone.
pub fn unread(fd: RawFd) -> Option<usize> {
    query(fd, libc::FIONREAD as _)
}

fn query(fd: RawFd, request: libc::c_ulong) -> Option<usize> {
    let mut value: libc::c_int = 0;
    // SAFETY: all of the requests write one int to the address given, which is a live local.
    let status = unsafe { libc::ioctl(fd, request as _, &raw mut value) };
    (status == 0)
        .then_some(value)
        .and_then(|value| usize::try_from(value).ok())
}

/// Ends a connection in both directions for every process that holds a copy of the descriptor. Async-signal-safe.
pub fn shutdown(fd: RawFd) {
    // SAFETY: touches no memory; a number that is no socket is an error that does not matter here.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// Closes this process's copy of a descriptor. Async-signal-safe.
pub fn close(fd: RawFd) {
    // SAFETY: touches no memory; called in a forked child alone, where no Rust owner of the descriptor runs any more.
    unsafe { libc::close(fd) };
}

/// Sets how many connections may wait to be accepted, of a socket that listens already.
///
/// # Errors
/// Where it does not listen.
pub fn set_backlog(socket: &impl AsFd, connections: i32) -> io::Result<()> {
    socket2::SockRef::from(socket).listen(connections)
}
