//! `textDocument/selectionRange`: from the word outwards through the syntax tree.

use lsp_types::{Range, SelectionRange, SelectionRangeParams};
use ruff_python_ast::AnyNodeRef;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::lsp::analysis::size;
use crate::lsp::link::Failure;
use crate::lsp::session::Session;

/// One chain of growing ranges for each position.
///
/// # Errors
/// When the document is not open.
pub fn selection(
    session: &mut Session,
    params: SelectionRangeParams,
) -> Result<Vec<SelectionRange>, Failure> {
    let uri = params.text_document.uri;
    let mut chains = Vec::new();
    for position in params.positions {
        let (program, offset) = session.documents.locate(&uri, position)?;
        let mut finder = Finder {
            at: size(offset),
            found: Vec::new(),
        };
        if let Some(part) = program.parts.iter().find(|part| part.uri == uri) {
            finder
                .found
                .push(TextRange::new(size(part.start), size(part.end)));
        }
        finder.visit_body(program.module.suite());
        if let Some((_, word)) = program.expression_at(offset) {
            finder.found.push(word);
        }
        let mut chain: Option<SelectionRange> = None;
        for range in finder.found {
            let Some(range) = session.documents.range_in(&uri, &program, range) else {
                continue;
            };
            if chain.as_ref().is_none_or(|outer| grows(outer.range, range)) {
                chain = Some(SelectionRange {
                    range,
                    parent: chain.map(Box::new),
                });
            }
        }
        chains.push(chain.unwrap_or(SelectionRange {
            range: Range {
                start: position,
                end: position,
            },
            parent: None,
        }));
    }
    Ok(chains)
}

/// True when `inner` lies within `outer` and is smaller.
fn grows(outer: Range, inner: Range) -> bool {
    let key = |position: lsp_types::Position| (position.line, position.character);
    key(outer.start) <= key(inner.start) && key(inner.end) <= key(outer.end) && outer != inner
}

struct Finder {
    at: TextSize,
    found: Vec<TextRange>,
}

impl<'a> SourceOrderVisitor<'a> for Finder {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if !node.range().contains_inclusive(self.at) {
            return TraversalSignal::Skip;
        }
        self.found.push(node.range());
        TraversalSignal::Traverse
    }
}
