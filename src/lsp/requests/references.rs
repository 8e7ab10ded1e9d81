//! `textDocument/references` and `textDocument/documentHighlight`.

use std::sync::Arc;

use lsp_types::{
    DocumentHighlight, DocumentHighlightKind, Location, ReferenceParams, TextDocumentPositionParams,
};

use super::across::everywhere;
use super::beyond;
use crate::lsp::analysis::Program;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// Every place that names the thing under the cursor, in all open documents, and in other files where a type checker finds them.
///
/// # Errors
/// When the document is not open, or the request is cancelled.
pub fn references(session: &mut Session, params: ReferenceParams) -> Result<Vec<Location>, Failure> {
    let place = params.text_document_position_params;
    let (program, offset) = session
        .documents
        .locate(&place.text_document.uri, place.position)?;
    let programs = session.programs()?;
    let found = everywhere(&programs, &program, offset);
    let (places, definition) = found.map_or_else(Default::default, |found| (found.places, found.definition));
    let is_definition = |program: &Arc<Program>, range| {
        let definition = definition.as_ref();
        definition.is_some_and(|(home, at)| Arc::ptr_eq(home, program) && *at == range)
    };
    let declared = params.context.include_declaration;
    let mut known: Vec<Location> = places
        .iter()
        .filter(|(program, it)| declared || !is_definition(program, it.range))
        .filter_map(|(program, it)| session.documents.location(program, it.range))
        .collect();
    beyond::references(session, &program, offset, declared, &mut known);
    Ok(known)
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
