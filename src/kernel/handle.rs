//! The kernel as Python's threads see it: what they take, what they say, and nothing that could wait for a socket.
//!
//! The core calls these with or without the GIL. The io thread holds the other end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;

use super::beside;
use super::comms::CommTable;
use super::gate::Gate;
use super::info::KernelInfo;
use super::input::Inputs;
use super::mailbox::Mailbox;
use super::out::Out;
use super::outbox::Outbox;
use super::parent::Parent;
use super::request::Request;
use super::subshells::{News, Subshell};
use crate::lifecycle::record::Abandoned;
use crate::lifecycle::watchdog::Watchdog;
use crate::lifecycle::{Budgets, MAIN, Place, Shell, Switch, Trigger, Turn};
use crate::lsp::{LiveSession, Types};
use crate::options::CommPolicy;

/// What Python's side tells the io thread, beside its output.
#[derive(Debug)]
pub enum Note {
    /// Python is up.
    Ready,
    /// A reason to end that Python knows of.
    Stop(Trigger),
    /// A turn of the exit ladder has ended; for [`crate::lifecycle::Rung::Attach`]: the helper is attached.
    Done(Turn),
    /// Something was left behind.
    Abandoned(Abandoned),
    /// The thread of this subshell says something of itself.
    Subshell(Shell, News),
    /// A request that was refused while its thread was about to begin it.
    Withheld(Request),
    /// Nobody is inside the closed gate.
    GateEmpty,
    /// The content of a reply that another thread has worked out.
    Measured { id: u64, content: Bytes },
    /// A helper has answered a question of the debugger's; `None` where Python could not be entered.
    Debugged { question: u64, answer: Option<Vec<u8>> },
    /// The thread of the cells' files has done a job, or says why not.
    Filed { key: u64, answer: Result<Value, String> },
    /// A signal has met the main thread where it waits at a breakpoint: it is to be told to go on first.
    InterruptStopped,
    /// The launcher has not taken the kernel's ports; why.
    Unregistered(String),
}

/// See the module.
pub struct Handle {
    pub outbox: Outbox,
    pub comms: CommTable,
    pub inputs: Inputs,
    pub gate: Gate,
    /// Folders with programs of the environment's.
    pub(super) tools: Vec<PathBuf>,
    /// The type checker that the language server asks besides.
    pub(super) types: Arc<Types>,
    pub(super) live: Arc<LiveSession>,
    pub(super) watchdog: Watchdog,
    pub(super) mailbox: Mailbox<Request>,
    pub(super) switch: Switch,
    /// Where the comm messages of subshells go; `None`: there are none.
    pub(super) comm_policy: Option<CommPolicy>,
    /// The subshells that have a thread, or are to get one.
    pub(super) subshells: Mutex<BTreeMap<Shell, Arc<Subshell>>>,
    pub(super) budgets: Budgets,
    pub(super) info: Mutex<KernelInfo>,
    /// When the exit ladder began.
    pub(super) end_began: OnceLock<Instant>,
    /// A debug session is attached.
    pub(super) debugging: AtomicBool,
    /// What is stopped is being let go for an interrupt, whose signal is still to come.
    pub(super) interrupt_comes: AtomicBool,
    /// See [`Handle::breakpoints_away`].
    pub(super) breakpoints_away: AtomicBool,
    /// Where the files of cells are, or would be.
    pub(super) cells: PathBuf,
    /// The last request on control, which Python mostly never sees.
    pub(super) control_parent: Mutex<Option<Parent>>,
    pub(super) notes: mpsc::UnboundedSender<Note>,
}

impl Handle {
    pub(super) fn note(&self, note: Note) {
        // The io thread never drops its end before the process is gone.
        let _ = self.notes.send(note);
    }

    /// The next request in order. It takes effect with this call: its `busy` is on its way.
    pub fn take(&self) -> Option<Request> {
        loop {
            if let Some(request) = self.permit(self.mailbox.take()?, Place::Main) {
                return Some(request);
            }
        }
    }

    /// The same for a subshell.
    pub fn take_for(&self, subshell: &Subshell) -> Option<Request> {
        loop {
            let request = subshell.mailbox.take()?;
            // Whoever hears that it has begun may interrupt it.
            subshell.begin_turn();
            if let Some(request) = self.permit(request, Place::Beside) {
                return Some(request);
            }
            subshell.end_turn();
        }
    }

    /// The first comm message, whatever waits before it.
    pub fn take_comm(&self) -> Option<Request> {
        loop {
            if let Some(request) = self.permit(self.mailbox.take_where(Request::is_comm)?, Place::Main) {
                return Some(request);
            }
        }
    }

    /// The same for a subshell.
    pub fn take_comm_for(&self, subshell: &Subshell) -> Option<Request> {
        loop {
            let request = subshell.mailbox.take_where(Request::is_comm)?;
            if let Some(request) = self.permit(request, Place::Beside) {
                return Some(request);
            }
        }
    }

    /// Ask the life cycle once more; a request that was refused meanwhile has its answer already.
    fn permit(&self, request: Request, place: Place) -> Option<Request> {
        if !self.switch.take_effect(request.id, place) {
            // The io thread gives its client the answer, and needs the request for that.
            self.note(Note::Withheld(request));
            return None;
        }
        self.outbox.push(Out::Began {
            id: request.id,
            parent: request.parent.clone(),
            executes: request.is_execute(),
        });
        Some(request)
    }

    /// A request has ended, all its output is pushed.
    pub fn finished(&self, request: &Request) {
        self.outbox.push(Out::Finished { id: request.id });
    }

    /// The request that runs has failed, and its reply comes next: when it has finished, the `execute_request`s that were
    /// sent before that reply are answered `aborted`. Until then [`Handle::take`] gives nothing.
    pub fn abort_queued(&self) {
        self.mailbox.hold();
        self.outbox.push(Out::Abort { shell: MAIN });
    }

    /// The same in a subshell.
    pub fn abort_queued_for(&self, subshell: &Subshell) {
        subshell.mailbox.hold();
        let shell = subshell.number;
        self.outbox.push(Out::Abort { shell });
    }

    /// The subshell of this number, until its thread has ended.
    pub fn subshell(&self, shell: Shell) -> Option<Arc<Subshell>> {
        let subshells = self.subshells.lock().unwrap_or_else(PoisonError::into_inner);
        subshells.get(&shell).map(Arc::clone)
    }

    /// A subshell's thread says something of itself.
    pub fn subshell_news(&self, shell: Shell, news: News) {
        if !matches!(news, News::Begun) {
            self.subshells
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&shell);
        }
        self.note(Note::Subshell(shell, news));
    }

    /// Readable when there may be something to take, or when [`Handle::ending`] has become true.
    pub fn wake_fd(&self) -> i32 {
        self.mailbox.wake_fd()
    }

    /// The last request that came on control.
    pub fn control_parent(&self) -> Option<Parent> {
        self.control_parent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The exit ladder has begun.
    pub fn ending(&self) -> bool {
        self.end_began.get().is_some()
    }

    /// The exit ladder begins: whoever waits for a request or an answer is to notice.
    pub(super) fn begin_end(&self) {
        let _ = self.end_began.set(Instant::now());
        self.types.close();
        self.inputs.close();
        self.mailbox.wake();
    }

    /// Python is up, and this is what it says of itself.
    pub fn ready(&self, update: impl FnOnce(&mut KernelInfo)) {
        update(&mut self.info.lock().unwrap_or_else(PoisonError::into_inner));
        self.note(Note::Ready);
    }

    /// What the namespace looks like now, for those who ask while Python does not answer.
    pub fn leave_snapshot(&self, snapshot: Vec<u8>) {
        self.live.leave(snapshot);
    }

    /// The content of a `complete_reply` by the language engine, for code with the cursor at that character. Waits for 0.1 s at
    /// most, without the GIL.
    pub fn complete(&self, code: &str, cursor: usize) -> Bytes {
        beside::complete(self, code, cursor)
    }

    /// What is seen from the frame that a thread is stopped in, in this stop of the debugger's.
    pub fn leave_frame(&self, stop: u64, snapshot: Vec<u8>) {
        self.live.leave_frame(stop, snapshot);
    }

    /// SIGTERM is the watchdog's again, whatever C code has made of it.
    pub fn reclaim_signals(&self) {
        self.watchdog.reclaim_signals();
    }

    /// User code has set SIGTERM by Python, to a handler of its own or to none. The watchdog learns of it all the same.
    pub fn share_sigterm(&self, users: bool) {
        self.watchdog.share_sigterm(users);
    }

    /// A cell called `exit()`.
    pub fn ask_exit(&self) {
        self.note(Note::Stop(Trigger::AskExit));
    }

    /// Python could not be started.
    pub fn start_failed(&self, status: u8) {
        self.note(Note::Stop(Trigger::StartFailed { status }));
    }

    /// For whoever carries out the teardown, before each turn: the time that it has for it. `None` where the turn is
    /// not theirs: it is over, or the next attempt's by now.
    pub fn take_up(&self, turn: Turn) -> Option<Duration> {
        let began = self.end_began.get()?;
        let end = *began + self.budgets.end_in_python(turn);
        self.switch
            .take_up(turn)
            .then(|| end.saturating_duration_since(Instant::now()))
    }

    /// The content of the reply to `usage_request` number `id`, from the thread that has measured it. The io thread sends it.
    pub(super) fn measured(&self, id: u64, content: Bytes) {
        self.note(Note::Measured { id, content });
    }

    /// Whether a debug session is attached.
    pub fn is_debugging(&self) -> bool {
        self.debugging.load(Ordering::Relaxed)
    }

    /// Whether what is stopped is being let go for an interrupt, whose signal is still to come.
    pub fn interrupt_comes(&self) -> bool {
        self.interrupt_comes.load(Ordering::Relaxed)
    }

    /// Whether the debugger knows of no breakpoints for a moment, since a stopped cell was interrupted.
    pub fn breakpoints_away(&self) -> bool {
        self.breakpoints_away.load(Ordering::Relaxed)
    }

    /// Where the files of cells are, or would be.
    pub fn cells(&self) -> &Path {
        &self.cells
    }

    /// A helper has answered question `question` of the debugger's; `None` where Python could not be entered.
    pub fn debugged(&self, question: u64, answer: Option<Vec<u8>>) {
        self.note(Note::Debugged { question, answer });
    }

    /// SIGINT has met the main thread where it waits at a breakpoint.
    pub fn interrupt_stopped(&self) {
        self.note(Note::InterruptStopped);
    }

    /// A turn has ended.
    pub fn done(&self, turn: Turn) {
        self.note(Note::Done(turn));
    }

    /// Something is left behind by a forced end.
    pub fn abandoned(&self, abandoned: Abandoned) {
        self.note(Note::Abandoned(abandoned));
    }
}
