//! What a type checker of the environment adds: `--lsp-types=auto`, `ty`, `pyrefly` or `basedpyright`.
//!
//! One child for each kernel, shared by all who ask: the clients of its language servers and Jupyter's own requests. It is
//! started at the first question that the session cannot answer, stopped after minutes without one, and started again
//! after a crash, a few times. Nobody waits for it longer than a request can bear. A notebook is shown to it as one
//! Python file: IPython's lines become names that mean nothing.

mod child;
mod keeper;
mod members;
mod question;
mod view;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::analysis::{Program as Source, depth};
use super::link::Link;
use crate::options::Checker;
use child::{Heard, Slot, lock};
use keeper::{End, Job, Plan, Shared};
use question::{Kept, Question};
use view::Bindings;

pub use members::{Added, added, hover_text, is_argument, kind_name, signatures, without_unknown};
pub use question::Asked;

/// Questions that wait for the child to read them; while it is further behind, it is asked nothing.
const MOST_WAITING: usize = 256;

/// Lists that are kept for the next letter, one for each program.
const MOST_KEPT: usize = 8;

/// Crashes within a minute after which it is given up for a while.
const MOST_CRASHES: usize = 4;

/// Over how long they are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// How often it is looked whether the child has become idle or is stuck.
const WATCH: Duration = Duration::from_secs(5);

/// A checker as a program.
#[derive(Debug, Clone, Copy)]
struct Program {
    /// The package that brings it.
    package: &'static str,
    /// The executable.
    name: &'static str,
    /// What makes that a language server on standard input and output.
    argument: &'static str,
    /// Its own settings, as JSON: what it would do besides is drupe's business, or takes seconds.
    options: &'static str,
}

const PROGRAMS: [Program; 3] = [
    Program {
        package: "ty",
        name: "ty",
        argument: "server",
        options: r#"{"diagnosticMode": "off", "completions": {"autoImport": false}}"#,
    },
    Program {
        package: "pyrefly",
        name: "pyrefly",
        argument: "lsp",
        options: r#"{"pyrefly": {"displayTypeErrors": "force-off"}}"#,
    },
    Program {
        package: "basedpyright",
        name: "basedpyright-langserver",
        argument: "--stdio",
        options: "null",
    },
];

impl Checker {
    /// The programs that may be meant, the best first.
    fn programs(self) -> &'static [Program] {
        let [ty, pyrefly, basedpyright] = &PROGRAMS;
        match self {
            Self::Auto => &PROGRAMS,
            Self::Off => &[],
            Self::Ty => std::slice::from_ref(ty),
            Self::Pyrefly => std::slice::from_ref(pyrefly),
            Self::Basedpyright => std::slice::from_ref(basedpyright),
        }
    }
}

/// When a checker comes and goes.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// It is stopped after so long without a question.
    pub idle: Duration,
    /// After a crash it rests for so long, and twice as long after each further one within a minute.
    pub rest: Duration,
    /// For so long it is given up after too many crashes, or where there is none.
    pub given_up: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(5 * 60),
            rest: Duration::from_secs(1),
            given_up: Duration::from_secs(5 * 60),
        }
    }
}

/// The type checker of a kernel, whether it runs or not.
pub struct Types {
    /// Folders that are searched before `PATH`: the `bin` of the environment.
    tools: Vec<PathBuf>,
    pace: Pace,
    state: Mutex<State>,
    bindings: Mutex<Bindings>,
}

struct State {
    checker: Checker,
    stage: Stage,
    /// The folder that it is about, which the first client names.
    root: Option<String>,
    crashes: VecDeque<Instant>,
    kept: Vec<Kept>,
    /// The clients, whose logs are told.
    clients: Vec<Weak<Link>>,
    said_absent: bool,
}

enum Stage {
    /// The next question starts it.
    Stopped,
    /// It runs, or is about to; questions wait in its queue.
    Running(Line),
    /// The next question after that starts it.
    Resting(Instant),
    /// The kernel ends: it is never started again.
    Closed,
}

/// The way to a running child. Dropping it kills the child.
struct Line {
    jobs: SyncSender<Job>,
    shared: Shared,
}

impl Drop for Line {
    fn drop(&mut self) {
        // In this order: a thread that is just starting it finds that nobody waits, and kills it then.
        self.shared.waiting.close();
        self.shared.process.kill();
    }
}

impl Types {
    /// A checker that has not been started, looked for in `tools` and on `PATH`.
    pub fn new(checker: Checker, tools: Vec<PathBuf>, pace: Pace) -> Arc<Self> {
        Arc::new(Self {
            tools,
            pace,
            state: Mutex::new(State {
                checker,
                stage: Stage::Stopped,
                root: None,
                crashes: VecDeque::new(),
                kept: Vec::new(),
                clients: Vec::new(),
                said_absent: false,
            }),
            bindings: Mutex::default(),
        })
    }

    /// Has another one asked from now on. The one that runs is killed.
    pub fn choose(&self, checker: Checker) {
        let mut state = lock(&self.state);
        if state.checker != checker && !matches!(state.stage, Stage::Closed) {
            state.checker = checker;
            state.stage = Stage::Stopped;
            state.kept.clear();
            state.said_absent = false;
        }
    }

    /// Tells `client` of it from now on. The first folder that one names is what it is about. A checker that was named
    /// and is missing is said at once.
    pub fn hear(&self, client: &Arc<Link>, root: Option<&str>) {
        let mut state = lock(&self.state);
        state.clients.retain(|client| client.strong_count() > 0);
        state.clients.push(Arc::downgrade(client));
        if let Some(root) = root {
            state.root.get_or_insert_with(|| root.to_owned());
        }
        let programs = state.checker.programs();
        drop(state);
        if let [program] = programs
            && super::requests::formatting::find(program.name, &self.tools).is_none()
        {
            client.notify(
                "window/logMessage",
                json!({"type": 2, "message": missing(program)}),
            );
        }
    }

    /// Whether a file is in the folder that it is about, and not an installed package's.
    pub fn covers(&self, uri: &str) -> bool {
        let root = lock(&self.state)
            .root
            .clone()
            .unwrap_or_else(keeper::working_directory);
        let inside = uri.strip_prefix(root.trim_end_matches('/'));
        inside.is_some_and(|path| path.starts_with('/') && !path.contains("/site-packages/"))
    }

    /// The kernel ends: kills the child, without waiting for it, and starts none any more. From any thread.
    pub fn close(&self) {
        let stage = std::mem::replace(&mut lock(&self.state).stage, Stage::Closed);
        drop(stage);
    }

    /// A question about byte `offset` of a program, which is not asked yet; `None` where no checker is wanted.
    pub fn question(
        self: &Arc<Self>,
        method: &'static str,
        program: &Arc<Source>,
        offset: usize,
    ) -> Option<Asked> {
        (lock(&self.state).checker != Checker::Off).then(|| Asked {
            types: Arc::clone(self),
            question: Question {
                method,
                program: Arc::clone(program),
                prelude: "".into(),
                offset,
                more: Value::Null,
            },
        })
    }

    /// The list for a word that begins at byte `start`: the one that is kept of that place, or is on its way, else a new one.
    fn list(self: &Arc<Self>, asked: Asked, start: usize, until: Instant) -> Heard {
        let question = asked.question;
        let kept = {
            let state = lock(&self.state);
            let mut kept = state.kept.iter();
            kept.find(|kept| kept.serves(&question, start))
                .map(|kept| Arc::clone(&kept.slot))
        };
        let slot = match kept {
            Some(slot) if !matches!(slot.wait(Instant::now()), Heard::Nothing) => slot,
            _ => {
                let Some((_, slot)) = self.send(question.clone()) else {
                    return Heard::Nothing;
                };
                self.keep(Kept::new(&question, start, Arc::clone(&slot)));
                slot
            }
        };
        slot.wait(until)
    }

    fn keep(&self, kept: Kept) {
        let mut state = lock(&self.state);
        state.kept.retain(|other| other.uri != kept.uri);
        if state.kept.len() >= MOST_KEPT {
            state.kept.remove(0);
        }
        state.kept.push(kept);
    }

    /// Sends a question, after starting the child where it does not run. `None` where it cannot be asked now.
    fn send(self: &Arc<Self>, question: Question) -> Option<(i32, Arc<Slot>)> {
        let mut state = lock(&self.state);
        let may_start = match &state.stage {
            Stage::Stopped => true,
            Stage::Resting(until) => *until <= Instant::now(),
            Stage::Running(line) => {
                if line.shared.waiting.is_stuck() {
                    // Its thread may be stuck with it, and notices by this.
                    line.shared.process.kill();
                }
                false
            }
            Stage::Closed => false,
        };
        if may_start {
            self.start(&mut state);
        }
        let Stage::Running(line) = &state.stage else {
            return None;
        };
        let (id, slot) = line.shared.waiting.add();
        if line.jobs.try_send(Job::Ask(id, question)).is_err() {
            line.shared.waiting.remove(id);
            return None;
        }
        Some((id, slot))
    }

    /// Nobody waits for that answer any more.
    fn cancel(&self, id: i32) {
        if let Stage::Running(line) = &lock(&self.state).stage
            && line.shared.waiting.remove(id)
        {
            // Where the queue is full, it answers in vain.
            let _ = line.jobs.try_send(Job::Cancel(id));
        }
    }

    fn start(self: &Arc<Self>, state: &mut State) {
        let (jobs, queue) = mpsc::sync_channel(MOST_WAITING);
        let shared = Shared::default();
        let plan = Plan {
            programs: state.checker.programs(),
            tools: self.tools.clone(),
            root: state.root.clone().unwrap_or_else(keeper::working_directory),
            idle: self.pace.idle,
        };
        let (types, mine, back) = (Arc::downgrade(self), shared.clone(), jobs.clone());
        let work = move || {
            let keep = AssertUnwindSafe(|| keeper::keep(&plan, &mine, &queue, back));
            let end = catch_unwind(keep)
                .unwrap_or_else(|_| End::Crashed("its thread failed; the log says more".to_owned()));
            mine.process.reap();
            mine.waiting.close();
            if let Some(types) = types.upgrade() {
                types.ended(&mine, end);
            }
        };
        let spawned = std::thread::Builder::new()
            .name("drupe-lsp-types".into())
            .stack_size(depth::STACK)
            .spawn(work);
        state.stage = match spawned {
            Ok(_) => Stage::Running(Line { jobs, shared }),
            Err(error) => {
                tracing::error!(%error, "no thread for a type checker");
                Stage::Resting(Instant::now() + self.pace.given_up)
            }
        };
    }

    /// The child of this line has ended.
    fn ended(&self, shared: &Shared, end: End) {
        let mut state = lock(&self.state);
        let is_of_this = matches!(&state.stage, Stage::Running(line) if Arc::ptr_eq(&line.shared.process, &shared.process));
        if !is_of_this {
            return;
        }
        let now = Instant::now();
        let (stage, said) = match end {
            End::Unwanted => (Stage::Stopped, None),
            End::Idle => (
                Stage::Stopped,
                Some((
                    4,
                    "the type checker is stopped until it is asked again".to_owned(),
                )),
            ),
            End::Absent => {
                let programs = state.checker.programs();
                if !std::mem::replace(&mut state.said_absent, true) {
                    match programs {
                        [program] => tracing::warn!("{}", missing(program)),
                        _ => tracing::info!("no types: neither the environment nor PATH has a type checker"),
                    }
                }
                (Stage::Resting(now + self.pace.given_up), None)
            }
            End::Crashed(reason) => {
                state.crashes.retain(|crash| now - *crash < MINUTE);
                state.crashes.push_back(now);
                let crashes = state.crashes.len();
                let rest = match crashes >= MOST_CRASHES {
                    true => self.pace.given_up,
                    false => self.pace.rest * (1 << (crashes - 1)),
                };
                let told = format!("no types for {rest:?}: {reason}");
                (Stage::Resting(now + rest), Some((2, told)))
            }
        };
        state.stage = stage;
        state.kept.clear();
        let clients: Vec<Arc<Link>> = state.clients.iter().filter_map(Weak::upgrade).collect();
        drop(state);
        if let Some((level, message)) = said {
            match level {
                2 => tracing::warn!("{message}"),
                _ => tracing::info!("{message}"),
            }
            for client in clients {
                client.notify("window/logMessage", json!({"type": level, "message": message}));
            }
        }
    }
}

fn missing(program: &Program) -> String {
    let Program { package, name, .. } = program;
    format!("no types: there is no {name} in the environment; install it with `pip install {package}`")
}

impl std::fmt::Debug for Types {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Types").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
