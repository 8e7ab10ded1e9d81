//! The one switch: the life cycle behind a lock, shared by the io loop, which owns it, and by those who
//! carry requests out, who ask it one thing. The lock is held for the microsecond of a transition and
//! never while anything is performed or waited for, with or without the GIL.

use super::machine::{Action, Event, Lifecycle, Place, RequestId};
use super::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A handle on the life cycle; clones are handles on the same one.
#[derive(Debug, Clone)]
pub struct Switch(Arc<Mutex<Lifecycle>>);

impl Default for Switch {
    fn default() -> Self {
        Self::new()
    }
}

impl Switch {
    /// The switch of a kernel that is starting.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Lifecycle::new())))
    }

    /// For the io loop: takes one event, returns what the io loop is to do. Only the io loop may call
    /// it, since actions of two batches must not be performed in a mixed order.
    #[must_use = "the actions are to be performed, in order"]
    pub fn step(&self, event: Event) -> Vec<Action> {
        self.lock().step(event)
    }

    /// For whoever took a request from the mailbox, just before it begins: whether it may. False when
    /// it was refused on its way; then it has its answer and is to be forgotten.
    #[must_use = "a request that is refused must not begin"]
    pub fn take_effect(&self, id: RequestId, place: Place) -> bool {
        let actions = self.lock().step(Event::TakeEffect { id, place });
        actions.contains(&Action::Permit { id })
    }

    /// A copy of the life cycle as it stands, to look at.
    pub fn snapshot(&self) -> Lifecycle {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Lifecycle> {
        // A transition has no way to panic half-way that would leave the state worse than a deaf kernel.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
