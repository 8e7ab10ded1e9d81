//! What the type checker adds to the places of a thing: those that its types tell, and those in files that are not open.
//!
//! What is open is read here, as it stands in the editor; the checker has other documents as they were saved.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use lsp_types::{Location, TextEdit, Uri};
use serde_json::json;

use super::TYPES;
use crate::lsp::analysis::model::BindingKind;
use crate::lsp::analysis::{Program, ScopeKind};
use crate::lsp::session::Session;

/// Adds to `known` the places that the checker finds besides.
pub fn references(
    session: &mut Session,
    program: &Arc<Program>,
    offset: usize,
    include_declaration: bool,
    known: &mut Vec<Location>,
) {
    if is_ours(program, offset) {
        return;
    }
    let Some(asked) = session.ask_types("textDocument/references", program, offset) else {
        return;
    };
    let asked = asked.with(json!({"context": {"includeDeclaration": include_declaration}}));
    for place in asked.locations(&session.documents, program, Instant::now() + TYPES) {
        let is_known = known
            .iter()
            .any(|it| it.uri == place.uri && it.range.start == place.range.start);
        if !is_known && may_add(session, program, &place) {
            known.push(place);
        }
    }
}

/// Adds to `changes` the edits by which the checker gives the thing the name `new` in places that are not among them. The first
/// letter of a place decides, since an import may be edited as a whole.
pub fn rename(
    session: &mut Session,
    program: &Arc<Program>,
    offset: usize,
    new: &str,
    changes: &mut HashMap<Uri, Vec<TextEdit>>,
) {
    if is_ours(program, offset) {
        return;
    }
    let Some(asked) = session.ask_types("textDocument/rename", program, offset) else {
        return;
    };
    let asked = asked.with(json!({"newName": new}));
    for (place, new_text) in asked.edits(&session.documents, program, Instant::now() + TYPES) {
        let is_own = program.parts.iter().any(|part| part.uri == place.uri);
        if !may_add(session, program, &place) || !(is_own || session.options.types.covers(&place.uri.0)) {
            continue;
        }
        let edits = changes.entry(place.uri).or_default();
        if edits.iter().all(|it| it.range.start != place.range.start) {
            edits.push(TextEdit {
                range: place.range,
                new_text,
            });
        }
    }
}

/// Whether all places of what is named there are in its program: a local name, or a notebook's own.
fn is_ours(program: &Program, offset: usize) -> bool {
    let model = &program.model;
    let Some(symbol) = model.symbol_at(offset).and_then(|(id, _)| model.symbol(id)) else {
        return false;
    };
    let is_imported = symbol.bindings.iter().any(|binding| {
        matches!(
            binding.kind,
            BindingKind::Import { .. } | BindingKind::FromImport { .. }
        )
    });
    let is_module = matches!(program.parts.as_slice(), [part] if part.uri.0.ends_with(".py"));
    match model.scope(symbol.scope).map(|scope| scope.kind) {
        Some(ScopeKind::Module) => !is_imported && !is_module,
        Some(ScopeKind::Class) => false,
        _ => true,
    }
}

/// Whether the place is in this program, or in a file that is not open.
fn may_add(session: &Session, program: &Program, place: &Location) -> bool {
    program.parts.iter().any(|part| part.uri == place.uri) || session.documents.document(&place.uri).is_err()
}
