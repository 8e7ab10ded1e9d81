//! `textDocument/foldingRange`: blocks, brackets, long strings, runs of comments and of imports.

use std::collections::BTreeSet;

use lsp_types::{FoldingRange, FoldingRangeKind, FoldingRangeParams};
use ruff_python_ast::statement_visitor::{StatementVisitor, walk_stmt};
use ruff_python_ast::token::{Token, TokenKind};
use ruff_python_ast::{ExceptHandler, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::lsp::analysis::{Part, Program};
use crate::lsp::documents::text::{Text, saturate};
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// What can be folded in one document.
///
/// # Errors
/// When the document is not open.
pub fn folding(session: &mut Session, params: FoldingRangeParams) -> Result<Vec<FoldingRange>, Failure> {
    let uri = params.text_document.uri;
    let program = session.documents.program(&uri)?;
    let text = &session.documents.document(&uri)?.text;
    let Some(part) = program.parts.iter().find(|part| part.uri == uri) else {
        return Ok(Vec::new());
    };
    let mut folds = Folds {
        text,
        part,
        found: BTreeSet::new(),
    };
    for stmt in program.module.suite() {
        if part.start <= stmt.start().to_usize() && stmt.start().to_usize() < part.end {
            folds.visit_stmt(stmt);
        }
    }
    folds.imports(program.module.suite());
    folds.tokens(&program);
    Ok(folds
        .found
        .into_iter()
        .map(|(start, end, kind)| FoldingRange {
            start_line: saturate(start),
            end_line: saturate(end),
            kind: match kind {
                Kind::Block => None,
                Kind::Comment => Some(FoldingRangeKind::Comment),
                Kind::Imports => Some(FoldingRangeKind::Imports),
            },
            ..FoldingRange::default()
        })
        .collect())
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Block,
    Comment,
    Imports,
}

struct Folds<'a> {
    text: &'a Text,
    part: &'a Part,
    found: BTreeSet<(usize, usize, Kind)>,
}

impl Folds<'_> {
    fn line(&self, offset: usize) -> usize {
        self.text
            .line_of(offset.min(self.part.end).saturating_sub(self.part.start))
    }

    fn add(&mut self, range: TextRange, kind: Kind) {
        let start = self.line(range.start().to_usize());
        let end = self.line(range.end().to_usize());
        if start < end {
            self.found.insert((start, end, kind));
        }
    }

    /// Folds from the line of the block's head to the end of its body.
    fn block(&mut self, head: TextRange, body: &[Stmt]) {
        if let (Some(first), Some(last)) = (body.first(), body.last()) {
            let head_end = head.start().min(first.start());
            self.add(TextRange::new(head_end, last.end()), Kind::Block);
        }
    }

    /// An `else` or `finally` has no node of its own: its line is the last one before the body.
    fn tail(&mut self, body: &[Stmt]) {
        if let (Some(first), Some(last)) = (body.first(), body.last()) {
            let end = self.line(last.end().to_usize());
            let mut start = self.line(first.start().to_usize());
            while start > 0 {
                start -= 1;
                let line = self.text.line(start).trim();
                if !line.is_empty() && !line.starts_with('#') {
                    break;
                }
            }
            if start < end {
                self.found.insert((start, end, Kind::Block));
            }
        }
    }

    fn imports(&mut self, body: &[Stmt]) {
        let mut run: Option<TextRange> = None;
        for stmt in body.iter().filter(|stmt| {
            let start = stmt.start().to_usize();
            self.part.start <= start && start < self.part.end
        }) {
            let is_import = matches!(stmt, Stmt::Import(_) | Stmt::ImportFrom(_));
            match (is_import, run) {
                (true, Some(range)) => run = Some(range.cover(stmt.range())),
                (true, None) => run = Some(stmt.range()),
                (false, _) => {
                    if let Some(range) = run.take() {
                        self.add(range, Kind::Imports);
                    }
                }
            }
        }
        if let Some(range) = run {
            self.add(range, Kind::Imports);
        }
    }

    fn tokens(&mut self, program: &Program) {
        let tokens: &[Token] = program.module.tokens();
        let mut open = Vec::new();
        let mut comments: Option<TextRange> = None;
        for token in tokens {
            let start = token.start().to_usize();
            if start < self.part.start || start >= self.part.end {
                continue;
            }
            match token.kind() {
                TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => open.push(token.range()),
                TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                    if let Some(first) = open.pop() {
                        self.add(first.cover(token.range()), Kind::Block);
                    }
                }
                TokenKind::String => self.add(token.range(), Kind::Block),
                TokenKind::Comment => {
                    comments = Some(match comments {
                        Some(run) => run.cover(token.range()),
                        None => token.range(),
                    });
                    continue;
                }
                TokenKind::Newline => open.clear(),
                TokenKind::NonLogicalNewline => continue,
                _ => {}
            }
            if let Some(run) = comments.take() {
                self.add(run, Kind::Comment);
            }
        }
        if let Some(run) = comments {
            self.add(run, Kind::Comment);
        }
    }
}

impl StatementVisitor<'_> for Folds<'_> {
    fn visit_stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::FunctionDef(it) => self.block(it.name.range, &it.body),
            Stmt::ClassDef(it) => self.block(it.name.range, &it.body),
            Stmt::With(it) => self.block(it.range, &it.body),
            Stmt::For(it) => {
                self.block(it.range, &it.body);
                self.tail(&it.orelse);
            }
            Stmt::While(it) => {
                self.block(it.range, &it.body);
                self.tail(&it.orelse);
            }
            Stmt::If(it) => {
                self.block(it.range, &it.body);
                for clause in &it.elif_else_clauses {
                    self.block(clause.range, &clause.body);
                }
            }
            Stmt::Match(it) => {
                self.add(it.range, Kind::Block);
                for case in &it.cases {
                    self.block(case.range, &case.body);
                }
            }
            Stmt::Try(it) => {
                self.block(it.range, &it.body);
                for ExceptHandler::ExceptHandler(handler) in &it.handlers {
                    self.block(handler.range, &handler.body);
                }
                self.tail(&it.orelse);
                self.tail(&it.finalbody);
            }
            _ => {}
        }
        walk_stmt(self, stmt);
    }
}
