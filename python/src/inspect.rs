//! What the language server asks of the session, and what the session leaves for the time in which it cannot be asked.
//!
//! The answers are worked out by `drupe/inspection.py`, which runs none of the user's code.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;

use crate::{boot, fork, gate};

/// The `Inspector` of the shell.
static INSPECTOR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Carry a question, as JSON, into Python. Waits for the GIL.
pub fn ask(question: &[u8]) -> Option<Vec<u8>> {
    gate::enter("drupe-lsp-live", "inspection", |py| {
        let answer = INSPECTOR
            .get(py)?
            .bind(py)
            .call_method1("answer", (PyBytes::new(py, question),))
            .and_then(|answer| answer.extract::<Vec<u8>>());
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::warn!("a question of the language server failed: {error}");
                None
            }
        }
    })?
}

/// From now on this object answers.
#[pyfunction]
fn set_inspector(py: Python<'_>, inspector: Py<PyAny>) {
    // A second shell in one process does not happen; the first one stays.
    let _ = INSPECTOR.set(py, inspector);
}

/// The content of a `complete_reply` by the language engine, which asks the session from another thread.
#[pyfunction]
fn engine_complete(py: Python<'_>, code: &str, cursor: usize) -> PyResult<Py<PyBytes>> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    let content = py.detach(|| handle.complete(code, cursor));
    Ok(PyBytes::new(py, &content).unbind())
}

/// What the namespace looks like now, as JSON.
#[pyfunction]
fn leave_snapshot(snapshot: &[u8]) -> PyResult<()> {
    if !fork::is_child() {
        boot::handle()
            .ok_or_else(boot::not_started)?
            .leave_snapshot(snapshot.to_vec());
    }
    Ok(())
}

/// What is seen from the frame that a thread is stopped in, as JSON.
#[pyfunction]
fn leave_frame(stop: u64, snapshot: &[u8]) -> PyResult<()> {
    boot::handle()
        .ok_or_else(boot::not_started)?
        .leave_frame(stop, snapshot.to_vec());
    Ok(())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(set_inspector, module)?)?;
    module.add_function(wrap_pyfunction!(engine_complete, module)?)?;
    module.add_function(wrap_pyfunction!(leave_snapshot, module)?)?;
    module.add_function(wrap_pyfunction!(leave_frame, module)?)
}
