//! The requests that were admitted and have not ended, and the cell that runs.
//!
//! What the io loop remembers of a request while Python has it: enough to answer in its place.

use std::collections::HashMap;

use super::out::Channel;
use super::parent::Parent;
use super::request::Request;

/// What is remembered of a request.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    pub(super) channel: Channel,
    pub(super) parent: Parent,
    pub(super) msg_type: String,
}

impl Admitted {
    /// The type of its reply.
    pub(super) fn reply_type(&self) -> String {
        crate::wire::message::reply_type(&self.msg_type)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    requests: HashMap<u64, Admitted>,
    /// The request whose cell runs on the main thread.
    running: Option<(u64, Parent)>,
}

impl InFlight {
    pub(super) fn admit(&mut self, request: &Request) {
        let admitted = Admitted {
            channel: request.channel,
            parent: request.parent.clone(),
            msg_type: request.msg_type.clone(),
        };
        self.requests.insert(request.id, admitted);
    }

    /// The request has its answer, or gets it now.
    pub(super) fn remove(&mut self, id: u64) -> Option<Admitted> {
        self.requests.remove(&id)
    }

    /// The requests of a type.
    pub(super) fn of_type(&self, msg_type: &str) -> Vec<u64> {
        self.requests
            .iter()
            .filter(|(_, admitted)| admitted.msg_type == msg_type)
            .map(|(id, _)| *id)
            .collect()
    }

    /// A cell begins on the main thread.
    pub(super) fn runs(&mut self, id: u64, parent: Parent) {
        self.running = Some((id, parent));
    }

    /// A request has ended; where it is the cell that runs, none does now. Whether it was.
    pub(super) fn ended(&mut self, id: u64) -> bool {
        self.running.take_if(|(running, _)| *running == id).is_some()
    }

    /// The number of the cell that runs.
    pub(super) fn cell(&self) -> Option<u64> {
        self.running.as_ref().map(|(id, _)| *id)
    }

    /// The cell that runs, or ran when the end began.
    pub(super) fn cell_parent(&self) -> Option<&Parent> {
        self.running.as_ref().map(|(_, parent)| parent)
    }

    /// The cell that runs and has not been answered. One that never comes back is answered at the end, and counts as idle
    /// from then on.
    pub(super) fn busy_cell(&self) -> Option<&Parent> {
        self.running
            .as_ref()
            .filter(|(id, _)| self.requests.contains_key(id))
            .map(|(_, parent)| parent)
    }
}
