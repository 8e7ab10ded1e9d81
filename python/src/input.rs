//! `input()` and `getpass()`: a question on the stdin channel, and the wait for its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drupe::kernel::input::{Answer, Question};
use drupe::kernel::out::Out;
use pyo3::exceptions::{PyEOFError, PyOSError};
use pyo3::prelude::*;

use crate::parent::PyParent;
use crate::{boot, fork, interrupt, subshell};

/// After which time the waiting thread looks at its signals though nothing woke it: a signal may come between the last look
/// and the wait.
const SIGNAL_CHECK: Duration = Duration::from_millis(50);

/// How long a cell whose question is ended by the end of the kernel waits for the interrupt that comes with it: where that came a moment
/// later, it would strike in the middle of what the cell does about its end of file.
const INTERRUPT_COMES: Duration = Duration::from_millis(200);

/// Ask the user. Waits with the GIL released; a signal interrupts it; the end of the kernel is an end of file, and in a
/// forked child, which nobody could answer, there is one at once. A cell that waits when the end begins is interrupted, as any other.
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
    let answer = answer(py, &question, || {
        handle.ending() && (interrupt::is_main() || subshell::is_here())
    });
    handle.inputs.end(&question);
    match answer? {
        Answer::Value(value) => Ok(value),
        Answer::Eof => Err(PyEOFError::new_err("the input has ended")),
    }
}

/// `interrupted`: whether an interrupt is on its way to this thread.
fn answer(py: Python<'_>, question: &Question, interrupted: impl Fn() -> bool) -> PyResult<Answer> {
    let mut ended: Option<Instant> = None;
    loop {
        match question.take() {
            Some(Answer::Eof) if !question.is_late() && interrupted() => ended = Some(Instant::now()),
            Some(answer) => return Ok(answer),
            None if ended.is_some_and(|ended| ended.elapsed() > INTERRUPT_COMES) => return Ok(Answer::Eof),
            None => {}
        }
        py.detach(|| question.wait(SIGNAL_CHECK));
        py.check_signals()?;
        subshell::check_interrupt(py)?;
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(input_request, module)?)
}
