//! Walks a syntax tree once and collects scopes, bindings and uses; resolving comes after, since a function's body
//! sees names that are bound below it.
//!
//! Called by [`super::Program::parse`] only. It borrows nothing from the tree.

mod definitions;
mod escapes;
mod targets;

use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    self as ast, ExceptHandler, Expr, ExprContext, Identifier, ModModule, Pattern, Stmt, TypeParam,
};
use ruff_python_parser::parse_string_annotation;
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use super::model::{Binding, BindingKind, How, KeyGiven, Model, Origin, Scope, ScopeId, ScopeKind};
use super::resolve::{self, Pending};

/// Collects and resolves the names of `module`.
pub(super) fn bind(module: &ModModule, source: &str) -> Model {
    let mut binder = Binder {
        source,
        model: Model::default(),
        current: ScopeId(0),
        pending: Pending::default(),
        target: (BindingKind::Target, None),
        annotation_depth: 0,
    };
    binder.model.scopes.push(Scope {
        kind: ScopeKind::Module,
        name: Name::empty(),
        parent: None,
        range: TextRange::up_to(super::size(source.len())),
        symbols: Default::default(),
        globals: Default::default(),
        nonlocals: Default::default(),
        receiver: None,
        bases: Vec::new(),
        dynamic: false,
    });
    binder.visit_body(&module.body);
    resolve::resolve(binder.model, binder.pending, source)
}

struct Binder<'s> {
    source: &'s str,
    model: Model,
    current: ScopeId,
    pending: Pending,
    /// What a name in store context is bound as, and from where.
    target: (BindingKind, Option<Origin>),
    annotation_depth: u8,
}

impl Binder<'_> {
    fn scope(&mut self) -> Option<&mut Scope> {
        self.model.scopes.get_mut(self.current.0)
    }

    fn within(
        &mut self,
        kind: ScopeKind,
        name: Name,
        range: TextRange,
        body: impl FnOnce(&mut Self, ScopeId),
    ) -> ScopeId {
        let id = ScopeId(self.model.scopes.len());
        self.model.scopes.push(Scope {
            kind,
            name,
            parent: Some(self.current),
            range,
            symbols: Default::default(),
            globals: Default::default(),
            nonlocals: Default::default(),
            receiver: None,
            bases: Vec::new(),
            dynamic: false,
        });
        self.pending.regions.push((range, id));
        let before = std::mem::replace(&mut self.current, id);
        body(self, id);
        self.current = before;
        id
    }

    /// Marks text within a scope that is evaluated around it: a default, a first iterable, a decorator.
    fn outside(&mut self, range: TextRange) {
        self.pending.regions.push((range, self.current));
    }

    fn bind(&mut self, name: &Name, binding: Binding) {
        self.bind_from(self.current, name, binding);
    }

    /// Binds `name` by an assignment in `scope`, wherever it is declared to belong.
    fn bind_from(&mut self, scope: ScopeId, name: &Name, binding: Binding) {
        let declared = |names: fn(&Scope) -> &FxHashSet<Name>| {
            let scope = self.model.scopes.get(scope.0);
            scope.is_some_and(|scope| names(scope).contains(name))
        };
        if declared(|scope| &scope.nonlocals) {
            self.pending.nonlocals.push((scope, name.clone(), binding));
            return;
        }
        let home = if declared(|scope| &scope.globals) {
            ScopeId(0)
        } else {
            scope
        };
        self.model.bind_in(home, name, binding);
    }

    fn bind_identifier(&mut self, name: &Identifier, kind: BindingKind, whole: TextRange) {
        self.bind(&name.id, targets::plain(kind, name.range, whole));
    }

    fn use_name(&mut self, name: &Name, range: TextRange) {
        self.pending.uses.push((self.current, name.clone(), range));
    }

    fn mention(&mut self, name: &str) {
        self.pending.mentions.push((self.current, Name::new(name)));
    }

    fn comprehension(&mut self, whole: TextRange, generators: &[ast::Comprehension], parts: &[&Expr]) {
        // The first iterable is evaluated outside.
        if let Some(first) = generators.first() {
            self.outside(first.iter.range());
            self.visit_expr(&first.iter);
        }
        self.within(ScopeKind::Comprehension, Name::empty(), whole, |binder, _| {
            for (index, generator) in generators.iter().enumerate() {
                if index > 0 {
                    binder.visit_expr(&generator.iter);
                }
                let origin = targets::origin(&generator.iter, How::Iterated).filter(|_| !generator.is_async);
                binder.target(&generator.target, BindingKind::Target, origin);
                for condition in &generator.ifs {
                    binder.visit_expr(condition);
                }
            }
            for part in parts {
                binder.visit_expr(part);
            }
        });
    }

    fn target(&mut self, target: &Expr, kind: BindingKind, origin: Option<Origin>) {
        let before = std::mem::replace(&mut self.target, (kind, origin));
        self.visit_expr(target);
        self.target = before;
    }

    /// The names of a tuple of targets, each with its place.
    fn unpack(&mut self, elements: &[Expr]) {
        let whole = self.target.1;
        let mut counted = true;
        for (index, element) in elements.iter().enumerate() {
            // What takes the rest takes no one knows how many.
            counted &= !element.is_starred_expr();
            self.target.1 = whole.filter(|_| counted).and_then(|it| it.at(index));
            self.visit_expr(element);
        }
        self.target.1 = whole;
    }

    fn assign(&mut self, target: &Expr, value: Option<&Expr>, annotation: Option<&Expr>, whole: TextRange) {
        let origin = value.and_then(|value| targets::origin(value, How::Assigned));
        let Expr::Name(name) = target else {
            self.target(target, BindingKind::Target, origin);
            return;
        };
        let mut binding = targets::plain(BindingKind::Variable, name.range, whole);
        binding.signature = annotation.map(Ranged::range);
        binding.origin = origin;
        binding.value = annotation
            .and_then(targets::annotated_value)
            .or_else(|| value.and_then(targets::value));
        self.bind(&name.id, binding);
        if name.id.as_str() == "__all__" {
            for name in value.map(targets::strings).unwrap_or_default() {
                self.mention(&name);
            }
        }
    }
}

impl<'a> Visitor<'a> for Binder<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::Import(import) => {
                for alias in &import.names {
                    self.import(alias, import.range);
                }
            }
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Global(global) => {
                for name in &global.names {
                    self.use_name(&name.id, name.range);
                    if let Some(scope) = self.scope() {
                        scope.globals.insert(name.id.clone());
                    }
                }
            }
            Stmt::Nonlocal(nonlocal) => {
                for name in &nonlocal.names {
                    self.use_name(&name.id, name.range);
                    if let Some(scope) = self.scope() {
                        scope.nonlocals.insert(name.id.clone());
                    }
                }
            }
            Stmt::Assign(assign) => {
                self.visit_expr(&assign.value);
                for target in &assign.targets {
                    self.assign(target, Some(&assign.value), None, assign.range);
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.visit_expr(value);
                }
                self.visit_annotation(&assign.annotation);
                self.assign(
                    &assign.target,
                    assign.value.as_deref(),
                    Some(&assign.annotation),
                    assign.range,
                );
            }
            Stmt::AugAssign(assign) => {
                self.visit_expr(&assign.value);
                if let Expr::Name(name) = &*assign.target {
                    self.use_name(&name.id, name.range);
                }
                let origin = targets::origin(&assign.value, How::Augmented);
                self.target(&assign.target, BindingKind::Target, origin);
            }
            Stmt::For(it) => {
                self.visit_expr(&it.iter);
                let origin = targets::origin(&it.iter, How::Iterated).filter(|_| !it.is_async);
                self.target(&it.target, BindingKind::Target, origin);
                self.visit_body(&it.body);
                self.visit_body(&it.orelse);
            }
            Stmt::With(with) if with.is_async => {
                for item in &with.items {
                    self.visit_expr(&item.context_expr);
                    if let Some(target) = &item.optional_vars {
                        self.target(target, BindingKind::Target, None);
                    }
                }
                self.visit_body(&with.body);
            }
            Stmt::TypeAlias(alias) => {
                self.target(&alias.name, BindingKind::Type, None);
                self.with_type_parameters(alias.type_params.as_deref(), alias.range, |binder| {
                    binder.visit_annotation(&alias.value);
                });
            }
            Stmt::IpyEscapeCommand(command) => self.escape(command.kind, command.range),
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => match name.ctx {
                ExprContext::Store => {
                    let (kind, origin) = self.target.clone();
                    let mut binding = targets::plain(kind, name.range, name.range);
                    binding.origin = origin;
                    self.bind(&name.id, binding);
                }
                _ => self.use_name(&name.id, name.range),
            },
            Expr::Tuple(tuple) if tuple.ctx == ExprContext::Store => self.unpack(&tuple.elts),
            Expr::List(list) if list.ctx == ExprContext::Store => self.unpack(&list.elts),
            Expr::Named(named) => {
                self.visit_expr(&named.value);
                if let Expr::Name(name) = &*named.target {
                    let scope = self.model.enclosing_statement_scope(self.current);
                    let mut binding = targets::plain(BindingKind::Target, name.range, named.range);
                    binding.value = targets::value(&named.value);
                    binding.origin = targets::origin(&named.value, How::Assigned);
                    self.bind_from(scope, &name.id, binding);
                }
            }
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.defaults_and_annotations(parameters);
                }
                self.within(ScopeKind::Lambda, Name::empty(), lambda.range, |binder, _| {
                    if let Some(parameters) = &lambda.parameters {
                        binder.parameters(parameters);
                    }
                    binder.visit_expr(&lambda.body);
                });
            }
            Expr::ListComp(it) => self.comprehension(it.range, &it.generators, &[&it.elt]),
            Expr::SetComp(it) => self.comprehension(it.range, &it.generators, &[&it.elt]),
            Expr::Generator(it) => self.comprehension(it.range, &it.generators, &[&it.elt]),
            Expr::DictComp(it) => {
                let parts: Vec<&Expr> = it.key.as_deref().into_iter().chain([&*it.value]).collect();
                self.comprehension(it.range, &it.generators, &parts);
            }
            Expr::Attribute(attribute) => {
                if let Some(base) = targets::dotted(&attribute.value) {
                    self.pending.attributes.push(resolve::PendingAttribute {
                        scope: self.current,
                        base,
                        name: attribute.attr.id.clone(),
                        range: attribute.attr.range,
                        store: attribute.ctx == ExprContext::Store,
                        origin: self.target.1.filter(|_| attribute.ctx == ExprContext::Store),
                    });
                }
                self.visit_expr(&attribute.value);
            }
            Expr::Subscript(subscript) => {
                if subscript.ctx == ExprContext::Store
                    && let Expr::StringLiteral(key) = &*subscript.slice
                    && let Some(base) = targets::dotted(&subscript.value)
                {
                    self.model.keys.push(KeyGiven {
                        scope: self.current,
                        base,
                        key: key.value.to_str().into(),
                        range: subscript.range,
                    });
                }
                visitor::walk_expr(self, expr);
            }
            Expr::Call(call) => {
                if let Expr::Name(name) = &*call.func {
                    let scope = match name.id.as_str() {
                        "locals" | "vars" | "eval" => self.scope(),
                        // These bind names of the whole program, wherever they are called.
                        "globals" | "exec" => {
                            if let Some(scope) = self.scope() {
                                scope.dynamic = true;
                            }
                            self.model.scopes.first_mut()
                        }
                        _ => None,
                    };
                    if let Some(scope) = scope {
                        scope.dynamic = true;
                    }
                }
                if !call.arguments.keywords.is_empty()
                    && let Some(callee) = targets::dotted(&call.func)
                {
                    for keyword in &call.arguments.keywords {
                        if let Some(name) = &keyword.arg {
                            self.pending.keywords.push(resolve::PendingKeyword {
                                scope: self.current,
                                callee: callee.clone(),
                                name: name.id.clone(),
                                range: name.range,
                            });
                        }
                    }
                }
                visitor::walk_expr(self, expr);
            }
            Expr::IpyEscapeCommand(command) => self.escape(command.kind, command.range),
            _ => visitor::walk_expr(self, expr),
        }
    }

    fn visit_annotation(&mut self, expr: &'a Expr) {
        // A quoted annotation names types as much as a bare one does.
        if let Expr::StringLiteral(string) = expr
            && self.annotation_depth < 4
        {
            // What stands in a string was not counted when the nesting was measured.
            if let Some(literal) = string.as_single_part_string()
                && literal.value.len() <= 500
                && let Ok(parsed) = parse_string_annotation(self.source, literal)
            {
                self.annotation_depth += 1;
                self.visit_annotation(parsed.expr());
                self.annotation_depth -= 1;
            }
            return;
        }
        if let Expr::Subscript(subscript) = expr {
            self.visit_expr(&subscript.value);
            let base = targets::dotted(&subscript.value).unwrap_or_default();
            match (base.rsplit('.').next(), &*subscript.slice) {
                (Some("Literal"), slice) => self.visit_expr(slice),
                // What follows the type is anything at all.
                (Some("Annotated"), Expr::Tuple(tuple)) => {
                    let (annotated, rest) = tuple.elts.split_at(tuple.elts.len().min(1));
                    annotated.iter().for_each(|it| self.visit_annotation(it));
                    rest.iter().for_each(|it| self.visit_expr(it));
                }
                (_, slice) => self.visit_annotation(slice),
            }
            return;
        }
        if let Expr::Tuple(tuple) = expr {
            for element in &tuple.elts {
                self.visit_annotation(element);
            }
            return;
        }
        self.visit_expr(expr);
    }

    fn visit_with_item(&mut self, item: &'a ast::WithItem) {
        self.visit_expr(&item.context_expr);
        if let Some(target) = &item.optional_vars {
            let origin = targets::origin(&item.context_expr, How::Entered);
            self.target(target, BindingKind::Target, origin);
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(handler) = handler;
        if let Some(expected) = &handler.type_ {
            self.visit_expr(expected);
        }
        if let Some(name) = &handler.name {
            self.bind_identifier(name, BindingKind::Exception, handler.range);
        }
        self.visit_body(&handler.body);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            Pattern::MatchStar(pattern) => pattern.name.as_ref(),
            Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.bind_identifier(name, BindingKind::Target, pattern.range());
        }
        visitor::walk_pattern(self, pattern);
    }

    fn visit_type_param(&mut self, parameter: &'a TypeParam) {
        self.bind_identifier(parameter.name(), BindingKind::Type, parameter.range());
        visitor::walk_type_param(self, parameter);
    }
}
