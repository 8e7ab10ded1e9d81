//! `positron/textDocument/statementRange`: what "run this line" runs.

use lsp_types::{Range, TextDocumentPositionParams};
use ruff_text_size::Ranged;
use serde::Serialize;

use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// A whole top-level statement.
#[derive(Debug, Serialize)]
pub struct StatementRange {
    range: Range,
    code: String,
}

/// The top-level statement around the position; on a blank or comment line, the next one.
///
/// # Errors
/// When the document is not open.
pub fn range(
    session: &mut Session,
    params: TextDocumentPositionParams,
) -> Result<Option<StatementRange>, Failure> {
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let Some(part) = program.parts.iter().find(|part| part.uri == uri) else {
        return Ok(None);
    };
    // The whole line counts, not the column in it.
    let line_start = offset - program.line_before(offset).len();
    let statement = program.module.suite().iter().find(|stmt| {
        let start = stmt.start().to_usize();
        part.start <= start && start <= part.end && stmt.end().to_usize() >= line_start
    });
    Ok(statement.and_then(|statement| {
        Some(StatementRange {
            range: session.documents.range_in(&uri, &program, statement.range())?,
            code: program.text(statement.range()).to_owned(),
        })
    }))
}
