//! `textDocument/formatting` and `rangeFormatting`, by the `ruff` of the environment.
//!
//! Runs on a thread of its own with a deadline; the child is killed when it passes, or when the client cancels. IPython's own lines are hidden
//! from ruff behind placeholders and put back after.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lsp_types::{DocumentFormattingParams, DocumentRangeFormattingParams, Position, Range, TextEdit, Uri};
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::{Job, automagic};
use crate::lsp::analysis::{Program, Skipped};
use crate::lsp::documents::text::{Encoding, Text, saturate};
use crate::lsp::documents::uri;
use crate::lsp::link::{Failure, reply};
use crate::lsp::session::Session;

/// How long ruff may take. It formats a file of 10,000 lines in about 50 ms.
const PATIENCE: Duration = Duration::from_secs(5);

/// Formats a whole document.
///
/// # Errors
/// When the document is not open or there is no ruff.
pub fn whole(session: &mut Session, params: DocumentFormattingParams) -> Result<Job, Failure> {
    job(session, &params.text_document.uri, None)
}

/// Formats the statements that a range touches.
///
/// # Errors
/// When the document is not open or there is no ruff.
pub fn range(session: &mut Session, params: DocumentRangeFormattingParams) -> Result<Job, Failure> {
    job(session, &params.text_document.uri, Some(params.range))
}

fn job(session: &mut Session, uri: &Uri, range: Option<Range>) -> Result<Job, Failure> {
    let text = session.documents.document(uri)?.text.clone();
    let program = session.documents.program(uri)?;
    let part = program.parts.iter().position(|part| part.uri == *uri);
    if part.is_some_and(|part| automagic::is_alone_in(&program, part, &session.snapshot())) {
        return Ok(Box::new(|| reply(&Vec::<TextEdit>::new())));
    }
    let encoding = session.documents.encoding;
    let ruff = find("ruff", &session.options.tools)
        .ok_or_else(|| Failure::failed("formatting needs ruff: install it with `pip install ruff`"))?;
    let uri = uri.0.clone();
    let cancelled = Arc::clone(&session.cancelled);
    Ok(Box::new(move || {
        let (magic, body) = cell_magic(text.as_str());
        // What a cell magic hands to another language is not Python's to format.
        let skipped = Program::plain(text.as_str()).skipped;
        if skipped
            .iter()
            .any(|(_, reason)| *reason == Skipped::OtherLanguage)
        {
            return reply(&Vec::<TextEdit>::new());
        }
        let (hidden, escapes) = hide(body);
        let range = range.map(|range| within_body(range, !magic.is_empty()));
        let formatted = run(&ruff, &uri, &hidden, range, &cancelled)?;
        let formatted = match file_of(&uri) {
            Some(_) => formatted,
            None => with_semicolon(&hidden, formatted),
        };
        let mut shown = format!("{magic}{}", show(&formatted, &escapes)?);
        // Ruff ends a file with a newline; a cell need not have one.
        if !text.as_str().ends_with('\n') {
            shown.truncate(shown.trim_end_matches('\n').len());
        }
        reply(&difference(&text, &shown, encoding))
    }))
}

/// The line of a cell magic, and what it is about.
fn cell_magic(text: &str) -> (&str, &str) {
    match text.starts_with("%%") {
        true => text.split_at(text.find('\n').map_or(text.len(), |at| at + 1)),
        false => ("", text),
    }
}

/// A range of lines as they are counted without the line of a cell magic.
fn within_body(range: Range, has_magic: bool) -> Range {
    let up = |at: Position| match at.line.checked_sub(u32::from(has_magic)) {
        Some(line) => Position { line, ..at },
        None => Position::default(),
    };
    Range {
        start: up(range.start),
        end: up(range.end),
    }
}

/// Finds an executable in `folders`, then on `PATH`.
pub fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The path of a Python file; `None` for a cell.
fn file_of(uri: &str) -> Option<String> {
    uri::file(uri).filter(|file| file.ends_with(".py"))
}

/// A semicolon at the end of a cell keeps its value from being shown; ruff takes it away.
fn with_semicolon(before: &str, mut formatted: String) -> String {
    let is_trivia = |kind: TokenKind| kind.is_trivia() || kind == TokenKind::Newline;
    let last = |program: &Program| {
        let tokens = program.module.tokens().iter().rev();
        let mut tokens = tokens.filter(|token| !is_trivia(token.kind()) && !token.range().is_empty());
        tokens.next().map(|token| (token.kind(), token.end().to_usize()))
    };
    if let Some((TokenKind::Semi, _)) = last(&Program::plain(before))
        && let Some((kind, end)) = last(&Program::plain(&formatted))
        && kind != TokenKind::Semi
        && formatted.is_char_boundary(end)
    {
        formatted.insert(end, ';');
    }
    formatted
}

fn run(
    ruff: &Path,
    uri: &str,
    text: &str,
    range: Option<Range>,
    cancelled: &AtomicBool,
) -> Result<String, Failure> {
    let file = file_of(uri);
    let mut command = Command::new(ruff);
    command.args(["format", "--no-cache", "--stdin-filename"]);
    command.arg(file.as_deref().unwrap_or("cell.py"));
    if let Some(range) = range {
        let place =
            |at: Position| format!("{}:{}", at.line.saturating_add(1), at.character.saturating_add(1));
        command.arg(format!("--range={}-{}", place(range.start), place(range.end)));
    }
    // Its errors are for a window, whatever the session wants on a terminal.
    for colour in ["FORCE_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(colour);
    }
    let mut child = command
        .arg("-")
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::failed(format!("{} does not start: {error}", ruff.display())))?;
    // All three pipes are served at once: none can fill up while another is waited for.
    let input = child.stdin.take();
    let text = text.to_owned();
    let helper = || std::thread::Builder::new().name("drupe-lsp-pipe".into());
    let no_thread = |error: std::io::Error| Failure::failed(format!("no thread for ruff: {error}"));
    let feeder = helper()
        .spawn(move || input.map(|mut input| input.write_all(text.as_bytes())))
        .map_err(no_thread)?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let output = helper().spawn(move || read_all(output)).map_err(no_thread)?;
    let errors = helper().spawn(move || read_all(errors)).map_err(no_thread)?;
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < until && !cancelled.load(Ordering::Relaxed) => {
                std::thread::sleep(Duration::from_millis(2));
            }
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(match cancelled.load(Ordering::Relaxed) {
                    true => Failure::cancelled(),
                    false => Failure::failed(format!("ruff did not finish within {PATIENCE:?}")),
                });
            }
        }
    };
    let _ = feeder.join();
    let output = output.join().unwrap_or_default();
    let errors = errors.join().unwrap_or_default();
    if !status.success() {
        let reason = String::from_utf8_lossy(&errors);
        return Err(Failure::failed(format!("not formatted: {}", reason.trim())));
    }
    String::from_utf8(output).map_err(|error| Failure::failed(error.to_string()))
}

fn read_all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}

/// Replaces what IPython adds to Python, statements and values (`x = !ls`), by numbered names that any Python reads.
fn hide(text: &str) -> (String, Vec<String>) {
    struct Escapes(Vec<TextRange>);
    impl<'a> Visitor<'a> for Escapes {
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            match stmt {
                Stmt::IpyEscapeCommand(command) => self.0.push(command.range),
                _ => walk_stmt(self, stmt),
            }
        }

        fn visit_expr(&mut self, expr: &'a Expr) {
            match expr {
                Expr::IpyEscapeCommand(command) => self.0.push(command.range),
                _ => walk_expr(self, expr),
            }
        }
    }
    let program = Program::plain(text);
    let mut found = Escapes(Vec::new());
    found.visit_body(program.module.suite());
    let mut hidden = text.to_owned();
    let mut escapes = Vec::new();
    for range in &found.0 {
        escapes.push(program.text(*range).to_owned());
    }
    for (index, range) in found.0.iter().enumerate().rev() {
        let range = range.start().to_usize()..range.end().to_usize().min(hidden.len());
        hidden.replace_range(range, &placeholder(index));
    }
    (hidden, escapes)
}

fn placeholder(index: usize) -> String {
    format!("drupe_hides_line_{index}_here")
}

fn show(formatted: &str, escapes: &[String]) -> Result<String, Failure> {
    let mut shown = formatted.to_owned();
    for (index, escape) in escapes.iter().enumerate() {
        let placeholder = placeholder(index);
        let Some(at) = shown.find(&placeholder) else {
            return Err(Failure::failed("not formatted: an IPython command would be lost"));
        };
        shown.replace_range(at..at + placeholder.len(), escape);
    }
    Ok(shown)
}

/// One edit for the lines that differ; none when nothing does.
fn difference(old: &Text, new: &str, encoding: Encoding) -> Vec<TextEdit> {
    if old.as_str() == new {
        return Vec::new();
    }
    let before: Vec<&str> = old.as_str().split_inclusive('\n').collect();
    let after: Vec<&str> = new.split_inclusive('\n').collect();
    let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let most = before.len().min(after.len()) - head;
    let tail = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take(most)
        .take_while(|(a, b)| a == b)
        .count();
    let lines = |count: usize| -> usize { before.iter().take(count).map(|line| line.len()).sum() };
    let new_text = after.get(head..after.len() - tail).unwrap_or_default().concat();
    vec![TextEdit {
        range: Range {
            start: Position {
                line: saturate(old.line_of(lines(head))),
                character: 0,
            },
            end: old.position(lines(before.len() - tail), encoding),
        },
        new_text,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipython_lines_are_hidden_and_shown_again() {
        let text = "%matplotlib inline\nif x:\n    !ls -l   {a}\n    y = !ls  -a\nx = 1\n";
        let (hidden, escapes) = hide(text);
        assert_eq!(escapes, ["%matplotlib inline", "!ls -l   {a}", "!ls  -a"]);
        assert!(Program::plain(&hidden).module.errors().is_empty());
        assert_eq!(show(&hidden, &escapes).ok().as_deref(), Some(text));
        assert!(show("", &escapes).is_err());
    }

    #[test]
    fn only_lines_that_differ_are_edited() {
        let mut old = Text::new("a = 1\nb=2\nc = 3".into());
        let edits = difference(&old, "a = 1\nb = 2\nc = 3", Encoding::Utf16);
        assert_eq!(edits.len(), 1);
        for edit in edits {
            assert_eq!((edit.range.start.line, edit.range.end.line), (1, 2));
            old.edit(edit.range, &edit.new_text, Encoding::Utf16);
        }
        assert_eq!(old.as_str(), "a = 1\nb = 2\nc = 3");
        assert_eq!(difference(&old, "a = 1\nb = 2\nc = 3", Encoding::Utf16), []);
    }
}
