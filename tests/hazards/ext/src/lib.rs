//! Native code that is unkind to a Python that ends, as real extensions are: an object whose drop
//! joins, with the GIL held, a thread that needs the GIL, and a thread that enters Python for ever.
//! Loaded by rows of the hazard table; never part of drupe.

use std::{
    thread::{self, JoinHandle},
    time::Duration,
};

use pyo3::prelude::*;

/// Starts a thread that calls `callback` in 200 ms; dropping the object joins that thread without
/// letting go of the GIL, so that neither ever goes on.
#[pyclass(frozen)]
struct JoinOnDrop {
    worker: std::sync::Mutex<Option<JoinHandle<()>>>,
}

#[pymethods]
impl JoinOnDrop {
    #[new]
    fn new(callback: Py<PyAny>) -> Self {
        let worker = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            loop {
                let called = Python::try_attach(|py| callback.call0(py).is_ok());
                if called.is_none() {
                    return;
                }
                // Long enough for the drop to find it still at work.
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            worker: std::sync::Mutex::new(Some(worker)),
        }
    }
}

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        let worker = self.worker.lock().map(|mut slot| slot.take());
        if let Ok(Some(worker)) = worker {
            // The mistake on purpose: `py.detach` is missing around this.
            let _ = worker.join();
        }
    }
}

/// Starts a thread that calls `callback` for ever, as fast as it gets the GIL.
#[pyfunction]
fn call_for_ever(callback: Py<PyAny>) {
    thread::spawn(move || {
        while Python::try_attach(|py| callback.call0(py).is_ok()).is_some() {
            thread::yield_now();
        }
    });
}

/// Starts a thread that never enters Python and calls the C function at `address` with `number` for ever, ten thousand times a
/// second.
#[pyfunction]
fn post_for_ever(address: usize, number: u64) {
    thread::spawn(move || {
        // SAFETY: the caller's: the address of an `int (uint64_t)` that may be called at any time.
        let post: extern "C" fn(u64) -> i32 = unsafe { std::mem::transmute(address) };
        loop {
            let _ = post(number);
            thread::sleep(std::time::Duration::from_micros(100));
        }
    });
}

#[pymodule]
fn hazard_ext(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<JoinOnDrop>()?;
    module.add_function(wrap_pyfunction!(post_for_ever, module)?)?;
    module.add_function(wrap_pyfunction!(call_for_ever, module)?)
}
