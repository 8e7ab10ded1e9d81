//! `textDocument/definition` and `textDocument/declaration`.

use std::time::Instant;

use lsp_types::{Location, TextDocumentPositionParams};

use super::TYPES;
use super::across::everywhere;
use crate::lsp::analysis::model::BindingKind;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// Where the thing under the cursor is bound. A name that another open document defines at its top is found there,
/// and one that no open document defines by the type checker.
///
/// # Errors
/// When the document is not open.
pub fn definition(
    session: &mut Session,
    params: TextDocumentPositionParams,
) -> Result<Vec<Location>, Failure> {
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let programs = session.programs()?;
    let found = everywhere(&programs, &program, offset);
    let definition = found.and_then(|found| found.definition);
    let imported = definition
        .as_ref()
        .is_some_and(|(home, range)| is_import(home, *range));
    let own = definition.and_then(|(home, range)| session.documents.location(&home, range));
    if own.is_some() && !imported {
        return Ok(own.into_iter().collect());
    }
    let Some((name, _)) = program.expression_at(offset) else {
        return Ok(own.into_iter().collect());
    };
    let typed = session.ask_types("textDocument/definition", &program, offset);
    let elsewhere = programs.into_iter().find_map(|other| {
        if std::sync::Arc::ptr_eq(&other, &program) {
            return None;
        }
        let binding = other.model.module_symbol(&name)?.bindings.first()?;
        match binding.kind {
            BindingKind::Function | BindingKind::Class | BindingKind::Variable => {
                session.documents.location(&other, binding.name)
            }
            _ => None,
        }
    });
    if elsewhere.is_none()
        && let Some(asked) = typed
    {
        let found = asked.locations(&session.documents, &program, Instant::now() + TYPES);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(elsewhere.or(own).into_iter().collect())
}

fn is_import(program: &crate::lsp::analysis::Program, name: ruff_text_size::TextRange) -> bool {
    program.model.binding_at(name).is_some_and(|binding| {
        matches!(
            binding.kind,
            BindingKind::Import { .. } | BindingKind::FromImport { .. }
        )
    })
}
