//! The program `drupe-lsp`, which `drupe lsp` turns into: a language server over standard input and output, for any editor.
//! With `--existing` it is the one inside a running kernel, which knows the session; without, what can be known from the source.
//!
//! A program of its own, since `drupe` stays in the memory of every kernel that it starts.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend, SubSocket, ZmqMessage};

use crate::jupyter;
use crate::lsp::{self, Options};
use crate::options::Checker;
use crate::wire::message::to_json;
use crate::wire::{ConnectionFile, ConnectionInfo, Outgoing};

/// How long a running kernel may take to name a port. It answers while a cell runs, so this is for a kernel that is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The comm target whose answer names the port as JSON-RPC does.
const TARGET: &str = "lsp";

/// A language server for Python and IPython, over standard input and output.
#[derive(Debug, Clone, Parser)]
#[command(name = "drupe lsp", version)]
pub struct Lsp {
    /// Serve from a running kernel: its connection file, or the newest kernel's where none is named
    #[arg(long, value_name = "CONNECTION_FILE", num_args = 0..=1, conflicts_with = "python")]
    existing: Option<Option<PathBuf>>,
    /// The Python in whose environment formatters are looked for
    #[arg(long, value_name = "EXE")]
    python: Option<PathBuf>,
    /// Ask a type checker of the environment besides
    #[arg(long, value_name = "CHECKER", conflicts_with = "existing")]
    lsp_types: Option<Checker>,
}

#[derive(Deserialize)]
struct CommMessage {
    comm_id: String,
    #[serde(default)]
    data: Value,
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
            let port = activate(&file)?;
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).with_context(|| {
                format!(
                    "the kernel of {} named the port {port}, which is closed",
                    file.display()
                )
            })?;
            lsp::bridge_stdio(&server)?;
            return Ok(true);
        }
        let tools = self
            .python
            .as_deref()
            .and_then(Path::parent)
            .map(Path::to_owned)
            .into_iter()
            .collect();
        let orderly = lsp::serve_stdio(Options {
            tools,
            types: self.lsp_types,
            ..Options::default()
        })?;
        Ok(orderly)
    }
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

/// Have the kernel start its server, and learn the port.
fn activate(file: &Path) -> Result<u16> {
    let ConnectionFile::Classic(info) = ConnectionFile::read(file)? else {
        bail!(
            "{} is a registration file: give the connection file of a running kernel",
            file.display()
        );
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(&info)).await });
    match answer {
        Ok(port) => port.with_context(|| format!("the kernel of {} gave no language server", file.display())),
        Err(_) => bail!(
            "the kernel of {} did not answer within {} s: is it running, and is it drupe?",
            file.display(),
            PATIENCE.as_secs()
        ),
    }
}

async fn ask(info: &ConnectionInfo) -> Result<u16> {
    let mut session = info.session()?;
    let mut iopub = SubSocket::new();
    iopub.connect(&info.endpoint(info.ports.iopub)).await?;
    iopub.subscribe("").await?;
    // The kernel greets each subscriber; from then on nothing is missed.
    iopub.recv().await?;
    let mut shell = DealerSocket::new();
    shell.connect(&info.endpoint(info.ports.shell)).await?;
    let comm_id = Uuid::new_v4().to_string();
    let content = json!({ "comm_id": comm_id, "target_name": TARGET, "data": { "ip_address": "127.0.0.1" } });
    let frames = session.seal(&[], &Outgoing::new("comm_open", to_json(&content)));
    let message = ZmqMessage::try_from(frames).map_err(|_| anyhow::anyhow!("an empty message"))?;
    shell.send(message).await?;
    loop {
        let Ok(message) = session.open(iopub.recv().await?.into_vec()) else {
            continue;
        };
        if !matches!(message.header.msg_type.as_str(), "comm_msg" | "comm_close") {
            continue;
        }
        let Ok(said) = message.content::<CommMessage>() else {
            continue;
        };
        if said.comm_id != comm_id {
            continue;
        }
        let port = said.data.pointer("/params/port").and_then(Value::as_u64);
        return port
            .and_then(|port| u16::try_from(port).ok())
            .context("it refused: it is ending, or has no language server");
    }
}
