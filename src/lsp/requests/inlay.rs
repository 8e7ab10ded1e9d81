//! `textDocument/inlayHint`: the type that a top-level variable has in the session, behind its assignment.

use lsp_types::{InlayHint, InlayHintKind, InlayHintParams, Label};

use crate::lsp::analysis::model::{BindingKind, Value};
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// Types that only the session knows; where the text shows the type, none is given.
///
/// # Errors
/// When the document is not open.
pub fn hints(session: &mut Session, params: InlayHintParams) -> Result<Vec<InlayHint>, Failure> {
    let uri = params.text_document.uri;
    let program = session.documents.program(&uri)?;
    let snapshot = session.snapshot();
    let mut hints = Vec::new();
    if !session.configuration.inlay_hints {
        return Ok(hints);
    }
    for item in &snapshot.names {
        let Some(binding) = program
            .model
            .module_symbol(&item.name)
            .and_then(|symbol| symbol.bindings.last())
        else {
            continue;
        };
        let is_plain = binding.kind == BindingKind::Variable
            && binding.signature.is_none()
            && !matches!(binding.value, Some(Value::Literal(_)))
            && !item.type_name.is_empty();
        if !is_plain {
            continue;
        }
        let Some(range) = session.documents.range_in(&uri, &program, binding.name) else {
            continue;
        };
        if params.range.start.line <= range.end.line && range.end.line <= params.range.end.line {
            hints.push(InlayHint {
                position: range.end,
                label: Label::String(format!(": {}", item.type_name)),
                kind: Some(InlayHintKind::Type),
                padding_left: Some(false),
                padding_right: Some(false),
                text_edits: None,
                tooltip: None,
                data: None,
            });
        }
    }
    Ok(hints)
}
