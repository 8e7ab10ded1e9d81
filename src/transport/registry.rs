//! The numbers of all open sockets of this process, kept where code that may not lock nor allocate can read them.
//!
//! Written by whoever opens and closes a socket in this module; read at the very end of the process ([`hang_up`]) and in a
//! forked child ([`close_all_after_fork`]). Those two are async-signal-safe. A number leaves the registry before its
//! descriptor is closed, so the registry never names a descriptor that the system may have given to somebody else.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use crate::os::socket;

/// Five sockets with all their pending and ready peers fit; what does not is merely not found here.
const SLOTS: usize = 8192;
const FREE: RawFd = -1;

static REGISTRY: Registry = Registry::new();

/// Shuts down every socket, listeners too, so that no child which holds copies of them keeps a client waiting for their
/// end. To be called once, after everything has drained, right before the process ends. Async-signal-safe.
pub fn hang_up() {
    REGISTRY.each(socket::shutdown);
}

/// Closes a forked child's copies of all sockets. For the child alone, before it runs anything else; async-signal-safe.
pub fn close_all_after_fork() {
    REGISTRY.each(socket::close);
}

/// A descriptor's stay in the registry, from the moment it is opened until just before it is closed.
#[derive(Debug)]
pub(super) struct Registration(Option<usize>);

impl Registration {
    pub(super) fn new(fd: RawFd) -> Self {
        Self(REGISTRY.insert(fd))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            REGISTRY.remove(slot);
        }
    }
}

struct Registry {
    slots: [AtomicI32; SLOTS],
    /// One more than the highest slot that was ever used.
    used: AtomicUsize,
}

impl Registry {
    const fn new() -> Self {
        Self {
            slots: [const { AtomicI32::new(FREE) }; SLOTS],
            used: AtomicUsize::new(0),
        }
    }

    fn insert(&self, fd: RawFd) -> Option<usize> {
        let free = |slot: &AtomicI32| {
            slot.compare_exchange(FREE, fd, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        };
        let slot = self.slots.iter().position(free);
        match slot {
            Some(slot) => drop(self.used.fetch_max(slot + 1, Ordering::AcqRel)),
            None => tracing::warn!("more than {SLOTS} sockets are open; a forked child may hold on to some"),
        }
        slot
    }

    fn remove(&self, slot: usize) {
        if let Some(slot) = self.slots.get(slot) {
            slot.store(FREE, Ordering::Release);
        }
    }

    fn each(&self, act: impl Fn(RawFd)) {
        let used = self.used.load(Ordering::Acquire);
        for slot in self.slots.iter().take(used) {
            let fd = slot.load(Ordering::Acquire);
            if fd != FREE {
                act(fd);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn hanging_up_reaches_the_peer_although_a_copy_stays_open() {
        static LOCAL: Registry = Registry::new();
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let copy = ours.try_clone().expect("a copy, as a forked child has one");
        let slot = LOCAL.insert(ours.as_raw_fd()).expect("a slot");
        LOCAL.each(socket::shutdown);
        assert_eq!(theirs.read(&mut [0]).expect("the end, not an error"), 0);
        LOCAL.remove(slot);
        LOCAL.each(|_| panic!("the registry is empty"));
        drop(copy);
    }

    #[test]
    fn slots_are_used_again() {
        static LOCAL: Registry = Registry::new();
        for fd in 0..3 * SLOTS {
            let slot = LOCAL.insert(fd as RawFd).expect("a slot");
            LOCAL.remove(slot);
        }
        assert_eq!(LOCAL.used.load(Ordering::Relaxed), 1);
    }
}
