//! `textDocument/definition` and `textDocument/declaration`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lsp_types::{Location, Position, Range, TextDocumentPositionParams, Uri};

use super::TYPES;
use super::across::everywhere;
use crate::lsp::analysis::Program;
use crate::lsp::analysis::model::BindingKind;
use crate::lsp::documents::text::saturate;
use crate::lsp::documents::uri::{self, text_of};
use crate::lsp::engine::given;
use crate::lsp::link::Failure;
use crate::lsp::live::{LiveAnswer, LiveObject};
use crate::lsp::session::Session;

/// Where the thing under the cursor is bound: in its own program; else where the type checker finds it, then where the session
/// has it from, then in the open module that it is imported from, and at last where it is imported.
///
/// # Errors
/// When the document is not open.
pub fn definition(
    session: &mut Session,
    params: TextDocumentPositionParams,
) -> Result<Vec<Location>, Failure> {
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let programs = session.programs()?;
    let found = everywhere(&programs, &program, offset);
    let definition = found.and_then(|found| found.definition);
    let is_own = definition
        .as_ref()
        .is_some_and(|(home, range)| Arc::ptr_eq(home, &program) && !is_import(home, *range));
    let known = definition.and_then(|(home, range)| session.documents.location(&home, range));
    if is_own && known.is_some() {
        return Ok(known.into_iter().collect());
    }
    let Some((name, _)) = program.expression_at(offset) else {
        return Ok(known.into_iter().collect());
    };
    let asked = session.ask_types("textDocument/definition", &program, offset);
    let mut typed = asked.map_or_else(Vec::new, |asked| {
        asked.locations(&session.documents, &program, Instant::now() + TYPES)
    });
    // A checker that does not find a module points at its import, which is the last that one wants to know.
    let import = program.occurrences(offset).and_then(|own| own.definition);
    if let Some(import) = import.and_then(|range| session.documents.location(&program, range)) {
        let line = import.range.start.line;
        typed.retain(|it| it.uri != import.uri || it.range.start.line != line);
    }
    if !typed.is_empty() {
        return Ok(typed);
    }
    let spot = program.spot(offset);
    let object = session.asking(|_, asker| {
        let given = given::of(&program, spot, &name, asker)?;
        match asker.inspect(&name, &given) {
            LiveAnswer::Known(object) => Some(object),
            _ => None,
        }
    });
    let made = object.and_then(|object| written(session, &programs, &object));
    Ok(made.or(known).into_iter().collect())
}

/// Where the code of a function or class of the session's stands: in an open document that holds the cell that it was made
/// by, else in a file.
fn written(session: &Session, programs: &[Arc<Program>], object: &LiveObject) -> Option<Location> {
    let line = object.line.checked_sub(1)?;
    let cell = object.cell.trim_end();
    let mut parts = programs.iter().flat_map(|it| &it.parts).filter_map(|part| {
        let text = session.documents.document(&part.uri).ok()?.text.as_str();
        Some((&part.uri, text))
    });
    let in_document = parts.find_map(|(uri, text)| {
        let line = line_in(text, cell, line)?;
        Some(line_of(uri.clone(), below_decorators(text, line)))
    });
    in_document.or_else(|| {
        let path = Path::new(&object.file);
        (path.is_absolute() && path.is_file()).then(|| {
            let text = text_of(path).unwrap_or_default();
            line_of(Uri(uri::of_path(path)), below_decorators(&text, line))
        })
    })
}

/// Python counts a function from its first decorator on; its name stands below them.
fn below_decorators(text: &str, line: u32) -> u32 {
    const MOST: usize = 100;
    let mut lines = text.lines().skip(line as usize).map(str::trim_start).take(MOST);
    let mut beside = lines.clone();
    if !lines.next().is_some_and(|first| first.starts_with('@')) {
        return line;
    }
    let heads = ["def ", "async def ", "class "];
    let below = beside.position(|it| heads.iter().any(|head| it.starts_with(head)));
    line.saturating_add(saturate(below.unwrap_or(0)))
}

/// Which line of a document is that line of a cell, if it holds it. A cell with magics ran as something else, but for most lines.
fn line_in(text: &str, cell: &str, line: u32) -> Option<u32> {
    let wanted = cell.lines().nth(line as usize).filter(|it| !it.is_empty())?;
    if let Some(at) = text.find(cell) {
        let before = text.get(..at)?.matches('\n').count();
        return Some(line.saturating_add(saturate(before)));
    }
    (text.lines().nth(line as usize) == Some(wanted)).then_some(line)
}

fn line_of(uri: Uri, line: u32) -> Location {
    let start = Position { line, character: 0 };
    Location {
        uri,
        range: Range { start, end: start },
    }
}

fn is_import(program: &Program, name: ruff_text_size::TextRange) -> bool {
    program.model.binding_at(name).is_some_and(|binding| {
        matches!(
            binding.kind,
            BindingKind::Import { .. } | BindingKind::FromImport { .. }
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{below_decorators, line_in};

    #[test]
    fn the_lines_of_cells_are_found_in_documents() {
        let cell = "x = 1\ndef f(): ...";
        for (text, line) in [
            ("x = 1\ndef f(): ...\n", Some(1)),
            ("# %%\nx = 1\ndef f(): ...\n", Some(2)),
            ("%time x = 1\ndef f(): ...\n", Some(1)),
            ("def f(): ...\n", None),
            ("", None),
        ] {
            assert_eq!(line_in(text, cell, 1), line, "{text}");
        }
        assert_eq!(line_in("", "", 0), None);
    }

    #[test]
    fn a_definition_is_the_line_with_the_name() {
        let text = "@cache\ndef f(): ...\n  @route(\n    '/'\n  )\n  async def g(self): ...\n@d\nclass C: ...\n@odd\n";
        for (line, below) in [(0, 1), (1, 1), (2, 5), (3, 3), (6, 7), (8, 8), (99, 99)] {
            assert_eq!(below_decorators(text, line), below, "{line}");
        }
    }
}
