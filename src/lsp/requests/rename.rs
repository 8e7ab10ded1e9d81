//! `textDocument/rename` and `textDocument/prepareRename`.

use std::collections::HashMap;
use std::sync::Arc;

use lsp_server::ErrorCode;
use lsp_types::{Range, RenameParams, TextDocumentPositionParams, TextEdit, Uri, WorkspaceEdit};
use ruff_text_size::TextRange;

use super::across::everywhere;
use super::beyond;
use super::occurrences::Occurrence;
use crate::lsp::analysis::Program;
use crate::lsp::analysis::expression::is_word;
use crate::lsp::analysis::model::BindingKind;
use crate::lsp::engine::builtins;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// The range that a rename would change at the cursor, or null where nothing can be renamed.
///
/// # Errors
/// When the document is not open.
pub fn prepare(session: &mut Session, params: TextDocumentPositionParams) -> Result<Option<Range>, Failure> {
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let programs = session.programs()?;
    let at = crate::lsp::analysis::size(offset);
    let here = everywhere(&programs, &program, offset).and_then(|found| {
        let is_here = |(other, it): &(Arc<Program>, Occurrence)| {
            Arc::ptr_eq(other, &program) && it.range.contains_inclusive(at)
        };
        found.places.into_iter().find(is_here)
    });
    Ok(here.and_then(|(_, it)| session.documents.range_in(&uri, &program, it.range)))
}

/// The edits that give the thing under the cursor another name, in all open documents, and in other files where a type checker
/// finds them.
///
/// # Errors
/// When nothing is named there, the new name is none, or a place cannot be changed.
pub fn rename(session: &mut Session, params: RenameParams) -> Result<WorkspaceEdit, Failure> {
    let place = params.text_document_position_params;
    let new = params.new_name;
    let starts_well = new
        .chars()
        .next()
        .is_some_and(|char| is_word(char) && !char.is_numeric());
    let is_keyword = builtins::KEYWORDS.binary_search(&new.as_str()).is_ok()
        && !["match", "case", "type", "_"].contains(&new.as_str());
    if !starts_well || !new.chars().all(is_word) || is_keyword {
        return Err(Failure::new(
            ErrorCode::InvalidParams,
            format!("{new:?} is not a name in Python"),
        ));
    }
    let (program, offset) = session
        .documents
        .locate(&place.text_document.uri, place.position)?;
    let programs = session.programs()?;
    let Some(found) = everywhere(&programs, &program, offset) else {
        return Err(Failure::failed("nothing that can be renamed is here"));
    };
    if found.mentioned {
        return Err(Failure::failed(format!(
            "{} is also named in a magic or in __all__, which a rename would miss",
            found.name
        )));
    }
    let mut changes: HashMap<Uri, Vec<TextEdit>> = HashMap::new();
    for (other, place) in &found.places {
        let Some(location) = session.documents.location(other, place.range) else {
            continue;
        };
        let new_text = match found.is_whole {
            true => new.clone(),
            false => text(other, &found.name, place.range, &new)?,
        };
        changes.entry(location.uri).or_default().push(TextEdit {
            range: location.range,
            new_text,
        });
    }
    // What an import calls by another name from now on keeps its own everywhere else.
    if changes.values().flatten().all(|edit| edit.new_text == new) {
        beyond::rename(session, &program, offset, &new, &mut changes);
    }
    Ok(WorkspaceEdit {
        changes: Some(changes),
        ..WorkspaceEdit::default()
    })
}

/// What stands at `range` afterwards: the new name, but `name as new` for what an import calls by its own name.
fn text(program: &Program, name: &str, range: TextRange, new: &str) -> Result<String, Failure> {
    let Some(binding) = program.model.binding_at(range) else {
        return Ok(new.to_owned());
    };
    let alias = binding.signature.map_or("", |range| program.text(range));
    match &binding.kind {
        BindingKind::Import { .. } | BindingKind::FromImport { .. } if !alias.contains(" as ") => {
            match alias.contains('.') {
                true => Err(Failure::failed(format!(
                    "`import {alias}` binds {name}, which cannot have another name"
                ))),
                false => Ok(format!("{name} as {new}")),
            }
        }
        _ => Ok(new.to_owned()),
    }
}
