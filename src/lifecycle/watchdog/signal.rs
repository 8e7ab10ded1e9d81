//! SIGTERM, as a byte in a pipe. Called by the watchdog only. The handler is C through and through: it may
//! run on any thread at any moment, so it only calls what POSIX names as safe for that.

use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};

/// Where the handler writes. The descriptor stays open until the process ends.
static PIPE: AtomicI32 = AtomicI32::new(-1);
/// The process that installed the handler. A fork inherits both the handler and the pipe, and must not end
/// its parent.
static OWNER: AtomicI32 = AtomicI32::new(0);

extern "C" fn on_sigterm(signal: libc::c_int) {
    // SAFETY: getpid, write, sigaction and raise are async-signal-safe; errno is put back as it was.
    unsafe {
        let errno = errno();
        let before = *errno;
        if libc::getpid() == OWNER.load(Ordering::Relaxed) {
            libc::write(PIPE.load(Ordering::Relaxed), [1u8].as_ptr().cast(), 1);
        } else {
            // A forked child dies of SIGTERM as any process does: delivered when this handler returns.
            let default = action(libc::SIG_DFL);
            libc::sigaction(signal, &default, std::ptr::null_mut());
            libc::raise(signal);
        }
        *errno = before;
    }
}

/// Installs the handler; it will write to `pipe`.
pub(super) fn install(pipe: UnixStream) -> io::Result<()> {
    // SAFETY: getpid has no preconditions.
    OWNER.store(unsafe { libc::getpid() }, Ordering::SeqCst);
    PIPE.store(pipe.into_raw_fd(), Ordering::SeqCst);
    set_handler()
}

/// Installs the handler again where the signal has been set to its default (what libraries restore that saved
/// it) or to be ignored. A handler of somebody's own is left alone.
pub(super) fn reclaim() {
    // SAFETY: an all-zero sigaction is valid for the call to fill.
    let now = unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGTERM, std::ptr::null(), &mut now) != 0 {
            return;
        }
        now.sa_sigaction
    };
    if now == libc::SIG_DFL || now == libc::SIG_IGN {
        // It cannot fail for a signal that it worked for before; if it does, the next tick tries again.
        let _ = set_handler();
    }
}

fn set_handler() -> io::Result<()> {
    let handler = action(on_sigterm as *const () as libc::sighandler_t);
    // SAFETY: the handler is async-signal-safe and lives as long as the process.
    let rc = unsafe { libc::sigaction(libc::SIGTERM, &handler, std::ptr::null_mut()) };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn action(handler: libc::sighandler_t) -> libc::sigaction {
    // SAFETY: an all-zero sigaction is a valid one with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    // The user's system calls are not cut short by a signal that is none of their business.
    action.sa_flags = libc::SA_RESTART;
    action
}

/// Runs `body`, which starts a thread, with every signal blocked, so that the thread never handles one.
pub(super) fn with_all_blocked<R>(body: impl FnOnce() -> R) -> R {
    // SAFETY: both sets are initialised before they are read; the calls touch this thread's mask only.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let result = body();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        result
    }
}

/// Where this thread's errno is.
unsafe fn errno() -> *mut libc::c_int {
    // SAFETY: always callable; the result is valid for as long as the thread lives.
    unsafe {
        #[cfg(target_os = "macos")]
        return libc::__error();
        #[cfg(not(target_os = "macos"))]
        libc::__errno_location()
    }
}
