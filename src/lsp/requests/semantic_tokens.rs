//! `textDocument/semanticTokens`: what each name is. Keywords, strings and numbers are left to the editor's grammar.

use lsp_types::{Range, SemanticTokensParams, SemanticTokensRangeParams, Uri};
use ruff_text_size::TextRange;
use serde_json::{Value, json};

use crate::lsp::analysis::model::{Binding, BindingKind, Symbol};
use crate::lsp::analysis::{Named, Program, ScopeKind, size};
use crate::lsp::documents::text::saturate;
use crate::lsp::engine::builtins;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

const TYPES: [&str; 9] = [
    "namespace",
    "class",
    "function",
    "method",
    "property",
    "parameter",
    "variable",
    "typeParameter",
    "macro",
];
const MODIFIERS: [&str; 4] = ["definition", "readonly", "async", "defaultLibrary"];
const DEFINITION: u32 = 1;
const READONLY: u32 = 2;
const DEFAULT_LIBRARY: u32 = 8;

/// The names that the numbers stand for.
pub fn legend() -> Value {
    json!({"tokenTypes": TYPES, "tokenModifiers": MODIFIERS})
}

/// All tokens of a document.
///
/// # Errors
/// When the document is not open.
pub fn full(session: &mut Session, params: SemanticTokensParams) -> Result<Value, Failure> {
    tokens(session, &params.text_document.uri, None)
}

/// The tokens that start in a range of lines.
///
/// # Errors
/// When the document is not open.
pub fn range(session: &mut Session, params: SemanticTokensRangeParams) -> Result<Value, Failure> {
    tokens(session, &params.text_document.uri, Some(params.range))
}

fn tokens(session: &mut Session, uri: &Uri, only: Option<Range>) -> Result<Value, Failure> {
    let program = session.documents.program(uri)?;
    let encoding = session.documents.encoding;
    let text = &session.documents.document(uri)?.text;
    let Some(part) = program.parts.iter().find(|part| part.uri == *uri) else {
        return Ok(json!({"data": []}));
    };
    let mut data: Vec<u32> = Vec::new();
    let (mut last_line, mut last_start) = (0, 0);
    // A cursor through the line: each token counts on from the one before it, so long lines cost no more.
    let (mut line, mut counted_to, mut units) = (usize::MAX, 0, 0);
    let mut last = None;
    for (range, named) in program
        .model
        .named_in(TextRange::new(size(part.start), size(part.end)))
    {
        // What is bound and used at once (`x += 1`) is one token.
        let Some((kind, modifiers)) = classify(&program, *named).filter(|_| last != Some(*range)) else {
            continue;
        };
        last = Some(*range);
        let local = range.start().to_usize() - part.start;
        let at_line = text.line_of(local);
        if only.is_some_and(|only| at_line < only.start.line as usize || at_line > only.end.line as usize) {
            continue;
        }
        if at_line != line {
            (line, counted_to, units) = (at_line, text.line_start(at_line), 0);
        }
        let between = text.as_str().get(counted_to..local).unwrap_or_default();
        units += encoding.length(between);
        counted_to = local;
        let (here_line, here_start) = (saturate(line), saturate(units));
        let delta_line = here_line - last_line;
        let delta_start = match delta_line {
            0 => here_start - last_start,
            _ => here_start,
        };
        let length = saturate(encoding.length(program.text(*range)));
        data.extend([delta_line, delta_start, length, kind, modifiers]);
        (last_line, last_start) = (here_line, here_start);
    }
    Ok(json!({"data": data}))
}

/// The type and the modifiers of what is named there, if it has any.
fn classify(program: &Program, named: Named) -> Option<(u32, u32)> {
    let model = &program.model;
    match named {
        Named::Bound(id, _) | Named::Used(id) => {
            let symbol = model.symbol(id)?;
            let is_constant =
                symbol.name.chars().any(char::is_uppercase) && !symbol.name.chars().any(char::is_lowercase);
            let definition = if matches!(named, Named::Bound(..)) {
                DEFINITION
            } else {
                0
            };
            let readonly = if is_constant { READONLY } else { 0 };
            Some((
                kind(program, symbol, symbol.bindings.last()?),
                readonly | definition,
            ))
        }
        Named::Attribute(index) => {
            let attribute = model.attributes.get(index)?;
            let is_method = model
                .member(attribute.class, &attribute.name)
                .and_then(|id| model.symbol(id)?.bindings.last())
                .is_some_and(|binding| binding.kind == BindingKind::Function);
            Some((index_of(if is_method { "method" } else { "property" }), 0))
        }
        Named::Keyword(_) => Some((index_of("parameter"), 0)),
        Named::Unresolved(index) => match model.unresolved.get(index)?.name.as_str() {
            it if builtins::TYPES.binary_search(&it).is_ok() => Some((index_of("class"), DEFAULT_LIBRARY)),
            it if builtins::FUNCTIONS.binary_search(&it).is_ok() => {
                Some((index_of("function"), DEFAULT_LIBRARY))
            }
            _ => None,
        },
        Named::Module(_) => None,
    }
}

fn kind(program: &Program, symbol: &Symbol, binding: &Binding) -> u32 {
    let in_class = program
        .model
        .scope(symbol.scope)
        .is_some_and(|scope| scope.kind == ScopeKind::Class);
    index_of(match &binding.kind {
        BindingKind::Import { .. } => "namespace",
        BindingKind::FromImport { member, .. } => {
            match member.starts_with(|char: char| char.is_uppercase()) {
                true => "class",
                false => "variable",
            }
        }
        BindingKind::Function if in_class => "method",
        BindingKind::Function => "function",
        BindingKind::Class => "class",
        BindingKind::Parameter => "parameter",
        BindingKind::Type => "typeParameter",
        _ if in_class => "property",
        _ => "variable",
    })
}

fn index_of(name: &str) -> u32 {
    saturate(TYPES.iter().position(|it| *it == name).unwrap_or(0))
}
