//! `sys.stdout` and `sys.stderr`: a write is one call and one append to the queue, with no hop to another thread.
//!
//! When the queue is full, because the clients read more slowly than the cell prints, the writer waits with the GIL
//! released: nothing is dropped, nothing grows without bound, and the wait can be interrupted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use drupe::kernel::out::StreamName;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::{boot, capture, fork, parent};

/// How long a writer waits for room before it looks at its signals.
const SIGNAL_CHECK: Duration = Duration::from_millis(20);

/// How long a `flush()` waits for the io thread, which needs 0.1 ms once it is on a processor: as long as a busy machine may keep
/// it from one, and not for ever.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// `drupe._drupe.Stream(name)`, `name` being `stdout` or `stderr`.
#[pyclass(name = "Stream", module = "drupe._drupe", subclass, frozen, dict)]
pub struct Stream {
    name: StreamName,
    closed: AtomicBool,
    /// The last text did not end its line.
    inside_line: AtomicBool,
}

impl Stream {
    fn descriptor(&self) -> i32 {
        match self.name {
            StreamName::Stdout => 1,
            StreamName::Stderr => 2,
        }
    }
}

#[pymethods]
impl Stream {
    #[new]
    #[pyo3(signature = (name, *_args, **_kwargs))]
    fn new(
        name: &str,
        _args: &Bound<'_, pyo3::types::PyTuple>,
        _kwargs: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<Self> {
        let name = match name {
            "stdout" => StreamName::Stdout,
            "stderr" => StreamName::Stderr,
            other => {
                return Err(PyValueError::new_err(format!(
                    "a stream is named stdout or stderr, not {other:?}"
                )));
            }
        };
        Ok(Stream {
            name,
            closed: AtomicBool::new(false),
            inside_line: AtomicBool::new(false),
        })
    }

    /// Append text to the output of the running code; returns the number of characters.
    fn write(&self, py: Python<'_>, text: &Bound<'_, PyAny>) -> PyResult<usize> {
        let Ok(text) = text.cast::<PyString>() else {
            return Err(PyTypeError::new_err(format!(
                "write() argument must be str, not {}",
                text.get_type().name()?
            )));
        };
        if self.closed.load(Ordering::Relaxed) {
            return Err(PyValueError::new_err("I/O operation on closed file"));
        }
        let length = text.len()?;
        // A lone surrogate cannot be sent; the rest of the text can.
        let content = match text.to_str() {
            Ok(content) => std::borrow::Cow::Borrowed(content),
            Err(_) => text.to_string_lossy(),
        };
        if fork::is_child() {
            py.detach(|| fork::write_all(self.descriptor(), content.as_bytes()));
            return Ok(length);
        }
        let Some(handle) = boot::handle() else {
            return Err(boot::not_started());
        };
        // What a child or C code wrote before this line belongs in front of it.
        if !self.inside_line.load(Ordering::Relaxed) && capture::pending() {
            py.detach(capture::drain);
        }
        self.inside_line
            .store(!content.ends_with('\n'), Ordering::Relaxed);
        let full = handle.outbox.write(self.name, parent::current(py), &content);
        if full {
            while !py.detach(|| handle.outbox.wait_for_room(SIGNAL_CHECK)) {
                py.check_signals()?;
            }
        }
        Ok(length)
    }

    fn writelines(&self, py: Python<'_>, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(py, &line?)?;
        }
        Ok(())
    }

    /// Send what was written: it is in the sockets' hands when this returns, so that a crash right behind it does not take
    /// it along. In a flood of flushes it is sent within 10 ms instead.
    fn flush(&self, py: Python<'_>) {
        if !fork::is_child()
            && let Some(handle) = boot::handle()
            && handle.outbox.flush()
        {
            py.detach(|| handle.outbox.wait_until_sent(FLUSH_PATIENCE));
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    #[getter]
    fn name(&self) -> &'static str {
        self.name.name()
    }

    #[getter]
    fn encoding(&self) -> &'static str {
        "UTF-8"
    }

    #[getter]
    fn errors(&self) -> &'static str {
        "replace"
    }

    #[getter]
    fn newlines(&self) -> Option<String> {
        None
    }

    #[getter]
    fn line_buffering(&self) -> bool {
        true
    }

    fn writable(&self) -> bool {
        true
    }

    fn readable(&self) -> bool {
        false
    }

    fn seekable(&self) -> bool {
        false
    }

    fn isatty(&self) -> bool {
        false
    }

    fn fileno(&self) -> i32 {
        self.descriptor()
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Stream>()
}
