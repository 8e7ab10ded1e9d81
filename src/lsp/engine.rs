//! Answers about code from both halves, source and session.
//!
//! The server's requests are built on it, and so are Jupyter's own `complete_request` and `inspect_request` while a
//! cell runs. Given a [`Snapshot`] it needs no Python and never waits; given a [`Live`] it waits at most the budget, and
//! for a type checker until a deadline.

pub mod builtins;
pub mod candidates;
pub mod description;
pub mod given;
pub mod insertion;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lsp_types::CompletionItem;

use super::analysis::cursor::Place;
use super::analysis::{Program, depth};
use super::index::Index;
use super::live::{Live, LiveAnswer, LiveGiven, LiveItem, LiveObject, LiveQuery, Snapshot};
use super::types::{self, Types};
use candidates::{Candidate, Kind};

/// Asks the session within one request: the interpreter as long as it answers in time, then the snapshot.
pub struct Asker<'a> {
    live: Option<&'a dyn Live>,
    budget: Duration,
    /// How long the interpreter has been waited for in this request.
    pub spent: Duration,
    /// The namespace after the last cell.
    pub snapshot: Arc<Snapshot>,
    /// True once the interpreter did not answer in time.
    pub busy: bool,
    /// True once something was asked that the interpreter has not answered: it may have had more to say than the snapshot.
    pub missed: bool,
    /// True once the interpreter has given candidates: there are no others.
    pub told: bool,
    /// Whether names may be offered that an import would bind, with that import.
    pub imports: bool,
    /// What the interpreter has said in this request: a spinning cell gives it up every 5 ms only.
    inspected: HashMap<(String, Vec<LiveGiven>), LiveAnswer<LiveObject>>,
}

impl<'a> Asker<'a> {
    /// An asker that may enter the interpreter, waiting at most `budget` in all.
    pub fn new(live: &'a dyn Live, budget: Duration) -> Self {
        Self {
            snapshot: live.snapshot(),
            live: Some(live),
            budget,
            spent: Duration::ZERO,
            busy: false,
            missed: false,
            told: false,
            imports: false,
            inspected: HashMap::new(),
        }
    }

    /// An asker that has only a snapshot.
    pub fn from_snapshot(snapshot: Arc<Snapshot>) -> Self {
        Self {
            live: None,
            budget: Duration::ZERO,
            spent: Duration::ZERO,
            snapshot,
            busy: false,
            missed: false,
            told: false,
            imports: false,
            inspected: HashMap::new(),
        }
    }

    /// What can be imported in the session.
    pub fn index(&self) -> Arc<Index> {
        Index::of(&self.snapshot)
    }

    /// Candidates from the interpreter, which is told of what is [`given`].
    pub fn complete(&mut self, query: &LiveQuery, given: &[LiveGiven]) -> LiveAnswer<Vec<LiveItem>> {
        let answer = self.ask(|live, budget| live.complete(query, given, budget));
        self.told |= matches!(answer, LiveAnswer::Known(_));
        answer
    }

    /// What the interpreter says of an expression, when it is told of what is [`given`].
    pub fn inspect(&mut self, expression: &str, given: &[LiveGiven]) -> LiveAnswer<LiveObject> {
        let asked = (expression.to_owned(), given.to_vec());
        if let Some(known) = self.inspected.get(&asked) {
            return known.clone();
        }
        let answer = self.ask(|live, budget| live.inspect(expression, given, budget));
        if !matches!(answer, LiveAnswer::Busy) {
            self.inspected.insert(asked, answer.clone());
        }
        answer
    }

    fn ask<T>(&mut self, question: impl FnOnce(&dyn Live, Duration) -> LiveAnswer<T>) -> LiveAnswer<T> {
        let answer = match self.live {
            Some(live) if !self.busy => {
                let started = Instant::now();
                let answer = question(live, self.budget);
                let elapsed = started.elapsed();
                self.budget = self.budget.saturating_sub(elapsed);
                self.spent += elapsed;
                self.busy = matches!(answer, LiveAnswer::Busy);
                answer
            }
            _ => LiveAnswer::Busy,
        };
        // Where there is no session, nothing is missed.
        self.missed |= self.busy;
        answer
    }
}

/// One match for Jupyter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// What is inserted.
    pub text: String,
    /// What it is, as jedi calls it.
    pub kind: &'static str,
    /// `(a, b=1)` where that is known of a function; else empty.
    pub signature: String,
}

/// What Jupyter's `complete_reply` needs.
#[derive(Debug, Default)]
pub struct Completion {
    /// The matches, most useful first.
    pub matches: Vec<Match>,
    /// Where the completed text starts, in characters.
    pub start: usize,
    /// Where it ends, in characters: the cursor.
    pub end: usize,
}

/// Completes `code` at `cursor` (in characters, as Jupyter counts) from the text, from the session, and from the type checker
/// where neither knows, which is waited for until `until`.
pub fn complete(
    code: &str,
    cursor: usize,
    asker: &mut Asker,
    types: &Arc<Types>,
    until: Instant,
) -> Completion {
    on_a_fitting_stack(code, || {
        let program = Arc::new(Program::plain(code));
        let offset = byte_offset(code, cursor);
        let found = candidates::at(&program, offset, asker);
        let added = types::added(types, &program, offset, &found, asker, until);
        let is_key = matches!(program.cursor(offset).place, Place::Key { .. });
        let start = found.start.min(offset);
        let before = |end: usize| code.get(..end).unwrap_or_default().chars().count();
        let matched = |candidate: Candidate| Match {
            signature: match candidate.kind {
                Kind::Function => signature_in(&candidate.detail),
                _ => String::new(),
            },
            kind: match candidate.kind {
                // As IPython calls it, which clients know by that.
                Kind::Property if is_key => "dict key",
                kind => kind.name(),
            },
            text: match candidate.insert.is_empty() {
                true => candidate.label,
                false => candidate.insert,
            },
        };
        let typed = |item: CompletionItem| {
            let kind = types::kind_name(&item);
            Match {
                signature: match kind {
                    "function" => signature_in(item.detail.as_deref().unwrap_or_default()),
                    _ => String::new(),
                },
                kind,
                text: item.label,
            }
        };
        let (arguments, members): (Vec<_>, Vec<_>) = added.items.into_iter().partition(types::is_argument);
        // Jupyter inserts in one place only.
        let alone = found.candidates.into_iter().filter(|it| it.besides.is_none());
        let matches: Vec<Match> = arguments
            .into_iter()
            .map(typed)
            .chain(alone.map(matched))
            .chain(members.into_iter().map(typed))
            .collect();
        let end = before(offset);
        Completion {
            // Where nothing is found, nothing is replaced: IPython says it so.
            start: if matches.is_empty() { end } else { before(start) },
            end,
            matches,
        }
    })
    .unwrap_or_default()
}

/// The parentheses of `def f(a, b=1) -> int`, and what is in them.
fn signature_in(headline: &str) -> String {
    let range = headline.find('(').zip(headline.rfind(')'));
    let signature = range.and_then(|(from, to)| headline.get(from..=to));
    signature.unwrap_or_default().to_owned()
}

/// Describes what stands in `code` at `cursor` (in characters), as plain text for `inspect_reply`'s `text/plain`, from what
/// [`complete`] asks, too. A `detail_level` of 1 asks for the source, which none of them has: the same text is given.
pub fn inspect(
    code: &str,
    cursor: usize,
    asker: &mut Asker,
    types: &Arc<Types>,
    until: Instant,
) -> Option<String> {
    on_a_fitting_stack(code, || {
        let program = Arc::new(Program::plain(code));
        let offset = byte_offset(code, cursor);
        let spot = program.spot(offset);
        let callee = program
            .cursor(offset)
            .calls
            .into_iter()
            .next()
            .map(|call| call.callee);
        let found = description::at(&program, offset, asker).or_else(|| {
            // Between the brackets of a call it is the function that one wants to know about.
            description::of(&program, spot, callee.as_deref()?, asker)
        });
        if let Some(found) = found {
            return Some(found.plain_text());
        }
        let (expression, _) = program.expression_at(offset)?;
        let asked = types.question("textDocument/hover", &program, offset)?;
        types::hover_text(&asked.telling(&expression, asker).answer(until)?)
    })
    .flatten()
}

/// Code that nests deeply is handled on a thread with room for it; the caller's stack may be small.
fn on_a_fitting_stack<T: Send>(code: &str, work: impl FnOnce() -> T + Send) -> Option<T> {
    const SHALLOW: usize = 60;
    if code.len() < SHALLOW || depth::measure(code) < SHALLOW {
        return Some(work());
    }
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("drupe-lsp-deep".into())
            .stack_size(depth::STACK)
            .spawn_scoped(scope, work)
            .ok()?
            .join()
            .ok()
    })
}

fn byte_offset(code: &str, characters: usize) -> usize {
    code.char_indices()
        .nth(characters)
        .map_or(code.len(), |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsp::Options;

    fn snapshot() -> Arc<Snapshot> {
        let item = |name: &str, kind: &str, type_name: &str| LiveItem {
            name: name.into(),
            kind: kind.into(),
            type_name: type_name.into(),
            ..LiveItem::default()
        };
        Arc::new(Snapshot {
            names: vec![
                item("frame", "instance", "DataFrame"),
                item("näme", "instance", "int"),
            ],
            members: [("DataFrame".to_owned(), vec![item("head", "function", "method")])].into(),
            keys: [("frame".to_owned(), vec!["first column".to_owned()])].into(),
            objects: [(
                "frame".to_owned(),
                LiveObject {
                    type_name: "DataFrame".into(),
                    doc: "Rows and columns.".into(),
                    ..LiveObject::default()
                },
            )]
            .into(),
            ..Snapshot::default()
        })
    }

    fn complete(code: &str) -> Completion {
        let (mut asker, options) = (Asker::from_snapshot(snapshot()), Options::default());
        super::complete(code, usize::MAX, &mut asker, &options.types, Instant::now())
    }

    fn inspect(code: &str, cursor: usize) -> Option<String> {
        let (mut asker, options) = (Asker::from_snapshot(snapshot()), Options::default());
        super::inspect(code, cursor, &mut asker, &options.types, Instant::now())
    }

    fn labels(code: &str) -> Vec<String> {
        complete(code).matches.into_iter().map(|it| it.text).collect()
    }

    #[test]
    fn a_running_cell_needs_no_python() {
        assert_eq!(labels("fra"), ["frame", "frozenset"].get(..1).unwrap_or_default());
        assert_eq!(labels("frame.h"), ["head"]);
        assert_eq!(labels("frame['f"), ["first column"]);
        assert!(labels("x = 'a'\nx.upp").contains(&"upper".to_owned()));
        assert!(labels("impo").contains(&"import".to_owned()));
    }

    #[test]
    fn nothing_replaces_nothing() {
        let found = complete("é = undefined_here");
        assert_eq!((found.matches.len(), found.start, found.end), (0, 18, 18));
    }

    #[test]
    fn offsets_are_characters() {
        let found = complete("é = nä");
        assert_eq!((found.start, found.end), (4, 6));
        assert_eq!(found.matches.first().map(|it| it.text.as_str()), Some("näme"));
    }

    #[test]
    fn inspection_without_python() {
        let text = inspect("frame", 2).unwrap_or_default();
        assert!(
            text.contains("DataFrame") && text.contains("Rows and columns."),
            "{text}"
        );
        let text = inspect("def f(a):\n    'Doc.'\nf(1)", 21).unwrap_or_default();
        assert!(text.contains("def f(a)") && text.contains("Doc."), "{text}");
        for (code, cursor) in [
            ("def f(a):\n    'Doc.'\nf()", 23),
            ("def f(a):\n    'Doc.'\nf(1, ", 26),
        ] {
            let text = inspect(code, cursor).unwrap_or_default();
            assert!(text.contains("Doc."), "{code}: {text}");
        }
        assert_eq!(inspect("nothing", 2), None);
    }

    #[test]
    fn deep_code_is_no_danger_on_a_small_stack() {
        let code = format!("x = {}1{}\nfra", "(".repeat(400), ")".repeat(400));
        let small = std::thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || labels(&code));
        assert!(small.is_ok_and(|thread| thread.join().is_ok_and(|it| !it.is_empty())));
    }
}
