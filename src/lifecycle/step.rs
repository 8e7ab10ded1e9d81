//! The transitions of [`Lifecycle`]: one function per thing that can happen. Called by
//! [`Lifecycle::step`] only; pure, total, and free of every clock.

use super::ladder::{Leg, Rung};
use super::machine::{
    Action, Asker, Draining, Event, Held, Lifecycle, Phase, Place, Refusal, RequestId, RequestKind, Server,
    Trigger,
};

pub(super) fn step(life: &mut Lifecycle, event: Event) -> Vec<Action> {
    let mut out = Vec::new();
    if life.phase == Phase::Exiting {
        return out;
    }
    match event {
        Event::Ready => {
            if life.phase == Phase::Starting {
                life.phase = Phase::Running;
            }
        }
        Event::Request { id, kind } => life.request(id, kind, &mut out),
        Event::TakeEffect { id, place } => life.take_effect(id, place, &mut out),
        Event::Reply { id } => life.reply(id, &mut out),
        Event::Finished { id } => life.finished(id, &mut out),
        Event::AbortExecutes => life.refuse_queued(Some(RequestKind::Execute), &mut out),
        Event::Activate { id } => life.activate(id, &mut out),
        Event::ServerReady { id } => match life.servers.get_mut(&id) {
            Some(server @ Server::Starting) => {
                *server = Server::Announced;
                out.push(Action::Announce { id });
            }
            Some(Server::Announced) => {}
            None => out.push(Action::CloseServer { id }),
        },
        Event::ServerGone { id } => {
            if life.servers.remove(&id).is_some() {
                out.push(Action::CloseServer { id });
            }
        }
        Event::ShutdownRequest(asker) => life.shutdown_request(asker, &mut out),
        Event::Stop(trigger) => {
            if life.admitting() {
                life.begin(trigger, None, &mut out);
            }
        }
        Event::Deadline => {
            if life.admitting() {
                life.begin(Trigger::Terminate, None, &mut out);
            }
            life.exit(&mut out);
        }
        Event::Armed
        | Event::CellStuck
        | Event::Done(_)
        | Event::Over(_)
        | Event::LastCall
        | Event::Drained { .. } => life.on_ladder(event, &mut out),
    }
    out
}

impl Lifecycle {
    fn request(&mut self, id: RequestId, kind: RequestKind, out: &mut Vec<Action>) {
        if !self.admits_output() {
            out.push(Action::Ignore { id });
        } else if kind == RequestKind::Immediate {
            out.push(Action::Answer { id });
        } else if !self.admitting() {
            out.push(Action::Refuse {
                id,
                how: kind.refusal(),
            });
        } else if let std::collections::btree_map::Entry::Vacant(slot) = self.requests.entry(id) {
            slot.insert(Held::Queued(kind));
            out.push(Action::Admit { id });
        }
    }

    fn take_effect(&mut self, id: RequestId, place: Place, out: &mut Vec<Action>) {
        match self.requests.get_mut(&id) {
            Some(held @ Held::Queued(_)) => {
                if let Held::Queued(kind) = *held {
                    *held = Held::InEffect {
                        kind,
                        place,
                        replied: false,
                    };
                }
                out.push(Action::Permit { id });
            }
            _ => out.push(Action::Withhold { id }),
        }
    }

    fn reply(&mut self, id: RequestId, out: &mut Vec<Action>) {
        match self.requests.get_mut(&id) {
            Some(Held::InEffect { replied, .. }) if !*replied => {
                *replied = true;
                out.push(Action::PassReply { id });
            }
            _ => out.push(Action::DropReply { id }),
        }
    }

    fn finished(&mut self, id: RequestId, out: &mut Vec<Action>) {
        let Some(held @ Held::InEffect { .. }) = self.requests.get(&id) else {
            return;
        };
        out.push(Action::Conclude {
            id,
            missing: held.missing(),
        });
        self.requests.remove(&id);
        if self.leg().is_some_and(|leg| leg.rung == Rung::Interrupt) && !self.main_is_busy() {
            self.descend(Rung::Tasks, out);
        }
    }

    fn activate(&mut self, id: RequestId, out: &mut Vec<Action>) {
        if !self.admits_output() {
            out.push(Action::Ignore { id });
        } else if !self.admitting() {
            out.push(Action::Refuse {
                id,
                how: Refusal::CommClose,
            });
        } else if !self.servers.contains_key(&id) {
            self.close_servers(out);
            self.servers.insert(id, Server::Starting);
            out.push(Action::StartServer { id });
        }
    }

    fn close_servers(&mut self, out: &mut Vec<Action>) {
        let servers = std::mem::take(&mut self.servers);
        out.extend(servers.into_keys().map(|id| Action::CloseServer { id }));
    }

    /// Refuses what waits in the mailbox: all of it, or what is of one kind.
    fn refuse_queued(&mut self, only: Option<RequestKind>, out: &mut Vec<Action>) {
        self.requests.retain(|&id, held| match *held {
            Held::Queued(kind) if only.is_none_or(|only| only == kind) => {
                out.push(Action::Refuse {
                    id,
                    how: kind.refusal(),
                });
                false
            }
            _ => true,
        });
    }

    fn shutdown_request(&mut self, asker: Asker, out: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::Starting | Phase::Running => {
                self.begin(Trigger::ShutdownRequest, Some(asker), out);
            }
            Phase::Draining(draining) => {
                draining.askers.push(asker);
                if draining.rounds > 0 {
                    draining.send_replies(out);
                    draining.drain(out);
                }
            }
            Phase::Exiting => {}
        }
    }

    /// From Starting or Running onto the ladder. The watchdog comes first, whatever happens after.
    fn begin(&mut self, trigger: Trigger, asker: Option<Asker>, out: &mut Vec<Action>) {
        let python_is_up = self.phase == Phase::Running;
        out.push(Action::ArmWatchdog);
        self.close_servers(out);
        self.refuse_queued(None, out);
        let rung = match (python_is_up, self.main_is_busy()) {
            // Nothing of the user's is in a Python that is still being loaded: nothing to save.
            (false, _) => Rung::Gate,
            (true, true) => Rung::Interrupt,
            (true, false) => Rung::Tasks,
        };
        self.phase = Phase::Draining(Draining {
            leg: Leg::main(rung),
            trigger,
            askers: asker.into_iter().collect(),
            armed: false,
            output_closed: false,
            rounds: 0,
            resume: Rung::Threads,
        });
        out.push(Action::Begin(Leg::main(rung)));
    }

    fn on_ladder(&mut self, event: Event, out: &mut Vec<Action>) {
        let Phase::Draining(draining) = &mut self.phase else {
            return;
        };
        let now = draining.leg;
        match event {
            Event::Armed => {
                draining.armed = true;
                if draining.output_closed && draining.rounds == 0 {
                    draining.send_replies(out);
                    draining.drain(out);
                }
            }
            Event::Done(leg) if leg == now && now.rung != Rung::Reply => {
                let next = if now.rung.attaches() {
                    draining.resume
                } else {
                    now.rung.next()
                };
                self.descend(next, out);
            }
            Event::Done(leg) if leg.crew == now.crew && leg.is_ahead_of(now) => {
                self.descend(leg.rung.next(), out);
            }
            Event::Over(leg) if leg == now => self.over(now.rung, out),
            Event::CellStuck if now.rung == Rung::Interrupt => self.over(now.rung, out),
            Event::LastCall if now.rung < Rung::Gate => self.descend(Rung::Gate, out),
            Event::Drained { round } if round == draining.rounds && round > 0 => self.exit(out),
            _ => {}
        }
    }

    /// The current rung has used up its budget. Where Python is stuck, whoever holds it is left
    /// behind and a fresh helper goes on with the next rung.
    fn over(&mut self, rung: Rung, out: &mut Vec<Action>) {
        match rung {
            Rung::Interrupt => self.relieve(Rung::Helper, Rung::Threads, out),
            Rung::Tasks | Rung::Threads | Rung::AtExit => {
                self.relieve(Rung::Relief, rung.next(), out);
            }
            Rung::Helper | Rung::Relief | Rung::Flush => self.descend(Rung::Gate, out),
            Rung::Gate => self.descend(Rung::Reply, out),
            Rung::Reply => self.exit(out),
        }
    }

    fn relieve(&mut self, by: Rung, resume: Rung, out: &mut Vec<Action>) {
        if let Phase::Draining(draining) = &mut self.phase {
            draining.leg.crew = draining.leg.crew.saturating_add(1);
            draining.resume = resume;
        }
        self.descend(by, out);
    }

    fn descend(&mut self, rung: Rung, out: &mut Vec<Action>) {
        if let Phase::Draining(draining) = &mut self.phase {
            draining.leg.rung = rung;
            out.push(Action::Begin(draining.leg));
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
            out.extend(abandoned.into_iter().map(|(id, held)| Action::Conclude {
                id,
                missing: held.missing(),
            }));
        }
    }

    /// The end, from wherever things stand. Replies that still wait go out in the same batch as
    /// `Exit`, which is as certain as the watchdog.
    fn exit(&mut self, out: &mut Vec<Action>) {
        self.close_output(out);
        if let Phase::Draining(draining) = &mut self.phase {
            draining.send_replies(out);
            let status = match draining.trigger {
                Trigger::StartFailed { status } => status,
                _ => 0,
            };
            out.push(Action::Exit { status });
            self.phase = Phase::Exiting;
        }
    }

    fn leg(&self) -> Option<Leg> {
        match &self.phase {
            Phase::Draining(draining) => Some(draining.leg),
            _ => None,
        }
    }
}

impl Draining {
    fn send_replies(&mut self, out: &mut Vec<Action>) {
        out.extend(self.askers.drain(..).map(Action::ShutdownReply));
    }

    fn drain(&mut self, out: &mut Vec<Action>) {
        self.rounds = self.rounds.saturating_add(1);
        out.push(Action::Drain { round: self.rounds });
    }
}

impl Leg {
    /// Whether this leg and `now` belong to one Python teardown and this one comes later in it.
    fn is_ahead_of(self, now: Self) -> bool {
        self.rung.in_python() && now.rung.in_python() && self.rung > now.rung
    }
}

impl Held {
    /// What must be sent when the request ends as it stands, so that the client waits no longer.
    fn missing(self) -> Option<Refusal> {
        match self {
            Self::Queued(kind) => Some(kind.refusal()),
            Self::InEffect { replied: true, .. }
            | Self::InEffect {
                kind: RequestKind::CommOpen | RequestKind::CommMessage,
                ..
            } => None,
            // It began, perhaps with effects: `aborted` would say that it did not.
            Self::InEffect { .. } => Some(Refusal::Error),
        }
    }
}
