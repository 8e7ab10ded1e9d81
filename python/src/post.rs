//! Calls that threads without Python ask for: a C function that takes a number, a queue, and a descriptor that the loop
//! watches. `drupe/aio.py` is the other side.
//!
//! [`drupe_post`] may be called by any thread at any time, while the kernel ends, too: it touches nothing of Python's, takes no
//! lock that is held while anything waits, and allocates next to nothing. Once the kernel is ending it does nothing.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use drupe::os::Wake;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::{boot, fork};

/// Calls that may wait; half a megabyte. A thread that asks for more before the loop has had its turn loses them, and is told.
const MOST: usize = 1 << 16;

static WAITING: Mutex<VecDeque<u64>> = Mutex::new(VecDeque::new());
static WAKE: OnceLock<Wake> = OnceLock::new();

fn waiting() -> MutexGuard<'static, VecDeque<u64>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Have the callback of this number called on the kernel's main thread. Returns 1 where it will be, and 0 where it will not: the
/// kernel is ending, this is a forked child, or too many calls wait.
#[unsafe(no_mangle)]
pub extern "C" fn drupe_post(number: u64) -> i32 {
    let Some(wake) = WAKE.get() else { return 0 };
    if fork::is_child() || boot::handle().is_none_or(|handle| handle.ending()) {
        return 0;
    }
    {
        let mut waiting = waiting();
        if waiting.len() >= MOST {
            return 0;
        }
        waiting.push_back(number);
    }
    wake.wake();
    1
}

/// Where the C function `int drupe_post(uint64_t)` is, and the descriptor that is readable while calls wait.
#[pyfunction]
fn post_address() -> PyResult<(usize, i32)> {
    let wake = match WAKE.get() {
        Some(wake) => wake,
        None => {
            let wake = Wake::new().map_err(PyOSError::new_err)?;
            WAKE.get_or_init(|| wake)
        }
    };
    let function: extern "C" fn(u64) -> i32 = drupe_post;
    Ok((function as usize, wake.as_fd().as_raw_fd()))
}

/// The numbers whose callbacks are to be called, in order, and `most` of them: while others wait, the descriptor stays readable.
#[pyfunction]
fn take_posted(most: usize) -> Vec<u64> {
    let Some(wake) = WAKE.get() else { return Vec::new() };
    wake.clear();
    let mut waiting = waiting();
    let count = waiting.len().min(most);
    let taken = waiting.drain(..count).collect();
    if !waiting.is_empty() {
        wake.wake();
    }
    taken
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(post_address, module)?)?;
    module.add_function(wrap_pyfunction!(take_posted, module)?)
}
