//! A file descriptor that becomes readable when somebody calls [`Wake::wake`]: how a thread inside Python is woken without
//! the GIL. The asyncio loop watches it, and a signal interrupts a `poll` on it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// See the module. Wakes that nobody has cleared yet add up to one.
#[derive(Debug)]
pub struct Wake(counter::Counter);

impl Wake {
    /// A new one, not readable yet, non-blocking, closed on exec.
    ///
    /// # Errors
    /// Where the system has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        counter::Counter::new().map(Self)
    }

    /// Make it readable.
    pub fn wake(&self) {
        self.0.add();
    }

    /// Make it not readable.
    pub fn clear(&self) {
        self.0.empty();
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod counter {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::event::{EventfdFlags, eventfd};

    #[derive(Debug)]
    pub(super) struct Counter(OwnedFd);

    impl Counter {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
        }

        pub(super) fn add(&self) {
            // It fails only when the counter is full, and then it is readable already.
            let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
        }

        pub(super) fn empty(&self) {
            // It fails only when it was not readable.
            let _ = rustix::io::read(&self.0, &mut [0u8; 8]);
        }

        pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use pair as counter;

#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod pair;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::descriptor::readable;
    use super::*;

    #[test]
    fn wakes_add_up_to_one_and_are_cleared_at_once() {
        let (counter, pair) = (Wake::new().expect("one"), pair::Counter::new().expect("two"));
        let is_readable = || {
            let now = [counter.as_fd(), pair.as_fd()].map(|fd| readable(fd, Duration::ZERO));
            assert_eq!(now[0], now[1], "both ways to make one are the same");
            now[0]
        };
        assert!(!is_readable());
        for _ in 0..10_000 {
            counter.wake();
        }
        // More than a socket holds.
        for _ in 0..10_000 {
            pair.add();
        }
        assert!(is_readable());
        counter.clear();
        pair.empty();
        assert!(!is_readable());
        counter.clear();
        pair.empty();
        assert!(!is_readable());
    }
}
