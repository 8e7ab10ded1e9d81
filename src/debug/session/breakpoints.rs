//! The breakpoints of a session, so that pydevd can be told of none for a moment, and of all of them again.
//!
//! - They are remembered as they are asked for, before pydevd has answered, and on the lines that pydevd has put them.
//! - [`Breakpoints::clear`] forgets none of them. [`Breakpoints::restore`] tells pydevd of all that are remembered then, also
//!   those that were asked for in between.
//! - They are away from the one until pydevd has answered all requests of the other, or is not waited for any more
//!   ([`Breakpoints::are_restored`]).

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use crate::debug::commands::path_of;
use crate::debug::vocabulary::Seq;

const IN_FILE: &str = "setBreakpoints";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Breakpoints {
    /// The arguments of `setBreakpoints`, by path, with the lines that pydevd has made of them.
    in_files: BTreeMap<String, Value>,
    /// The arguments of `setExceptionBreakpoints` and `setFunctionBreakpoints`, by command.
    others: BTreeMap<String, Value>,
    /// The requests by which pydevd is told of them again, and has not answered.
    restoring: HashSet<Seq>,
}

impl Breakpoints {
    /// A client has sent `command`, which may be one that sets breakpoints.
    pub(super) fn remember(&mut self, command: &str, arguments: &Map<String, Value>) {
        let asked = Value::Object(arguments.clone());
        match command {
            IN_FILE => {
                let path = path_of(arguments).unwrap_or_default();
                self.in_files.insert(path.to_owned(), asked);
            }
            "setExceptionBreakpoints" | "setFunctionBreakpoints" => {
                self.others.insert(command.to_owned(), asked);
            }
            _ => {}
        }
    }

    /// pydevd's answer to the `setBreakpoints` with these arguments: it may set a breakpoint on another line than the one that
    /// was asked for.
    pub(super) fn made(&mut self, arguments: &Map<String, Value>, body: &Value) {
        let path = path_of(arguments).unwrap_or_default();
        let Some(remembered) = self.in_files.get_mut(path) else {
            return;
        };
        let asked = remembered.get_mut("breakpoints").and_then(Value::as_array_mut);
        let made = body.get("breakpoints").and_then(Value::as_array);
        for (asked, made) in asked.into_iter().flatten().zip(made.into_iter().flatten()) {
            if let (Some(asked), Some(line)) = (asked.as_object_mut(), made.get("line"))
                && line.is_number()
            {
                asked.insert("line".to_owned(), line.clone());
            }
        }
    }

    /// Tell pydevd of none. `send` sends a request to it.
    pub(super) fn clear(&self, mut send: impl FnMut(&str, &Value) -> Seq) {
        for path in self.in_files.keys() {
            let none = json!({ "source": { "path": path }, "breakpoints": [] });
            send(IN_FILE, &none);
        }
        let none = json!({ "filters": [], "exceptionOptions": [], "breakpoints": [] });
        for command in self.others.keys() {
            send(command, &none);
        }
    }

    /// Tell pydevd of all of them again. `send` sends a request to it, and returns its number, which grows. The number of the last.
    pub(super) fn restore(&mut self, mut send: impl FnMut(&str, &Value) -> Seq) -> Option<Seq> {
        let in_files = self.in_files.values().map(|arguments| (IN_FILE, arguments));
        let others = self
            .others
            .iter()
            .map(|(command, arguments)| (command.as_str(), arguments));
        let mut last = None;
        for (command, arguments) in in_files.chain(others) {
            let seq = send(command, arguments);
            self.restoring.insert(seq);
            last = Some(seq);
        }
        last
    }

    /// pydevd has answered a request, which may be one of those.
    pub(super) fn answered(&mut self, seq: Seq) {
        self.restoring.remove(&seq);
    }

    /// pydevd has had its time for what it was sent up to `last`.
    pub(super) fn late(&mut self, last: Seq) {
        self.restoring.retain(|seq| *seq > last);
    }

    /// Whether nothing is waited for by which pydevd was told of them again.
    pub(super) fn are_restored(&self) -> bool {
        self.restoring.is_empty()
    }

    /// The session is over.
    pub(super) fn forget(&mut self) {
        *self = Breakpoints::default();
    }

    /// As `debugInfo` has them.
    pub(super) fn info(&self) -> Vec<Value> {
        let info = self.in_files.iter().map(|(path, arguments)| {
            json!({ "source": path, "breakpoints": arguments.get("breakpoints").unwrap_or(&Value::Null) })
        });
        info.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn in_file(path: &str, line: u64) -> Value {
        json!({ "source": { "path": path }, "breakpoints": [{ "line": line }] })
    }

    /// What was sent to pydevd, numbered from one.
    #[derive(Default)]
    struct Sent {
        last: Seq,
        requests: Vec<(String, Value)>,
    }

    impl Sent {
        fn send(&mut self, command: &str, arguments: &Value) -> Seq {
            self.requests.push((command.to_owned(), arguments.clone()));
            self.last += 1;
            self.last
        }
    }

    fn some() -> Breakpoints {
        let mut breakpoints = Breakpoints::default();
        breakpoints.remember(IN_FILE, &arguments(&in_file("/a.py", 1)));
        breakpoints.remember(
            "setExceptionBreakpoints",
            &arguments(&json!({ "filters": ["raised"] })),
        );
        breakpoints.remember("evaluate", &arguments(&json!({ "expression": "1" })));
        breakpoints
    }

    #[test]
    fn what_is_cleared_comes_back_with_what_was_asked_for_meanwhile() {
        let (mut breakpoints, mut sent) = (some(), Sent::default());
        breakpoints.clear(|command, arguments| sent.send(command, arguments));
        let none = json!({ "source": { "path": "/a.py" }, "breakpoints": [] });
        let no_others = json!({ "filters": [], "exceptionOptions": [], "breakpoints": [] });
        let exceptions = "setExceptionBreakpoints".to_owned();
        assert_eq!(
            std::mem::take(&mut sent.requests),
            [(IN_FILE.to_owned(), none), (exceptions.clone(), no_others)]
        );
        breakpoints.remember(IN_FILE, &arguments(&in_file("/b.py", 7)));
        breakpoints.restore(|command, arguments| sent.send(command, arguments));
        assert_eq!(
            sent.requests,
            [
                (IN_FILE.to_owned(), in_file("/a.py", 1)),
                (IN_FILE.to_owned(), in_file("/b.py", 7)),
                (exceptions, json!({ "filters": ["raised"] })),
            ]
        );
    }

    #[test]
    fn they_are_restored_once_pydevd_has_answered_for_all() {
        let (mut breakpoints, mut sent) = (some(), Sent::default());
        breakpoints.clear(|command, arguments| sent.send(command, arguments));
        assert!(
            breakpoints.are_restored(),
            "nobody waits for the answers to these"
        );
        breakpoints.restore(|command, arguments| sent.send(command, arguments));
        for seq in [1, 2, 4] {
            breakpoints.answered(seq);
            assert!(!breakpoints.are_restored());
        }
        breakpoints.answered(3);
        assert!(breakpoints.are_restored());
    }

    #[test]
    fn what_pydevd_does_not_answer_in_time_is_not_waited_for_and_what_came_later_is() {
        let (mut breakpoints, mut sent) = (some(), Sent::default());
        let first = breakpoints.restore(|command, arguments| sent.send(command, arguments));
        let second = breakpoints.restore(|command, arguments| sent.send(command, arguments));
        assert_eq!((first, second), (Some(2), Some(4)));
        breakpoints.late(2);
        breakpoints.answered(4);
        assert!(!breakpoints.are_restored());
        breakpoints.late(4);
        assert!(breakpoints.are_restored());
    }

    #[test]
    fn a_breakpoint_comes_back_on_the_line_on_which_pydevd_has_put_it() {
        let (mut breakpoints, mut sent) = (some(), Sent::default());
        let made = json!({ "breakpoints": [{ "line": 2, "verified": true }, { "line": 3 }] });
        breakpoints.made(&arguments(&in_file("/a.py", 1)), &made);
        breakpoints.made(&arguments(&in_file("/unknown.py", 1)), &made);
        breakpoints.made(
            &arguments(&in_file("/a.py", 1)),
            &json!({ "breakpoints": [{ "line": "x" }] }),
        );
        breakpoints.restore(|command, arguments| sent.send(command, arguments));
        assert_eq!(
            sent.requests.first(),
            Some(&(IN_FILE.to_owned(), in_file("/a.py", 2)))
        );
        let info = json!([{ "source": "/a.py", "breakpoints": [{ "line": 2 }] }]);
        assert_eq!(Value::from(breakpoints.info()), info);
    }

    #[test]
    fn nothing_is_left_of_a_session_that_is_over() {
        let (mut breakpoints, mut sent) = (some(), Sent::default());
        breakpoints.restore(|command, arguments| sent.send(command, arguments));
        breakpoints.forget();
        assert!(breakpoints.are_restored() && breakpoints.info().is_empty());
    }
}
