//! What the io thread asks of Python, done by signals and helper threads. It calls these at any time, before Python is up and
//! while C code holds the GIL: none of them takes it, and only `ask`, which has a thread of its own, waits.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use drupe::interpreter::Interpreter;
use drupe::lifecycle::{Shell, Turn};
use drupe::os::descriptor;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{debugger, inspect, interrupt, ladder, subshell};

/// The interpreter as the io thread sees it: signals and helper threads, never the GIL.
pub struct Cpython {
    /// A file in memory that `faulthandler` writes the stacks to.
    stacks: File,
}

impl Cpython {
    /// The one of this process. Python need not be up.
    pub fn new() -> Result<Self, String> {
        let stacks = descriptor::memory_file("drupe-stacks");
        let stacks = stacks.map_err(|error| format!("no memory for a file of stacks: {error}"))?;
        let _ = STACKS_FD.set(stacks.as_raw_fd());
        Ok(Self { stacks })
    }
}

static STACKS_FD: OnceLock<i32> = OnceLock::new();
/// Set when the stack signal has a handler; before that it would end the process.
static STACKS_READY: AtomicBool = AtomicBool::new(false);

impl Interpreter for Cpython {
    fn interrupt(&self) {
        interrupt::interrupt();
    }

    fn wake_main(&self) {
        interrupt::wake_main();
    }

    fn start_subshell(&self, subshell: Shell) {
        subshell::start(subshell);
    }

    fn interrupt_subshells(&self, subshells: Vec<Shell>) {
        subshell::interrupt(subshells);
    }

    fn interrupt_main(&self) {
        interrupt::interrupt_main();
    }

    fn teardown_from_helper(&self, turn: Turn) {
        ladder::spawn_helper(turn);
    }

    fn request_stacks(&self) {
        if STACKS_READY.load(Ordering::Acquire) {
            interrupt::request_stacks();
        }
    }

    fn debug(&self, question: u64, text: Bytes) {
        debugger::ask(question, text);
    }

    fn ask(&self, question: &[u8]) -> Option<Vec<u8>> {
        inspect::ask(question)
    }

    fn stacks(&self) -> String {
        let mut text = vec![0; 64 << 10];
        let count = self.stacks.read_at(&mut text, 0).unwrap_or(0);
        text.truncate(count);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// From now on the stack signal makes `faulthandler` write all stacks, with or without the GIL.
pub fn watch_stacks(py: Python<'_>) -> PyResult<()> {
    let kwargs = PyDict::new(py);
    kwargs.set_item("file", STACKS_FD.get().copied().unwrap_or(2))?;
    kwargs.set_item("all_threads", true)?;
    py.import("faulthandler")?
        .call_method("register", (interrupt::stack_signal(),), Some(&kwargs))?;
    STACKS_READY.store(true, Ordering::Release);
    Ok(())
}
