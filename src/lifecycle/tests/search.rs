//! The search: every life that a small world can have, to the end of all its branches, and lives far longer
//! by lot.
//!
//! In each state every event of the world is tried, also those that come too late or make no sense there, so
//! every pair (and every longer chain) of events is covered in every state that can be reached. The state
//! includes what the observer remembers. From each state two ways out are tried as well: the deadline, and a
//! world in which everything is over its budget. The four worlds have 29,336, 10,586, 29,428 and 18,440
//! states; the test prints how many it visited.

use std::collections::{HashSet, VecDeque};

use super::invariants::Observer;
use crate::lifecycle::{
    Action, Asker, Event, Leg, Lifecycle, Phase, Place, RequestId, RequestKind, Rung, Trigger,
};

/// A life so far: the machine and its observer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Life {
    machine: Lifecycle,
    observer: Observer,
}

impl Life {
    fn new() -> Self {
        Self {
            machine: Lifecycle::new(),
            observer: Observer::default(),
        }
    }

    fn step(&mut self, event: Event) -> Result<Vec<Action>, String> {
        let actions = self.machine.step(event);
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

const WORLDS: [World; 4] = [
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
    /// Every event that can come to this life, in whatever order and however late.
    fn events(&self, life: &Life) -> Vec<Event> {
        let mut events = vec![
            Event::Ready,
            Event::AbortExecutes,
            Event::Armed,
            Event::CellStuck,
            Event::LastCall,
            Event::Deadline,
        ];
        for &(id, kind) in self.requests {
            events.push(Event::Request { id, kind });
            events.extend([Place::Main, Place::Engine].map(|place| Event::TakeEffect { id, place }));
            events.extend([Event::Reply { id }, Event::Finished { id }]);
        }
        for &id in self.activations {
            events.extend([
                Event::Activate { id },
                Event::ServerReady { id },
                Event::ServerGone { id },
            ]);
        }
        events.extend(self.askers.iter().copied().map(Event::ShutdownRequest));
        events.extend(self.stops.iter().copied().map(Event::Stop));
        // The ladder's news, of the crew at work and of the one it has left behind.
        let (crew, round) = match life.machine.phase() {
            Phase::Draining(draining) => (draining.leg.crew, draining.rounds),
            _ => (0, 0),
        };
        for crew in crew.saturating_sub(1)..=crew {
            for rung in Rung::ALL {
                let leg = Leg { rung, crew };
                events.extend([Event::Done(leg), Event::Over(leg)]);
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
            for event in self.events(&life) {
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
        let leg = draining.leg;
        life.step(Event::Over(leg))?;
    }
    ended(&life)
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
            let mut events = world.events(&life);
            if life.machine.admitting() && step < patience {
                // Let it live a while before it has a reason to end.
                events.retain(|event| {
                    !matches!(
                        event,
                        Event::ShutdownRequest(_) | Event::Stop(_) | Event::Deadline
                    )
                });
            } else if step < 300 {
                events.retain(|event| !matches!(event, Event::Deadline | Event::LastCall));
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
