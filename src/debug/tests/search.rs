//! Every life of a small session up to some length, and long ones by lot: a few requests, pydevd with its answers, stops and
//! silences, interrupts and the end, in every order, against rules that an observer checks at each step.
//!
//! The model of pydevd is generous: it may answer what is outstanding in any order, with success or not, or never; it may stop
//! and go on at any time while a session is attached, and be lost.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::debug::machine::Machine;
use crate::debug::vocabulary::{Action, Answer, Command, Event, Key, Purpose, Refusal, Seq, State};

/// What must be true of a life so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Observer {
    asked: BTreeSet<Key>,
    answered: BTreeSet<Key>,
    outstanding: BTreeMap<Seq, Purpose>,
    /// Sequence numbers that were ever sent.
    last: Seq,
    held: bool,
    ended: bool,
    connected: bool,
    starting: bool,
    cleared: bool,
}

impl Observer {
    fn see(&mut self, before: State, stopped: bool, event: Event, actions: &[Action]) -> Result<(), String> {
        match event {
            Event::Request { key, .. } => drop(self.asked.insert(key)),
            Event::Reply { seq, .. } => drop(self.outstanding.remove(&seq)),
            Event::End => self.ended = true,
            Event::Connected => self.connected = true,
            Event::Gone => self.outstanding.clear(),
            Event::Failed => self.starting = false,
            _ => {}
        }
        for &action in actions {
            match action {
                Action::Answer { key, answer } => {
                    if !self.asked.contains(&key) || !self.answered.insert(key) {
                        return Err("a request is answered once".to_owned());
                    }
                    if answer == Answer::Pydevds && !matches!(event, Event::Reply { .. }) {
                        return Err("pydevd's answer is passed on when it is there".to_owned());
                    }
                    if answer == Answer::Refused(Refusal::KernelEnds) && !self.ended {
                        return Err("the kernel does not end".to_owned());
                    }
                }
                Action::Send { seq, purpose, key } => self.sent(before, stopped, seq, purpose, key)?,
                Action::Hold => {
                    if std::mem::replace(&mut self.held, true) {
                        return Err("what is held back is held back once".to_owned());
                    }
                }
                Action::Release => self.held = false,
                Action::Start => {
                    if self.connected || std::mem::replace(&mut self.starting, true) {
                        return Err("debugpy is started once".to_owned());
                    }
                }
                Action::ClearBreakpoints => self.cleared = true,
                Action::Restore => {
                    if !std::mem::take(&mut self.cleared) {
                        return Err("breakpoints come back that were not taken away".to_owned());
                    }
                }
                Action::Forget => self.cleared = false,
                Action::Signal
                    if stopped && matches!(event, Event::Interrupt { .. }) && before == State::Stopped =>
                {
                    return Err("a stopped thread goes on before it is interrupted".to_owned());
                }
                Action::Signal | Action::AwaitInterrupt | Action::AwaitCell | Action::Free => {}
            }
        }
        Ok(())
    }

    fn sent(
        &mut self,
        before: State,
        stopped: bool,
        seq: Seq,
        purpose: Purpose,
        key: Option<Key>,
    ) -> Result<(), String> {
        if seq <= self.last {
            return Err("a number is used once".to_owned());
        }
        self.last = seq;
        if !self.connected || before == State::Broken {
            return Err("nothing is sent to nobody".to_owned());
        }
        if key.is_some_and(|key| self.answered.contains(&key)) {
            return Err("what is answered is not sent".to_owned());
        }
        if self.ended && purpose != Purpose::Disconnect {
            return Err("after the end has begun pydevd is told to let go, and nothing else".to_owned());
        }
        if matches!(purpose, Purpose::Client(Command::Continue | Command::Step)) && !stopped {
            return Err("what is not stopped cannot go on".to_owned());
        }
        self.outstanding.insert(seq, purpose);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Life {
    machine: Machine,
    observer: Observer,
}

impl Life {
    fn step(&mut self, event: Event) -> Result<(), String> {
        let (before, stopped) = (self.machine.state(), self.machine.is_stopped());
        let actions = self.machine.step(event);
        self.observer
            .see(before, stopped, event, &actions)
            .map_err(|rule| format!("{rule}: broken in {before:?} by {event:?} -> {actions:?}"))?;
        if self.observer.held != self.machine.holds() {
            return Err(format!(
                "events are held back while the threads are asked for: {event:?}"
            ));
        }
        Ok(())
    }

    /// Once every timer is due nobody waits: whatever pydevd and the helper do not say.
    fn all_late(mut self) -> Result<(), String> {
        for _ in 0..3 {
            self.step(Event::StartLate)?;
            for seq in 0..=self.observer.last {
                self.step(Event::Late { seq })?;
            }
        }
        let waiting: Vec<_> = self.observer.asked.difference(&self.observer.answered).collect();
        // One that came while a session was being ended waits for that, and for a start of its own.
        let draining = self.machine.state() == State::Draining;
        if waiting.is_empty() || draining {
            return Ok(());
        }
        Err(format!("{waiting:?} wait for ever in {:?}", self.machine))
    }

    /// The end of the kernel answers everybody at once.
    fn ends(mut self) -> Result<(), String> {
        self.step(Event::End)?;
        if self.observer.asked == self.observer.answered {
            Ok(())
        } else {
            Err("the end leaves somebody without an answer".to_owned())
        }
    }
}

struct World {
    name: &'static str,
    requests: &'static [(Key, Command)],
    /// Whether pydevd can be lost, and refuse.
    fails: bool,
    /// Whether threads stop, and are interrupted.
    stops: bool,
    most_sent: Seq,
}

/// Events of a life that is searched; a whole session with a stop that is interrupted has eleven.
const DEEPEST: usize = 9;

const WORLDS: [World; 4] = [
    World {
        name: "a session and the next",
        requests: &[
            (1, Command::Initialize),
            (2, Command::Attach),
            (3, Command::Disconnect),
            (4, Command::Initialize),
        ],
        fails: true,
        stops: false,
        most_sent: 7,
    },
    World {
        name: "a stop",
        requests: &[
            (1, Command::Initialize),
            (2, Command::Attach),
            (3, Command::Continue),
            (4, Command::Continue),
            (5, Command::Step),
        ],
        fails: false,
        stops: true,
        most_sent: 6,
    },
    World {
        name: "an expression that takes its time",
        requests: &[
            (1, Command::Initialize),
            (2, Command::Attach),
            (3, Command::Frame),
            (4, Command::Disconnect),
        ],
        fails: false,
        stops: true,
        most_sent: 6,
    },
    World {
        name: "two pages",
        requests: &[
            (1, Command::Initialize),
            (2, Command::Initialize),
            (3, Command::Disconnect),
            (4, Command::ConfigurationDone),
            (5, Command::Ask),
        ],
        fails: true,
        stops: false,
        most_sent: 5,
    },
];

impl World {
    fn events(&self, life: &Life) -> Vec<Event> {
        let mut events = vec![Event::StartLate, Event::End];
        for &(key, command) in self.requests {
            if !life.observer.asked.contains(&key) {
                events.push(Event::Request { key, command });
            }
        }
        if life.observer.starting && !life.observer.connected {
            events.extend([Event::Connected, Event::Failed]);
        }
        if life.observer.last < self.most_sent && self.stops {
            events.extend([
                Event::Interrupt { runs: true },
                Event::InterruptLate,
                Event::CellEnded,
                Event::CellLate,
            ]);
        }
        if !life.observer.connected {
            return events;
        }
        for &seq in life.observer.outstanding.keys() {
            events.extend([Event::Reply { seq, success: true }, Event::Late { seq }]);
            if self.fails {
                events.push(Event::Reply { seq, success: false });
            }
        }
        if self.fails {
            events.push(Event::Gone);
        }
        if life.observer.last < self.most_sent && self.stops {
            events.extend([Event::Stopped { thread: 1 }, Event::Stopped { thread: 2 }]);
            events.extend([
                Event::AllStopped { thread: 2 },
                Event::Continued { thread: None },
                Event::Continued { thread: Some(1) },
            ]);
        }
        events
    }

    /// Visits every state that can be reached by so many events, and in each tries the end and a world that is late.
    fn search(&self, deepest: usize) -> Result<usize, String> {
        let mut seen = HashSet::from([Life::default()]);
        let mut front = vec![Life::default()];
        for _ in 0..deepest {
            let mut next_front = Vec::new();
            for life in front {
                for event in self.events(&life) {
                    let mut next = life.clone();
                    next.step(event)?;
                    if !seen.contains(&next) {
                        next.clone().all_late()?;
                        next.clone().ends()?;
                        seen.insert(next.clone());
                        next_front.push(next);
                    }
                }
            }
            front = next_front;
        }
        Ok(seen.len())
    }

    /// One long life by lot.
    fn wander(&self, mut lot: u64) -> Result<(), String> {
        let mut life = Life::default();
        for _ in 0..60 {
            let events = self.events(&life);
            lot = lot
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let Some(event) = usize::try_from(lot >> 33)
                .ok()
                .and_then(|lot| events.get(lot % events.len()))
            else {
                break;
            };
            // The end is tried after each step.
            if *event != Event::End {
                life.step(*event)?;
                life.clone().all_late()?;
                life.clone().ends()?;
            }
        }
        Ok(())
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "shown when a test asks for it")]
fn every_life_of_a_session() {
    for world in WORLDS {
        let deepest = if world.stops { DEEPEST } else { 2 * DEEPEST };
        match world.search(deepest) {
            Ok(states) => println!("{}: {states} states", world.name),
            Err(broken) => panic!("{}: {broken}", world.name),
        }
    }
}

#[test]
fn long_lives_of_a_session() {
    for world in WORLDS {
        let long = World {
            most_sent: 40,
            ..world
        };
        for lot in 0..20_000 {
            if let Err(broken) = long.wander(lot) {
                panic!("{}: {broken}", long.name);
            }
        }
    }
}

/// A session in which a thread has stopped.
fn stopped() -> Machine {
    let mut machine = Machine::default();
    let replies = |seq| Event::Reply { seq, success: true };
    let asks = |key, command| Event::Request { key, command };
    for event in [
        asks(1, Command::Initialize),
        Event::Connected,
        replies(1),
        asks(2, Command::Attach),
        replies(2),
        replies(3),
        Event::Stopped { thread: 1 },
    ] {
        let _ = machine.step(event);
    }
    assert!(machine.is_stopped());
    machine
}

const RESUME: Action = Action::Send {
    seq: 5,
    purpose: Purpose::Resume,
    key: None,
};

/// Where pydevd never answers and no cell runs, the signal is not repeated: it would meet the next cell.
#[test]
fn an_interrupt_without_a_cell_is_one_signal() {
    let mut machine = stopped();
    assert_eq!(
        machine.step(Event::Interrupt { runs: false }),
        [Action::ClearBreakpoints, RESUME, Action::AwaitInterrupt]
    );
    assert_eq!(
        machine.step(Event::InterruptLate),
        [Action::Signal, Action::Restore]
    );
    assert_eq!(machine.step(Event::InterruptLate), []);
}

#[test]
fn an_interrupt_passes_a_breakpoint_by() {
    let mut machine = stopped();
    let mut take = |event| machine.step(event);
    assert_eq!(
        take(Event::Interrupt { runs: true }),
        [Action::ClearBreakpoints, RESUME, Action::AwaitInterrupt]
    );
    assert_eq!(
        take(Event::Reply {
            seq: 5,
            success: true
        }),
        [Action::Signal, Action::AwaitCell]
    );
    assert_eq!(take(Event::CellEnded), [Action::Restore]);
}
