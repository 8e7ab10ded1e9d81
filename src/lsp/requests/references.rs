//! `textDocument/references` and `textDocument/documentHighlight`.

use lsp_types::{
    DocumentHighlight, DocumentHighlightKind, Location, ReferenceParams, TextDocumentPositionParams,
};

use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// Every place that names the thing under the cursor.
///
/// # Errors
/// When the document is not open.
pub fn references(session: &mut Session, params: ReferenceParams) -> Result<Vec<Location>, Failure> {
    let place = params.text_document_position_params;
    let (program, offset) = session
        .documents
        .locate(&place.text_document.uri, place.position)?;
    let Some(found) = program.occurrences(offset) else {
        return Ok(Vec::new());
    };
    Ok(found
        .places
        .iter()
        .filter(|it| params.context.include_declaration || Some(it.range) != found.definition)
        .filter_map(|it| session.documents.location(&program, it.range))
        .collect())
}

/// The places in this document alone, told apart by reading and writing.
///
/// # Errors
/// When the document is not open.
pub fn highlight(
    session: &mut Session,
    params: TextDocumentPositionParams,
) -> Result<Vec<DocumentHighlight>, Failure> {
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let Some(found) = program.occurrences(offset) else {
        return Ok(Vec::new());
    };
    Ok(found
        .places
        .iter()
        .filter_map(|it| {
            Some(DocumentHighlight {
                range: session.documents.range_in(&uri, &program, it.range)?,
                kind: Some(match it.write {
                    true => DocumentHighlightKind::Write,
                    false => DocumentHighlightKind::Read,
                }),
            })
        })
        .collect())
}
