//! What the io thread asks of Python, done by signals and helper threads. It calls these at any time, before Python is up and
//! while C code holds the GIL: none of them takes it. `ask` waits, which has a thread of its own, and `stacks` for a moment.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use drupe::interpreter::Interpreter;
use drupe::lifecycle::{Shell, Turn};
use drupe::os::{copy, descriptor, signal};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{debugger, inspect, interrupt, ladder, subshell};

/// The interpreter as the io thread sees it: signals and helper threads, never the GIL.
pub struct Cpython {
    /// A file in memory that `faulthandler` writes the stacks to.
    stacks: File,
    /// Tells that it has.
    written: Mutex<Option<Receiver<()>>>,
}

/// How long the io thread waits for the stacks, when the end is at its last words. As a rule they have been there for long.
const STACKS_COME: Duration = Duration::from_millis(50);

impl Cpython {
    /// The one of this process. Python need not be up.
    pub fn new() -> Result<Self, String> {
        let stacks = descriptor::memory_file("drupe-stacks");
        let stacks = stacks.map_err(|error| format!("no memory for a file of stacks: {error}"))?;
        let _ = STACKS_FD.set(stacks.as_raw_fd());
        Ok(Self {
            stacks,
            written: Mutex::default(),
        })
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
        if !STACKS_READY.load(Ordering::Acquire) {
            return;
        }
        // `faulthandler` reads the threads' states and frames without the GIL: where one of them ends meanwhile, it reads what is freed.
        let (done, written) = mpsc::channel();
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(written);
        let look = move || {
            signal::block_all();
            if let Err(error) = copy::handle_in_copy(interrupt::stack_signal()) {
                tracing::warn!("no stack of any thread can be had: {error}");
            }
            let _ = done.send(());
        };
        let spawned = std::thread::Builder::new()
            .name("drupe-stacks".into())
            .spawn(look);
        if let Err(error) = spawned {
            tracing::warn!("no thread for the stacks of the others: {error}");
        }
    }

    fn debug(&self, question: u64, text: Bytes) {
        debugger::ask(question, text);
    }

    fn ask(&self, question: &[u8]) -> Option<Vec<u8>> {
        inspect::ask(question)
    }

    fn stacks(&self) -> String {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = written.map(|written| written.recv_timeout(STACKS_COME));
        let mut text = vec![0; 64 << 10];
        let count = self.stacks.read_at(&mut text, 0).unwrap_or(0);
        text.truncate(count);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// From now on the stack signal makes `faulthandler` write all stacks, with or without the GIL. It is sent in a copy of the process alone.
pub fn watch_stacks(py: Python<'_>) -> PyResult<()> {
    let kwargs = PyDict::new(py);
    kwargs.set_item("file", STACKS_FD.get().copied().unwrap_or(2))?;
    kwargs.set_item("all_threads", true)?;
    py.import("faulthandler")?
        .call_method("register", (interrupt::stack_signal(),), Some(&kwargs))?;
    STACKS_READY.store(true, Ordering::Release);
    Ok(())
}
