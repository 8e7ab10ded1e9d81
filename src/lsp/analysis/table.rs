//! What stands where: every name of a program and every scope, sorted by offset, so that each question "what is here"
//! is a binary search.
//!
//! Made once for each model: the scopes when all names are resolved, the names when they are first asked for.

use std::cmp::Reverse;
use std::sync::OnceLock;

use ruff_text_size::{TextRange, TextSize};

use super::model::{
    AttributeUse, Binding, KeywordUse, Model, ModuleUse, ScopeId, ScopeKind, Symbol, SymbolId,
};

/// What an identifier is, as an index into the lists of its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// A binding of a symbol, and which of its bindings.
    Bound(SymbolId, usize),
    /// A use of a symbol.
    Used(SymbolId),
    /// One of [`Model::attributes`].
    Attribute(usize),
    /// One of [`Model::modules`].
    Module(usize),
    /// One of [`Model::keywords`].
    Keyword(usize),
    /// One of [`Model::unresolved`].
    Unresolved(usize),
}

/// The names and scopes of a model by where they stand.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Identifiers by their start. Two overlap only where they are the same. Made when first asked for: what only
    /// completes while somebody types needs no more than the scopes.
    names: OnceLock<Vec<(TextRange, Named)>>,
    /// From each offset on, the text belongs to this scope.
    regions: Vec<(TextSize, ScopeId)>,
    /// Functions and classes by their end; of those that end together the outer first.
    ends: Vec<(TextSize, ScopeId)>,
}

impl Table {
    /// The table of a resolved model. `regions` says which text belongs to which scope, each region before those within.
    pub(super) fn of(model: &Model, regions: Vec<(TextRange, ScopeId)>) -> Self {
        let mut ends: Vec<_> = model
            .scopes
            .iter()
            .enumerate()
            .filter(|(_, scope)| matches!(scope.kind, ScopeKind::Function | ScopeKind::Class))
            .map(|(index, scope)| (scope.range.end(), ScopeId(index)))
            .collect();
        ends.sort_unstable();
        Self {
            names: OnceLock::new(),
            regions: flatten(regions),
            ends,
        }
    }

    fn region(&self, at: TextSize) -> ScopeId {
        let next = self.regions.partition_point(|(start, _)| *start <= at);
        let here = next.checked_sub(1).and_then(|index| self.regions.get(index));
        here.map_or(ScopeId(0), |(_, scope)| *scope)
    }
}

/// Nested regions as one list without nesting.
fn flatten(mut nested: Vec<(TextRange, ScopeId)>) -> Vec<(TextSize, ScopeId)> {
    // The sort keeps the order of equal regions, of which the inner one comes last.
    nested.sort_by_key(|(range, _)| (range.start(), Reverse(range.end())));
    let mut flat: Vec<(TextSize, ScopeId)> = Vec::new();
    let mut open: Vec<(TextSize, ScopeId)> = Vec::new();
    let close = |flat: &mut Vec<_>, open: &mut Vec<(TextSize, ScopeId)>, until: Option<TextSize>| {
        while let Some((end, _)) = open.pop_if(|(end, _)| until.is_none_or(|until| *end <= until)) {
            flat.push((end, open.last().map_or(ScopeId(0), |(_, scope)| *scope)));
        }
    };
    for (range, scope) in nested {
        close(&mut flat, &mut open, Some(range.start()));
        flat.push((range.start(), scope));
        open.push((range.end(), scope));
    }
    close(&mut flat, &mut open, None);
    flat
}

impl Model {
    fn names(&self) -> &[(TextRange, Named)] {
        self.table.names.get_or_init(|| self.sorted_names())
    }

    fn sorted_names(&self) -> Vec<(TextRange, Named)> {
        let mut names = Vec::new();
        for (id, symbol) in self.symbols() {
            let bound = symbol.bindings.iter().enumerate();
            names.extend(bound.map(|(index, binding)| (binding.name, Named::Bound(id, index))));
            names.extend(symbol.uses.iter().map(|range| (*range, Named::Used(id))));
        }
        let attributes = self.attributes.iter().map(|it| it.range).enumerate();
        names.extend(attributes.map(|(index, range)| (range, Named::Attribute(index))));
        let modules = self.modules.iter().map(|it| it.range).enumerate();
        names.extend(modules.map(|(index, range)| (range, Named::Module(index))));
        let keywords = self.keywords.iter().map(|it| it.range).enumerate();
        names.extend(keywords.map(|(index, range)| (range, Named::Keyword(index))));
        let unresolved = self.unresolved.iter().map(|it| it.range).enumerate();
        names.extend(unresolved.map(|(index, range)| (range, Named::Unresolved(index))));
        names.sort_unstable_by_key(|(range, named)| (range.start(), range.end(), *named));
        names
    }

    /// What is named at `offset`, the cursor before or behind it included.
    pub fn named_at(&self, offset: usize) -> impl Iterator<Item = (TextRange, Named)> {
        let at = super::size(offset);
        let names = self.names();
        let next = names.partition_point(|(range, _)| range.start() <= at);
        let before = names.get(..next).unwrap_or_default().iter().rev();
        before.take_while(move |(range, _)| range.end() >= at).copied()
    }

    /// What is named in `range`, in order.
    pub fn named_in(&self, range: TextRange) -> &[(TextRange, Named)] {
        let names = self.names();
        let from = names.partition_point(|(name, _)| name.start() < range.start());
        let to = names.partition_point(|(name, _)| name.start() < range.end());
        names.get(from..to).unwrap_or_default()
    }

    /// The symbol whose binding or use covers `offset`, with the range under the cursor.
    pub fn symbol_at(&self, offset: usize) -> Option<(SymbolId, TextRange)> {
        self.named_at(offset).find_map(|(range, named)| match named {
            Named::Bound(id, _) | Named::Used(id) => Some((id, range)),
            _ => None,
        })
    }

    /// The attribute of a known class that covers `offset`.
    pub fn attribute_at(&self, offset: usize) -> Option<&AttributeUse> {
        self.named_at(offset).find_map(|(_, named)| match named {
            Named::Attribute(index) => self.attributes.get(index),
            _ => None,
        })
    }

    /// The attribute of an imported module that covers `offset`.
    pub fn module_at(&self, offset: usize) -> Option<&ModuleUse> {
        self.named_at(offset).find_map(|(_, named)| match named {
            Named::Module(index) => self.modules.get(index),
            _ => None,
        })
    }

    /// The keyword of a call of a known function that covers `offset`.
    pub fn keyword_at(&self, offset: usize) -> Option<&KeywordUse> {
        self.named_at(offset).find_map(|(_, named)| match named {
            Named::Keyword(index) => self.keywords.get(index),
            _ => None,
        })
    }

    /// The bindings whose names stand in `range`, with their symbols.
    pub fn bindings_in(&self, range: TextRange) -> impl Iterator<Item = (&Symbol, &Binding)> {
        self.named_in(range).iter().filter_map(|(_, named)| match named {
            Named::Bound(id, index) => {
                let symbol = self.symbol(*id)?;
                Some((symbol, symbol.bindings.get(*index)?))
            }
            _ => None,
        })
    }

    /// The binding whose name is exactly `name`.
    pub fn binding_at(&self, name: TextRange) -> Option<&Binding> {
        self.bindings_in(name)
            .map(|(_, binding)| binding)
            .find(|binding| binding.name == name)
    }

    /// The innermost scope around `offset`. Blank lines behind a body belong to it when the cursor stands deeper than
    /// its `def` or `class`.
    pub fn scope_at(&self, source: &str, offset: usize) -> ScopeId {
        let is_word = |char: char| char == '_' || char.is_alphanumeric();
        let (before, after) = source.split_at_checked(offset).unwrap_or((source, ""));
        let begins_word = after.starts_with(is_word) && !before.ends_with(is_word);
        // The cursor belongs to what is before it, but at the begin of a word to the word.
        let here = self.table.region(super::size(if begins_word {
            offset
        } else {
            offset.saturating_sub(1)
        }));
        self.trailed(source, offset, here).unwrap_or(here)
    }

    /// The function or class within `here` that has ended before `offset`, but goes on there by indentation.
    fn trailed(&self, source: &str, offset: usize, here: ScopeId) -> Option<ScopeId> {
        let at = super::size(offset);
        let line = line_start(source, offset);
        let column = indentation(source, line).min(offset.saturating_sub(line));
        let ends = &self.table.ends;
        let ended = ends.get(..ends.partition_point(|(end, _)| *end < at))?;
        let (last, _) = ended.last()?;
        let mut together = ended.iter().rev().take_while(|(end, _)| end == last);
        together.find_map(|(_, id)| {
            let range = self.scope(*id)?.range;
            let within = self.scope(here)?.range.start() <= range.start();
            (within && trails(source, range, offset, column)).then_some(*id)
        })
    }
}

/// True when only blank or deeper-indented lines stand between a body's end and `offset`.
fn trails(source: &str, range: TextRange, offset: usize, column: usize) -> bool {
    let between = source.get(range.end().to_usize()..offset).unwrap_or_default();
    let Some((rest, lines)) = between.split_once(['\n', '\r']) else {
        return between.trim().is_empty();
    };
    let own = indentation(source, line_start(source, range.start().to_usize()));
    column > own
        && (rest.trim().is_empty() || rest.trim_start().starts_with('#'))
        && lines
            .lines()
            .all(|line| line.trim().is_empty() || line.len() - line.trim_start().len() > own)
}

/// The width of the indentation of the line that starts at `start`, in bytes.
fn indentation(source: &str, start: usize) -> usize {
    let line = source.get(start..).unwrap_or_default();
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

fn line_start(source: &str, offset: usize) -> usize {
    let before = source.get(..offset).unwrap_or(source);
    before.rfind(['\n', '\r']).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use crate::lsp::analysis::{Program, ScopeKind};

    /// The program without its `|`, and where that stood.
    fn at_cursor(marked: &str) -> (Program, usize) {
        let offset = marked.find('|').unwrap_or_default();
        (Program::plain(&marked.replacen('|', "", 1)), offset)
    }

    #[test]
    fn names_that_are_seen_at_the_cursor() {
        for (marked, expected) in [
            ("[x for x in a|]", ""),
            ("[x| for x in a]", "x"),
            ("[|x for x in a]", "x"),
            ("f(|x for x in a)", "x"),
            ("[x for x in a if |]", "x"),
            ("[x for x in [y| for y in b]]", "y"),
            ("[x for x in [y for y in b|]]", ""),
            ("[x for x in (lambda z: z|)(b)]", "z"),
            ("[x for x in a for y in |b]", "x y"),
            ("lambda a, b=c|: a", ""),
            ("lambda a, b=(lambda d: d|): a", "d"),
            ("lambda a, b=1: a|", "a b"),
            ("def f(a, b=c|): pass", ""),
            ("def f(a, b=[d| for d in e]): pass", "d"),
            ("def f(a: t|, b) -> int: pass", ""),
            ("def f(a, b) -> t|: pass", ""),
            ("def f[T](a: t|, b): pass", "T"),
            ("def f(a): return a|", "a"),
            ("def f(a): return a |", "a"),
            ("def f(a):\n    x = 1  # why\n    |", "a x"),
            ("def f(a):\n    x = 1\n\n    |\n\ny = 2", "a x"),
            ("def f(a):\n    x = 1\n|", ""),
            ("def f(a):\n    def g(b):\n        x\n        |", "a b g"),
            ("def f(a):\n    def g(b):\n        x\n    |", "a g"),
            ("@d(lambda q: q|)\nclass A(B):\n    x = 1", "q"),
            ("@d|\nclass A(B):\n    x = 1", ""),
            ("class A(B|):\n    x = 1", ""),
            ("class A(B):\n    x = 1\n    y = x|", "x y"),
            ("class A:\n    x = 1\n    def f(self): return s|", "self"),
            ("class A:\n    x = 1\n    def f[T](self, a: x|): ...", "T f x"),
            ("class A:\n    x = 1\n    y = [z for z in x|]", "x y"),
        ] {
            let (program, offset) = at_cursor(marked);
            let scope = program.model.scope_at(&program.source, offset);
            let scopes = program.model.visible(scope).map(|(_, scope)| scope);
            let mut names: Vec<&str> = scopes
                .filter(|scope| scope.kind != ScopeKind::Module)
                .flat_map(|scope| scope.symbols.keys().map(|name| name.as_str()))
                .collect();
            names.sort_unstable();
            assert_eq!(names.join(" "), expected, "{marked}");
        }
    }

    #[test]
    fn all_places_of_the_name_at_the_cursor() {
        for (marked, expected) in [
            (
                "def f():\n    def g():\n        nonlocal x|\n        x = 2\n    x = 1\n    return x",
                4,
            ),
            (
                "def f():\n    def g():\n        nonlocal x\n        x| += 2\n    x = 1",
                3,
            ),
            (
                "x = 0\ndef f():\n    def g():\n        nonlocal x\n        x = 2\n    x| = 1",
                3,
            ),
            (
                "x| = 0\ndef f():\n    def g():\n        nonlocal x\n        x = 2\n    x = 1",
                1,
            ),
            (
                "def f():\n    def g():\n        nonlocal x\n        def h():\n            nonlocal x\n            x| = 3\n        x = 2\n    x = 1",
                5,
            ),
            ("def f():\n    global x\n    x| = 1\nx", 3),
            ("x = 1\nx| += 1\nprint(x)", 3),
            ("|a.b", 0),
            ("a = 1\n%time b = f(a|)\nb", 2),
            ("a = 1\n%time b| = f(a)\nb", 2),
            ("%%capture o|ut\nprint()\n", 1),
            ("import a.b\na.b.c|", 0),
        ] {
            let (program, offset) = at_cursor(marked);
            let found = program.occurrences(offset).map(|found| found.places);
            assert_eq!(found.unwrap_or_default().len(), expected, "{marked}");
        }
    }
}
