//! The language server inside the kernel: completion, hover, diagnostics and more from source and live session.
//!
//! The kernel starts a [`Server`] when a front-end asks for one; `drupe lsp` serves the same over standard input and
//! output; the engine answers Jupyter's own requests while a cell runs. All its threads are detached daemons named
//! `drupe-lsp-*`: nobody joins them, they never hold the interpreter beyond a request's budget, and they never
//! delay the end. It knows neither Jupyter's messages nor Python, which it asks through [`Live`].

pub mod activation;
pub mod analysis;
mod configuration;
mod connection;
pub mod documents;
pub mod engine;
pub mod framing;
pub mod index;
pub mod link;
pub mod live;
mod queue;
mod requests;
mod server;
mod session;
mod stdio;
pub mod types;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::options::Checker;

pub use live::{
    Live, LiveAnswer, LiveGiven, LiveItem, LiveKind, LiveObject, LiveQuery, LiveSession, Snapshot,
};
pub use server::Server;
pub use stdio::{bridge_stdio, serve, serve_stdio};
pub use types::{Pace, Types};

/// How a language server is set up.
#[derive(Clone)]
pub struct Options {
    /// The session; `None` serves the static half alone.
    pub live: Option<Arc<dyn Live>>,
    /// How long one request may wait for the interpreter in all. 50 ms leaves half of the 100 ms in which a
    /// completion still feels immediate.
    pub budget: Duration,
    /// Allows an address that other machines reach. Off unless the user asked for it at start.
    pub any_address: bool,
    /// Folders that are searched for `ruff` and type checkers before `PATH`: the `bin` of the environment.
    pub tools: Vec<PathBuf>,
    /// Where modules are looked for when there is no session to say it.
    pub path: Vec<String>,
    /// The type checker to ask besides.
    pub types: Arc<Types>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            live: None,
            budget: Duration::from_millis(50),
            any_address: false,
            tools: Vec::new(),
            path: Vec::new(),
            types: Types::new(Checker::Off, Vec::new(), Pace::default()),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Options")
            .field("live", &self.live.is_some())
            .field("budget", &self.budget)
            .field("any_address", &self.any_address)
            .field("tools", &self.tools)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
