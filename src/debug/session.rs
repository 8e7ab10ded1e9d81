//! One session after the other, as the io loop sees them: requests, pydevd's messages, a helper's answers and timers go in,
//! and what is to be sent, asked and answered comes out.
//!
//! The [`Machine`] decides; this knows what was asked, and writes and reads the protocol. Nothing here waits.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::cells::{self, Job};
use super::commands::{self, FileJob, Local, Who};
use super::machine::{Action, Answer, Command, Event, Key, Machine, Purpose, Refusal, Seq, State};
use super::protocol::{self, Incoming, Response};

/// How long the import of debugpy and the connection may take before a client is told. It may go on: the next `initialize` finds it done.
const START: Duration = Duration::from_secs(15);
/// How long pydevd may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The same for what may run code of the user's.
const FRAME: Duration = Duration::from_secs(60);
/// The same for `disconnect`: after it its client goes on.
const LEAVE: Duration = Duration::from_secs(2);
/// How long `stopped` may be held back for the list of threads.
const HOLD: Duration = Duration::from_millis(100);
/// How long a helper may take.
const HELP: Duration = Duration::from_secs(3);
/// How long an interrupt waits for threads to go on.
const RESUME: Duration = Duration::from_millis(200);
/// How long an interrupted cell has until its breakpoints are back.
const CELL: Duration = Duration::from_secs(1);
/// The same for the end of a session when the kernel ends.
const END: Duration = Duration::from_millis(100);

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    Start,
    Late(Seq),
    Interrupt,
    Cell,
    /// A question to the helper.
    Question(u64),
}

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
    File {
        key: Key,
        job: FileOf,
    },
    Helper(Helper),
    /// Interrupt the main thread.
    Signal,
}

/// A [`Job`] for the thread of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOf {
    Dump(String),
    Read(PathBuf),
}

impl From<FileOf> for Job {
    fn from(job: FileOf) -> Self {
        match job {
            FileOf::Dump(code) => Job::Dump { code },
            FileOf::Read(path) => Job::Read { path },
        }
    }
}

struct Asked {
    command: String,
    /// Its `seq`, as the client counts.
    seq: Value,
    arguments: Map<String, Value>,
}

/// A question to the helper, and all who ask it.
struct Question {
    number: u64,
    text: Bytes,
    keys: Vec<Key>,
}

/// See the module.
pub struct Session {
    machine: Machine,
    folder: PathBuf,
    asked: HashMap<Key, Asked>,
    /// The `seq` of the last message to clients.
    seq: u64,
    capabilities: Value,
    /// What the helper would have `attach` say.
    attach: Map<String, Value>,
    /// What pydevd is to be shown at the beginning of each session.
    token: String,
    /// pydevd is connected.
    has_come: bool,
    /// The helper has nothing more to do for the start.
    is_prepared: bool,
    /// debugpy's version.
    version: Value,
    /// Why there is no debugger.
    why: String,
    /// The arguments of `setBreakpoints`, by path, with the lines that pydevd has made of them.
    breakpoints: BTreeMap<String, Value>,
    /// The arguments of `setExceptionBreakpoints` and `setFunctionBreakpoints`, by command.
    others: BTreeMap<String, Value>,
    /// The requests by which pydevd is told of them again, and has not answered.
    restoring: HashSet<u64>,
    /// pydevd's answer to the request at hand.
    at_hand: Option<Incoming>,
    holds: bool,
    held: Vec<Bytes>,
    /// What the helper is at, and what it is asked next.
    helping: Option<Question>,
    questions: Vec<Question>,
    next_question: u64,
    /// The last answer to `inspectVariables`.
    snapshot: Option<Value>,
    timers: BTreeMap<(Instant, u64), Timer>,
    next_timer: u64,
    out: Vec<Output>,
}

impl Session {
    /// There is no session. `folder` is where cells are written.
    pub fn new(folder: &Path) -> Self {
        Session {
            machine: Machine::default(),
            folder: folder.to_owned(),
            asked: HashMap::new(),
            seq: 0,
            capabilities: Value::Null,
            attach: Map::new(),
            token: String::new(),
            has_come: false,
            is_prepared: false,
            version: Value::Null,
            why: String::new(),
            breakpoints: BTreeMap::new(),
            others: BTreeMap::new(),
            restoring: HashSet::new(),
            at_hand: None,
            holds: false,
            held: Vec::new(),
            helping: None,
            questions: Vec::new(),
            next_question: 0,
            snapshot: None,
            timers: BTreeMap::new(),
            next_timer: 0,
            out: Vec::new(),
        }
    }

    pub fn state(&self) -> State {
        self.machine.state()
    }

    pub fn is_stopped(&self) -> bool {
        self.machine.is_stopped()
    }

    /// When [`Session::due`] is to be called.
    pub fn next(&self) -> Option<Instant> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    /// What was to be done by `now`.
    pub fn due(&mut self, now: Instant) -> Vec<Output> {
        while let Some(entry) = self.timers.first_entry()
            && entry.key().0 <= now
        {
            let event = match entry.remove() {
                Timer::Start => Event::StartLate,
                Timer::Late(seq) => Event::Late { seq },
                Timer::Interrupt => Event::InterruptLate,
                Timer::Cell => Event::CellLate,
                Timer::Question(number) => {
                    self.question_late(number);
                    continue;
                }
            };
            self.feed(event);
        }
        self.take()
    }

    /// A client's request: the content of the `debug_request`.
    pub fn request(&mut self, key: Key, mut content: Map<String, Value>) -> Vec<Output> {
        let command = match content.remove("command") {
            Some(Value::String(command)) => command,
            _ => String::new(),
        };
        let arguments = match content.remove("arguments") {
            Some(Value::Object(arguments)) => arguments,
            _ => Map::new(),
        };
        let asked = Asked {
            command,
            seq: content.remove("seq").unwrap_or_else(|| json!(0)),
            arguments,
        };
        let who = commands::who(&asked.command);
        self.asked.insert(key, asked);
        match who {
            _ if self.machine.has_ended() => self.refuse(key, refusal(Refusal::KernelEnds)),
            Who::Here(Local::DebugInfo) => {
                let body = self.info();
                self.succeed(key, &body);
            }
            Who::Here(Local::Terminate) => self.refuse(
                key,
                "the debugger does not end the kernel: shut it down, or disconnect",
            ),
            Who::Files(job) => self.file(key, job),
            Who::Helper => self.ask(key),
            Who::HelperOrPydevd if self.is_helpers_reference(key) => self.ask(key),
            Who::HelperOrPydevd => self.command(key, Command::Frame),
            Who::HelperOrFrame => self.rich(key),
            Who::Machine(command) => self.command(key, command),
            Who::Nobody => {
                let name = self.asked.get(&key).map_or("", |asked| &asked.command);
                let sentence = format!("the debugger knows no command {name:?}");
                self.refuse(key, &sentence);
            }
        }
        self.take()
    }

    /// pydevd is about to connect, and will expect this token.
    pub fn expect(&mut self, token: String) {
        self.token = token;
    }

    /// pydevd is connected and has shown who it is.
    pub fn connected(&mut self) -> Vec<Output> {
        self.has_come = true;
        self.begin();
        self.take()
    }

    /// The session begins when both are done: pydevd is connected some time before it traces any thread, and before the helper has
    /// said what `attach` needs.
    fn begin(&mut self) {
        if self.has_come && self.is_prepared {
            self.feed(Event::Connected);
        }
    }

    /// The helper's answer to [`Helper::Start`]: debugpy's `version`, and what `attach` is to say; or why there is no debugger.
    pub fn started(&mut self, answer: Result<Value, String>) -> Vec<Output> {
        match answer {
            Ok(mut answer) => {
                self.version = answer["version"].take();
                if let Value::Object(attach) = answer["attach"].take() {
                    self.attach = attach;
                }
            }
            Err(why) => {
                self.why = why;
                if !self.has_come {
                    self.feed(Event::Failed);
                }
            }
        }
        self.is_prepared = true;
        self.begin();
        self.take()
    }

    /// The connection to pydevd is lost.
    pub fn gone(&mut self) -> Vec<Output> {
        let had_session = self.machine.has_session();
        if self.has_come {
            self.feed(Event::Connected);
        }
        self.feed(Event::Gone);
        if had_session {
            self.publish("terminated", &json!({}));
        }
        self.take()
    }

    /// The main thread is to be interrupted. `runs`: it runs a cell.
    pub fn interrupt(&mut self, runs: bool) -> Vec<Output> {
        self.feed(Event::Interrupt { runs });
        self.take()
    }

    /// Whether pydevd is without breakpoints for a moment: from an interrupt of what was stopped until it knows them again.
    pub fn restores(&self) -> bool {
        self.machine.is_cleared() || !self.restoring.is_empty()
    }

    /// Whether what is stopped is being let go for an interrupt, and the signal is still to be sent.
    pub fn interrupts(&self) -> bool {
        self.machine.interrupts()
    }

    /// A cell has ended.
    pub fn cell_ended(&mut self) -> Vec<Output> {
        self.feed(Event::CellEnded);
        self.take()
    }

    /// The kernel ends.
    pub fn end(&mut self) -> Vec<Output> {
        self.feed(Event::End);
        let waiting: Vec<Key> = self.asked.keys().copied().collect();
        for key in waiting {
            self.refuse(key, refusal(Refusal::KernelEnds));
        }
        self.questions.clear();
        self.take()
    }

    /// pydevd has said something.
    pub fn hear(&mut self, incoming: Incoming) -> Vec<Output> {
        match (incoming.kind.as_str(), incoming.request_seq) {
            ("response", Some(seq)) => {
                let success = incoming.success;
                self.restoring.remove(&seq);
                self.at_hand = Some(incoming);
                self.note_threads(seq);
                self.feed(Event::Reply { seq, success });
                self.at_hand = None;
            }
            ("event", _) => self.event(incoming),
            _ => {}
        }
        self.take()
    }

    /// The thread of files has done something.
    pub fn filed(&mut self, key: Key, answer: Result<Value, String>) -> Vec<Output> {
        match answer {
            Ok(body) => self.succeed(key, &body),
            Err(why) => self.refuse(key, &why),
        }
        self.take()
    }

    /// The helper has answered a question, or could not.
    pub fn helped(&mut self, number: u64, answer: Result<Value, String>) -> Vec<Output> {
        if let Some(question) = self.helping.take_if(|question| question.number == number) {
            if let (Ok(body), Some(Asked { command, .. })) =
                (&answer, question.keys.first().and_then(|key| self.asked.get(key)))
                && command == "inspectVariables"
            {
                self.snapshot = Some(body.clone());
            }
            for key in question.keys {
                match &answer {
                    Ok(body) => self.succeed(key, body),
                    Err(why) => self.refuse(key, why),
                }
            }
        }
        self.ask_next();
        self.take()
    }

    fn take(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    fn feed(&mut self, event: Event) {
        for action in self.machine.step(event) {
            self.perform(action);
        }
    }

    fn after(&mut self, duration: Duration, timer: Timer) {
        self.next_timer += 1;
        self.timers
            .insert((Instant::now() + duration, self.next_timer), timer);
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start => {
                self.is_prepared = false;
                self.after(START, Timer::Start);
                self.out.push(Output::Helper(Helper::Start));
            }
            Action::Send { seq, purpose, key } => self.send(seq, purpose, key),
            Action::Answer { key, answer } => self.answer(key, answer),
            Action::Hold => self.holds = true,
            Action::Release => {
                self.holds = false;
                self.out.extend(self.held.drain(..).map(Output::Event));
            }
            Action::ClearBreakpoints => {
                let paths: Vec<String> = self.breakpoints.keys().cloned().collect();
                for path in paths {
                    let none = json!({ "source": { "path": path }, "breakpoints": [] });
                    self.write("setBreakpoints", &none);
                }
                let none = json!({ "filters": [], "exceptionOptions": [], "breakpoints": [] });
                let others: Vec<String> = self.others.keys().cloned().collect();
                for command in others {
                    self.write(&command, &none);
                }
            }
            Action::Restore => {
                for arguments in self.breakpoints.clone().values() {
                    let seq = self.write("setBreakpoints", arguments);
                    self.restoring.insert(seq);
                }
                for (command, arguments) in self.others.clone() {
                    let seq = self.write(&command, &arguments);
                    self.restoring.insert(seq);
                }
            }
            Action::Signal => self.out.push(Output::Signal),
            Action::AwaitInterrupt => {
                let patience = if self.machine.has_ended() { END } else { RESUME };
                self.after(patience, Timer::Interrupt);
            }
            Action::AwaitCell => self.after(CELL, Timer::Cell),
            Action::Free => self.out.push(Output::Helper(Helper::Free)),
            Action::Forget => {
                self.breakpoints.clear();
                self.others.clear();
                self.restoring.clear();
            }
        }
    }

    /// A request to pydevd whose answer nobody waits for.
    fn write(&mut self, command: &str, arguments: &Value) -> u64 {
        // Numbers that the machine never gives.
        self.next_timer += 1;
        let seq = u64::from(u32::MAX) + self.next_timer;
        self.out
            .push(Output::Write(protocol::request(seq, command, arguments)));
        seq
    }

    fn send(&mut self, seq: Seq, purpose: Purpose, key: Option<Key>) {
        let patience = match purpose {
            Purpose::Threads => HOLD,
            Purpose::Client(Command::Frame) => FRAME,
            Purpose::Client(Command::Disconnect) => LEAVE,
            _ => ANSWER,
        };
        self.after(patience, Timer::Late(seq));
        let (command, arguments) = match (purpose, key.and_then(|key| self.asked.get(&key))) {
            (Purpose::Client(_), Some(asked)) => {
                match commands::translate(&asked.command, &asked.arguments, &self.attach) {
                    Ok(translated) => translated,
                    // Checked before the machine was told.
                    Err(_) => return,
                }
            }
            (Purpose::Client(_), None) => return,
            (Purpose::Threads, _) => ("threads".to_owned(), json!({})),
            (Purpose::ConfigurationDone, _) => ("configurationDone".to_owned(), json!({})),
            (Purpose::Resume, _) => ("continue".to_owned(), json!({ "threadId": "*" })),
            (Purpose::Disconnect, _) => (
                "disconnect".to_owned(),
                json!({ "restart": false, "terminateDebuggee": false }),
            ),
        };
        if purpose == Purpose::Client(Command::Initialize) {
            // Whoever has disconnected has to show it again.
            let shown = json!({ "debugServerAccessToken": self.token });
            self.write("pydevdAuthorize", &shown);
        }
        self.out
            .push(Output::Write(protocol::request(seq, &command, &arguments)));
        if matches!(
            purpose,
            Purpose::Client(Command::Continue | Command::Disconnect) | Purpose::Resume | Purpose::Disconnect
        ) {
            self.wake_stopped();
        }
    }

    /// A thread that waits at a breakpoint looks five times a second whether it may go on, and at once when it is asked
    /// something.
    fn wake_stopped(&mut self) {
        for thread in self.machine.stopped().collect::<Vec<_>>() {
            self.write("exceptionInfo", &json!({ "threadId": thread }));
        }
    }

    fn command(&mut self, key: Key, command: Command) {
        let Some(asked) = self.asked.get(&key) else {
            return;
        };
        if let Err(why) = commands::translate(&asked.command, &asked.arguments, &self.attach) {
            return self.refuse(key, &why);
        }
        // They are remembered as they are asked for: pydevd may be told again.
        match (self.machine.state(), asked.command.as_str()) {
            (State::Attached | State::Stopped, "setBreakpoints") => {
                let path = path_of(&asked.arguments).unwrap_or_default().to_owned();
                let arguments = Value::Object(asked.arguments.clone());
                self.breakpoints.insert(path, arguments);
            }
            (
                State::Attached | State::Stopped,
                name @ ("setExceptionBreakpoints" | "setFunctionBreakpoints"),
            ) => {
                let arguments = Value::Object(asked.arguments.clone());
                self.others.insert(name.to_owned(), arguments);
            }
            _ => {}
        }
        self.feed(Event::Request { key, command });
    }

    fn file(&mut self, key: Key, job: FileJob) {
        let Some(asked) = self.asked.get(&key) else {
            return;
        };
        let job = match job {
            FileJob::DumpCell => asked
                .arguments
                .get("code")
                .and_then(Value::as_str)
                .map(|code| FileOf::Dump(code.to_owned()))
                .ok_or("dumpCell needs the text of a cell, as code"),
            FileJob::Source => path_of(&asked.arguments)
                .map(|path| FileOf::Read(path.into()))
                .ok_or("source needs the path of a file, as source.path"),
        };
        match job {
            Ok(job) => self.out.push(Output::File { key, job }),
            Err(why) => self.refuse(key, why),
        }
    }

    /// Whether `variables` means something that the helper has told of: it counts from here on, and pydevd from one.
    fn is_helpers_reference(&self, key: Key) -> bool {
        const FIRST: i64 = 1 << 30;
        let reference = self.asked.get(&key).and_then(|asked| {
            let reference = asked.arguments.get("variablesReference")?;
            reference.as_i64()
        });
        reference.is_some_and(|reference| reference > FIRST)
            || !matches!(self.state(), State::Attached | State::Stopped)
    }

    fn rich(&mut self, key: Key) {
        let Some(asked) = self.asked.get(&key) else {
            return;
        };
        let name = asked.arguments.get("variableName").and_then(Value::as_str);
        if !name.is_some_and(commands::is_name) {
            // Groups that debugpy makes, such as "special variables", have nothing to show.
            return self.succeed(key, &json!({ "data": {}, "metadata": {} }));
        }
        let in_frame = asked.arguments.get("frameId").is_some_and(Value::is_number);
        if in_frame && self.is_stopped() {
            self.command(key, Command::Frame);
        } else {
            self.ask(key);
        }
    }

    fn ask(&mut self, key: Key) {
        let Some(asked) = self.asked.get(&key) else {
            return;
        };
        let text = json!({ "command": asked.command, "arguments": asked.arguments });
        let text: Bytes = text.to_string().into();
        // One answer is everybody's who has asked before it is begun.
        if let Some(same) = self.questions.iter_mut().find(|question| question.text == text) {
            same.keys.push(key);
            return;
        }
        self.next_question += 1;
        let number = self.next_question;
        self.questions.push(Question {
            number,
            text,
            keys: vec![key],
        });
        self.after(HELP, Timer::Question(number));
        self.ask_next();
    }

    fn ask_next(&mut self) {
        if self.helping.is_some() || self.questions.is_empty() {
            return;
        }
        let question = self.questions.remove(0);
        self.out.push(Output::Helper(Helper::Ask {
            question: question.number,
            text: question.text.clone(),
        }));
        self.helping = Some(question);
    }

    /// Nobody is kept waiting for the GIL. The helper may answer later, and is asked nothing else before.
    fn question_late(&mut self, number: u64) {
        let of = |question: &&mut Question| question.number == number;
        let mut all = self.helping.iter_mut().chain(self.questions.iter_mut());
        let Some(question) = all.find(of) else {
            return;
        };
        for key in std::mem::take(&mut question.keys) {
            let inspects = self
                .asked
                .get(&key)
                .is_some_and(|asked| asked.command == "inspectVariables");
            match self.snapshot.clone().filter(|_| inspects) {
                Some(snapshot) => self.succeed(key, &snapshot),
                None => self.refuse(key, "Python is busy in code that lets nobody else run"),
            }
        }
        self.questions.retain(|question| !question.keys.is_empty());
    }

    /// Who is stopped, if that is what pydevd answers.
    fn note_threads(&mut self, seq: Seq) {
        if !self.machine.asks_for_threads(seq) {
            return;
        }
        let body = self.at_hand.as_ref().map(Incoming::read).unwrap_or_default();
        let threads = body.get("threads").and_then(Value::as_array);
        for thread in threads.into_iter().flatten() {
            if let Some(thread) = thread.get("id").and_then(Value::as_i64) {
                self.feed(Event::AllStopped { thread });
            }
        }
    }

    fn event(&mut self, incoming: Incoming) {
        let name = incoming.event.clone().unwrap_or_default();
        let body = incoming.read();
        let had_session = self.machine.has_session();
        let thread = body.get("threadId").and_then(Value::as_i64);
        match name.as_str() {
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
            self.publish(&name, &body);
        }
    }

    fn publish(&mut self, name: &str, body: &Value) {
        self.seq += 1;
        let content = protocol::event(self.seq, name, body);
        if self.holds {
            self.held.push(content);
        } else {
            self.out.push(Output::Event(content));
        }
    }

    fn answer(&mut self, key: Key, answer: Answer) {
        match answer {
            Answer::Pydevds => self.pydevds(key),
            Answer::Capabilities => {
                let capabilities = self.capabilities.clone();
                self.succeed(key, &capabilities);
            }
            Answer::Done => {
                let continues = self
                    .asked
                    .get(&key)
                    .is_some_and(|asked| asked.command == "continue");
                let body = if continues {
                    json!({ "allThreadsContinued": true })
                } else {
                    json!({})
                };
                self.succeed(key, &body);
            }
            Answer::Refused(Refusal::NoDebugger) => {
                let why = self.why.clone();
                self.refuse(key, &why);
            }
            Answer::Refused(why) => self.refuse(key, refusal(why)),
        }
    }

    /// pydevd's answer, which is at hand, becomes the client's.
    fn pydevds(&mut self, key: Key) {
        let Some((incoming, asked)) = self.at_hand.as_ref().zip(self.asked.get(&key)) else {
            return;
        };
        if !incoming.success {
            let why = incoming.message.clone().unwrap_or_default();
            let body = incoming.read();
            let asked_rich = asked.command == "richInspectVariables";
            if asked_rich {
                return self.refuse(key, &why);
            }
            return self.reply(key, false, Some(&why), &body);
        }
        match asked.command.as_str() {
            "initialize" => {
                self.capabilities = capabilities(incoming.read());
                let capabilities = self.capabilities.clone();
                self.succeed(key, &capabilities);
                self.greet();
            }
            "setBreakpoints" => {
                let body = incoming.read();
                let path = path_of(&asked.arguments).unwrap_or_default();
                if let Some(remembered) = self.breakpoints.get_mut(path) {
                    move_lines(remembered, &body);
                }
                self.succeed(key, &body);
            }
            "variables" => {
                let mut body = incoming.read();
                if let Some(variables) = body.get_mut("variables").and_then(Value::as_array_mut) {
                    variables.retain(|variable| {
                        let name = variable.get("name").and_then(Value::as_str);
                        name.is_none_or(commands::is_users_variable)
                    });
                }
                self.succeed(key, &body);
            }
            "richInspectVariables" => match shown(&incoming.read()) {
                Some(body) => self.succeed(key, &body),
                None => self.succeed(key, &json!({ "data": {}, "metadata": {} })),
            },
            _ => {
                // As it came: it may be large.
                let Some((incoming, asked)) = self.at_hand.as_ref().zip(self.asked.remove(&key)) else {
                    return;
                };
                let Some(body) = &incoming.body else {
                    self.asked.insert(key, asked);
                    return self.succeed(key, &json!({}));
                };
                self.seq += 1;
                let command = match asked.command.as_str() {
                    "copyToGlobals" => "setExpression",
                    command => command,
                };
                let response = Response::new(self.seq, &asked.seq, command, body);
                let content = response.content();
                self.out.push(Output::Answer { key, content });
            }
        }
    }

    /// What debugpy's own adapter says first.
    fn greet(&mut self) {
        let version = self.version.clone();
        for name in ["ptvsd", "debugpy"] {
            let body =
                json!({ "category": "telemetry", "output": name, "data": { "packageVersion": version } });
            self.publish("output", &body);
        }
    }

    fn succeed(&mut self, key: Key, body: &Value) {
        self.reply(key, true, None, body);
    }

    fn refuse(&mut self, key: Key, why: &str) {
        self.reply(key, false, Some(why), &json!({}));
    }

    fn reply(&mut self, key: Key, success: bool, message: Option<&str>, body: &Value) {
        let Some(asked) = self.asked.remove(&key) else {
            return;
        };
        self.seq += 1;
        let mut response = Response::new(self.seq, &asked.seq, &asked.command, body);
        response.success = success;
        response.message = message;
        let content = response.content();
        self.out.push(Output::Answer { key, content });
    }

    fn info(&self) -> Value {
        let breakpoints: Vec<Value> = self
            .breakpoints
            .iter()
            .map(|(path, arguments)| {
                json!({ "source": path, "breakpoints": arguments.get("breakpoints").unwrap_or(&Value::Null) })
            })
            .collect();
        let stopped: Vec<i64> = self.machine.stopped().collect();
        json!({
            "isStarted": self.machine.has_session(),
            "hashMethod": "Murmur2",
            "hashSeed": cells::SEED,
            "tmpFilePrefix": format!("{}{}", self.folder.display(), std::path::MAIN_SEPARATOR),
            "tmpFileSuffix": cells::SUFFIX,
            "breakpoints": breakpoints,
            "stoppedThreads": stopped,
            "richRendering": true,
            "exceptionPaths": ["Python Exceptions"],
            "copyToGlobals": true,
        })
    }
}

/// A sentence for who asked.
fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::NotStarted => "there is no debug session: send initialize first",
        Refusal::NotAttached => "the debug session is not attached: send attach first",
        Refusal::NotStopped => "no thread is stopped",
        Refusal::NoDebugger => "there is no debugger",
        Refusal::StartTooLong => {
            "the debugger cannot start while Python is busy in code that lets nobody else run; try again later, or interrupt it"
        }
        Refusal::TooLong => {
            "the debugger has not answered in time: Python may be busy in code that lets nobody else run"
        }
        Refusal::Broken => "the connection to the debugger is lost; restart the kernel to debug again",
        Refusal::Ended => "the debug session has ended",
        Refusal::KernelEnds => "the kernel is shutting down",
        Refusal::TooMany => "too many requests wait for the debugger",
    }
}

fn path_of(arguments: &Map<String, Value>) -> Option<&str> {
    arguments.get("source")?.get("path")?.as_str()
}

/// pydevd's capabilities, without those that would end the kernel.
fn capabilities(mut body: Value) -> Value {
    if let Some(body) = body.as_object_mut() {
        for name in [
            "supportsTerminateRequest",
            "supportTerminateDebuggee",
            "supportsTerminateDebuggee",
        ] {
            body.insert(name.to_owned(), json!(false));
        }
        body.remove("pydevd");
    }
    body
}

/// pydevd may set a breakpoint on another line than the one that was asked for.
fn move_lines(remembered: &mut Value, body: &Value) {
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

/// What `drupe.variables.shown` has made: JSON in hexadecimal digits, which no way of quoting changes.
fn shown(body: &Value) -> Option<Value> {
    let text = body.get("result")?.as_str()?;
    let digits = text.trim_matches(|quote| quote == '\'' || quote == '"');
    let json = base16ct::lower::decode_vec(digits).ok()?;
    serde_json::from_slice(&json).ok()
}
