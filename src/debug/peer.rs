//! The connection to pydevd: a listener that lives until pydevd has come and shown who it is, and then one peer.
//!
//! Runs on the io thread's own runtime, as tasks of their own. Both sides show a token that the other has been told in
//! this process's memory: who cannot is dropped, and is told nothing but a token that is of use to nobody else.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet, spawn_local};

use super::protocol::{self, Incoming};

/// The longest message of pydevd's that is read, in bytes. A longer one is passed over.
const LONGEST: usize = 16 << 20;
/// The longest line of a header.
const LONGEST_LINE: u64 = 1024;
/// How long one who has connected may take to show who it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// Strangers at a time.
const MOST_STRANGERS: usize = 16;

/// What becomes known of the peer.
#[derive(Debug)]
pub enum News {
    /// It has come; this is where it is written to.
    Connected(mpsc::UnboundedSender<Bytes>),
    Said(Incoming),
    Gone,
}

/// What pydevd is to be told.
#[derive(Debug, Clone)]
pub struct Door {
    pub port: u16,
    /// What pydevd expects to be shown.
    pub token: String,
    /// What it is to show.
    pub client_token: String,
}

fn token() -> String {
    let half = || uuid::Uuid::new_v4().simple().to_string();
    half() + &half()
}

/// Listen for pydevd, until it has come or the task is aborted. Everything else comes as news. Call on a `LocalSet`.
///
/// # Errors
/// Where the system has no port or descriptor left.
pub fn listen(news: mpsc::UnboundedSender<News>) -> io::Result<(Door, AbortHandle)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let door = Door {
        port: listener.local_addr()?.port(),
        token: token(),
        client_token: token(),
    };
    let listener = TcpListener::from_std(listener)?;
    let task = spawn_local(serve(listener, door.clone(), news));
    Ok((door, task.abort_handle()))
}

async fn serve(listener: TcpListener, door: Door, news: mpsc::UnboundedSender<News>) {
    let mut strangers = JoinSet::new();
    let (reader, writer) = loop {
        tokio::select! {
            accepted = listener.accept(), if strangers.len() < MOST_STRANGERS => {
                if let Ok((stream, _)) = accepted {
                    strangers.spawn_local(tokio::time::timeout(PATIENCE, greet(stream, door.clone())));
                } else {
                    // No descriptor is left: one may be, later.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Some(greeted) = strangers.join_next() => {
                if let Ok(Ok(Ok(peer))) = greeted {
                    break peer;
                }
                tracing::warn!("somebody else than the debugger has knocked, and was sent away");
            }
        }
    };
    // Nobody else is let in.
    drop((listener, strangers));
    let (sender, queue) = mpsc::unbounded_channel();
    let _ = news.send(News::Connected(sender));
    let writing = spawn_local(write(writer, queue));
    if let Err(error) = read(reader, &news).await {
        tracing::info!("the connection to the debugger: {error}");
    }
    writing.abort();
    let _ = news.send(News::Gone);
}

type Peer = (BufReader<OwnedReadHalf>, OwnedWriteHalf);

/// Find out whether it is pydevd.
async fn greet(stream: TcpStream, door: Door) -> io::Result<Peer> {
    // A reply would wait 40 ms for the other side's acknowledgement.
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let arguments = json!({ "debugServerAccessToken": door.token });
    writer
        .write_all(&protocol::request(0, "pydevdAuthorize", &arguments))
        .await?;
    loop {
        let Some(said) = next(&mut reader).await? else {
            continue;
        };
        if said.kind != "response" {
            continue;
        }
        let body = said.read();
        let shown = body.get("clientAccessToken").and_then(Value::as_str);
        if said.success && shown == Some(&door.client_token) {
            return Ok((reader, writer));
        }
        return Err(io::ErrorKind::PermissionDenied.into());
    }
}

async fn write(mut writer: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Bytes>) {
    while let Some(frame) = queue.recv().await {
        if writer.write_all(&frame).await.is_err() {
            return;
        }
    }
}

async fn read(mut reader: BufReader<OwnedReadHalf>, news: &mpsc::UnboundedSender<News>) -> io::Result<()> {
    loop {
        if let Some(said) = next(&mut reader).await? {
            let _ = news.send(News::Said(said));
        }
    }
}

/// The next message. `None` where it cannot be made sense of, and the one behind it can.
async fn next(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Incoming>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        let read = (&mut *reader).take(LONGEST_LINE).read_line(&mut line).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !line.ends_with('\n') {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length:") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = length.ok_or(io::ErrorKind::InvalidData)?;
    if length > LONGEST {
        let mut rest = (&mut *reader).take(length as u64);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
        tracing::warn!("a message of the debugger's with {length} bytes was passed over");
        return Ok(None);
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).await?;
    Ok(serde_json::from_slice(&text)
        .inspect_err(|error| tracing::warn!("a message of the debugger's cannot be read: {error}"))
        .ok())
}
