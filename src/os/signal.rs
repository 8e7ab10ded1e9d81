//! Signals: who gets none, who gets one, and which numbers are free. What a signal means is said where it is sent from or
//! handled.

use std::ffi::c_int;

pub use libc::SIGINT;

/// A thread of this process, by the number that Python's `threading.get_ident` gives it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
// A number, since on some systems (musl) the type behind it is a pointer, which no other thread may be handed.
pub struct Thread(usize);

impl Thread {
    /// The calling one.
    pub fn current() -> Self {
        // SAFETY: always valid for the calling thread, and cannot fail.
        Self(unsafe { libc::pthread_self() } as usize)
    }

    /// Its number.
    pub fn ident(self) -> u64 {
        self.0 as u64
    }

    /// Sends it a signal.
    ///
    /// # Safety
    /// The thread has not ended.
    pub unsafe fn send(self, signal: c_int) {
        // SAFETY: the caller's promise; a number that is no signal is an error that does not matter here.
        unsafe { libc::pthread_kill(self.0 as libc::pthread_t, signal) };
    }
}

/// Blocks all signals in the calling thread. Every thread of the kernel's begins with this, so that signals meant for
/// Python reach the main thread, where they wake what waits.
pub fn block_all() {
    with_mask(|all| {
        // SAFETY: the set is whole, and only the calling thread's mask changes.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all, std::ptr::null_mut()) };
    });
}

/// Runs `body`, which starts a thread, with every signal blocked, so that the thread never handles one.
pub fn with_all_blocked<R>(body: impl FnOnce() -> R) -> R {
    with_mask(|all| {
        // SAFETY: both sets are whole before they are read; the calls touch this thread's mask only.
        unsafe {
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_SETMASK, all, &raw mut before);
            let result = body();
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
            result
        }
    })
}

fn with_mask<R>(body: impl FnOnce(&libc::sigset_t) -> R) -> R {
    // SAFETY: all-zero is memory that sigfillset may fill.
    let all = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        all
    };
    body(&all)
}

extern "C" fn nothing(_: c_int) {}

/// Has a signal do nothing but end the system call that a thread waits in (no SA_RESTART), as Python expects it of a signal.
/// A child that is executed gets the default.
pub fn end_calls_only(signal: c_int) {
    // SAFETY: an all-zero sigaction is one with an empty mask, and the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

/// Has a write beyond the limit of a file's size be an error, as it is in Python, and not the end of the process.
pub fn let_writes_fail() {
    // SAFETY: to ignore a signal runs no code.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// The `index`th signal, from 0, that neither the system nor Python nor, as a rule, user code gives a meaning to: real-time
/// signals from the top, where threading libraries take theirs from the bottom.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub fn spare(index: c_int) -> c_int {
    libc::SIGRTMAX() - 3 - index
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
compile_error!(
    "this system has no real-time signals: two signals must be chosen here that neither Python nor user code has a use for"
);

/// Where the calling thread's `errno` is, for a handler that must leave it as it was.
pub fn errno() -> *mut c_int {
    // SAFETY: always callable; the result is valid for as long as the thread lives.
    unsafe {
        #[cfg(any(target_os = "macos", target_os = "freebsd"))]
        return libc::__error();
        #[cfg(not(any(target_os = "macos", target_os = "freebsd")))]
        libc::__errno_location()
    }
}
