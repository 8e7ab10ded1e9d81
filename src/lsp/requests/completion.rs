//! `textDocument/completion` and `completionItem/resolve`.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lsp::analysis::cursor::Place;
use crate::lsp::analysis::size;
use crate::lsp::engine::candidates::{self, Candidate, Kind};
use crate::lsp::engine::description;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;
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
    let place = program.cursor(offset).place;
    // A sign that is typed asks for what it opens, not for all names.
    if typed_sign.is_some() && matches!(place, Place::Name | Place::Keyword { .. } | Place::Pattern) {
        return Ok(CompletionList::default());
    }
    let until = Instant::now() + TYPES;
    let is_code = matches!(
        place,
        Place::Name | Place::Attribute { .. } | Place::Module { .. } | Place::Member { .. }
    );
    let typed = is_code
        .then(|| session.ask_types("textDocument/completion", &program, offset))
        .flatten();
    let found = session.asking(|_, asker| candidates::at(&program, offset, asker));
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
    if let Some(answer) = typed.and_then(|asked| asked.answer(until)) {
        add_typed(&mut items, answer, program.text(word), range);
    }
    // An item carries only its expression; what it means is looked up where the list was asked for.
    session.completed_at = Some((uri, params.position));
    Ok(CompletionList {
        is_incomplete: found.incomplete,
        items,
        ..CompletionList::default()
    })
}

/// Adds what only the type checker knows, behind everything else, as it sorts it itself.
fn add_typed(items: &mut Vec<CompletionItem>, answer: Value, word: &str, range: lsp_types::Range) {
    let answer = match answer {
        Value::Object(mut list) => list.get_mut("items").map(Value::take).unwrap_or_default(),
        items => items,
    };
    let mut typed: Vec<CompletionItem> = serde_json::from_value(answer).unwrap_or_default();
    let known: HashSet<String> = items.iter().map(|item| item.label.clone()).collect();
    let lower = word.to_lowercase();
    typed.retain(|item| {
        // An item that edits other lines too is an import that nobody asked for.
        item.additional_text_edits.as_ref().is_none_or(Vec::is_empty)
            && !known.contains(&item.label)
            && item.label.to_lowercase().starts_with(&lower)
    });
    typed.sort_by(|left, right| left.sort_text.cmp(&right.sort_text));
    let count = items.len();
    let typed = typed.into_iter().enumerate().map(|(index, item)| CompletionItem {
        sort_text: Some(format!("{:05}", count + index)),
        text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit {
            range,
            new_text: item.label.clone(),
        })),
        label: item.label,
        kind: item.kind,
        detail: item.detail,
        documentation: item.documentation,
        ..CompletionItem::default()
    });
    items.extend(typed.take(candidates::MOST));
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
    // Clients compare what they replace with the label, unless they are told with what.
    let filter_text = (!candidate.insert.is_empty()).then(|| candidate.insert.clone());
    let new_text = filter_text.clone().unwrap_or_else(|| candidate.label.clone());
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
