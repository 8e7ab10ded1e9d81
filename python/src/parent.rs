//! Which request an output belongs to, as Python sees it.
//!
//! The parent of a piece of code is a `ContextVar`, so that a task prints to the cell that made it; a thread, which
//! begins with an empty context, falls back to the parent of the whole process: the cell that runs or ran last, whatever
//! else is asked meanwhile. What is written to fd 1 and 2 by C code and children belongs to the request that is answered.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use drupe::kernel::parent::Parent;
use drupe::kernel::request::Request;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList};

use crate::boot;

/// `drupe._drupe.Parent`: an opaque handle of a request's header.
#[pyclass(name = "Parent", module = "drupe._drupe", frozen)]
pub struct PyParent {
    pub inner: Parent,
    /// The parts of the request that `get_parent()` shows; its buffers, which may be large, are not kept.
    content: Bytes,
    metadata: Bytes,
    allow_stdin: Mutex<bool>,
}

impl PyParent {
    /// A parent of which nothing but the header is known.
    pub fn new(inner: Parent) -> Self {
        PyParent {
            inner,
            content: Bytes::from_static(b"{}"),
            metadata: Bytes::from_static(b"{}"),
            allow_stdin: Mutex::new(false),
        }
    }

    /// The parent of what a request's code puts out.
    pub fn of(request: &Request) -> Self {
        PyParent {
            content: request.content.clone(),
            metadata: request.metadata.clone(),
            ..PyParent::new(request.parent.clone())
        }
    }
}

#[pymethods]
impl PyParent {
    /// A parent that did not come from here: `header` is the JSON of the header that messages are to answer.
    #[new]
    fn made(header: &[u8], msg_id: String) -> Self {
        PyParent::new(Parent::new(Bytes::copy_from_slice(header), msg_id, Vec::new()))
    }

    /// The raw JSON of the request's header, as received.
    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.header())
    }

    /// The raw JSON of the request's content.
    #[getter]
    fn content<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.content)
    }

    /// The raw JSON of the request's metadata.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.metadata)
    }

    #[getter]
    fn msg_id(&self) -> &str {
        self.inner.msg_id()
    }

    /// The routing frames that lead back to the client.
    #[getter]
    fn identities<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(
            py,
            self.inner
                .identities()
                .iter()
                .map(|frame| PyBytes::new(py, frame)),
        )
    }

    /// Whether the client takes questions of this request.
    #[getter]
    fn get_allow_stdin(&self) -> bool {
        *self.allow_stdin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[setter]
    fn set_allow_stdin(&self, allow: bool) {
        *self.allow_stdin.lock().unwrap_or_else(PoisonError::into_inner) = allow;
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other
            .cast::<PyParent>()
            .is_ok_and(|other| other.get().inner == self.inner)
    }

    fn __hash__(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.inner.msg_id().hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("<drupe.Parent {}>", self.inner.msg_id())
    }
}

/// The parent of threads that have none of their own: the cell that runs or ran last.
static FALLBACK: Mutex<Option<Parent>> = Mutex::new(None);
/// The same as the Python object that was set, so that its attributes stay with it.
static FALLBACK_OBJECT: Mutex<Option<Py<PyParent>>> = Mutex::new(None);
/// The parent of what is written to fd 1 and 2: the request that is answered, between requests the cell that ran last.
/// Rust data only: it is read without the GIL.
static DESCRIPTORS: Mutex<Option<Parent>> = Mutex::new(None);
static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn fallback() -> Option<Parent> {
    FALLBACK.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The parent of what is written to fd 1 and 2.
pub fn of_descriptors() -> Option<Parent> {
    DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn in_context<'py>(py: Python<'py>) -> Option<Bound<'py, PyParent>> {
    let value = VARIABLE.get(py)?.bind(py).call_method0("get").ok()?;
    value.cast_into::<PyParent>().ok()
}

/// The parent of the running code.
pub fn current(py: Python<'_>) -> Option<Parent> {
    match in_context(py) {
        Some(parent) => Some(parent.get().inner.clone()),
        None => fallback(),
    }
}

/// Set the parent of all code that has none in its context, and of the descriptors.
#[pyfunction]
#[pyo3(signature = (parent))]
fn set_parent(parent: Option<Py<PyParent>>) {
    let inner = parent.as_ref().map(|parent| parent.get().inner.clone());
    *FALLBACK.lock().unwrap_or_else(PoisonError::into_inner) = inner.clone();
    *DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner) = inner;
    let old = std::mem::replace(
        &mut *FALLBACK_OBJECT.lock().unwrap_or_else(PoisonError::into_inner),
        parent,
    );
    // Dropped behind the lock: a destructor may run Python.
    drop(old);
}

/// Set the parent of what is written to fd 1 and 2 alone; None gives it back to the cell that ran last.
#[pyfunction]
#[pyo3(signature = (parent))]
fn set_descriptors_parent(parent: Option<Py<PyParent>>) {
    let inner = parent
        .as_ref()
        .map(|parent| parent.get().inner.clone())
        .or_else(fallback);
    *DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner) = inner;
}

/// The parent of the running code: its context's, else the process's.
#[pyfunction]
fn get_parent(py: Python<'_>) -> Option<Py<PyParent>> {
    match in_context(py) {
        Some(parent) => Some(parent.unbind()),
        None => FALLBACK_OBJECT
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|parent| parent.clone_ref(py)),
    }
}

/// The last request that came on the control channel.
#[pyfunction]
fn control_parent() -> Option<PyParent> {
    boot::handle()?.control_parent().map(PyParent::new)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let variable = VARIABLE.get_or_try_init(py, || -> PyResult<Py<PyAny>> {
        let kwargs = pyo3::types::PyDict::new(py);
        kwargs.set_item("default", py.None())?;
        Ok(py
            .import("contextvars")?
            .getattr("ContextVar")?
            .call(("drupe_parent",), Some(&kwargs))?
            .unbind())
    })?;
    module.add("parent_var", variable.clone_ref(py))?;
    module.add_class::<PyParent>()?;
    module.add_function(wrap_pyfunction!(control_parent, module)?)?;
    module.add_function(wrap_pyfunction!(set_parent, module)?)?;
    module.add_function(wrap_pyfunction!(set_descriptors_parent, module)?)?;
    module.add_function(wrap_pyfunction!(get_parent, module)?)
}
