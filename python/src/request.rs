//! The requests that Python answers, one after the other.

use bytes::Bytes;
use drupe::kernel::out::{Body, Out};
use drupe::kernel::request::Request;
use jiff::Timestamp;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::parent::PyParent;
use crate::publish::copy_buffers;
use crate::{boot, buffer, capture, fork};

/// `drupe._drupe.Request`
#[pyclass(name = "Request", module = "drupe._drupe", frozen)]
pub struct PyRequest {
    inner: Request,
    parent: Py<PyParent>,
}

#[pymethods]
impl PyRequest {
    /// `shell` or `control`.
    #[getter]
    fn channel(&self) -> &'static str {
        self.inner.channel.name()
    }

    #[getter]
    fn msg_type(&self) -> &str {
        &self.inner.msg_type
    }

    /// This request as the parent of what its code puts out.
    #[getter]
    fn parent(&self, py: Python<'_>) -> Py<PyParent> {
        self.parent.clone_ref(py)
    }

    #[getter]
    fn content<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.content)
    }

    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.metadata)
    }

    #[getter]
    fn buffers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let made: PyResult<Vec<_>> = self
            .inner
            .buffers
            .iter()
            .map(|bytes| buffer::to_python(py, bytes))
            .collect();
        PyList::new(py, made?)
    }

    /// Answer the client that sent it.
    #[pyo3(signature = (content, *, msg_type=None, metadata=None, buffers=None))]
    fn reply(
        &self,
        py: Python<'_>,
        content: &[u8],
        msg_type: Option<String>,
        metadata: Option<&[u8]>,
        buffers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let handle = boot::handle().ok_or_else(boot::not_started)?;
        if fork::is_child() {
            return Ok(());
        }
        // What C code and children wrote belongs in front of the reply, too.
        py.detach(|| {
            capture::flush_c();
            capture::drain();
        });
        let body = Body {
            msg_type: msg_type.unwrap_or_else(|| self.inner.reply_type()),
            content: Bytes::copy_from_slice(content),
            metadata: Bytes::copy_from_slice(metadata.unwrap_or(b"{}")),
            buffers: copy_buffers(buffers)?,
            created: Timestamp::now(),
        };
        handle.outbox.push(Out::Reply {
            id: self.inner.id,
            channel: self.inner.channel,
            parent: self.inner.parent.clone(),
            body,
        });
        Ok(())
    }

    /// It is done: what it wrote goes out, then `idle`. Later calls do nothing.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let handle = boot::handle().ok_or_else(boot::not_started)?;
        if fork::is_child() {
            // Code that is no cell's has forked, such as a comm's, and both processes came back from it.
            capture::flush_c();
            fork::exit(0);
        }
        py.detach(|| {
            capture::flush_c();
            capture::drain();
            handle.finished(&self.inner);
        });
        Ok(())
    }

    fn __repr__(&self) -> String {
        format!(
            "<drupe.Request {} on {}>",
            self.inner.msg_type,
            self.inner.channel.name()
        )
    }
}

pub fn to_python(py: Python<'_>, request: Option<Request>) -> PyResult<Option<PyRequest>> {
    let Some(inner) = request else {
        return Ok(None);
    };
    let parent = Py::new(py, PyParent::of(&inner))?;
    Ok(Some(PyRequest { inner, parent }))
}

/// The next request in order; `busy` is published. None when there is none now.
#[pyfunction]
fn take(py: Python<'_>) -> PyResult<Option<PyRequest>> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    to_python(py, handle.take())
}

/// The first comm message that waits, whatever stands before it: for the time in which a cell awaits.
#[pyfunction]
fn take_comm(py: Python<'_>) -> PyResult<Option<PyRequest>> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    to_python(py, handle.take_comm())
}

/// A cell failed and asked for it: the `execute_request`s that wait behind it are answered `aborted`.
#[pyfunction]
fn abort_queued() -> PyResult<()> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    // A forked child has nobody who waits behind its cell, and may have been forked while the queue was locked.
    if !fork::is_child() {
        handle.abort_queued();
    }
    Ok(())
}

/// A descriptor that becomes readable when there may be a request, or when the end has begun.
#[pyfunction]
fn wake_fd() -> PyResult<i32> {
    Ok(boot::handle().ok_or_else(boot::not_started)?.wake_fd())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyRequest>()?;
    module.add_function(wrap_pyfunction!(take, module)?)?;
    module.add_function(wrap_pyfunction!(take_comm, module)?)?;
    module.add_function(wrap_pyfunction!(abort_queued, module)?)?;
    module.add_function(wrap_pyfunction!(wake_fd, module)?)
}
