//! What a kernel can be told on its command line, as data.
//!
//! Read from the words by [`crate::cli::flags`], handed to the core as JSON by [`crate::launch`], and from there to
//! Python (`_drupe.config()`). Stands below all of them: it must never name a room, read a file or print.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the command line said. A field that nothing was said about is `None`, `false` or empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunOptions {
    /// `-f`, `--f`, `--connection-file`: the connection file, or the registration file of the handshake.
    pub connection_file: Option<PathBuf>,
    /// `--python`: the interpreter to run, an executable or an environment's folder. Read by the launcher only.
    pub python: Option<PathBuf>,
    /// `--environment`: the record that `drupe install` wrote. Read by the launcher only.
    pub environment: Option<PathBuf>,
    /// `--prefix`: the environment of the Jupyter server, as its kernelspec writes it. Read by the launcher only.
    pub prefix: Option<PathBuf>,
    /// `--Class.trait=value`, for IPython's configuration; values are as given, and all of them: a list takes each.
    pub traits: BTreeMap<String, Vec<String>>,
    /// `--logfile`, `--log`: where the log goes instead of stderr.
    pub logfile: Option<PathBuf>,
    /// `--loglevel`: one of `off`, `error`, `warn`, `info`, `debug`, `trace`.
    pub log_level: Option<String>,
    /// `--session-mode`: `console`, `notebook` or `background`, as Positron says it.
    pub session_mode: Option<String>,
    /// `--quiet`: nothing is echoed to the terminal that started the kernel.
    pub quiet: bool,
    /// `--no-stdout`: user output to stdout is not captured.
    pub no_stdout: bool,
    /// `--no-stderr`: user output to stderr is not captured.
    pub no_stderr: bool,
    /// `--matplotlib`: the backend to begin with; `auto` when none was named.
    pub matplotlib: Option<String>,
    /// `--ip`: the address to bind when there is no connection file.
    pub ip: Option<String>,
    /// `--transport`: `tcp` or `ipc`, when there is no connection file.
    pub transport: Option<String>,
    /// `--shutdown-timeout`, or `DRUPE_SHUTDOWN_TIMEOUT`: seconds that the whole exit ladder may take.
    pub shutdown_timeout: Option<f64>,
    /// `--loop`: whose event loop runs on the main thread.
    pub event_loop: Option<EventLoop>,
    /// `--no-subshells`: there are none.
    pub no_subshells: bool,
    /// `--comms`: where comm messages go that name a subshell.
    pub comms: Option<CommPolicy>,
    /// `--lsp-types`: the type checker that the language server asks besides; `auto` when none was named.
    pub lsp_types: Option<Checker>,
    /// Arguments that mean nothing to drupe, in order: logged, then ignored.
    pub unknown: Vec<String>,
}

/// Whose event loop it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventLoop {
    /// Python's own.
    Asyncio,
    /// That of the package `uvloop`.
    Uvloop,
}

/// Another name than that of an [`EventLoop`].
#[derive(Debug, thiserror::Error)]
#[error("it must be {}", EventLoop::NAMES)]
pub struct NoEventLoop;

impl FromStr for EventLoop {
    type Err = NoEventLoop;

    fn from_str(name: &str) -> Result<Self, NoEventLoop> {
        match name {
            "asyncio" => Ok(Self::Asyncio),
            "uvloop" => Ok(Self::Uvloop),
            _ => Err(NoEventLoop),
        }
    }
}

impl EventLoop {
    /// What `--loop` takes.
    pub const NAMES: &'static str = "asyncio or uvloop";
}

/// Where comm messages go that name a subshell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommPolicy {
    /// To the main shell, and while cells run there or wait to the subshell.
    #[default]
    Auto,
    /// To the subshell.
    Subshell,
    /// To the main shell.
    Main,
}

/// Another name than that of a [`CommPolicy`].
#[derive(Debug, thiserror::Error)]
#[error("it must be {}", CommPolicy::NAMES)]
pub struct NoCommPolicy;

impl FromStr for CommPolicy {
    type Err = NoCommPolicy;

    fn from_str(name: &str) -> Result<Self, NoCommPolicy> {
        match name {
            "auto" => Ok(Self::Auto),
            "subshell" => Ok(Self::Subshell),
            "main" => Ok(Self::Main),
            _ => Err(NoCommPolicy),
        }
    }
}

impl CommPolicy {
    /// What `--comms` takes.
    pub const NAMES: &'static str = "auto, subshell or main";
}

/// Which type checker the language server asks besides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checker {
    /// The first of those below that the environment or `PATH` has.
    #[default]
    Auto,
    /// None.
    Off,
    /// Astral's `ty`.
    Ty,
    /// Meta's `pyrefly`.
    Pyrefly,
    /// `basedpyright`, Microsoft's pyright and more.
    Basedpyright,
}

/// Another name than that of a [`Checker`].
#[derive(Debug, thiserror::Error)]
#[error("it must be {}", Checker::NAMES)]
pub struct NoChecker;

impl FromStr for Checker {
    type Err = NoChecker;

    fn from_str(name: &str) -> Result<Self, NoChecker> {
        match name {
            "auto" => Ok(Self::Auto),
            "off" | "none" => Ok(Self::Off),
            "ty" => Ok(Self::Ty),
            "pyrefly" => Ok(Self::Pyrefly),
            "basedpyright" => Ok(Self::Basedpyright),
            _ => Err(NoChecker),
        }
    }
}

impl Checker {
    /// What `--lsp-types` takes.
    pub const NAMES: &'static str = "auto, off, ty, pyrefly or basedpyright";
}
