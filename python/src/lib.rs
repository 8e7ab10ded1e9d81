//! The border between the kernel and CPython: the extension module `drupe._drupe`, and the only code that names
//! pyo3.
//!
//! Two doors lead in. The launcher loads this library and calls [`doors::drupe_core_main`], which starts the io thread
//! and then runs Python on the main thread; `python -m drupe` imports it as a module and calls `start`. Both meet in
//! [`boot::start_io`].
//!
//! What crosses is bytes and numbers. No Python object ever reaches another thread of the kernel, so none of them
//! ever needs the GIL to drop one. No thread of the kernel enters Python but through [`gate::enter`].

mod boot;
mod buffer;
mod capture;
mod debugger;
mod doors;
mod fork;
mod gate;
mod input;
mod inspect;
mod interpreter;
mod interrupt;
mod ladder;
mod log;
mod parent;
mod post;
mod publish;
mod ready;
mod request;
mod stream;
mod subshell;

pub use doors::drupe_core_main;

use pyo3::prelude::*;

#[pymodule]
fn _drupe(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    parent::register(module)?;
    request::register(module)?;
    subshell::register(module)?;
    stream::register(module)?;
    post::register(module)?;
    publish::register(module)?;
    input::register(module)?;
    interrupt::register(module)?;
    ladder::register(module)?;
    gate::register(module)?;
    fork::register(module)?;
    inspect::register(module)?;
    debugger::register(module)?;
    doors::register(module)?;
    ready::register(module)
}
