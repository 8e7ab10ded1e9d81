//! What the debug adapter asks of Python, and Python of it. `drupe/debugger.py` does the work.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use drupe::debug::cells;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::{boot, gate};

/// debugpy has been imported, or is about to be.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Where there is a debugger, have it neither stop nor trace the calling thread, which is one of the core's.
pub fn leave_alone(py: Python<'_>) {
    if STARTED.load(Ordering::Relaxed)
        && let Err(error) = py
            .import("drupe.debugger")
            .and_then(|module| module.call_method0("mark"))
    {
        tracing::warn!("a thread could not be hidden from the debugger: {error}");
    }
}

/// Carry a question into Python, on a thread of its own. The io thread calls this and waits for nothing.
pub fn ask(question: u64, text: Bytes) {
    STARTED.store(true, Ordering::Relaxed);
    let run = move || {
        drupe::os::signal::block_all();
        let answer = gate::enter("drupe-debugger", "a question of the debugger's", |py| {
            let answer = py
                .import("drupe.debugger")
                .and_then(|module| module.call_method1("answer", (PyBytes::new(py, &text),)))
                .and_then(|answer| answer.extract::<Vec<u8>>());
            answer
                .inspect_err(|error| tracing::warn!("a question of the debugger's failed: {error}"))
                .ok()
        });
        if let Some(handle) = boot::handle() {
            handle.debugged(question, answer.flatten());
        }
    };
    let spawned = std::thread::Builder::new()
        .name("drupe-debugger".into())
        .spawn(run);
    if let Err(error) = spawned {
        tracing::error!("no thread for the debugger: {error}");
        if let Some(handle) = boot::handle() {
            handle.debugged(question, None);
        }
    }
}

/// Whether a debug session is attached.
#[pyfunction]
fn debugging() -> bool {
    !crate::fork::is_child() && boot::handle().is_some_and(|handle| handle.is_debugging())
}

/// Whether what is stopped is being let go for an interrupt, whose signal is still to come.
#[pyfunction]
fn interrupt_comes() -> bool {
    !crate::fork::is_child() && boot::handle().is_some_and(|handle| handle.interrupt_comes())
}

/// Whether the debugger knows of no breakpoints for a moment, since a stopped cell was interrupted.
#[pyfunction]
fn breakpoints_away() -> bool {
    boot::handle().is_some_and(|handle| handle.breakpoints_away())
}

/// SIGINT has met the main thread where it waits at a breakpoint: have it told to go on first.
#[pyfunction]
fn interrupt_stopped() {
    if let Some(handle) = boot::handle() {
        handle.interrupt_stopped();
    }
}

/// Where the files of cells are, or would be.
#[pyfunction]
fn cell_folder() -> PyResult<String> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    Ok(handle.cells().to_string_lossy().into_owned())
}

/// The name of the code of a cell, from its text in UTF-8.
#[pyfunction]
fn cell_file(code: &[u8]) -> PyResult<String> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    Ok(cells::file(handle.cells(), code).to_string_lossy().into_owned())
}

/// MurmurHash2, 32 bits.
#[pyfunction]
#[pyo3(signature = (data, seed=cells::SEED))]
fn murmur2(data: &[u8], seed: u32) -> u32 {
    cells::murmur2(data, seed)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(debugging, module)?)?;
    module.add_function(wrap_pyfunction!(interrupt_comes, module)?)?;
    module.add_function(wrap_pyfunction!(breakpoints_away, module)?)?;
    module.add_function(wrap_pyfunction!(interrupt_stopped, module)?)?;
    module.add_function(wrap_pyfunction!(cell_folder, module)?)?;
    module.add_function(wrap_pyfunction!(cell_file, module)?)?;
    module.add_function(wrap_pyfunction!(murmur2, module)?)
}
