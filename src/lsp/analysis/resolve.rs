//! Resolving names and attributes once all bindings are known, and the questions that requests ask of a model.

use ruff_python_ast::name::Name;
use ruff_text_size::TextRange;
use rustc_hash::{FxHashMap, FxHashSet};

use super::model::{
    AttributeUse, Binding, BindingKind, How, KeywordUse, Model, ModuleUse, Origin, Scope, ScopeId, ScopeKind,
    Spot, Symbol, SymbolId, Unresolved, Value,
};
use super::table::Table;

/// What waits for the end of the walk.
#[derive(Default)]
pub(super) struct Pending {
    /// Bindings of names that are `nonlocal` there: the function that they belong to may bind them further below.
    pub(super) nonlocals: Vec<(ScopeId, Name, Binding)>,
    /// Which text belongs to which scope, each region before those within it.
    pub(super) regions: Vec<(TextRange, ScopeId)>,
    pub(super) uses: Vec<(ScopeId, Name, TextRange)>,
    pub(super) mentions: Vec<(ScopeId, Name)>,
    pub(super) attributes: Vec<PendingAttribute>,
    pub(super) keywords: Vec<PendingKeyword>,
}

/// `callee(name=…)` as written.
pub(super) struct PendingKeyword {
    pub(super) scope: ScopeId,
    pub(super) callee: Name,
    pub(super) name: Name,
    pub(super) range: TextRange,
}

/// `base.name` as written.
pub(super) struct PendingAttribute {
    pub(super) scope: ScopeId,
    pub(super) base: Name,
    pub(super) name: Name,
    pub(super) range: TextRange,
    pub(super) store: bool,
    pub(super) origin: Option<Origin>,
}

/// How many steps from an alias to a class are followed.
const MAX_STEPS: usize = 8;

/// Resolves what waits in `pending`; `source` is the text that the model is about.
pub(super) fn resolve(mut model: Model, pending: Pending, source: &str) -> Model {
    for (scope, name, binding) in pending.nonlocals {
        let id = model.bind_in(model.nonlocal_home(scope, &name), &name, binding);
        if let Some(symbol) = model.symbols.get_mut(id.0) {
            symbol.bindings.sort_by_key(|binding| binding.name.start());
        }
    }
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
    let modules = model.modules_by_expression(source);
    for attribute in pending.attributes {
        let PendingAttribute {
            scope,
            base,
            name,
            range,
            store,
            origin,
        } = attribute;
        if let Some(class) = model.class_of(scope, &base) {
            if store {
                model.assigned.entry(class).or_default().insert(name.clone());
            }
            model.attributes.push(AttributeUse {
                class,
                name,
                range,
                store,
                origin,
            });
        } else if let Some(symbol) = model.lookup(scope, base.split('.').next().unwrap_or_default())
            && let Some(binding) = modules.get(&(symbol, base.as_str())).copied()
        {
            model.modules.push(ModuleUse {
                symbol,
                binding,
                name,
                range,
                store,
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
    model.table = Table::of(&model, pending.regions);
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

    /// The scopes whose names code in `scope` sees: its own, and all around it but classes. The brackets and the head
    /// of a generic method see its class.
    pub fn visible(&self, scope: ScopeId) -> impl Iterator<Item = (ScopeId, &Scope)> {
        let mut directly = true;
        self.chain(scope).filter(move |(_, candidate)| {
            let seen = directly || candidate.kind != ScopeKind::Class;
            directly &= candidate.kind == ScopeKind::TypeParameters;
            seen
        })
    }

    /// What `name` means in `scope`.
    pub fn lookup(&self, scope: ScopeId, name: &str) -> Option<SymbolId> {
        self.visible(scope).find_map(|(_, scope)| self.own(scope, name))
    }

    /// What `name` means in `scope` because of what stands there itself.
    fn own(&self, scope: &Scope, name: &str) -> Option<SymbolId> {
        let home = match scope.globals.contains(name) {
            true => self.scopes.first()?,
            false => scope,
        };
        home.symbols.get(name).copied()
    }

    /// The function whose variable `name` is where `scope` declares it `nonlocal`.
    fn nonlocal_home(&self, scope: ScopeId, name: &str) -> ScopeId {
        self.visible(scope)
            .skip(1)
            .filter(|(_, outer)| outer.kind != ScopeKind::Module)
            .find(|(_, outer)| outer.symbols.contains_key(name))
            .map_or(scope, |(id, _)| id)
    }

    /// Adds a binding of `name` in `scope`.
    pub(super) fn bind_in(&mut self, scope: ScopeId, name: &Name, binding: Binding) -> SymbolId {
        let next = SymbolId(self.symbols.len());
        let id = match self.scopes.get_mut(scope.0) {
            Some(scope) => match scope.symbols.get(name) {
                Some(id) => *id,
                None => *scope.symbols.entry(name.clone()).or_insert(next),
            },
            None => next,
        };
        match self.symbols.get_mut(id.0) {
            Some(symbol) => symbol.bindings.push(binding),
            None => self.symbols.push(Symbol {
                name: name.clone(),
                scope,
                bindings: vec![binding],
                uses: Vec::new(),
                mentioned: false,
            }),
        }
        id
    }

    /// The expressions that are modules because of an import, by the symbol that they begin with: `np` after
    /// `import numpy as np`, `a.b` after `import a.b`, `b` after `from a import b`.
    fn modules_by_expression<'s>(&self, source: &'s str) -> FxHashMap<(SymbolId, &'s str), usize> {
        let mut found = FxHashMap::default();
        for (id, symbol) in self.symbols() {
            for (index, binding) in symbol.bindings.iter().enumerate() {
                let range = match (&binding.kind, binding.signature) {
                    (BindingKind::Import { .. }, Some(alias)) if alias.end() != binding.name.end() => alias,
                    (BindingKind::Import { .. } | BindingKind::FromImport { .. }, _) => binding.name,
                    _ => continue,
                };
                if let Some(text) = source.get(range.start().to_usize()..range.end().to_usize()) {
                    found.entry((id, text)).or_insert(index);
                }
            }
        }
        found
    }

    /// Where `:=` in `scope` binds: outside of all comprehensions.
    pub fn enclosing_statement_scope(&self, scope: ScopeId) -> ScopeId {
        self.chain(scope)
            .find(|(_, scope)| scope.kind != ScopeKind::Comprehension)
            .map_or(scope, |(id, _)| id)
    }

    /// The binding of `symbol` that holds at `spot`: the last one before it where both run one after the other. A function
    /// runs later than the text around it, and may see what is bound below.
    pub fn binding<'m>(&self, spot: Spot, symbol: &'m Symbol) -> Option<&'m Binding> {
        let scopes = [spot.scope, self.enclosing_statement_scope(spot.scope)];
        spot.until
            .filter(|_| scopes.contains(&symbol.scope))
            .and_then(|until| symbol.bindings.iter().rfind(|it| it.is_before(until)))
            .or_else(|| symbol.bindings.last())
    }

    /// The keys that the text above `spot` has given to `base`.
    pub fn keys_given<'m>(&'m self, spot: Spot, base: &'m str) -> impl Iterator<Item = &'m str> {
        let first = base.split('.').next().unwrap_or_default();
        let symbol = self.lookup(spot.scope, first);
        // What another value was given before is none of this one's.
        let bound = symbol.and_then(|id| self.binding(spot, self.symbol(id)?));
        let since = bound
            .map(|it| it.name.start())
            .filter(|it| spot.until.is_some_and(|until| *it < until));
        let given = self.keys.iter().filter(move |it| {
            it.base == base
                && since.is_none_or(|since| it.range.start() > since)
                && spot.until.is_none_or(|until| it.range.end() <= until)
                && self.lookup(it.scope, first) == symbol
        });
        given.map(|it| &*it.key)
    }

    /// The class of this program that `dotted` is or is an instance of.
    pub fn class_of(&self, spot: impl Into<Spot>, dotted: &str) -> Option<ScopeId> {
        let spot = spot.into();
        let mut names = dotted.split('.');
        let first = names.next()?;
        let mut class = self.class_of_name(spot, first, 0)?;
        for name in names {
            let member = self.member(class, name)?;
            class = self.class_of_symbol(spot, member, 0)?;
        }
        Some(class)
    }

    fn class_of_name(&self, spot: Spot, name: &str, steps: usize) -> Option<ScopeId> {
        for (id, here) in self.visible(spot.scope) {
            if here.receiver.as_deref() == Some(name) {
                return self
                    .chain(id)
                    .find(|(_, scope)| scope.kind == ScopeKind::Class)
                    .map(|(id, _)| id);
            }
            if let Some(symbol) = self.own(here, name) {
                return self.class_of_symbol(spot, symbol, steps);
            }
        }
        None
    }

    fn class_of_symbol(&self, spot: Spot, id: SymbolId, steps: usize) -> Option<ScopeId> {
        if steps > MAX_STEPS {
            return None;
        }
        let symbol = self.symbol(id)?;
        let binding = self.binding(spot, symbol)?;
        match (&binding.kind, &binding.value) {
            (BindingKind::Class, _) => binding.opens,
            (_, Some(Value::Call(name) | Value::Name(name))) if !name.contains('.') => {
                let spot = Spot {
                    scope: symbol.scope,
                    until: Some(binding.name.start()),
                };
                self.class_of_name(spot, name, steps + 1)
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
                if let Some(base) = self.class_of_name(outer.into(), base, 0)
                    && !found.contains(&base)
                    && found.len() < 64
                {
                    found.push(base);
                }
            }
        }
        found
    }

    /// The classes that `class` or a base of it within the program inherits from and that are not in the program, as written.
    pub fn outer_bases(&self, class: ScopeId) -> Vec<&Name> {
        let classes = self.ancestry(class).into_iter().filter_map(|it| self.scope(it));
        classes
            .flat_map(|class| class.bases.iter().map(|base| (class.parent, base)))
            .filter(|(outer, base)| outer.is_none_or(|outer| self.class_of(outer, base).is_none()))
            .map(|(_, base)| base)
            .collect()
    }

    /// The bases of the class whose method `scope` is in, as written.
    pub fn bases_around(&self, scope: ScopeId) -> &[Name] {
        self.chain(scope)
            .find(|(_, scope)| scope.kind == ScopeKind::Class)
            .map_or(&[], |(_, class)| &class.bases)
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
                || self.assigned.get(class).is_some_and(|names| names.contains(name))
        };
        self.ancestry(class).into_iter().rfind(defines).unwrap_or(class)
    }

    /// The places that assign an attribute through an instance and show a value: those of the class itself first.
    pub fn assigned<'m>(&'m self, class: ScopeId, name: &'m str) -> impl Iterator<Item = &'m AttributeUse> {
        self.ancestry(class).into_iter().flat_map(move |class| {
            self.attributes.iter().filter(move |it| {
                let has_text = it.origin.is_some_and(|origin| origin.how != How::Augmented);
                it.store && has_text && it.class == class && it.name == name
            })
        })
    }

    /// The attributes assigned through an instance (`self.x = …`) of the class or its bases, each once.
    pub fn instance_attributes(&self, class: ScopeId) -> Vec<&AttributeUse> {
        let classes: FxHashSet<ScopeId> = self.ancestry(class).into_iter().collect();
        let mut seen = FxHashSet::default();
        self.attributes
            .iter()
            .filter(|it| it.store && classes.contains(&it.class) && seen.insert(&it.name))
            .collect()
    }
}
