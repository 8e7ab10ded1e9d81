//! The io thread: one loop over the sockets, the queues and the timers.
//!
//! Whatever is readable at once, control comes first. Each turn takes at most one shell message and one batch of
//! output, so that a flood of either delays the other, and control, by microseconds.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::bind::{Bound, Listeners, StartError};
use super::ending::Ending;
use super::handle::{Handle, Note};
use super::language::Servers;
use super::outbox::Channel;
use super::parent::Parent;
use super::request::Request;
use super::timers::{Due, Timers};
use super::{block_signals, handshake};
use crate::interpreter::Interpreter;
use crate::lifecycle::{Event, Refusal, Trigger};
use crate::transport::{Limits, Rep, Router, Subscription, XPub};
use crate::wire::messages::iopub::{ExecutionState, IopubWelcome};
use crate::wire::messages::stdin::InputReply;
use crate::wire::{Outgoing, Ports, Session, message::to_json};

/// When, in milliseconds after an interrupt, the main thread is woken once more: the signal may have come after it
/// looked for signals and before it began to wait. Quick at first, for a machine that has time; later for one that has not.
const POKES: [u64; 6] = [1, 5, 15, 40, 100, 250];

/// What the io thread remembers of an admitted request until it ends.
#[derive(Debug, Clone)]
pub(super) struct Brief {
    pub(super) channel: Channel,
    pub(super) parent: Parent,
    pub(super) msg_type: String,
}

impl Brief {
    pub(super) fn of(request: &Request) -> Self {
        Brief {
            channel: request.channel,
            parent: request.parent.clone(),
            msg_type: request.msg_type.clone(),
        }
    }
}

/// The state of the io thread.
pub(super) struct Io {
    pub(super) handle: Arc<Handle>,
    pub(super) interpreter: Arc<dyn Interpreter>,
    pub(super) session: Session,
    pub(super) shell: Router,
    pub(super) control: Router,
    pub(super) stdin: Router,
    pub(super) iopub: XPub,
    _heartbeat: Rep,
    pub(super) ports: Ports,
    pub(super) timers: Timers,
    pub(super) requests: HashMap<u64, Brief>,
    /// The request that was just read, until an action says what becomes of it.
    pub(super) arrived: Option<Request>,
    /// Requests that were refused while the main thread had them in its hands, and how.
    pub(super) refused: HashMap<u64, Refusal>,
    /// The cell that runs on the main thread.
    pub(super) running: Option<(u64, Parent)>,
    pub(super) ending: Ending,
    /// A cell has failed, this one: nothing is read from shell until those behind it are aborted.
    pub(super) aborting: Option<u64>,
    /// An `input_request` whose client is not connected on stdin yet.
    pub(super) question: Option<(Parent, Bytes)>,
    pub(super) servers: Servers,
    /// Python is up.
    ready: bool,
    next_id: u64,
    pub(super) last_flush: Option<Instant>,
    /// Files to remove at the end: the sockets', and the connection file where it is ours.
    pub(super) own_files: Vec<PathBuf>,
}

/// Start the thread.
pub(super) fn spawn(
    bound: Bound,
    handle: Arc<Handle>,
    interpreter: Arc<dyn Interpreter>,
    notes: mpsc::UnboundedReceiver<Note>,
    triggers: mpsc::UnboundedReceiver<Trigger>,
) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::System)?;
    let run = move || {
        block_signals();
        let local = tokio::task::LocalSet::new();
        let work = std::panic::AssertUnwindSafe(|| {
            local.block_on(&runtime, serve(bound, handle, interpreter, notes, triggers));
        });
        if std::panic::catch_unwind(work).is_err() {
            tracing::error!("the io thread has failed; the kernel cannot go on");
        }
        // SAFETY: _exit takes a number and does not return. Nothing works without this thread.
        unsafe { libc::_exit(1) }
    };
    std::thread::Builder::new()
        .name("drupe-io".into())
        .spawn(run)
        .map(drop)
        .map_err(StartError::System)
}

async fn serve(
    bound: Bound,
    handle: Arc<Handle>,
    interpreter: Arc<dyn Interpreter>,
    notes: mpsc::UnboundedReceiver<Note>,
    triggers: mpsc::UnboundedReceiver<Trigger>,
) {
    if let Some(registration) = bound.registration.clone() {
        handshake::announce(registration, bound.ports, Arc::clone(&handle));
    }
    match Io::new(bound, handle, interpreter) {
        Ok(io) => io.run(notes, triggers).await,
        Err(error) => tracing::error!("the bound sockets cannot be served: {error}"),
    }
}

impl Io {
    fn new(bound: Bound, handle: Arc<Handle>, interpreter: Arc<dyn Interpreter>) -> std::io::Result<Self> {
        let Listeners {
            shell,
            control,
            stdin,
            iopub,
            heartbeat,
        } = bound.listeners;
        Ok(Io {
            handle,
            interpreter,
            session: bound.session,
            shell: Router::bind(vec![shell], "shell", Limits::default())?,
            control: Router::bind(vec![control], "control", Limits::default())?,
            stdin: Router::bind(vec![stdin], "stdin", Limits::default())?,
            iopub: XPub::bind(vec![iopub], "iopub", Limits::default())?,
            _heartbeat: Rep::echo(vec![heartbeat], "heartbeat", Limits::default())?,
            ports: bound.ports,
            timers: Timers::default(),
            requests: HashMap::new(),
            arrived: None,
            refused: HashMap::new(),
            running: None,
            ending: Ending::default(),
            aborting: None,
            question: None,
            servers: Servers::default(),
            ready: false,
            next_id: 0,
            last_flush: None,
            own_files: bound.own_files,
        })
    }

    async fn run(
        mut self,
        mut notes: mpsc::UnboundedReceiver<Note>,
        mut triggers: mpsc::UnboundedReceiver<Trigger>,
    ) {
        let handle = Arc::clone(&self.handle);
        loop {
            self.read_control();
            while let Some(subscription) = self.iopub.try_recv() {
                self.subscribed(subscription);
            }
            if self.aborting.is_none()
                && let Some(frames) = self.shell.try_recv()
            {
                self.receive_shell(frames).await;
            }
            while let Some(due) = self.timers.take(Instant::now()) {
                self.due(due).await;
            }
            let next = self.timers.next();
            // During the end output is taken as it comes: the time is short, and so is what can pile up.
            let writable = self.ending.begun() || is_writable(&self.iopub).await;
            let flush_waits = self.timers.has(Due::Flush);
            tokio::select! {
                biased;
                frames = self.control.recv() => self.receive(Channel::Control, frames),
                Some(trigger) = triggers.recv() => self.feed(Event::Stop(trigger)),
                Some(note) = notes.recv() => self.noted(note),
                () = sleep_until(next) => {}
                subscription = subscription_or_room(&mut self.iopub, !writable) => {
                    if let Some(subscription) = subscription {
                        self.subscribed(subscription);
                    }
                }
                frames = self.stdin.recv() => self.answered(frames),
                frames = self.shell.recv(), if self.aborting.is_none() => self.receive_shell(frames).await,
                () = handle.outbox.filled(), if writable && !flush_waits => {
                    self.flush_or_wait().await;
                    // What was published is written when the writers have their turn.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// A shell message takes its turn after every control message that has arrived at this machine by now.
    async fn receive_shell(&mut self, frames: Vec<Bytes>) {
        self.control.sweep().await;
        self.read_control();
        self.receive(Channel::Shell, frames);
    }

    /// Interrupt what runs, so that it notices.
    pub(super) fn interrupt(&mut self) {
        self.interpreter.interrupt();
        let now = Instant::now();
        for after in POKES {
            self.timers
                .add(now + std::time::Duration::from_millis(after), Due::Poke);
        }
    }

    /// A cell runs on the main thread.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The cell that runs, or ran when the end began.
    pub(super) fn running_parent(&self) -> Option<&Parent> {
        self.running.as_ref().map(|(_, parent)| parent)
    }

    fn read_control(&mut self) {
        while let Some(frames) = self.control.try_recv() {
            self.receive(Channel::Control, frames);
        }
    }

    /// Open a message and let the life cycle say what becomes of it.
    pub(super) fn receive(&mut self, channel: Channel, frames: Vec<Bytes>) {
        let message = match self.session.open(frames) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!("a message on {} was dropped: {error}", channel.name());
                return;
            }
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
        if self.is_for_a_server(&request) {
            return self.tell_server(&request);
        }
        let event = self.event_of(&request);
        self.arrived = Some(request);
        self.feed(event);
        self.arrived = None;
    }

    fn noted(&mut self, note: Note) {
        match note {
            Note::Ready => {
                self.ready = true;
                self.feed(Event::Ready);
            }
            Note::Stop(trigger) => self.feed(Event::Stop(trigger)),
            Note::Done(leg) => self.feed(Event::Done(leg)),
            Note::Withheld(request) => self.withheld(request),
            Note::GateEmpty => self.gate_empty(),
            Note::Abandoned(abandoned) => self.ending.abandoned.push(abandoned),
            Note::Measured { id, content } => self.measured(id, content),
            Note::Unregistered(reason) => {
                tracing::error!("{reason}");
                self.feed(Event::Stop(Trigger::StartFailed { status: 2 }));
            }
        }
    }

    /// A cell failed, and its client is about to be told: what was sent before that is read, and nothing more until the
    /// cells among it have been aborted.
    pub(super) async fn begin_abort(&mut self) {
        self.shell.sweep().await;
        while let Some(frames) = self.shell.try_recv() {
            self.receive_shell(frames).await;
        }
        self.aborting = self.running.as_ref().map(|(id, _)| *id);
        if self.aborting.is_none() {
            self.end_abort();
        }
    }

    pub(super) fn end_abort(&mut self) {
        self.aborting = None;
        self.feed(Event::AbortExecutes);
        self.handle.mailbox.release();
    }

    async fn due(&mut self, due: Due) {
        match due {
            Due::Flush => {
                self.flush().await;
                tokio::task::yield_now().await;
            }
            Due::Event(event) => self.feed(event),
            Due::Nudge(leg) => self.nudge(leg),
            Due::Ask => {
                if let Some((parent, content)) = self.question.take() {
                    self.ask(parent, content);
                }
            }
            Due::Poke => self.interpreter.poke(),
            Due::Drain(round) => self.look_at_sockets(round).await,
        }
    }

    fn subscribed(&mut self, subscription: Subscription) {
        let Subscription::Subscribe { topic, peer } = subscription else {
            return;
        };
        let Ok(name) = std::str::from_utf8(&topic) else {
            return;
        };
        let content = to_json(&IopubWelcome { subscription: name });
        let message = Outgoing::new("iopub_welcome", content);
        let identities = if topic.is_empty() {
            Vec::new()
        } else {
            vec![topic.clone()]
        };
        self.iopub
            .publish_to(peer, self.session.seal(&identities, &message));
        if !self.ready {
            let starting = Outgoing::new("status", Bytes::from_static(ExecutionState::Starting.content()));
            let topic = Bytes::from(format!("kernel.{}.status", self.session.id()));
            self.iopub
                .publish_to(peer, self.session.seal(&[topic], &starting));
        }
    }

    /// A message on stdin: the user's answer.
    fn answered(&mut self, frames: Vec<Bytes>) {
        let opened = self
            .session
            .open(frames)
            .and_then(|message| match message.header.msg_type.as_str() {
                "input_reply" => message.content::<InputReply>().map(Some),
                other => {
                    tracing::warn!("a message of type {other:?} on stdin was dropped");
                    Ok(None)
                }
            });
        match opened {
            Ok(Some(reply)) => {
                if !self.handle.input.answer(reply.value) {
                    tracing::info!("an input_reply that nobody waits for was dropped");
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("a message on stdin was dropped: {error}"),
        }
    }
}

async fn is_writable(iopub: &XPub) -> bool {
    tokio::select! {
        biased;
        () = iopub.writable() => true,
        () = std::future::ready(()) => false,
    }
}

/// The next subscription or, while a client's queue is full, the moment in which it is not.
async fn subscription_or_room(iopub: &mut XPub, full: bool) -> Option<Subscription> {
    if full {
        iopub.writable().await;
        return None;
    }
    Some(iopub.recv().await)
}

async fn sleep_until(next: Option<Instant>) {
    match next {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
