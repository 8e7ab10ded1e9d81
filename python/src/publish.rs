//! Messages of Python's on iopub, and the table of its comms.

use bytes::Bytes;
use drupe::kernel::out::{Body, Out};
use jiff::Timestamp;
use pyo3::prelude::*;

use crate::parent::{self, PyParent};
use crate::{boot, buffer, capture, fork};

/// Copies of the buffers: nothing that Python owns leaves the GIL's reach.
pub fn copy_buffers(buffers: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Bytes>> {
    match buffers.filter(|buffers| !buffers.is_none()) {
        Some(buffers) => buffers.try_iter()?.map(|item| buffer::copy(&item?)).collect(),
        None => Ok(Vec::new()),
    }
}

/// Send a message on iopub, behind all that was written before it.
#[pyfunction]
#[pyo3(signature = (msg_type, content, *, metadata=None, buffers=None, parent=None, topic=None))]
fn publish(
    py: Python<'_>,
    msg_type: String,
    content: &[u8],
    metadata: Option<&[u8]>,
    buffers: Option<&Bound<'_, PyAny>>,
    parent: Option<Bound<'_, PyParent>>,
    topic: Option<&[u8]>,
) -> PyResult<()> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    if fork::is_child() {
        return Ok(());
    }
    if capture::pending() {
        py.detach(capture::drain);
    }
    let parent = match parent {
        Some(parent) => Some(parent.get().inner.clone()),
        None => parent::current(py),
    };
    let body = Body {
        msg_type,
        content: Bytes::copy_from_slice(content),
        metadata: Bytes::copy_from_slice(metadata.unwrap_or(b"{}")),
        buffers: copy_buffers(buffers)?,
        created: Timestamp::now(),
    };
    let topic = topic.map(Bytes::copy_from_slice);
    handle.outbox.push(Out::Iopub { parent, topic, body });
    while handle.outbox.is_full() {
        py.detach(|| handle.outbox.wait_for_room(std::time::Duration::from_millis(20)));
        py.check_signals()?;
    }
    Ok(())
}

/// A comm exists from now on; `comm_info` tells of it.
#[pyfunction]
fn comm_opened(comm_id: String, target_name: String) -> PyResult<()> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    // In a forked child the table is a copy that nobody asks, and its lock may be held for ever.
    if !fork::is_child() {
        handle.comms.opened(comm_id, target_name);
    }
    Ok(())
}

/// A comm exists no longer.
#[pyfunction]
fn comm_closed(comm_id: &str) -> PyResult<()> {
    let handle = boot::handle().ok_or_else(boot::not_started)?;
    if !fork::is_child() {
        handle.comms.closed(comm_id);
    }
    Ok(())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(publish, module)?)?;
    module.add_function(wrap_pyfunction!(comm_opened, module)?)?;
    module.add_function(wrap_pyfunction!(comm_closed, module)?)
}
