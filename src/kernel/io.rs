//! The io thread: one loop over the sockets, the queues and the timers.
//!
//! In each turn each source has a [`Share`] of the time, control first, and after each turn every connection has its own,
//! the heartbeat's among them. So whatever floods one of them delays the others by milliseconds.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::bind::{Bound, Listeners, StartError};
use super::ending::Ladder;
use super::flush;
use super::handle::{Handle, Note};
use super::handshake;
use super::language::Servers;
use super::out::{Channel, Out};
use super::parent::Parent;
use super::request::Request;
use super::timers::{Due, Timers};
use super::turns::{Share, Turns};
use crate::interpreter::Interpreter;
use crate::lifecycle::{Event, Refusal, Trigger};
use crate::os;
use crate::transport::{Limits, Rep, Router, Subscription, XPub};
use crate::wire::messages::iopub::{ExecutionState, IopubWelcome};
use crate::wire::messages::stdin::InputReply;
use crate::wire::{Outgoing, Ports, Session, message::to_json};

/// When, in milliseconds after an interrupt, the main thread is woken once more: the signal may have come after it
/// looked for signals and before it began to wait. Quick at first, for a machine that has time; later for one that has not.
const POKES: [u64; 6] = [1, 5, 15, 40, 100, 250];

/// Bytes of output that one turn of the loop sends.
const BATCH: usize = 1 << 20;

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

/// A cell has failed: what had been sent on shell by then is read, and nothing more until the cells among it have been
/// aborted.
#[derive(Debug)]
pub(super) struct Abort {
    /// The request that failed.
    pub(super) cell: u64,
    /// Messages that are still to be read.
    left: usize,
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
    pub(super) ladder: Ladder,
    pub(super) aborting: Option<Abort>,
    turns: Turns,
    /// An `input_request` whose client is not connected on stdin yet.
    pub(super) question: Option<(Parent, Bytes)>,
    pub(super) servers: Servers,
    /// Python is up.
    ready: bool,
    next_id: u64,
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
        os::signal::block_all();
        let local = tokio::task::LocalSet::new();
        let work = std::panic::AssertUnwindSafe(|| {
            local.block_on(&runtime, serve(bound, handle, interpreter, notes, triggers));
        });
        if std::panic::catch_unwind(work).is_err() {
            tracing::error!("the io thread has failed; the kernel cannot go on");
        }
        // Nothing works without this thread.
        os::process::exit_now(1)
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
            ladder: Ladder::default(),
            aborting: None,
            turns: Turns::default(),
            question: None,
            servers: Servers::default(),
            ready: false,
            next_id: 0,
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
            while let Ok(trigger) = triggers.try_recv() {
                self.feed(Event::Stop(trigger));
            }
            while let Ok(note) = notes.try_recv() {
                self.noted(note);
            }
            let more = self.turn().await;
            if let Some(status) = self.ladder.exit {
                self.exit(status).await;
            }
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            let writable = self.is_writable().await;
            // A client that is full holds up nobody as long as there is nothing to say.
            let due = handle.outbox.due();
            let waits = due != flush::Due::Never;
            let next = match due {
                flush::Due::At(at) if writable => self.timers.next().into_iter().chain([at.into()]).min(),
                _ => self.timers.next(),
            };
            tokio::select! {
                biased;
                () = self.control.readable() => {}
                Some(trigger) = triggers.recv() => self.feed(Event::Stop(trigger)),
                Some(note) = notes.recv() => self.noted(note),
                () = sleep_until(next) => {}
                () = self.iopub.readable() => {}
                () = self.iopub.writable(), if !writable && waits => {}
                () = self.stdin.readable() => {}
                () = self.shell.readable(), if self.aborting.is_none() => {}
                () = handle.outbox.filled(), if writable || !waits => {}
            }
        }
    }

    /// Each source has its share. Returns whether any of them has more.
    async fn turn(&mut self) -> bool {
        let mut more = self.hear_control();
        while let Some(due) = self.timers.take(Instant::now()) {
            self.due(due).await;
        }
        more |= self.hear_subscriptions();
        more |= self.hear_stdin();
        more |= self.hear_shell().await;
        more |= self.say().await;
        more
    }

    fn hear_control(&mut self) -> bool {
        let share = Share::new();
        while share.lasts()
            && let Some(frames) = self.control.try_recv()
        {
            self.turns.control_heard();
            self.receive(Channel::Control, frames);
        }
        self.control.waiting() > 0
    }

    /// A shell message takes its turn after every control message that has arrived at this machine by then.
    async fn hear_shell(&mut self) -> bool {
        let mut waiting = self.shell.waiting();
        if let Some(abort) = &mut self.aborting {
            abort.left = abort.left.min(waiting);
            waiting = abort.left;
        }
        if waiting == 0 {
            return false;
        }
        if self.turns.are_over() {
            self.control.sweep().await;
            self.turns = Turns::new(waiting, self.control.waiting());
        }
        let share = Share::new();
        while share.lasts()
            && self.turns.is_shells()
            && let Some(frames) = self.shell.try_recv()
        {
            self.turns.shell_heard();
            if let Some(abort) = &mut self.aborting {
                abort.left -= 1;
            }
            self.receive(Channel::Shell, frames);
        }
        true
    }

    fn hear_subscriptions(&mut self) -> bool {
        let share = Share::new();
        while share.lasts() {
            match self.iopub.try_recv() {
                Some(subscription) => self.subscribed(subscription),
                None => return false,
            }
        }
        true
    }

    fn hear_stdin(&mut self) -> bool {
        let share = Share::new();
        while share.lasts() {
            match self.stdin.try_recv() {
                Some(frames) => self.answered(frames),
                None => return false,
            }
        }
        true
    }

    /// Send what is due, as much as its share allows.
    async fn say(&mut self) -> bool {
        if !self.is_writable().await {
            return false;
        }
        let share = Share::new();
        let mut bytes = 0;
        while share.lasts()
            && bytes < BATCH
            && self.may_say()
            && let Some(out) = self.handle.outbox.take(share.begun())
        {
            bytes += out.size();
            match out {
                Out::Abort => self.begin_abort().await,
                out => self.send(out),
            }
        }
        if bytes > 0 {
            // What was published is written when the writers have their turn.
            tokio::task::yield_now().await;
            self.handle.outbox.handed_over();
        }
        bytes > 0
    }

    /// What was sent before a cell failed is read before its client is told.
    fn may_say(&self) -> bool {
        self.aborting.as_ref().is_none_or(|abort| abort.left == 0)
    }

    /// Whether a client that reads slowly asks for a pause. During the end output is taken as it comes: the time is short,
    /// and so is what can pile up.
    async fn is_writable(&self) -> bool {
        self.ladder.begun() || is_writable(&self.iopub).await
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

    /// Open a message and let the life cycle say what becomes of it.
    pub(super) fn receive(&mut self, channel: Channel, frames: Vec<Bytes>) {
        let message = match self.session.open(frames) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!("a message on {} was dropped: {error}", channel.name());
                return;
            }
        };
        if let Some(identity) = message.identities.first() {
            match channel {
                Channel::Shell => self.shell.trust(identity),
                Channel::Control => self.control.trust(identity),
            }
        }
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
            Note::Done(turn) => self.feed(Event::Done(turn)),
            Note::Withheld(request) => self.withheld(request),
            Note::GateEmpty => self.gate_empty(),
            Note::Abandoned(abandoned) => self.ladder.abandoned.push(abandoned),
            Note::Measured { id, content } => self.measured(id, content),
            Note::Unregistered(reason) => {
                tracing::error!("{reason}");
                self.feed(Event::Stop(Trigger::StartFailed { status: 2 }));
            }
        }
    }

    /// A cell failed, and its client is about to be told: what was sent before that is read, and nothing more until the
    /// cells among it have been aborted.
    async fn begin_abort(&mut self) {
        let Some((cell, _)) = self.running else {
            return self.end_abort();
        };
        self.shell.sweep().await;
        let left = self.shell.waiting();
        self.aborting = Some(Abort { cell, left });
        // Those that are let in first among them are these.
        self.turns = Turns::default();
    }

    pub(super) fn end_abort(&mut self) {
        self.aborting = None;
        self.feed(Event::AbortExecutes);
        self.handle.mailbox.release();
    }

    async fn due(&mut self, due: Due) {
        match due {
            Due::Event(event) => self.feed(event),
            Due::InterruptAgain(turn) => self.interrupt_again(turn),
            Due::Ask => {
                if let Some((parent, content)) = self.question.take() {
                    self.ask(parent, content);
                }
            }
            Due::Poke => self.interpreter.poke(),
            Due::Drain(round) => self.look_at_sockets(round),
        }
    }

    fn subscribed(&mut self, subscription: Subscription) {
        let Subscription { topic, peer } = subscription;
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
            .inspect(|message| {
                if let Some(identity) = message.identities.first() {
                    self.stdin.trust(identity);
                }
            })
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

async fn sleep_until(next: Option<Instant>) {
    match next {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
