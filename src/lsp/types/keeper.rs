//! The thread that starts a type checker, writes to it, and ends with it: `drupe-lsp-types`.
//!
//! The system kills a child with the thread that started it, so this one lives as long as the child is wanted. It alone
//! knows what the child has been shown: a question brings its program along, and what the child has not seen of that is
//! written first. So nothing that is lost on the way makes its view stale for longer than until the next question.

use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::child::{self, Heard, Process, View, Waiting};
use super::question::Question;
use super::view::{as_python, uri_of};
use super::{Program as Executable, WATCH};
use crate::lsp::analysis::Program;
use crate::lsp::documents::text::{Encoding, Text, saturate};
use crate::lsp::documents::uri;
use crate::lsp::requests::formatting::find;

/// How long a child may take until it can be asked. The first start of one may compile it first, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Programs that the child has open; the one that was asked about longest ago is closed first.
const MOST_OPEN: usize = 32;

/// What the thread is told.
pub enum Job {
    /// A question and its number.
    Ask(i32, Question),
    /// Nobody waits for the answer to this any more.
    Cancel(i32),
    /// An answer to a question of the child's own.
    Reply(Vec<u8>),
    /// The child has closed its output.
    Gone,
}

/// Why it has ended.
#[derive(Debug)]
pub enum End {
    /// There is none.
    Absent,
    /// It was asked nothing for long.
    Idle,
    /// It has been called off.
    Unwanted,
    /// It ended by itself, or does not start or read; why.
    Crashed(String),
}

/// What it takes to start one.
pub struct Plan {
    /// Those that may be meant, the best first.
    pub programs: &'static [Executable],
    /// Where they are looked for before `PATH`.
    pub tools: Vec<PathBuf>,
    /// The folder that it is about, as a URI.
    pub root: String,
    /// A checker that was asked nothing for this long is stopped.
    pub idle: Duration,
}

/// What is shared with those who ask.
#[derive(Clone, Default)]
pub struct Shared {
    pub process: Arc<Process>,
    pub waiting: Arc<Waiting>,
}

/// Starts a child and serves it until it ends.
pub fn keep(plan: &Plan, shared: &Shared, jobs: &Receiver<Job>, back: SyncSender<Job>) -> End {
    let found = plan
        .programs
        .iter()
        .find_map(|program| Some((program, find(program.name, &plan.tools)?)));
    let Some((program, path)) = found else {
        return End::Absent;
    };
    let crashed = |error: std::io::Error| End::Crashed(format!("{}: {error}", path.display()));
    let environment = plan.tools.first().and_then(|bin| bin.parent());
    let environment = environment.or_else(|| path.parent()?.parent());
    let (mut input, output) = match shared.process.start(&path, program.argument, environment) {
        Ok(pipes) => pipes,
        Err(error) => return crashed(error),
    };
    tracing::info!(program = %path.display(), "a type checker is started");
    let waiting = Arc::clone(&shared.waiting);
    let reader = std::thread::Builder::new().name("drupe-lsp-types-r".into());
    let read = move || {
        child::read(output, &waiting, |frame| drop(back.try_send(Job::Reply(frame))));
        let _ = back.try_send(Job::Gone);
    };
    if let Err(error) = reader.spawn(read) {
        return crashed(error);
    }
    let begin = initialize(&mut input, &shared.waiting, plan, program);
    let encoding = match begin {
        Ok(Some(encoding)) => encoding,
        Ok(None) => return End::Crashed(format!("{} does not answer", path.display())),
        Err(error) => return crashed(error),
    };
    let mut desk = Desk {
        input,
        encoding,
        open: Vec::new(),
        version: 0,
    };
    let mut idle_at = Instant::now() + plan.idle;
    loop {
        let done = match jobs.recv_timeout(WATCH.min(plan.idle)) {
            Ok(Job::Ask(id, question)) => {
                idle_at = Instant::now() + plan.idle;
                match shared.waiting.get(id) {
                    Some(slot) => desk.ask(id, &question, &slot.view),
                    None => Ok(()),
                }
            }
            Ok(Job::Cancel(id)) => desk.notify("$/cancelRequest", &json!({"id": id})),
            Ok(Job::Reply(frame)) => child::write(&mut desk.input, &frame),
            Ok(Job::Gone) => return End::Crashed(format!("{} has ended", path.display())),
            Err(RecvTimeoutError::Timeout) if shared.waiting.is_stuck() => {
                return End::Crashed(format!("{} does not answer any more", path.display()));
            }
            // Somebody else may hold its output.
            Err(RecvTimeoutError::Timeout) if shared.waiting.is_closed() => return End::Unwanted,
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => return End::Unwanted,
        };
        if let Err(error) = done {
            return crashed(error);
        }
        if Instant::now() >= idle_at {
            return End::Idle;
        }
    }
}

/// Initializes the child. How it counts characters; `None` when it does not say.
fn initialize(
    input: &mut ChildStdin,
    waiting: &Waiting,
    plan: &Plan,
    program: &Executable,
) -> std::io::Result<Option<Encoding>> {
    let initialize = json!({
        "processId": std::process::id(),
        "rootUri": plan.root,
        "workspaceFolders": [{"uri": plan.root, "name": "session"}],
        "initializationOptions": serde_json::from_str::<Value>(program.options).unwrap_or_default(),
        "capabilities": {
            "general": {"positionEncodings": ["utf-8", "utf-16"]},
            "workspace": {"configuration": true},
            "textDocument": {
                "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                "hover": {"contentFormat": ["markdown"]},
                "signatureHelp": {"signatureInformation": {
                    "documentationFormat": ["markdown"],
                    "parameterInformation": {"labelOffsetSupport": false},
                }},
            },
        },
    });
    let (id, slot) = waiting.add();
    child::write(input, &child::request(id, "initialize", &initialize))?;
    let Heard::Answer(answer) = slot.wait(Instant::now() + START) else {
        return Ok(None);
    };
    child::write(input, &child::notification("initialized", &json!({})))?;
    let encoding = answer.pointer("/capabilities/positionEncoding");
    let encoding = encoding.and_then(Value::as_str).unwrap_or("utf-16");
    Ok(Some(Encoding::negotiate([encoding])))
}

/// The child's input, and what it has open.
struct Desk {
    input: ChildStdin,
    encoding: Encoding,
    open: Vec<Open>,
    version: i32,
}

struct Open {
    uri: String,
    program: Arc<Program>,
    prelude: Arc<str>,
    text: Text,
}

impl Desk {
    fn ask(&mut self, id: i32, question: &Question, view: &std::sync::OnceLock<View>) -> std::io::Result<()> {
        let uri = uri_of(&question.program);
        self.show(&uri, question)?;
        let Some(open) = self.open.last() else {
            return Ok(());
        };
        let _ = view.set(View {
            encoding: self.encoding,
            lines_before: saturate(question.prelude.lines().count()),
        });
        let position = open
            .text
            .position(question.prelude.len() + question.offset, self.encoding);
        let mut params = json!({"textDocument": {"uri": uri}, "position": position});
        if let (Some(params), Value::Object(more)) = (params.as_object_mut(), &question.more) {
            params.extend(more.clone());
        }
        child::write(&mut self.input, &child::request(id, question.method, &params))
    }

    /// Lets the child know the program as it is now, and puts it last in `open`.
    fn show(&mut self, uri: &str, question: &Question) -> std::io::Result<()> {
        let known = self.open.iter().position(|open| open.uri == uri);
        let known = known.map(|at| self.open.remove(at));
        let is_shown =
            |it: &Open| Arc::ptr_eq(&it.program, &question.program) && it.prelude == question.prelude;
        let open = match known {
            Some(open) if is_shown(&open) => open,
            known => {
                self.version += 1;
                let text = Text::new(format!("{}{}", question.prelude, as_python(&question.program)));
                let (version, content) = (self.version, text.as_str());
                if known.is_some() {
                    let change = json!({
                        "textDocument": {"uri": uri, "version": version},
                        "contentChanges": [{"text": content}],
                    });
                    self.notify("textDocument/didChange", &change)?;
                } else {
                    let item =
                        json!({"uri": uri, "languageId": "python", "version": version, "text": content});
                    self.notify("textDocument/didOpen", &json!({"textDocument": item}))?;
                }
                Open {
                    uri: uri.to_owned(),
                    program: Arc::clone(&question.program),
                    prelude: Arc::clone(&question.prelude),
                    text,
                }
            }
        };
        self.open.push(open);
        if self.open.len() > MOST_OPEN {
            let closed = json!({"textDocument": {"uri": self.open.remove(0).uri}});
            self.notify("textDocument/didClose", &closed)?;
        }
        Ok(())
    }

    fn notify(&mut self, method: &str, params: &Value) -> std::io::Result<()> {
        child::write(&mut self.input, &child::notification(method, params))
    }
}

/// The folder that a checker is started for where no client names one.
pub fn working_directory() -> String {
    uri::of_path(&std::env::current_dir().unwrap_or_else(|_| Path::new("/").into()))
}
