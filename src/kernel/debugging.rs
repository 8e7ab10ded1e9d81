//! The debugger as the io loop has it: what a [`Session`] wants to be sent, asked and answered, done.
//!
//! The io loop calls this with debug requests, with what pydevd and helpers have said, and when one of the session's timers
//! is due. Nothing here waits; what needs Python or a file system is done by threads for whom nobody waits.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::handle::{Handle, Note};
use super::io::Io;
use super::out::Body;
use super::parent::Parent;
use super::request::Request;
use super::timers::Due;
use super::turns::Share;
use crate::debug::cells::Files;
use crate::debug::peer::{self, Door, News};
use crate::debug::{Helper, Output, Session, State};
use crate::lifecycle::MAIN;
use crate::wire::json;
use crate::wire::message::to_json;
use crate::wire::messages::iopub::ExecutionState;

/// The number of the question that starts debugpy; the session's own begin at 1.
const START: u64 = 0;
/// The number of those that nobody waits for.
const FREE: u64 = u64::MAX;

/// How long the main thread may take to leave a breakpoint that it is leaving.
const LEAVING: Duration = Duration::from_millis(2);

/// See the module.
pub(super) struct Debugging {
    session: Session,
    files: Files,
    news: mpsc::UnboundedReceiver<News>,
    /// What the peer's task sends them with.
    sender: mpsc::UnboundedSender<News>,
    /// The first of the news, once it has come.
    first: Option<News>,
    /// The task that waits for pydevd and is its connection later.
    listening: Option<AbortHandle>,
    peer: Option<mpsc::UnboundedSender<bytes::Bytes>>,
    /// What helpers are to do when Python is up; `None` once it is.
    early: Option<Vec<Helper>>,
    /// The last debug request: what events belong to.
    parent: Option<Parent>,
    /// How often a thread has stopped.
    stops: u64,
    /// Whether one is stopped, as far as [`crate::lsp::LiveSession`] knows.
    shows_frame: bool,
}

impl Debugging {
    pub(super) fn new(handle: &Arc<Handle>) -> Self {
        let (sender, news) = mpsc::unbounded_channel();
        let noted = Arc::clone(handle);
        let answered = move |key, answer| noted.note(Note::Filed { key, answer });
        Debugging {
            session: Session::new(&handle.cells),
            files: Files::new(handle.cells.clone(), Arc::new(answered)),
            news,
            sender,
            first: None,
            listening: None,
            early: Some(Vec::new()),
            peer: None,
            parent: None,
            stops: 0,
            shows_frame: false,
        }
    }

    /// When [`Io::hear_debugger`] has something to do at the latest.
    pub(super) fn next(&self) -> Option<Instant> {
        self.session.next().map(Instant::from)
    }

    /// Wait until the peer has said something.
    pub(super) async fn readable(&mut self) {
        if self.first.is_none() {
            self.first = self.news.recv().await;
        }
    }

    /// Whether a thread waits at a breakpoint.
    pub(super) fn is_stopped(&self) -> bool {
        self.session.is_stopped()
    }

    /// The folder of the cells' files, where it may have been made.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        self.files.were_used().then(|| self.files.folder().to_owned())
    }
}

impl Io {
    /// A `debug_request`. It has its busy and its idle when it is answered: several may be on their way at a time, and a
    /// client takes the first idle for the end of all.
    pub(super) fn debug(&mut self, request: &Request) {
        self.in_flight.admit(request, MAIN, None);
        self.debugging.parent = Some(request.parent.clone());
        let content: Map<String, Value> = json::object_from_slice(&request.content).unwrap_or_default();
        let outputs = self.debugging.session.request(request.id, content);
        self.carry_out(outputs);
    }

    /// Hear what pydevd says, a share of it, and do what is due. Whether there is more.
    pub(super) fn hear_debugger(&mut self, now: Instant) -> bool {
        if self.debugging.next().is_some_and(|at| at <= now) {
            let outputs = self.debugging.session.due(now.into_std());
            self.carry_out(outputs);
        }
        let share = Share::new();
        while share.lasts() {
            let news = match self.debugging.first.take() {
                Some(news) => news,
                None => match self.debugging.news.try_recv() {
                    Ok(news) => news,
                    Err(_) => return false,
                },
            };
            let outputs = match news {
                News::Connected(peer) => {
                    self.debugging.peer = Some(peer);
                    self.debugging.session.connected()
                }
                News::Said(said) => self.debugging.session.hear(&said),
                News::Gone => {
                    self.debugging.peer = None;
                    self.debugging.session.gone()
                }
            };
            self.carry_out(outputs);
        }
        true
    }

    /// Interrupt what runs. A thread that waits at a breakpoint is told to go on before.
    pub(super) fn interrupt(&mut self) {
        let runs = self.in_flight.cell(MAIN).is_some();
        let outputs = self.debugging.session.interrupt(runs);
        self.carry_out(outputs);
    }

    /// A signal has met the main thread at a breakpoint, where nothing may be raised.
    pub(super) fn interrupt_stopped(&mut self) {
        if matches!(self.debugging.session.state(), State::Stopped | State::Draining) {
            self.interrupt();
        } else {
            self.timers.add(Instant::now() + LEAVING, Due::InterruptMain);
        }
    }

    pub(super) fn debugged_cell_ended(&mut self) {
        let outputs = self.debugging.session.cell_ended();
        self.carry_out(outputs);
    }

    /// The kernel ends: whatever is stopped is let go, and all that wait are answered.
    pub(super) fn end_debugging(&mut self) {
        let outputs = self.debugging.session.end();
        self.carry_out(outputs);
    }

    /// A helper has answered a question.
    pub(super) fn debugged(&mut self, question: u64, answer: Option<Vec<u8>>) {
        let answer = answer
            .ok_or_else(|| "Python cannot be entered any more".to_owned())
            .and_then(|text| read(&text));
        let outputs = match question {
            START => {
                let listening = self.debugging.listening.take();
                if let Some(listening) = listening.filter(|_| answer.is_err()) {
                    listening.abort();
                }
                self.debugging.session.started(answer)
            }
            FREE => Vec::new(),
            question => self.debugging.session.helped(question, &answer),
        };
        self.carry_out(outputs);
    }

    /// The thread of files has done a job.
    pub(super) fn filed(&mut self, key: u64, answer: Result<Value, String>) {
        let outputs = self.debugging.session.filed(key, &answer);
        self.carry_out(outputs);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        let attached = matches!(self.debugging.session.state(), State::Attached | State::Stopped);
        self.handle.debugging.store(attached, Ordering::Relaxed);
        let interrupts = self.debugging.session.interrupts();
        self.handle.interrupt_comes.store(interrupts, Ordering::Relaxed);
        let restores = self.debugging.session.restores();
        self.handle.breakpoints_away.store(restores, Ordering::Relaxed);
        if self.debugging.shows_frame && !self.debugging.is_stopped() {
            self.debugging.shows_frame = false;
            self.handle.live.stopped(0);
        }
        for output in outputs {
            match output {
                Output::Answer { key, content } => self.answer_debug(key, content),
                Output::Event(content) => {
                    let body = Body::new("debug_event", content);
                    self.channels.publish(self.debugging.parent.as_ref(), None, body);
                }
                Output::Write(frame) => {
                    if let Some(peer) = &self.debugging.peer {
                        let _ = peer.send(frame);
                    }
                }
                Output::File { key, job } => self.debugging.files.run(key, job),
                Output::Helper(helper) => self.help(helper),
                Output::Signal => self.strike(),
            }
        }
    }

    fn answer_debug(&mut self, key: u64, content: bytes::Bytes) {
        let Some(admitted) = self.in_flight.remove(key) else {
            return;
        };
        self.channels.status(&admitted.parent, ExecutionState::Busy);
        let body = Body::new(admitted.reply_type(), content);
        self.channels.reply(admitted.channel, &admitted.parent, body);
        self.idle(&admitted.parent);
    }

    /// Python is up.
    pub(super) fn debugger_may_start(&mut self) {
        for helper in self.debugging.early.take().into_iter().flatten() {
            self.help(helper);
        }
    }

    fn help(&mut self, helper: Helper) {
        // There is no shell yet, and whoever asked for it would make another one.
        if let Some(early) = &mut self.debugging.early {
            return early.push(helper);
        }
        let (question, text) = match helper {
            Helper::Start => match peer::listen(self.debugging.sender.clone()) {
                Ok((door, listening)) => {
                    self.debugging.session.expect(door.token.clone());
                    self.debugging.listening = Some(listening);
                    (START, to_json(&start(&door)))
                }
                Err(error) => {
                    let why = format!("the debugger has no port to connect to: {error}");
                    let outputs = self.debugging.session.started(Err(why));
                    return self.carry_out(outputs);
                }
            },
            Helper::Free => (FREE, to_json(&json!({ "command": "free" }))),
            Helper::Look => {
                self.debugging.stops += 1;
                let stop = self.debugging.stops;
                self.debugging.shows_frame = true;
                self.handle.live.stopped(stop);
                (FREE, to_json(&json!({ "command": "look", "stop": stop })))
            }
            Helper::Ask { question, text } => (question, text),
        };
        self.interpreter.debug(question, text);
    }
}

fn start(door: &Door) -> Value {
    json!({
        "command": "start",
        "port": door.port,
        "token": door.token,
        "client_token": door.client_token,
    })
}

/// A helper's answer: `{"ok": …}` or `{"error": "a sentence"}`.
fn read(text: &[u8]) -> Result<Value, String> {
    let mut answer: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    match answer["error"].take() {
        Value::String(why) => Err(why),
        _ => Ok(answer["ok"].take()),
    }
}
