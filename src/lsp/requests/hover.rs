//! `textDocument/hover`.

use lsp_types::{Contents, Hover, MarkupContent, MarkupKind, TextDocumentPositionParams};

use crate::lsp::engine::description::{self, Description};
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// The longest documentation that is shown, in bytes.
const MOST: usize = 16 * 1024;

/// What stands under the cursor.
///
/// # Errors
/// When the document is not open.
pub fn hover(session: &mut Session, params: TextDocumentPositionParams) -> Result<Option<Hover>, Failure> {
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let described = session.asking(|_, asker| description::at(&program, offset, asker));
    Ok(described.map(|described| Hover {
        contents: Contents::MarkupContent(MarkupContent {
            kind: MarkupKind::Markdown,
            value: markdown(&described),
        }),
        range: session.documents.range_in(&uri, &program, described.range),
    }))
}

/// A description as Markdown. Docstrings are no Markdown, so they stand in a block of their own.
pub fn markdown(described: &Description) -> String {
    let mut text = fenced("python", &described.headline);
    if !described.preview.is_empty() {
        text.push_str("\n\n");
        text.push_str(&fenced("text", &described.preview));
    }
    if !described.doc.is_empty() {
        let end = crate::lsp::documents::text::floor_boundary(&described.doc, MOST);
        text.push_str("\n\n");
        text.push_str(&fenced("text", described.doc.get(..end).unwrap_or_default()));
    }
    text
}

/// A code block whose fence is longer than any run of backticks in it.
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}")
}
