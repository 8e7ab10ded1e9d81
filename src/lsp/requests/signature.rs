//! `textDocument/signatureHelp`.

use std::time::Instant;

use lsp_types::{
    ActiveParameter, Documentation, ParameterInformation, ParameterInformationLabel, SignatureHelp,
    SignatureInformation, TextDocumentPositionParams,
};

use super::TYPES;
use crate::lsp::analysis::cursor::Call;
use crate::lsp::analysis::describe::{self, Signature};
use crate::lsp::documents::text::saturate;
use crate::lsp::engine::description;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;
use crate::lsp::types;

/// The signature of the call around the cursor.
///
/// # Errors
/// When the document is not open.
pub fn help(
    session: &mut Session,
    params: TextDocumentPositionParams,
) -> Result<Option<SignatureHelp>, Failure> {
    let uri = params.text_document.uri;
    let (program, offset) = session.documents.locate(&uri, params.position)?;
    let Some(call) = program.cursor(offset).calls.into_iter().next() else {
        return Ok(None);
    };
    let spot = program.spot(offset);
    let typed = session.ask_types("textDocument/signatureHelp", &program, offset);
    let signatures = session.asking(|_, asker| description::signatures(&program, spot, &call.callee, asker));
    // What takes anything tells nothing: the checker may know what is behind it.
    if signatures
        .iter()
        .all(|it| it.parameters.len() == 2 && it.parameters.iter().all(|it| it.starts_with('*')))
    {
        let typed = typed.and_then(|asked| asked.answer(Instant::now() + TYPES));
        let typed = typed.and_then(types::signatures);
        if typed.is_some() || signatures.is_empty() {
            return Ok(typed);
        }
    }
    let actives: Vec<Option<usize>> = signatures.iter().map(|it| active(it, &call)).collect();
    // Of overloads the first is shown that can take the argument at the cursor.
    let chosen = actives.iter().position(Option::is_some).unwrap_or(0);
    let index = |active: &Option<usize>| active.map(|index| ActiveParameter::Int(saturate(index)));
    Ok(Some(SignatureHelp {
        active_parameter: actives.get(chosen).and_then(index),
        active_signature: Some(saturate(chosen)),
        signatures: signatures
            .into_iter()
            .zip(&actives)
            .map(|(signature, active)| SignatureInformation {
                parameters: Some(signature.parameters.iter().map(|it| parameter(it)).collect()),
                label: signature.label,
                documentation: (!signature.doc.is_empty()).then_some(Documentation::String(signature.doc)),
                active_parameter: index(active),
            })
            .collect(),
    }))
}

fn parameter(text: &str) -> ParameterInformation {
    ParameterInformation {
        label: ParameterInformationLabel::String(text.to_owned()),
        documentation: None,
    }
}

/// The index of the parameter that the cursor's argument goes to.
fn active(signature: &Signature, call: &Call) -> Option<usize> {
    let parameters = &signature.parameters;
    if let Some(keyword) = &call.keyword {
        return parameters
            .iter()
            .position(|it| describe::parameter_name(it) == Some(keyword))
            .or_else(|| parameters.iter().position(|it| it.starts_with("**")));
    }
    // The markers `/` and `*` take no argument; `*args` takes all that are left.
    let mut left = call.index;
    for (index, parameter) in parameters.iter().enumerate() {
        match parameter.as_str() {
            "/" => {}
            "*" => return None,
            _ if parameter.starts_with("**") => return None,
            _ if parameter.starts_with('*') || left == 0 => return Some(index),
            _ => left -= 1,
        }
    }
    None
}
