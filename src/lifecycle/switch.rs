//! The one switch: the life cycle behind a lock, shared by the io loop, which owns it, and by those who
//! carry requests out, who ask it one thing. The lock is held for the microsecond of a transition, or of a signal,
//! and never while anything else is performed or waited for, with or without the GIL.

use super::ladder::Turn;
use super::machine::{Action, Event, Lifecycle, Place, RequestId};
use super::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The life cycle, and how many events it has taken.
#[derive(Debug)]
struct State {
    life: Lifecycle,
    events: u64,
}

/// A handle on the life cycle; clones are handles on the same one.
#[derive(Debug, Clone)]
pub struct Switch(Arc<Mutex<State>>);

impl Default for Switch {
    fn default() -> Self {
        Self::new()
    }
}

impl Switch {
    /// The switch of a kernel that is starting.
    pub fn new() -> Self {
        let life = Lifecycle::new();
        Self(Arc::new(Mutex::new(State { life, events: 0 })))
    }

    /// For the io loop: takes one event, returns what the io loop is to do. Only the io loop may call
    /// it, since actions of two batches must not be performed in a mixed order. The events are numbered in the log, whose
    /// lines of several threads may change places.
    #[must_use = "the actions are to be performed, in order"]
    pub fn step(&self, event: Event) -> Vec<Action> {
        let mut state = self.lock();
        state.events += 1;
        let number = state.events;
        let actions = state.life.step(event);
        drop(state);
        tracing::trace!(number, ?event, ?actions, "life cycle");
        actions
    }

    /// For whoever took a request from the mailbox, just before it begins: whether it may. False when
    /// it was refused on its way; then it has its answer and is to be forgotten.
    #[must_use = "a request that is refused must not begin"]
    pub fn take_effect(&self, id: RequestId, place: Place) -> bool {
        let actions = self.step(Event::TakeEffect { id, place });
        actions.contains(&Action::Permit { id })
    }

    /// For whoever carries out the teardown, before each of its turns: whether it is theirs. False when it is
    /// over, or another attempt's by now.
    #[must_use = "a turn that is somebody else's must not begin"]
    pub fn take_up(&self, turn: Turn) -> bool {
        let actions = self.step(Event::TakeUp(turn));
        actions.contains(&Action::TakenUp(turn))
    }

    /// For the io loop: calls `signal`, which is meant for the request that the main thread carries out, unless the teardown has
    /// been begun with. Nobody begins with it meanwhile, and would be met. `signal` must be one system call that does not wait.
    pub fn interrupt_request(&self, signal: impl FnOnce()) {
        let state = self.lock();
        if !state.life.teardown_is_taken_up() {
            signal();
        }
    }

    /// The same for what holds a turn of the teardown up: where nobody has taken it up or, with `is_late`, where nobody has gone past
    /// it. Whether it did.
    pub fn interrupt_turn(&self, turn: Turn, is_late: bool, signal: impl FnOnce()) -> bool {
        let state = self.lock();
        let holds_up = if is_late {
            state.life.is_not_passed(turn)
        } else {
            state.life.is_waited_for(turn)
        };
        if holds_up {
            signal();
        }
        holds_up
    }

    /// A copy of the life cycle as it stands, to look at.
    pub fn snapshot(&self) -> Lifecycle {
        self.lock().life.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A transition has no way to panic half-way that would leave the state worse than a deaf kernel.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
