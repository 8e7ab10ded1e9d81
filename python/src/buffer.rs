//! The bytes of an object of Python's, with one copy: what a message takes along must not be Python's any more.
//!
//! Called by whoever publishes or replies, with the GIL. Every object with the buffer protocol will do. The two functions
//! belong to the stable ABI since CPython 3.11; 3.10 has them with the same structure, but outside of it, so pyo3 does not
//! name them for a core that is loaded by 3.10 too.

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;

use bytes::Bytes;
use pyo3::ffi::{Py_ssize_t, PyObject};
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
        return Ok(Bytes::copy_from_slice(bytes.as_bytes()));
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
    Ok(Bytes::copy_from_slice(flat.cast::<PyBytes>()?.as_bytes()))
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
            Ok(length) if length > 0 => {
                Bytes::copy_from_slice(std::slice::from_raw_parts(view.buf.cast(), length))
            }
            _ => Bytes::new(),
        };
        PyBuffer_Release(&raw mut view);
        Some(copy)
    }
}
