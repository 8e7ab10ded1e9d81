//! Python's part of the exit ladder: `drupe/teardown.py` does the work of the rungs, and asks and answers here.
//!
//! The main thread carries it out. Where that is stuck and the GIL is free, a helper thread goes on in its place, and
//! where that gets stuck, another. Each knows its own [`Turn`]; whether a rung is theirs is asked before each, and whoever
//! has been given up does nothing more.

use std::cell::Cell;
use std::time::Duration;

use drupe::lifecycle::record::Abandoned;
use drupe::lifecycle::{Rung, Turn};
use pyo3::exceptions::{PySystemExit, PyValueError};
use pyo3::prelude::*;

use crate::{boot, capture, fork, gate, interrupt};

thread_local! {
    /// The turn that was handed to this thread: the main thread's everywhere but in a helper.
    static TURN: Cell<Turn> = Cell::new(Turn::main(Rung::Tasks));
}

fn turn(name: &str) -> PyResult<Turn> {
    let rung = Rung::from_name(name)
        .ok_or_else(|| PyValueError::new_err(format!("there is no rung named {name:?}")))?;
    Ok(TURN.get().at(rung))
}

/// The rungs that are this thread's to carry out, in order.
#[pyfunction]
fn rungs() -> Vec<&'static str> {
    let resume = TURN.get().resume;
    let rungs = Rung::IN_PYTHON.into_iter().filter(|rung| *rung >= resume);
    rungs.map(Rung::name).collect()
}

/// A rung begins: the seconds that it may take. None: leave it out, it is over or somebody else's by now.
/// On the main thread, whatever signal was meant for what came before has had its effect when this returns.
#[pyfunction]
fn begin_rung(py: Python<'_>, name: &str) -> PyResult<Option<f64>> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    let left = handle.take_up(turn(name)?);
    if interrupt::is_main()
        && let Err(error) = interrupt::settle(py)
    {
        // A handler of the user's has raised, of which this rung knows nothing.
        tracing::info!(%error, "a signal's handler has raised between two rungs");
    }
    Ok(left.map(|left| left.as_secs_f64()))
}

/// A rung has ended.
#[pyfunction]
fn end_rung(py: Python<'_>, name: &str) -> PyResult<()> {
    let turn = turn(name)?;
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    if turn.rung == Rung::Flush {
        py.detach(flush_stdio);
    }
    handle.done(turn);
    Ok(())
}

/// Something is left behind: a thread that would not end, a child that would not die, a callback that was cut off.
#[pyfunction]
fn abandoned(what: String, name: String, stack: String) -> PyResult<()> {
    boot::handle()
        .ok_or_else(boot::not_started)?
        .abandoned(Abandoned { what, name, stack });
    Ok(())
}

/// All of Python's rungs are done; the io thread ends the process. The main thread waits here for that, outside of
/// Python. Does not return.
#[pyfunction]
#[pyo3(name = "park")]
fn park_main(py: Python<'_>) {
    py.detach(|| park());
}

/// Sleep until the process ends.
pub fn park() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// How long what has failed in `hold` waits before it is called again.
const AGAIN: Duration = Duration::from_millis(10);

/// Call it, and call it again whatever it raises: a handler of the user's for some signal may raise in any line of Python, and there
/// is none here. It ends with the process; in a forked child, with the error.
#[pyfunction]
fn hold(py: Python<'_>, life: &Bound<'_, PyAny>) -> PyResult<()> {
    loop {
        let Err(error) = life.call0() else { continue };
        if fork::is_child() {
            return Err(error);
        }
        tracing::info!(%error, "the main thread was struck in a line of the kernel's own");
        if error.is_instance_of::<PySystemExit>(py) {
            ask_exit()?;
        }
        py.detach(|| std::thread::sleep(AGAIN));
    }
}

/// Whether the exit ladder has begun.
#[pyfunction]
fn shutting_down() -> bool {
    boot::handle().is_some_and(|handle| handle.ending())
}

/// A cell called `exit()`: begin the exit ladder.
#[pyfunction]
fn ask_exit() -> PyResult<()> {
    boot::handle().ok_or_else(boot::not_started)?.ask_exit();
    Ok(())
}

/// `fflush` of C's stdout and stderr, and what the pipes of fd 1 and 2 hold.
#[pyfunction]
fn flush_c_stdio(py: Python<'_>) {
    py.detach(flush_stdio);
}

fn flush_stdio() {
    capture::flush_c();
    capture::drain();
}

/// Send the main thread its SIGINT: rungs that wait in Python use it for a callback that is over its time.
#[pyfunction]
fn interrupt_main() {
    interrupt::interrupt_main();
}

/// Carry the teardown on from a thread of its own, if Python lets it in while it is its turn.
pub fn spawn_helper(turn: Turn) {
    let run = move || {
        drupe::os::signal::block_all();
        TURN.set(turn);
        let Some(handle) = boot::handle() else { return };
        gate::enter("drupe-teardown", "exit ladder", |py| {
            if handle.take_up(turn).is_none() {
                // It came too late: the GIL was held for longer than anybody could wait.
                return;
            }
            handle.done(turn);
            let outcome = py
                .import("drupe.teardown")
                .and_then(|module| module.call_method1("run", (false,)));
            if let Err(error) = outcome {
                tracing::error!("the teardown failed: {error}");
                handle.done(turn.at(Rung::Flush));
            }
        });
    };
    let spawned = std::thread::Builder::new()
        .name("drupe-teardown".into())
        .spawn(run);
    if let Err(error) = spawned {
        tracing::error!("no thread for the teardown: {error}");
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(rungs, module)?)?;
    module.add_function(wrap_pyfunction!(begin_rung, module)?)?;
    module.add_function(wrap_pyfunction!(end_rung, module)?)?;
    module.add_function(wrap_pyfunction!(abandoned, module)?)?;
    module.add_function(wrap_pyfunction!(park_main, module)?)?;
    module.add_function(wrap_pyfunction!(hold, module)?)?;
    module.add_function(wrap_pyfunction!(shutting_down, module)?)?;
    module.add_function(wrap_pyfunction!(ask_exit, module)?)?;
    module.add_function(wrap_pyfunction!(flush_c_stdio, module)?)?;
    module.add_function(wrap_pyfunction!(interrupt_main, module)?)
}
