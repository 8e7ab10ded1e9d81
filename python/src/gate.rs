//! The only way for a native thread into Python: registered, counted, refused once closed.
//!
//! The book is the kernel's [`Gate`](drupe::kernel::gate::Gate); this adds the attach itself, and opens the book to
//! Python code whose threads are made by a foreign runtime.

use std::cell::RefCell;

use drupe::kernel::gate::Pass;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::{boot, debugger};

/// Run `work` inside Python, if the gate is open and the interpreter alive. Waits for the GIL: only for threads
/// for which nobody waits without a deadline. The thread is unregistered on every way out, a panic included.
pub fn enter<T>(name: &'static str, purpose: &'static str, work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _pass = boot::handle()?.gate.enter(name, purpose)?;
    Python::try_attach(|py| {
        debugger::leave_alone(py);
        work(py)
    })
}

thread_local! {
    /// The pass of a thread that a foreign runtime made and that registered itself. Whatever happens in the thread, its
    /// end drops the pass: that needs no Python.
    static FOREIGN: RefCell<Option<Pass>> = const { RefCell::new(None) };
}

/// Enter the calling thread into the book. Raises RuntimeError when the kernel is ending.
#[pyfunction]
#[pyo3(signature = (name, purpose=String::new()))]
fn threads_register(name: String, purpose: String) -> PyResult<()> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    let pass = handle.gate.register(name, purpose).ok_or_else(|| {
        PyRuntimeError::new_err("the kernel is ending: no thread may enter Python any more")
    })?;
    drop(FOREIGN.replace(Some(pass)));
    Ok(())
}

/// Take the calling thread out of the book. Harmless where it is not in it.
#[pyfunction]
fn threads_unregister() {
    drop(FOREIGN.take());
}

/// Who is inside: a list of dicts with `name`, `purpose`, `seconds` and `ident`.
#[pyfunction]
fn threads_list(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    let rows = PyList::empty(py);
    for inside in handle.gate.list() {
        let row = PyDict::new(py);
        row.set_item("name", &inside.name)?;
        row.set_item("purpose", &inside.purpose)?;
        row.set_item("seconds", inside.since.elapsed().as_secs_f64())?;
        row.set_item("ident", inside.ident)?;
        rows.append(row)?;
    }
    Ok(rows)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(threads_register, module)?)?;
    module.add_function(wrap_pyfunction!(threads_unregister, module)?)?;
    module.add_function(wrap_pyfunction!(threads_list, module)?)
}
