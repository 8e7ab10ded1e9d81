//! The kernel as Python's threads see it: what they take, what they say, and nothing that could wait for a socket.
//!
//! The core calls these with or without the GIL. The io thread holds the other end.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::comms::CommTable;
use super::gate::Gate;
use super::info::KernelInfo;
use super::input::InputSlot;
use super::mailbox::Mailbox;
use super::out::Out;
use super::outbox::Outbox;
use super::parent::Parent;
use super::request::Request;
use crate::lifecycle::record::Abandoned;
use crate::lifecycle::watchdog::Watchdog;
use crate::lifecycle::{Budgets, Leg, Place, Rung, Switch, Trigger};
use crate::lsp::LiveSession;
use crate::options::Checker;

/// What Python's side tells the io thread, beside its output.
#[derive(Debug)]
pub enum Note {
    /// Python is up.
    Ready,
    /// A reason to end that Python knows of.
    Stop(Trigger),
    /// A rung of the ladder has ended.
    Done(Leg),
    /// Something was left behind.
    Abandoned(Abandoned),
    /// A request that was refused while the main thread was about to begin it.
    Withheld(Request),
    /// Nobody is inside the closed gate.
    GateEmpty,
    /// The content of a reply that another thread has worked out.
    Measured { id: u64, content: Bytes },
    /// The launcher has not taken the kernel's ports; why.
    Unregistered(String),
}

/// The place of a rung in the order of descent.
pub(super) fn rung_place(rung: Rung) -> u8 {
    let place = Rung::ALL
        .iter()
        .position(|other| *other == rung)
        .unwrap_or_default();
    u8::try_from(place).unwrap_or(u8::MAX)
}

/// See the module.
pub struct Handle {
    pub outbox: Outbox,
    pub comms: CommTable,
    pub input: InputSlot,
    pub gate: Gate,
    /// Folders with programs of the environment's.
    pub(super) tools: Vec<PathBuf>,
    /// The type checker that the language server asks besides.
    pub(super) types: Option<Checker>,
    pub(super) live: Arc<LiveSession>,
    pub(super) watchdog: Watchdog,
    pub(super) mailbox: Mailbox<Request>,
    pub(super) switch: Switch,
    pub(super) budgets: Budgets,
    pub(super) info: Mutex<KernelInfo>,
    pub(super) ending: AtomicBool,
    /// The last request on control, which Python mostly never sees.
    pub(super) control_parent: Mutex<Option<Parent>>,
    /// The crew whose turn the teardown is; a helper that comes late finds another's number here.
    pub(super) crew: AtomicU8,
    /// The rung (its place in [`Rung::ALL`]) that this crew goes on with; those before it are over.
    pub(super) resume: AtomicU8,
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
            if let Some(request) = self.permit(self.mailbox.take()?) {
                return Some(request);
            }
        }
    }

    /// The first comm message, whatever waits before it.
    pub fn take_comm(&self) -> Option<Request> {
        loop {
            if let Some(request) = self.permit(self.mailbox.take_where(Request::is_comm)?) {
                return Some(request);
            }
        }
    }

    /// Ask the life cycle once more; a request that was refused meanwhile has its answer already.
    fn permit(&self, request: Request) -> Option<Request> {
        if !self.switch.take_effect(request.id, Place::Main) {
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
        self.outbox.push(Out::Abort);
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
        self.ending.load(Ordering::Acquire)
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

    /// SIGTERM is the watchdog's again, whatever C code has made of it.
    pub fn reclaim_sigterm(&self) {
        self.watchdog.reclaim_sigterm();
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

    /// The time that a rung may take; `None` where it is over already or another crew's turn has come.
    pub fn begin_rung(&self, leg: Leg) -> Option<Duration> {
        let over = rung_place(leg.rung) < self.resume.load(Ordering::Acquire);
        (leg.crew == self.crew() && !over).then(|| self.budgets.of(leg.rung))
    }

    /// A question of no request's, such as the usage that a thread has measured, has its answer.
    pub(super) fn measured(&self, id: u64, content: Bytes) {
        self.note(Note::Measured { id, content });
    }

    /// A rung has ended, or a helper is attached ([`Rung::Helper`]).
    pub fn rung_done(&self, leg: Leg) {
        self.note(Note::Done(leg));
    }

    /// The crew whose turn it is: 0 for the main thread, n for the nth helper.
    pub fn crew(&self) -> u8 {
        self.crew.load(Ordering::Acquire)
    }

    /// Something is left behind by a forced end.
    pub fn abandoned(&self, abandoned: Abandoned) {
        self.note(Note::Abandoned(abandoned));
    }
}
