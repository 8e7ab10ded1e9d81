//! The io thread: one loop over the sockets, the queues and the timers.
//!
//! In each turn each source has a [`Share`] of the time, control first, and after each turn every connection has its own,
//! the heartbeat's among them. So whatever floods one of them delays the others by milliseconds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::bind::{Bound, StartError};
use super::channels::Channels;
use super::debugging::Debugging;
use super::ending::Ladder;
use super::handle::{Handle, Note};
use super::in_flight::InFlight;
use super::language::LanguageServers;
use super::out::{Channel, Out};
use super::question::{self, ASK_AGAIN, Unsent};
use super::refusals::Refusals;
use super::subshells::Subshells;
use super::timers::{Due, Timers};
use super::turns::{Share, Turns};
use super::{flush, handshake};
use crate::interpreter::Interpreter;
use crate::lifecycle::watchdog::Noticed;
use crate::lifecycle::{Event, MAIN, Shell, Trigger};
use crate::log;
use crate::os;
use crate::wire::Ports;

/// When, in milliseconds after a signal, the main thread is woken once more: the signal may have come after it
/// looked for signals and before it began to wait. Quick at first, for a machine that has time; later for one that has not.
const WAKE_AGAIN: [u64; 6] = [1, 5, 15, 40, 100, 250];

/// How often it is looked whether a subshell's mailbox has room again.
const ROOM_AGAIN: Duration = Duration::from_millis(5);

/// Bytes of output that one turn of the loop sends.
const BATCH: usize = 1 << 20;

/// The io thread's loop, and what it owns.
pub(super) struct Io {
    pub(super) handle: Arc<Handle>,
    pub(super) interpreter: Arc<dyn Interpreter>,
    pub(super) channels: Channels,
    pub(super) ports: Ports,
    pub(super) timers: Timers,
    pub(super) turns: Turns,
    pub(super) in_flight: InFlight,
    pub(super) refusals: Refusals,
    pub(super) unsent: Unsent,
    pub(super) subshells: Subshells,
    pub(super) servers: LanguageServers,
    pub(super) debugging: Debugging,
    pub(super) ladder: Ladder,
    /// How often SIGINT had come when the watchdog told of it last.
    pub(super) signals: u64,
    /// The number of the last request.
    pub(super) next_id: u64,
    /// Files to remove at the end: the sockets', and the connection file where it is ours.
    pub(super) own_files: Vec<PathBuf>,
}

/// Start the thread.
pub(super) fn spawn(
    bound: Bound,
    handle: Arc<Handle>,
    interpreter: Arc<dyn Interpreter>,
    notes: mpsc::UnboundedReceiver<Note>,
    noticed: mpsc::UnboundedReceiver<Noticed>,
) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::System)?;
    let run = move || {
        os::signal::block_all();
        let (watchdog, total) = (handle.watchdog.clone(), handle.budgets.total());
        let local = tokio::task::LocalSet::new();
        // Not dropped on the way out of a panic, where a second one would be the end at once. Nor is it a task, which tokio wakes by
        // way of a thread-local of whoever wakes it: that may be a thread that ends, and has none any more.
        let mut serving = Box::pin(serve(bound, handle, interpreter, notes, noticed));
        let work = std::panic::AssertUnwindSafe(|| local.block_on(&runtime, serving.as_mut()));
        if std::panic::catch_unwind(work).is_err() {
            tracing::error!("the io thread has failed; the kernel cannot go on");
        }
        log::flush();
        // Where a cell has closed every descriptor, the watchdog leaves it the time of an end.
        if watchdog.arm_if_descriptors_are_gone(total) {
            loop {
                std::thread::park();
            }
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
    noticed: mpsc::UnboundedReceiver<Noticed>,
) {
    if let Some(registration) = bound.registration.clone() {
        handshake::announce(registration, bound.ports, Arc::clone(&handle));
    }
    match Io::new(bound, handle, interpreter) {
        Ok(io) => io.run(notes, noticed).await,
        Err(error) => tracing::error!("the bound sockets cannot be served: {error}"),
    }
}

impl Io {
    fn new(bound: Bound, handle: Arc<Handle>, interpreter: Arc<dyn Interpreter>) -> std::io::Result<Self> {
        Ok(Io {
            debugging: Debugging::new(&handle),
            subshells: Subshells::new(handle.comm_policy),
            handle,
            interpreter,
            channels: Channels::new(bound.listeners, bound.session)?,
            ports: bound.ports,
            timers: Timers::default(),
            turns: Turns::default(),
            in_flight: InFlight::default(),
            refusals: Refusals::default(),
            unsent: Unsent::default(),
            servers: LanguageServers::default(),
            ladder: Ladder::default(),
            signals: 0,
            next_id: 0,
            own_files: bound.own_files,
        })
    }

    async fn run(
        mut self,
        mut notes: mpsc::UnboundedReceiver<Note>,
        mut noticed: mpsc::UnboundedReceiver<Noticed>,
    ) {
        loop {
            let now = Instant::now();
            while let Ok(what) = noticed.try_recv() {
                self.noticed(what);
            }
            while let Ok(note) = notes.try_recv() {
                self.noted(note);
            }
            let more = self.turn(now).await;
            if let Some(status) = self.ladder.exit {
                self.exit(status).await;
            }
            if !more {
                self.wait(&mut notes, &mut noticed).await;
            }
            // Every connection has its turn, so what was said is written before anything else is decided.
            tokio::task::yield_now().await;
        }
    }

    /// Each source has its share, and what is due by `now` is done. Returns whether there is more.
    async fn turn(&mut self, now: Instant) -> bool {
        let mut more = self.hear_control();
        while let Some(due) = self.timers.take(now) {
            self.due(due).await;
            more = true;
        }
        more |= self.hear_debugger(now);
        more |= self.hear_subscriptions();
        more |= self.hear_stdin();
        more |= self.hear_shell().await;
        more |= self.say().await;
        more
    }

    /// Wait until there is something for a turn.
    async fn wait(
        &mut self,
        notes: &mut mpsc::UnboundedReceiver<Note>,
        noticed: &mut mpsc::UnboundedReceiver<Noticed>,
    ) {
        let handle = Arc::clone(&self.handle);
        let writable = self.is_writable().await;
        // A client that is full holds up nobody as long as there is nothing to say.
        let due = handle.outbox.due();
        let waits = due != flush::Due::Never || !self.refusals.is_empty();
        let timers = self.timers.next().into_iter().chain(self.debugging.next());
        let next = match due {
            flush::Due::At(at) if writable => timers.chain([at.into()]).min(),
            _ => timers.min(),
        };
        let channels = &self.channels;
        let has_room = handle.mailbox.has_room();
        if has_room && !self.has_room() {
            // A subshell's is full.
            self.timers.add(Instant::now() + ROOM_AGAIN, Due::LookForRoom);
        }
        let hears_shell = self.has_room() && self.turns.allowed(1) > 0 && self.refusals.is_empty();
        tokio::select! {
            biased;
            () = channels.control.readable() => {}
            Some(what) = noticed.recv() => self.noticed(what),
            Some(note) = notes.recv() => self.noted(note),
            () = self.debugging.readable() => {}
            () = sleep_until(next) => {}
            () = channels.iopub.readable() => {}
            () = channels.iopub.writable(), if !writable && waits => {}
            () = channels.stdin.readable() => {}
            () = channels.shell.readable(), if hears_shell => {}
            () = handle.mailbox.room(), if !has_room => {}
            () = handle.outbox.filled(), if writable || !waits => {}
        }
    }

    fn hear_control(&mut self) -> bool {
        let share = Share::new();
        while share.lasts()
            && let Some(frames) = self.channels.control.try_recv()
        {
            self.turns.control_heard();
            self.receive(Channel::Control, frames);
        }
        self.channels.control.waiting() > 0
    }

    fn hear_subscriptions(&mut self) -> bool {
        let share = Share::new();
        while share.lasts() {
            match self.channels.iopub.try_recv() {
                Some(subscription) => self.channels.welcome(subscription),
                None => return false,
            }
        }
        true
    }

    fn hear_stdin(&mut self) -> bool {
        let share = Share::new();
        while share.lasts() {
            let Some(frames) = self.channels.stdin.try_recv() else {
                return false;
            };
            if let Some(message) = self.channels.open_stdin(frames) {
                question::answered(&self.handle.inputs, &message);
            }
        }
        true
    }

    /// Shell is heard as far as there is room for what it asks, and not before those that were refused are answered. What
    /// was sent before a cell failed is heard in any case: it is to be refused.
    async fn hear_shell(&mut self) -> bool {
        let waiting = self.turns.allowed(self.channels.shell.waiting());
        if waiting == 0 || !self.refusals.is_empty() || !self.has_room() {
            return false;
        }
        if self.turns.are_over() {
            self.channels.control.sweep().await;
            self.turns.begin(waiting, self.channels.control.waiting());
        }
        let share = Share::new();
        while share.lasts()
            && self.turns.is_shells()
            && self.has_room()
            && let Some(frames) = self.channels.shell.try_recv()
        {
            self.turns.shell_heard();
            self.receive(Channel::Shell, frames);
        }
        true
    }

    /// Whether another shell message may be heard.
    fn has_room(&self) -> bool {
        let subshells = || self.subshells.all().all(|subshell| subshell.mailbox.has_room());
        self.turns.are_aborting() || self.handle.mailbox.has_room() && subshells()
    }

    /// Send what is due, as much as its share allows: the answers to what was refused, and what Python says.
    async fn say(&mut self) -> bool {
        if !self.is_writable().await {
            self.handle.outbox.held_up();
            return false;
        }
        let refused = self.answer_refused();
        let share = Share::new();
        let mut bytes = 0;
        while bytes < BATCH
            && share.lasts()
            && !self.turns.are_aborting()
            && !self.refuses_first()
            && let Some(out) = self.handle.outbox.take(share.begun())
        {
            bytes += out.size();
            match out {
                Out::Abort { shell } => self.begin_abort(shell).await,
                out => self.send(out),
            }
        }
        if bytes > 0 {
            // What was published is written when the writers have their turn.
            tokio::task::yield_now().await;
            self.handle.outbox.handed_over();
        }
        refused || bytes > 0
    }

    /// Whether those that were refused are answered before anything else is said. At the end there is no time for that.
    fn refuses_first(&self) -> bool {
        !self.refusals.is_empty() && !self.ladder.begun()
    }

    /// Whether a client that reads slowly asks for a pause. During the end output is taken as it comes: the time is short,
    /// and so is what can pile up.
    async fn is_writable(&self) -> bool {
        self.ladder.begun() || self.channels.is_writable().await
    }

    /// Interrupt what runs, so that it notices.
    pub(super) fn strike(&mut self) {
        let interpreter = &self.interpreter;
        self.handle.switch.interrupt_request(|| interpreter.interrupt());
        self.wake_main_again();
    }

    /// A signal has come for the main thread.
    fn wake_main_again(&mut self) {
        let now = Instant::now();
        self.timers.call_off(Due::WakeMain);
        for after in WAKE_AGAIN {
            self.timers.add(now + Duration::from_millis(after), Due::WakeMain);
        }
    }

    /// What the watchdog has seen.
    fn noticed(&mut self, what: Noticed) {
        match what {
            Noticed::Terminate => self.feed(Event::Stop(Trigger::Terminate)),
            Noticed::ParentGone => self.feed(Event::Stop(Trigger::ParentGone)),
            // This thread cannot even wait any more, see `spawn`.
            Noticed::DescriptorsGone => {}
            Noticed::NotedByPython => {
                self.signals = self.handle.watchdog.interrupts();
                self.in_flight.interrupted(MAIN);
                self.wake_main_again();
            }
        }
    }

    fn noted(&mut self, note: Note) {
        match note {
            Note::Ready => {
                self.channels.started();
                self.feed(Event::Ready);
                self.debugger_may_start();
                self.subshells_may_start();
            }
            Note::Stop(trigger) => self.feed(Event::Stop(trigger)),
            Note::Done(turn) => self.feed(Event::Done(turn)),
            Note::Subshell(shell, news) => self.subshell_news(shell, news),
            Note::Withheld(request) => self.refusals.add_handed_back(request),
            Note::GateEmpty => self.gate_empty(),
            Note::Abandoned(abandoned) => self.ladder.abandoned.push(abandoned),
            Note::Measured { id, content } => self.measured(id, content),
            Note::Debugged { question, answer } => self.debugged(question, answer),
            Note::Filed { key, answer } => self.filed(key, answer),
            Note::InterruptStopped => self.interrupt_stopped(),
            Note::Unregistered(reason) => {
                tracing::error!("{reason}");
                self.feed(Event::Stop(Trigger::StartFailed { status: 2 }));
            }
        }
    }

    /// A cell failed, and its client is about to be told: what was sent before that is read, and nothing more until the
    /// cells among it have been aborted.
    async fn begin_abort(&mut self, shell: Shell) {
        // One at a time: those behind another shell's failed cell have been looked for.
        self.end_abort();
        let Some(cell) = self.in_flight.cell(shell) else {
            return self.abort_executes(shell);
        };
        self.channels.shell.sweep().await;
        self.turns.begin_abort(cell, shell, self.channels.shell.waiting());
    }

    pub(super) fn end_abort(&mut self) {
        if let Some(shell) = self.turns.end_abort() {
            self.abort_executes(shell);
        }
    }

    fn abort_executes(&mut self, shell: Shell) {
        self.feed(Event::AbortExecutes { shell });
        self.mailbox_of(shell).release();
    }

    async fn due(&mut self, due: Due) {
        match due {
            Due::Event(event) => self.feed(event),
            Due::InterruptAgain(turn) => self.interrupt_again(turn),
            Due::Ask => {
                if self.unsent.again(&self.channels) {
                    self.timers.add(Instant::now() + ASK_AGAIN, Due::Ask);
                }
            }
            Due::WakeMain => self.interpreter.wake_main(),
            Due::SubshellAnswer(shell) => self.subshell_answer(shell),
            // The turn looks.
            Due::LookForRoom => {}
            Due::InterruptMain => {
                let interpreter = &self.interpreter;
                self.handle
                    .switch
                    .interrupt_request(|| interpreter.interrupt_main());
            }
            Due::Drain(round) => self.look_at_sockets(round),
        }
    }
}

async fn sleep_until(next: Option<Instant>) {
    match next {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
