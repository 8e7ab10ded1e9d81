//! A session as the io loop has it, with a pydevd that answers what it is told to.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::debug::{Output, Session, State};

/// How long a cell waits for its breakpoints, in `drupe.debugger`.
const WAITS: Duration = Duration::from_secs(2);

struct Driven {
    session: Session,
    key: u64,
    /// What pydevd was sent and has not answered.
    sent: Vec<Value>,
}

impl Driven {
    /// A session that is attached, with a breakpoint.
    fn attached() -> Self {
        let mut driven = Driven {
            session: Session::new(Path::new("/cells")),
            key: 0,
            sent: Vec::new(),
        };
        driven.ask("initialize", &json!({}));
        let answer = json!({ "version": "1", "attach": {} });
        let outputs = driven.session.started(Ok(answer));
        driven.note(outputs);
        let outputs = driven.session.connected();
        driven.note(outputs);
        driven.answer_all();
        driven.ask("attach", &json!({}));
        driven.answer_all();
        let (source, breakpoints) = (json!({ "path": "/a.py" }), json!([{ "line": 1 }]));
        driven.ask(
            "setBreakpoints",
            &json!({ "source": source, "breakpoints": breakpoints }),
        );
        driven.answer_all();
        assert_eq!(driven.session.state(), State::Attached);
        driven
    }

    fn note(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            if let Output::Write(frame) = output {
                let text = String::from_utf8_lossy(&frame).into_owned();
                let (_, message) = text.split_once("\r\n\r\n").expect("a frame");
                self.sent.push(serde_json::from_str(message).expect("a message"));
            }
        }
    }

    fn ask(&mut self, command: &str, arguments: &Value) {
        self.key += 1;
        let content = json!({ "command": command, "arguments": arguments });
        let content = content.as_object().cloned().expect("an object");
        let outputs = self.session.request(self.key, content);
        self.note(outputs);
    }

    fn hear(&mut self, message: &Value) {
        let incoming = serde_json::from_str(&message.to_string()).expect("a message");
        let outputs = self.session.hear(&incoming);
        self.note(outputs);
    }

    /// pydevd answers what it was sent, and what it is sent in turn.
    fn answer_all(&mut self) {
        while !self.sent.is_empty() {
            for request in std::mem::take(&mut self.sent) {
                self.hear(&json!({
                    "type": "response", "request_seq": request["seq"], "success": true, "body": {}
                }));
            }
        }
    }

    /// A cell stops, is interrupted there and ends. pydevd has not answered for its breakpoints then.
    fn interrupt_a_stopped_cell(&mut self) {
        self.hear(&json!({ "type": "event", "event": "stopped", "body": { "threadId": 1 } }));
        self.answer_all();
        assert_eq!(self.session.state(), State::Stopped);
        let outputs = self.session.interrupt(true);
        self.note(outputs);
        self.answer_all();
        assert!(self.session.restores(), "they are away");
        let outputs = self.session.cell_ended();
        self.note(outputs);
        let restored: Vec<&Value> = self.sent.iter().map(|sent| &sent["command"]).collect();
        assert_eq!(restored, ["setBreakpoints"]);
    }

    fn at(&mut self, time: Instant) {
        let outputs = self.session.due(time);
        self.note(outputs);
    }
}

#[test]
fn breakpoints_are_back_when_pydevd_has_answered() {
    let mut driven = Driven::attached();
    driven.interrupt_a_stopped_cell();
    assert!(driven.session.restores());
    driven.answer_all();
    assert!(!driven.session.restores());
}

#[test]
fn a_restore_that_is_never_answered_makes_one_cell_wait_and_no_other() {
    let mut driven = Driven::attached();
    let before = Instant::now();
    driven.interrupt_a_stopped_cell();
    driven.at(before + WAITS);
    assert!(driven.session.restores(), "the cell behind it waits");
    driven.at(Instant::now() + WAITS);
    assert!(!driven.session.restores(), "and none after that");
    // What comes late is no answer to the next restore.
    let late = std::mem::take(&mut driven.sent);
    driven.interrupt_a_stopped_cell();
    let next = std::mem::replace(&mut driven.sent, late);
    driven.answer_all();
    assert!(driven.session.restores());
    driven.sent = next;
    driven.answer_all();
    assert!(!driven.session.restores());
}
