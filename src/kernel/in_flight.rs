//! The requests that were admitted and have not ended, and the cells that run.
//!
//! What the io loop remembers of a request while Python has it: enough to answer in its place, and to know what each shell
//! has to do.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::out::Channel;
use super::parent::Parent;
use super::request::Request;
use crate::lifecycle::{MAIN, Shell};

/// What is remembered of a request.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    pub(super) channel: Channel,
    pub(super) parent: Parent,
    pub(super) msg_type: String,
    /// Whose queue it is in, or was.
    pub(super) shell: Shell,
    /// For a comm message: the comm's id.
    comm: Option<String>,
    begun: bool,
    /// Its reply is out.
    answered: bool,
}

impl Admitted {
    /// The type of its reply.
    pub(super) fn reply_type(&self) -> String {
        crate::wire::message::reply_type(&self.msg_type)
    }
}

/// Requests of one shell.
#[derive(Debug, Default)]
struct Load {
    cells: usize,
    begun: usize,
    /// The request whose cell runs.
    running: Option<(u64, Parent)>,
    /// When that was interrupted last.
    interrupted: Option<Instant>,
}

/// A comm's messages that are on their way, all of them to one shell.
#[derive(Debug)]
pub(super) struct CommLoad {
    pub(super) shell: Shell,
    pub(super) messages: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    requests: HashMap<u64, Admitted>,
    shells: HashMap<Shell, Load>,
    comms: HashMap<String, CommLoad>,
}

impl InFlight {
    /// It goes to this shell; `comm` is the id of the comm that it is for.
    pub(super) fn admit(&mut self, request: &Request, shell: Shell, comm: Option<String>) {
        if let Some(comm) = &comm {
            let load = self
                .comms
                .entry(comm.clone())
                .or_insert(CommLoad { shell, messages: 0 });
            load.shell = shell;
            load.messages += 1;
        }
        if request.is_execute() {
            self.shells.entry(shell).or_default().cells += 1;
        }
        let admitted = Admitted {
            channel: request.channel,
            parent: request.parent.clone(),
            msg_type: request.msg_type.clone(),
            shell,
            comm,
            begun: false,
            answered: false,
        };
        self.requests.insert(request.id, admitted);
    }

    /// The request has its answer, or gets it now.
    pub(super) fn remove(&mut self, id: u64) -> Option<Admitted> {
        let admitted = self.requests.remove(&id)?;
        let load = self.shells.entry(admitted.shell).or_default();
        load.cells -= usize::from(admitted.msg_type == "execute_request");
        load.begun -= usize::from(admitted.begun);
        if let Some(comm) = &admitted.comm
            && let Some(load) = self.comms.get_mut(comm)
        {
            load.messages -= 1;
            if load.messages == 0 {
                self.comms.remove(comm);
            }
        }
        Some(admitted)
    }

    /// The requests of a type.
    pub(super) fn of_type(&self, msg_type: &str) -> Vec<u64> {
        self.requests
            .iter()
            .filter(|(_, admitted)| admitted.msg_type == msg_type)
            .map(|(id, _)| *id)
            .collect()
    }

    /// It begins; `runs`: a cell runs with it.
    pub(super) fn begins(&mut self, id: u64, parent: Parent, runs: bool) {
        let Some(admitted) = self.requests.get_mut(&id) else {
            return;
        };
        let load = self.shells.entry(admitted.shell).or_default();
        load.begun += usize::from(!std::mem::replace(&mut admitted.begun, true));
        if runs {
            load.running = Some((id, parent));
            load.interrupted = None;
        }
    }

    /// A request has ended; where it is the cell that runs in some shell, none does there now. Returns that shell.
    pub(super) fn ended(&mut self, id: u64) -> Option<Shell> {
        self.shells.iter_mut().find_map(|(shell, load)| {
            load.running.take_if(|(running, _)| *running == id)?;
            Some(*shell)
        })
    }

    /// Its reply is out.
    pub(super) fn answered(&mut self, id: u64) {
        if let Some(admitted) = self.requests.get_mut(&id) {
            admitted.answered = true;
        }
    }

    /// Whether a shell is in a cell, for whoever asks now: one runs whose client does not know yet that it has ended, or the next
    /// is about to.
    pub(super) fn is_in_cell(&self, shell: Shell) -> bool {
        let Some(load) = self.shells.get(&shell) else {
            return false;
        };
        load.running.as_ref().is_some_and(|(id, _)| {
            let cell = self.requests.get(id);
            load.cells > 1 || cell.is_none_or(|admitted| !admitted.answered)
        })
    }

    /// The number of the cell that runs in a shell.
    pub(super) fn cell(&self, shell: Shell) -> Option<u64> {
        self.shells.get(&shell)?.running.as_ref().map(|(id, _)| *id)
    }

    /// The cell that runs on the main thread, or ran when the end began.
    pub(super) fn cell_parent(&self) -> Option<&Parent> {
        self.shells.get(&MAIN)?.running.as_ref().map(|(_, parent)| parent)
    }

    /// A cell that runs and has not been answered, the main thread's before others. One that never comes back is answered at
    /// the end, and counts as idle from then on.
    pub(super) fn busy_cell(&self) -> Option<&Parent> {
        let busy = |shell: &Shell| {
            let running = self.shells.get(shell)?.running.as_ref()?;
            self.requests.contains_key(&running.0).then_some(&running.1)
        };
        busy(&MAIN).or_else(|| self.shells.keys().find_map(busy))
    }

    /// Whether a cell runs in a shell or waits for it.
    pub(super) fn has_cells(&self, shell: Shell) -> bool {
        self.shells.get(&shell).is_some_and(|load| load.cells > 0)
    }

    /// What runs in a shell is interrupted.
    pub(super) fn interrupted(&mut self, shell: Shell) {
        if let Some(load) = self.shells.get_mut(&shell) {
            load.interrupted = Some(Instant::now());
        }
    }

    /// Whether the cell that runs in a shell has been interrupted so short a time ago.
    pub(super) fn was_interrupted(&self, shell: Shell, lately: Duration) -> bool {
        let interrupted = self.shells.get(&shell).and_then(|load| load.interrupted);
        interrupted.is_some_and(|at| at.elapsed() < lately)
    }

    /// Whether a shell is at work.
    pub(super) fn is_busy(&self, shell: Shell) -> bool {
        self.shells.get(&shell).is_some_and(|load| load.begun > 0)
    }

    /// The subshells that are at work, also those that were deleted and have not come to their end.
    pub(super) fn busy_subshells(&self) -> impl Iterator<Item = Shell> {
        let busy = self
            .shells
            .iter()
            .filter(|(shell, load)| **shell != MAIN && load.begun > 0);
        busy.map(|(shell, _)| *shell)
    }

    /// Where a comm's messages are on their way to, and how many.
    pub(super) fn of_comm(&self, comm: &str) -> Option<&CommLoad> {
        self.comms.get(comm)
    }

    /// These, which wait for a shell, go to another one: all messages of one comm, or all of one shell.
    pub(super) fn moved(&mut self, requests: &[Request], to: Shell) {
        for request in requests {
            if let Some(admitted) = self.requests.get_mut(&request.id) {
                admitted.shell = to;
                if let Some(load) = admitted.comm.as_ref().and_then(|comm| self.comms.get_mut(comm)) {
                    load.shell = to;
                }
            }
        }
    }

    /// A shell is no more.
    pub(super) fn forget(&mut self, shell: Shell) {
        if !self.is_busy(shell) && !self.has_cells(shell) {
            self.shells.remove(&shell);
        }
    }
}
