//! File descriptors: to wait for one, to write to one, a copy out of the way of the standard three, a pipe, a file in
//! memory. Nothing here allocates but for what it returns.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Copies and pipes begin here, so that they never take the small numbers that C code expects, nor one of the standard three
/// where the process was started without it.
const FIRST_OWN: i32 = 64;

/// What a look at a descriptor tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// A read would wait.
    No,
    /// There is something to read.
    Data,
    /// Nothing more will come: the other end is closed, or the descriptor is not one.
    Gone,
}

/// Waits until one of the descriptors is ready, for `at_most`, or without an end where that is `None`. A signal ends the wait,
/// and then none is. Descriptors that are `None` are left out.
pub fn wait<const N: usize>(fds: [Option<BorrowedFd<'_>>; N], at_most: Option<Duration>) -> [Ready; N] {
    // Any open descriptor stands in for one that is left out: nothing is asked of it.
    let Some(&some) = fds.iter().flatten().next() else {
        std::thread::sleep(at_most.unwrap_or(Duration::MAX));
        return [Ready::No; N];
    };
    let mut polled = fds.map(|fd| match fd {
        Some(fd) => PollFd::from_borrowed_fd(fd, PollFlags::IN),
        None => PollFd::from_borrowed_fd(some, PollFlags::empty()),
    });
    // A time that the system cannot hold is no limit.
    let limit = at_most.and_then(|time| Timespec::try_from(time).ok());
    if poll(&mut polled, limit.as_ref()).is_err() {
        return [Ready::No; N];
    }
    let mut ready = [Ready::No; N];
    for ((ready, polled), fd) in ready.iter_mut().zip(&polled).zip(&fds) {
        *ready = match polled.revents() {
            _ if fd.is_none() => Ready::No,
            events if events.contains(PollFlags::IN) => Ready::Data,
            events if events.is_empty() => Ready::No,
            _ => Ready::Gone,
        };
    }
    ready
}

/// Whether there is something to read, or nothing will ever come, within `at_most`. Signals do not shorten the wait.
pub fn readable(fd: BorrowedFd<'_>, at_most: Duration) -> bool {
    let until = Instant::now() + at_most;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if wait([Some(fd)], Some(left)) != [Ready::No] {
            return true;
        }
        if left.is_zero() {
            return false;
        }
    }
}

/// Whether a write would take something at once.
pub fn takes_more(fd: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    poll(&mut polled, Some(&Timespec::default())).is_ok() && polled[0].revents().contains(PollFlags::OUT)
}

/// Writes what is taken at once; true when that is all. A pipe that nobody reads does not hold up the caller, as long as the
/// bytes are fewer than a pipe takes in one piece (4096).
pub fn write_without_waiting(fd: BorrowedFd<'_>, bytes: &[u8]) -> bool {
    takes_more(fd) && rustix::io::write(fd, bytes).is_ok_and(|count| count == bytes.len())
}

/// Writes all of it, however long that takes. False where the descriptor takes no more.
pub fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(0) => return false,
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}

/// A copy, closed on exec and out of the way.
///
/// # Errors
/// The descriptor is closed, or the system has none left.
pub fn copy(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let copied = match rustix::io::fcntl_dupfd_cloexec(fd, FIRST_OWN) {
        // No descriptor may have such a number here (`ulimit -n 64`).
        Err(Errno::INVAL) => rustix::io::fcntl_dupfd_cloexec(fd, 0),
        copied => copied,
    };
    Ok(copied?)
}

/// From now on what is written to fd 1 goes to `fd`.
///
/// # Errors
/// What the system says.
pub fn become_stdout(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdout(fd)?)
}

/// From now on what is written to fd 2 goes to `fd`.
///
/// # Errors
/// What the system says.
pub fn become_stderr(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::stdio::dup2_stderr(fd)?)
}

/// A pipe whose ends are closed on exec and out of the way: the one to read, which does not block, and the one to write.
///
/// # Errors
/// The system has no descriptor left.
pub fn pipe() -> io::Result<(File, OwnedFd)> {
    let (read, write) = io::pipe()?;
    let (read, write) = (copy(read.as_fd())?, copy(write.as_fd())?);
    let flags = rustix::fs::fcntl_getfl(&read)?;
    rustix::fs::fcntl_setfl(&read, flags | rustix::fs::OFlags::NONBLOCK)?;
    Ok((read.into(), write))
}

/// A file that is nowhere but in memory, closed on exec. The name is for those who list the process's files.
///
/// # Errors
/// The system has no memory or descriptor left.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn memory_file(name: &str) -> io::Result<File> {
    Ok(rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

/// Where the system has no such files: one that nobody else can open, gone with the process.
///
/// # Errors
/// There is no folder for it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn memory_file(_: &str) -> io::Result<File> {
    tempfile::tempfile()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_pipe_tells_data_from_the_end() {
        let (mut read, write) = pipe().expect("a pipe");
        let look = |read: &File| wait([None, Some(read.as_fd())], Some(Duration::ZERO));
        assert_eq!(look(&read), [Ready::No, Ready::No]);
        assert!(!readable(read.as_fd(), Duration::from_millis(20)));
        File::from(copy(write.as_fd()).expect("a copy"))
            .write_all(b"x")
            .expect("room");
        assert_eq!(look(&read), [Ready::No, Ready::Data]);
        drop(write);
        assert_eq!(look(&read), [Ready::No, Ready::Data], "data first, then the end");
        assert_eq!(read.read(&mut [0; 8]).expect("data"), 1);
        assert_eq!(look(&read), [Ready::No, Ready::Gone]);
        assert_eq!(read.read(&mut [0; 8]).expect("the end"), 0);
    }

    #[test]
    fn nobody_waits_for_a_pipe_that_is_full() {
        let (read, write) = pipe().expect("a pipe");
        while write_without_waiting(write.as_fd(), &[b'.'; 512]) {}
        assert!(!write_without_waiting(write.as_fd(), b"."));
        drop(read);
    }

    #[test]
    fn descriptors_keep_out_of_the_way() {
        use std::os::fd::AsRawFd;
        let (read, write) = pipe().expect("a pipe");
        let copy = copy(write.as_fd()).expect("a copy");
        for fd in [read.as_raw_fd(), write.as_raw_fd(), copy.as_raw_fd()] {
            assert!(fd >= FIRST_OWN, "{fd}");
        }
        assert!(read.as_fd().try_clone_to_owned().is_ok());
    }
}
