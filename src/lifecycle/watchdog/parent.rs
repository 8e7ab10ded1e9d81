//! Whether the process that the kernel belongs to is still there. Called by the watchdog only.
//!
//! Two things are watched: the process that was named (`JPY_PARENT_PID`), by a pidfd where the system has
//! them, and the kernel's own parent, which may be a wrapper such as `conda run` in between: when it dies,
//! the kernel gets another one.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

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
            own: Some(own_parent()).filter(|&own| own > 1),
        }
    }

    /// Becomes readable when the named process ends.
    pub(super) fn fd(&self) -> Option<RawFd> {
        match &self.named {
            Named::Handle(fd) => Some(fd.as_raw_fd()),
            Named::Number(_) | Named::Nobody => None,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        let named_is_gone = match &self.named {
            Named::Handle(fd) => super::readable(fd.as_raw_fd(), std::time::Duration::ZERO),
            Named::Number(pid) => !exists(*pid),
            Named::Nobody => false,
        };
        named_is_gone || self.own.is_some_and(|own| own_parent() != own)
    }
}

impl Named {
    fn find(pid: i32) -> Self {
        match pidfd_open(pid) {
            Ok(fd) => Self::Handle(fd),
            Err(_) if exists(pid) => Self::Number(pid),
            Err(error) => {
                // Named for another machine's or container's processes: a kernel that ended for this reason
                // could not be started there at all.
                tracing::warn!(pid, %error, "the parent process cannot be seen; only a change of parent is noticed");
                Self::Nobody
            }
        }
    }
}

fn own_parent() -> i32 {
    // SAFETY: no preconditions.
    unsafe { libc::getppid() }
}

fn exists(pid: i32) -> bool {
    // SAFETY: signal 0 asks only; the answer "not permitted" means that it is there.
    let rc = unsafe { libc::kill(pid, 0) };
    rc == 0 || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

#[cfg(target_os = "linux")]
fn pidfd_open(pid: i32) -> std::io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: no memory is passed; a valid result is a new descriptor (closed on exec) that nobody else owns.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        match i32::try_from(fd) {
            Ok(fd) if fd >= 0 => Ok(OwnedFd::from_raw_fd(fd)),
            _ => Err(std::io::Error::last_os_error()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn pidfd_open(_: i32) -> std::io::Result<OwnedFd> {
    Err(std::io::ErrorKind::Unsupported.into())
}
