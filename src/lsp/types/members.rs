//! When a type checker is needed for a list, and what is taken from the one that it gives.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use lsp_types::{CompletionItem, CompletionItemKind, SignatureHelp};
use serde::Deserialize;
use serde_json::Value;

use super::view::OURS;
use super::{Heard, Types};
use crate::lsp::analysis::Program;
use crate::lsp::analysis::cursor::Place;
use crate::lsp::analysis::model::ScopeId;
use crate::lsp::engine::Asker;
use crate::lsp::engine::builtins;
use crate::lsp::engine::candidates::{Found, MOST};
use crate::lsp::engine::description;

/// How the checker calls what it does not know.
const UNKNOWN: &str = "Unknown";

/// What a checker adds to a list.
#[derive(Debug, Default)]
pub struct Added {
    /// As it gives them, in its order: those that are not in the list.
    pub items: Vec<CompletionItem>,
    /// It has not answered yet: another request in the same place finds the answer.
    pub late: bool,
}

/// Asks `types` for what `found` lacks at byte `offset`, waiting until then. Nothing is asked where the session or the source
/// knows all that there is.
pub fn added(
    types: &Arc<Types>,
    program: &Arc<Program>,
    offset: usize,
    found: &Found,
    asker: &mut Asker,
    until: Instant,
) -> Added {
    let scope = program.model.scope_at(&program.source, offset);
    let cursor = program.cursor(offset);
    let expression = match (&cursor.place, cursor.calls.first()) {
        (Place::Attribute { base }, _) if !asker.told && lacks(program, scope, base, found) => base.as_str(),
        (Place::Module { .. } | Place::Member { .. }, _) if !asker.told && found.candidates.is_empty() => "",
        // The names are known, but not those of the arguments.
        (Place::Name, Some(call))
            if call.keyword.is_none()
                // While Python is busy, nobody waits for what is looked up by heart.
                && !(asker.busy && builtins::FUNCTIONS.binary_search(&call.callee.as_str()).is_ok())
                && description::signatures(program, scope, &call.callee, asker).is_empty() =>
        {
            call.callee.as_str()
        }
        _ => return Added::default(),
    };
    let arguments = cursor.place == Place::Name;
    let Some(asked) = types.question("textDocument/completion", program, offset) else {
        return Added::default();
    };
    let asked = asked.telling(expression, asker);
    let word = program.source.get(found.start..offset).unwrap_or_default();
    match types.list(asked, found.start, until) {
        Heard::Answer(answer) => Added {
            items: taken(&answer, word, found)
                .into_iter()
                .filter(|item| !arguments || is_argument(item))
                .collect(),
            late: false,
        },
        heard => Added {
            items: Vec::new(),
            late: matches!(heard, Heard::Late),
        },
    }
}

/// Whether something may be missing among the members of `base`: all of them, or what a class inherits from elsewhere.
fn lacks(program: &Program, scope: ScopeId, base: &str, found: &Found) -> bool {
    let model = &program.model;
    let Some(class) = model.class_of(scope, base) else {
        return found.candidates.is_empty();
    };
    let classes = model.ancestry(class).into_iter().filter_map(|it| model.scope(it));
    classes.into_iter().any(|class| {
        let is_elsewhere = |base: &str| {
            base != "object"
                && class
                    .parent
                    .is_none_or(|outer| model.class_of(outer, base).is_none())
        };
        class.bases.iter().any(|base| is_elsewhere(base))
    })
}

/// What only the checker knows, as it sorts it itself.
pub(super) fn taken(answer: &Value, word: &str, found: &Found) -> Vec<CompletionItem> {
    let list = answer.get("items").unwrap_or(answer);
    let items = list.as_array().into_iter().flatten();
    let known: HashSet<&str> = found.candidates.iter().map(|it| it.label.as_str()).collect();
    let lower = word.to_lowercase();
    let mut items: Vec<CompletionItem> = items
        .filter_map(|item| CompletionItem::deserialize(item).ok())
        .filter(|item| {
            // An item that edits other lines too is an import that nobody asked for.
            item.additional_text_edits.as_ref().is_none_or(Vec::is_empty)
                && !known.contains(item.label.as_str())
                && !item.label.is_empty()
                // What is `Unknown` and just the word, it has from the place where that is typed.
                && (item.label != word || item.detail.as_deref() != Some(UNKNOWN))
                && !item.label.starts_with(OURS)
                && item.label.to_lowercase().starts_with(&lower)
        })
        .collect();
    // What every object has tells that it does not know what this one is.
    if !word.starts_with('_') && items.iter().all(|item| item.label.starts_with("__")) {
        return Vec::new();
    }
    items.sort_by(|left, right| left.sort_text.cmp(&right.sort_text));
    items.truncate(MOST);
    items
}

/// Whether it names an argument of a call, which goes before all other names.
pub fn is_argument(item: &CompletionItem) -> bool {
    item.label.ends_with('=')
}

/// As jedi, and so Jupyter's `_jupyter_types_experimental`, calls it.
pub fn kind_name(item: &CompletionItem) -> &'static str {
    match item.kind {
        _ if is_argument(item) => "param",
        Some(CompletionItemKind::Function | CompletionItemKind::Method | CompletionItemKind::Constructor) => {
            "function"
        }
        Some(CompletionItemKind::Class | CompletionItemKind::Interface | CompletionItemKind::Enum) => "class",
        Some(CompletionItemKind::Module) => "module",
        Some(CompletionItemKind::Property | CompletionItemKind::Field) => "property",
        Some(CompletionItemKind::Keyword) => "keyword",
        _ => "instance",
    }
}

/// A text of the checker's without what it says of results that it does not know.
pub fn without_unknown(text: &str) -> String {
    let arrow = format!(" -> {UNKNOWN}");
    let lines = text
        .split('\n')
        .map(|line| line.strip_suffix(&arrow).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// The signatures that a checker gives; not those that say nothing: `(...) -> Unknown`.
pub fn signatures(answer: Value) -> Option<SignatureHelp> {
    let mut help: SignatureHelp = serde_json::from_value(answer).ok()?;
    let count = help.signatures.len();
    for signature in &mut help.signatures {
        signature.label = without_unknown(&signature.label);
    }
    help.signatures.retain(|it| it.label != "(...)");
    if help.signatures.len() < count {
        help.active_signature = None;
    }
    (!help.signatures.is_empty()).then_some(help)
}

/// The text of a hover of the checker's, in any of the protocol's forms, without its Markdown fences; none where it only says that it
/// does not know.
pub fn hover_text(hover: &Value) -> Option<String> {
    let of = |content: &Value| {
        let text = content.as_str().or_else(|| content.get("value")?.as_str())?;
        let lines = text.lines().filter(|line| !line.starts_with("```"));
        Some(lines.collect::<Vec<_>>().join("\n"))
    };
    match hover.get("contents")? {
        Value::Array(contents) => Some(contents.iter().filter_map(of).collect::<Vec<_>>().join("\n\n")),
        content => of(content),
    }
    .map(|text| without_unknown(&text))
    .filter(|text| !text.is_empty() && text != UNKNOWN)
}
