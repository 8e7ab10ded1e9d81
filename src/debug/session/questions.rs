//! Questions to the helper in Python: one at a time, since each may wait for the GIL or run code of the user's.
//!
//! - The helper is at one question, and is given the next when it has answered, however late that is.
//! - A question that is asked again before the helper is at it is asked once: the answer is everybody's. Once the helper is at it, what
//!   it finds may be older than a question that comes then, which is asked again.
//! - Whoever asks is told to somebody once, by [`Questions::answered`] or by [`Questions::late`].

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::Helper;
use super::clients::Asked;
use crate::debug::vocabulary::Key;

/// The variables of the namespace as they were told last are told again where the helper is late.
const INSPECT: &str = "inspectVariables";

#[derive(Debug)]
struct Question {
    number: u64,
    text: Bytes,
    inspects: bool,
    keys: Vec<Key>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// What the helper is at.
    at: Option<Question>,
    /// What it is asked next.
    waiting: VecDeque<Question>,
    last: u64,
    /// The last answer to `inspectVariables`.
    snapshot: Option<Value>,
}

impl Questions {
    /// Ask what a client asks. The number of the question, where it is a new one.
    pub(super) fn ask(&mut self, key: Key, asked: &Asked) -> Option<u64> {
        let text = json!({ "command": asked.command, "arguments": asked.arguments });
        let text: Bytes = text.to_string().into();
        if let Some(same) = self.waiting.iter_mut().find(|question| question.text == text) {
            same.keys.push(key);
            return None;
        }
        self.last += 1;
        self.waiting.push_back(Question {
            number: self.last,
            text,
            inspects: asked.command == INSPECT,
            keys: vec![key],
        });
        Some(self.last)
    }

    /// What the helper is to be asked now, where it is at nothing.
    pub(super) fn next(&mut self) -> Option<Helper> {
        if self.at.is_some() {
            return None;
        }
        let question = self.waiting.pop_front()?;
        let (number, text) = (question.number, question.text.clone());
        self.at = Some(question);
        Some(Helper::Ask {
            question: number,
            text,
        })
    }

    /// The helper has answered: who is to be told.
    pub(super) fn answered(&mut self, number: u64, answer: &Result<Value, String>) -> Vec<Key> {
        let Some(question) = self.at.take_if(|question| question.number == number) else {
            return Vec::new();
        };
        if let Ok(body) = answer
            && question.inspects
            && !question.keys.is_empty()
        {
            self.snapshot = Some(body.clone());
        }
        question.keys
    }

    /// The helper has not answered in time, or not even been asked: who is to be told, and with what, if there is anything.
    pub(super) fn late(&mut self, number: u64) -> (Vec<Key>, Option<Value>) {
        let mut all = self.at.iter_mut().chain(self.waiting.iter_mut());
        let Some(question) = all.find(|question| question.number == number) else {
            return (Vec::new(), None);
        };
        let keys = std::mem::take(&mut question.keys);
        let known = self.snapshot.clone().filter(|_| question.inspects);
        self.waiting.retain(|question| question.number != number);
        (keys, known)
    }

    /// Nobody waits any more.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(command: &str, argument: u64) -> Asked {
        let content = json!({ "command": command, "arguments": { "argument": argument } });
        Asked::read(content.as_object().cloned().unwrap_or_default())
    }

    fn number(helper: Option<Helper>) -> Option<u64> {
        match helper? {
            Helper::Ask { question, .. } => Some(question),
            _ => None,
        }
    }

    #[test]
    fn the_same_question_is_asked_once_for_all_who_wait_and_again_for_who_comes_later() {
        let mut questions = Questions::default();
        assert_eq!(questions.ask(1, &asked("modules", 0)), Some(1));
        assert_eq!(number(questions.next()), Some(1));
        assert_eq!(questions.ask(2, &asked("modules", 0)), Some(2));
        assert_eq!(questions.ask(3, &asked("modules", 0)), None);
        assert_eq!(questions.ask(4, &asked("modules", 1)), Some(3));
        assert_eq!(questions.next(), None, "one at a time");
        assert_eq!(questions.answered(1, &Ok(json!({}))), [1]);
        assert_eq!(number(questions.next()), Some(2));
        assert_eq!(questions.answered(2, &Err("no".to_owned())), [2, 3]);
        assert_eq!(number(questions.next()), Some(3));
        assert_eq!(questions.answered(3, &Ok(json!({}))), [4]);
        assert_eq!(questions.next(), None);
    }

    #[test]
    fn a_helper_that_is_late_is_asked_nothing_else_and_nobody_is_told_twice() {
        let mut questions = Questions::default();
        questions.ask(1, &asked("modules", 0));
        questions.next();
        questions.ask(2, &asked("modules", 1));
        questions.ask(3, &asked("modules", 2));
        assert_eq!(questions.late(1), (vec![1], None));
        assert_eq!(questions.late(1), (vec![], None));
        assert_eq!(questions.late(2), (vec![2], None), "it was never asked");
        assert_eq!(questions.next(), None);
        assert!(questions.answered(7, &Ok(json!({}))).is_empty());
        assert_eq!(questions.next(), None, "it is still at the first");
        assert!(questions.answered(1, &Ok(json!({}))).is_empty());
        assert_eq!(number(questions.next()), Some(3));
    }

    #[test]
    fn variables_that_were_told_before_are_told_again_where_the_helper_is_late() {
        let mut questions = Questions::default();
        let (inspects, told) = (asked(INSPECT, 0), json!({ "variables": [1] }));
        questions.ask(1, &inspects);
        questions.next();
        assert_eq!(questions.answered(1, &Ok(told.clone())), [1]);
        questions.ask(2, &inspects);
        questions.next();
        assert_eq!(questions.answered(2, &Err("no".to_owned())), [2]);
        questions.ask(3, &inspects);
        questions.next();
        questions.ask(4, &asked("modules", 0));
        assert_eq!(questions.late(3), (vec![3], Some(told)));
        assert_eq!(questions.late(4), (vec![4], None), "what it is of is known alone");
    }
}
