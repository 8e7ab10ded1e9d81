//! One client's conversation: a thread that reads and a thread that works, with a bounded queue between them.
//!
//! Both are detached. The reader never works (so a cancellation is seen while a request is busy) and the worker
//! never reads. A panic in a handler costs one error reply.

use std::io::{self, BufRead, BufReader};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lsp_server::{ErrorCode, Message, Request, RequestId};
use serde_json::{Value, json};

use super::Options;
use super::analysis::depth;
use super::framing::{self, FrameError};
use super::link::{Failure, Link};
use super::queue::{Popped, Queue};
use super::requests::Job;
use super::session::{Answer, Session};

/// Messages that wait for the worker; the reader stops reading at this many.
const MOST_WAITING: usize = 1024;
/// Their bytes; a single larger message still passes alone.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// How long the worker waits before it uses the quiet for diagnostics of what was edited.
const QUIET: Duration = Duration::from_millis(150);
/// How often it looks whether the session's names have changed, when nothing was edited.
const LOOK: Duration = Duration::from_secs(1);
/// Slow requests of one client that run at once; more are refused, since each is a thread and a child.
const MOST_SLOW: usize = 4;

/// Serves a TCP client on two new threads.
///
/// # Errors
/// When a thread cannot be started.
pub(super) fn spawn(stream: TcpStream, link: Arc<Link>, options: Options) -> io::Result<()> {
    let queue = Arc::new(Queue::new(MOST_WAITING, MOST_BYTES));
    std::thread::Builder::new()
        .name("drupe-lsp-work".into())
        .stack_size(depth::STACK)
        .spawn({
            let (queue, link) = (Arc::clone(&queue), Arc::clone(&link));
            move || {
                work(&queue, &link, options);
                // Who closes the link also says the last words and hangs up.
                if !link.is_closing() {
                    link.hang_up();
                }
            }
        })?;
    std::thread::Builder::new()
        .name("drupe-lsp-read".into())
        .spawn(move || read(&mut BufReader::new(stream), &queue, &link))?;
    Ok(())
}

/// Reads until the stream ends, handing messages to the worker.
pub(super) fn read(input: &mut impl BufRead, queue: &Queue<Message>, link: &Arc<Link>) {
    loop {
        match framing::read_message(input) {
            Ok(Some((message, bytes))) => {
                if !take(message, bytes, queue, link) {
                    break;
                }
            }
            Ok(None) => break,
            Err(error @ FrameError::Body(_)) => {
                tracing::warn!(%error, "a language client sent nonsense");
                link.complain(&error.to_string());
            }
            Err(error) => {
                if !link.is_closing() {
                    tracing::warn!(%error, "a language client's connection ends");
                    if !matches!(error, FrameError::Io(_)) {
                        link.complain(&error.to_string());
                    }
                }
                queue.abandon();
                return;
            }
        }
    }
    queue.close();
}

fn take(message: Message, bytes: usize, queue: &Queue<Message>, link: &Arc<Link>) -> bool {
    match &message {
        Message::Request(request) => {
            if !link.admit(&request.id) {
                return true;
            }
        }
        Message::Notification(notification) if notification.method == "$/cancelRequest" => {
            if let Ok(id) = serde_json::from_value::<RequestId>(
                notification.params.get("id").cloned().unwrap_or_default(),
            ) {
                link.cancel(&id);
            }
            return true;
        }
        Message::Response(_) | Message::Notification(_) => {}
    }
    queue.push(message, bytes)
}

/// Works through the queue until it is closed or the client says `exit`. True when `shutdown` came before the end.
pub(super) fn work(queue: &Queue<Message>, link: &Arc<Link>, options: Options) -> bool {
    let mut session = Session::new(options, Arc::clone(link));
    let slow = Arc::new(AtomicUsize::new(0));
    loop {
        match queue.pop(if session.has_changes() { QUIET } else { LOOK }) {
            Popped::Closed => break,
            _ if link.is_closing() => break,
            Popped::Idle => {
                guard("idle", || {
                    session.quiet(|| queue.has_items() || link.is_closing())
                });
            }
            Popped::Item(Message::Request(request)) => {
                serve(&mut session, link, &slow, request);
                // Who was answered waits no more, and nobody else does.
                if !queue.has_items() {
                    session.documents.tidy();
                }
            }
            Popped::Item(Message::Notification(notification)) => {
                if notification.method == "exit" {
                    break;
                }
                guard(&notification.method, || {
                    session.notified(&notification.method, notification.params);
                });
            }
            Popped::Item(Message::Response(response)) => {
                guard("a response", || session.responded(response));
            }
        }
    }
    queue.abandon();
    session.is_shut_down()
}

fn serve(session: &mut Session, link: &Arc<Link>, slow: &Arc<AtomicUsize>, request: Request) {
    let Request { id, method, params } = request;
    let started = std::time::Instant::now();
    let progress = params.get("workDoneToken").cloned();
    session.cancelled = link.cancelled(&id);
    if session.is_cancelled() {
        link.reply(&id, Err(Failure::cancelled()));
        return;
    }
    match guard(&method, || session.request(&method, params)) {
        None => link.reply(&id, Err(panicked(&method))),
        Some(Answer::Now(result)) => link.reply(&id, result),
        Some(Answer::Later(work)) => later(link, slow, &id, &method, progress, work),
    }
    tracing::debug!(method, elapsed = ?started.elapsed(), "answered");
}

/// Finishes a slow request on a thread of its own, so that the next completion does not wait for it.
/// With a token from the client, it is told when that begins and ends.
fn later(
    link: &Arc<Link>,
    slow: &Arc<AtomicUsize>,
    id: &RequestId,
    method: &str,
    progress: Option<Value>,
    work: Job,
) {
    if slow.fetch_add(1, Ordering::Relaxed) >= MOST_SLOW {
        slow.fetch_sub(1, Ordering::Relaxed);
        link.reply(
            id,
            Err(Failure::failed(format!(
                "{MOST_SLOW} requests like {method} are running"
            ))),
        );
        return;
    }
    let thread = {
        let (link, slow) = (Arc::clone(link), Arc::clone(slow));
        let (id, method) = (id.clone(), method.to_owned());
        move || {
            let report = |value: Value| {
                if let Some(token) = &progress {
                    link.notify("$/progress", json!({"token": token, "value": value}));
                }
            };
            report(json!({"kind": "begin", "title": method}));
            let result = guard(&method, work).unwrap_or_else(|| Err(panicked(&method)));
            slow.fetch_sub(1, Ordering::Relaxed);
            report(json!({"kind": "end"}));
            link.reply(&id, result);
        }
    };
    let spawned = std::thread::Builder::new()
        .name("drupe-lsp-tool".into())
        .stack_size(depth::STACK)
        .spawn(thread);
    if let Err(error) = spawned {
        slow.fetch_sub(1, Ordering::Relaxed);
        link.reply(id, Err(Failure::failed(format!("no thread for it: {error}"))));
    }
}

/// Runs a handler; a panic is logged and becomes `None`.
fn guard<T>(what: &str, handler: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(handler)) {
        Ok(value) => Some(value),
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            tracing::error!(what, message, "a language-server handler panicked");
            None
        }
    }
}

fn panicked(method: &str) -> Failure {
    Failure::new(
        ErrorCode::InternalError,
        format!("an internal error in {method}; see the kernel's log"),
    )
}
