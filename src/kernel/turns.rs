//! Whose turn it is: how long one source may keep the io thread, and which shell messages may be heard.
//!
//! Used by the io loop alone.

use std::time::{Duration, Instant};

use crate::lifecycle::Shell;

/// How long one source may keep the loop in one turn. All of them together stay below the 5 ms within which control and
/// the heartbeat are answered.
const SHARE: Duration = Duration::from_micros(500);

/// One source's part of a turn.
#[derive(Debug)]
pub(super) struct Share(Instant);

impl Share {
    pub(super) fn new() -> Self {
        Share(Instant::now())
    }

    pub(super) fn begun(&self) -> Instant {
        self.0
    }

    /// Whether the source may go on. Always so at first.
    pub(super) fn lasts(&self) -> bool {
        self.0.elapsed() < SHARE
    }
}

/// Which of the shell messages that have been read may be heard.
///
/// - One takes its turn after every control message that had arrived before it: a batch that has been read is put behind
///   the control messages that have been read after it.
/// - When a cell has failed, what was sent before its client could know is heard, and nothing more until the cells among
///   it have been aborted.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Messages of this batch.
    shell: usize,
    /// Control messages that go before them.
    control: usize,
    abort: Option<Abort>,
}

#[derive(Debug)]
struct Abort {
    /// The request that has failed.
    cell: u64,
    /// Where its cell ran.
    shell: Shell,
    /// Messages that were sent before its client could know.
    left: usize,
}

impl Turns {
    /// How many of `waiting` shell messages may be heard at all.
    pub(super) fn allowed(&self, waiting: usize) -> usize {
        self.abort
            .as_ref()
            .map_or(waiting, |abort| abort.left.min(waiting))
    }

    /// Whether a new batch is to be made.
    pub(super) fn are_over(&self) -> bool {
        self.shell == 0
    }

    /// `shell` messages have been read, and then these many on control.
    pub(super) fn begin(&mut self, shell: usize, control: usize) {
        self.shell = shell;
        self.control = control;
    }

    pub(super) fn is_shells(&self) -> bool {
        self.control == 0 && self.shell > 0
    }

    pub(super) fn control_heard(&mut self) {
        self.control = self.control.saturating_sub(1);
    }

    pub(super) fn shell_heard(&mut self) {
        self.shell = self.shell.saturating_sub(1);
        if let Some(abort) = &mut self.abort {
            abort.left = abort.left.saturating_sub(1);
        }
    }

    /// This cell of this shell has failed, and `waiting` shell messages were sent before its client could know.
    pub(super) fn begin_abort(&mut self, cell: u64, shell: Shell, waiting: usize) {
        self.begin(0, 0);
        self.abort = Some(Abort {
            cell,
            shell,
            left: waiting,
        });
    }

    /// Whether a cell has failed and those behind it are being looked for: its client is told when they are found.
    pub(super) fn are_aborting(&self) -> bool {
        self.abort.as_ref().is_some_and(|abort| abort.left > 0)
    }

    /// Whether this is the cell that has failed.
    pub(super) fn is_failed(&self, cell: u64) -> bool {
        self.abort.as_ref().is_some_and(|abort| abort.cell == cell)
    }

    /// Returns the shell whose cells are to be aborted, if one has failed.
    pub(super) fn end_abort(&mut self) -> Option<Shell> {
        self.abort.take().map(|abort| abort.shell)
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;
    use crate::lifecycle::MAIN;

    #[test]
    fn control_goes_before_the_shell_messages_that_came_after_it() {
        let mut turns = Turns::default();
        turns.begin(2, 1);
        assert!(!turns.is_shells());
        turns.control_heard();
        assert!(turns.is_shells());
        turns.shell_heard();
        // What comes on control from here on came after the second, too.
        turns.control_heard();
        assert!(turns.is_shells());
        turns.shell_heard();
        assert!(turns.are_over() && !turns.is_shells());
    }

    #[test]
    fn behind_a_failed_cell_only_what_was_there_is_heard() {
        let mut turns = Turns::default();
        turns.begin(5, 0);
        turns.begin_abort(7, MAIN, 2);
        assert!(turns.are_over() && turns.are_aborting() && turns.is_failed(7));
        assert_eq!(turns.allowed(9), 2);
        turns.begin(2, 0);
        turns.shell_heard();
        turns.shell_heard();
        assert!(!turns.are_aborting() && turns.is_failed(7));
        assert_eq!(turns.allowed(7), 0);
        assert_eq!(turns.end_abort(), Some(MAIN));
        assert_eq!(turns.allowed(7), 7);
    }
}
