//! What a type checker's language server adds, when the user asked for one: `--lsp-types=ty`, `pyrefly` or `basedpyright`.
//!
//! One child per client, started when the client initializes, asked beside the session and merged after it. Nobody
//! waits for it longer than a request can bear, and what it does not answer in time is answered without it. A
//! notebook is shown to it as one Python file: IPython's lines become names that mean nothing.

mod child;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use lsp_types::{Location, Position, Range, Uri};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::TextRange;
use serde_json::{Value, json};

use super::analysis::{Program, size};
use super::documents::Documents;
use super::documents::text::{Encoding, Text};
use crate::options::Checker;
use child::{Child, Pending};

/// Programs that the child has open; the one that was asked about longest ago is closed first.
const MOST_OPEN: usize = 32;

/// How to start it and what to tell it.
impl Checker {
    /// The package that brings it, its executable, and what makes that a language server on standard input and output.
    fn command(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Ty => ("ty", "ty", "server"),
            Self::Pyrefly => ("pyrefly", "pyrefly", "lsp"),
            Self::Basedpyright => ("basedpyright", "basedpyright-langserver", "--stdio"),
        }
    }

    /// Its own settings: what it would do besides is drupe's business, or takes seconds.
    fn options(self) -> Value {
        match self {
            Self::Ty => json!({"diagnosticMode": "off", "completions": {"autoImport": false}}),
            Self::Pyrefly | Self::Basedpyright => Value::Null,
        }
    }
}

/// A running type checker and the programs that it has open.
pub struct Types {
    child: Child,
    open: Vec<Open>,
    version: i32,
}

struct Open {
    uri: String,
    program: Arc<Program>,
    text: Text,
}

/// A question that is on its way; its program finds the way back.
pub struct Asked {
    pending: Pending,
    uri: String,
    encoding: Encoding,
}

impl Types {
    /// Starts `checker`, found in `tools` or on `PATH`, for the folder `root`.
    ///
    /// # Errors
    /// One sentence for the client: there is none, or it does not start.
    pub fn start(
        checker: Checker,
        tools: &[PathBuf],
        root: &Value,
        encoding: Encoding,
    ) -> Result<Self, String> {
        let (package, name, argument) = checker.command();
        let program = super::requests::formatting::find(name, tools).ok_or_else(|| {
            format!(
                "no types: there is no {name} in the environment; install it with `pip install {package}`"
            )
        })?;
        let initialize = json!({
            "processId": std::process::id(),
            "rootUri": root,
            "initializationOptions": checker.options(),
            "capabilities": {
                "general": {"positionEncodings": [encoding.name(), "utf-16"]},
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
        // A checker looks for packages in the active environment, which is the one that it was found in.
        let environment = program.parent().and_then(|bin| bin.parent());
        let child = Child::start(&program, argument, environment, initialize)
            .map_err(|error| format!("no types: {} does not start: {error}", program.display()))?;
        Ok(Self {
            child,
            open: Vec::new(),
            version: 0,
        })
    }

    /// Asks `method` about byte `offset` of a program. `None` while the child is not ready or does not keep up.
    pub fn ask(&mut self, method: &str, program: &Arc<Program>, offset: usize) -> Option<Asked> {
        let encoding = self.child.encoding()?;
        let uri = uri_of(program);
        self.show(&uri, program);
        let position = self.open.last()?.text.position(offset, encoding);
        let params = json!({"textDocument": {"uri": uri}, "position": position});
        Some(Asked {
            pending: self.child.ask(method, &params)?,
            uri,
            encoding,
        })
    }

    /// Lets the child know the program as it is now, and puts it last in `open`.
    fn show(&mut self, uri: &str, program: &Arc<Program>) {
        let known = self.open.iter().position(|open| open.uri == uri);
        let mut open = known.map(|at| self.open.remove(at));
        if open
            .as_ref()
            .is_none_or(|open| !Arc::ptr_eq(&open.program, program))
        {
            self.version += 1;
            let text = Text::new(as_python(program));
            let (version, content) = (self.version, text.as_str());
            if open.is_some() {
                let change = json!({
                    "textDocument": {"uri": uri, "version": version},
                    "contentChanges": [{"text": content}],
                });
                self.child.notify("textDocument/didChange", &change);
            } else {
                let item = json!({"uri": uri, "languageId": "python", "version": version, "text": content});
                self.child
                    .notify("textDocument/didOpen", &json!({"textDocument": item}));
            }
            open = Some(Open {
                uri: uri.to_owned(),
                program: Arc::clone(program),
                text,
            });
        }
        self.open.extend(open);
        if self.open.len() > MOST_OPEN {
            let closed = json!({"textDocument": {"uri": self.open.remove(0).uri}});
            self.child.notify("textDocument/didClose", &closed);
        }
    }
}

impl Asked {
    /// The answer, if it comes until then and is not `null`.
    pub fn answer(self, until: Instant) -> Option<Value> {
        self.pending.answer(until).filter(|answer| !answer.is_null())
    }

    /// The answer as places for the client: those in the program itself, and those in files of their own.
    pub fn locations(self, documents: &Documents, program: &Program, until: Instant) -> Vec<Location> {
        let (uri, encoding) = (self.uri.clone(), self.encoding);
        let Some(answer) = self.answer(until) else {
            return Vec::new();
        };
        let found: Vec<Location> = match &answer {
            Value::Array(_) => serde_json::from_value(answer).unwrap_or_default(),
            _ => serde_json::from_value(answer).into_iter().collect(),
        };
        let text = Text::new(as_python(program));
        let offset = |position: Position| size(text.offset(position, encoding));
        found
            .into_iter()
            .filter_map(|location| {
                if location.uri.0 != uri {
                    return Some(location);
                }
                let Range { start, end } = location.range;
                documents.location(
                    program,
                    TextRange::new(offset(start), offset(end).max(offset(start))),
                )
            })
            .collect()
    }
}

/// The file as which the child knows a program: itself where it is one, else one beside its notebook.
fn uri_of(program: &Program) -> String {
    let Some(Uri(uri)) = program.parts.first().map(|part| &part.uri) else {
        return "file:///cell.py".into();
    };
    if uri.starts_with("file:") && uri.ends_with(".py") {
        return uri.clone();
    }
    let path = uri.split_once(':').map_or(uri.as_str(), |(_, path)| path);
    let path = path.split('#').next().unwrap_or(path);
    format!("file:///{}.py", path.trim_start_matches('/'))
}

/// The program's text with every byte at its place, and nothing that only IPython understands.
fn as_python(program: &Program) -> String {
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
}
