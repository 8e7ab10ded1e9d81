//! The life cycle as data: what may happen to a kernel ([`Event`]) and what is to be done about it
//! ([`Action`]), with one pure transition function ([`Lifecycle::step`]).
//!
//! The io loop feeds it and carries its actions out, in order and without adding decisions of its
//! own; `main` asks it once more, through [`super::Switch`], before a request takes effect. It reads no
//! clock, does no I/O and knows neither Python nor the wire, so all of its states can be searched: it
//! must never grow a side effect. Every event is accepted in every state; one that no longer matters
//! (a timer of a rung that has ended, a reply to what was refused) changes nothing.

use std::collections::BTreeMap;

use super::ladder::{Outcome, Rung, Turn};

/// A request's number, made by the io loop: unique for the life of the process.
pub type RequestId = u64;

/// The number of the shell that a request was sent to, made by the io loop: that of a subshell, or [`MAIN`].
pub type Shell = u32;

/// The shell of messages that name no subshell.
pub const MAIN: Shell = 0;

/// What sort of request asks to be admitted; this alone decides how it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestKind {
    /// `execute_request`.
    Execute,
    /// `comm_open`, except those that activate the language server ([`Event::Activate`]).
    CommOpen,
    /// `comm_msg` and `comm_close`: have no reply.
    CommMessage,
    /// Answered by the io loop itself, while draining too: `kernel_info`, `connect`, `comm_info`,
    /// `interrupt`, `usage`, and what is answered by saying that it is not there: the debugger, subshells.
    Immediate,
    /// Every other request, known or not: complete, inspect, history, is_complete, ...
    Other,
}

impl RequestKind {
    /// The kind of a `msg_type`. Not for `shutdown_request`, which is an event of its own.
    pub fn of(msg_type: &str) -> Self {
        match msg_type {
            "execute_request" => Self::Execute,
            "comm_open" => Self::CommOpen,
            "comm_msg" | "comm_close" => Self::CommMessage,
            "kernel_info_request"
            | "connect_request"
            | "comm_info_request"
            | "interrupt_request"
            | "usage_request"
            | "debug_request"
            | "create_subshell_request"
            | "delete_subshell_request"
            | "list_subshell_request" => Self::Immediate,
            _ => Self::Other,
        }
    }

    /// Whether it is one of the comm messages, which have no reply.
    pub fn is_comm(self) -> bool {
        matches!(self, Self::CommOpen | Self::CommMessage)
    }

    /// How a request of this kind is refused before it began.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Execute => Refusal::Aborted,
            Self::CommOpen => Refusal::CommClose,
            Self::CommMessage => Refusal::Drop,
            Self::Immediate | Self::Other => Refusal::Error,
        }
    }
}

/// The answer that a refused request gets, always between its own `busy` and `idle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A reply with `status: aborted`.
    Aborted,
    /// A reply with `status: error`.
    Error,
    /// `comm_close` on iopub for the comm that was to be opened.
    CommClose,
    /// No message, one log line.
    Drop,
}

/// Where an admitted request is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// On `main`, in Python: rung 1 interrupts it.
    Main,
    /// By another thread: a subshell's, or a native one (completion from the language engine while a cell runs). The ladder
    /// does not wait for it.
    Beside,
}

/// Why the kernel ends. The first one wins and is what the record of ends names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// A `shutdown_request`, on control or on shell.
    ShutdownRequest,
    /// SIGTERM.
    Terminate,
    /// The process that started the kernel is gone.
    ParentGone,
    /// `exit()` in a cell, after its reply.
    AskExit,
    /// Python could not be started; the one end that nobody asked for, hence with a status other than 0.
    StartFailed {
        /// The process's exit status: 2 for a wrong environment or usage, 1 for an internal error.
        status: u8,
    },
}

impl std::fmt::Display for Trigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ShutdownRequest => "shutdown_request",
            Self::Terminate => "SIGTERM",
            Self::ParentGone => "parent gone",
            Self::AskExit => "exit()",
            Self::StartFailed { .. } => "start failed",
        })
    }
}

/// One `shutdown_request` that waits for its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asker {
    /// The request's number.
    pub id: RequestId,
    /// Its `restart` field, to be echoed.
    pub restart: bool,
}

/// What has happened. The io loop feeds these one by one, in the order in which it learns of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Python is up: requests may be handed to `main`.
    Ready,
    /// A request was read and asks to be admitted → `Admit`, `Answer`, `Refuse` or `Ignore`.
    Request {
        /// Its number.
        id: RequestId,
        /// Its kind.
        kind: RequestKind,
        /// Whose queue it is meant for.
        shell: Shell,
    },
    /// A request that was taken from the mailbox is about to begin → `Permit` or `Withhold`.
    TakeEffect {
        /// Its number.
        id: RequestId,
        /// Who carries it out.
        place: Place,
    },
    /// Whoever carries out the request handed in its reply → `PassReply` or `DropReply`.
    Reply {
        /// The request's number.
        id: RequestId,
    },
    /// The request has ended, with all of its output → `Conclude`.
    Finished {
        /// The request's number.
        id: RequestId,
    },
    /// A cell failed with `stop_on_error`: the execute requests that are queued for its shell are to be aborted → `Refuse`
    /// for each. The io loop reads what its sockets hold before it sends this.
    AbortExecutes {
        /// The cell's shell.
        shell: Shell,
    },
    /// A subshell was deleted → `Refuse` for what is queued for it, but for comm messages: those are for a comm, not for a
    /// shell, and the io loop hands them to another.
    ShellDeleted {
        /// Its number.
        shell: Shell,
    },
    /// A `comm_open` that activates the language server → `StartServer`, `Refuse` or `Ignore`.
    Activate {
        /// The activation's number.
        id: RequestId,
        /// The activation of the same client before it, if it has one.
        replaces: Option<RequestId>,
    },
    /// The server that was being started listens → `Announce`, or `CloseServer` when it is too late.
    ServerReady {
        /// The activation's number.
        id: RequestId,
    },
    /// The server could not be started, or its front-end closed the comm → `CloseServer`.
    ServerGone {
        /// The activation's number.
        id: RequestId,
    },
    /// A `shutdown_request` was read, on whichever channel. Each one gets one `ShutdownReply`.
    ShutdownRequest(Asker),
    /// Another reason to end; `Trigger::ShutdownRequest` comes by the event above instead.
    Stop(Trigger),
    /// The watchdog confirmed that it is armed ([`super::Watchdog::arm`] returned true).
    Armed,
    /// Whoever carries out the teardown is about to begin this turn → `TakenUp`, or nothing where it is not
    /// theirs (any more). Asked through [`super::Switch`], so that no rung is repeated or skipped.
    TakeUp(Turn),
    /// This turn's work has ended. For `Attach`: the helper is attached to Python. For a rung of Python's,
    /// those of the same attempt before it have ended as well, so `Done` of `Flush` ends a teardown from
    /// wherever it was. For `Gate`: nobody is inside.
    Done(Turn),
    /// This turn's time has passed (a timer that the io loop set when it got `Begin`).
    Over(Turn),
    /// The operating system has all bytes that were queued when `Drain` with this round was issued.
    Drained {
        /// The round of the `Drain` action.
        round: u32,
    },
    /// The whole time has passed: end now, from wherever things stand.
    Deadline,
}

/// What is to be done. The io loop performs a batch in order, before it feeds the next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Put the request into the mailbox; it may now be taken.
    Admit {
        /// The request's number.
        id: RequestId,
    },
    /// Answer from the io loop, at once, with busy and idle.
    Answer {
        /// The request's number.
        id: RequestId,
    },
    /// Send busy, what `how` says, idle; take the request out of the mailbox if it is there.
    Refuse {
        /// The request's number.
        id: RequestId,
        /// The answer.
        how: Refusal,
    },
    /// `shutdown_reply` is out and nothing may follow it: drop the request with a log line.
    Ignore {
        /// The request's number.
        id: RequestId,
    },
    /// The request takes effect now: busy, then let it run.
    Permit {
        /// The request's number.
        id: RequestId,
    },
    /// The request was refused while it was on its way: drop it, it has its answer.
    Withhold {
        /// The request's number.
        id: RequestId,
    },
    /// Send the reply that was handed in.
    PassReply {
        /// The request's number.
        id: RequestId,
    },
    /// The request has its answer already: drop this reply with a log line.
    DropReply {
        /// The request's number.
        id: RequestId,
    },
    /// Send the reply that is `missing`, if any, then idle.
    Conclude {
        /// The request's number.
        id: RequestId,
        /// What to send in place of the reply that never came. `None`: it was sent, or the kind has none.
        missing: Option<Refusal>,
    },
    /// Start a language server, without waiting for it; report `ServerReady` or `ServerGone`.
    StartServer {
        /// The activation's number.
        id: RequestId,
    },
    /// Tell the front-end the server's port. Done within this batch, so nothing can come between.
    Announce {
        /// The activation's number.
        id: RequestId,
    },
    /// Stop starting it, close its listener, answer its open requests with an error, close its
    /// connections and send `comm_close` (not after `CloseOutput`), as far as each exists. Harmless when
    /// repeated.
    CloseServer {
        /// The activation's number.
        id: RequestId,
    },
    /// Arm the watchdog; feed `Armed` when it has confirmed.
    ArmWatchdog,
    /// The turn is the asker's: it may begin.
    TakenUp(Turn),
    /// Begin this turn: start its timer, then do what [`Rung`] says. For `Attach`: start a helper thread, and
    /// hand it this turn; once attached it goes through Python's rungs from `resume` on. The main thread needs
    /// no more than to be woken.
    Begin(Turn),
    /// The turn that was begun last has ended, and how. Comes before the next `Begin`, and before `Exit`.
    Ended {
        /// The turn.
        turn: Turn,
        /// How it ended.
        outcome: Outcome,
    },
    /// Queue one stderr message that names what was abandoned, if anything was; from here on accept
    /// no output from anybody.
    CloseOutput,
    /// Send idle, then `shutdown_reply` on the asker's channel and on iopub.
    ShutdownReply(Asker),
    /// Wait, without blocking, until the sockets have taken everything; then feed `Drained`.
    Drain {
        /// Counts the drains, so that an earlier one's end is not taken for this one's.
        round: u32,
    },
    /// Write the record of ends and `_exit`.
    Exit {
        /// The process's exit status.
        status: u8,
    },
}

/// Where the kernel stands in its life.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Python is being loaded; requests that need it wait.
    Starting,
    /// Python is up.
    Running,
    /// On the exit ladder.
    Draining(Draining),
    /// `Exit` was issued; nothing happens any more.
    Exiting,
}

/// The standing of a kernel on the exit ladder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Draining {
    /// The turn that is under way.
    pub turn: Turn,
    /// Why the kernel ends.
    pub trigger: Trigger,
    /// Those who asked and have no reply yet, first come first.
    pub askers: Vec<Asker>,
    /// The watchdog has confirmed.
    pub armed: bool,
    /// `CloseOutput` was issued.
    pub output_closed: bool,
    /// How many `Drain` actions were issued.
    pub rounds: u32,
    /// The furthest turn's rung that this attempt has taken up. It may be ahead of `turn`, whose end is still to be
    /// heard of.
    pub(super) taken_up: Option<Rung>,
}

/// An admitted request that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    Queued(RequestKind, Shell),
    InEffect {
        kind: RequestKind,
        place: Place,
        replied: bool,
    },
}

/// A language server that was asked for and not yet closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Server {
    Starting,
    Announced,
}

/// The life cycle of one kernel: the one switch that every request passes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lifecycle {
    pub(super) phase: Phase,
    pub(super) requests: BTreeMap<RequestId, Standing>,
    pub(super) servers: BTreeMap<RequestId, Server>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    /// A kernel whose sockets are bound and whose Python is not up yet.
    pub fn new() -> Self {
        Self {
            phase: Phase::Starting,
            requests: BTreeMap::new(),
            servers: BTreeMap::new(),
        }
    }

    /// Where the kernel stands.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Whether requests are admitted: true until the first reason to end.
    pub fn admitting(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Running)
    }

    /// Whether output (streams, displays, comm messages from Python) may still be queued: true until
    /// `CloseOutput`. Cheap: for every single message.
    pub fn admits_output(&self) -> bool {
        match &self.phase {
            Phase::Starting | Phase::Running => true,
            Phase::Draining(draining) => !draining.output_closed,
            Phase::Exiting => false,
        }
    }

    /// Whether `main` is carrying out a request: then rung 1 has something to interrupt.
    pub fn main_is_busy(&self) -> bool {
        self.requests.values().any(|standing| {
            matches!(
                standing,
                Standing::InEffect {
                    place: Place::Main,
                    ..
                }
            )
        })
    }

    /// Whether the teardown has been begun with: by now the main thread is behind whatever request it carried out, or left behind.
    pub fn teardown_is_taken_up(&self) -> bool {
        matches!(&self.phase, Phase::Draining(draining) if draining.taken_up.is_some())
    }

    /// Whether this turn is under way and nobody has taken it up yet, nor gone past it.
    pub fn is_waited_for(&self, turn: Turn) -> bool {
        matches!(&self.phase, Phase::Draining(draining)
            if draining.turn == turn && draining.taken_up < Some(turn.rung))
    }

    /// Whether this turn is under way and nobody has gone past it.
    pub fn is_not_passed(&self, turn: Turn) -> bool {
        matches!(&self.phase, Phase::Draining(draining)
            if draining.turn == turn && draining.taken_up <= Some(turn.rung))
    }

    /// Takes one event and returns what is to be done about it, in order.
    pub fn step(&mut self, event: Event) -> Vec<Action> {
        super::step::step(self, event)
    }
}
