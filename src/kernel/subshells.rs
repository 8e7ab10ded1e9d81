//! Subshells: shells beside the main one, each with a mailbox of its own that a thread of Python's empties.
//!
//! The io loop makes, lists and deletes them, and says which shell a message is for, without asking Python: whatever that is
//! doing, each of this is answered at once. Python's side is `drupe/subshells.py`.
//!
//! A comm message goes to the main shell though its header names a subshell, unless the main shell is at work: so a figure that
//! a slider draws is drawn by the main thread, as ever, and the slider still moves while a cell runs. The messages of one comm
//! stay in order: while one is on its way to a shell, those behind it go there, too. See [`CommPolicy`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::io::Io;
use super::mailbox::Mailbox;
use super::out::{Body, Channel};
use super::parent::Parent;
use super::refusals::ENDING_TEXT;
use super::request::Request;
use super::timers::Due;
use crate::lifecycle::{Event, MAIN, RequestKind, Shell};
use crate::options::CommPolicy;
use crate::wire::json;
use crate::wire::message::to_json;
use crate::wire::messages::comm::{CommClose, CommId};
use crate::wire::messages::iopub::ExecutionState;
use crate::wire::messages::{ErrorReply, StatusReply};

/// Subshells at a time. JupyterLab makes two for a notebook with widgets.
const MOST: usize = 64;

/// How long a client waits for word that the thread has begun, or ended. Where Python's threads do not let it, the answer
/// comes all the same.
const WAIT: Duration = Duration::from_millis(100);

/// The types of the three requests, on control.
pub(super) const REQUESTS: [&str; 3] = [
    "create_subshell_request",
    "delete_subshell_request",
    "list_subshell_request",
];

/// A subshell, as its thread and the io loop share it.
pub struct Subshell {
    /// Unique in this process.
    pub number: Shell,
    /// What clients call it.
    pub id: String,
    pub(super) mailbox: Mailbox<Request>,
    deleted: AtomicBool,
    turn: AtomicU64,
}

impl Subshell {
    /// The number of the request that its thread answers now: no two have the same. `None` between two.
    pub fn turn(&self) -> Option<u64> {
        let turn = self.turn.load(Ordering::SeqCst);
        (turn % 2 == 1).then_some(turn)
    }

    /// A request is about to begin. Called by its thread alone, as the other.
    pub fn begin_turn(&self) {
        let turn = self.turn.load(Ordering::SeqCst);
        self.turn.store((turn + 1) | 1, Ordering::SeqCst);
    }

    /// It has come to its end, of which its client is told next.
    pub fn end_turn(&self) {
        let turn = self.turn.load(Ordering::SeqCst);
        self.turn.store((turn + 1) & !1, Ordering::SeqCst);
    }

    /// It was deleted: its thread ends when it has nothing to do.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    /// Readable when there may be something to take, when the subshell was deleted, and when the kernel ends.
    pub fn wake_fd(&self) -> i32 {
        self.mailbox.wake_fd()
    }
}

impl fmt::Debug for Subshell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subshell")
            .field("number", &self.number)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a subshell's thread says of itself.
#[derive(Debug)]
pub enum News {
    /// It takes requests.
    Begun,
    /// There is no such thread any more, in Python's books neither.
    Ended,
    /// It could not be started; why.
    Failed(String),
}

/// Who asked for a subshell, or for its end, and waits for the answer.
#[derive(Debug)]
struct Asker {
    channel: Channel,
    parent: Parent,
    reply_type: String,
}

#[derive(Debug)]
struct Live {
    subshell: Arc<Subshell>,
    /// Waits for word that it has begun.
    asker: Option<Asker>,
}

/// Which shell a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    To(Shell),
    /// There is no such subshell.
    Nowhere,
}

/// The subshells of a kernel.
#[derive(Debug)]
pub(super) struct Subshells {
    /// `None`: this kernel has none, by its options.
    policy: Option<CommPolicy>,
    /// The oldest first.
    live: BTreeMap<Shell, Live>,
    numbers: HashMap<String, Shell>,
    /// The ids of those that were deleted: a message for a comm may still name one.
    gone: HashSet<String>,
    /// Whose end is waited for.
    ending: HashMap<Shell, Asker>,
    last: Shell,
    python_is_up: bool,
}

impl Subshells {
    pub(super) fn new(policy: Option<CommPolicy>) -> Self {
        Subshells {
            policy,
            live: BTreeMap::new(),
            numbers: HashMap::new(),
            gone: HashSet::new(),
            ending: HashMap::new(),
            last: MAIN,
            python_is_up: false,
        }
    }

    /// The shell that a message names.
    pub(super) fn route(&self, request: &Request) -> Route {
        let Some(id) = request.subshell.as_deref().filter(|_| self.policy.is_some()) else {
            return Route::To(MAIN);
        };
        if request.channel == Channel::Control || RequestKind::of(&request.msg_type) == RequestKind::Immediate
        {
            return Route::To(MAIN);
        }
        match self.numbers.get(id) {
            Some(number) => Route::To(*number),
            None if request.is_comm() && self.gone.contains(id) => Route::To(MAIN),
            None => Route::Nowhere,
        }
    }

    fn get(&self, shell: Shell) -> Option<&Arc<Subshell>> {
        self.live.get(&shell).map(|live| &live.subshell)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Subshell>> {
        self.live.values().map(|live| &live.subshell)
    }

    /// Make one, whose thread is still to be started.
    fn create(&mut self, asker: Asker) -> Result<Arc<Subshell>, String> {
        if self.live.len() >= MOST {
            return Err(format!(
                "there are {MOST} subshells, and no more are made: delete one first"
            ));
        }
        let mailbox =
            Mailbox::new().map_err(|error| format!("the system has no file descriptor left: {error}"))?;
        self.last += 1;
        let subshell = Arc::new(Subshell {
            number: self.last,
            id: Uuid::new_v4().to_string(),
            mailbox,
            deleted: AtomicBool::new(false),
            turn: AtomicU64::new(0),
        });
        self.numbers.insert(subshell.id.clone(), subshell.number);
        let live = Live {
            subshell: Arc::clone(&subshell),
            asker: Some(asker),
        };
        self.live.insert(subshell.number, live);
        Ok(subshell)
    }

    /// It is no more: messages that name it go elsewhere.
    fn remove(&mut self, id: &str) -> Option<Live> {
        let number = self.numbers.remove(id)?;
        self.gone.insert(id.to_owned());
        let live = self.live.remove(&number)?;
        live.subshell.deleted.store(true, Ordering::SeqCst);
        live.subshell.mailbox.release();
        live.subshell.mailbox.wake();
        Some(live)
    }
}

fn asker_of(request: &Request) -> Asker {
    Asker {
        channel: request.channel,
        parent: request.parent.clone(),
        reply_type: request.reply_type(),
    }
}

/// The comm that a message is for.
pub(super) fn comm_of(request: &Request) -> Option<String> {
    let content = &request.content;
    let id = request
        .is_comm()
        .then(|| json::from_slice_lenient::<CommId>(content).ok());
    id.flatten().map(|CommId { comm_id }| comm_id)
}

impl Io {
    /// One of [`REQUESTS`]. It is answered here, or when the subshell's thread has begun or ended.
    pub(super) fn subshell_request(&mut self, request: &Request) {
        self.channels.status(&request.parent, ExecutionState::Busy);
        let asker = asker_of(request);
        if self.subshells.policy.is_none() {
            let text = format!(
                "{}: this kernel was started with --no-subshells",
                request.msg_type
            );
            return self.answer_asker(&asker, to_json(&ErrorReply::new("UnknownRequest", text)));
        }
        match request.msg_type.as_str() {
            "create_subshell_request" => self.create_subshell(asker),
            "delete_subshell_request" => self.delete_subshell(request, asker),
            _ => {
                let ids: Vec<&str> = self.subshells.all().map(|subshell| &*subshell.id).collect();
                let content = to_json(&json!({ "status": "ok", "subshell_id": ids }));
                self.answer_asker(&asker, content);
            }
        }
    }

    fn answer_asker(&self, asker: &Asker, content: bytes::Bytes) {
        let body = Body::new(&*asker.reply_type, content);
        self.channels.reply(asker.channel, &asker.parent, body);
        self.idle(&asker.parent);
    }

    fn create_subshell(&mut self, asker: Asker) {
        if self.ladder.begun() {
            let error = ErrorReply::new("KernelShuttingDown", ENDING_TEXT);
            return self.answer_asker(&asker, to_json(&error));
        }
        let (channel, parent, reply_type) = (asker.channel, asker.parent.clone(), asker.reply_type.clone());
        match self.subshells.create(asker) {
            Ok(subshell) => {
                let due = Due::SubshellAnswer(subshell.number);
                self.timers.add(Instant::now() + WAIT, due);
                if self.subshells.python_is_up {
                    self.start_subshell(&subshell);
                }
            }
            Err(reason) => {
                let asker = Asker {
                    channel,
                    parent,
                    reply_type,
                };
                self.answer_asker(&asker, to_json(&ErrorReply::new("SubshellError", reason)));
            }
        }
    }

    /// Python is up: the threads of those that were asked for before are started.
    pub(super) fn subshells_may_start(&mut self) {
        self.subshells.python_is_up = true;
        self.subshells
            .all()
            .for_each(|subshell| self.start_subshell(subshell));
    }

    fn start_subshell(&self, subshell: &Arc<Subshell>) {
        self.handle
            .subshells
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(subshell.number, Arc::clone(subshell));
        self.interpreter.start_subshell(subshell.number);
    }

    fn delete_subshell(&mut self, request: &Request, asker: Asker) {
        #[derive(Deserialize)]
        struct Named {
            subshell_id: String,
        }
        let named = json::from_slice_lenient::<Named>(&request.content);
        let error = match &named {
            Ok(Named { subshell_id }) if self.subshells.numbers.contains_key(subshell_id) => None,
            Ok(Named { subshell_id }) => Some(unknown(subshell_id)),
            Err(error) => Some(ErrorReply::new(
                "BadRequest",
                format!("a delete_subshell_request needs the text subshell_id: {error}"),
            )),
        };
        if let Some(error) = error {
            return self.answer_asker(&asker, to_json(&error));
        }
        if let Ok(Named { subshell_id }) = named {
            self.end_subshell(&subshell_id, Some(asker));
        }
    }

    /// It is deleted, by `asker` or since its thread is gone. What waits for it is answered, and comm messages go to the main
    /// shell.
    fn end_subshell(&mut self, id: &str, asker: Option<Asker>) {
        let Some(&shell) = self.subshells.numbers.get(id) else {
            return;
        };
        let comms = self.mailbox_of(shell).drain_where(Request::is_comm);
        self.in_flight.moved(&comms, MAIN);
        for request in comms {
            let size = request.size();
            self.handle.mailbox.push(request, size);
        }
        self.feed(Event::ShellDeleted { shell });
        if let Some(creator) = self.subshells.remove(id).and_then(|live| live.asker) {
            self.answer_created(&creator, id);
        }
        match asker {
            Some(asker) if !self.in_flight.is_busy(shell) && self.subshells.python_is_up => {
                self.subshells.ending.insert(shell, asker);
                self.timers.add(Instant::now() + WAIT, Due::SubshellAnswer(shell));
            }
            Some(asker) => self.answer_asker(&asker, to_json(&StatusReply::OK)),
            None => {}
        }
    }

    fn answer_created(&self, asker: &Asker, id: &str) {
        self.answer_asker(asker, to_json(&json!({ "status": "ok", "subshell_id": id })));
    }

    /// Whoever waits for word of this subshell's thread waits no longer.
    pub(super) fn subshell_answer(&mut self, shell: Shell) {
        if let Some(asker) = self.subshells.ending.remove(&shell) {
            self.answer_asker(&asker, to_json(&StatusReply::OK));
        }
        let live = self.subshells.live.get_mut(&shell);
        if let Some((asker, id)) = live.and_then(|live| Some((live.asker.take()?, live.subshell.id.clone())))
        {
            self.answer_created(&asker, &id);
        }
    }

    /// A subshell's thread has said something.
    pub(super) fn subshell_news(&mut self, shell: Shell, news: News) {
        match news {
            News::Begun => self.subshell_answer(shell),
            News::Ended => {
                self.in_flight.forget(shell);
                self.subshell_answer(shell);
                if let Some(id) = self.subshells.get(shell).map(|subshell| subshell.id.clone())
                    && !self.ladder.begun()
                {
                    tracing::error!("the thread of the subshell {id} has ended by itself");
                    self.end_subshell(&id, None);
                }
            }
            News::Failed(reason) => {
                let Some(live) = self.subshells.live.get_mut(&shell) else {
                    return;
                };
                let (asker, id) = (live.asker.take(), live.subshell.id.clone());
                if let Some(asker) = asker {
                    let error =
                        ErrorReply::new("SubshellError", format!("no thread for a subshell: {reason}"));
                    self.answer_asker(&asker, to_json(&error));
                } else if !self.ladder.begun() {
                    tracing::error!("no thread for the subshell {id}: {reason}");
                }
                self.end_subshell(&id, None);
            }
        }
    }

    /// The shell that an admitted request goes to.
    pub(super) fn shell_for(&mut self, request: &Request, comm: Option<&str>) -> Shell {
        let Route::To(named) = self.subshells.route(request) else {
            return MAIN;
        };
        let Some(comm) = comm else { return named };
        let Some(pending) = self.in_flight.of_comm(comm) else {
            let on_main = match self.subshells.policy {
                Some(CommPolicy::Subshell) => false,
                Some(CommPolicy::Main) | None => true,
                Some(CommPolicy::Auto) => !self.in_flight.has_cells(MAIN),
            };
            return if on_main { MAIN } else { named };
        };
        let (shell, count) = (pending.shell, pending.messages);
        let overtakes = named != MAIN
            && shell == MAIN
            && self.subshells.policy != Some(CommPolicy::Main)
            && self.in_flight.has_cells(MAIN);
        if !overtakes {
            return shell;
        }
        // Those before it wait behind a cell, and may go with it as long as none has begun.
        let Some(subshell) = self.subshells.get(named).map(Arc::clone) else {
            return shell;
        };
        let of_comm = |other: &Request| comm_of(other).as_deref() == Some(comm);
        let waiting = self.handle.mailbox.drain_if_all(count, of_comm);
        if waiting.is_empty() {
            return shell;
        }
        self.in_flight.moved(&waiting, named);
        for request in waiting {
            let size = request.size();
            subshell.mailbox.push(request, size);
        }
        named
    }

    /// The mailbox of a shell.
    pub(super) fn mailbox_of(&self, shell: Shell) -> &Mailbox<Request> {
        self.subshells
            .get(shell)
            .map_or(&self.handle.mailbox, |subshell| &subshell.mailbox)
    }

    /// A request for a subshell that there is not.
    pub(super) fn answer_from_nowhere(&self, request: &Request) {
        let id = request.subshell.as_deref().unwrap_or_default();
        self.channels.status(&request.parent, ExecutionState::Busy);
        if request.msg_type == "comm_open"
            && let Some(comm_id) = comm_of(request)
        {
            let body = Body::new("comm_close", to_json(&CommClose::new(comm_id)));
            self.channels.publish(Some(&request.parent), None, body);
        } else if request.is_comm() {
            tracing::warn!(
                "a {} for the subshell {id:?}, which does not exist, was dropped",
                request.msg_type
            );
        } else {
            let body = Body::new(request.reply_type(), to_json(&unknown(id)));
            self.channels.reply(request.channel, &request.parent, body);
        }
        self.idle(&request.parent);
    }

    /// Interrupt the cells of all subshells, also of those that were deleted.
    pub(super) fn interrupt_subshells(&mut self) {
        let busy: Vec<Shell> = self.in_flight.busy_subshells().collect();
        self.interrupt_shells(busy);
    }

    pub(super) fn interrupt_shells(&mut self, busy: Vec<Shell>) {
        busy.iter().for_each(|shell| self.in_flight.interrupted(*shell));
        if !busy.is_empty() {
            self.interpreter.interrupt_subshells(busy);
        }
    }
}

/// In the words that ipykernel has for it, which its tests know.
fn unknown(id: &str) -> ErrorReply {
    ErrorReply::new("UnknownSubshellError", format!("Unknown subshell_id '{id}'"))
}
