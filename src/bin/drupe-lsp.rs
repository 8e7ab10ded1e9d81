//! The language server as a program: exit codes and nothing else. See `drupe::cli::lsp`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use drupe::cli::lsp::Lsp;

fn main() -> ExitCode {
    match Lsp::parse().run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Where nobody listens there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "drupe lsp: {error:#}");
            ExitCode::from(2)
        }
    }
}
