//! `positron/textDocument/helpTopic`: the dotted name under which Positron's help viewer looks things up.

use lsp_types::TextDocumentPositionParams;
use serde::Serialize;

use crate::lsp::engine::description;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// The topic under the cursor.
#[derive(Debug, Serialize)]
pub struct Topic {
    topic: String,
}

/// The topic of what stands under the cursor, or null.
///
/// # Errors
/// When the document is not open.
pub fn topic(session: &mut Session, params: TextDocumentPositionParams) -> Result<Option<Topic>, Failure> {
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let described = session.asking(|_, asker| description::at(&program, offset, asker));
    Ok(described
        .map(|described| described.topic)
        .filter(|topic| !topic.is_empty())
        .map(|topic| Topic { topic }))
}
