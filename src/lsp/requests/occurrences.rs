//! All places where the thing under the cursor is named: shared by definition, references, highlight and rename.

use std::collections::HashMap;

use ruff_text_size::TextRange;

use crate::lsp::analysis::Program;
use crate::lsp::analysis::model::{Model, ScopeId, Symbol};

/// One place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The identifier.
    pub range: TextRange,
    /// True where it is bound or assigned.
    pub write: bool,
}

/// The thing under the cursor and its places, in order.
#[derive(Debug)]
pub struct Occurrences {
    /// Its name.
    pub name: String,
    /// Where it is named.
    pub places: Vec<Occurrence>,
    /// The first place that binds it.
    pub definition: Option<TextRange>,
    /// Named where a rename cannot reach: in a magic or in `__all__`.
    pub mentioned: bool,
}

impl Program {
    /// Finds what is named at byte `offset` and all of its places in this program.
    pub fn occurrences(&self, offset: usize) -> Option<Occurrences> {
        let model = &self.model;
        if let Some(attribute) = model.attribute_at(offset) {
            return Some(of_member(model, attribute.class, &attribute.name));
        }
        if let Some(keyword) = model.keyword_at(offset)
            && let Some(id) = model.scope(keyword.function)?.symbols.get(&keyword.name)
        {
            return Some(of_symbol(model, model.symbol(*id)?));
        }
        let (id, _) = model.symbol_at(offset)?;
        let symbol = model.symbol(id)?;
        let scope = model.scope(symbol.scope)?;
        match scope.kind {
            crate::lsp::analysis::ScopeKind::Class => Some(of_member(model, symbol.scope, &symbol.name)),
            _ => Some(of_symbol(model, symbol)),
        }
    }
}

/// The places of a symbol.
pub fn of_symbol(model: &Model, symbol: &Symbol) -> Occurrences {
    let mut places = own_places(symbol);
    // A parameter is also named by the keywords of calls.
    let keywords = model
        .keywords
        .iter()
        .filter(|it| it.function == symbol.scope && it.name == symbol.name);
    places.extend(keywords.map(|it| Occurrence {
        range: it.range,
        write: false,
    }));
    finish(symbol.name.to_string(), places, symbol.mentioned)
}

fn of_member(model: &Model, class: ScopeId, name: &str) -> Occurrences {
    let owner = model.owner(class, name);
    let mut known: HashMap<ScopeId, bool> = HashMap::new();
    let mut same = |class| {
        *known
            .entry(class)
            .or_insert_with(|| model.owner(class, name) == owner)
    };
    let mut places: Vec<Occurrence> = model
        .attributes
        .iter()
        .filter(|it| it.name == name && same(it.class))
        .map(|it| Occurrence {
            range: it.range,
            write: it.store,
        })
        .collect();
    let mut mentioned = false;
    for (_, symbol) in model.symbols().filter(|(_, symbol)| symbol.name == name) {
        let is_class = model
            .scope(symbol.scope)
            .is_some_and(|scope| scope.kind == crate::lsp::analysis::ScopeKind::Class);
        if is_class && same(symbol.scope) {
            places.extend(own_places(symbol));
            mentioned |= symbol.mentioned;
        }
    }
    finish(name.to_owned(), places, mentioned)
}

fn own_places(symbol: &Symbol) -> Vec<Occurrence> {
    let bound = symbol.bindings.iter().map(|binding| Occurrence {
        range: binding.name,
        write: true,
    });
    let used = symbol.uses.iter().map(|range| Occurrence {
        range: *range,
        write: false,
    });
    bound.chain(used).collect()
}

fn finish(name: String, mut places: Vec<Occurrence>, mentioned: bool) -> Occurrences {
    places.sort_by_key(|it| (it.range.start(), !it.write));
    places.dedup_by_key(|it| it.range);
    Occurrences {
        name,
        definition: places.iter().find(|it| it.write).map(|it| it.range),
        places,
        mentioned,
    }
}
