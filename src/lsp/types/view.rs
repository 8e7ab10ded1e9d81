//! A program as the type checker sees it: one Python file, with what the session knows of it written at its head.

use std::collections::HashMap;
use std::sync::Mutex;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::TextRange;

use super::child::lock;
use crate::lsp::analysis::expression::is_word;
use crate::lsp::analysis::model::ScopeId;
use crate::lsp::analysis::{Program, size};
use crate::lsp::engine::Asker;
use crate::lsp::engine::builtins;
use crate::lsp::engine::description::may_ask;
use crate::lsp::live::{LiveAnswer, LiveObject};

/// What begins the names that are put into a program and are none of the user's.
pub const OURS: &str = "_drupe_";

/// Names of one expression that the session is asked for.
const MOST_NAMES: usize = 8;

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
pub type Bindings = HashMap<String, String>;

/// Names that are remembered at most.
const MOST_REMEMBERED: usize = 1000;

/// Lines that give the names of `expression` the types that they have in the session, where the program itself does not
/// bind them; a cell of Jupyter's, which has no document, is told of all of them.
pub fn prelude(
    program: &Program,
    scope: ScopeId,
    expression: &str,
    asker: &mut Asker,
    known: &Mutex<Bindings>,
) -> String {
    let is_cell = program.parts.first().is_none_or(|part| part.uri.0.is_empty());
    let mut names: Vec<&str> = Vec::new();
    let mut after_dot = false;
    for word in expression.split_inclusive(|char| !is_word(char)) {
        let name = word.trim_end_matches(|char| !is_word(char));
        let starts_well = name.starts_with(|char: char| !char.is_numeric());
        if starts_well
            && !after_dot
            && !names.contains(&name)
            && builtins::KEYWORDS.binary_search(&name).is_err()
        {
            names.push(name);
        }
        after_dot = word.ends_with('.');
    }
    let mut lines = String::new();
    for name in names.into_iter().take(MOST_NAMES) {
        let is_bound = program.model.lookup(scope, name).is_some();
        if (is_bound && !is_cell) || !may_ask(program, scope, name) {
            continue;
        }
        let answer = asker.inspect(name);
        let mut known = lock(known);
        match answer {
            LiveAnswer::Known(object) => {
                if known.len() >= MOST_REMEMBERED {
                    known.clear();
                }
                known.insert(name.to_owned(), binding(name, &object));
            }
            LiveAnswer::Unknown => drop(known.remove(name)),
            LiveAnswer::Busy => {}
        }
        lines.push_str(known.get(name).map_or("", String::as_str));
    }
    lines
}

/// Python that binds `name` to something of the type of `object`; empty where no other module has that type.
fn binding(name: &str, object: &LiveObject) -> String {
    let topic = object.topic.as_str();
    let is_plain = |text: &str| !text.is_empty() && text.chars().all(|char| is_word(char) || char == '.');
    if !is_plain(topic) {
        return String::new();
    }
    match (object.kind.as_str(), topic.rsplit_once('.')) {
        ("module", _) => format!("import {topic} as {name}\n"),
        ("function" | "class", Some((module, member))) => {
            format!("from {module} import {member} as {name}\n")
        }
        ("function" | "class" | "method", _) => String::new(),
        // What a function returns is taken for what it says, and bound for all that follows.
        (_, Some((module, class))) => format!(
            "from {module} import {class} as {OURS}{name}_type\n\
             def {OURS}{name}() -> {OURS}{name}_type: ...\n\
             {name} = {OURS}{name}()\n"
        ),
        (_, None) => format!("def {OURS}{name}() -> {topic}: ...\n{name} = {OURS}{name}()\n"),
    }
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
            binding("x", &object)
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
