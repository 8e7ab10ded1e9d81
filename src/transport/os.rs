//! The few calls to the system that neither `std` nor tokio offers, on descriptors of this module. All the `unsafe` of the
//! transport is here.

use std::io::{self, IoSlice};
use std::os::fd::RawFd;

/// One `sendmsg` of many buffers.
///
/// Not `writev`: a peer that has left would raise SIGPIPE, whose default user code may well have restored, and that ends
/// the process.
pub(super) fn send_vectored(fd: RawFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    // SAFETY: all-zero is a valid `msghdr`: no name, no buffers, no control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = buffers.as_ptr().cast_mut().cast();
    message.msg_iovlen = buffers.len() as _;
    // SAFETY: `IoSlice` is documented to be ABI-compatible with `iovec`, and the buffers outlive the call, which only
    // reads them.
    let sent = unsafe { libc::sendmsg(fd, &message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Bytes that the peer's system has not acknowledged yet (SIOCOUTQ, the same number as TIOCOUTQ); none for a socket
/// that cannot tell, or is gone.
#[cfg(target_os = "linux")]
pub(super) fn unacknowledged(fd: RawFd) -> Option<usize> {
    query(fd, libc::TIOCOUTQ)
}

/// Bytes that have not been sent to the peer's system yet.
#[cfg(target_os = "linux")]
pub(super) fn unsent(fd: RawFd) -> Option<usize> {
    /// From `linux/sockios.h`.
    const SIOCOUTQNSD: libc::Ioctl = 0x894b;
    query(fd, SIOCOUTQNSD)
}

/// Other systems have no such question: what the socket has taken counts as delivered.
#[cfg(not(target_os = "linux"))]
pub(super) fn unacknowledged(_: RawFd) -> Option<usize> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn unsent(_: RawFd) -> Option<usize> {
    None
}

/// Bytes that have arrived and not been read; none for a socket that is gone.
pub(super) fn unread(fd: RawFd) -> Option<usize> {
    query(fd, libc::FIONREAD)
}

fn query(fd: RawFd, request: libc::Ioctl) -> Option<usize> {
    let mut value: libc::c_int = 0;
    // SAFETY: both requests write one int to the address given, which is a live local.
    let status = unsafe { libc::ioctl(fd, request, &raw mut value) };
    (status == 0)
        .then_some(value)
        .and_then(|value| usize::try_from(value).ok())
}

/// Ends a connection in both directions for every process that holds a copy of the descriptor. Async-signal-safe.
pub(super) fn shutdown(fd: RawFd) {
    // SAFETY: touches no memory; a number that is no socket is an error that does not matter here.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// Closes this process's copy of a descriptor. Async-signal-safe.
pub(super) fn close(fd: RawFd) {
    // SAFETY: touches no memory; called in a forked child alone, where no Rust owner of the descriptor runs any more.
    unsafe { libc::close(fd) };
}

/// How many descriptors this process may have open (the soft limit).
pub(super) fn most_descriptors() -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes a limit to the address of a live local.
    let status = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    match status {
        0 => usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX),
        // What the standard asks of every system at least.
        _ => 256,
    }
}

/// Sets how many connections may wait to be accepted, of a socket that listens already.
pub(super) fn set_backlog(fd: RawFd, connections: i32) -> io::Result<()> {
    // SAFETY: touches no memory; the descriptor is the caller's.
    match unsafe { libc::listen(fd, connections) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
