//! `textDocument/codeAction`: the mends of what [`super::diagnostics`] finds.

use std::collections::{HashMap, HashSet};

use lsp_types::{CodeAction, CodeActionKind, CodeActionParams, Range, TextEdit, Uri, WorkspaceEdit};
use ruff_text_size::TextRange;

use super::diagnostics::{self, Kind, Problem};
use crate::lsp::analysis::model::BindingKind;
use crate::lsp::analysis::{Program, size};
use crate::lsp::engine::{builtins, insertion};
use crate::lsp::index::{self, Index};
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// So many places are named from which a name may be imported.
const MOST_IMPORTS: usize = 5;

/// Actions for the problems in a range, and one that removes all unused imports.
///
/// # Errors
/// When the document is not open.
pub fn actions(session: &mut Session, params: CodeActionParams) -> Result<Vec<CodeAction>, Failure> {
    let uri = params.text_document.uri;
    let program = session.documents.program(&uri)?;
    let snapshot = session.snapshot();
    let names: Vec<&str> = snapshot.names.iter().map(|item| item.name.as_str()).collect();
    let mut actions = Vec::new();
    let mut all_unused = Vec::new();
    for problem in diagnostics::problems(&program, &snapshot) {
        let Some(range) = session.documents.range_in(&uri, &program, problem.range) else {
            continue;
        };
        if problem.kind == Kind::UnusedImport
            && let Some(edit) = removal(session, &uri, &program, &problem)
        {
            all_unused.push(edit);
        }
        if touches(range, params.range) {
            for (title, edit) in mends(session, &uri, &program, &problem, &names) {
                actions.push(CodeAction {
                    title,
                    kind: Some(CodeActionKind::QuickFix),
                    diagnostics: Some(vec![diagnostics::diagnostic(&problem, range)]),
                    edit: Some(edits(&uri, vec![edit])),
                    ..CodeAction::default()
                });
            }
        }
    }
    // Two imports of one statement would be removed by edits that overlap; those are left to the single mends.
    all_unused.sort_by_key(|edit| (edit.range.start.line, edit.range.start.character));
    let overlap = all_unused
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if touches(a.range, b.range) && a.range.end != b.range.start));
    if !all_unused.is_empty() && !overlap {
        actions.push(CodeAction {
            title: "Remove all unused imports".to_owned(),
            kind: Some(CodeActionKind::SourceFixAll),
            edit: Some(edits(&uri, all_unused)),
            ..CodeAction::default()
        });
    }
    if let Some(only) = params.context.only {
        let wanted = |kind: &CodeActionKind| {
            let kind = String::from(kind.clone());
            only.iter()
                .any(|wanted| kind.starts_with(&String::from(wanted.clone())))
        };
        actions.retain(|action| action.kind.as_ref().is_some_and(wanted));
    }
    Ok(actions)
}

fn mends(
    session: &Session,
    uri: &Uri,
    program: &Program,
    problem: &Problem,
    names: &[&str],
) -> Vec<(String, TextEdit)> {
    match problem.kind {
        Kind::UnusedImport => removal(session, uri, program, problem)
            .map(|edit| (format!("Remove unused import: {}", problem.name), edit))
            .into_iter()
            .collect(),
        Kind::Undefined => undefined(session, uri, program, problem, names),
        _ => Vec::new(),
    }
}

fn undefined(
    session: &Session,
    uri: &Uri,
    program: &Program,
    problem: &Problem,
    names: &[&str],
) -> Vec<(String, TextEdit)> {
    let mut mends = Vec::new();
    let offset = problem.range.start().to_usize();
    for import in imports(&Index::of(&session.snapshot()), &problem.name) {
        let place = insertion::of_import(program, offset, &import);
        if let Some(edit) = replace(session, uri, program, (place.offset, place.offset), &place.text) {
            mends.push((format!("Add `{import}`"), edit));
        }
    }
    let own = program.model.symbols().map(|(_, symbol)| symbol.name.as_str());
    let mut near: Vec<&str> = own
        .chain(names.iter().copied())
        .chain(builtins::FUNCTIONS)
        .filter(|name| is_near(&problem.name, name))
        .collect();
    near.sort_unstable();
    near.dedup();
    for name in near.into_iter().take(3) {
        if let Some(range) = session.documents.range_in(uri, program, problem.range) {
            let new_text = name.to_owned();
            mends.push((format!("Change to `{name}`"), TextEdit { range, new_text }));
        }
    }
    mends
}

/// The imports that would bind a name, the most usual first.
fn imports(index: &Index, name: &str) -> Vec<String> {
    let mut imports: Vec<String> = index::alias(name)
        .filter(|(module, _)| index.has(module))
        .map(|(_, import)| import.to_owned())
        .collect();
    imports.extend(index.named(name, MOST_IMPORTS).into_iter().map(|hit| hit.import));
    // Before anything is known of what is installed, the standard library is.
    if builtins::MODULES.binary_search(&name).is_ok() {
        imports.push(format!("import {name}"));
    }
    let mut known = HashSet::new();
    imports.retain(|import| known.insert(import.clone()));
    imports.truncate(MOST_IMPORTS);
    imports
}

/// The edit that removes one imported name: the whole statement when it is its only one.
fn removal(session: &Session, uri: &Uri, program: &Program, problem: &Problem) -> Option<TextEdit> {
    let binding = program.model.binding_at(problem.range)?;
    let alias = binding.signature?;
    let siblings: Vec<TextRange> = program
        .model
        .bindings_in(binding.whole)
        .map(|(_, binding)| binding)
        .filter(|it| it.whole == binding.whole && it.kind != BindingKind::Parameter)
        .filter_map(|it| it.signature)
        .collect();
    if siblings.len() > 1 {
        // With its comma: the one behind it, or for the last name the one before.
        let start = alias.start().to_usize();
        let end = alias.end().to_usize();
        let after = program.source.get(end..)?;
        let before = program.source.get(..start)?;
        let blank = |text: &str| text.len() - text.trim_start().len();
        let range = match after.trim_start().strip_prefix(',') {
            Some(rest) => {
                let comma = end + blank(after) + 1;
                (start, comma + (rest.len() - rest.trim_start_matches(' ').len()))
            }
            None => (before.trim_end().strip_suffix(',')?.len(), end),
        };
        return replace(session, uri, program, range, "");
    }
    let (start, end) = (binding.whole.start().to_usize(), binding.whole.end().to_usize());
    let line = program.line_before(start);
    let after = program.source.get(end..)?;
    let rest = after.split('\n').next().unwrap_or_default();
    match line.is_empty() && rest.trim().is_empty() {
        true => replace(session, uri, program, (start, end + rest.len() + 1), ""),
        // In a block or beside another statement, something has to stay.
        false => replace(session, uri, program, (start, end), "pass"),
    }
}

fn replace(
    session: &Session,
    uri: &Uri,
    program: &Program,
    (start, end): (usize, usize),
    new: &str,
) -> Option<TextEdit> {
    let range = TextRange::new(size(start), size(end.min(program.source.len())));
    Some(TextEdit {
        range: session.documents.range_in(uri, program, range)?,
        new_text: new.to_owned(),
    })
}

fn edits(uri: &Uri, edits: Vec<TextEdit>) -> WorkspaceEdit {
    WorkspaceEdit {
        changes: Some(HashMap::from([(uri.clone(), edits)])),
        ..WorkspaceEdit::default()
    }
}

fn touches(left: Range, right: Range) -> bool {
    let key = |position: lsp_types::Position| (position.line, position.character);
    key(left.start) <= key(right.end) && key(right.start) <= key(left.end)
}

/// True when one typing mistake (a letter too many, too few, wrong, or two swapped) lies between the names.
fn is_near(wrong: &str, right: &str) -> bool {
    let wrong: Vec<char> = wrong.chars().take(64).collect();
    let right: Vec<char> = right.chars().take(64).collect();
    if wrong.len() < 3 || wrong == right || wrong.len().abs_diff(right.len()) > 1 {
        return false;
    }
    let same = wrong.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let (a, b) = (
        wrong.get(same..).unwrap_or_default(),
        right.get(same..).unwrap_or_default(),
    );
    match (a, b) {
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([_, a @ ..], b) if a == b => true,
        (a, [_, b @ ..]) if a == b => true,
        ([p, q, a @ ..], [r, s, b @ ..]) => p == s && q == r && a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_near;

    #[test]
    fn one_mistake_is_near() {
        for wrong in ["pritn", "prnt", "printt", "prant", "xprint"] {
            assert!(is_near(wrong, "print"), "{wrong}");
        }
        for far in ["print", "pint_all", "pr", "tnirp"] {
            assert!(!is_near(far, "print"), "{far}");
        }
    }
}
