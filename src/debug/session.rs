//! One session after the other, as the io loop sees them: requests, pydevd's messages, a helper's answers and timers go in,
//! and what is to be sent, asked and answered comes out.
//!
//! The [`Machine`] decides. Each side has what it must remember in a type of its own: the [`Clients`], [`Pydevd`], the helper in
//! Python ([`Questions`]), the [`Breakpoints`] and the [`Timers`]. This is the wiring between them: what comes in stands here, what
//! becomes of a client's request in [`requests`], what the machine would have done in [`actions`]. Nothing here waits.

mod actions;
mod answers;
mod breakpoints;
mod clients;
mod pydevd;
mod questions;
mod requests;
mod timers;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use self::breakpoints::Breakpoints;
use self::clients::Clients;
use self::pydevd::Pydevd;
use self::questions::Questions;
use self::timers::{Timer, Timers};
use super::cells::Job;
use super::machine::Machine;
use super::protocol::Incoming;
use super::vocabulary::{Event, Key, Refusal, State};

/// What a helper in Python is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Helper {
    /// Import debugpy, and have pydevd connect.
    Start,
    /// Let every stopped thread go: nobody else can any more.
    Free,
    /// A thread has stopped: leave a snapshot of its frame, for completion and inspection.
    Look,
    /// Answer a question: JSON with `command` and `arguments`.
    Ask { question: u64, text: Bytes },
}

/// What the io loop is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A reply: its content.
    Answer {
        key: Key,
        content: Bytes,
    },
    /// An event for the clients: its content.
    Event(Bytes),
    /// For pydevd.
    Write(Bytes),
    /// For the thread of files.
    File {
        key: Key,
        job: Job,
    },
    Helper(Helper),
    /// Interrupt the main thread.
    Signal,
}

/// See the module.
pub struct Session {
    machine: Machine,
    /// Where cells are written.
    folder: PathBuf,
    clients: Clients,
    pydevd: Pydevd,
    questions: Questions,
    breakpoints: Breakpoints,
    timers: Timers,
    /// What is to be done, in order: what each call returns.
    out: Vec<Output>,
}

impl Session {
    /// There is no session. `folder` is where cells are written.
    pub fn new(folder: &Path) -> Self {
        Session {
            machine: Machine::default(),
            folder: folder.to_owned(),
            clients: Clients::default(),
            pydevd: Pydevd::default(),
            questions: Questions::default(),
            breakpoints: Breakpoints::default(),
            timers: Timers::default(),
            out: Vec::new(),
        }
    }

    pub fn state(&self) -> State {
        self.machine.state()
    }

    pub fn is_stopped(&self) -> bool {
        self.machine.is_stopped()
    }

    /// Whether pydevd is without breakpoints for a moment: from an interrupt of what was stopped until it knows them again,
    /// or has not said so in time.
    pub fn restores(&self) -> bool {
        self.machine.is_cleared() || !self.breakpoints.are_restored()
    }

    /// Whether what is stopped is being let go for an interrupt, and the signal is still to be sent.
    pub fn interrupts(&self) -> bool {
        self.machine.interrupts()
    }

    // Timers.

    /// When [`Session::due`] is to be called.
    pub fn next(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What was to be done by `now`.
    pub fn due(&mut self, now: Instant) -> Vec<Output> {
        while let Some(timer) = self.timers.take(now) {
            match timer {
                Timer::Start => self.feed(Event::StartLate),
                Timer::Late(seq) => self.feed(Event::Late { seq }),
                Timer::Interrupt => self.feed(Event::InterruptLate),
                Timer::Cell => self.feed(Event::CellLate),
                Timer::Restore(last) => self.breakpoints.late(last),
                Timer::Question(number) => self.question_late(number),
            }
        }
        self.take()
    }

    // The start, and the connection.

    /// pydevd is about to connect, and will expect this token.
    pub fn expect(&mut self, token: String) {
        self.pydevd.token = token;
    }

    /// pydevd is connected and has shown who it is.
    pub fn connected(&mut self) -> Vec<Output> {
        self.pydevd.comes();
        self.begin();
        self.take()
    }

    /// The helper's answer to [`Helper::Start`]: debugpy's `version`, and what `attach` is to say; or why there is no debugger.
    pub fn started(&mut self, answer: Result<Value, String>) -> Vec<Output> {
        let failed = answer.is_err();
        self.pydevd.prepared(answer);
        if failed && !self.pydevd.has_come() {
            self.feed(Event::Failed);
        }
        self.begin();
        self.take()
    }

    fn begin(&mut self) {
        if self.pydevd.is_ready() {
            self.feed(Event::Connected);
        }
    }

    /// The connection to pydevd is lost.
    pub fn gone(&mut self) -> Vec<Output> {
        let had_session = self.machine.has_session();
        if self.pydevd.has_come() {
            self.feed(Event::Connected);
        }
        self.feed(Event::Gone);
        if had_session {
            self.publish("terminated", &json!({}));
        }
        self.take()
    }

    // The kernel.

    /// The main thread is to be interrupted. `runs`: it runs a cell.
    pub fn interrupt(&mut self, runs: bool) -> Vec<Output> {
        self.feed(Event::Interrupt { runs });
        self.take()
    }

    /// A cell has ended.
    pub fn cell_ended(&mut self) -> Vec<Output> {
        self.feed(Event::CellEnded);
        self.take()
    }

    /// The kernel ends.
    pub fn end(&mut self) -> Vec<Output> {
        self.feed(Event::End);
        for key in self.clients.waiting() {
            self.refuse(key, answers::refusal(Refusal::KernelEnds));
        }
        self.questions.forget();
        self.take()
    }

    // What others have found out.

    /// pydevd has said something.
    pub fn hear(&mut self, incoming: &Incoming) -> Vec<Output> {
        match (incoming.kind.as_str(), incoming.request_seq) {
            ("response", Some(seq)) => {
                self.breakpoints.answered(seq);
                if self.machine.asks_for_threads(seq) {
                    self.note_threads(incoming);
                }
                let success = incoming.success;
                for action in self.machine.step(Event::Reply { seq, success }) {
                    self.perform(action, Some(incoming));
                }
            }
            ("event", _) => self.event(incoming),
            _ => {}
        }
        self.take()
    }

    /// Who is stopped, which is what pydevd answers.
    fn note_threads(&mut self, incoming: &Incoming) {
        let body = incoming.read();
        let threads = body.get("threads").and_then(Value::as_array);
        for thread in threads.into_iter().flatten() {
            if let Some(thread) = thread.get("id").and_then(Value::as_i64) {
                self.feed(Event::AllStopped { thread });
            }
        }
    }

    fn event(&mut self, incoming: &Incoming) {
        let name = incoming.event.as_deref().unwrap_or_default();
        let body = incoming.read();
        let had_session = self.machine.has_session();
        let thread = body.get("threadId").and_then(Value::as_i64);
        match name {
            "stopped" => {
                self.feed(Event::Stopped {
                    thread: thread.unwrap_or(1),
                });
                self.out.push(Output::Helper(Helper::Look));
            }
            "continued" => {
                let all = body.get("allThreadsContinued").and_then(Value::as_bool);
                let thread = thread.filter(|_| all == Some(false));
                self.feed(Event::Continued { thread });
            }
            "thread" if body.get("reason").and_then(Value::as_str) == Some("exited") => {
                self.feed(Event::Continued {
                    thread: Some(thread.unwrap_or(-1)),
                });
            }
            _ => {}
        }
        if had_session {
            self.publish(name, &body);
        }
    }

    /// The thread of files has done something.
    pub fn filed(&mut self, key: Key, answer: &Result<Value, String>) -> Vec<Output> {
        self.tell(key, answer);
        self.take()
    }

    /// The helper has answered a question, or could not.
    pub fn helped(&mut self, number: u64, answer: &Result<Value, String>) -> Vec<Output> {
        for key in self.questions.answered(number, answer) {
            self.tell(key, answer);
        }
        self.ask_next();
        self.take()
    }

    /// Nobody is kept waiting for the GIL. The helper may answer later, and is asked nothing else before.
    fn question_late(&mut self, number: u64) {
        let (keys, known) = self.questions.late(number);
        let why = "Python is busy in code that lets nobody else run";
        let answer = known.ok_or_else(|| why.to_owned());
        for key in keys {
            self.tell(key, &answer);
        }
    }

    fn ask_next(&mut self) {
        self.out.extend(self.questions.next().map(Output::Helper));
    }

    // What all of them need.

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    fn feed(&mut self, event: Event) {
        for action in self.machine.step(event) {
            self.perform(action, None);
        }
    }

    fn after(&mut self, duration: Duration, timer: Timer) {
        self.timers.set(Instant::now() + duration, timer);
    }

    fn publish(&mut self, name: &str, body: &Value) {
        self.out.extend(self.clients.event(name, body));
    }

    fn tell(&mut self, key: Key, answer: &Result<Value, String>) {
        match answer {
            Ok(body) => self.succeed(key, body),
            Err(why) => self.refuse(key, why),
        }
    }

    fn succeed(&mut self, key: Key, body: &Value) {
        self.out.extend(self.clients.succeed(key, body));
    }

    fn refuse(&mut self, key: Key, why: &str) {
        self.out.extend(self.clients.refuse(key, why));
    }
}
