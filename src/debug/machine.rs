//! A debug session as data: what may happen ([`Event`]), what is to be done about it ([`Action`]), and one pure function
//! between them, [`Machine::step`].
//!
//! [`super::Session`] feeds it and carries its actions out. It reads no clock, does no I/O and knows no JSON, so that all of its
//! states can be searched. Every event is accepted in every state; one that no longer matters changes nothing. Each request
//! of a client's gets exactly one [`Action::Answer`].
//!
//! This file has the course of a session, from `initialize` to `disconnect`; [`interrupts`] has what becomes of an interrupt, and
//! [`ends`] how a session ends, by whosever doing.

mod ends;
mod interrupts;

use std::collections::{BTreeMap, BTreeSet};

use super::vocabulary::{Action, Answer, Command, Event, Key, Purpose, Refusal, Seq, State, Thread};
use interrupts::Interrupt;

/// Requests that may wait for pydevd at a time.
const MOST_OUTSTANDING: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    purpose: Purpose,
    key: Option<Key>,
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
            Event::InterruptLate => self.interrupt_late(&mut out),
            Event::CellEnded => self.cell_ended(&mut out),
            Event::CellLate => self.cell_late(&mut out),
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
}
