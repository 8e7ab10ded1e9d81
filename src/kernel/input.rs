//! Questions to the user: each `input()` waits here for its `input_reply` of the stdin channel.
//!
//! Several may wait at once, one in each shell and in each thread of the user's. A reply names the `input_request` that it
//! answers; one that names none, as those of clients for a terminal, is the oldest question's.
//!
//! The waiting thread polls a file descriptor, since that is what a signal interrupts; a condition variable it would
//! sleep through.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::parent::Parent;
use crate::os::{Wake, descriptor};

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Value(String),
    /// The user closed the input, or the kernel is ending: `EOFError`.
    Eof,
}

/// Given up questions whose late answers are known to be nobody's.
const REMEMBERED: usize = 64;

/// One question, from its `input()` to its answer.
pub struct Question {
    /// The request whose code asks.
    parent: Parent,
    /// It was asked when the kernel was ending already.
    is_late: bool,
    /// Wakes whoever waits.
    changed: Wake,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of the `input_request`, once it is sent.
    msg_id: Option<String>,
    answer: Option<Answer>,
    /// Whoever waited has its answer, or waits no more.
    over: bool,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question").field("parent", &self.parent).finish()
    }
}

impl Question {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request whose code asks.
    pub(super) fn parent(&self) -> &Parent {
        &self.parent
    }

    /// Whether it was asked when the kernel was ending already. An interrupt comes with the end, to those that were asked before.
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// It was sent under this number.
    pub(super) fn sent(&self, msg_id: Option<String>) {
        self.lock().msg_id = msg_id;
    }

    /// Whether somebody waits for the answer.
    pub(super) fn is_open(&self) -> bool {
        let state = self.lock();
        !state.over && state.answer.is_none()
    }

    fn answer(&self, answer: Answer) {
        self.lock().answer.get_or_insert(answer);
        self.changed.wake();
    }

    /// Wait until there may be an answer, a signal has come, or `at_most` has passed.
    pub fn wait(&self, at_most: Duration) {
        descriptor::wait([Some(self.changed.as_fd())], Some(at_most));
        self.changed.clear();
    }

    /// The answer, once it is there.
    pub fn take(&self) -> Option<Answer> {
        self.lock().answer.take()
    }
}

/// See the module.
#[derive(Default)]
pub struct Inputs(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// The oldest first.
    waiting: Vec<Arc<Question>>,
    /// The numbers of those that were given up.
    given_up: VecDeque<String>,
    closed: bool,
}

impl Inputs {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begin a question of this request's code. It is to be ended by [`Inputs::end`].
    ///
    /// # Errors
    /// Where the system has no file descriptor left.
    pub fn ask(&self, parent: Parent) -> std::io::Result<Arc<Question>> {
        let changed = Wake::new()?;
        let mut table = self.lock();
        let question = Arc::new(Question {
            parent,
            is_late: table.closed,
            changed,
            state: Mutex::default(),
        });
        table.waiting.push(Arc::clone(&question));
        if table.closed {
            question.answer(Answer::Eof);
        }
        Ok(question)
    }

    /// Nobody waits for this one any more: it has its answer, or was given up, as after an interrupt.
    pub fn end(&self, question: &Arc<Question>) {
        let mut table = self.lock();
        table.waiting.retain(|other| !Arc::ptr_eq(other, question));
        let mut state = question.lock();
        state.over = true;
        if let Some(msg_id) = state.msg_id.take() {
            if table.given_up.len() == REMEMBERED {
                table.given_up.pop_front();
            }
            table.given_up.push_back(msg_id);
        }
    }

    /// An `input_reply` came, which names this message as the one that it answers. Returns whether somebody waits for it.
    pub(super) fn answer(&self, names: Option<&str>, value: String) -> bool {
        let table = self.lock();
        let is_named =
            |question: &&Arc<Question>| question.lock().msg_id.as_deref() == names && names.is_some();
        let open = || table.waiting.iter().filter(|question| question.is_open());
        let question = open().find(is_named).or_else(|| {
            // One that was given up is not to be taken for the next.
            let stale = names.is_some_and(|name| table.given_up.iter().any(|old| old == name));
            // Where it names the cell, as some do, it is that cell's.
            let of_cell = |question: &&Arc<Question>| Some(question.parent.msg_id()) == names;
            open().find(of_cell).or_else(|| open().find(|_| !stale))
        });
        let Some(question) = question else { return false };
        // What a front-end sends for Ctrl-D.
        question.answer(if value == "\u{4}" {
            Answer::Eof
        } else {
            Answer::Value(value)
        });
        true
    }

    /// The kernel is ending: these questions and all later ones get their end of file.
    pub fn close(&self) {
        let mut table = self.lock();
        table.closed = true;
        table
            .waiting
            .iter()
            .for_each(|question| question.answer(Answer::Eof));
    }

    /// Wake whoever waits, so that they look at their signals.
    pub fn wake(&self) {
        self.lock()
            .waiting
            .iter()
            .for_each(|question| question.changed.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::EMPTY;

    fn parent(msg_id: &str) -> Parent {
        Parent::new(EMPTY, msg_id.to_owned(), Vec::new())
    }

    fn asked(inputs: &Inputs, cell: &str, msg_id: &str) -> Arc<Question> {
        let question = inputs.ask(parent(cell)).expect("a descriptor");
        question.sent(Some(msg_id.to_owned()));
        question
    }

    fn value(text: &str) -> Option<Answer> {
        Some(Answer::Value(text.to_owned()))
    }

    #[test]
    fn a_stale_answer_is_nobodys() {
        let inputs = Inputs::default();
        assert!(!inputs.answer(None, "early".into()));
        let first = asked(&inputs, "cell", "1");
        assert!(inputs.answer(None, "a".into()));
        assert!(!inputs.answer(Some("1"), "b".into()), "one question, one answer");
        assert_eq!(first.take(), value("a"));
        inputs.end(&first);
        let given_up = asked(&inputs, "cell", "2");
        inputs.end(&given_up);
        let next = asked(&inputs, "cell", "3");
        assert!(!inputs.answer(Some("2"), "late".into()));
        assert!(inputs.answer(Some("3"), "c".into()));
        assert_eq!(next.take(), value("c"));
    }

    #[test]
    fn each_has_its_own_answer() {
        let inputs = Inputs::default();
        let [a, b, c] = ["1", "2", "3"].map(|id| asked(&inputs, &format!("cell {id}"), id));
        assert!(inputs.answer(Some("2"), "b".into()));
        assert!(inputs.answer(Some("cell 3"), "c".into()));
        assert!(inputs.answer(None, "a".into()));
        assert_eq!(
            [a.take(), b.take(), c.take()],
            [value("a"), value("b"), value("c")]
        );
    }

    #[test]
    fn the_end_answers_every_question() {
        let inputs = Inputs::default();
        let [a, b] = ["1", "2"].map(|id| asked(&inputs, "cell", id));
        inputs.close();
        let late = inputs.ask(parent("cell")).expect("a descriptor");
        assert!(
            late.is_late() && !a.is_late(),
            "only who was asked before is interrupted, too"
        );
        for question in [a, b, late] {
            assert_eq!(question.take(), Some(Answer::Eof));
        }
    }
}
