//! The `drupe` command: what it ends with, and nothing else.
//!
//! 0: done. 1: it did not work, or `drupe doctor` found a problem. 2: wrong usage, or no Python that a kernel can
//! run in. A kernel that runs ends the process itself, in the core's exit ladder.

use std::io::Write;
use std::process::ExitCode;

use drupe::cli::{self, Outcome, flags::UsageError};
use drupe::launch::LaunchError;

fn main() -> ExitCode {
    match cli::main(std::env::args_os().skip(1)) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Problems) => ExitCode::from(1),
        Ok(Outcome::CoreGaveUp(status)) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Err(error) => report(&error),
    }
}

/// Says what went wrong, once, on stderr, and chooses the status.
fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(answer) = error.downcast_ref::<clap::Error>() {
        // `--help` and `--version` come this way too, with status 0.
        let _ = answer.print();
        return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2));
    }
    if error.chain().any(is_broken_pipe) {
        return ExitCode::SUCCESS; // `drupe doctor | head`: the reader has seen enough
    }
    let mut stderr = std::io::stderr().lock();
    if let Some(launch) = error.downcast_ref::<LaunchError>() {
        // All in the first line: front-ends show no more of a kernel that has died.
        let _ = writeln!(stderr, "drupe: {error:#}. To mend it: {}", launch.mend());
        return ExitCode::from(2);
    }
    let _ = writeln!(stderr, "drupe: {error:#}");
    if error.is::<UsageError>() {
        let _ = writeln!(stderr, "  for help: drupe run --help");
        return ExitCode::from(2);
    }
    ExitCode::from(1)
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let of_json = || error.downcast_ref::<serde_json::Error>()?.io_error_kind();
    let kind = error.downcast_ref().map(std::io::Error::kind).or_else(of_json);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}
