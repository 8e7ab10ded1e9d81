//! What a forked child of the kernel must know: it has a copy of the queues, but none of the threads that serve them.
//!
//! Its prints go to fd 1 and 2, where the parent's capture reads them; its sockets are closed at once, so that it
//! cannot hold a connection open that its parent ends; and it never answers a request.

use std::os::fd::BorrowedFd;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use drupe::os::{children, descriptor, process};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::capture;

static FORKED: AtomicBool = AtomicBool::new(false);

/// Whether this process is a forked child of the kernel.
pub fn is_child() -> bool {
    FORKED.load(Ordering::Relaxed)
}

extern "C" fn in_child() {
    FORKED.store(true, Ordering::Relaxed);
    drupe::transport::close_all_after_fork();
}

/// Have it noticed from now on.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler only stores an atomic and calls close(2), which is allowed between fork and exec.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

/// Write to a descriptor of this process, all of it, whatever comes between.
pub fn write_all(fd: i32, bytes: &[u8]) {
    // SAFETY: one of the standard descriptors or a copy of one: borrowed for the call, and at worst closed, which is an error.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    // What cannot be written can be said nowhere.
    let _ = descriptor::write_all(fd, bytes);
}

/// End this child, with nothing but what it has flushed itself.
pub fn exit(status: i32) -> ! {
    process::exit_now(status)
}

/// Whether this process is a forked child of the kernel.
#[pyfunction]
fn forked() -> bool {
    is_child()
}

/// A cell has forked and both processes came back from it: end the child. Only the parent is the kernel.
#[pyfunction]
fn exit_forked(status: i32) -> PyResult<()> {
    if !is_child() {
        return Err(PyRuntimeError::new_err("this process is the kernel itself"));
    }
    capture::flush_c();
    exit(status)
}

/// The numbers of the processes that end with the kernel.
#[pyfunction]
fn children_to_end(py: Python<'_>) -> Vec<i32> {
    py.detach(children::ours)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(forked, module)?)?;
    module.add_function(wrap_pyfunction!(exit_forked, module)?)?;
    module.add_function(wrap_pyfunction!(children_to_end, module)?)
}
