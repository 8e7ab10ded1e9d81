//! Interrupts: a thread that waits at a breakpoint cannot be interrupted there, so its breakpoints are taken away and it is told to
//! go on before the signal is sent. They come back when the cell has ended, or has had its time.
//!
//! An interrupt ends in a signal, whatever pydevd does or does not answer, unless the cell has ended before it.

use super::{Machine, Phase};
use crate::debug::vocabulary::{Action, Command, Purpose};

/// How far an interrupt of a stopped thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Interrupt {
    /// The threads were told to go on, or the session to end.
    Resuming,
    /// The signal was sent, and the cell has not ended.
    Signalled,
}

impl Machine {
    /// Whether what is stopped is being let go for an interrupt, and [`Action::Signal`] is still to come.
    pub fn interrupts(&self) -> bool {
        self.interrupt == Some(Interrupt::Resuming)
    }

    /// Whether pydevd has been told of no breakpoints, until the interrupted cell has ended.
    pub fn is_cleared(&self) -> bool {
        self.cleared
    }

    pub(super) fn interrupt(&mut self, runs: bool, out: &mut Vec<Action>) {
        self.cell_runs = runs;
        match self.phase {
            Phase::Attached | Phase::Ready if self.is_stopped() => {
                if self.interrupt != Some(Interrupt::Resuming) {
                    self.resume(out);
                }
            }
            Phase::Draining => {
                if self.interrupt != Some(Interrupt::Resuming) {
                    self.interrupt = Some(Interrupt::Resuming);
                    out.push(Action::AwaitInterrupt);
                }
            }
            _ => {
                out.push(Action::Signal);
                if self.phase == Phase::Off && self.works_something_out() {
                    // What a thread still works out for the session that is over is ended by it, and not the cell.
                    self.interrupt = Some(Interrupt::Signalled);
                    out.push(Action::AwaitCell);
                }
            }
        }
    }

    pub(super) fn resume(&mut self, out: &mut Vec<Action>) {
        self.interrupt = Some(Interrupt::Resuming);
        if !self.cleared {
            self.cleared = true;
            out.push(Action::ClearBreakpoints);
        }
        let seq = self.send(Purpose::Resume, None, out);
        self.resuming = Some(seq);
        out.push(Action::AwaitInterrupt);
    }

    pub(super) fn signal(&mut self, out: &mut Vec<Action>) {
        out.push(Action::Signal);
        if self.cell_runs {
            self.interrupt = Some(Interrupt::Signalled);
            out.push(Action::AwaitCell);
        } else {
            self.cell_ended(out);
        }
    }

    /// What the interrupt waits for has not come in time.
    pub(super) fn interrupt_late(&mut self, out: &mut Vec<Action>) {
        if self.interrupt != Some(Interrupt::Resuming) {
            return;
        }
        if !self.cell_runs && self.phase != Phase::Draining {
            // What waits is no cell's thread, and a second signal would be the next cell's.
            return self.signal(out);
        }
        // Whatever keeps the thread from going on, such as an expression that it evaluates, is to end.
        out.push(Action::Signal);
        if self.is_stopped() && self.phase != Phase::Draining {
            out.push(Action::AwaitInterrupt);
        } else {
            self.interrupt = Some(Interrupt::Signalled);
            out.push(Action::AwaitCell);
        }
    }

    fn works_something_out(&self) -> bool {
        let mut asked = self.outstanding.values();
        asked.any(|asked| asked.purpose == Purpose::Client(Command::Frame))
    }

    pub(super) fn cell_ended(&mut self, out: &mut Vec<Action>) {
        if self.phase == Phase::Draining {
            return;
        }
        // A signal that is still to come would be the next cell's.
        self.interrupt = None;
        if std::mem::take(&mut self.cleared) && matches!(self.phase, Phase::Ready | Phase::Attached) {
            out.push(Action::Restore);
        }
    }

    /// The interrupted cell has had its time.
    pub(super) fn cell_late(&mut self, out: &mut Vec<Action>) {
        if self.interrupt == Some(Interrupt::Signalled) {
            self.cell_ended(out);
        }
    }
}
