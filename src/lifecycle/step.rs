//! The transitions of [`Lifecycle`]: one function per thing that can happen. Called by
//! [`Lifecycle::step`] only; pure, total, and free of every clock. What happens on the exit ladder is in
//! [`super::descent`].

use super::ladder::{Outcome, Rung, Turn};
use super::machine::{
    Action, Asker, Draining, Event, Lifecycle, Phase, Place, Refusal, RequestId, RequestKind, Server, Shell,
    Standing, Trigger,
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
        Event::Request { id, kind, shell } => life.request(id, kind, shell, &mut out),
        Event::TakeEffect { id, place } => life.take_effect(id, place, &mut out),
        Event::Reply { id } => life.reply(id, &mut out),
        Event::Finished { id } => life.finished(id, &mut out),
        Event::AbortExecutes { shell } => life.refuse_queued(
            |kind, of| (of == shell && kind == RequestKind::Execute).then_some(Refusal::Aborted),
            &mut out,
        ),
        Event::ShellDeleted { shell } => life.refuse_queued(
            |kind, of| (of == shell && !kind.is_comm()).then_some(Refusal::Aborted),
            &mut out,
        ),
        Event::Activate { id, replaces } => life.activate(id, replaces, &mut out),
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
            life.exit(Outcome::CutShort, &mut out);
        }
        Event::Armed | Event::TakeUp(_) | Event::Done(_) | Event::Over(_) | Event::Drained { .. } => {
            life.on_ladder(event, &mut out);
        }
    }
    out
}

/// Language servers at a time. A client has one; those of clients that are gone without a word make room.
const MOST_SERVERS: usize = 8;

impl Lifecycle {
    fn request(&mut self, id: RequestId, kind: RequestKind, shell: Shell, out: &mut Vec<Action>) {
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
            slot.insert(Standing::Queued(kind, shell));
            out.push(Action::Admit { id });
        }
    }

    fn take_effect(&mut self, id: RequestId, place: Place, out: &mut Vec<Action>) {
        match self.requests.get_mut(&id) {
            Some(standing @ Standing::Queued(..)) => {
                if let Standing::Queued(kind, _) = *standing {
                    *standing = Standing::InEffect {
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
            Some(Standing::InEffect { replied, .. }) if !*replied => {
                *replied = true;
                out.push(Action::PassReply { id });
            }
            _ => out.push(Action::DropReply { id }),
        }
    }

    fn finished(&mut self, id: RequestId, out: &mut Vec<Action>) {
        let Some(standing @ Standing::InEffect { .. }) = self.requests.get(&id) else {
            return;
        };
        out.push(Action::Conclude {
            id,
            missing: standing.missing(),
        });
        self.requests.remove(&id);
        if self.turn().is_some_and(|turn| turn.rung == Rung::Interrupt) && !self.main_is_busy() {
            self.go_on(Outcome::Done, out);
        }
    }

    fn activate(&mut self, id: RequestId, replaces: Option<RequestId>, out: &mut Vec<Action>) {
        if !self.admits_output() {
            out.push(Action::Ignore { id });
        } else if !self.admitting() {
            out.push(Action::Refuse {
                id,
                how: Refusal::CommClose,
            });
        } else if !self.servers.contains_key(&id) {
            let oldest = || self.servers.keys().next().copied();
            let one_too_many = || oldest().filter(|_| self.servers.len() >= MOST_SERVERS);
            let gone = replaces.filter(|id| self.servers.contains_key(id));
            if let Some(gone) = gone.or_else(one_too_many) {
                self.servers.remove(&gone);
                out.push(Action::CloseServer { id: gone });
            }
            self.servers.insert(id, Server::Starting);
            out.push(Action::StartServer { id });
        }
    }

    fn close_servers(&mut self, out: &mut Vec<Action>) {
        let servers = std::mem::take(&mut self.servers);
        out.extend(servers.into_keys().map(|id| Action::CloseServer { id }));
    }

    /// Refuses what waits in the mailboxes, where `how` says so.
    fn refuse_queued(&mut self, how: impl Fn(RequestKind, Shell) -> Option<Refusal>, out: &mut Vec<Action>) {
        self.requests.retain(|&id, standing| {
            let Standing::Queued(kind, shell) = *standing else {
                return true;
            };
            let refused = how(kind, shell);
            out.extend(refused.map(|how| Action::Refuse { id, how }));
            refused.is_none()
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
        self.refuse_queued(|kind, _| Some(kind.refusal()), out);
        let rung = match (python_is_up, self.main_is_busy()) {
            // Nothing of the user's is in a Python that is still being loaded: nothing to save.
            (false, _) => Rung::Gate,
            (true, true) => Rung::Interrupt,
            (true, false) => Rung::Tasks,
        };
        self.phase = Phase::Draining(Draining {
            turn: Turn::main(rung),
            trigger,
            askers: asker.into_iter().collect(),
            armed: false,
            output_closed: false,
            rounds: 0,
            taken_up: None,
        });
        out.push(Action::Begin(Turn::main(rung)));
    }
}

impl Standing {
    /// What must be sent when the request ends as it stands, so that the client waits no longer.
    pub(super) fn missing(self) -> Option<Refusal> {
        match self {
            Self::Queued(kind, _) => Some(kind.refusal()),
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
