//! The language server as a program: exit codes and nothing else. See `drupe::cli::lsp`.

use std::process::ExitCode;

use clap::Parser;
use drupe::cli::lsp::Lsp;

fn main() -> ExitCode {
    match Lsp::parse().run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where it is said why")]
            {
                eprintln!("drupe lsp: {error:#}");
            }
            ExitCode::from(2)
        }
    }
}
