//! What becomes of a request, of an output, and of what the life cycle says about either.
//!
//! The io loop calls this with what it has heard or taken; nothing here waits. A request that was just read travels with
//! the event that tells the life cycle of it, until an action says whose it is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;

use super::io::Io;
use super::language::LanguageServers;
use super::out::{Body, Channel, Out};
use super::parent::Parent;
use super::question::ASK_AGAIN;
use super::request::Request;
use super::subshells::{REQUESTS, Route, Subshells, comm_of};
use super::timers::Due;
use super::turns::Share;
use super::{beside, language, refusals, usage};
use crate::lifecycle::{Action, Asker, Event, MAIN, Place, Refusal, RequestKind};
use crate::wire::json;
use crate::wire::message::to_json;
use crate::wire::messages::comm::CommInfoRequest;
use crate::wire::messages::control::ShutdownRequest;
use crate::wire::messages::info::ConnectReply;
use crate::wire::messages::iopub::ExecutionState;
use crate::wire::messages::{ErrorReply, StatusReply};

/// What a message means to the life cycle.
fn event_of(request: &Request, servers: &LanguageServers, subshells: &Subshells) -> Event {
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
        let replaces = servers.of_same_client(request);
        return Event::Activate { id, replaces };
    }
    let (kind, shell) = match subshells.route(request) {
        Route::To(shell) => (RequestKind::of(&request.msg_type), shell),
        // The io thread says so.
        Route::Nowhere => (RequestKind::Immediate, MAIN),
    };
    Event::Request { id, kind, shell }
}

impl Io {
    /// Open a message and let the life cycle say what becomes of it.
    pub(super) fn receive(&mut self, channel: Channel, frames: Vec<Bytes>) {
        let Some(message) = self.channels.open(channel, frames) else {
            return;
        };
        self.next_id += 1;
        let request = Request::new(self.next_id, channel, message);
        if channel == Channel::Control {
            let parent = Some(request.parent.clone());
            *self
                .handle
                .control_parent
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = parent;
        }
        if let Some(server) = self.servers.addressee(&request) {
            self.channels.status(&request.parent, ExecutionState::Busy);
            if let Some(event) = self.servers.tell(server, &request) {
                self.feed(event);
            }
            return self.idle(&request.parent);
        }
        self.feed_with(event_of(&request, &self.servers, &self.subshells), Some(request));
    }

    /// Tell the life cycle what happened, and do what it says, in order.
    pub(super) fn feed(&mut self, event: Event) {
        self.feed_with(event, None);
    }

    fn feed_with(&mut self, event: Event, mut arrived: Option<Request>) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            if let Event::ShutdownRequest(asker) = event {
                self.asked_to_end(asker, arrived.take());
            }
            let actions = self.handle.switch.step(event);
            // Those that are refused together are looked for together.
            let mut refused = HashMap::new();
            for action in actions {
                if let Action::Refuse { id, how } = action {
                    match arrived.take_if(|request| request.id == id) {
                        Some(request) => self.refusals.add(request, how),
                        None => drop(refused.insert(id, how)),
                    }
                    continue;
                }
                self.refuse(&mut refused);
                self.perform(action, &mut arrived, &mut events);
            }
            self.refuse(&mut refused);
        }
    }

    fn refuse(&mut self, refused: &mut HashMap<u64, Refusal>) {
        if !refused.is_empty() {
            let subshells = self.subshells.all().map(|subshell| &subshell.mailbox);
            let mailboxes = std::iter::once(&self.handle.mailbox).chain(subshells);
            self.refusals.add_queued(mailboxes, std::mem::take(refused));
        }
    }

    fn perform(&mut self, action: Action, arrived: &mut Option<Request>, events: &mut VecDeque<Event>) {
        match action {
            Action::Admit { .. } => {
                if let Some(request) = arrived.take() {
                    self.admit(request);
                }
            }
            Action::Answer { .. } => {
                if let Some(request) = arrived.take() {
                    self.answer(&request);
                }
            }
            Action::Ignore { id } => {
                tracing::info!("a message that came after the last reply was ignored (request {id})");
            }
            Action::Conclude { id, missing } => self.conclude(id, missing),
            // Refusals are performed together, by the caller. The others are answers to `Event::Reply` and
            // `Event::TakeEffect`: who feeds one of those (`Out::Reply` in `send`, `Handle::take`) reads its answer there.
            Action::Refuse { .. }
            | Action::PassReply { .. }
            | Action::DropReply { .. }
            | Action::Permit { .. }
            | Action::Withhold { .. } => {}
            Action::StartServer { .. } => {
                if let Some(request) = arrived.take() {
                    events.push_back(self.servers.start(&self.handle, &self.channels, request));
                }
            }
            Action::Announce { id } => {
                if let Some(parent) = self.servers.announce(&self.handle, &self.channels, id) {
                    self.idle(&parent);
                }
            }
            Action::CloseServer { id } => {
                if let Some(parent) = self.servers.close(&self.handle, &self.channels, id) {
                    self.idle(&parent);
                }
            }
            ending => self.end(ending, events),
        }
    }

    /// Put a request into the mailbox, or have it answered in Python's place.
    fn admit(&mut self, request: Request) {
        let comm = comm_of(&request);
        let shell = self.shell_for(&request, comm.as_deref());
        self.in_flight.admit(&request, shell, comm);
        // At a breakpoint the names of the frame are what is asked for, also where it is not a cell that has met it.
        // Who has a cell's reply may ask for what it has bound: the main thread is about to be free, and the engine's picture is older.
        let busy = self.in_flight.is_in_cell(shell) || self.debugging.is_stopped();
        if !busy || !beside::answers(&request) {
            let size = request.size();
            return self.mailbox_of(shell).push(request, size);
        }
        let id = request.id;
        if self.handle.switch.take_effect(id, Place::Beside) {
            self.channels.status(&request.parent, ExecutionState::Busy);
            if let Err(error) = beside::answer(Arc::clone(&self.handle), request) {
                tracing::warn!("no thread for the language engine: {error}");
                // Its reply is the one that says that there is none.
                self.feed(Event::Finished { id });
            }
        }
    }

    /// Answer a request at once.
    fn answer(&mut self, request: &Request) {
        if request.msg_type == "debug_request" {
            return self.debug(request);
        }
        if REQUESTS.contains(&request.msg_type.as_str()) {
            return self.subshell_request(request);
        }
        if RequestKind::of(&request.msg_type) != RequestKind::Immediate {
            return self.answer_from_nowhere(request);
        }
        self.channels.status(&request.parent, ExecutionState::Busy);
        if request.msg_type == usage::REQUEST {
            // Reading the memory maps of a large process takes a while; its reply comes in `measured`.
            self.in_flight.admit(request, MAIN, None);
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
                    self.in_flight.interrupted(MAIN);
                    self.interrupt();
                    self.interrupt_subshells();
                    self.handle.inputs.wake();
                }
                to_json(&StatusReply::OK)
            }
            other => to_json(&ErrorReply::new(
                "UnknownRequest",
                format!("{other} is not known here"),
            )),
        };
        let body = Body::new(request.reply_type(), content);
        self.channels.reply(request.channel, &request.parent, body);
        self.idle(&request.parent);
    }

    /// A thread has worked out an answer.
    pub(super) fn measured(&mut self, id: u64, content: Bytes) {
        if let Some(admitted) = self.in_flight.remove(id)
            && !self.ladder.output_closed
        {
            let body = Body::new(admitted.reply_type(), content);
            self.channels.reply(admitted.channel, &admitted.parent, body);
            self.idle(&admitted.parent);
        }
    }

    /// Shut down was asked for: its reply comes last of all.
    fn asked_to_end(&mut self, asker: Asker, arrived: Option<Request>) {
        if let Some(request) = arrived {
            self.channels.status(&request.parent, ExecutionState::Busy);
            self.ladder.restart |= asker.restart;
            self.in_flight.admit(&request, MAIN, None);
        }
    }

    /// A request has ended: what it still lacks, then idle.
    fn conclude(&mut self, id: u64, missing: Option<Refusal>) {
        let Some(admitted) = self.in_flight.remove(id) else {
            return;
        };
        if let Some(how @ (Refusal::Aborted | Refusal::Error)) = missing {
            let body = Body::new(admitted.reply_type(), refusals::content(how));
            self.channels.reply(admitted.channel, &admitted.parent, body);
        }
        if admitted.msg_type == "execute_request" {
            // Whose other shells run cells: each has its own busy and idle, and nothing more.
            self.channels.status(&admitted.parent, ExecutionState::Idle);
        } else {
            self.idle(&admitted.parent);
        }
    }

    /// `idle` after a request. A front-end shows the last status, whosever it is, so while a cell runs beside the request
    /// it is told so again.
    pub(super) fn idle(&self, parent: &Parent) {
        self.channels.status(parent, ExecutionState::Idle);
        self.remind();
    }

    fn remind(&self) {
        // One that waits at a breakpoint does nothing, and front-ends show that as idle.
        if let Some(cell) = self.in_flight.busy_cell()
            && !self.debugging.is_stopped()
        {
            self.channels.status(cell, ExecutionState::Busy);
        }
    }

    /// Answer those that were refused, as many as a share allows. Whether there were any.
    pub(super) fn answer_refused(&mut self) -> bool {
        let share = Share::new();
        let mut any = false;
        while share.lasts()
            && let Some(id) = self.refusals.answer_one(&self.channels)
        {
            self.in_flight.remove(id);
            any = true;
        }
        if any {
            self.remind();
        }
        any
    }

    /// The last messages are about to go out: whose answer is still on its way gets what there is.
    pub(super) fn answer_what_is_left(&mut self) {
        while let Some(id) = self.refusals.answer_one(&self.channels) {
            self.in_flight.remove(id);
        }
        for (id, how) in self.refusals.take_in_hands() {
            self.conclude(id, Some(how));
        }
        for id in self.in_flight.of_type(usage::REQUEST) {
            self.measured(id, usage::unmeasured());
        }
    }

    /// Send what Python says. The io loop has seen to [`Out::Abort`] itself; at the very end there is nothing left to abort.
    pub(super) fn send(&mut self, out: Out) {
        if self.ladder.output_closed {
            return;
        }
        match out {
            Out::Stream { name, parent, text } => self.channels.stream(parent.as_ref(), name.name(), &text),
            Out::Iopub { parent, topic, body } => self.channels.publish(parent.as_ref(), topic, body),
            Out::Reply {
                id,
                channel,
                parent,
                body,
            } => {
                let actions = self.handle.switch.step(Event::Reply { id });
                if actions.contains(&Action::PassReply { id }) {
                    self.channels.reply(channel, &parent, body);
                    self.in_flight.answered(id);
                } else {
                    tracing::info!("a late {} was dropped: its request has an answer", body.msg_type);
                }
            }
            Out::InputRequest { question, content } => {
                if self.unsent.ask(&self.channels, question, content) {
                    self.timers.add(Instant::now() + ASK_AGAIN, Due::Ask);
                }
            }
            Out::Abort { .. } => {}
            Out::Began { id, parent, executes } => {
                self.channels.status(&parent, ExecutionState::Busy);
                self.in_flight.begins(id, parent, executes);
            }
            Out::Finished { id } => {
                if self.in_flight.ended(id) == Some(MAIN) {
                    self.debugged_cell_ended();
                }
                // The cell may have set SIGTERM to be ignored; it is how the kernel is told to end.
                self.handle.reclaim_signals();
                self.feed(Event::Finished { id });
                if self.turns.is_failed(id) {
                    self.end_abort();
                }
            }
        }
    }
}
