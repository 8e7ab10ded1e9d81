//! A debug session as data: what may happen ([`Event`]), what is to be done about it ([`Action`]), and one pure function
//! between them, [`Machine::step`].
//!
//! [`super::Session`] feeds it and carries its actions out. It reads no clock, does no I/O and knows no JSON, so that all of its
//! states can be searched. Every event is accepted in every state; one that no longer matters changes nothing. Each request
//! of a client's gets exactly one [`Action::Answer`].

use std::collections::{BTreeMap, BTreeSet};

/// A client's request, by the number that the kernel has given it.
pub type Key = u64;
/// A request to pydevd, by its `seq`. Unique for the life of the process.
pub type Seq = u64;
/// A thread, by pydevd's number for it.
pub type Thread = i64;

/// Requests that may wait for pydevd at a time.
const MOST_OUTSTANDING: usize = 4096;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// There is none. pydevd may be connected, from the one before.
    Off,
    /// debugpy is being imported and pydevd is to connect, or `initialize` is under way.
    Starting,
    /// `initialize` is answered.
    Ready,
    /// Breakpoints are of effect.
    Attached,
    /// A thread waits at a breakpoint.
    Stopped,
    /// It is being ended.
    Draining,
    /// The connection to pydevd is lost, for good.
    Broken,
}

/// What a client asks for, as far as the state matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    Initialize,
    Attach,
    ConfigurationDone,
    Disconnect,
    Continue,
    /// `next`, `stepIn`, `stepOut`, and what else a thread that runs cannot do.
    Step,
    /// What pydevd has the stopped thread itself work out, which may run code of the user's.
    Frame,
    /// Everything else that pydevd answers.
    Ask,
}

/// Why a request to pydevd was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// A client's, and of which kind.
    Client(Command),
    /// Which threads are stopped.
    Threads,
    /// Behind `attach`, where the client need not say so.
    ConfigurationDone,
    /// The threads are to go on, for an interrupt. The breakpoints are taken away before it.
    Resume,
    /// The session is to end with the kernel.
    Disconnect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    Request {
        key: Key,
        command: Command,
    },
    /// pydevd is connected and has shown who it is.
    Connected,
    /// It could not be started; another attempt may succeed.
    Failed,
    /// The start takes too long.
    StartLate,
    /// pydevd has answered.
    Reply {
        seq: Seq,
        success: bool,
    },
    /// It has not, in time.
    Late {
        seq: Seq,
    },
    Stopped {
        thread: Thread,
    },
    Continued {
        thread: Option<Thread>,
    },
    /// pydevd's list of threads, all of which are stopped.
    AllStopped {
        thread: Thread,
    },
    /// The connection is lost.
    Gone,
    /// The main thread is to be interrupted. `runs`: it runs a cell.
    Interrupt {
        runs: bool,
    },
    /// What an interrupt waits for has not come in time.
    InterruptLate,
    /// The cell has ended.
    CellEnded,
    /// The interrupted cell has had its time.
    CellLate,
    /// The kernel ends.
    End,
}

/// Why a request is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// There is no session.
    NotStarted,
    NotAttached,
    NotStopped,
    /// The helper has said why.
    NoDebugger,
    /// The helper did not get into Python in time.
    StartTooLong,
    TooLong,
    /// pydevd's connection is lost.
    Broken,
    /// The session ended first.
    Ended,
    /// The kernel ends.
    KernelEnds,
    TooMany,
}

/// What a client's request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// pydevd's own answer, which is at hand.
    Pydevds,
    /// The capabilities that the session has told before.
    Capabilities,
    /// Success, without pydevd.
    Done,
    Refused(Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Have debugpy imported and pydevd connect.
    Start,
    /// Send to pydevd. Of a client's request, the arguments are the client's.
    Send {
        seq: Seq,
        purpose: Purpose,
        key: Option<Key>,
    },
    Answer {
        key: Key,
        answer: Answer,
    },
    /// Events are kept back until [`Action::Release`], so that what they tell of is known when a client asks.
    Hold,
    Release,
    /// Take all breakpoints away, until [`Action::Restore`].
    ClearBreakpoints,
    Restore,
    /// SIGINT to the main thread.
    Signal,
    /// Tell [`Event::InterruptLate`] when it has been waited for long enough.
    AwaitInterrupt,
    /// Tell [`Event::CellLate`] when the cell has had its time.
    AwaitCell,
    /// Threads are stopped and nobody can say that they may go on: have a helper do so.
    Free,
    /// The session is over; what was said of it is forgotten.
    Forget,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    purpose: Purpose,
    key: Option<Key>,
}

/// How far an interrupt of a stopped thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Interrupt {
    /// The threads were told to go on, or the session to end.
    Resuming,
    /// The signal was sent, and the cell has not ended.
    Signalled,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Machine {
    phase: Phase,
    connected: bool,
    ended: bool,
    next_seq: Seq,
    outstanding: BTreeMap<Seq, Asked>,
    /// Those that `initialize` and wait for a session.
    waiting: Vec<Key>,
    stopped: BTreeSet<Thread>,
    /// The `continue` that was sent since the last stop.
    resuming: Option<Seq>,
    interrupt: Option<Interrupt>,
    /// The interrupt is for a cell.
    cell_runs: bool,
    cleared: bool,
}

/// As [`State`], without what the set of stopped threads tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Phase {
    #[default]
    Off,
    Starting,
    Ready,
    Attached,
    Draining,
    Broken,
}

impl Machine {
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Off => State::Off,
            Phase::Starting => State::Starting,
            Phase::Ready => State::Ready,
            Phase::Attached if self.is_stopped() => State::Stopped,
            Phase::Attached => State::Attached,
            Phase::Draining => State::Draining,
            Phase::Broken => State::Broken,
        }
    }

    /// Whether a thread waits at a breakpoint, as far as is known.
    pub fn is_stopped(&self) -> bool {
        !self.stopped.is_empty()
    }

    pub fn stopped(&self) -> impl Iterator<Item = Thread> {
        self.stopped.iter().copied()
    }

    /// Whether what is stopped is being let go for an interrupt, and [`Action::Signal`] is still to come.
    pub fn interrupts(&self) -> bool {
        self.interrupt == Some(Interrupt::Resuming)
    }

    /// Whether events are a client's business.
    pub fn has_session(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Attached | Phase::Draining)
    }

    /// Whether events are kept back.
    pub fn holds(&self) -> bool {
        self.outstanding
            .values()
            .any(|asked| asked.purpose == Purpose::Threads)
    }

    /// Whether this is the question for the threads.
    pub fn asks_for_threads(&self, seq: Seq) -> bool {
        self.outstanding
            .get(&seq)
            .is_some_and(|asked| asked.purpose == Purpose::Threads)
    }

    /// Whether the kernel ends.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    #[must_use = "the actions are to be performed, in order"]
    pub fn step(&mut self, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        match event {
            Event::Request { key, command } => self.request(key, command, &mut out),
            Event::Connected => self.connected(&mut out),
            Event::Failed => {
                if self.phase == Phase::Starting && !self.connected {
                    self.phase = Phase::Off;
                    self.refuse_waiting(Refusal::NoDebugger, &mut out);
                }
            }
            Event::StartLate => {
                if self.phase == Phase::Starting && !self.connected {
                    self.refuse_waiting(Refusal::StartTooLong, &mut out);
                }
            }
            Event::Reply { seq, success } => self.reply(seq, success, &mut out),
            Event::Late { seq } => self.late(seq, &mut out),
            Event::Stopped { thread } => self.stops(thread, &mut out),
            Event::Continued { thread } => match thread {
                Some(thread) => drop(self.stopped.remove(&thread)),
                None => self.stopped.clear(),
            },
            Event::AllStopped { thread } => {
                // Meanwhile they may have gone on.
                if self.is_stopped() {
                    self.stopped.insert(thread);
                }
            }
            Event::Gone => self.gone(&mut out),
            Event::Interrupt { runs } => self.interrupt(runs, &mut out),
            Event::InterruptLate => {
                if self.interrupt == Some(Interrupt::Resuming) {
                    // Whatever keeps the thread from going on, such as an expression that it evaluates, is to end.
                    out.push(Action::Signal);
                    if self.is_stopped() && self.phase != Phase::Draining {
                        out.push(Action::AwaitInterrupt);
                    } else {
                        self.interrupt = Some(Interrupt::Signalled);
                        out.push(Action::AwaitCell);
                    }
                }
            }
            Event::CellEnded => self.cell_ended(&mut out),
            Event::CellLate => {
                if self.interrupt == Some(Interrupt::Signalled) {
                    self.cell_ended(&mut out);
                }
            }
            Event::End => self.end(&mut out),
        }
        out
    }

    fn send(&mut self, purpose: Purpose, key: Option<Key>, out: &mut Vec<Action>) -> Seq {
        self.next_seq += 1;
        let seq = self.next_seq;
        self.outstanding.insert(seq, Asked { purpose, key });
        out.push(Action::Send { seq, purpose, key });
        seq
    }

    fn request(&mut self, key: Key, command: Command, out: &mut Vec<Action>) {
        let answer = match (self.phase, command) {
            _ if self.ended => Answer::Refused(Refusal::KernelEnds),
            (_, Command::Initialize) => match self.initialize(key, out) {
                Some(answer) => answer,
                None => return,
            },
            (Phase::Starting, Command::Disconnect) => {
                self.refuse_waiting(Refusal::Ended, out);
                Answer::Done
            }
            (Phase::Off | Phase::Broken | Phase::Draining, Command::Disconnect) => Answer::Done,
            (Phase::Broken, _) => Answer::Refused(Refusal::Broken),
            (Phase::Off | Phase::Starting | Phase::Draining, Command::Continue) => Answer::Done,
            (Phase::Off | Phase::Starting | Phase::Draining, _) => Answer::Refused(Refusal::NotStarted),
            _ if self.outstanding.len() >= MOST_OUTSTANDING => Answer::Refused(Refusal::TooMany),
            (_, Command::Disconnect) => {
                self.send(Purpose::Client(command), Some(key), out);
                self.phase = Phase::Draining;
                return;
            }
            (Phase::Attached, Command::Attach) | (_, Command::ConfigurationDone) => Answer::Done,
            // One that nothing waits for would be answered when something goes on that stops later.
            (_, Command::Continue) if !self.is_stopped() || self.resuming.is_some() => Answer::Done,
            (_, Command::Step) if !self.is_stopped() => Answer::Refused(Refusal::NotStopped),
            (Phase::Ready, Command::Frame) => Answer::Refused(Refusal::NotAttached),
            (Phase::Ready | Phase::Attached, _) => {
                let seq = self.send(Purpose::Client(command), Some(key), out);
                if command == Command::Continue {
                    self.resuming = Some(seq);
                }
                return;
            }
        };
        out.push(Action::Answer { key, answer });
    }

    fn initialize(&mut self, key: Key, out: &mut Vec<Action>) -> Option<Answer> {
        match self.phase {
            Phase::Broken => return Some(Answer::Refused(Refusal::Broken)),
            // A page that was loaded again.
            Phase::Ready | Phase::Attached => return Some(Answer::Capabilities),
            Phase::Off if self.connected => {
                self.phase = Phase::Starting;
                self.send(Purpose::Client(Command::Initialize), Some(key), out);
                return None;
            }
            Phase::Off => {
                self.phase = Phase::Starting;
                out.push(Action::Start);
            }
            Phase::Starting | Phase::Draining => {}
        }
        self.waiting.push(key);
        None
    }

    fn connected(&mut self, out: &mut Vec<Action>) {
        if self.connected || self.phase == Phase::Broken {
            return;
        }
        self.connected = true;
        if self.phase == Phase::Starting {
            self.phase = Phase::Off;
        }
        if self.ended {
            self.send(Purpose::Disconnect, None, out);
            self.phase = Phase::Draining;
        } else {
            self.next_session(out);
        }
    }

    /// The session is over, or was only connected; the next may begin.
    fn next_session(&mut self, out: &mut Vec<Action>) {
        if self.phase == Phase::Off && self.connected && !self.waiting.is_empty() {
            let key = self.waiting.remove(0);
            self.phase = Phase::Starting;
            self.send(Purpose::Client(Command::Initialize), Some(key), out);
        }
    }

    fn refuse_waiting(&mut self, why: Refusal, out: &mut Vec<Action>) {
        for key in std::mem::take(&mut self.waiting) {
            let answer = Answer::Refused(why);
            out.push(Action::Answer { key, answer });
        }
    }

    fn reply(&mut self, seq: Seq, success: bool, out: &mut Vec<Action>) {
        let Some(Asked { purpose, key }) = self.outstanding.remove(&seq) else {
            return;
        };
        let answer = |out: &mut Vec<Action>, answer| {
            if let Some(key) = key {
                out.push(Action::Answer { key, answer });
            }
        };
        match purpose {
            Purpose::Client(Command::Initialize) => {
                if self.phase == Phase::Starting {
                    self.phase = if success { Phase::Ready } else { Phase::Off };
                }
                answer(out, Answer::Pydevds);
                if success {
                    for key in std::mem::take(&mut self.waiting) {
                        let answer = Answer::Capabilities;
                        out.push(Action::Answer { key, answer });
                    }
                }
                self.next_session(out);
            }
            Purpose::Client(Command::Attach) if success && self.phase == Phase::Ready => {
                // Its answer comes when breakpoints are of effect.
                self.send(Purpose::ConfigurationDone, key, out);
            }
            Purpose::ConfigurationDone => {
                if success && self.phase == Phase::Ready {
                    self.phase = Phase::Attached;
                    answer(out, Answer::Done);
                } else {
                    answer(out, Answer::Pydevds);
                }
            }
            Purpose::Client(Command::Disconnect) | Purpose::Disconnect => {
                answer(out, Answer::Done);
                self.session_over(out);
            }
            Purpose::Client(Command::Continue) => {
                self.resumed(seq);
                answer(out, Answer::Pydevds);
            }
            Purpose::Resume => {
                self.resumed(seq);
                if self.interrupt == Some(Interrupt::Resuming) && self.phase != Phase::Draining {
                    self.signal(out);
                }
            }
            Purpose::Threads => {
                if !self.holds() {
                    out.push(Action::Release);
                }
            }
            Purpose::Client(command) => {
                answer(out, Answer::Pydevds);
                if command == Command::Frame && self.interrupt == Some(Interrupt::Signalled) {
                    // The signal has ended what the thread worked out for the debugger, and not the cell.
                    out.push(Action::Signal);
                }
            }
        }
    }

    /// The threads go on, unless one of them has stopped again since they were told to.
    fn resumed(&mut self, seq: Seq) {
        if self.resuming == Some(seq) {
            self.resuming = None;
            self.stopped.clear();
        }
    }

    fn late(&mut self, seq: Seq, out: &mut Vec<Action>) {
        let Some(asked) = self.outstanding.get_mut(&seq) else {
            return;
        };
        let (purpose, key) = (asked.purpose, asked.key.take());
        match purpose {
            // Until it is answered there is no other session, but its client need not wait.
            Purpose::Client(Command::Disconnect) => {
                if let Some(key) = key {
                    let answer = Answer::Done;
                    out.push(Action::Answer { key, answer });
                }
                return;
            }
            Purpose::Disconnect | Purpose::Resume => return,
            // What the thread works out for a client may be ended by an interrupt, which is to know of it.
            Purpose::Client(Command::Frame) => {}
            Purpose::Client(Command::Continue) => {
                self.outstanding.remove(&seq);
                if self.resuming == Some(seq) {
                    self.resuming = None;
                }
            }
            Purpose::Client(Command::Initialize) => {
                self.outstanding.remove(&seq);
                if self.phase == Phase::Starting {
                    self.phase = Phase::Off;
                    self.refuse_waiting(Refusal::TooLong, out);
                }
            }
            _ => drop(self.outstanding.remove(&seq)),
        }
        if let Some(key) = key {
            let answer = Answer::Refused(Refusal::TooLong);
            out.push(Action::Answer { key, answer });
        }
        if purpose == Purpose::Threads && !self.holds() {
            out.push(Action::Release);
        }
    }

    fn stops(&mut self, thread: Thread, out: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Ready | Phase::Attached) {
            return;
        }
        self.stopped.insert(thread);
        self.resuming = None;
        match self.interrupt {
            // An interrupt passes by what stops on its way.
            Some(Interrupt::Signalled) if self.cleared => self.resume(out),
            _ => {
                let held = self.holds();
                self.send(Purpose::Threads, None, out);
                if !held {
                    out.push(Action::Hold);
                }
            }
        }
    }

    fn resume(&mut self, out: &mut Vec<Action>) {
        self.interrupt = Some(Interrupt::Resuming);
        if !self.cleared {
            self.cleared = true;
            out.push(Action::ClearBreakpoints);
        }
        let seq = self.send(Purpose::Resume, None, out);
        self.resuming = Some(seq);
        out.push(Action::AwaitInterrupt);
    }

    fn signal(&mut self, out: &mut Vec<Action>) {
        out.push(Action::Signal);
        if self.cell_runs {
            self.interrupt = Some(Interrupt::Signalled);
            out.push(Action::AwaitCell);
        } else {
            self.cell_ended(out);
        }
    }

    fn interrupt(&mut self, runs: bool, out: &mut Vec<Action>) {
        self.cell_runs = runs;
        match self.phase {
            Phase::Attached | Phase::Ready if self.is_stopped() => {
                if self.interrupt != Some(Interrupt::Resuming) {
                    self.resume(out);
                }
            }
            Phase::Draining => {
                if self.interrupt != Some(Interrupt::Resuming) {
                    self.interrupt = Some(Interrupt::Resuming);
                    out.push(Action::AwaitInterrupt);
                }
            }
            _ => {
                out.push(Action::Signal);
                if self.phase == Phase::Off && self.works_something_out() {
                    // What a thread still works out for the session that is over is ended by it, and not the cell.
                    self.interrupt = Some(Interrupt::Signalled);
                    out.push(Action::AwaitCell);
                }
            }
        }
    }

    /// Whether pydevd has been told of no breakpoints, until the interrupted cell has ended.
    pub fn is_cleared(&self) -> bool {
        self.cleared
    }

    fn works_something_out(&self) -> bool {
        let mut asked = self.outstanding.values();
        asked.any(|asked| asked.purpose == Purpose::Client(Command::Frame))
    }

    fn cell_ended(&mut self, out: &mut Vec<Action>) {
        if self.phase == Phase::Draining {
            return;
        }
        // A signal that is still to come would be the next cell's.
        self.interrupt = None;
        if std::mem::take(&mut self.cleared) && self.phase == Phase::Attached {
            out.push(Action::Restore);
        }
    }

    /// pydevd has let every thread go, and stops none any more.
    fn session_over(&mut self, out: &mut Vec<Action>) {
        let stopped = self.is_stopped();
        self.stopped.clear();
        self.resuming = None;
        self.cleared = false;
        self.phase = Phase::Off;
        let interrupted = self.interrupt.take();
        self.drop_outstanding(Refusal::Ended, stopped, out);
        out.push(Action::Forget);
        if interrupted == Some(Interrupt::Resuming) {
            out.push(Action::Signal);
            if self.ended {
                // What is still worked out in a frame is ended by it, and not the cell.
                self.interrupt = Some(Interrupt::Signalled);
            }
        }
        if !self.ended {
            self.next_session(out);
        }
    }

    /// Refuse what waits for pydevd. What a thread works out is remembered where it was `stopped` or the kernel ends, since it is to
    /// be interrupted.
    fn drop_outstanding(&mut self, why: Refusal, stopped: bool, out: &mut Vec<Action>) {
        let held = self.holds();
        let remembered = stopped || self.ended;
        self.outstanding.retain(|_, asked| {
            if let Some(key) = asked.key.take() {
                let answer = Answer::Refused(why);
                out.push(Action::Answer { key, answer });
            }
            match asked.purpose {
                Purpose::Client(Command::Frame) => remembered,
                Purpose::Client(Command::Disconnect) | Purpose::Disconnect => true,
                _ => false,
            }
        });
        if held {
            out.push(Action::Release);
        }
    }

    fn gone(&mut self, out: &mut Vec<Action>) {
        if !self.connected || self.phase == Phase::Broken {
            return;
        }
        self.phase = Phase::Broken;
        self.stopped.clear();
        self.resuming = None;
        self.cleared = false;
        let interrupted = self.interrupt.take();
        self.refuse_waiting(Refusal::Broken, out);
        self.drop_outstanding(Refusal::Broken, false, out);
        self.outstanding.clear();
        out.extend([Action::Free, Action::Forget]);
        if interrupted == Some(Interrupt::Resuming) {
            out.push(Action::Signal);
        }
    }

    fn end(&mut self, out: &mut Vec<Action>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.refuse_waiting(Refusal::KernelEnds, out);
        self.drop_outstanding(Refusal::KernelEnds, true, out);
        if matches!(self.phase, Phase::Ready | Phase::Attached) {
            self.send(Purpose::Disconnect, None, out);
            self.phase = Phase::Draining;
        }
    }
}
