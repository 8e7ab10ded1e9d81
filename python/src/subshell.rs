//! Subshells as their threads in Python see them (`drupe/subshells.py`): where their requests come from, and how they are
//! interrupted.
//!
//! A thread that is not the main one gets no signal. What interrupts it is an exception that another thread sets, and which it
//! raises in its next line of Python, whatever that is. So each change between the user's code and the kernel's own is made
//! here, in one step that no such exception can come into: it is set only while the user's code runs, and taken back where that
//! ends before it has struck.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drupe::kernel::{News, Subshell};
use drupe::lifecycle::Shell;
use drupe::os::signal::Thread;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::request::{self, PyRequest};
use crate::{boot, fork, gate};

/// What a subshell's thread is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// The kernel's own work: an interrupt waits.
    Own,
    /// The user's code runs: an interrupt strikes.
    User,
    /// A cell waits in the event loop: an interrupt is for whoever asked for it to tell the loop.
    Awaits,
}

impl Doing {
    fn code(self) -> u8 {
        match self {
            Doing::Own => 0,
            Doing::User => 1,
            Doing::Awaits => 2,
        }
    }

    fn of(code: u8) -> Self {
        match code {
            1 => Doing::User,
            2 => Doing::Awaits,
            _ => Doing::Own,
        }
    }
}

struct Standing {
    thread: Option<Thread>,
    doing: Doing,
    /// An interrupt has come and has not struck.
    missed: bool,
    /// The exception is set, and has not been raised.
    set: bool,
}

/// `drupe._drupe.Subshell`
#[pyclass(name = "Subshell", module = "drupe._drupe", frozen)]
pub struct PySubshell {
    inner: Arc<Subshell>,
    standing: Mutex<Standing>,
}

impl PySubshell {
    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets the exception that a thread raises next, or takes it back.
fn set_exception(thread: Thread, exception: Option<&Bound<'_, PyAny>>) {
    let exception = exception.map_or(std::ptr::null_mut(), Bound::as_ptr);
    // SAFETY: the GIL is held, as the caller's token says; an unknown number is no error.
    unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(thread.ident() as _, exception) };
}

#[pymethods]
impl PySubshell {
    #[getter]
    fn number(&self) -> u32 {
        self.inner.number
    }

    /// What clients call it.
    #[getter]
    fn id(&self) -> &str {
        &self.inner.id
    }

    /// It was deleted: its thread ends when it has nothing to do.
    #[getter]
    fn deleted(&self) -> bool {
        self.inner.is_deleted()
    }

    /// A descriptor that is readable when there may be a request, and when `deleted` has become true or the end has begun.
    fn wake_fd(&self) -> i32 {
        self.inner.wake_fd()
    }

    /// The next request in order; `busy` is published. None when there is none now.
    fn take(&self, py: Python<'_>) -> PyResult<Option<PyRequest>> {
        let handle = boot::handle().ok_or_else(boot::not_started)?;
        request::to_python(py, handle.take_for(&self.inner))
    }

    /// The first comm message that waits, whatever stands before it: for the time in which a cell awaits.
    fn take_comm(&self, py: Python<'_>) -> PyResult<Option<PyRequest>> {
        let handle = boot::handle().ok_or_else(boot::not_started)?;
        request::to_python(py, handle.take_comm_for(&self.inner))
    }

    /// A cell failed and asked for it: the `execute_request`s that wait behind it are answered `aborted`.
    fn abort_queued(&self) -> PyResult<()> {
        let handle = boot::handle().ok_or_else(boot::not_started)?;
        if !fork::is_child() {
            handle.abort_queued_for(&self.inner);
        }
        Ok(())
    }

    /// The calling thread is the subshell's, from now on and until it ends.
    fn begun(slf: Py<Self>, py: Python<'_>) -> PyResult<()> {
        let handle = boot::handle().ok_or_else(boot::not_started)?;
        let this = slf.get();
        this.lock().thread = Some(Thread::current());
        let subshell = Arc::clone(&this.inner);
        HERE.with_borrow_mut(|here| *here = Some(Here(subshell.number)));
        py.detach(|| handle.subshell_news(subshell.number, News::Begun));
        Ok(())
    }

    /// What the thread does now: 0 the kernel's own work, 1 the user's code, 2 a cell awaits. Returns what it did before.
    fn enter(&self, doing: u8) -> u8 {
        let mut standing = self.lock();
        let before = std::mem::replace(&mut standing.doing, Doing::of(doing));
        if standing.doing != Doing::User
            && std::mem::take(&mut standing.set)
            && let Some(thread) = standing.thread
        {
            set_exception(thread, None);
        }
        before.code()
    }

    /// `call(value)`, which goes on with the code of a request, doing that; the kernel's own work before and behind it. The caller's
    /// lines are out of an interrupt's reach: one that comes in the end of it has been `missed`.
    fn step<'py>(
        &self,
        doing: u8,
        call: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.enter(doing);
        let result = call.call1((value,));
        self.enter(Doing::Own.code());
        result
    }

    /// A request has come to its end: whoever has asked for an interrupt of it comes too late.
    fn ended(&self) {
        let _standing = self.lock();
        self.inner.end_turn();
    }

    /// The exception that was set is being raised.
    fn struck(&self) {
        let mut standing = self.lock();
        standing.set = false;
        standing.missed = false;
    }

    /// An interrupt has come and has not struck.
    #[getter]
    fn missed(&self) -> bool {
        self.lock().missed
    }

    /// What has come and has not struck never will.
    fn forget_missed(&self) -> bool {
        let mut standing = self.lock();
        if std::mem::take(&mut standing.set)
            && let Some(thread) = standing.thread
        {
            set_exception(thread, None);
        }
        std::mem::take(&mut standing.missed)
    }

    /// Interrupt what the subshell does, if that is still the request of that turn: where the user's code runs, it raises `exception`
    /// next, a class whose instances call `struck` when they are made. Returns true where a cell awaits instead, and the caller has to
    /// tell its loop.
    fn interrupt(&self, exception: &Bound<'_, PyAny>, turn: u64) -> bool {
        let mut standing = self.lock();
        if self.inner.turn() != Some(turn) {
            return false;
        }
        match (standing.doing, standing.thread) {
            (Doing::Awaits, _) => return true,
            (Doing::User, Some(thread)) => {
                standing.set = true;
                set_exception(thread, Some(exception));
            }
            _ => {}
        }
        standing.missed = true;
        false
    }
}

/// A subshell's thread. Its end is told when the thread has left Python's books.
struct Here(Shell);

impl Drop for Here {
    fn drop(&mut self) {
        if let Some(handle) = boot::handle()
            && !fork::is_child()
        {
            handle.subshell_news(self.0, News::Ended);
        }
    }
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// Have a thread started for a subshell. The io thread calls this and waits for nothing.
pub fn start(shell: Shell) {
    let failed = move |reason| tell_failure(shell, reason);
    in_python(failed, move |py| {
        let subshell = boot::handle().and_then(|handle| handle.subshell(shell));
        let Some(inner) = subshell else { return Ok(()) };
        let standing = Standing {
            thread: None,
            doing: Doing::Own,
            missed: false,
            set: false,
        };
        let made = PySubshell {
            inner,
            standing: Mutex::new(standing),
        };
        py.import("drupe.subshells")?
            .call_method1("start", (made,))
            .map(drop)
    });
}

/// Have the cells of these interrupted. The io thread calls this and waits for nothing.
pub fn interrupt(shells: Vec<Shell>) {
    for shell in shells {
        // What runs now is meant: it may have ended before Python is entered, and a cell begun that nobody wants to interrupt.
        let subshell = boot::handle().and_then(|handle| handle.subshell(shell));
        let Some(turn) = subshell.and_then(|subshell| subshell.turn()) else {
            continue;
        };
        let failed = move |reason| tracing::warn!("subshell {shell} could not be interrupted: {reason}");
        in_python(failed, move |py| {
            py.import("drupe.subshells")?
                .call_method1("interrupt", (shell, turn))
                .map(drop)
        });
    }
}

/// On a thread of its own, which may have to wait for the GIL. `failed` is told why it cannot be done.
fn in_python(
    failed: impl Fn(String) + Clone + Send + 'static,
    work: impl FnOnce(Python<'_>) -> PyResult<()> + Send + 'static,
) {
    let tell = failed.clone();
    let run = move || {
        drupe::os::signal::block_all();
        let done = gate::enter("drupe-subshell", "looks after a subshell", |py| {
            work(py).map_err(|error| error.to_string())
        });
        match done {
            Some(Ok(())) => {}
            Some(Err(reason)) => failed(reason),
            None => failed("Python is not to be entered any more".to_owned()),
        }
    };
    let thread = std::thread::Builder::new().name("drupe-subshell".into());
    if let Err(error) = thread.spawn(run) {
        tell(error.to_string());
    }
}

fn tell_failure(shell: Shell, reason: String) {
    if let Some(handle) = boot::handle() {
        handle.subshell_news(shell, News::Failed(reason));
    }
}

/// Whether the calling thread is a subshell's.
pub fn is_here() -> bool {
    HERE.with_borrow(Option::is_some)
}

/// Where the calling thread waits in the core for the user's code of a subshell: an interrupt that has come.
pub fn check_interrupt(py: Python<'_>) -> PyResult<()> {
    if !is_here() {
        return Ok(());
    }
    let struck = py
        .import("drupe.subshells")?
        .call_method0("take_interrupt")?
        .extract()?;
    if struck {
        Err(PyKeyboardInterrupt::new_err(()))
    } else {
        Ok(())
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySubshell>()
}
