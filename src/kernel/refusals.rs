//! Requests that are not carried out: who they are, until each has its answer between its busy and its idle.
//!
//! A failed cell, or the end of the kernel, refuses at once whatever is queued, and that may be tens of thousands. They are
//! taken out of the mailbox in one pass and answered a share at a time, so that the io loop hears others in between.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::channels::Channels;
use super::mailbox::Mailbox;
use super::out::Body;
use super::request::Request;
use crate::lifecycle::Refusal;
use crate::wire::json;
use crate::wire::message::to_json;
use crate::wire::messages::comm::{CommClose, CommId};
use crate::wire::messages::iopub::ExecutionState;
use crate::wire::messages::{ErrorReply, StatusReply};

/// The error of a request that came too late.
const ENDING: &str = "KernelShuttingDown";
pub(super) const ENDING_TEXT: &str = "the kernel is shutting down and takes no more requests";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// In the order in which they came, without an answer so far.
    unanswered: VecDeque<(Request, Refusal)>,
    /// Those that a shell's thread has in its hands: it is told not to begin them, and hands them back.
    in_hands: HashMap<u64, Refusal>,
}

impl Refusals {
    /// Whether somebody is to be answered.
    pub(super) fn is_empty(&self) -> bool {
        self.unanswered.is_empty()
    }

    /// Refuse one that was just read.
    pub(super) fn add(&mut self, request: Request, how: Refusal) {
        self.unanswered.push_back((request, how));
    }

    /// Refuse these, wherever they are: in one of the mailboxes, or in somebody's hands.
    pub(super) fn add_queued<'a>(
        &mut self,
        mailboxes: impl IntoIterator<Item = &'a Mailbox<Request>>,
        mut refused: HashMap<u64, Refusal>,
    ) {
        for mailbox in mailboxes {
            for request in mailbox.drain_where(|request| refused.contains_key(&request.id)) {
                if let Some(how) = refused.remove(&request.id) {
                    self.add(request, how);
                }
            }
        }
        self.in_hands.extend(refused);
    }

    /// The main thread has handed back one that it may not begin.
    pub(super) fn add_handed_back(&mut self, request: Request) {
        if let Some(how) = self.in_hands.remove(&request.id) {
            self.add(request, how);
        }
    }

    /// Answer the first. Returns its number, or `None` where there is none.
    pub(super) fn answer_one(&mut self, channels: &Channels) -> Option<u64> {
        let (request, how) = self.unanswered.pop_front()?;
        channels.status(&request.parent, ExecutionState::Busy);
        match how {
            Refusal::CommClose => match json::from_slice_lenient::<CommId>(&request.content) {
                Ok(CommId { comm_id }) => {
                    let body = Body::new("comm_close", to_json(&CommClose::new(comm_id)));
                    channels.publish(Some(&request.parent), None, body);
                }
                Err(error) => tracing::warn!("a comm_open without a comm_id was dropped: {error}"),
            },
            Refusal::Drop => tracing::info!("a {} was dropped: {ENDING_TEXT}", request.msg_type),
            Refusal::Aborted | Refusal::Error => {
                let body = Body::new(request.reply_type(), content(how));
                channels.reply(request.channel, &request.parent, body);
            }
        }
        channels.status(&request.parent, ExecutionState::Idle);
        Some(request.id)
    }

    /// Those that never come back from the main thread's hands.
    pub(super) fn take_in_hands(&mut self) -> HashMap<u64, Refusal> {
        std::mem::take(&mut self.in_hands)
    }
}

/// The content of the reply to a request that is not carried out.
pub(super) fn content(how: Refusal) -> Bytes {
    match how {
        Refusal::Aborted => to_json(&StatusReply::ABORTED),
        _ => to_json(&ErrorReply::new(ENDING, ENDING_TEXT)),
    }
}
