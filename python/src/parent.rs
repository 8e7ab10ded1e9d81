//! Which request an output belongs to, as Python sees it.
//!
//! The parent of a piece of code is a `ContextVar`, so that a task prints to the cell that made it; a thread, which
//! begins with an empty context, falls back to the parent of the whole process: the cell that runs or ran last.

use std::sync::{Mutex, PoisonError};

use drupe::kernel::parent::Parent;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList};

use crate::boot;

/// `drupe._drupe.Parent`: an opaque handle of a request's header.
#[pyclass(name = "Parent", module = "drupe._drupe", frozen)]
pub struct PyParent {
    pub inner: Parent,
    allow_stdin: Mutex<bool>,
}

impl PyParent {
    pub fn new(inner: Parent) -> Self {
        PyParent {
            inner,
            allow_stdin: Mutex::new(false),
        }
    }
}

#[pymethods]
impl PyParent {
    /// The raw JSON of the request's header, as received.
    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.inner.header())
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

/// The parent of the whole process. Rust data only: threads without the GIL read it too.
static FALLBACK: Mutex<Option<Parent>> = Mutex::new(None);
/// The same as the Python object that was set, so that its attributes stay with it.
static FALLBACK_OBJECT: Mutex<Option<Py<PyParent>>> = Mutex::new(None);
static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The parent of the whole process, for those who have no GIL.
pub fn fallback() -> Option<Parent> {
    FALLBACK.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

/// Set the parent of all code that has none in its context.
#[pyfunction]
#[pyo3(signature = (parent))]
fn set_parent(parent: Option<Py<PyParent>>) {
    let inner = parent.as_ref().map(|parent| parent.get().inner.clone());
    *FALLBACK.lock().unwrap_or_else(PoisonError::into_inner) = inner;
    let old = std::mem::replace(
        &mut *FALLBACK_OBJECT.lock().unwrap_or_else(PoisonError::into_inner),
        parent,
    );
    // Dropped behind the lock: a destructor may run Python.
    drop(old);
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
    module.add_function(wrap_pyfunction!(get_parent, module)?)
}
