//! Python's part of the exit ladder: `drupe/teardown.py` does the work of the rungs and reports here.
//!
//! The main thread runs it. Where that is stuck and the GIL is free, a helper thread runs it in its place; whose turn
//! it is says the crew number, and a crew whose turn is over only parks.

use std::cell::Cell;
use std::time::Duration;

use drupe::lifecycle::record::Abandoned;
use drupe::lifecycle::{Leg, Rung};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::{boot, capture, gate, interrupt};

thread_local! {
    /// The crew that this thread is: 0 everywhere but in a helper.
    static CREW: Cell<u8> = const { Cell::new(0) };
}

fn leg(name: &str) -> PyResult<Leg> {
    let rung = Rung::from_name(name)
        .ok_or_else(|| PyValueError::new_err(format!("there is no rung named {name:?}")))?;
    Ok(Leg {
        rung,
        crew: CREW.get(),
    })
}

/// A rung begins: the seconds that it may take. None: leave it out, it is over or another thread has taken over.
#[pyfunction]
fn rung_begin(name: &str) -> PyResult<Option<f64>> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    Ok(handle.begin_rung(leg(name)?).map(|budget| budget.as_secs_f64()))
}

/// A rung has ended.
#[pyfunction]
fn rung_end(name: &str) -> PyResult<()> {
    boot::handle()
        .ok_or_else(boot::not_started)?
        .rung_done(leg(name)?);
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

/// All rungs of Python are done. The io thread ends the process; the main thread only waits for that, a helper
/// leaves Python again.
#[pyfunction]
fn teardown_done(py: Python<'_>) -> PyResult<()> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    let leg = Leg {
        rung: Rung::Flush,
        crew: CREW.get(),
    };
    py.detach(|| {
        capture::flush_c();
        capture::drain();
        handle.rung_done(leg);
        if leg.crew == 0 {
            park();
        }
    });
    Ok(())
}

/// Sleep until the process ends.
pub fn park() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
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
    py.detach(|| {
        capture::flush_c();
        capture::drain();
    });
}

/// Send the main thread its SIGINT: rungs that wait in Python use it for a callback that is over its time.
#[pyfunction]
fn interrupt_main() {
    interrupt::interrupt_main();
}

/// Run the teardown on a thread of its own, if Python lets it in while it is its turn.
pub fn spawn_helper(crew: u8) {
    let run = move || {
        drupe::os::signal::block_all();
        CREW.set(crew);
        let Some(handle) = boot::handle() else { return };
        gate::enter("drupe-teardown", "exit ladder", |py| {
            if handle.crew() != crew {
                // It came too late: the GIL was held for longer than anybody could wait.
                return;
            }
            handle.rung_done(Leg {
                rung: Rung::Helper,
                crew,
            });
            let outcome = py
                .import("drupe.teardown")
                .and_then(|module| module.call_method1("run", (false,)));
            if let Err(error) = outcome {
                tracing::error!("the teardown failed: {error}");
                handle.rung_done(Leg {
                    rung: Rung::Flush,
                    crew,
                });
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
    module.add_function(wrap_pyfunction!(rung_begin, module)?)?;
    module.add_function(wrap_pyfunction!(rung_end, module)?)?;
    module.add_function(wrap_pyfunction!(abandoned, module)?)?;
    module.add_function(wrap_pyfunction!(teardown_done, module)?)?;
    module.add_function(wrap_pyfunction!(shutting_down, module)?)?;
    module.add_function(wrap_pyfunction!(ask_exit, module)?)?;
    module.add_function(wrap_pyfunction!(flush_c_stdio, module)?)?;
    module.add_function(wrap_pyfunction!(interrupt_main, module)?)
}
