//! Signals to Python: the interrupt, and the request for stacks. Neither needs the GIL.
//!
//! Python runs on the process's main thread, so SIGINT to that thread wakes it out of whatever it waits in. What the
//! signal means is decided in Python (`drupe/interrupt.py`): an idle kernel ignores it.

use std::sync::OnceLock;

static MAIN: OnceLock<libc::pthread_t> = OnceLock::new();

extern "C" fn ignore(_signal: i32) {}

/// Remember the main thread, which calls this. `before_python`: Python is not up yet, and must not take an early
/// SIGINT for its own; its start sees a handler that is not the default one and leaves it alone.
pub fn prepare(before_python: bool) {
    // SAFETY: pthread_self is always valid for the calling thread.
    MAIN.get_or_init(|| unsafe { libc::pthread_self() });
    ignore_by_handler(poke_signal());
    if before_python {
        ignore_by_handler(libc::SIGINT);
    }
}

/// Without SA_RESTART, so that a wait is interrupted as Python expects. A child that is executed gets the default.
fn ignore_by_handler(signal: i32) {
    // SAFETY: the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ignore as *const () as usize;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

fn to_main(signal: i32) {
    if let Some(main) = MAIN.get() {
        // SAFETY: the main thread lives as long as the process.
        unsafe { libc::pthread_kill(*main, signal) };
    }
}

/// SIGINT to the main thread and to the processes that it has started.
///
/// A kernel that leads its process group signals the whole group, itself included, as a terminal would; the system
/// prefers the main thread. Otherwise the group
/// belongs to somebody else, and only the main thread is meant.
pub fn interrupt() {
    // SAFETY: plain system calls.
    unsafe {
        if libc::getpgrp() == libc::getpid() {
            libc::kill(0, libc::SIGINT);
        } else {
            to_main(libc::SIGINT);
        }
    }
}

/// SIGINT to the main thread alone.
pub fn interrupt_main() {
    to_main(libc::SIGINT);
}

/// A signal that does nothing but end a system call.
fn poke_signal() -> i32 {
    libc::SIGRTMAX() - 4
}

/// Have the main thread look whether a signal has come.
pub fn poke() {
    to_main(poke_signal());
}

/// The signal on which `faulthandler` writes the stacks of all threads.
pub fn stack_signal() -> i32 {
    libc::SIGRTMAX() - 3
}

/// Have it do so.
pub fn request_stacks() {
    to_main(stack_signal());
}
