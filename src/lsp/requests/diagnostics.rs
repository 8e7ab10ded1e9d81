//! `textDocument/publishDiagnostics`: syntax errors, undefined names, unused imports and variables.
//!
//! Called by the session in a quiet moment. What the session has defined is not undefined.

use std::collections::HashMap;

use lsp_types::{
    Code, Diagnostic, DiagnosticSeverity, DiagnosticTag, Message, PublishDiagnosticsParams, Uri,
};
use ruff_text_size::{Ranged, TextRange};

use crate::lsp::analysis::model::{Binding, BindingKind, Symbol};
use crate::lsp::analysis::{Program, ScopeKind, Skipped, depth};
use crate::lsp::engine::builtins;
use crate::lsp::live::Snapshot;
use crate::lsp::session::Session;

use super::automagic;
use super::silence::Silence;

/// At most this many are given for one document.
const MOST: usize = 1000;

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub range: TextRange,
    /// What; [`Kind`] decides how loudly it is said.
    pub kind: Kind,
    /// The sentence that the user reads.
    pub message: String,
    /// The name that it is about, where it is about one.
    pub name: String,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The code does not parse.
    Syntax,
    /// A name that neither the program nor the session defines.
    Undefined,
    /// An import that nothing uses.
    UnusedImport,
    /// A local variable that nothing uses.
    UnusedVariable,
    /// The code is not analysed.
    Unchecked,
}

impl Kind {
    /// The code shown beside the message and read by the code actions.
    pub fn code(self) -> &'static str {
        match self {
            Self::Syntax => "syntax-error",
            Self::Undefined => "undefined-name",
            Self::UnusedImport => "unused-import",
            Self::UnusedVariable => "unused-variable",
            Self::Unchecked => "not-checked",
        }
    }

    /// Ruff's code for it, where a comment may silence it.
    pub fn ruff(self) -> Option<&'static str> {
        match self {
            Self::Undefined => Some("F821"),
            Self::UnusedImport => Some("F401"),
            Self::UnusedVariable => Some("F841"),
            Self::Syntax | Self::Unchecked => None,
        }
    }
}

/// The diagnostics of every document of a program of which there is news.
pub fn publish(session: &mut Session, root: &Uri) -> Vec<PublishDiagnosticsParams> {
    let Some(program) = session
        .documents
        .member_of(root)
        .and_then(|uri| session.documents.program(&uri).ok())
    else {
        return Vec::new();
    };
    let snapshot = session.snapshot();
    let mut by_part: HashMap<Uri, Vec<Diagnostic>> = program
        .parts
        .iter()
        .map(|part| (part.uri.clone(), Vec::new()))
        .collect();
    for problem in problems(&program, &snapshot) {
        if let Some(location) = session.documents.location(&program, problem.range)
            && let Some(list) = by_part.get_mut(&location.uri)
            && list.len() < MOST
        {
            list.push(diagnostic(&problem, location.range));
        }
    }
    by_part
        .into_iter()
        .filter(|(uri, diagnostics)| session.documents.tell(uri, diagnostics.is_empty()))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(uri, diagnostics)| PublishDiagnosticsParams {
            version: session
                .documents
                .document(&uri)
                .ok()
                .map(|document| document.version),
            uri,
            diagnostics,
        })
        .collect()
}

/// A problem as the protocol has it.
pub fn diagnostic(problem: &Problem, range: lsp_types::Range) -> Diagnostic {
    let unused = matches!(problem.kind, Kind::UnusedImport | Kind::UnusedVariable);
    Diagnostic {
        range,
        severity: Some(match problem.kind {
            Kind::Syntax => DiagnosticSeverity::Error,
            Kind::Undefined => DiagnosticSeverity::Warning,
            Kind::Unchecked => DiagnosticSeverity::Information,
            Kind::UnusedImport | Kind::UnusedVariable => DiagnosticSeverity::Hint,
        }),
        code: Some(Code::String(problem.kind.code().to_owned())),
        source: Some("drupe".to_owned()),
        message: Message::String(problem.message.clone()),
        tags: unused.then(|| vec![DiagnosticTag::Unnecessary]),
        ..Diagnostic::default()
    }
}

/// All problems of a program that no comment silences, in no particular order.
pub fn problems(program: &Program, snapshot: &Snapshot) -> Vec<Problem> {
    let mut found = syntax(program);
    let known: std::collections::HashSet<&str> =
        snapshot.names.iter().map(|item| item.name.as_str()).collect();
    for name in &program.model.unresolved {
        let part = program.part_at(name.range.start().to_usize());
        let is_guess = program.guessed.binary_search(&part).is_ok();
        if !name.excused && !is_guess && !is_always_there(&name.name) && !known.contains(name.name.as_str()) {
            found.push(Problem {
                range: name.range,
                kind: Kind::Undefined,
                message: format!("undefined name: {}", name.name),
                name: name.name.to_string(),
            });
        }
    }
    for (_, symbol) in program.model.symbols() {
        if !symbol.uses.is_empty() || symbol.mentioned {
            continue;
        }
        for binding in &symbol.bindings {
            if let Some(kind) = unused(program, symbol, binding) {
                found.push(Problem {
                    range: binding.name,
                    kind,
                    message: format!("unused: {}", symbol.name),
                    name: symbol.name.to_string(),
                });
            }
        }
    }
    if !found.is_empty() {
        let silence = Silence::of(program);
        let mut magics = HashMap::new();
        let mut is_magic = |problem: &Problem| {
            let part = program.part_at(problem.range.start().to_usize());
            *magics
                .entry(part)
                .or_insert_with(|| automagic::is_alone_in(program, part, snapshot))
        };
        found.retain(|problem| !silence.covers(problem) && !is_magic(problem));
    }
    found
}

fn syntax(program: &Program) -> Vec<Problem> {
    let mut found = Vec::new();
    for error in program.module.errors() {
        found.push(Problem {
            range: error.range(),
            kind: Kind::Syntax,
            message: error.error.to_string(),
            name: String::new(),
        });
    }
    for error in program.module.unsupported_syntax_errors() {
        found.push(Problem {
            range: error.range,
            kind: Kind::Syntax,
            message: error.to_string(),
            name: String::new(),
        });
    }
    for (index, reason) in &program.skipped {
        let message = match reason {
            Skipped::OtherLanguage => continue,
            Skipped::TooDeep => format!("nested deeper than {} levels: not checked", depth::LIMIT),
            Skipped::TooLong => "too long to be checked".to_owned(),
        };
        if let Some(part) = program.parts.get(*index) {
            found.push(Problem {
                range: TextRange::empty(crate::lsp::analysis::size(part.start)),
                kind: Kind::Unchecked,
                message,
                name: String::new(),
            });
        }
    }
    found
}

/// True for names that need no definition: builtins, the module's own, IPython's, and outputs like `_12`.
fn is_always_there(name: &str) -> bool {
    let lists: [&[&str]; 4] = [
        &builtins::FUNCTIONS,
        &builtins::TYPES,
        &builtins::CONSTANTS,
        &builtins::SESSION,
    ];
    let is_output = name
        .strip_prefix("_i")
        .or_else(|| name.strip_prefix('_'))
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    is_output || name.is_empty() || lists.iter().any(|list| list.binary_search(&name).is_ok())
}

fn unused(program: &Program, symbol: &Symbol, binding: &Binding) -> Option<Kind> {
    let scope = program.model.scope(symbol.scope)?;
    // Names that begin with an underscore are meant to be unused; a scope with `locals()` uses them all.
    if symbol.name.starts_with('_') || binding.name.is_empty() {
        return None;
    }
    match &binding.kind {
        BindingKind::Import { .. } | BindingKind::FromImport { .. } => {
            let alias = binding.signature.map_or("", |range| program.text(range));
            // `import x as x` says that it is meant for others.
            let is_export = alias
                .split_once(" as ")
                .is_some_and(|(name, alias)| name.trim() == alias.trim());
            let is_future = matches!(
                &binding.kind,
                BindingKind::FromImport { module, .. } if module == "__future__"
            );
            let in_class = scope.kind == ScopeKind::Class;
            let calls_locals = scope.kind != ScopeKind::Module && scope.dynamic;
            (!is_export && !is_future && !in_class && !calls_locals).then_some(Kind::UnusedImport)
        }
        BindingKind::Variable | BindingKind::Exception
            if matches!(scope.kind, ScopeKind::Function | ScopeKind::Lambda) && !scope.dynamic =>
        {
            Some(Kind::UnusedVariable)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsp::live::LiveItem;

    fn found(code: &str) -> Vec<(String, Kind)> {
        let snapshot = Snapshot {
            names: vec![LiveItem {
                name: "from_session".into(),
                ..LiveItem::default()
            }],
            ..Snapshot::default()
        };
        problems(&Program::plain(code), &snapshot)
            .into_iter()
            .map(|it| (it.name, it.kind))
            .collect()
    }

    #[test]
    fn healthy_code_has_no_problems() {
        for code in [
            "import os\nos.getcwd()",
            "from_session + 1\n_12\n_i3\nget_ipython()\nIn[1]",
            "def f(a, *b, c=1, **d):\n    return later(a, b, c, d)\ndef later(*x): return x",
            "class A:\n    x = 1\n    y = [i for i in range(x)]\n    def f(self): return self.x",
            "[a for b in [[1]] for a in b if a]",
            "try:\n    import json\nexcept ImportError as error:\n    raise SystemExit from error\njson",
            "if (n := 10) > 5: print(n)",
            "def f[T](x: T) -> T: return x\nclass B[T]: y: T\ntype L[U] = list[U]",
            "from typing import List\ndef f(x: 'List[int]'): return x",
            "import numpy as np\n%timeit np.zeros(3)",
            "import os\n!ls {os.getcwd()}",
            "import sys\nsys?",
            "from x import *\nanything",
            "def f():\n    x = 1\n    return locals()",
            "match [1]:\n    case [a, *rest] if a: print(rest)\n    case {'k': v, **kw}: print(v, kw)",
            "def f():\n    global counter\n    counter = 1\ncounter",
            "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n    return g, x",
            "x = 1\ndel x",
            "import a.b\nimport a.c\na.b, a.c",
            "from __future__ import annotations",
            "import q as q\n__all__ = ['z']\ndef z(): ...",
            "lambda x, y=1: x + y",
            "f'{from_session!r:>{10}}'",
            "with open('x') as f, open('y') as g: print(f, g)",
            "%run other.py\nfrom_other",
            "async def f():\n    async for i in g(): yield i\nasync def g(): yield 1\nawait f()",
            "from typing import Annotated\nx: Annotated[int, 'unit', len]",
            "class A:\n    class X: ...\n    def f[T](self, a: X, b: 'X') -> X: return a or b",
            "def f():\n    def g():\n        nonlocal x\n        x = 2\n    x = 1\n    return g, x",
            "import numpy as np\n%timeit -n 10 -r3 np.zeros(3)",
            "%time x = len('')\nx",
            "%prun -s time -l 5 y = 1\ny",
            "%%time\nx = 1\nx",
            "%%memit -r 3\nx = 1",
            "%%capture --no-stderr out\nprint()\nout.show()",
            "%%bash --out x --err y\nfor i in *; do echo $i; done",
            "%store -r a b\na, b",
            "%store -r\nanything",
            "files = !ls\nfiles",
            "%macro again 1-3\nagain",
            "rows = %sql select 1\nrows",
            "%sql found << select 1\nfound",
            "%pylab inline\nplot(linspace(0, 1))",
            "%%cython\ndef f(): return nothing",
            "%%unknown\nnobody knows what this is",
            "%%unknown\nwhatever(1)",
            "%%html\n<b>",
            "%%R -i a -o b\nb <- a",
            "frozendict(), sentinel",
            "ls -la",
            "cd ..",
            "pip install foo",
        ] {
            assert_eq!(found(code), [], "{code}");
        }
    }

    #[test]
    fn problems_are_found() {
        for (code, name, kind) in [
            ("nothing + 1", "nothing", Kind::Undefined),
            ("def f(): return nothing", "nothing", Kind::Undefined),
            (
                "class A:\n    x = 1\n    def f(self): return x",
                "x",
                Kind::Undefined,
            ),
            ("import os", "os", Kind::UnusedImport),
            ("from os import path as p", "p", Kind::UnusedImport),
            ("def f():\n    x = 1", "x", Kind::UnusedVariable),
            ("[a for b in c]\nc = a = 1\nzz", "zz", Kind::Undefined),
            ("%load_ext autoreload\nnothing", "nothing", Kind::Undefined),
            (
                "%load_ext autoreload\n%autoreload 2\nnothing",
                "nothing",
                Kind::Undefined,
            ),
            ("%time x = nothing", "nothing", Kind::Undefined),
            ("%timeit -n 2 nothing()", "nothing", Kind::Undefined),
            ("%%time\nnothing", "nothing", Kind::Undefined),
            ("%%memit\nnothing", "nothing", Kind::Undefined),
            ("%store a\nnothing", "nothing", Kind::Undefined),
            (
                "from typing import Annotated\nx: Annotated['nothing', 1]",
                "nothing",
                Kind::Undefined,
            ),
            (
                "class A:\n    X = 1\n    def f(self, a=[X for _ in 'a']): return a",
                "X",
                Kind::Undefined,
            ),
        ] {
            assert_eq!(found(code), [(name.to_owned(), kind)], "{code}");
        }
        assert!(found("x = (").iter().any(|(_, kind)| *kind == Kind::Syntax));
        assert!(found("def").iter().any(|(_, kind)| *kind == Kind::Syntax));
    }

    #[test]
    fn code_in_the_middle_of_typing_never_panics() {
        let whole = "@d\nclass A[T](B, k=1):\n    '''D'''\n    async def f(self, a: \"int\" = {1: [2]}, *b) -> 'x':\n        return f\"{a!r:>{b}}\" + await x[1:2].y if z else lambda q: (yield)\nmatch a:\n    case {'k': v, **r}: pass\n%magic x\n!ls {y}\nimport é.ü as ö\n";
        for (end, _) in whole.char_indices() {
            let code = whole.get(..end).unwrap_or_default();
            let program = Program::plain(code);
            problems(&program, &Snapshot::default());
            for offset in 0..=code.len() {
                program.cursor(offset);
                program.expression_at(offset);
                program.occurrences(offset);
                program.model.scope_at(&program.source, offset);
            }
        }
        for (start, _) in whole.char_indices() {
            let program = Program::plain(whole.get(start..).unwrap_or_default());
            problems(&program, &Snapshot::default());
        }
    }
}
