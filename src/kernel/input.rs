//! One question to the user at a time: `input()` waits here for the `input_reply` of the stdin channel.
//!
//! The waiting thread polls a file descriptor, since that is what a signal interrupts; a condition variable it would
//! sleep through.

use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::os::{Wake, descriptor};

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Value(String),
    /// The user closed the input, or the kernel is ending: `EOFError`.
    Eof,
}

#[derive(Default)]
struct State {
    asked: bool,
    answer: Option<Answer>,
    closed: bool,
}

/// See the module.
pub struct InputSlot {
    state: Mutex<State>,
    changed: Wake,
}

impl InputSlot {
    /// # Errors
    /// Where the system has no file descriptor left.
    pub fn new() -> std::io::Result<Self> {
        Ok(InputSlot {
            state: Mutex::default(),
            changed: Wake::new()?,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begin a question. An answer that belongs to an earlier one is forgotten.
    pub fn ask(&self) {
        let mut state = self.lock();
        self.changed.clear();
        state.asked = true;
        state.answer = state.closed.then_some(Answer::Eof);
        if state.closed {
            self.changed.wake();
        }
    }

    /// The answer, once it is there. It ends the question.
    pub fn take(&self) -> Option<Answer> {
        let mut state = self.lock();
        let answer = state.answer.take()?;
        state.asked = false;
        self.changed.clear();
        Some(answer)
    }

    /// Give up the question, as after an interrupt.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.asked = false;
        state.answer = None;
        self.changed.clear();
    }

    /// An `input_reply` came. Returns whether somebody waits for it.
    pub fn answer(&self, value: String) -> bool {
        let mut state = self.lock();
        if !state.asked || state.answer.is_some() {
            return false;
        }
        // What a front-end sends for Ctrl-D.
        state.answer = Some(if value == "\u{4}" {
            Answer::Eof
        } else {
            Answer::Value(value)
        });
        self.changed.wake();
        true
    }

    /// The kernel is ending: this question and all later ones get their end of file.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        if state.asked {
            state.answer = Some(Answer::Eof);
        }
        self.changed.wake();
    }

    /// Whether somebody waits for an answer.
    pub fn is_asked(&self) -> bool {
        let state = self.lock();
        state.asked && state.answer.is_none() && !state.closed
    }

    /// Wake whoever waits, so that they look at their signals.
    pub fn wake(&self) {
        self.changed.wake();
    }

    /// Wait until there may be an answer, a signal has come, or `at_most` has passed.
    pub fn wait(&self, at_most: Duration) {
        descriptor::wait([Some(self.changed.as_fd())], Some(at_most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_answer_is_nobodys() {
        let slot = InputSlot::new().expect("a descriptor");
        assert!(!slot.answer("early".into()));
        slot.ask();
        assert!(slot.answer("a".into()));
        assert!(!slot.answer("b".into()), "one question, one answer");
        assert_eq!(slot.take(), Some(Answer::Value("a".into())));
        slot.ask();
        slot.abandon();
        assert!(!slot.answer("late".into()));
    }

    #[test]
    fn the_end_answers_every_question() {
        let slot = InputSlot::new().expect("a descriptor");
        slot.ask();
        slot.close();
        assert_eq!(slot.take(), Some(Answer::Eof));
        slot.ask();
        assert_eq!(slot.take(), Some(Answer::Eof));
    }
}
