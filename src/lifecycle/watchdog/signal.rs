//! SIGTERM and SIGINT, as bytes in a pipe. Called by the watchdog only. The handlers are C through and through: they may
//! run on any thread at any moment, so they only call what POSIX names as safe for that.
//!
//! SIGTERM's stays in its place for ever. Where user code has set one of its own in Python, ours tells the watchdog
//! and then calls Python's, which does no more than note the signal for the main thread: so the watchdog learns of each
//! SIGTERM, and of whether somebody else has been told as well.
//!
//! SIGINT is Python's alone, and ours stands before Python's for one reason: a signal that arrives after the main thread has
//! looked for signals and before it waits in a system call is noted, and nobody looks until the call ends. The watchdog knows
//! that one came, and has the main thread woken.

use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::os;

/// What the handler writes: the signal was the kernel's alone.
pub(super) const OURS: u8 = 1;
/// What the handler writes: a handler of the user's has been called as well.
pub(super) const SHARED: u8 = 2;
/// What the handler writes: SIGINT came, and Python has noted it.
pub(super) const INTERRUPT: u8 = 3;

/// Where the handler writes. The descriptor stays open until the process ends.
static PIPE: AtomicI32 = AtomicI32::new(-1);
/// The process that installed the handler. A fork inherits both the handler and the pipe, and must not end
/// its parent.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// Python's own C handler, the same for each signal that has a handler in Python; 0 until it is known.
static PYTHON: AtomicUsize = AtomicUsize::new(0);
/// The flags that Python installs it with.
static PYTHON_FLAGS: AtomicI32 = AtomicI32::new(0);
/// Whether user code has a handler in Python.
static USERS: AtomicBool = AtomicBool::new(false);
/// How often SIGINT has come.
static INTERRUPTS: AtomicU64 = AtomicU64::new(0);
/// Held from a look at the handler to its change: the main thread and the watchdog both do that.
static CHANGE: Mutex<()> = Mutex::new(());

extern "C" fn on_sigterm(signal: libc::c_int) {
    // SAFETY: getpid, write, sigaction and raise are async-signal-safe; errno is put back as it was.
    unsafe {
        let errno = os::signal::errno();
        let before = *errno;
        let shared = USERS.load(Ordering::Relaxed);
        if is_owner() {
            tell(if shared { SHARED } else { OURS });
        } else if !shared {
            // A forked child dies of SIGTERM as any process does: delivered when this handler returns.
            let default = action(libc::SIG_DFL, 0);
            libc::sigaction(signal, &default, std::ptr::null_mut());
            libc::raise(signal);
        }
        if shared {
            call_python(signal);
        }
        *errno = before;
    }
}

extern "C" fn on_sigint(signal: libc::c_int) {
    // SAFETY: Python's handler, and getpid and write, are async-signal-safe; errno is put back as it was.
    unsafe {
        let errno = os::signal::errno();
        let before = *errno;
        call_python(signal);
        if is_owner() {
            INTERRUPTS.fetch_add(1, Ordering::Relaxed);
            tell(INTERRUPT);
        }
        *errno = before;
    }
}

/// Async-signal-safe. A pipe that is full has more than enough for the watchdog to read.
fn tell(byte: u8) {
    // SAFETY: the byte lives on the stack, and the descriptor is the handler's own.
    unsafe { libc::write(PIPE.load(Ordering::Relaxed), [byte].as_ptr().cast(), 1) };
}

/// # Safety
/// Only in a signal handler, for `signal`.
unsafe fn call_python(signal: libc::c_int) {
    let address = PYTHON.load(Ordering::Relaxed);
    if address != 0 {
        // SAFETY: the address is that of CPython's handler, a function of one number that libpython keeps for as long
        // as the process lives and that is safe in a signal handler, being one.
        let python: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(address) };
        python(signal);
    }
}

/// How often SIGINT has come since the process began.
pub(super) fn interrupts() -> u64 {
    INTERRUPTS.load(Ordering::Relaxed)
}

/// Installs the handler; it will write to `pipe`.
pub(super) fn install(pipe: UnixStream) -> io::Result<()> {
    // SAFETY: getpid has no preconditions.
    OWNER.store(unsafe { libc::getpid() }, Ordering::SeqCst);
    PIPE.store(pipe.into_raw_fd(), Ordering::SeqCst);
    set_handler()
}

/// User code has just set SIGTERM by Python: to a handler of its own (`users`), or to its default or to be ignored.
/// At the first call the handler of SIGINT must be Python's: it is the same for all signals. In a forked child nothing
/// changes: there, what its code has set is what holds.
pub(super) fn share(users: bool) {
    if !is_owner() {
        return;
    }
    let _change = CHANGE.lock().unwrap_or_else(PoisonError::into_inner);
    if PYTHON.load(Ordering::Relaxed) == 0
        && let Some(sigint) = current(libc::SIGINT).filter(is_function)
    {
        PYTHON_FLAGS.store(sigint.sa_flags, Ordering::Relaxed);
        PYTHON.store(sigint.sa_sigaction, Ordering::Relaxed);
        front_sigint();
    }
    give(users);
}

/// Ours before Python's, where that is what SIGINT has now.
fn front_sigint() {
    if let Some(now) = current(libc::SIGINT).filter(is_pythons) {
        let flags = now.sa_flags & !libc::SA_SIGINFO;
        // It cannot fail for a signal that it worked for before; if it does, the next tick tries again.
        let _ = set(libc::SIGINT, on_sigint, flags);
    }
}

/// Installs the handlers again where Python's have been put in their place, and that of SIGTERM where the signal has been set
/// to its default (what libraries restore that saved it) or to be ignored. A handler that somebody has written in C is left alone.
/// Never waits: where somebody else is at it, the next call will do.
pub(super) fn reclaim() {
    let Some(_change) = try_lock(&CHANGE).filter(|_| is_owner()) else {
        return;
    };
    front_sigint();
    let Some(now) = current(libc::SIGTERM) else {
        return;
    };
    if !is_function(&now) {
        give(false);
    } else if is_pythons(&now) {
        give(true);
    }
}

fn give(users: bool) {
    USERS.store(users && PYTHON.load(Ordering::Relaxed) != 0, Ordering::SeqCst);
    // It cannot fail for a signal that it worked for before; if it does, the next tick tries again.
    let _ = set_handler();
}

fn try_lock(mutex: &Mutex<()>) -> Option<MutexGuard<'_, ()>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn is_owner() -> bool {
    // SAFETY: getpid has no preconditions.
    unsafe { libc::getpid() == OWNER.load(Ordering::Relaxed) }
}

/// What is done at a signal now.
fn current(signal: libc::c_int) -> Option<libc::sigaction> {
    // SAFETY: an all-zero sigaction is valid for the call to fill.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal, std::ptr::null(), &mut now) == 0).then_some(now)
    }
}

fn is_function(action: &libc::sigaction) -> bool {
    action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN
}

/// Whether it is the one that Python installs for whatever has a handler in Python.
fn is_pythons(action: &libc::sigaction) -> bool {
    is_function(action) && action.sa_sigaction == PYTHON.load(Ordering::Relaxed)
}

fn set_handler() -> io::Result<()> {
    let flags = if USERS.load(Ordering::SeqCst) {
        // Python's handlers run when a system call has been cut short: a sleep ends for them.
        PYTHON_FLAGS.load(Ordering::Relaxed) & !libc::SA_SIGINFO
    } else {
        // The user's system calls are not cut short by a signal that is none of their business.
        libc::SA_RESTART
    };
    set(libc::SIGTERM, on_sigterm, flags)
}

fn set(signal: libc::c_int, handler: extern "C" fn(libc::c_int), flags: libc::c_int) -> io::Result<()> {
    let handler = action(handler as *const () as libc::sighandler_t, flags);
    // SAFETY: both handlers are async-signal-safe and live as long as the process.
    let rc = unsafe { libc::sigaction(signal, &handler, std::ptr::null_mut()) };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn action(handler: libc::sighandler_t, flags: libc::c_int) -> libc::sigaction {
    // SAFETY: an all-zero sigaction is a valid one with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    action
}
