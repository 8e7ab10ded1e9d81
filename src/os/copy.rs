//! A copy of this process, in which nothing moves: for a look at what other threads may change or free at any moment.
//!
//! Called by the Python side's [`crate::interpreter::Interpreter::request_stacks`], on a thread of its own.

use std::ffi::c_int;
use std::io;

use libc::{SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV};

/// Seconds after which a copy is ended that does not end by itself, as where it waits for a lock that some thread held.
const LONGEST: u32 = 1;

/// Has the handler of `signal` run in a copy of this process, which has the calling thread alone and ends with the handler; returns
/// when it has ended. What the handler comes upon half changed, or freed, may end the copy, and does nothing to this process. The
/// copy also ends with the calling thread. It is nobody's child for those who wait for any child, and handlers of `fork` are not run.
///
/// Costs what the system needs to copy the tables of the memory: some 5 ms for each GiB.
///
/// # Errors
/// The system has no process left.
pub fn handle_in_copy(signal: c_int) -> io::Result<()> {
    // SAFETY: the copy's thread calls nothing but system calls and the handler before it ends; no destructor is run there.
    match unsafe { fork() } {
        ..0 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: this is the copy.
            unsafe { handle(signal) };
            super::process::exit_now(0)
        }
        copy => {
            reap(copy);
            Ok(())
        }
    }
}

#[cfg(target_os = "linux")]
unsafe fn fork() -> libc::pid_t {
    // No signal tells of its end, and so only a wait for clones finds it.
    // SAFETY: without flags this is fork, where every argument that is left out is nothing on all architectures.
    let copy = unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) };
    libc::pid_t::try_from(copy).unwrap_or(-1)
}

#[cfg(not(target_os = "linux"))]
unsafe fn fork() -> libc::pid_t {
    // SAFETY: the caller's promise.
    unsafe { libc::fork() }
}

fn reap(copy: libc::pid_t) {
    #[cfg(target_os = "linux")]
    let options = libc::__WALL;
    #[cfg(not(target_os = "linux"))]
    let options = 0;
    // SAFETY: nothing is written where there is no place for the status. An interrupted wait leaves a process that has ended, until this one
    // does.
    unsafe { libc::waitpid(copy, std::ptr::null_mut(), options) };
}

/// Run the handler, here and now.
///
/// # Safety
/// This process is a copy: its signals are changed for good.
unsafe fn handle(signal: c_int) {
    // SAFETY: all of these are async-signal-safe, and the sets are whole before they are read.
    unsafe {
        #[cfg(target_os = "linux")]
        libc::prctl(libc::PR_SET_PDEATHSIG, SIGKILL);
        // Nobody is to be told of a crash of the copy.
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        for fatal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM] {
            libc::signal(fatal, libc::SIG_DFL);
        }
        libc::alarm(LONGEST);
        // Others are this process's: their handlers would tell it, by descriptors that both have.
        let mut others: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut others);
        libc::sigdelset(&raw mut others, signal);
        libc::sigdelset(&raw mut others, SIGALRM);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const others, std::ptr::null_mut());
        raise(signal);
    }
}

/// As `raise`, which may take the thread for the one that it is a copy of.
#[cfg(target_os = "linux")]
unsafe fn raise(signal: c_int) {
    // SAFETY: system calls that take numbers.
    unsafe {
        let (process, thread) = (libc::syscall(libc::SYS_getpid), libc::syscall(libc::SYS_gettid));
        libc::syscall(libc::SYS_tgkill, process, thread, signal);
    }
}

#[cfg(not(target_os = "linux"))]
unsafe fn raise(signal: c_int) {
    // SAFETY: the handler is async-signal-safe.
    unsafe { libc::raise(signal) };
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileExt;
    use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::os::{descriptor, signal};

    static FILE: AtomicI32 = AtomicI32::new(-1);
    static TOUCHED: AtomicBool = AtomicBool::new(false);

    fn handler(number: c_int, handler: extern "C" fn(c_int)) {
        // SAFETY: the handlers below are async-signal-safe, in a copy of a process.
        unsafe { libc::signal(number, handler as *const () as libc::sighandler_t) };
    }

    extern "C" fn write(_: c_int) {
        TOUCHED.store(true, Ordering::SeqCst);
        // SAFETY: the bytes are as many.
        unsafe { libc::write(FILE.load(Ordering::SeqCst), b"seen".as_ptr().cast(), 4) };
    }

    extern "C" fn crash(_: c_int) {
        // SAFETY: there is nothing that could be harmed: the copy is to end by it.
        unsafe { std::ptr::null_mut::<u8>().write_volatile(1) };
    }

    extern "C" fn wait(_: c_int) {
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    }

    /// One after the other: a signal has one handler.
    #[test]
    fn what_the_handler_does_is_done_in_the_copy_alone() {
        let number = signal::spare(2);
        let file = descriptor::memory_file("copy").expect("a file in memory");
        FILE.store(file.as_raw_fd(), Ordering::SeqCst);
        handler(number, write);
        handle_in_copy(number).expect("a copy");
        let mut text = [0; 8];
        let count = file.read_at(&mut text, 0).expect("the file");
        assert_eq!(text.get(..count), Some(&b"seen"[..]));
        assert!(!TOUCHED.load(Ordering::SeqCst), "the memory is the copy's");

        handler(number, crash);
        handle_in_copy(number).expect("a copy");

        handler(number, wait);
        let begun = Instant::now();
        handle_in_copy(number).expect("a copy");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
