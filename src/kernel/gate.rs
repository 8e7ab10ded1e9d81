//! The gate: the only way for a native thread into Python.
//!
//! A thread enters with its name and what it comes for, gets a [`Pass`], and attaches to Python (by
//! `try_attach`) only while it holds it. At the end the io loop closes the gate: nobody gets in any more, and
//! it learns when the last one has left. It also keeps the register of threads that were made
//! elsewhere and come and go in Python by themselves (`drupe.threads.register`), for whom nobody waits. Its lock is held for
//! a few instructions and never while anything waits.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use super::sync::{Arc, Mutex, MutexGuard, PoisonError};
use crate::os::signal::Thread;

/// Someone who is inside, or who is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The thread's name.
    pub name: Cow<'static, str>,
    /// What it is in Python for.
    pub purpose: Cow<'static, str>,
    /// Since when.
    pub since: Instant,
    /// The thread, as Python's `threading.get_ident` names it.
    pub ident: u64,
    /// True for a thread that was only registered ([`Gate::register`]): nobody waits for it.
    pub resident: bool,
}

/// The gate. Clones are handles on the same one.
#[derive(Clone, Default)]
pub struct Gate(Arc<Mutex<Register>>);

#[derive(Default)]
struct Register {
    closed: bool,
    next: u64,
    /// By ticket, so in the order of entry.
    inside: BTreeMap<u64, Inside>,
    on_empty: Option<Box<dyn FnOnce() + Send>>,
}

impl Register {
    fn visitors(&self) -> impl Iterator<Item = &Inside> {
        self.inside.values().filter(|inside| !inside.resident)
    }

    /// What is to be called now, without the lock: the gate is closed and the last one has left.
    fn due(&mut self) -> Option<Box<dyn FnOnce() + Send>> {
        if self.closed && self.visitors().next().is_none() {
            self.on_empty.take()
        } else {
            None
        }
    }
}

impl Gate {
    /// An open gate with nobody inside.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the calling thread in, or refuses it: `None` once the gate is closed. The pass is kept for as
    /// long as the thread is, or may be, attached, and dropped outside of Python.
    pub fn enter(
        &self,
        name: impl Into<Cow<'static, str>>,
        purpose: impl Into<Cow<'static, str>>,
    ) -> Option<Pass> {
        self.admit(name.into(), purpose.into(), false)
    }

    /// Notes a thread that was made elsewhere and that enters Python by itself. It is listed and never waited
    /// for. `None` once the gate is closed.
    pub fn register(
        &self,
        name: impl Into<Cow<'static, str>>,
        purpose: impl Into<Cow<'static, str>>,
    ) -> Option<Pass> {
        self.admit(name.into(), purpose.into(), true)
    }

    fn admit(&self, name: Cow<'static, str>, purpose: Cow<'static, str>, resident: bool) -> Option<Pass> {
        let since = Instant::now();
        let mut register = self.lock();
        if register.closed {
            return None;
        }
        let ticket = register.next;
        register.next += 1;
        register.inside.insert(
            ticket,
            Inside {
                name,
                purpose,
                since,
                ident: Thread::current().ident(),
                resident,
            },
        );
        Some(Pass {
            gate: self.clone(),
            ticket,
        })
    }

    /// Closes the gate: nobody gets in any more, and those inside stay until they leave. `on_empty` is called once, when nobody is inside: at once by this thread, or
    /// later by the last one to leave, which is not in Python at that moment. It must not wait. A second call
    /// replaces the first's callback.
    pub fn close_then(&self, on_empty: impl FnOnce() + Send + 'static) {
        let due = {
            let mut register = self.lock();
            register.closed = true;
            register.on_empty = Some(Box::new(on_empty));
            register.due()
        };
        if let Some(on_empty) = due {
            on_empty();
        }
    }

    /// Whether the gate is closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Who is inside or registered, in the order in which they came.
    pub fn list(&self) -> Vec<Inside> {
        self.lock().inside.values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Register> {
        // The register is whole between any two of its statements, so a panic elsewhere takes nothing from it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("closed", &self.is_closed())
            .field("inside", &self.list())
            .finish()
    }
}

/// The right to be in Python. Dropped on every way out, a panic included, it takes its holder out of the
/// register.
#[derive(Debug)]
#[must_use = "dropped at once, the pass lets nobody in"]
pub struct Pass {
    gate: Gate,
    ticket: u64,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let due = {
            let mut register = self.gate.lock();
            register.inside.remove(&self.ticket);
            register.due()
        };
        if let Some(on_empty) = due {
            on_empty();
        }
    }
}
