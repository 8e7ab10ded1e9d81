//! What the io loop is to do later. A handful of entries, so a list is enough.

use tokio::time::Instant;

use crate::lifecycle::{Event, Shell, Turn};

/// Something that is due at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Tell the life cycle.
    Event(Event),
    /// Interrupt what this turn waits for, if it still does.
    InterruptAgain(Turn),
    /// Send the questions that wait for their clients.
    Ask,
    /// Who asked for this subshell, or for its end, waits no longer for word of its thread.
    SubshellAnswer(Shell),
    /// See whether there is room in the mailboxes again.
    LookForRoom,
    /// Wake the main thread, should a signal have come just before it began to wait.
    WakeMain,
    /// Interrupt the main thread, which was about to leave a breakpoint.
    InterruptMain,
    /// See whether the sockets have taken everything, for this round.
    Drain(u32),
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Timers(Vec<(Instant, Due)>);

impl Timers {
    pub(super) fn add(&mut self, at: Instant, due: Due) {
        self.0.push((at, due));
    }

    /// Forget all that are just this.
    pub(super) fn call_off(&mut self, due: Due) {
        self.0.retain(|(_, other)| *other != due);
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    /// Take one that is due, the earliest first.
    pub(super) fn take(&mut self, now: Instant) -> Option<Due> {
        let (index, _) = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, (at, _))| *at <= now)
            .min_by_key(|(_, (at, _))| *at)?;
        Some(self.0.swap_remove(index).1)
    }
}
