//! The type checker as a process: JSON-RPC over its pipes, on two threads of its own.
//!
//! It may hang, die, flood or never read: the pipes have threads, the queue to it is bounded, and every wait has an end. It
//! is killed when its client is gone, and by the system when the kernel is.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use lsp_server::{Notification, Request};
use serde_json::{Value, json};

use crate::lsp::documents::text::Encoding;
use crate::lsp::framing;
use crate::os;

/// Messages that wait for the child to read them; a child that is further behind is not asked.
const MOST_WAITING: usize = 256;

/// The id of `initialize`.
const INITIALIZE: i32 = 0;

/// A running child. Dropping it kills it.
pub struct Child {
    process: Arc<Mutex<std::process::Child>>,
    outgoing: SyncSender<Vec<u8>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// How the child counts characters; known once it is ready.
    encoding: OnceLock<Encoding>,
    asked: Mutex<Questions>,
}

#[derive(Default)]
struct Questions {
    last: i32,
    waiting: HashMap<i32, Sender<Value>>,
    /// The child has closed its output: nothing will be answered any more.
    gone: bool,
}

/// A question under way.
pub struct Pending {
    id: i32,
    answer: Receiver<Value>,
    shared: Arc<Shared>,
    outgoing: SyncSender<Vec<u8>>,
}

impl Child {
    /// Starts `program argument` with `VIRTUAL_ENV` set to `environment`, and initializes it.
    ///
    /// # Errors
    /// When it or its threads cannot be started.
    pub fn start(
        program: &Path,
        argument: &str,
        environment: Option<&Path>,
        initialize: Value,
    ) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command
            .arg(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(environment) = environment {
            command.env("VIRTUAL_ENV", environment);
        }
        die_with_the_kernel(&mut command);
        let mut process = command.spawn()?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (input, output) = pipes.ok_or_else(|| std::io::Error::other("it has no pipes"))?;
        let (outgoing, queue) = mpsc::sync_channel(MOST_WAITING);
        let child = Self {
            process: Arc::new(Mutex::new(process)),
            outgoing,
            shared: Arc::default(),
        };
        thread("drupe-lsp-types-w", move || write(input, &queue))?;
        let (shared, back) = (Arc::clone(&child.shared), child.outgoing.clone());
        thread("drupe-lsp-types-r", move || read(output, &shared, &back))?;
        child.send(&Request::new(INITIALIZE.into(), "initialize".into(), initialize));
        Ok(child)
    }

    /// How the child counts characters; `None` until it is ready.
    pub fn encoding(&self) -> Option<Encoding> {
        self.shared.encoding.get().copied()
    }

    /// Sends a notification; one that finds the queue full is lost, and so is the child's view of that document.
    pub fn notify(&self, method: &str, params: &Value) {
        self.send(&Notification::new(method.into(), params));
    }

    /// Asks; `None` when the child does not keep up or is gone.
    pub fn ask(&self, method: &str, params: &Value) -> Option<Pending> {
        let (sender, answer) = mpsc::channel();
        let id = {
            let mut asked = lock(&self.shared.asked);
            if asked.gone {
                return None;
            }
            asked.last += 1;
            let id = asked.last;
            asked.waiting.insert(id, sender);
            id
        };
        let pending = Pending {
            id,
            answer,
            shared: Arc::clone(&self.shared),
            outgoing: self.outgoing.clone(),
        };
        self.send(&Request::new(id.into(), method.into(), params))
            .then_some(pending)
    }

    fn send(&self, message: &impl serde::Serialize) -> bool {
        send(&self.outgoing, message)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let process = Arc::clone(&self.process);
        // A checker may be a script around the real one: its whole group goes, which it leads. It is not reaped yet.
        os::process::kill_group(lock(&process).id());
        // A killed process ends at once, but for one that the system holds: nobody waits for that.
        let _ = thread("drupe-lsp-types-x", move || drop(lock(&process).wait()));
    }
}

impl Pending {
    /// The answer, waiting for it until then.
    pub fn answer(self, until: Instant) -> Option<Value> {
        let left = until.saturating_duration_since(Instant::now());
        self.answer.recv_timeout(left).ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let late = lock(&self.shared.asked).waiting.remove(&self.id).is_some();
        if late {
            let cancel = Notification::new("$/cancelRequest".into(), json!({"id": self.id}));
            send(&self.outgoing, &cancel);
        }
    }
}

fn send(outgoing: &SyncSender<Vec<u8>>, message: &impl serde::Serialize) -> bool {
    framing::frame(message).is_ok_and(|frame| outgoing.try_send(frame).is_ok())
}

fn write(mut input: ChildStdin, queue: &Receiver<Vec<u8>>) {
    while let Ok(frame) = queue.recv() {
        if input.write_all(&frame).and_then(|()| input.flush()).is_err() {
            break;
        }
    }
}

fn read(output: ChildStdout, shared: &Shared, back: &SyncSender<Vec<u8>>) {
    let mut output = BufReader::new(output);
    loop {
        match framing::read_value(&mut output) {
            Ok(Some(message)) => take(message, shared, back),
            Ok(None) => break,
            Err(framing::FrameError::Body(error)) => tracing::debug!(error, "the type checker's nonsense"),
            Err(error) => {
                tracing::warn!(%error, "the type checker's output ends");
                break;
            }
        }
    }
    let mut asked = lock(&shared.asked);
    asked.gone = true;
    // Who waits is told at once.
    asked.waiting.clear();
}

fn take(mut message: Value, shared: &Shared, back: &SyncSender<Vec<u8>>) {
    let id = message.get("id").cloned();
    let method = message.get("method").and_then(Value::as_str);
    match (id, method) {
        (Some(id), Some(method)) => {
            let result = match method {
                // One answer for each thing that is asked for: no settings of its own.
                "workspace/configuration" => {
                    let items = message.pointer("/params/items").and_then(Value::as_array);
                    Value::Array(vec![Value::Null; items.map_or(0, Vec::len)])
                }
                _ => Value::Null,
            };
            send(back, &json!({"id": id, "result": result}));
        }
        (Some(id), None) => {
            let Some(id) = id.as_i64().and_then(|id| i32::try_from(id).ok()) else {
                return;
            };
            let result = message.get_mut("result").map(Value::take).unwrap_or_default();
            if id == INITIALIZE {
                let encoding = result.pointer("/capabilities/positionEncoding");
                let encoding = encoding.and_then(Value::as_str).unwrap_or("utf-16");
                let _ = shared.encoding.set(Encoding::negotiate([encoding]));
                send(back, &Notification::new("initialized".into(), json!({})));
            } else if let Some(waiting) = lock(&shared.asked).waiting.remove(&id) {
                let _ = waiting.send(result);
            }
        }
        // Diagnostics, log messages and progress are its own.
        (None, _) => {}
    }
}

/// Puts the child out of reach of a terminal's interrupt, and has the system kill it with the thread that started it.
fn die_with_the_kernel(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    os::process::end_with_parent(command);
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map(drop)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
