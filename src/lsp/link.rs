//! The writing side of one client, shared by whoever may answer: the worker, a slow request's thread, and the
//! closer at shutdown.
//!
//! It knows which requests are unanswered and answers each exactly once. It must never wait for a client longer
//! than [`PATIENCE`] and never wait for Python.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lsp_server::{ErrorCode, Notification, Request, RequestId};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::framing;

/// How long one message may take to be accepted by a client's socket before the client is dropped.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long a closed connection is still read, so that the last answers arrive.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Why a request is answered with an error; becomes JSON-RPC's error object.
#[derive(Debug, Clone, thiserror::Error, Serialize)]
#[error("{message}")]
pub struct Failure {
    /// One of `lsp_server::ErrorCode`.
    pub code: i32,
    /// One sentence for the client's log.
    pub message: String,
}

impl Failure {
    /// A failure with one of the protocol's codes.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code: code as i32,
            message: message.into(),
        }
    }

    /// The client does not want the answer any more.
    pub fn cancelled() -> Self {
        Self::new(ErrorCode::RequestCanceled, "cancelled")
    }

    /// The request was well formed and cannot be served.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::RequestFailed, message)
    }
}

/// An answer: JSON that is ready to go, since a list of candidates is large and need not be built twice.
pub type Reply = Result<Box<RawValue>, Failure>;

/// `value` as a [`Reply`].
///
/// # Errors
/// When it is not JSON.
pub fn reply(value: &impl Serialize) -> Reply {
    serde_json::value::to_raw_value(value)
        .map_err(|error| Failure::new(ErrorCode::InternalError, error.to_string()))
}

#[derive(Serialize)]
struct Response<'a> {
    id: &'a RequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// Sends one whole frame or fails.
pub type Send = Box<dyn FnMut(&[u8]) -> io::Result<()> + std::marker::Send>;
/// Ends the given directions of a connection.
pub type HangUp = Box<dyn Fn(Shutdown) + std::marker::Send + Sync>;

/// Where frames go and how the conversation is cut.
pub struct Wire {
    /// Bounded by [`PATIENCE`].
    pub send: Send,
    /// Works at once and from any thread.
    pub hang_up: HangUp,
}

/// One client's writing side.
pub struct Link {
    send: Mutex<Send>,
    hang_up: HangUp,
    unanswered: Mutex<HashMap<RequestId, Arc<AtomicBool>>>,
    closing: AtomicBool,
}

impl Link {
    /// A link over `wire`.
    pub fn new(wire: Wire) -> Self {
        Self {
            send: Mutex::new(wire.send),
            hang_up: wire.hang_up,
            unanswered: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// Notes that `id` awaits an answer. Requests that arrive while the link closes are refused at once.
    pub fn admit(&self, id: &RequestId) -> bool {
        let mut unanswered = lock(&self.unanswered);
        unanswered.insert(id.clone(), Arc::default());
        drop(unanswered);
        if self.is_closing() {
            self.reply(id, Err(refusal()));
            return false;
        }
        true
    }

    /// Marks a request as no longer wanted; it is answered with `RequestCanceled` when its turn comes.
    pub fn cancel(&self, id: &RequestId) {
        if let Some(flag) = lock(&self.unanswered).get(id) {
            flag.store(true, Ordering::Relaxed);
        }
    }

    /// The flag that tells whether `id` was cancelled; long requests look at it.
    pub fn cancelled(&self, id: &RequestId) -> Arc<AtomicBool> {
        lock(&self.unanswered).get(id).cloned().unwrap_or_default()
    }

    /// Answers `id`, unless it has been answered.
    pub fn reply(&self, id: &RequestId, result: Reply) {
        if lock(&self.unanswered).remove(id).is_none() {
            return;
        }
        self.write(&match result {
            Ok(result) => Response {
                id,
                result: Some(result),
                error: None,
            },
            Err(error) => Response {
                id,
                result: None,
                error: Some(error),
            },
        });
    }

    /// Sends a notification.
    pub fn notify(&self, method: &str, params: impl Serialize) {
        match serde_json::to_value(params) {
            Ok(params) => self.write(&Notification {
                method: method.to_owned(),
                params,
            }),
            Err(error) => tracing::error!(%error, method, "a notification is not JSON"),
        }
    }

    /// Asks the client something; its answer comes among its messages.
    pub fn ask(&self, id: RequestId, method: &str, params: serde_json::Value) {
        self.write(&Request {
            id,
            method: method.to_owned(),
            params,
        });
    }

    /// Tells of a message whose id could not be read, as JSON-RPC has it.
    pub fn complain(&self, message: &str) {
        self.write(&json!({
            "id": null,
            "error": {"code": ErrorCode::ParseError as i32, "message": message},
        }));
    }

    /// Answers everything that is unanswered with an error and hangs up. Returns at once: a detached thread does it.
    pub fn close(self: &Arc<Self>) {
        if self.closing.swap(true, Ordering::SeqCst) {
            return;
        }
        let link = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("drupe-lsp-close".into())
            .spawn(move || {
                let ids: Vec<RequestId> = lock(&link.unanswered).keys().cloned().collect();
                for id in ids {
                    link.reply(&id, Err(refusal()));
                }
                // Closing with unread input would reset the connection and take the answers with it: the client
                // gets a moment to read them, while the reader empties what it still sends.
                (link.hang_up)(Shutdown::Write);
                std::thread::sleep(LAST_WORDS);
                (link.hang_up)(Shutdown::Both);
            });
        if spawned.is_err() {
            (self.hang_up)(Shutdown::Both);
        }
    }

    /// True once [`Link::close`] was called or the client was lost.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Hangs up without another word.
    pub fn hang_up(&self) {
        self.closing.store(true, Ordering::SeqCst);
        (self.hang_up)(Shutdown::Both);
    }

    fn write(&self, message: &impl Serialize) {
        let frame = match framing::frame(message) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(%error, "a message is not JSON");
                return;
            }
        };
        let sent = (lock(&self.send))(&frame);
        if let Err(error) = sent {
            tracing::debug!(%error, "the language client is gone or does not read; hanging up");
            self.hang_up();
        }
    }
}

/// A link over a TCP connection.
///
/// # Errors
/// When the descriptor cannot be duplicated.
pub fn tcp(stream: &TcpStream) -> io::Result<Wire> {
    stream.set_nodelay(true)?;
    let mut output = stream.try_clone()?;
    let cutter = stream.try_clone()?;
    Ok(Wire {
        send: Box::new(move |frame| send_within(&mut output, frame, PATIENCE)),
        hang_up: Box::new(move |how| {
            // The peer may be gone already; there is nobody left to tell.
            let _ = cutter.shutdown(how);
        }),
    })
}

/// Writes all of `frame`, or fails with `TimedOut` when it takes longer than `patience` in all.
pub(super) fn send_within(stream: &mut TcpStream, mut frame: &[u8], patience: Duration) -> io::Result<()> {
    let until = Instant::now() + patience;
    while !frame.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(frame) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => frame = frame.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What an unanswered request gets when the server closes.
pub fn refusal() -> Failure {
    Failure::new(ErrorCode::InvalidRequest, "the kernel is shutting down")
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
