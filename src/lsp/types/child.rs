//! The type checker as a process: its pipes, what has been asked of it, and its end.
//!
//! It may hang, die, flood or never read: each pipe has a thread, and who waits for an answer waits until a deadline. It is
//! killed when it is not wanted any more, and by the system when the kernel is gone.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use lsp_server::{Notification, Request};
use serde_json::{Value, json};

use crate::lsp::documents::text::Encoding;
use crate::lsp::framing;
use crate::os;

/// A child that has not read, or not answered, for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a program was shown to the child: what is needed to read the positions in its answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct View {
    /// How the child counts characters.
    pub encoding: Encoding,
    /// Lines that were put before the program's own.
    pub lines_before: u32,
}

/// What has been asked, and what came.
pub struct Slot {
    /// When it was asked.
    pub asked: Instant,
    /// How the program was shown, once it was.
    pub view: OnceLock<View>,
    answer: Mutex<Option<Option<Arc<Value>>>>,
    changed: Condvar,
}

/// What is known of an answer by now.
#[derive(Debug, Clone)]
pub enum Heard {
    /// It is there.
    Answer(Arc<Value>),
    /// It may still come.
    Late,
    /// It will not come.
    Nothing,
}

impl Slot {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            asked: Instant::now(),
            view: OnceLock::new(),
            answer: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// What has come until then; waits for it no longer.
    pub fn wait(&self, until: Instant) -> Heard {
        let mut answer = lock(&self.answer);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match &*answer {
                Some(Some(answer)) => return Heard::Answer(Arc::clone(answer)),
                Some(None) => return Heard::Nothing,
                None if left.is_zero() => return Heard::Late,
                None => {
                    let waited = self.changed.wait_timeout(answer, left);
                    answer = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn fill(&self, value: Option<Arc<Value>>) {
        lock(&self.answer).get_or_insert(value);
        self.changed.notify_all();
    }
}

/// The questions that are under way, by number.
#[derive(Default)]
pub struct Waiting(Mutex<Questions>);

#[derive(Default)]
struct Questions {
    next: i32,
    slots: HashMap<i32, Arc<Slot>>,
    /// Nothing will be answered any more.
    gone: bool,
}

impl Waiting {
    /// A new question and its number.
    pub fn add(&self) -> (i32, Arc<Slot>) {
        let mut questions = lock(&self.0);
        let (id, slot) = (questions.next, Slot::new());
        questions.next += 1;
        match questions.gone {
            true => slot.fill(None),
            false => drop(questions.slots.insert(id, Arc::clone(&slot))),
        }
        (id, slot)
    }

    /// The question of that number, as long as somebody wants its answer.
    pub fn get(&self, id: i32) -> Option<Arc<Slot>> {
        lock(&self.0).slots.get(&id).cloned()
    }

    /// Nobody wants it any more; true when it was still under way.
    pub fn remove(&self, id: i32) -> bool {
        self.fill(id, None)
    }

    fn fill(&self, id: i32, value: Option<Value>) -> bool {
        let slot = lock(&self.0).slots.remove(&id);
        if let Some(slot) = &slot {
            slot.fill(value.map(Arc::new));
        }
        slot.is_some()
    }

    /// Whether the child has not answered for too long.
    pub fn is_stuck(&self) -> bool {
        let questions = lock(&self.0);
        questions
            .slots
            .values()
            .any(|slot| slot.asked.elapsed() > PATIENCE)
    }

    /// Whether nothing will be answered any more.
    pub fn is_closed(&self) -> bool {
        lock(&self.0).gone
    }

    /// Nothing will be answered any more: who waits is told at once.
    pub fn close(&self) {
        let mut questions = lock(&self.0);
        questions.gone = true;
        for (_, slot) in questions.slots.drain() {
            slot.fill(None);
        }
    }
}

/// The process, until it has been waited for.
#[derive(Default)]
pub struct Process(Mutex<Option<std::process::Child>>);

impl Process {
    /// Starts `program argument`. The thread that does must live as long as the child is wanted: the system kills it with that.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        &self,
        program: &Path,
        argument: &str,
        environment: Option<&Path>,
    ) -> std::io::Result<(ChildStdin, ChildStdout)> {
        let mut command = Command::new(program);
        command
            .arg(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        look_in(&mut command, environment);
        die_with_the_kernel(&mut command);
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        *lock(&self.0) = Some(child);
        pipes.ok_or_else(|| std::io::Error::other("it has no pipes"))
    }

    /// Kills it, without waiting for its end.
    pub fn kill(&self) {
        // A checker may be a script around the real one: its whole group goes, which it leads. It is not reaped yet.
        if let Some(child) = &*lock(&self.0) {
            os::process::kill_group(child.id());
        }
    }

    /// Kills it and waits for its end; for threads that nobody waits for.
    pub fn reap(&self) {
        self.kill();
        let child = lock(&self.0).take();
        if let Some(mut child) = child {
            // A killed process ends at once, but for one that the system holds.
            let _ = child.wait();
        }
    }
}

/// Has a checker look for packages where the kernel finds them.
fn look_in(command: &mut Command, environment: Option<&Path>) {
    let Some(environment) = environment else { return };
    if environment.join("pyvenv.cfg").is_file() {
        command.env("VIRTUAL_ENV", environment);
    } else if environment.join("conda-meta").is_dir() {
        command.env("CONDA_PREFIX", environment);
    }
    // Who asks `python` itself is to find the kernel's.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(environment.join("bin")).chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
}

/// Puts the child out of reach of a terminal's interrupt, and has the system kill it with the thread that starts it.
fn die_with_the_kernel(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    os::process::end_with_parent(command);
}

/// A request, ready to be written.
pub fn request(id: i32, method: &str, params: &Value) -> Vec<u8> {
    frame(&Request::new(id.into(), method.into(), params))
}

/// A notification, ready to be written.
pub fn notification(method: &str, params: &Value) -> Vec<u8> {
    frame(&Notification::new(method.into(), params))
}

fn frame(message: &impl serde::Serialize) -> Vec<u8> {
    // What is written here is JSON.
    framing::frame(message).unwrap_or_default()
}

/// Writes a message.
///
/// # Errors
/// When the child does not read any more.
pub fn write(input: &mut ChildStdin, frame: &[u8]) -> std::io::Result<()> {
    input.write_all(frame).and_then(|()| input.flush())
}

/// Reads until the child's output ends; what it asks is answered through `reply`.
pub fn read(output: ChildStdout, waiting: &Waiting, reply: impl Fn(Vec<u8>)) {
    let mut output = BufReader::new(output);
    loop {
        match framing::read_value(&mut output) {
            Ok(Some(message)) => take(message, waiting, &reply),
            Ok(None) => break,
            Err(framing::FrameError::Body(error)) => tracing::debug!(error, "the type checker's nonsense"),
            Err(error) => {
                tracing::warn!(%error, "the type checker's output ends");
                break;
            }
        }
    }
    waiting.close();
}

fn take(mut message: Value, waiting: &Waiting, reply: impl Fn(Vec<u8>)) {
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
            reply(frame(&json!({"id": id, "result": result})));
        }
        (Some(id), None) => {
            if let Some(id) = id.as_i64().and_then(|id| i32::try_from(id).ok()) {
                // An error (it was cancelled, the text has changed meanwhile) is no answer.
                waiting.fill(id, message.get_mut("result").map(Value::take));
            }
        }
        // Diagnostics, log messages and progress are its own.
        (None, _) => {}
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
