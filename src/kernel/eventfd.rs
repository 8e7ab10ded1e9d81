//! A file descriptor that becomes readable when somebody calls [`wake`]: how a thread inside Python is woken without
//! the GIL. The asyncio loop watches it, and a signal interrupts a `poll` on it.

use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A new one, not readable yet, non-blocking, closed on exec.
///
/// # Errors
/// Where the system has no file descriptor left.
pub fn new() -> std::io::Result<OwnedFd> {
    // SAFETY: no memory is passed; a valid descriptor is owned by nobody else yet.
    unsafe {
        let fd = libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
        if fd < 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

fn file(fd: &OwnedFd) -> ManuallyDrop<File> {
    // SAFETY: the descriptor is open as long as `fd` is borrowed, and ManuallyDrop never closes it.
    ManuallyDrop::new(unsafe { File::from_raw_fd(fd.as_raw_fd()) })
}

/// Make it readable. Wakes that nobody has cleared yet add up to one.
pub fn wake(fd: &OwnedFd) {
    // It fails only when the counter is full, and then it is readable already.
    let _ = file(fd).write(&1u64.to_ne_bytes());
}

/// Make it not readable.
pub fn clear(fd: &OwnedFd) {
    // It fails only when it was not readable.
    let _ = file(fd).read(&mut [0u8; 8]);
}
