//! Resolving names and attributes once all bindings are known, and the questions that requests ask of a model.

use std::collections::HashSet;

use ruff_text_size::{TextRange, TextSize};

use super::model::{
    AttributeUse, BindingKind, KeywordUse, Model, Scope, ScopeId, ScopeKind, Symbol, SymbolId, Unresolved,
    Value,
};

/// Uses that wait for the end of the walk.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) uses: Vec<(ScopeId, String, TextRange)>,
    pub(super) mentions: Vec<(ScopeId, String)>,
    pub(super) attributes: Vec<PendingAttribute>,
    pub(super) keywords: Vec<PendingKeyword>,
}

/// `callee(name=…)` as written.
pub(super) struct PendingKeyword {
    pub(super) scope: ScopeId,
    pub(super) callee: String,
    pub(super) name: String,
    pub(super) range: TextRange,
}

/// `base.name` as written.
pub(super) struct PendingAttribute {
    pub(super) scope: ScopeId,
    pub(super) base: String,
    pub(super) name: String,
    pub(super) range: TextRange,
    pub(super) store: bool,
}

/// How many steps from an alias to a class are followed.
const MAX_STEPS: usize = 8;

pub(super) fn resolve(mut model: Model, pending: Pending) -> Model {
    for (scope, name, range) in pending.uses {
        match model.lookup(scope, &name) {
            Some(id) => {
                if let Some(symbol) = model.symbols.get_mut(id.0) {
                    symbol.uses.push(range);
                }
            }
            None => {
                let excused = model.chain(scope).any(|(_, scope)| scope.dynamic);
                model.unresolved.push(Unresolved { name, range, excused });
            }
        }
    }
    for (scope, name) in pending.mentions {
        if let Some(id) = model.lookup(scope, &name)
            && let Some(symbol) = model.symbols.get_mut(id.0)
        {
            symbol.mentioned = true;
        }
    }
    for attribute in pending.attributes {
        if let Some(class) = model.class_of(attribute.scope, &attribute.base) {
            model.attributes.push(AttributeUse {
                class,
                name: attribute.name,
                range: attribute.range,
                store: attribute.store,
            });
        }
    }
    for keyword in pending.keywords {
        if let Some(function) = model.function_of(keyword.scope, &keyword.callee) {
            model.keywords.push(KeywordUse {
                function,
                name: keyword.name,
                range: keyword.range,
            });
        }
    }
    model
}

impl Model {
    /// A scope by its id.
    pub fn scope(&self, id: ScopeId) -> Option<&Scope> {
        self.scopes.get(id.0)
    }

    /// A symbol by its id.
    pub fn symbol(&self, id: SymbolId) -> Option<&Symbol> {
        self.symbols.get(id.0)
    }

    /// All symbols with their ids.
    pub fn symbols(&self) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        self.symbols
            .iter()
            .enumerate()
            .map(|(index, symbol)| (SymbolId(index), symbol))
    }

    /// A name of the program's outermost scope.
    pub fn module_symbol(&self, name: &str) -> Option<&Symbol> {
        self.symbol(*self.scopes.first()?.symbols.get(name)?)
    }

    /// The scope and its ancestors, innermost first.
    pub fn chain(&self, scope: ScopeId) -> impl Iterator<Item = (ScopeId, &Scope)> {
        let mut next = Some(scope);
        std::iter::from_fn(move || {
            let id = next?;
            let scope = self.scope(id)?;
            next = scope.parent;
            Some((id, scope))
        })
    }

    /// The scopes whose names code in `scope` sees: its own, and all around it but classes.
    pub fn visible(&self, scope: ScopeId) -> impl Iterator<Item = (ScopeId, &Scope)> {
        self.chain(scope)
            .filter(move |(id, candidate)| *id == scope || candidate.kind != ScopeKind::Class)
    }

    /// What `name` means in `scope`.
    pub fn lookup(&self, scope: ScopeId, name: &str) -> Option<SymbolId> {
        self.visible(scope).find_map(|(_, scope)| {
            if scope.globals.contains(name) {
                return self.scopes.first()?.symbols.get(name).copied();
            }
            scope.symbols.get(name).copied()
        })
    }

    /// The scope in which an assignment to `name` in `scope` binds it.
    pub fn binding_scope(&self, scope: ScopeId, name: &str) -> ScopeId {
        let Some(here) = self.scope(scope) else {
            return scope;
        };
        if here.globals.contains(name) {
            return ScopeId(0);
        }
        if here.nonlocals.contains(name) {
            return self
                .visible(scope)
                .skip(1)
                .find(|(_, outer)| outer.symbols.contains_key(name))
                .map_or(scope, |(id, _)| id);
        }
        scope
    }

    /// Where `:=` in `scope` binds: outside of all comprehensions.
    pub fn enclosing_statement_scope(&self, scope: ScopeId) -> ScopeId {
        self.chain(scope)
            .find(|(_, scope)| scope.kind != ScopeKind::Comprehension)
            .map_or(scope, |(id, _)| id)
    }

    /// The innermost scope around `offset`. A body's trailing blank lines belong to it when the cursor stands
    /// deeper than its `def` or `class`.
    pub fn scope_at(&self, source: &str, offset: usize) -> ScopeId {
        let at = super::size(offset);
        let line = usize::from(line_start(source, at));
        let column = indentation(source, line).min(offset.saturating_sub(line));
        let mut best = ScopeId(0);
        for (index, scope) in self.scopes.iter().enumerate().skip(1) {
            let inside = scope.range.contains_inclusive(at);
            let trails = !inside
                && matches!(scope.kind, ScopeKind::Function | ScopeKind::Class)
                && scope.range.end() < at
                && trails(source, scope.range, offset, column);
            // Scopes are numbered in order of their start, so the last that fits is the innermost.
            if inside || trails {
                best = ScopeId(index);
            }
        }
        best
    }

    /// The symbol whose binding or use covers `offset`, with the range under the cursor.
    pub fn symbol_at(&self, offset: usize) -> Option<(SymbolId, TextRange)> {
        let at = super::size(offset);
        self.symbols().find_map(|(id, symbol)| {
            let bound = symbol.bindings.iter().map(|binding| binding.name);
            let range = bound
                .chain(symbol.uses.iter().copied())
                .find(|range| range.contains_inclusive(at))?;
            Some((id, range))
        })
    }

    /// The attribute of a known class that covers `offset`.
    pub fn attribute_at(&self, offset: usize) -> Option<&AttributeUse> {
        let at = super::size(offset);
        self.attributes
            .iter()
            .find(|attribute| attribute.range.contains_inclusive(at))
    }

    /// The class of this program that `dotted` is or is an instance of.
    pub fn class_of(&self, scope: ScopeId, dotted: &str) -> Option<ScopeId> {
        let mut names = dotted.split('.');
        let first = names.next()?;
        let mut class = self.class_of_name(scope, first, 0)?;
        for name in names {
            let member = self.member(class, name)?;
            class = self.class_of_symbol(member, 0)?;
        }
        Some(class)
    }

    fn class_of_name(&self, scope: ScopeId, name: &str, steps: usize) -> Option<ScopeId> {
        for (id, here) in self.visible(scope) {
            if here.receiver.as_deref() == Some(name) {
                return self
                    .chain(id)
                    .find(|(_, scope)| scope.kind == ScopeKind::Class)
                    .map(|(id, _)| id);
            }
            if here.symbols.contains_key(name) {
                break;
            }
        }
        self.class_of_symbol(self.lookup(scope, name)?, steps)
    }

    fn class_of_symbol(&self, id: SymbolId, steps: usize) -> Option<ScopeId> {
        if steps > MAX_STEPS {
            return None;
        }
        let symbol = self.symbol(id)?;
        let binding = symbol.bindings.last()?;
        match (&binding.kind, &binding.value) {
            (BindingKind::Class, _) => binding.opens,
            (_, Some(Value::Call(name) | Value::Name(name))) if !name.contains('.') => {
                self.class_of_name(symbol.scope, name, steps + 1)
            }
            _ => None,
        }
    }

    /// The scope of the function of this program that calling `dotted` runs; for a class, its `__init__`.
    pub fn function_of(&self, scope: ScopeId, dotted: &str) -> Option<ScopeId> {
        let id = match dotted.rsplit_once('.') {
            None => self.lookup(scope, dotted)?,
            Some((base, name)) => self.member(self.class_of(scope, base)?, name)?,
        };
        let binding = self.symbol(id)?.bindings.last()?;
        match binding.kind {
            BindingKind::Function => binding.opens,
            BindingKind::Class => {
                let init = self.member(binding.opens?, "__init__")?;
                self.symbol(init)?.bindings.last()?.opens
            }
            _ => None,
        }
    }

    /// The class and its bases within the program, in order of lookup.
    pub fn ancestry(&self, class: ScopeId) -> Vec<ScopeId> {
        let mut found = vec![class];
        let mut next = 0;
        while let Some(class) = found.get(next).copied() {
            next += 1;
            let Some(scope) = self.scope(class) else {
                continue;
            };
            let outer = scope.parent.unwrap_or(ScopeId(0));
            for base in &scope.bases {
                if let Some(base) = self.class_of_name(outer, base, 0)
                    && !found.contains(&base)
                    && found.len() < 64
                {
                    found.push(base);
                }
            }
        }
        found
    }

    /// A name of the class body or of its bases'.
    pub fn member(&self, class: ScopeId, name: &str) -> Option<SymbolId> {
        self.ancestry(class)
            .into_iter()
            .find_map(|class| self.scope(class)?.symbols.get(name).copied())
    }

    /// The class that introduces `name`: the furthest ancestor that defines or assigns it.
    pub fn owner(&self, class: ScopeId, name: &str) -> ScopeId {
        let defines = |class: &ScopeId| {
            self.scope(*class)
                .is_some_and(|scope| scope.symbols.contains_key(name))
                || self
                    .attributes
                    .iter()
                    .any(|it| it.store && it.class == *class && it.name == name)
        };
        self.ancestry(class).into_iter().rfind(defines).unwrap_or(class)
    }

    /// The attributes assigned through an instance (`self.x = …`) of the class or its bases, each once.
    pub fn instance_attributes(&self, class: ScopeId) -> Vec<&AttributeUse> {
        let classes: HashSet<ScopeId> = self.ancestry(class).into_iter().collect();
        let mut seen = HashSet::new();
        self.attributes
            .iter()
            .filter(|it| it.store && classes.contains(&it.class) && seen.insert(&it.name))
            .collect()
    }
}

/// True when only blank or deeper-indented lines stand between a body's end and `offset`.
fn trails(source: &str, range: TextRange, offset: usize, column: usize) -> bool {
    let own = indentation(source, usize::from(line_start(source, range.start())));
    let between = source.get(range.end().to_usize()..offset).unwrap_or_default();
    column > own
        && between.trim_start_matches([' ', '\t']).starts_with(['\n', '\r'])
        && between
            .lines()
            .skip(1)
            .all(|line| line.trim().is_empty() || line.len() - line.trim_start().len() > own)
}

/// The width of the indentation of the line that starts at `start`, in bytes.
fn indentation(source: &str, start: usize) -> usize {
    let line = source.get(start..).unwrap_or_default();
    let line = line.split(['\n', '\r']).next().unwrap_or_default();
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

fn line_start(source: &str, offset: TextSize) -> TextSize {
    let before = source.get(..offset.to_usize()).unwrap_or(source);
    super::size(before.rfind(['\n', '\r']).map_or(0, |at| at + 1))
}
