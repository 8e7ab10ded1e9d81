//! The kernel: five sockets, one life cycle, and the queues to and from Python, on one thread of its own.
//!
//! [`start`] binds, starts the thread `drupe-io` and comes back; from then on the kernel answers, whether Python is up
//! or not. That thread never attaches to Python and never waits for a thread that may. What Python's threads need
//! they reach through the [`Handle`].

mod beside;
mod bind;
mod channels;
pub mod comms;
mod debugging;
pub mod decoder;
mod dispatch;
mod ending;
mod flush;
pub mod gate;
pub mod handle;
mod handshake;
mod in_flight;
mod info;
pub mod input;
mod io;
mod language;
pub mod mailbox;
pub mod out;
pub mod outbox;
pub mod parent;
mod question;
mod refusals;
pub mod request;
mod subshells;
mod sync;
mod timers;
mod turns;
mod usage;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::debug::cells;
use crate::interpreter::Interpreter;
use crate::lifecycle::watchdog::{self, Noticed, Watchdog};
use crate::lifecycle::{Budgets, Switch};
use crate::lsp::{LiveSession, Pace, Types};
use crate::options::{Checker, CommPolicy};
pub use bind::StartError;
pub use handle::Handle;
pub use subshells::{News, Subshell};

/// What a kernel is started with.
#[derive(Debug, Clone)]
pub struct KernelConfig {
    /// The connection file, or the registration file of the handshake; `None`: make one.
    pub connection_file: Option<PathBuf>,
    /// The address to bind where there is no file.
    pub ip: Option<String>,
    /// `tcp` or `ipc` where there is no file.
    pub transport: Option<String>,
    /// Seconds that the whole exit ladder may take, where that is not the default.
    pub shutdown_timeout: Option<f64>,
    /// Python's version where it is known already, such as `3.12.1`.
    pub language_version: Option<String>,
    /// Folders with programs of the environment's, such as its `bin`.
    pub tools: Vec<PathBuf>,
    /// The type checker that the language server asks besides.
    pub types: Checker,
    /// Whether the environment has debugpy.
    pub debugger: bool,
    /// Where the comm messages of subshells go; `None`: the kernel has no subshells.
    pub subshells: Option<CommPolicy>,
    /// IPython's version where it is known already.
    pub ipython_version: Option<String>,
}

/// A kernel that answers.
pub struct Started {
    pub handle: Arc<Handle>,
    /// The file that tells clients how to connect: the given one, or one that was made.
    pub connection_file: PathBuf,
}

/// Bind the sockets and start the io thread.
///
/// # Errors
/// A connection file that cannot be used, a port that is taken, or a system without a thread or descriptor left.
/// Nothing is running then.
pub fn start(config: KernelConfig, interpreter: Arc<dyn Interpreter>) -> Result<Started, StartError> {
    let bound = bind::bind(&config)?;
    let (notes, inbox) = mpsc::unbounded_channel();
    let budgets = match config.shutdown_timeout {
        Some(seconds) => Budgets::with_total(Duration::from_secs_f64(seconds)),
        None => Budgets::default(),
    };
    let (noticed_in, noticed) = mpsc::unbounded_channel();
    let watch = watchdog::Config {
        parent: watchdog::Config::parent_from_env(),
        total: budgets.total(),
        ..watchdog::Config::default()
    };
    let interrupted = Arc::clone(&interpreter);
    let report = move |what: Noticed| {
        if what == Noticed::DescriptorsGone {
            // The io thread may wait for what can come no more: the cell has its `finally` blocks from here.
            return interrupted.interrupt_main();
        }
        // The io thread never drops its end before the process is gone.
        let _ = noticed_in.send(what);
    };
    let asked = Arc::clone(&interpreter);
    let handle = Arc::new(Handle {
        types: Types::new(config.types, config.tools.clone(), Pace::default()),
        tools: config.tools,
        live: Arc::new(LiveSession::new(Box::new(move |question| asked.ask(question)))),
        watchdog: Watchdog::start(watch, Box::new(report))?,
        outbox: outbox::Outbox::default(),
        comms: comms::CommTable::default(),
        inputs: input::Inputs::default(),
        gate: gate::Gate::new(),
        mailbox: mailbox::Mailbox::new().map_err(StartError::System)?,
        switch: Switch::new(),
        comm_policy: config.subshells,
        subshells: Mutex::default(),
        budgets,
        info: Mutex::new(info::KernelInfo::new(
            config.language_version,
            config.ipython_version.as_deref(),
            config.debugger,
            config.subshells.is_some(),
        )),
        end_began: OnceLock::new(),
        debugging: AtomicBool::new(false),
        interrupt_comes: AtomicBool::new(false),
        breakpoints_away: AtomicBool::new(false),
        cells: cells::folder(),
        control_parent: Mutex::new(None),
        notes,
    });
    let connection_file = bound.file.clone();
    io::spawn(bound, Arc::clone(&handle), interpreter, inbox, noticed)?;
    Ok(Started {
        handle,
        connection_file,
    })
}
