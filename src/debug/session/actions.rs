//! What the machine would have done, done: requests to pydevd, answers to clients, and the timers behind both.

use serde_json::{Value, json};

use super::answers::{self, refusal};
use super::pydevd::lets_go;
use super::timers::{self, Timer};
use super::{Helper, Output, Session};
use crate::debug::protocol::Incoming;
use crate::debug::vocabulary::{Action, Answer, Command, Key, Purpose, Refusal, Seq};

impl Session {
    /// `incoming` is pydevd's answer, where that is what has happened.
    pub(super) fn perform(&mut self, action: Action, incoming: Option<&Incoming>) {
        match action {
            Action::Start => {
                self.pydevd.starts();
                self.after(timers::START, Timer::Start);
                self.out.push(Output::Helper(Helper::Start));
            }
            Action::Send { seq, purpose, key } => self.send(seq, purpose, key),
            Action::Answer { key, answer } => self.answer(key, answer, incoming),
            Action::Hold => self.clients.hold(),
            Action::Release => self.out.extend(self.clients.release()),
            Action::ClearBreakpoints => self.breakpoints.clear(|command, arguments| {
                let (seq, output) = self.pydevd.write(command, arguments);
                self.out.push(output);
                seq
            }),
            Action::Restore => {
                let last = self.breakpoints.restore(|command, arguments| {
                    let (seq, output) = self.pydevd.write(command, arguments);
                    self.out.push(output);
                    seq
                });
                if let Some(last) = last {
                    self.after(timers::RESTORE, Timer::Restore(last));
                }
            }
            Action::Signal => self.out.push(Output::Signal),
            Action::AwaitInterrupt => {
                let patience = timers::interrupt(self.machine.has_ended());
                self.after(patience, Timer::Interrupt);
            }
            Action::AwaitCell => self.after(timers::CELL, Timer::Cell),
            Action::Free => self.out.push(Output::Helper(Helper::Free)),
            Action::Forget => self.breakpoints.forget(),
        }
    }

    fn send(&mut self, seq: Seq, purpose: Purpose, key: Option<Key>) {
        self.after(timers::answer(purpose), Timer::Late(seq));
        let asked = key.and_then(|key| self.clients.asked(key));
        let Some(output) = self.pydevd.send(seq, purpose, asked) else {
            return;
        };
        if purpose == Purpose::Client(Command::Initialize) {
            self.out.push(self.pydevd.authorize());
        }
        self.out.push(output);
        if lets_go(purpose) {
            let stopped = self.machine.stopped();
            self.out.extend(stopped.map(|thread| self.pydevd.wake(thread)));
        }
    }

    fn answer(&mut self, key: Key, answer: Answer, incoming: Option<&Incoming>) {
        match answer {
            Answer::Pydevds => {
                if let Some(incoming) = incoming {
                    self.pass_on(key, incoming);
                }
            }
            Answer::Capabilities => {
                let capabilities = &self.pydevd.capabilities;
                self.out.extend(self.clients.succeed(key, capabilities));
            }
            Answer::Done => {
                let asked = self.clients.asked(key);
                let body = match asked.map(|asked| asked.command.as_str()) {
                    Some("continue") => json!({ "allThreadsContinued": true }),
                    _ => json!({}),
                };
                self.succeed(key, &body);
            }
            Answer::Refused(Refusal::NoDebugger) => {
                self.out.extend(self.clients.refuse(key, &self.pydevd.why));
            }
            Answer::Refused(why) => self.refuse(key, refusal(why)),
        }
    }

    /// pydevd's answer becomes the client's.
    fn pass_on(&mut self, key: Key, incoming: &Incoming) {
        let Some(asked) = self.clients.asked(key) else {
            return;
        };
        if !incoming.success {
            let body = match asked.command.as_str() {
                // What was evaluated for it is the kernel's own.
                "richInspectVariables" => json!({}),
                _ => incoming.read(),
            };
            let why = incoming.message.as_deref().unwrap_or_default();
            return self.out.extend(self.clients.fail(key, why, &body));
        }
        let Some(body) = answers::body(&asked.command, incoming) else {
            return self.out.extend(self.clients.pass_on(key, incoming));
        };
        match asked.command.as_str() {
            "setBreakpoints" => self.breakpoints.made(&asked.arguments, &body),
            "initialize" => return self.introduce(key, body),
            _ => {}
        }
        self.succeed(key, &body);
    }

    /// pydevd has been initialized: its capabilities are told, and what debugpy's own adapter says first.
    fn introduce(&mut self, key: Key, capabilities: Value) {
        self.succeed(key, &capabilities);
        self.pydevd.capabilities = capabilities;
        for body in self.pydevd.greeting() {
            self.publish("output", &body);
        }
    }
}
