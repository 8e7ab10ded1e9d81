//! `textDocument/documentSymbol` and `workspace/symbol`.

use lsp_types::{
    BaseSymbolInformation, DocumentSymbol, DocumentSymbolParams, SymbolKind, Uri, WorkspaceSymbol,
    WorkspaceSymbolLocation, WorkspaceSymbolParams,
};

use crate::lsp::analysis::model::{Binding, BindingKind, ScopeId, Symbol};
use crate::lsp::analysis::{Program, ScopeKind, describe};
use crate::lsp::documents::Documents;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// At most this many symbols of the workspace are given.
const MOST: usize = 500;
/// Deeper than this, nothing is listed: nobody reads it.
const DEEPEST: usize = 16;

/// The outline of one document.
///
/// # Errors
/// When the document is not open.
#[allow(deprecated)] // DocumentSymbol has a deprecated field that a literal must fill.
pub fn document(session: &mut Session, params: DocumentSymbolParams) -> Result<Vec<DocumentSymbol>, Failure> {
    let uri = params.text_document.uri;
    let program = session.documents.program(&uri)?;
    let Some(module) = program.model.symbols().map(|(_, symbol)| symbol.scope).min() else {
        return Ok(Vec::new());
    };
    Ok(children(&session.documents, &program, &uri, module, 0))
}

/// Functions, classes and top-level names of all open documents that contain the query.
///
/// # Errors
/// When the request is cancelled.
pub fn workspace(
    session: &mut Session,
    params: WorkspaceSymbolParams,
) -> Result<Vec<WorkspaceSymbol>, Failure> {
    let query = params.query.to_lowercase();
    let mut found = Vec::new();
    for program in session.programs()? {
        for (_, symbol) in program.model.symbols() {
            let Some(scope) = program.model.scope(symbol.scope) else {
                continue;
            };
            let Some(binding) = symbol.bindings.first().filter(|it| is_listed(it, scope.kind)) else {
                continue;
            };
            if !symbol.name.to_lowercase().contains(&query) {
                continue;
            }
            if let Some(location) = session.documents.location(&program, binding.name) {
                found.push(WorkspaceSymbol {
                    location: WorkspaceSymbolLocation::Location(location),
                    data: None,
                    base_symbol_information: BaseSymbolInformation {
                        name: symbol.name.to_string(),
                        kind: kind(binding, scope.kind),
                        tags: None,
                        container_name: (!scope.name.is_empty()).then(|| scope.name.to_string()),
                    },
                });
            }
            if found.len() >= MOST {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

#[allow(deprecated)] // As above.
fn children(
    documents: &Documents,
    program: &Program,
    uri: &Uri,
    scope: ScopeId,
    depth: usize,
) -> Vec<DocumentSymbol> {
    let Some(within) = program.model.scope(scope) else {
        return Vec::new();
    };
    let mut symbols: Vec<(&Symbol, &Binding)> = within
        .symbols
        .values()
        .filter_map(|id| program.model.symbol(*id))
        .flat_map(|symbol| {
            // A function or class that is defined again is listed again; a variable once.
            let opens = symbol.bindings.iter().filter(|it| it.opens.is_some());
            let first = symbol.bindings.iter().take(1).filter(|it| it.opens.is_none());
            opens.chain(first).map(move |binding| (symbol, binding))
        })
        .filter(|(_, binding)| is_listed(binding, within.kind))
        .collect();
    symbols.sort_by_key(|(_, binding)| binding.name.start());
    symbols
        .into_iter()
        .filter_map(|(symbol, binding)| {
            let nested = match binding.opens {
                Some(scope) if depth < DEEPEST => children(documents, program, uri, scope, depth + 1),
                _ => Vec::new(),
            };
            Some(DocumentSymbol {
                name: symbol.name.to_string(),
                detail: binding
                    .opens
                    .map(|_| describe::headline(program, symbol, binding)),
                kind: kind(binding, within.kind),
                tags: None,
                deprecated: None,
                range: documents.range_in(uri, program, binding.whole)?,
                selection_range: documents.range_in(uri, program, binding.name)?,
                children: (!nested.is_empty()).then_some(nested),
            })
        })
        .collect()
}

fn is_listed(binding: &Binding, within: ScopeKind) -> bool {
    match binding.kind {
        BindingKind::Function | BindingKind::Class => true,
        BindingKind::Variable | BindingKind::Type => {
            matches!(within, ScopeKind::Module | ScopeKind::Class)
        }
        _ => false,
    }
}

fn kind(binding: &Binding, within: ScopeKind) -> SymbolKind {
    match (&binding.kind, within) {
        (BindingKind::Class, _) => SymbolKind::Class,
        (BindingKind::Function, ScopeKind::Class) => SymbolKind::Method,
        (BindingKind::Function, _) => SymbolKind::Function,
        (_, ScopeKind::Class) => SymbolKind::Field,
        _ => SymbolKind::Variable,
    }
}
