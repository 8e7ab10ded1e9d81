//! Python's side of the border, as a model: what it may ask and answer on the exit ladder, and in which order.
//!
//! The search over the life cycle plays the machine against it, and a test plays the real Python side against both, so
//! that neither assumes of the other what it never does. No part of a running kernel.

use super::ladder::{Rung, Turn};
use super::machine::{Action, Event};

/// As many attempts as a model follows: one for each rung that somebody can be stuck in, and one to spare.
const MOST: usize = 6;

/// Where one attempt stands. It asks for its turns in order, and waits for the answer; that one is done it says by a
/// message, which may be heard after it has asked for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Attempt {
    /// What it was handed.
    turn: Turn,
    /// The furthest rung that it has asked for.
    asked: Option<Rung>,
    /// The furthest that it was given.
    given: Option<Rung>,
    /// The furthest that it has been heard to have done.
    heard: Option<Rung>,
}

impl Attempt {
    /// The rung that comes after this one in what it was handed.
    fn after(&self, rung: Option<Rung>) -> Option<Rung> {
        let attaches = (self.turn.rung == Rung::Attach).then_some(Rung::Attach);
        let mine = Rung::IN_PYTHON
            .into_iter()
            .filter(|mine| *mine >= self.turn.resume);
        attaches.into_iter().chain(mine).find(|next| rung < Some(*next))
    }

    fn next(&self) -> impl Iterator<Item = Event> {
        // A helper whose time was over before it was in Python goes away.
        let left = self.asked == Some(Rung::Attach) && self.given.is_none();
        let ask = self.after(self.asked).filter(|_| !left);
        let say = self.after(self.heard).filter(|rung| Some(*rung) <= self.given);
        let said = say.map(|rung| Event::Done(self.turn.at(rung)));
        said.into_iter()
            .chain(ask.map(|rung| Event::TakeUp(self.turn.at(rung))))
    }
}

/// What Python's side may say next. Each attempt is a thread, and each may fall silent at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PythonSide {
    attempts: [Option<Attempt>; MOST],
}

impl PythonSide {
    /// Sees what the io loop is told to do: whom it tells to go on.
    pub fn sees(&mut self, action: Action) {
        let turn = match action {
            // From here on the main thread finds that the kernel ends, whatever is under way.
            Action::ArmWatchdog => Turn::main(Rung::Tasks),
            Action::Begin(turn) if turn.rung == Rung::Attach => turn,
            _ => return,
        };
        if let Some(slot @ None) = self.attempts.get_mut(usize::from(turn.attempt)) {
            *slot = Some(Attempt {
                turn,
                asked: None,
                given: None,
                heard: None,
            });
        }
    }

    /// What each attempt may say next, the oldest attempt first.
    pub fn next(&self) -> impl Iterator<Item = Event> {
        self.attempts.iter().flatten().flat_map(Attempt::next)
    }

    /// Drops what the attempts before this one were about to say.
    pub fn forget_before(&mut self, attempt: u8) {
        let old = self.attempts.iter_mut().take(usize::from(attempt));
        old.for_each(|slot| *slot = None);
    }

    /// Whether this is something that only Python's side says.
    pub fn is_its_word(event: Event) -> bool {
        match event {
            Event::TakeUp(_) => true,
            Event::Done(turn) => turn.rung == Rung::Attach || turn.rung.in_python(),
            _ => false,
        }
    }

    /// Python's side has said this, and the machine answered so. False where it cannot have.
    pub fn says(&mut self, event: Event, answer: &[Action]) -> bool {
        let (Event::TakeUp(turn) | Event::Done(turn)) = event else {
            return false;
        };
        let Some(Some(attempt)) = self.attempts.get_mut(usize::from(turn.attempt)) else {
            return false;
        };
        if !attempt.next().any(|next| next == event) {
            return false;
        }
        match event {
            Event::Done(_) => attempt.heard = Some(turn.rung),
            _ => {
                attempt.asked = Some(turn.rung);
                if answer.contains(&Action::TakenUp(turn)) {
                    attempt.given = Some(turn.rung);
                }
            }
        }
        true
    }
}
