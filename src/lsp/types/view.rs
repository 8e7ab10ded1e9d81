//! A program as the type checker sees it: one Python file, with what the session knows of it written at its head.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::child::lock;
use crate::lsp::analysis::expression::is_word;
use crate::lsp::analysis::{Program, size};
use crate::lsp::engine::Asker;
use crate::lsp::engine::builtins;
use crate::lsp::engine::description::may_ask;
use crate::lsp::engine::given::names_of;
use crate::lsp::live::{LiveAnswer, LiveKind, LiveObject};

/// What begins the names that are put into a program and are none of the user's.
pub const OURS: &str = "_drupe_";

/// Names of one expression that the session is asked for.
const MOST_NAMES: usize = 8;

/// Other names that the program does not bind.
const MOST_UNBOUND: usize = 30;

/// All names that are told, with those that they need.
const MOST_TOLD: usize = 50;

/// Bytes that are told at most.
const MOST_TEXT: usize = 64 * 1024;

/// The longest cell in which a function or class is looked for, in bytes.
const MOST_CELL: usize = 64 * 1024;

/// Names that are remembered at most.
const MOST_REMEMBERED: usize = 1000;

/// So long all names are asked for anew. An idle session takes 50 µs for each, one in which a cell spins 5 ms.
const QUICK: Duration = Duration::from_millis(3);

/// So long those are asked for of which nothing is remembered.
const PATIENCE: Duration = Duration::from_millis(20);

/// The file as which the child knows a program: itself where it is one, else one beside its notebook.
pub fn uri_of(program: &Program) -> String {
    let uri = program.parts.first().map_or("", |part| part.uri.0.as_str());
    if uri.is_empty() {
        return "file:///_drupe_cell.py".into();
    }
    if uri.starts_with("file:") && uri.ends_with(".py") {
        return uri.to_owned();
    }
    let path = uri.split_once(':').map_or(uri, |(_, path)| path);
    let path = path.split('#').next().unwrap_or(path);
    format!("file:///{}.py", path.trim_start_matches('/'))
}

/// What the session said of its names, for the time in which it does not answer.
pub type Bindings = HashMap<String, Told>;

/// What the session said of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Python that binds it; empty where the session does not know it, or nothing says what it is.
    text: String,
    /// The names of the session in that.
    needs: Vec<String>,
}

/// Lines that give names the types that they have in the session, where the program itself does not bind them: those of
/// `expression`, and those that the program uses at all, since what it binds it has from them. A cell of Jupyter's, which
/// has no document, is told of all names of the expression.
pub fn prelude(
    program: &Program,
    offset: usize,
    expression: &str,
    asker: &mut Asker,
    known: &Mutex<Bindings>,
) -> String {
    if expression.is_empty() {
        return String::new();
    }
    let scope = program.model.scope_at(&program.source, offset);
    let is_cell = program.parts.first().is_none_or(|part| part.uri.0.is_empty());
    let mut head = Head {
        before: asker.spent,
        asker,
        known,
        seen: Vec::new(),
        text: String::new(),
    };
    for name in names_of(expression).into_iter().take(MOST_NAMES) {
        let is_bound = program.model.lookup(scope, name).is_some();
        if (!is_bound || is_cell) && may_ask(program, scope, name) {
            head.tell(name, true);
        }
    }
    for name in unbound(program, offset).into_iter().take(MOST_UNBOUND) {
        head.tell(name, false);
    }
    head.text
}

/// The names that a program uses and nothing in it binds, the nearest above `offset` first, those below last.
fn unbound(program: &Program, offset: usize) -> Vec<&str> {
    let mut uses: Vec<_> = program
        .model
        .unresolved
        .iter()
        .filter(|it| !it.name.is_empty() && !is_builtin(&it.name))
        // The word being typed is no name yet.
        .filter(|it| it.range.end().to_usize() != offset)
        .map(|it| (it.range.start().to_usize(), it.name.as_str()))
        .collect();
    uses.sort_by_key(|(start, _)| (*start > offset, start.abs_diff(offset)));
    let mut seen = HashSet::new();
    uses.into_iter()
        .map(|(_, name)| name)
        .filter(|name| seen.insert(*name))
        .collect()
}

fn is_builtin(name: &str) -> bool {
    let lists: [&[&str]; 3] = [&builtins::FUNCTIONS, &builtins::TYPES, &builtins::CONSTANTS];
    lists.iter().any(|list| list.binary_search(&name).is_ok())
}

/// The lines while they are written.
struct Head<'a, 'l> {
    asker: &'a mut Asker<'l>,
    /// What the request had waited for the session before.
    before: Duration,
    known: &'a Mutex<Bindings>,
    seen: Vec<String>,
    text: String,
}

impl Head<'_, '_> {
    /// Adds the line of `name` behind those of what it needs. What is not `wanted` for itself is not waited for long.
    fn tell(&mut self, name: &str, wanted: bool) {
        if self.seen.len() >= MOST_TOLD || self.seen.iter().any(|it| it == name) {
            return;
        }
        self.seen.push(name.to_owned());
        let told = self.told(name, wanted);
        for need in &told.needs {
            self.tell(need, false);
        }
        if self.text.len() + told.text.len() <= MOST_TEXT {
            self.text.push_str(&told.text);
        }
    }

    fn told(&mut self, name: &str, wanted: bool) -> Told {
        let remembered = lock(self.known).get(name).cloned();
        let spent = self.asker.spent.saturating_sub(self.before);
        if wanted || spent < QUICK || (remembered.is_none() && spent < PATIENCE) {
            let told = match self.asker.inspect(name, &[]) {
                LiveAnswer::Known(object) => self.binding(name, &object),
                LiveAnswer::Unknown => Told::default(),
                LiveAnswer::Busy => return remembered.unwrap_or_default(),
            };
            let mut known = lock(self.known);
            if known.len() >= MOST_REMEMBERED {
                known.clear();
            }
            known.insert(name.to_owned(), told.clone());
            return told;
        }
        remembered.unwrap_or_default()
    }

    /// As [`binding`]; of a list its first element tells what is in it.
    fn binding(&mut self, name: &str, object: &LiveObject) -> Told {
        if object.topic == "list"
            && object.kind == LiveKind::Instance
            && let LiveAnswer::Known(first) = self.asker.inspect(&format!("{name}[0]"), &[])
            && first.kind == LiveKind::Instance
        {
            let told = binding(name, &first, "list");
            if !told.text.is_empty() {
                return told;
            }
        }
        binding(name, object, "")
    }
}

/// Python that binds `name` to something of the type of `object`, or to a `container` of such; empty where neither a module
/// nor a cell has that type.
fn binding(name: &str, object: &LiveObject, container: &str) -> Told {
    let topic = object.topic.as_str();
    let is_plain = |text: &str| !text.is_empty() && text.chars().all(|char| is_word(char) || char == '.');
    let alone = |text: String| Told {
        text,
        needs: Vec::new(),
    };
    let contained = |class: &str| match container {
        "" => class.to_owned(),
        _ => format!("{container}[{class}]"),
    };
    if !is_plain(topic) {
        return Told::default();
    }
    match (object.kind.as_str(), topic.rsplit_once('.')) {
        ("module", _) => alone(format!("import {topic} as {name}\n")),
        ("function" | "class", Some((module, member))) => {
            alone(format!("from {module} import {member} as {name}\n"))
        }
        ("function" | "class" | "method", _) => written(name, object).unwrap_or_default(),
        // What a function returns is taken for what it says, and bound for all that follows.
        (_, Some((module, class))) => alone(format!(
            "from {module} import {class} as {OURS}{name}_type\n\
             def {OURS}{name}() -> {}: ...\n\
             {name} = {OURS}{name}()\n",
            contained(&format!("{OURS}{name}_type"))
        )),
        (_, None) => Told {
            text: format!(
                "def {OURS}{name}() -> {}: ...\n{name} = {OURS}{name}()\n",
                contained(topic)
            ),
            needs: match is_builtin(topic) || topic == name {
                true => Vec::new(),
                false => vec![topic.to_owned()],
            },
        },
    }
}

/// A function or class that a cell wrote, as it stands there.
fn written(name: &str, object: &LiveObject) -> Option<Told> {
    if object.cell.len() > MOST_CELL || object.topic != name {
        return None;
    }
    let cell = Program::plain(&object.cell);
    let statement = cell.module.suite().iter().rev().find(|stmt| match stmt {
        Stmt::ClassDef(class) => class.name.as_str() == name,
        Stmt::FunctionDef(function) => function.name.as_str() == name,
        _ => false,
    })?;
    let text = format!("{}\n", cell.text(statement.range()));
    let alone = Program::plain(&text);
    let needs = unbound(&alone, 0).into_iter().map(str::to_owned).collect();
    Some(Told { text, needs })
}

/// The program's text with every byte at its place, and nothing that only IPython understands.
pub fn as_python(program: &Program) -> String {
    struct Escapes(Vec<TextRange>);
    impl Visitor<'_> for Escapes {
        fn visit_stmt(&mut self, stmt: &Stmt) {
            match stmt {
                Stmt::IpyEscapeCommand(command) => self.0.push(command.range),
                _ => walk_stmt(self, stmt),
            }
        }
        fn visit_expr(&mut self, expr: &Expr) {
            match expr {
                Expr::IpyEscapeCommand(command) => self.0.push(command.range),
                _ => walk_expr(self, expr),
            }
        }
    }
    let mut found = Escapes(Vec::new());
    found.visit_body(program.module.suite());
    let skipped = program.skipped.iter().filter_map(|(index, _)| {
        let part = program.parts.get(*index)?;
        Some(TextRange::new(size(part.start), size(part.end)))
    });
    let mut text = program.source.clone();
    for range in found.0.into_iter().chain(skipped) {
        let range = range.start().to_usize()..range.end().to_usize();
        let hidden = text.get(range.clone()).unwrap_or_default();
        let blank: String = hidden
            .bytes()
            .enumerate()
            .map(|(index, byte)| match byte {
                b'\n' | b'\r' => char::from(byte),
                // A name that nothing binds: no type follows from it.
                _ if index == 0 => '_',
                _ => ' ',
            })
            .collect();
        if blank.len() == range.len() {
            text.replace_range(range, &blank);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsp_types::Uri;

    #[test]
    fn a_notebook_is_python_to_the_child() {
        let cells = [
            "%matplotlib inline\nx = !ls é\nlen?",
            "%%bash\nfor x in *",
            "y = x",
        ];
        let parts = cells
            .iter()
            .enumerate()
            .map(|(index, text)| (Uri(format!("vscode-notebook-cell:/a/b.ipynb#W{index}")), *text));
        let program = Program::parse(parts, true);
        let text = as_python(&program);
        assert_eq!(text.len(), program.source.len());
        assert_eq!(
            text.split_whitespace().collect::<Vec<_>>(),
            ["_", "x", "=", "_", "_", "_", "y", "=", "x"]
        );
        assert_eq!(uri_of(&program), "file:///a/b.ipynb.py");
        let plain = Program::parse([(Uri("file:///a/b.py".into()), "x = 1")], false);
        assert_eq!(uri_of(&plain), "file:///a/b.py");
    }

    #[test]
    fn what_the_session_knows_is_python_too() {
        let of = |kind: &str, topic: &str| {
            let object = LiveObject {
                kind: kind.into(),
                topic: topic.into(),
                ..LiveObject::default()
            };
            binding("x", &object, "").text
        };
        assert_eq!(of("module", "numpy.linalg"), "import numpy.linalg as x\n");
        assert_eq!(
            of("class", "pandas.DataFrame"),
            "from pandas import DataFrame as x\n"
        );
        assert!(of("instance", "pandas.DataFrame").ends_with("_type: ...\nx = _drupe_x()\n"));
        assert_eq!(
            of("instance", "int"),
            "def _drupe_x() -> int: ...\nx = _drupe_x()\n"
        );
        for (kind, topic) in [
            ("function", "made_in_a_cell"),
            ("instance", ""),
            ("instance", "f.<locals>.C"),
        ] {
            assert_eq!(of(kind, topic), "");
        }
    }
}
