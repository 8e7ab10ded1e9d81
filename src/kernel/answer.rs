//! What becomes of a request: the actions of the life cycle that concern one, and the answers that the io thread gives
//! itself, at once, whatever Python does.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use serde_json::json;

use super::io::{Brief, Io};
use super::out::Body;
use super::request::Request;
use super::{language, usage};
use crate::lifecycle::{Action, Asker, Event, Refusal, RequestKind};
use crate::wire::json;
use crate::wire::message::{EMPTY, to_json};
use crate::wire::messages::comm::{CommClose, CommId, CommInfoRequest};
use crate::wire::messages::control::ShutdownRequest;
use crate::wire::messages::info::ConnectReply;
use crate::wire::messages::iopub::ExecutionState;
use crate::wire::messages::{ErrorReply, StatusReply};

/// The error of a request that came too late.
const ENDING: &str = "KernelShuttingDown";
const ENDING_TEXT: &str = "the kernel is shutting down and takes no more requests";

impl Io {
    /// What a message means to the life cycle.
    pub(super) fn event_of(&self, request: &Request) -> Event {
        let id = request.id;
        if request.msg_type == "shutdown_request" {
            // Whatever else its content may be, it is a wish to end.
            let wish: ShutdownRequest = json::from_slice_lenient(&request.content).unwrap_or_default();
            return Event::ShutdownRequest(Asker {
                id,
                restart: wish.restart,
            });
        }
        if language::is_activation(request) {
            return Event::Activate { id };
        }
        Event::Request {
            id,
            kind: RequestKind::of(&request.msg_type),
        }
    }

    /// Tell the life cycle what happened, and do what it says, in order.
    pub(super) fn feed(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            if let Event::ShutdownRequest(asker) = event {
                self.asked_to_end(asker);
            }
            let actions = self.handle.switch.step(event);
            for action in actions {
                self.perform(action, &mut events);
            }
        }
    }

    fn perform(&mut self, action: Action, events: &mut VecDeque<Event>) {
        match action {
            Action::Admit { id } => {
                if let Some(request) = self.arrived.take() {
                    self.requests.insert(id, Brief::of(&request));
                    if self.is_running() && language::answers(&request) {
                        self.answer_beside_a_cell(request);
                        return;
                    }
                    let size = request.content.len() + request.buffers.iter().map(Bytes::len).sum::<usize>();
                    self.handle.mailbox.push(request, size);
                }
            }
            Action::Answer { .. } => {
                if let Some(request) = self.arrived.take() {
                    self.answer(&request);
                }
            }
            Action::Refuse { id, how } => self.refuse(id, how),
            Action::Ignore { id } => {
                tracing::info!("a message that came after the last reply was ignored (request {id})");
            }
            Action::Conclude { id, missing } => self.conclude(id, missing),
            // Asked for and carried out where a reply is taken from the queue, and by the main thread.
            Action::PassReply { .. }
            | Action::DropReply { .. }
            | Action::Permit { .. }
            | Action::Withhold { .. } => {}
            Action::StartServer { id } => self.start_server(id, events),
            Action::Announce { id } => self.announce(id),
            Action::CloseServer { id } => self.close_server(id),
            ending => self.end(ending, events),
        }
    }

    /// Answer a request at once.
    fn answer(&mut self, request: &Request) {
        self.status(Some(&request.parent), ExecutionState::Busy);
        if request.msg_type == usage::REQUEST {
            // Reading the memory maps of a large process takes a while; its reply comes in `measured`.
            self.requests.insert(request.id, Brief::of(request));
            usage::measure(Arc::clone(&self.handle), request.id);
            return;
        }
        let content = match request.msg_type.as_str() {
            "kernel_info_request" => to_json(
                &self
                    .handle
                    .info
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .reply(),
            ),
            "connect_request" => to_json(&ConnectReply::new(self.ports)),
            "comm_info_request" => {
                let wanted: CommInfoRequest = json::from_slice_lenient(&request.content).unwrap_or_default();
                let target = wanted.target_name.as_deref().filter(|name| !name.is_empty());
                to_json(&json!({ "status": "ok", "comms": self.handle.comms.info(target) }))
            }
            "interrupt_request" => {
                // The exit ladder interrupts by its own clock: what it lets finish is not a cell any more.
                if !self.ladder.begun() {
                    self.interrupt();
                    self.handle.input.poke();
                }
                to_json(&StatusReply::OK)
            }
            // There is no debugger yet. Kernels without one say so with an empty content, which no debug adapter sends.
            "debug_request" => EMPTY,
            other => to_json(&ErrorReply::new(
                "UnknownRequest",
                format!("{other} is not known here"),
            )),
        };
        self.reply(
            request.channel,
            &request.parent,
            Body::new(request.reply_type(), content),
        );
        self.idle(&request.parent);
    }

    /// A thread has worked out an answer.
    pub(super) fn measured(&mut self, id: u64, content: Bytes) {
        if let Some(brief) = self.requests.remove(&id)
            && !self.ladder.output_closed
        {
            let reply_type = crate::wire::message::reply_type(&brief.msg_type);
            self.reply(brief.channel, &brief.parent, Body::new(reply_type, content));
            self.idle(&brief.parent);
        }
    }

    /// Refuse a request, whether it was just read or waits in the mailbox: with its busy and its idle.
    fn refuse(&mut self, id: u64, how: Refusal) {
        let request = match self.arrived.take_if(|request| request.id == id) {
            Some(request) => request,
            None => match self.handle.mailbox.drain_where(|request| request.id == id).pop() {
                Some(request) => request,
                // The main thread is about to begin it, is told not to, and hands it back.
                None => {
                    self.refused.insert(id, how);
                    return;
                }
            },
        };
        self.requests.remove(&id);
        self.status(Some(&request.parent), ExecutionState::Busy);
        match how {
            Refusal::CommClose => match json::from_slice_lenient::<CommId>(&request.content) {
                Ok(CommId { comm_id }) => {
                    let body = Body::new("comm_close", to_json(&CommClose::new(comm_id)));
                    self.publish(Some(&request.parent), None, body);
                }
                Err(error) => tracing::warn!("a comm_open without a comm_id was dropped: {error}"),
            },
            Refusal::Drop => tracing::info!("a {} was dropped: {ENDING_TEXT}", request.msg_type),
            Refusal::Aborted | Refusal::Error => {
                let body = Body::new(request.reply_type(), refusal(how));
                self.reply(request.channel, &request.parent, body);
            }
        }
        self.idle(&request.parent);
    }

    /// The main thread has handed back a request that it may not begin.
    pub(super) fn withheld(&mut self, request: Request) {
        let id = request.id;
        if let Some(how) = self.refused.remove(&id) {
            self.arrived = Some(request);
            self.refuse(id, how);
        }
    }

    /// The last messages are about to go out: whose answer is still on its way gets what there is.
    pub(super) fn answer_what_is_left(&mut self) {
        for (id, how) in std::mem::take(&mut self.refused) {
            self.conclude(id, Some(how));
        }
        let measuring: Vec<u64> = self
            .requests
            .iter()
            .filter(|(_, brief)| brief.msg_type == usage::REQUEST)
            .map(|(id, _)| *id)
            .collect();
        for id in measuring {
            self.measured(id, usage::unmeasured());
        }
    }

    /// A request has ended: what it still lacks, then idle.
    fn conclude(&mut self, id: u64, missing: Option<Refusal>) {
        let Some(brief) = self.requests.remove(&id) else {
            return;
        };
        if let Some(how @ (Refusal::Aborted | Refusal::Error)) = missing {
            let reply_type = crate::wire::message::reply_type(&brief.msg_type);
            self.reply(brief.channel, &brief.parent, Body::new(reply_type, refusal(how)));
        }
        self.idle(&brief.parent);
    }

    /// Shut down was asked for: its reply comes last of all.
    fn asked_to_end(&mut self, asker: Asker) {
        if let Some(request) = self.arrived.take_if(|request| request.id == asker.id) {
            self.status(Some(&request.parent), ExecutionState::Busy);
            self.ladder.restart |= asker.restart;
            self.requests.insert(asker.id, Brief::of(&request));
        }
    }
}

/// The content of the reply to a request that is not carried out.
fn refusal(how: Refusal) -> Bytes {
    match how {
        Refusal::Aborted => to_json(&StatusReply::ABORTED),
        _ => to_json(&ErrorReply::new(ENDING, ENDING_TEXT)),
    }
}
