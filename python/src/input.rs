//! `input()` and `getpass()`: a question on the stdin channel, and the wait for its answer.

use std::time::Duration;

use bytes::Bytes;
use drupe::kernel::input::Answer;
use drupe::kernel::out::Out;
use pyo3::exceptions::PyEOFError;
use pyo3::prelude::*;

use crate::parent::PyParent;
use crate::{boot, fork};

/// After which time the waiting thread looks at its signals though nothing woke it: a signal may come between the last look
/// and the wait.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// Ask the user. Waits with the GIL released; a signal interrupts it; the end of the kernel is an end of file, and in a
/// forked child, which nobody could answer, there is one at once.
#[pyfunction]
fn input_request(
    py: Python<'_>,
    prompt: &str,
    password: bool,
    parent: Bound<'_, PyParent>,
) -> PyResult<String> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    if fork::is_child() {
        return Err(PyEOFError::new_err(
            "a forked child has no line to the client: only the kernel itself can ask",
        ));
    }
    let content = serde_json::json!({ "prompt": prompt, "password": password }).to_string();
    handle.input.ask();
    handle.outbox.push(Out::InputRequest {
        parent: parent.get().inner.clone(),
        content: Bytes::from(content),
    });
    loop {
        if let Some(answer) = handle.input.take() {
            return match answer {
                Answer::Value(value) => Ok(value),
                Answer::Eof => Err(PyEOFError::new_err("the input has ended")),
            };
        }
        py.detach(|| handle.input.wait(SIGNAL_CHECK));
        if let Err(interrupt) = py.check_signals() {
            handle.input.abandon();
            return Err(interrupt);
        }
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(input_request, module)?)
}
