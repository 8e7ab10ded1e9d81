//! `textDocument/hover`.

use std::time::Instant;

use lsp_types::{Contents, Hover, MarkupContent, MarkupKind, TextDocumentPositionParams};
use serde_json::Value;

use super::TYPES;
use crate::lsp::engine::description::{self, Description};
use crate::lsp::link::Failure;
use crate::lsp::session::Session;
use crate::lsp::types;

/// The longest documentation that is shown, in bytes.
const MOST: usize = 16 * 1024;

/// What stands under the cursor.
///
/// # Errors
/// When the document is not open.
pub fn hover(session: &mut Session, params: TextDocumentPositionParams) -> Result<Option<Hover>, Failure> {
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let typed = session.ask_types("textDocument/hover", &program, offset);
    let described = session.asking(|_, asker| description::at(&program, offset, asker));
    // What the session or the source says in full stands alone; the type checker completes the rest.
    let typed = match &described {
        Some(described) if !described.doc.is_empty() || !described.preview.is_empty() => None,
        _ => typed.and_then(|asked| asked.answer(Instant::now() + TYPES)),
    };
    let texts: Vec<String> = described
        .iter()
        .map(markdown)
        .chain(
            typed
                .filter(|answer| types::hover_text(answer).is_some())
                .and_then(|answer| text_of(&answer))
                .map(|text| types::without_unknown(&text)),
        )
        .collect();
    Ok((!texts.is_empty()).then(|| Hover {
        contents: Contents::MarkupContent(MarkupContent {
            kind: MarkupKind::Markdown,
            value: texts.join("\n\n---\n\n"),
        }),
        range: described.and_then(|described| session.documents.range_in(&uri, &program, described.range)),
    }))
}

/// The text of another server's hover, in any of the protocol's forms.
fn text_of(hover: &Value) -> Option<String> {
    let of = |content: &Value| {
        content
            .as_str()
            .or_else(|| content.get("value")?.as_str())
            .map(str::to_owned)
    };
    match hover.get("contents")? {
        Value::Array(contents) => Some(contents.iter().filter_map(of).collect::<Vec<_>>().join("\n\n")),
        content => of(content),
    }
    .filter(|text| !text.is_empty())
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
