//! Signals to Python: the interrupt, and the request for stacks. Neither needs the GIL.
//!
//! Python runs on the process's main thread, so SIGINT to that thread wakes it out of whatever it waits in. What the
//! signal means is decided in Python (`drupe/interrupt.py`): an idle kernel ignores it.

use std::sync::OnceLock;

use drupe::os::process;
use drupe::os::signal::{self, SIGINT, Thread};

static MAIN: OnceLock<Thread> = OnceLock::new();

/// Remember the main thread, which calls this. `before_python`: Python is not up yet, and must not take an early
/// SIGINT for its own; its start sees a handler that is not the default one and leaves it alone.
pub fn prepare(before_python: bool) {
    MAIN.get_or_init(Thread::current);
    signal::end_calls_only(wake_signal());
    if before_python {
        signal::end_calls_only(SIGINT);
    }
}

fn to_main(signal: i32) {
    if let Some(main) = MAIN.get() {
        // SAFETY: the main thread lives as long as the process.
        unsafe { main.send(signal) };
    }
}

/// SIGINT to the main thread and to the processes that it has started.
///
/// A kernel that leads its process group signals the whole group, itself included, as a terminal would; the system
/// prefers the main thread. Otherwise the group belongs to somebody else, and only the main thread is meant.
pub fn interrupt() {
    if !process::interrupt_own_group() {
        to_main(SIGINT);
    }
}

/// SIGINT to the main thread alone.
pub fn interrupt_main() {
    to_main(SIGINT);
}

/// A signal that does nothing but end a system call.
fn wake_signal() -> i32 {
    signal::spare(1)
}

/// Have the main thread look whether a signal has come.
pub fn wake_main() {
    to_main(wake_signal());
}

/// The signal on which `faulthandler` writes the stacks of all threads.
pub fn stack_signal() -> i32 {
    signal::spare(0)
}

/// Have it do so.
pub fn request_stacks() {
    to_main(stack_signal());
}
