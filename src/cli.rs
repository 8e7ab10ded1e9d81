//! The `drupe` command line: `run` (when no other command is named), `install`, `uninstall`, `doctor`, `last-exit`,
//! `lsp`.
//!
//! Called by `main`, which alone knows exit codes. [`flags`] is shared with the core, for `python -m drupe`. Must
//! never start a kernel's threads or sockets: `run` hands over to [`crate::launch`] and that is all.

mod doctor;
pub mod flags;
mod install;
mod last_exit;
pub mod lsp;
mod places;

use std::ffi::{OsString, c_int};
use std::os::unix::process::CommandExt;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::launch;
use crate::os::signal;
use flags::UsageError;

/// How a command ended, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// `doctor` found something to mend.
    Problems,
    /// The core refused to start and has said why; this is its status.
    CoreGaveUp(c_int),
}

/// A Jupyter kernel for Python that starts at once, listens always and ends when asked.
#[derive(Debug, Parser)]
#[command(name = "drupe", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a kernel; this is what happens when no command is named
    #[command(after_help = RUN_HELP)]
    Run {
        /// The kernel's flags, see below; unknown ones are logged and ignored
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Write a kernelspec, so that Jupyter front-ends find drupe
    Install(install::Install),
    /// Remove a kernelspec that `drupe install` wrote
    Uninstall(install::Uninstall),
    /// Say what would be run, and what is wrong with it
    Doctor(doctor::Doctor),
    /// Say how the last kernels ended, and what they had to leave behind
    LastExit(last_exit::LastExit),
    /// Serve an editor as a language server, over standard input and output
    Lsp {
        /// See `drupe lsp --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

const RUN_HELP: &str = "\
Kernel flags:
  -f, --f, --connection-file FILE  The connection file; without it one is written and shown
      --python EXE                 The Python to run in: an executable, or an environment's folder
      --environment FILE           The record that `drupe install` wrote
      --prefix DIR                 The environment of the Jupyter server
      --Class.trait=VALUE          A setting of IPython, such as --HistoryManager.hist_file=:memory:
      --matplotlib[=BACKEND]       The matplotlib backend to begin with
      --shutdown-timeout SECONDS   How long a shutdown may take (also DRUPE_SHUTDOWN_TIMEOUT)
      --logfile FILE, --log FILE   Where the log goes instead of stderr
      --loglevel LEVEL             error, warning, info, debug (also DRUPE_LOG)
      --session-mode MODE          console, notebook or background
      --loop asyncio|uvloop        Whose event loop runs on the main thread
      --comms auto|subshell|main   Where comm messages run that name a subshell
      --no-subshells               There are none
      --quiet, --no-stdout, --no-stderr, --ip ADDRESS, --transport tcp|ipc

The Python is that of --python, else of --environment, else of the environment that drupe is installed in, else of --prefix,
$VIRTUAL_ENV or $CONDA_PREFIX, else python3 on PATH.";

/// Runs the command that `args` (without the program's name) describe.
///
/// # Errors
/// Everything that `main` reports: [`UsageError`] and [`launch::LaunchError`] by type, `clap`'s own, the rest as text.
pub fn main(args: impl Iterator<Item = OsString>) -> Result<Outcome> {
    let args = args
        .map(|arg| arg.into_string().map_err(|value| UsageError::NotUtf8 { value }))
        .collect::<Result<Vec<String>, _>>()?;
    let first = args.first().map(String::as_str);
    match first {
        Some("run") => return run(args.get(1..).unwrap_or_default()),
        Some("lsp") => return Err(become_lsp(args.get(1..).unwrap_or_default())),
        Some("--help" | "-h" | "--version" | "-V") => {}
        // Front-ends begin with a flag; a bare word is a command, known or mistyped, or a script for Python.
        Some(word) if !word.starts_with('-') && !word.ends_with(".py") => {}
        _ => return run(&args),
    }
    let words = std::iter::once("drupe").chain(args.iter().map(String::as_str));
    match Cli::try_parse_from(words)?.command {
        Command::Run { args } => run(&args),
        Command::Install(install) => install.run(),
        Command::Uninstall(uninstall) => uninstall.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::LastExit(last_exit) => last_exit.run(),
        Command::Lsp { args } => Err(become_lsp(&args)),
    }
}

/// Turns this process into the language server beside it; comes back only with the reason why it could not.
fn become_lsp(args: &[String]) -> anyhow::Error {
    let beside = std::env::current_exe().map(|drupe| drupe.with_file_name("drupe-lsp"));
    match beside {
        Ok(program) => {
            let error = std::process::Command::new(&program).args(args).exec();
            anyhow::anyhow!("{} cannot be run: {error}; install drupe anew", program.display())
        }
        Err(error) => anyhow::anyhow!("the folder of drupe cannot be found: {error}"),
    }
}

fn run(args: &[String]) -> Result<Outcome> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        Cli::try_parse_from(["drupe", "run", "--help"])?;
    }
    signal::let_writes_fail();
    let options = flags::parse(args)?;
    Ok(Outcome::CoreGaveUp(launch::run(args, options)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
