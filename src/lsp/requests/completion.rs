//! `textDocument/completion` and `completionItem/resolve`.

use std::time::{Duration, Instant};

use crate::lsp::analysis::cursor::Place;
use crate::lsp::analysis::size;
use crate::lsp::engine::candidates::{self, Candidate, Kind};
use crate::lsp::engine::description;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;
use crate::lsp::types;
use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemTextEdit, CompletionList, CompletionParams,
    Documentation, MarkupContent, MarkupKind, TextEdit,
};
use ruff_text_size::TextRange;

/// How long completion waits for the type checker, the wait for the session included: a list that comes after
/// 100 ms comes too late.
const TYPES: Duration = Duration::from_millis(70);

/// Candidates at a position.
///
/// # Errors
/// When the document is not open.
pub fn complete(session: &mut Session, params: CompletionParams) -> Result<CompletionList, Failure> {
    let typed_sign = params
        .context
        .as_ref()
        .and_then(|context| context.trigger_character.as_ref());
    let params = params.text_document_position_params;
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let cursor = program.cursor(offset);
    // A sign that is typed asks for what it opens, not for all names: `[` for keys.
    let is_of_names = matches!(cursor.place, Place::Name | Place::Keyword { .. } | Place::Pattern);
    let only_keys = typed_sign.is_some() && is_of_names;
    if only_keys && cursor.bracket.is_none() {
        return Ok(CompletionList::default());
    }
    let until = Instant::now() + TYPES;
    let (found, added, missed) = session.asking(|session, asker| {
        let mut found = candidates::at(&program, offset, asker);
        if only_keys {
            found.candidates.retain(|it| it.label.starts_with('"'));
            return (found, types::Added::default(), asker.missed);
        }
        let added = types::added(&session.options.types, &program, offset, &found, asker, until);
        (found, added, asker.missed)
    });
    let word = TextRange::new(size(found.start.min(offset)), size(offset));
    let range = session
        .documents
        .range_in(&uri, &program, word)
        .unwrap_or(lsp_types::Range {
            start: params.position,
            end: params.position,
        });
    let mut items: Vec<CompletionItem> = found
        .candidates
        .into_iter()
        .enumerate()
        .map(|(index, candidate)| {
            let besides = candidate.besides.as_ref().and_then(|besides| {
                let at = TextRange::empty(size(besides.offset));
                Some(TextEdit {
                    range: session.documents.range_in(&uri, &program, at)?,
                    new_text: besides.text.clone(),
                })
            });
            CompletionItem {
                additional_text_edits: besides.map(|edit| vec![edit]),
                ..item(candidate, index, range)
            }
        })
        .collect();
    let count = items.len();
    let added_items = added.items.into_iter().enumerate();
    items.extend(added_items.map(|(index, item)| typed(item, count + index, range)));
    // An item carries only its expression; what it means is looked up where the list was asked for.
    session.completed_at = Some((uri, params.position));
    Ok(CompletionList {
        // Where the session did not answer in time, the snapshot's members are not all: the next letter asks anew.
        is_incomplete: found.incomplete || added.late || missed,
        items,
        ..CompletionList::default()
    })
}

/// The checker's item: members behind everything else, arguments before.
fn typed(item: CompletionItem, index: usize, range: lsp_types::Range) -> CompletionItem {
    let before = if types::is_argument(&item) { "!" } else { "" };
    CompletionItem {
        sort_text: Some(format!("{before}{index:05}")),
        text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit {
            range,
            new_text: item.label.clone(),
        })),
        label: item.label,
        kind: item.kind,
        detail: item.detail,
        documentation: item.documentation,
        ..CompletionItem::default()
    }
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
    let spot = program.spot(offset);
    let described = session.asking(|_, asker| description::of(&program, spot, &expression, asker));
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
    let new_text = match candidate.insert.is_empty() {
        true => candidate.label.clone(),
        false => candidate.insert.clone(),
    };
    // Clients compare what they replace with the label, unless they are told with what: of an import and its name, or of a name
    // in backticks, with that.
    let filter_text = (!candidate.insert.is_empty()).then(|| {
        candidate
            .insert
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .trim_start_matches('`')
            .to_owned()
    });
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
        filter_text,
        text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit { range, new_text })),
        data: (!candidate.expression.is_empty()).then(|| candidate.expression.into()),
        ..CompletionItem::default()
    }
}
