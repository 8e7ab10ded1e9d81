//! The way down the exit ladder: the transitions of a [`Lifecycle`] that is draining. Called by
//! [`super::step`] only; pure, total, and free of every clock.

use super::ladder::{Outcome, Rung, Turn};
use super::machine::{Action, Draining, Event, Lifecycle, Phase, Trigger};

impl Lifecycle {
    pub(super) fn on_ladder(&mut self, event: Event, out: &mut Vec<Action>) {
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        match event {
            Event::Armed => {
                draining.armed = true;
                if draining.output_closed && draining.rounds == 0 {
                    draining.send_replies(out);
                    draining.drain(out);
                }
            }
            Event::TakeUp(turn) if draining.may_take_up(turn) => {
                draining.taken_up = Some(turn.rung);
                out.push(Action::TakenUp(turn));
            }
            Event::Done(turn) if draining.awaits(turn) => {
                let next = if turn.rung == Rung::Attach {
                    turn.resume
                } else {
                    turn.rung.next()
                };
                self.descend(next, Outcome::Done, out);
            }
            Event::Over(turn) if turn == draining.turn => self.over(turn, out),
            Event::Drained { round } if round == draining.rounds && round > 0 => {
                self.exit(Outcome::Done, out);
            }
            _ => {}
        }
    }

    /// The turn's time has passed. Where somebody in Python is stuck in it, they are left behind, and a fresh helper
    /// goes on with what comes next.
    fn over(&mut self, turn: Turn, out: &mut Vec<Action>) {
        if let Phase::Draining(draining) = &self.phase
            && draining.is_ahead()
        {
            // It ended in time; the word of it is on its way.
            return self.go_on(Outcome::Done, out);
        }
        match turn.rung {
            // What main's event loop holds is left as it is: the loop is nobody else's.
            Rung::Interrupt => self.take_over(turn.taken_over(Rung::Threads), out),
            Rung::Tasks | Rung::Threads | Rung::AtExit => {
                self.take_over(turn.taken_over(turn.rung.next()), out);
            }
            // The GIL never came back, so nobody can be asked anything any more.
            Rung::Attach | Rung::Flush => self.descend(Rung::Gate, Outcome::Over, out),
            Rung::Gate => self.descend(Rung::Reply, Outcome::Over, out),
            Rung::Reply => self.exit(Outcome::Over, out),
        }
    }

    fn take_over(&mut self, next: Turn, out: &mut Vec<Action>) {
        if let Phase::Draining(draining) = &mut self.phase {
            let turn = std::mem::replace(&mut draining.turn, next);
            draining.taken_up = None;
            out.push(Action::Ended {
                turn,
                outcome: Outcome::Over,
            });
            out.push(Action::Begin(next));
        }
    }

    /// From a turn whose work has ended to the next, or to that which has been taken up meanwhile.
    pub(super) fn go_on(&mut self, outcome: Outcome, out: &mut Vec<Action>) {
        if let Phase::Draining(draining) = &self.phase {
            let next = match draining.turn.rung {
                Rung::Attach => draining.turn.resume,
                rung => rung.next(),
            };
            self.descend(
                draining.taken_up.map_or(next, |rung| rung.max(next)),
                outcome,
                out,
            );
        }
    }

    fn descend(&mut self, rung: Rung, outcome: Outcome, out: &mut Vec<Action>) {
        if let Phase::Draining(draining) = &mut self.phase {
            let turn = draining.turn;
            draining.turn = turn.at(rung);
            out.push(Action::Ended { turn, outcome });
            out.push(Action::Begin(draining.turn));
        }
        if rung == Rung::Reply {
            self.close_output(out);
            if let Phase::Draining(draining) = &mut self.phase {
                if draining.armed {
                    draining.send_replies(out);
                    draining.drain(out);
                } else {
                    // The promise is not certain yet: try again, and answer when it is.
                    out.push(Action::ArmWatchdog);
                }
            }
        }
    }

    /// Ends all output; answers in their place those who will not come to it themselves.
    fn close_output(&mut self, out: &mut Vec<Action>) {
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        if !std::mem::replace(&mut draining.output_closed, true) {
            out.push(Action::CloseOutput);
            let abandoned = std::mem::take(&mut self.requests);
            out.extend(abandoned.into_iter().map(|(id, standing)| Action::Conclude {
                id,
                missing: standing.missing(),
            }));
        }
    }

    /// The end, from wherever things stand. Replies that still wait go out in the same batch as
    /// `Exit`, which is as certain as the watchdog.
    pub(super) fn exit(&mut self, outcome: Outcome, out: &mut Vec<Action>) {
        self.close_output(out);
        if let Phase::Draining(draining) = &mut self.phase {
            draining.send_replies(out);
            let status = match draining.trigger {
                Trigger::StartFailed { status } => status,
                _ => 0,
            };
            let turn = draining.turn;
            out.push(Action::Ended { turn, outcome });
            out.push(Action::Exit { status });
            self.phase = Phase::Exiting;
        }
    }

    pub(super) fn turn(&self) -> Option<Turn> {
        match &self.phase {
            Phase::Draining(draining) => Some(draining.turn),
            _ => None,
        }
    }
}

impl Draining {
    pub(super) fn send_replies(&mut self, out: &mut Vec<Action>) {
        out.extend(self.askers.drain(..).map(Action::ShutdownReply));
    }

    pub(super) fn drain(&mut self, out: &mut Vec<Action>) {
        self.rounds = self.rounds.saturating_add(1);
        out.push(Action::Drain { round: self.rounds });
    }

    /// Whether the turn is that of this attempt, and none that it has taken up, or that has ended without it.
    fn may_take_up(&self, turn: Turn) -> bool {
        let now = self.turn;
        if turn.attempt != now.attempt || turn.resume != now.resume || self.taken_up >= Some(turn.rung) {
            return false;
        }
        if turn.rung == Rung::Attach {
            return now.rung == Rung::Attach;
        }
        let attached = turn.attempt == 0 || self.taken_up.is_some();
        let mine = turn.rung.in_python() && turn.rung >= turn.resume && turn.rung >= now.rung;
        attached && mine && now.rung < Rung::Gate
    }

    /// Whether the end of this turn is news: of the one under way, or of one that the same attempt has gone on to in
    /// Python before it was heard that the one under way had ended.
    fn awaits(&self, turn: Turn) -> bool {
        let now = self.turn;
        match turn.rung {
            Rung::Attach | Rung::Gate => turn == now,
            Rung::Interrupt | Rung::Reply => false,
            Rung::Tasks | Rung::Threads | Rung::AtExit | Rung::Flush => {
                let mine = turn.attempt == now.attempt && turn.resume == now.resume;
                mine && turn.rung >= turn.resume && turn.rung >= now.rung && now.rung < Rung::Gate
            }
        }
    }

    /// Whether something later than the turn under way has been taken up, or its helper has attached.
    fn is_ahead(&self) -> bool {
        match self.turn.rung {
            Rung::Attach => self.taken_up.is_some(),
            rung => self.taken_up > Some(rung),
        }
    }
}
