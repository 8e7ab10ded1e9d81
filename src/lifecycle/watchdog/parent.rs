//! Whether the process that the kernel belongs to is still there. Called by the watchdog only.
//!
//! Two things are watched: the process that was named (`JPY_PARENT_PID`), by a pidfd where the system has
//! them, and the kernel's own parent, which may be a wrapper such as `conda run` in between: when it dies,
//! the kernel gets another one.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::os::{descriptor, process};

#[derive(Debug)]
pub(super) struct Parent {
    named: Named,
    /// The kernel's own parent at the start; `None` where that is the init process, which stays.
    own: Option<i32>,
}

#[derive(Debug)]
enum Named {
    /// Readable when the process has ended.
    Handle(OwnedFd),
    /// Looked for by its number, twice a second.
    Number(i32),
    /// The init process, or one that cannot be seen from here.
    Nobody,
}

impl Parent {
    pub(super) fn watch(pid: i32) -> Self {
        let named = if pid <= 1 { Named::Nobody } else { Named::find(pid) };
        Self {
            named,
            own: Some(process::parent()).filter(|&own| own > 1),
        }
    }

    /// Becomes readable when the named process ends.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.named {
            Named::Handle(fd) => Some(fd.as_fd()),
            Named::Number(_) | Named::Nobody => None,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        let named_is_gone = match &self.named {
            Named::Handle(fd) => descriptor::readable(fd.as_fd(), Duration::ZERO),
            Named::Number(pid) => !process::exists(*pid),
            Named::Nobody => false,
        };
        named_is_gone || self.own.is_some_and(|own| process::parent() != own)
    }
}

impl Named {
    fn find(pid: i32) -> Self {
        match process::watch(pid) {
            Ok(fd) => Self::Handle(fd),
            Err(_) if process::exists(pid) => Self::Number(pid),
            Err(error) => {
                // Named for another machine's or container's processes: a kernel that ended for this reason
                // could not be started there at all.
                tracing::warn!(pid, %error, "the parent process cannot be seen; only a change of parent is noticed");
                Self::Nobody
            }
        }
    }
}
