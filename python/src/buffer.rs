//! Bytes across the border, with one copy each way: what a message takes along must not be Python's any more, and what Python
//! gets is an object like any other.
//!
//! Called by whoever publishes, replies or reads a request, with the GIL. Every object with the buffer protocol will do. The two functions
//! belong to the stable ABI since CPython 3.11; 3.10 has them with the same structure, but outside of it, so pyo3 does not
//! name them for a core that is loaded by 3.10 too.

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;

use bytes::Bytes;
use drupe::os;
use pyo3::ffi::{Py_ssize_t, PyBytes_AsString, PyBytes_FromStringAndSize, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// `Py_buffer`.
#[repr(C)]
struct View {
    buf: *const c_void,
    obj: *mut PyObject,
    len: Py_ssize_t,
    itemsize: Py_ssize_t,
    readonly: c_int,
    ndim: c_int,
    format: *mut c_char,
    shape: *mut Py_ssize_t,
    strides: *mut Py_ssize_t,
    suboffsets: *mut Py_ssize_t,
    internal: *mut c_void,
}

unsafe extern "C" {
    fn PyObject_GetBuffer(object: *mut PyObject, view: *mut View, flags: c_int) -> c_int;
    fn PyBuffer_Release(view: *mut View);
}

/// A plain run of bytes, whatever the type of the items is.
const SIMPLE: c_int = 0;

/// A copy of an object's bytes.
///
/// # Errors
/// For an object without the buffer protocol.
pub fn copy(object: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(copy_of(bytes.as_bytes()));
    }
    if let Some(bytes) = copy_contiguous(object) {
        return Ok(bytes);
    }
    // With gaps, such as every second column of an array: Python puts it together.
    let flat = object
        .py()
        .import("builtins")?
        .getattr("memoryview")?
        .call1((object,))?
        .call_method1("tobytes", ())?;
    Ok(copy_of(flat.cast::<PyBytes>()?.as_bytes()))
}

/// Bytes from which on a copy has a mapping of its own: it leaves no hole behind with the allocator, which would give its pages back and bring
/// them anew each time.
const BIG: usize = 256 << 10;

fn copy_of(bytes: &[u8]) -> Bytes {
    if bytes.len() >= BIG
        && let Ok(region) = os::copy_of(bytes)
    {
        return Bytes::from_owner(region);
    }
    Bytes::copy_from_slice(bytes)
}

/// A `bytes` of Python's with these in it.
///
/// # Errors
/// MemoryError.
pub fn to_python<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let length = Py_ssize_t::try_from(bytes.len())?;
    // SAFETY: the GIL is held. Where the call succeeds the object is new and nobody else's, and its block, which is as long as
    // was asked for, is filled before anybody sees it.
    unsafe {
        let object = PyBytes_FromStringAndSize(std::ptr::null(), length);
        let made = Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked();
        let block = PyBytes_AsString(object).cast::<u8>();
        os::prefer_large_pages(block, bytes.len());
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), block, bytes.len());
        Ok(made)
    }
}

fn copy_contiguous(object: &Bound<'_, PyAny>) -> Option<Bytes> {
    let mut view = MaybeUninit::<View>::uninit();
    // SAFETY: the object is alive, the GIL is held, and the view is filled where the call succeeds.
    let got = unsafe { PyObject_GetBuffer(object.as_ptr(), view.as_mut_ptr(), SIMPLE) };
    if got != 0 {
        // Taken, which clears it: it is asked for in another way.
        drop(PyErr::take(object.py()));
        return None;
    }
    // SAFETY: filled by the call. Until it is released its memory stays where it is, and nobody writes to it while this
    // thread has the GIL.
    unsafe {
        let mut view = view.assume_init();
        let copy = match usize::try_from(view.len) {
            Ok(length) if length > 0 => copy_of(std::slice::from_raw_parts(view.buf.cast(), length)),
            _ => Bytes::new(),
        };
        PyBuffer_Release(&raw mut view);
        Some(copy)
    }
}
