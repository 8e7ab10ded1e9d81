//! What Python's start asks of the core, and tells it: the options, that it is ready or has failed. Called by `drupe/app.py` and
//! what it calls, on the main thread.

use std::ffi::c_int;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::interpreter::watch_stacks;
use crate::{boot, capture};

/// The options as JSON.
#[pyfunction]
fn config(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
    let options = boot::options().ok_or_else(boot::not_started)?;
    let json = serde_json::to_vec(options).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &json))
}

/// Python is up: requests are handed over from now on. `info` is a JSON object with any of `banner`,
/// `language_version` and `ipython_version`.
#[pyfunction]
fn ready(py: Python<'_>, info: &[u8]) -> PyResult<()> {
    let (handle, options) = boot::handle()
        .zip(boot::options())
        .ok_or_else(boot::not_started)?;
    let info: serde_json::Value =
        serde_json::from_slice(info).map_err(|error| PyValueError::new_err(error.to_string()))?;
    watch_stacks(py)?;
    if !(options.no_stdout || options.no_stderr) {
        capture::start(handle)?;
    }
    handle.ready(|known| known.update(&info));
    Ok(())
}

/// User code has just set SIGTERM by `signal.signal`, to a handler of its own or to none: the kernel hears of the signal
/// all the same. See `drupe/sigterm.py`.
#[pyfunction]
fn share_sigterm(py: Python<'_>, users: bool) -> PyResult<()> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    py.detach(|| handle.share_sigterm(users));
    Ok(())
}

/// Python could not be made ready: say why, once, and end with a status that says so.
#[pyfunction]
#[pyo3(signature = (message, status=2))]
fn failed(py: Python<'_>, message: &str, status: u8) -> PyResult<()> {
    boot::complain(message);
    py.detach(|| boot::end(c_int::from(status)))
}

/// Duplicates of the descriptors 1 and 2 that the process was started with.
#[pyfunction]
fn stdio_fds() -> (i32, i32) {
    let [out, err] = capture::keep_real();
    (out, err)
}

/// A line for drupe's log.
#[pyfunction]
#[pyo3(name = "log")]
fn log_line(level: &str, message: &str) {
    match level {
        "error" | "critical" => tracing::error!(target: "drupe::python", "{message}"),
        "warning" => tracing::warn!(target: "drupe::python", "{message}"),
        "info" => tracing::info!(target: "drupe::python", "{message}"),
        _ => tracing::debug!(target: "drupe::python", "{message}"),
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(config, module)?)?;
    module.add_function(wrap_pyfunction!(ready, module)?)?;
    module.add_function(wrap_pyfunction!(failed, module)?)?;
    module.add_function(wrap_pyfunction!(share_sigterm, module)?)?;
    module.add_function(wrap_pyfunction!(stdio_fds, module)?)?;
    module.add_function(wrap_pyfunction!(log_line, module)?)
}
