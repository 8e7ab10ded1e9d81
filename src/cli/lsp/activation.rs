//! Asking a running kernel for the language server inside it, over a comm.
//!
//! Used by `drupe lsp --existing` and by the finder. Every wait has a deadline.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend, SubSocket, ZmqMessage};

use crate::wire::message::to_json;
use crate::wire::{ConnectionFile, ConnectionInfo, Outgoing, Session};

/// How long a running kernel may take to name a port. It answers while a cell runs, so this is for a kernel that is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for each question to one that may be ending, and that is asked again.
const HASTE: Duration = Duration::from_secs(2);

/// The comm target whose answer names the port as JSON-RPC does.
const TARGET: &str = "lsp";

/// What `kernel_info_reply` says of a kernel that is drupe.
const IMPLEMENTATION: &str = "drupe";

#[derive(Deserialize)]
struct CommMessage {
    comm_id: String,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct KernelInfo {
    implementation: String,
}

/// Has the kernel of a connection file start its server, and connects to it.
///
/// # Errors
/// No such file, or no kernel that answers, or one that refuses.
pub(super) fn connect(file: &Path) -> Result<TcpStream> {
    let info = read(file)?;
    activate(file, &info, info.session()?, PATIENCE)
}

/// The same for a kernel that may be another than drupe: `None` then, and it has not noticed. `client` is the name under which
/// the server is asked for: who asks again under it has the one before closed.
///
/// # Errors
/// As [`connect`].
pub(super) fn connect_if_drupe(file: &Path, client: &str) -> Result<Option<TcpStream>> {
    let info = read(file)?;
    let implementation = within(HASTE, implementation(&info))?
        .with_context(|| format!("the kernel of {} does not say what it is", file.display()))??;
    if implementation != IMPLEMENTATION {
        return Ok(None);
    }
    activate(file, &info, info.session()?.named(client.to_owned()), HASTE).map(Some)
}

fn read(file: &Path) -> Result<ConnectionInfo> {
    match ConnectionFile::read(file)? {
        ConnectionFile::Classic(info) => Ok(info),
        ConnectionFile::Registration(_) => bail!(
            "{} is a registration file: give the connection file of a running kernel",
            file.display()
        ),
    }
}

fn activate(file: &Path, info: &ConnectionInfo, session: Session, patience: Duration) -> Result<TcpStream> {
    let port = within(patience, ask(info, session))?
        .with_context(|| {
            format!(
                "the kernel of {} did not answer within {} s: is it running, and is it drupe?",
                file.display(),
                patience.as_secs()
            )
        })?
        .with_context(|| format!("the kernel of {} gave no language server", file.display()))?;
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).with_context(|| {
        format!(
            "the kernel of {} named the port {port}, which is closed",
            file.display()
        )
    })
}

/// What `work` comes to; `None` where it takes longer than `patience`.
fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<Option<T>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(async { tokio::time::timeout(patience, work).await.ok() }))
}

/// What the kernel is, asked on the control channel: there it answers while a cell runs, ipykernel as well.
async fn implementation(info: &ConnectionInfo) -> Result<String> {
    let mut session = info.session()?;
    let mut control = DealerSocket::new();
    control.connect(&info.endpoint(info.ports.control)).await?;
    let question = Outgoing::new("kernel_info_request", to_json(&json!({})));
    control.send(sealed(&session, &question)?).await?;
    loop {
        let Ok(message) = session.open(control.recv().await?.into_vec()) else {
            continue;
        };
        if message.header.msg_type == "kernel_info_reply" {
            return Ok(message.content::<KernelInfo>()?.implementation);
        }
    }
}

async fn ask(info: &ConnectionInfo, mut session: Session) -> Result<u16> {
    let mut iopub = SubSocket::new();
    iopub.connect(&info.endpoint(info.ports.iopub)).await?;
    iopub.subscribe("").await?;
    // The kernel greets each subscriber; from then on nothing is missed.
    iopub.recv().await?;
    let mut shell = DealerSocket::new();
    shell.connect(&info.endpoint(info.ports.shell)).await?;
    let comm_id = Uuid::new_v4().to_string();
    let content = json!({ "comm_id": comm_id, "target_name": TARGET, "data": { "ip_address": "127.0.0.1" } });
    let opening = Outgoing::new("comm_open", to_json(&content));
    shell.send(sealed(&session, &opening)?).await?;
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

fn sealed(session: &Session, message: &Outgoing) -> Result<ZmqMessage> {
    ZmqMessage::try_from(session.seal(&[], message)).map_err(|_| anyhow::anyhow!("an empty message"))
}
