//! `textDocument/completion` and `completionItem/resolve`.

use crate::lsp::analysis::size;
use crate::lsp::engine::candidates::{self, Candidate, Kind};
use crate::lsp::engine::description;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;
use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemTextEdit, CompletionList, Documentation, MarkupContent,
    MarkupKind, TextDocumentPositionParams, TextEdit,
};
use ruff_text_size::TextRange;

/// Candidates at a position.
///
/// # Errors
/// When the document is not open.
pub fn complete(
    session: &mut Session,
    params: TextDocumentPositionParams,
) -> Result<CompletionList, Failure> {
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let found = session.asking(|_, asker| candidates::at(&program, offset, asker));
    let typed = TextRange::new(size(found.start.min(offset)), size(offset));
    let range = session
        .documents
        .range_in(&uri, &program, typed)
        .unwrap_or(lsp_types::Range {
            start: params.position,
            end: params.position,
        });
    let items = found
        .candidates
        .into_iter()
        .enumerate()
        .map(|(index, candidate)| item(candidate, index, range))
        .collect();
    // An item carries only its expression; what it means is looked up where the list was asked for.
    session.completed_at = Some((uri, params.position));
    Ok(CompletionList {
        is_incomplete: found.incomplete,
        items,
        ..CompletionList::default()
    })
}

/// Documentation for one item.
///
/// # Errors
/// Never; an item that nothing is known about comes back as it went.
pub fn resolve(session: &mut Session, mut item: CompletionItem) -> Result<CompletionItem, Failure> {
    let expression = item.data.as_ref().and_then(|data| data.as_str());
    let Some((expression, (uri, position))) = expression.map(str::to_owned).zip(session.completed_at.clone())
    else {
        return Ok(item);
    };
    let Ok((program, offset)) = session.documents.locate(&uri, position) else {
        return Ok(item);
    };
    let scope = program.model.scope_at(&program.source, offset);
    let described = session.asking(|_, asker| description::of(&program, scope, &expression, asker));
    if let Some(described) = described {
        item.detail = Some(described.headline.clone());
        item.documentation = Some(Documentation::MarkupContent(MarkupContent {
            kind: MarkupKind::Markdown,
            value: super::hover::markdown(&described),
        }));
    }
    Ok(item)
}

fn item(candidate: Candidate, index: usize, range: lsp_types::Range) -> CompletionItem {
    let new_text = candidate.label.clone();
    CompletionItem {
        label: candidate.label,
        kind: Some(match candidate.kind {
            Kind::Function => CompletionItemKind::Function,
            Kind::Class => CompletionItemKind::Class,
            Kind::Module => CompletionItemKind::Module,
            Kind::Instance | Kind::Parameter => CompletionItemKind::Variable,
            Kind::Property => CompletionItemKind::Field,
            Kind::Keyword => CompletionItemKind::Keyword,
            Kind::Magic => CompletionItemKind::Event,
            Kind::Path => CompletionItemKind::File,
        }),
        detail: (!candidate.detail.is_empty()).then_some(candidate.detail),
        sort_text: Some(format!("{index:05}")),
        text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit { range, new_text })),
        data: (!candidate.expression.is_empty()).then(|| candidate.expression.into()),
        ..CompletionItem::default()
    }
}
