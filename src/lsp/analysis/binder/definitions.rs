//! Functions, classes, parameters and imports: the statements that bind names with more to tell than a value.

use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{self as ast, Alias, Expr, Parameters, TypeParams};
use ruff_text_size::{Ranged, TextRange};

use super::{Binder, targets};
use crate::lsp::analysis::model::{Binding, BindingKind, ScopeKind};
use crate::lsp::analysis::size;

impl Binder<'_> {
    pub(super) fn import(&mut self, alias: &Alias, whole: TextRange) {
        let name = alias.asname.as_ref().unwrap_or(&alias.name);
        let first = match name.id.split_once('.') {
            Some((first, _)) => Name::new(first),
            None => name.id.clone(),
        };
        let range = TextRange::at(name.range.start(), size(first.len()));
        // `import a.b` binds `a`; `import a.b as c` binds `c` to the submodule.
        let bound = match alias.asname {
            Some(_) => alias.name.id.clone(),
            None => first.clone(),
        };
        let mut binding = targets::plain(BindingKind::Import { module: bound }, range, whole);
        binding.signature = Some(alias.range);
        self.bind(&first, binding);
    }

    pub(super) fn import_from(&mut self, import: &ast::StmtImportFrom) {
        let named = import.module.as_ref().map(|module| &module.id);
        let module = match (import.level, named) {
            (0, Some(named)) => named.clone(),
            (level, named) => Name::from(".".repeat(level as usize) + named.map_or("", Name::as_str)),
        };
        for alias in &import.names {
            if alias.name.id.as_str() == "*" {
                if let Some(scope) = self.scope() {
                    scope.dynamic = true;
                }
                continue;
            }
            let name = alias.asname.as_ref().unwrap_or(&alias.name);
            let kind = BindingKind::FromImport {
                module: module.clone(),
                member: alias.name.id.clone(),
            };
            let mut binding = targets::plain(kind, name.range, import.range);
            binding.signature = Some(alias.range);
            self.bind(&name.id, binding);
        }
    }

    pub(super) fn function(&mut self, function: &ast::StmtFunctionDef) {
        for decorator in &function.decorator_list {
            self.visit_decorator(decorator);
        }
        let method = self
            .model
            .scopes
            .get(self.current.0)
            .is_some_and(|scope| scope.kind == ScopeKind::Class);
        let is_static = function.decorator_list.iter().any(|decorator| {
            matches!(&decorator.expression, Expr::Name(name) if name.id.as_str() == "staticmethod")
        });
        let outer = self.current;
        let mut opened = None;
        let body = |binder: &mut Self| {
            binder.defaults_and_annotations(&function.parameters);
            if let Some(returns) = &function.returns {
                binder.outside(returns.range());
                binder.visit_annotation(returns);
            }
            let range = TextRange::new(function.parameters.range.start(), function.range.end());
            opened = Some(binder.within(
                ScopeKind::Function,
                function.name.id.clone(),
                range,
                |binder, id| {
                    binder.parameters(&function.parameters);
                    let receiver = function
                        .parameters
                        .iter_non_variadic_params()
                        .next()
                        .filter(|_| method && !is_static)
                        .map(|parameter| parameter.name().id.clone());
                    if let Some(scope) = binder.model.scopes.get_mut(id.0) {
                        scope.receiver = receiver;
                    }
                    binder.visit_body(&function.body);
                },
            ));
        };
        let range = TextRange::new(function.name.range.end(), function.range.end());
        self.with_type_parameters(function.type_params.as_deref(), range, body);
        let end = function
            .returns
            .as_ref()
            .map_or(function.parameters.range.end(), |returns| returns.range().end());
        let binding = Binding {
            kind: BindingKind::Function,
            name: function.name.range,
            whole: function.range,
            signature: Some(TextRange::new(function.name.range.start(), end)),
            doc: targets::docstring(&function.body),
            value: None,
            origin: None,
            opens: opened,
        };
        self.current = outer;
        self.bind(&function.name.id, binding);
    }

    pub(super) fn class(&mut self, class: &ast::StmtClassDef) {
        for decorator in &class.decorator_list {
            self.visit_decorator(decorator);
        }
        let mut opened = None;
        // Its decorators stand before its name.
        let range = TextRange::new(class.name.range.end(), class.range.end());
        let body = |binder: &mut Self| {
            if let Some(arguments) = &class.arguments {
                binder.outside(arguments.range);
                binder.visit_arguments(arguments);
            }
            let bases: Vec<Name> = class
                .arguments
                .iter()
                .flat_map(|arguments| &arguments.args)
                .filter_map(targets::dotted)
                .collect();
            opened = Some(
                binder.within(ScopeKind::Class, class.name.id.clone(), range, |binder, id| {
                    if let Some(scope) = binder.model.scopes.get_mut(id.0) {
                        scope.bases = bases;
                    }
                    binder.visit_body(&class.body);
                }),
            );
        };
        self.with_type_parameters(class.type_params.as_deref(), range, body);
        let end = class
            .arguments
            .as_ref()
            .map_or(class.name.range.end(), |arguments| arguments.range.end());
        let binding = Binding {
            kind: BindingKind::Class,
            name: class.name.range,
            whole: class.range,
            signature: Some(TextRange::new(class.name.range.start(), end)),
            doc: targets::docstring(&class.body),
            value: None,
            origin: None,
            opens: opened,
        };
        self.bind(&class.name.id, binding);
    }

    pub(super) fn with_type_parameters(
        &mut self,
        parameters: Option<&TypeParams>,
        range: TextRange,
        body: impl FnOnce(&mut Self),
    ) {
        match parameters {
            None => body(self),
            Some(parameters) => {
                self.within(ScopeKind::TypeParameters, Name::empty(), range, |binder, _| {
                    binder.visit_type_params(parameters);
                    body(binder);
                });
            }
        }
    }

    pub(super) fn defaults_and_annotations(&mut self, parameters: &Parameters) {
        for parameter in parameters.iter() {
            if let Some(default) = parameter.default() {
                self.outside(default.range());
                self.visit_expr(default);
            }
            if let Some(annotation) = parameter.annotation() {
                self.outside(annotation.range());
                self.visit_annotation(annotation);
            }
        }
    }

    pub(super) fn parameters(&mut self, parameters: &Parameters) {
        for parameter in parameters.iter() {
            let parameter = parameter.as_parameter();
            let mut binding = targets::plain(BindingKind::Parameter, parameter.name.range, parameter.range);
            binding.signature = parameter.annotation.as_ref().map(|text| text.range());
            binding.value = parameter.annotation.as_deref().and_then(targets::annotated_value);
            self.bind(&parameter.name.id, binding);
        }
    }
}
