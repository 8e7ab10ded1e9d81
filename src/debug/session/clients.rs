//! The clients' side of a session: who has asked what and waits for the answer, and all that clients are told.
//!
//! - A request is answered once: the answer takes it off the list, and what is not on the list has no answer.
//! - Each message has the next `seq`, in the order in which they were made.
//! - Events are kept back between [`Clients::hold`] and [`Clients::release`], and go in that order then. Replies never are.

use std::collections::HashMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Output;
use crate::debug::protocol::{self, Incoming, Response};
use crate::debug::vocabulary::Key;

/// A client's request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) command: String,
    pub(super) arguments: Map<String, Value>,
    /// As the client counts.
    seq: Value,
}

impl Asked {
    /// The content of a `debug_request`, which may be anything.
    pub(super) fn read(mut content: Map<String, Value>) -> Self {
        Asked {
            command: match content.remove("command") {
                Some(Value::String(command)) => command,
                _ => String::new(),
            },
            arguments: match content.remove("arguments") {
                Some(Value::Object(arguments)) => arguments,
                _ => Map::new(),
            },
            seq: content.remove("seq").unwrap_or_else(|| json!(0)),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Clients {
    asked: HashMap<Key, Asked>,
    /// The `seq` of the last message.
    seq: u64,
    holds: bool,
    held: Vec<Bytes>,
}

impl Clients {
    pub(super) fn admit(&mut self, key: Key, asked: Asked) {
        self.asked.insert(key, asked);
    }

    /// The request, while it is not answered.
    pub(super) fn asked(&self, key: Key) -> Option<&Asked> {
        self.asked.get(&key)
    }

    /// Those that are not answered.
    pub(super) fn waiting(&self) -> Vec<Key> {
        self.asked.keys().copied().collect()
    }

    pub(super) fn succeed(&mut self, key: Key, body: &Value) -> Option<Output> {
        let asked = self.asked.remove(&key)?;
        Some(self.reply(key, &asked, None, body))
    }

    pub(super) fn refuse(&mut self, key: Key, why: &str) -> Option<Output> {
        self.fail(key, why, &json!({}))
    }

    /// As [`Clients::refuse`], with a body.
    pub(super) fn fail(&mut self, key: Key, why: &str, body: &Value) -> Option<Output> {
        let asked = self.asked.remove(&key)?;
        Some(self.reply(key, &asked, Some(why), body))
    }

    /// A success of pydevd's, as it came: it may be large.
    pub(super) fn pass_on(&mut self, key: Key, incoming: &Incoming) -> Option<Output> {
        let mut asked = self.asked.remove(&key)?;
        if asked.command == "copyToGlobals" {
            "setExpression".clone_into(&mut asked.command);
        }
        Some(match &incoming.body {
            Some(body) => self.reply(key, &asked, None, body),
            None => self.reply(key, &asked, None, json!({})),
        })
    }

    /// An event, unless it is kept back.
    pub(super) fn event(&mut self, name: &str, body: &Value) -> Option<Output> {
        self.seq += 1;
        let content = protocol::event(self.seq, name, body);
        if self.holds {
            self.held.push(content);
            return None;
        }
        Some(Output::Event(content))
    }

    pub(super) fn hold(&mut self) {
        self.holds = true;
    }

    /// The events that were kept back.
    pub(super) fn release(&mut self) -> impl Iterator<Item = Output> {
        self.holds = false;
        self.held.drain(..).map(Output::Event)
    }

    fn reply(&mut self, key: Key, asked: &Asked, failed: Option<&str>, body: impl Serialize) -> Output {
        self.seq += 1;
        let mut response = Response::new(self.seq, &asked.seq, &asked.command, body);
        response.success = failed.is_none();
        response.message = failed;
        Output::Answer {
            key,
            content: response.content(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: Option<Output>) -> Value {
        match output {
            Some(Output::Answer { content, .. } | Output::Event(content)) => {
                serde_json::from_slice(&content).unwrap_or_default()
            }
            _ => Value::Null,
        }
    }

    fn ask(clients: &mut Clients, key: Key, content: &Value) {
        clients.admit(key, Asked::read(content.as_object().cloned().unwrap_or_default()));
    }

    #[test]
    fn a_request_is_answered_once() {
        let mut clients = Clients::default();
        ask(&mut clients, 5, &json!({ "command": "threads", "seq": 40 }));
        assert_eq!(clients.waiting(), [5]);
        let expected = json!({
            "type": "response", "seq": 1, "request_seq": 40, "command": "threads", "success": true, "body": { "a": 1 }
        });
        assert_eq!(read(clients.succeed(5, &json!({ "a": 1 }))), expected);
        assert_eq!(clients.refuse(5, "no"), None);
        assert!(clients.waiting().is_empty());
    }

    #[test]
    fn what_is_no_request_is_refused_as_whole_as_any_other() {
        let mut clients = Clients::default();
        ask(
            &mut clients,
            1,
            &json!({ "command": 7, "arguments": "x", "seq": null }),
        );
        let expected = json!({
            "type": "response", "seq": 1, "request_seq": null, "command": "", "success": false, "message": "no", "body": {}
        });
        assert_eq!(read(clients.refuse(1, "no")), expected);
    }

    #[test]
    fn events_that_are_kept_back_go_in_their_order_and_replies_do_not_wait() {
        let mut clients = Clients::default();
        ask(&mut clients, 1, &json!({ "command": "threads" }));
        clients.hold();
        assert_eq!(clients.event("stopped", &json!({})), None);
        assert_eq!(clients.event("output", &json!({})), None);
        assert_eq!(read(clients.succeed(1, &json!({})))["seq"], 3);
        let released: Vec<Value> = clients.release().map(|output| read(Some(output))).collect();
        let told: Vec<_> = released
            .iter()
            .map(|event| (&event["event"], &event["seq"]))
            .collect();
        assert_eq!(
            told,
            [(&json!("stopped"), &json!(1)), (&json!("output"), &json!(2))]
        );
        assert_eq!(read(clients.event("continued", &json!({})))["seq"], 4);
    }
}
