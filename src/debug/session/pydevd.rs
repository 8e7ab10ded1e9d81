//! pydevd's side of a session: how far its start is, what was found out at it, and what pydevd is sent.
//!
//! - A session begins when pydevd is connected and the helper that has it started has answered: pydevd is connected some time before it
//!   traces any thread, and before the helper has said what `attach` needs ([`Pydevd::is_ready`]).
//! - What the machine sends has its numbers, and what nobody waits for has numbers that the machine never gives. None is used twice.

use serde_json::{Map, Value, json};

use super::Output;
use super::clients::Asked;
use crate::debug::commands;
use crate::debug::protocol;
use crate::debug::vocabulary::{Command, Purpose, Seq, Thread};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pydevd {
    /// What it is to be shown at the beginning of each session.
    pub(super) token: String,
    /// It is connected.
    has_come: bool,
    /// The helper has nothing more to do for the start.
    is_prepared: bool,
    /// debugpy's version.
    version: Value,
    /// What the helper would have `attach` say.
    attach: Map<String, Value>,
    /// Why there is no debugger.
    pub(super) why: String,
    /// What a client is told of it at `initialize`.
    pub(super) capabilities: Value,
    /// Requests that nobody waits for.
    written: u64,
}

impl Pydevd {
    /// A helper is to start it.
    pub(super) fn starts(&mut self) {
        self.is_prepared = false;
    }

    /// It has connected.
    pub(super) fn comes(&mut self) {
        self.has_come = true;
    }

    /// The helper's answer: debugpy's `version`, and what `attach` is to say; or why there is no debugger.
    pub(super) fn prepared(&mut self, answer: Result<Value, String>) {
        self.is_prepared = true;
        match answer {
            Ok(mut answer) => {
                self.version = answer["version"].take();
                if let Value::Object(attach) = answer["attach"].take() {
                    self.attach = attach;
                }
            }
            Err(why) => self.why = why,
        }
    }

    pub(super) fn has_come(&self) -> bool {
        self.has_come
    }

    /// Whether a session can begin.
    pub(super) fn is_ready(&self) -> bool {
        self.has_come && self.is_prepared
    }

    /// What debugpy's own adapter says first: the bodies of its `output` events.
    pub(super) fn greeting(&self) -> [Value; 2] {
        ["ptvsd", "debugpy"].map(|name| {
            json!({ "category": "telemetry", "output": name, "data": { "packageVersion": self.version } })
        })
    }

    /// pydevd's command and arguments for a client's request.
    ///
    /// # Errors
    /// A sentence, where the client's arguments will not do.
    pub(super) fn translate(&self, asked: &Asked) -> Result<(String, Value), String> {
        commands::translate(&asked.command, &asked.arguments, &self.attach)
    }

    /// Send what the machine says. `asked` is the client's request, where it is a client's. `None` where that is not known or will
    /// not do, which was found out before the machine was told.
    pub(super) fn send(&self, seq: Seq, purpose: Purpose, asked: Option<&Asked>) -> Option<Output> {
        let (command, arguments) = match purpose {
            Purpose::Client(_) => self.translate(asked?).ok()?,
            Purpose::Threads => ("threads".to_owned(), json!({})),
            Purpose::ConfigurationDone => ("configurationDone".to_owned(), json!({})),
            Purpose::Resume => ("continue".to_owned(), json!({ "threadId": "*" })),
            Purpose::Disconnect => (
                "disconnect".to_owned(),
                json!({ "restart": false, "terminateDebuggee": false }),
            ),
        };
        Some(Output::Write(protocol::request(seq, &command, &arguments)))
    }

    /// Send a request whose answer no client waits for. Its number, and what is to be done.
    pub(super) fn write(&mut self, command: &str, arguments: &Value) -> (Seq, Output) {
        self.written += 1;
        let seq = Seq::from(u32::MAX) + self.written;
        (seq, Output::Write(protocol::request(seq, command, arguments)))
    }

    /// Show it who speaks: whoever has disconnected has to show it again.
    pub(super) fn authorize(&mut self) -> Output {
        let shown = json!({ "debugServerAccessToken": self.token });
        self.write("pydevdAuthorize", &shown).1
    }

    /// Have a stopped thread find out at once that it may go on: it looks five times a second, and when it is asked something.
    pub(super) fn wake(&mut self, thread: Thread) -> Output {
        self.write("exceptionInfo", &json!({ "threadId": thread })).1
    }
}

/// Whether a stopped thread goes on by it.
pub(super) fn lets_go(purpose: Purpose) -> bool {
    matches!(
        purpose,
        Purpose::Client(Command::Continue | Command::Disconnect) | Purpose::Resume | Purpose::Disconnect
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_can_begin_when_pydevd_has_come_and_the_helper_has_answered() {
        let mut pydevd = Pydevd::default();
        pydevd.starts();
        pydevd.comes();
        assert!(!pydevd.is_ready());
        pydevd.prepared(Ok(json!({ "version": "1", "attach": { "justMyCode": true } })));
        assert!(pydevd.is_ready());
        let asked = json!({ "command": "attach" });
        let asked = Asked::read(asked.as_object().cloned().unwrap_or_default());
        let (_, attach) = pydevd.translate(&asked).unwrap_or_default();
        assert_eq!(attach["justMyCode"], true);
        assert!(
            pydevd
                .greeting()
                .iter()
                .all(|said| said["data"]["packageVersion"] == "1")
        );
    }

    #[test]
    fn a_number_is_never_used_twice() {
        let mut pydevd = Pydevd::default();
        let (first, _) = pydevd.write("threads", &json!({}));
        let (second, _) = pydevd.write("threads", &json!({}));
        assert!(Seq::from(u32::MAX) < first && first < second);
    }
}
