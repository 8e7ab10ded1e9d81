//! The program `drupe-lsp`, which `drupe lsp` turns into: a language server over standard input and output, for any editor.
//! With `--existing` it is the one inside a running kernel, which knows the session; with `--jupyter` those of all kernels of
//! a Jupyter server; without, what can be known from the source.
//!
//! A program of its own, since `drupe` stays in the memory of every kernel that it starts.

mod activation;
mod finder;
mod http;
mod message;
mod router;
mod server;
mod stream;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::Parser;
use socket2::{Domain, Socket, Type};

use crate::jupyter;
use crate::lsp::{self, Options, Pace, Types};
use crate::options::Checker;

/// A language server for Python and IPython, over standard input and output.
#[derive(Debug, Clone, Parser)]
#[command(name = "drupe lsp", version)]
pub struct Lsp {
    /// Serve from a running kernel: its connection file, or the newest kernel's where none is named
    #[arg(long, value_name = "CONNECTION_FILE", num_args = 0..=1, conflicts_with = "python")]
    existing: Option<Option<PathBuf>>,
    /// Serve each notebook of the Jupyter server that started this from its own kernel
    #[arg(long, conflicts_with = "existing")]
    jupyter: bool,
    /// The Python in whose environment formatters are looked for
    #[arg(long, value_name = "EXE")]
    python: Option<PathBuf>,
    /// Ask a type checker besides: ty, pyrefly or basedpyright, auto for the first of them that is there, off for none
    #[arg(long, value_name = "CHECKER", conflicts_with = "existing")]
    lsp_types: Option<Checker>,
}

impl Lsp {
    /// Serve until the editor has ended. Whether it ended as the protocol wants.
    ///
    /// # Errors
    /// No kernel where one was asked for, or an input or output that is closed.
    pub fn run(&self) -> Result<bool> {
        if let Some(file) = &self.existing {
            let file = match file {
                Some(file) => found(file),
                None => newest()?,
            };
            let server = activation::connect(&file)?;
            lsp::bridge_stdio(&server)?;
            return Ok(true);
        }
        let tools: Vec<PathBuf> = self
            .python
            .as_deref()
            .and_then(Path::parent)
            .map(Path::to_owned)
            .into_iter()
            .collect();
        let options = Options {
            types: Types::new(self.lsp_types.unwrap_or_default(), tools.clone(), Pace::default()),
            tools,
            path: lsp::index::search_path::of_environment(self.python.as_deref()),
            ..Options::default()
        };
        if self.jupyter {
            return route(options);
        }
        Ok(lsp::serve_stdio(options)?)
    }
}

/// Serve each document from its notebook's kernel, and from the source where it has none.
fn route(options: Options) -> Result<bool> {
    let (near, far) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    lsp::serve(far.try_clone()?, far, options)?;
    let orderly = router::route(std::io::stdin(), std::io::stdout(), near, finder::start)?;
    Ok(orderly)
}

/// A connection file as given, or by its name in Jupyter's runtime folder.
fn found(file: &Path) -> PathBuf {
    let known = jupyter::runtime_dir().map(|folder| folder.join(file));
    match known {
        Some(known) if !file.exists() && known.exists() => known,
        _ => file.to_owned(),
    }
}

/// The connection file that was written last.
fn newest() -> Result<PathBuf> {
    let folder = jupyter::runtime_dir().context("neither JUPYTER_RUNTIME_DIR nor HOME is set")?;
    let written = |path: &PathBuf| {
        path.metadata()
            .and_then(|meta| meta.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH)
    };
    std::fs::read_dir(&folder)
        .ok()
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("kernel-") && name.ends_with(".json")
        })
        .max_by_key(written)
        .with_context(|| {
            format!(
                "no kernel runs: there is no connection file in {}",
                folder.display()
            )
        })
}
