//! `input()` and `getpass()`: a question on the stdin channel, and the wait for its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drupe::kernel::input::{Answer, Question};
use drupe::kernel::out::Out;
use pyo3::exceptions::{PyEOFError, PyOSError};
use pyo3::prelude::*;

use crate::parent::PyParent;
use crate::{boot, fork, subshell};

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
    let question = handle
        .inputs
        .ask(parent.get().inner.clone())
        .map_err(PyOSError::new_err)?;
    handle.outbox.push(Out::InputRequest {
        question: Arc::clone(&question),
        content: Bytes::from(content),
    });
    let answer = answer(py, &question);
    handle.inputs.end(&question);
    match answer? {
        Answer::Value(value) => Ok(value),
        Answer::Eof => Err(PyEOFError::new_err("the input has ended")),
    }
}

fn answer(py: Python<'_>, question: &Question) -> PyResult<Answer> {
    loop {
        if let Some(answer) = question.take() {
            return Ok(answer);
        }
        py.detach(|| question.wait(SIGNAL_CHECK));
        py.check_signals()?;
        subshell::check_interrupt(py)?;
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(input_request, module)?)
}
