//! drupe, a Jupyter kernel for Python: everything but Python.
//!
//! Layers point downward only. [`wire`], [`transport`], [`lifecycle`], [`lsp`] and [`debug`] know nothing of each other; [`kernel`]
//! joins them and asks the interpreter through [`interpreter::Interpreter`], which the crate in `python/`
//! implements; [`cli`] and [`launch`], the `drupe` command, know no kernel.

// Tests do what no code may.
#![cfg_attr(not(test), deny(unsafe_code))]

pub mod cli;
pub mod debug;
pub mod interpreter;
pub mod jupyter;
pub mod kernel;
pub mod launch;
pub mod lifecycle;
pub mod log;
pub mod lsp;
pub mod options;
#[expect(unsafe_code, reason = "the room of the system calls")]
pub mod os;
pub mod transport;
pub mod wire;
