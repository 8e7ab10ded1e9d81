//! Signals to Python: the interrupt, and the request for stacks. Neither needs the GIL.
//!
//! Python runs on the process's main thread, so SIGINT to that thread wakes it out of whatever it waits in. What the
//! signal means is decided in Python (`drupe/interrupt.py`): an idle kernel ignores it. What that decides to raise is raised
//! here, so that no frame but the user's own is in the traceback.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use drupe::os::process;
use drupe::os::signal::{self, SIGINT, Thread};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::fork;

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

/// Whether the calling thread is the main one.
pub fn is_main() -> bool {
    MAIN.get() == Some(&Thread::current())
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

/// What Python's side does: see `Interrupts` there.
struct Policy {
    /// `decide(frame)`: what a signal raises that has met this frame, or None.
    decide: Py<PyAny>,
    /// `pass_on(unraisable)`: shows what is none of ours.
    pass_on: Py<PyAny>,
}

static POLICY: PyOnceLock<Policy> = PyOnceLock::new();

/// From now on these two have the say. Those that are given first stay.
#[pyfunction]
fn decide_interrupts(py: Python<'_>, decide: Py<PyAny>, pass_on: Py<PyAny>) {
    POLICY.get_or_init(py, || Policy { decide, pass_on });
}

/// Python's handler of SIGINT, also as `signal.default_int_handler`. As the handler of another signal it is Python's own: it raises.
#[pyfunction]
#[pyo3(signature = (signalnum, frame, /))]
fn default_int_handler(
    py: Python<'_>,
    signalnum: &Bound<'_, PyAny>,
    frame: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let is_interrupt = signalnum.extract::<i32>().is_ok_and(|number| number == SIGINT);
    let Some(policy) = POLICY.get(py).filter(|_| is_interrupt) else {
        return Err(PyKeyboardInterrupt::new_err(()));
    };
    let error = policy.decide.bind(py).call1((frame,))?;
    if error.is_none() {
        return Ok(());
    }
    Err(PyErr::from_value(error))
}

/// Python's `sys.unraisablehook`. What a signal has raised comes again. No line of Python runs meanwhile, where another signal,
/// or the handler of a library, could raise once more.
#[pyfunction]
#[pyo3(signature = (unraisable, /))]
fn notice_unraisable(py: Python<'_>, unraisable: &Bound<'_, PyAny>) -> PyResult<()> {
    let error = unraisable.getattr("exc_value")?;
    if is_of_a_signal(&error) {
        interrupt_again();
        return Ok(());
    }
    let Some(policy) = POLICY.get(py) else {
        return Ok(());
    };
    match policy.pass_on.bind(py).call1((unraisable,)) {
        Err(error) if is_of_a_signal(error.value(py)) => {
            interrupt_again();
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Whether it is a KeyboardInterrupt that the handler of SIGINT has raised: ours, which marks it, or that of a library which
/// has taken the signal over for a while. Then the innermost frame is the handler's.
fn is_of_a_signal(error: &Bound<'_, PyAny>) -> bool {
    let py = error.py();
    if !error.is_instance_of::<PyKeyboardInterrupt>() || !is_main() {
        return false;
    }
    error.hasattr(MARK).unwrap_or(false) || is_of_another_handler(py, error).unwrap_or(false)
}

/// The attribute by which `Interrupts` marks what it raises.
const MARK: &str = "_of_a_signal";

fn is_of_another_handler(py: Python<'_>, error: &Bound<'_, PyAny>) -> PyResult<bool> {
    let mut traceback = error.getattr("__traceback__")?;
    if traceback.is_none() {
        return Ok(false);
    }
    loop {
        let inner = traceback.getattr("tb_next")?;
        if inner.is_none() {
            break;
        }
        traceback = inner;
    }
    let mut handler = py.import("_signal")?.call_method1("getsignal", (SIGINT,))?;
    // A partial's function, and a method's.
    for name in ["func", "__func__"] {
        if let Some(inner) = handler.getattr_opt(name)? {
            handler = inner;
        }
    }
    let code = handler.getattr_opt("__code__")?;
    let frame = traceback.getattr("tb_frame")?.getattr("f_code")?;
    Ok(code.is_some_and(|code| code.is(&frame)))
}

/// Until an interrupt that Python has swallowed is sent again: long enough for a destructor to have ended, and too short for
/// anybody to notice.
const AGAIN: Duration = Duration::from_millis(1);

/// The repetition that is still to come, by its number; one with another number has been called off. It is held while the
/// signal is sent, and for nothing longer.
static REPETITION: Mutex<Repetition> = Mutex::new(Repetition {
    last: 0,
    awaited: false,
});

struct Repetition {
    last: u64,
    awaited: bool,
}

fn repetition() -> MutexGuard<'static, Repetition> {
    REPETITION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Send the main thread its SIGINT once more, in a moment.
#[pyfunction]
fn interrupt_again() {
    if fork::is_child() {
        // It may have been forked while the lock was held, and lives by its own rules.
        to_main(SIGINT);
        return;
    }
    let number = {
        let mut repetition = repetition();
        repetition.last += 1;
        repetition.awaited = true;
        repetition.last
    };
    let send = move || {
        std::thread::sleep(AGAIN);
        let repetition = repetition();
        if repetition.last == number && repetition.awaited {
            to_main(SIGINT);
        }
    };
    let thread = std::thread::Builder::new().name("drupe-interrupt".into());
    if let Err(error) = signal::with_all_blocked(|| thread.spawn(send)) {
        // It is the cell's at its end, at least.
        tracing::warn!("an interrupt cannot be sent again: {error}");
    }
}

/// Call it off; whether it was still to come. When this returns, it never will, and a signal that has been sent has arrived.
#[pyfunction]
fn forget_interrupt(py: Python<'_>) -> PyResult<bool> {
    if fork::is_child() {
        return Ok(false);
    }
    let awaited = py.detach(|| std::mem::take(&mut repetition().awaited));
    if awaited {
        settle(py)?;
    }
    Ok(awaited)
}

/// Let the signals that have been sent to this thread arrive, and have their effect.
pub fn settle(py: Python<'_>) -> PyResult<()> {
    // They are taken at the end of a system call at the latest.
    py.detach(std::thread::yield_now);
    py.check_signals()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(decide_interrupts, module)?)?;
    module.add_function(wrap_pyfunction!(default_int_handler, module)?)?;
    module.add_function(wrap_pyfunction!(notice_unraisable, module)?)?;
    module.add_function(wrap_pyfunction!(interrupt_again, module)?)?;
    module.add_function(wrap_pyfunction!(forget_interrupt, module)?)
}
