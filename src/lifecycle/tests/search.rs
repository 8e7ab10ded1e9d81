//! The search: every life that a small world can have, to the end of all its branches, and lives far longer
//! by lot.
//!
//! In each state every event of the world is tried, also those that come too late or make no sense there, so
//! every pair (and every longer chain) of events is covered in every state that can be reached. What Python's side
//! says is what its model can say ([`crate::lifecycle::contract`]); the long lives also hold what it never says. The state
//! includes what the observer remembers. In each state four more things are tried: the deadline; a world in which
//! everything is over its time; a Python that answers everything, for which no time has to pass; and whatever those may
//! say who were left behind. The four worlds have 311,510, 134,072, 391,360 and 207,864 states; the test prints how many
//! it visited.

use std::collections::{HashSet, VecDeque};

use super::invariants::Observer;
use crate::lifecycle::contract::PythonSide;
use crate::lifecycle::{
    Action, Asker, Event, Lifecycle, MAIN, Phase, Place, RequestId, RequestKind, Rung, Shell, Trigger, Turn,
};

/// A life so far: the machine and its observer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Life {
    machine: Lifecycle,
    observer: Observer,
    python: PythonSide,
}

impl Life {
    fn new() -> Self {
        Self {
            machine: Lifecycle::new(),
            observer: Observer::default(),
            python: PythonSide::default(),
        }
    }

    fn step(&mut self, event: Event) -> Result<Vec<Action>, String> {
        let actions = self.machine.step(event);
        if PythonSide::is_its_word(event) {
            // What it cannot say is tried as well, and changes nothing about what it says next.
            self.python.says(event, &actions);
        }
        actions.iter().for_each(|&action| self.python.sees(action));
        if let Phase::Draining(draining) = self.machine.phase() {
            // Whatever those say who were left behind changes nothing, in any state: see below.
            self.python.forget_before(draining.turn.attempt);
        }
        match self.observer.see(event, &actions) {
            Ok(()) => Ok(actions),
            Err(invariant) => Err(format!("{invariant}: broken by {event:?} -> {actions:?}")),
        }
    }
}

/// What there is in a searched world.
struct World {
    name: &'static str,
    requests: &'static [(RequestId, RequestKind)],
    activations: &'static [RequestId],
    askers: &'static [Asker],
    stops: &'static [Trigger],
}

const A: Asker = Asker {
    id: 6,
    restart: false,
};
const B: Asker = Asker { id: 7, restart: true };

/// Every second request is a subshell's.
fn shell_of(id: RequestId) -> Shell {
    if id.is_multiple_of(2) { MAIN } else { 1 }
}

const WORLDS: [World; 5] = [
    World {
        name: "two shells",
        requests: &[
            (0, RequestKind::Execute),
            (1, RequestKind::Execute),
            (3, RequestKind::CommMessage),
        ],
        activations: &[],
        askers: &[A],
        stops: &[],
    },
    World {
        name: "two requests, two askers",
        requests: &[(0, RequestKind::Execute), (1, RequestKind::Other)],
        activations: &[],
        askers: &[A, B],
        stops: &[Trigger::Terminate],
    },
    World {
        name: "comms and what is answered at once",
        requests: &[
            (0, RequestKind::CommOpen),
            (1, RequestKind::CommMessage),
            (2, RequestKind::Immediate),
        ],
        activations: &[],
        askers: &[A],
        stops: &[],
    },
    World {
        name: "two language servers, a cell",
        requests: &[(0, RequestKind::Execute)],
        activations: &[4, 5],
        askers: &[A],
        stops: &[Trigger::ParentGone],
    },
    World {
        name: "every reason to end",
        requests: &[(0, RequestKind::Execute)],
        activations: &[4],
        askers: &[A],
        stops: &[
            Trigger::Terminate,
            Trigger::ParentGone,
            Trigger::AskExit,
            Trigger::StartFailed { status: 2 },
        ],
    },
];

impl World {
    /// Every event that can come to this life, in whatever order and however late: of Python's side all that it can say,
    /// or, where `anything` may come, all that could be said at all.
    fn events(&self, life: &Life, anything: bool) -> Vec<Event> {
        let mut events = vec![Event::Ready, Event::Armed, Event::Deadline];
        events.extend([MAIN, 1].map(|shell| Event::AbortExecutes { shell }));
        events.push(Event::ShellDeleted { shell: 1 });
        for &(id, kind) in self.requests {
            let shell = shell_of(id);
            events.push(Event::Request { id, kind, shell });
            events.extend([Place::Main, Place::Beside].map(|place| Event::TakeEffect { id, place }));
            events.extend([Event::Reply { id }, Event::Finished { id }]);
        }
        for &id in self.activations {
            let others = self.activations.iter().filter(|other| **other != id);
            for replaces in std::iter::once(None).chain(others.copied().map(Some)) {
                events.push(Event::Activate { id, replaces });
            }
            events.extend([Event::ServerReady { id }, Event::ServerGone { id }]);
        }
        events.extend(self.askers.iter().copied().map(Event::ShutdownRequest));
        events.extend(self.stops.iter().copied().map(Event::Stop));
        // The ladder's news, of the attempt at work.
        let (turn, round) = match life.machine.phase() {
            Phase::Draining(draining) => (draining.turn, draining.rounds),
            _ => (Turn::main(Rung::Tasks), 0),
        };
        events.extend(life.python.next());
        events.push(Event::Done(turn.at(Rung::Gate)));
        for rung in Rung::ALL {
            events.push(Event::Over(turn.at(rung)));
            if anything {
                events.extend([Event::TakeUp(turn.at(rung)), Event::Done(turn.at(rung))]);
                events.extend([Event::TakeUp(Turn::main(rung)), Event::Done(Turn::main(rung))]);
            }
        }
        events.extend((round.saturating_sub(1)..=round).map(|round| Event::Drained { round }));
        events.retain(|&event| life.observer.possible(event));
        events
    }

    /// Visits every state that can be reached; returns how many there are, and how many steps were tried.
    fn search(&self) -> Result<(usize, usize), String> {
        let start = Life::new();
        let mut seen = HashSet::from([start.clone()]);
        let mut open = VecDeque::from([start]);
        let mut steps = 0;
        while let Some(life) = open.pop_front() {
            the_deadline_ends_it(&life)?;
            the_ladder_ends_by_itself(&life)?;
            a_python_that_answers_needs_no_timer(&life)?;
            who_was_left_behind_changes_nothing(&life)?;
            for event in self.events(&life, false) {
                let mut next = life.clone();
                next.step(event)
                    .map_err(|broken| format!("{broken}\nin {life:?}"))?;
                steps += 1;
                if !seen.contains(&next) {
                    seen.insert(next.clone());
                    open.push_back(next);
                }
            }
        }
        Ok((seen.len(), steps))
    }
}

fn the_deadline_ends_it(life: &Life) -> Result<(), String> {
    let mut life = life.clone();
    life.step(Event::Deadline)?;
    ended(&life)
}

/// Once begun, the ladder comes to its end though nothing on it ever succeeds.
fn the_ladder_ends_by_itself(life: &Life) -> Result<(), String> {
    let mut life = life.clone();
    if life.machine.admitting() {
        return Ok(());
    }
    for _ in 0..20 {
        let Phase::Draining(draining) = life.machine.phase() else {
            break;
        };
        let turn = draining.turn;
        life.step(Event::Over(turn))?;
    }
    ended(&life)
}

/// Wherever things stand: if from now on Python's side answers whatever it is asked, and says nothing but what it can,
/// then no time has to pass for the ladder to come to its end.
fn a_python_that_answers_needs_no_timer(life: &Life) -> Result<(), String> {
    let mut life = life.clone();
    if life.machine.admitting() {
        return Ok(());
    }
    for _ in 0..60 {
        let Phase::Draining(draining) = life.machine.phase() else {
            break;
        };
        let now = draining.turn;
        let news = match now.rung {
            Rung::Gate => Some(Event::Done(now)),
            Rung::Reply if !draining.armed => Some(Event::Armed),
            Rung::Reply => Some(Event::Drained {
                round: draining.rounds,
            }),
            _ => life.python.next().find(|event| says_about(*event, now.attempt)),
        };
        let Some(news) = news else {
            return Err(format!(
                "Python has said all that it can, and the ladder waits: {life:?}"
            ));
        };
        life.step(news)?;
    }
    ended(&life)
}

/// Those whose turn was taken over may ask and say what they like, as often as they like, and so may their timers.
fn who_was_left_behind_changes_nothing(life: &Life) -> Result<(), String> {
    let Phase::Draining(draining) = life.machine.phase() else {
        return Ok(());
    };
    for attempt in 0..draining.turn.attempt {
        for rung in Rung::ALL {
            for resume in Rung::IN_PYTHON {
                let turn = Turn {
                    rung,
                    attempt,
                    resume,
                };
                for event in [Event::TakeUp(turn), Event::Done(turn), Event::Over(turn)] {
                    let mut machine = life.machine.clone();
                    if !machine.step(event).is_empty() || machine != life.machine {
                        return Err(format!("{event:?} of those left behind counts in {life:?}"));
                    }
                }
            }
        }
    }
    Ok(())
}

fn says_about(event: Event, attempt: u8) -> bool {
    matches!(event, Event::TakeUp(turn) | Event::Done(turn) if turn.attempt == attempt)
}

fn ended(life: &Life) -> Result<(), String> {
    if *life.machine.phase() == Phase::Exiting && life.observer.exited {
        Ok(())
    } else {
        Err(format!("not ended: {life:?}"))
    }
}

#[test]
#[allow(clippy::print_stdout)] // The number of states is what a reader of the test's output wants to know.
fn every_life_of_a_small_world_holds_the_invariants() {
    for world in &WORLDS {
        match world.search() {
            Ok((states, steps)) => {
                println!("{}: {states} states, {steps} steps", world.name);
                assert!(
                    states > 1_000,
                    "{}: only {states} states: the search is broken",
                    world.name
                );
            }
            Err(broken) => panic!("{}: {broken}", world.name),
        }
    }
}

/// A small generator of our own (xorshift), so that a seed means the same life for ever.
struct Lot(u64);

impl Lot {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n.max(1) as u64).unwrap_or(0)
    }
}

#[test]
fn long_lives_by_lot_hold_the_invariants() {
    let world = World {
        name: "all at once",
        requests: &[
            (0, RequestKind::Execute),
            (1, RequestKind::Execute),
            (2, RequestKind::Other),
            (3, RequestKind::CommOpen),
        ],
        activations: &[4, 5],
        askers: &[A, B],
        stops: &[
            Trigger::Terminate,
            Trigger::AskExit,
            Trigger::StartFailed { status: 2 },
        ],
    };
    for seed in 1..=3_000_u64 {
        let mut lot = Lot(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut life = Life::new();
        let patience = 1 + lot.below(60);
        for step in 0..400 {
            let mut events = world.events(&life, true);
            if life.machine.admitting() && step < patience {
                // Let it live a while before it has a reason to end.
                events.retain(|event| {
                    !matches!(
                        event,
                        Event::ShutdownRequest(_) | Event::Stop(_) | Event::Deadline
                    )
                });
            } else if step < 300 {
                events.retain(|event| !matches!(event, Event::Deadline));
            }
            let event = events[lot.below(events.len())];
            if let Err(broken) = life.step(event) {
                panic!("seed {seed}, step {step}: {broken}");
            }
            if life.observer.exited {
                break;
            }
        }
        if let Err(broken) = the_deadline_ends_it(&life) {
            // A life that has ended already passes as well.
            panic!("seed {seed}: {broken}");
        }
    }
}
