//! Whose turn it is: how long one source may keep the io thread, and in which order shell and control are heard.
//!
//! Used by the io loop alone.

use std::time::{Duration, Instant};

/// How long one source may keep the loop in one turn. All of them together stay below the 5 ms within which control and
/// the heartbeat are answered.
const SHARE: Duration = Duration::from_micros(500);

/// One source's part of a turn.
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

/// A shell message takes its turn after every control message that had arrived before it: a batch of shell messages that
/// have been read is put behind the control messages that have been read after them.
#[derive(Debug, Default)]
pub(super) struct Turns {
    shell: usize,
    control: usize,
}

impl Turns {
    /// `shell` messages may be heard after `control` messages.
    pub(super) fn new(shell: usize, control: usize) -> Self {
        Turns { shell, control }
    }

    /// Whether another batch is to be made.
    pub(super) fn are_over(&self) -> bool {
        self.shell == 0
    }

    pub(super) fn is_shells(&self) -> bool {
        self.control == 0 && self.shell > 0
    }

    pub(super) fn control_heard(&mut self) {
        self.control = self.control.saturating_sub(1);
    }

    pub(super) fn shell_heard(&mut self) {
        self.shell = self.shell.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[test]
    fn control_goes_before_the_shell_messages_that_came_after_it() {
        let mut turns = Turns::new(2, 1);
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
}
