//! How a class of the program is called: through its `__init__`, or as its fields say.

use super::{Signature, decorators, docstring, one_line, parameters};
use crate::lsp::analysis::Program;
use crate::lsp::analysis::model::{Binding, BindingKind, ScopeId, Symbol};

/// Decorators that make `__init__` from the annotated names of a class.
const FIELDS: [&str; 6] = ["dataclass", "attrs", "define", "frozen", "mutable", "s"];

/// Bases that leave alone how a class is called.
const PLAIN: [&str; 4] = ["object", "ABC", "Generic", "Protocol"];

/// The signatures of a class; empty where decorators or bases from elsewhere decide.
pub(super) fn signatures(program: &Program, symbol: &Symbol, binding: &Binding) -> Vec<Signature> {
    let Some(class) = binding.opens else {
        return Vec::new();
    };
    let own = |name: &str| {
        let scope = program.model.scope(class)?;
        program.model.symbol(*scope.symbols.get(name)?)
    };
    let inherited = |name: &str| program.model.symbol(program.model.member(class, name)?);
    let is_whole = is_whole(program, class, binding, 0);
    let found = if let Some(init) = own("__init__") {
        super::signatures(program, init)
    } else if !is_whole {
        Vec::new()
    } else if has_fields(program, binding) {
        vec![plain(fields(program, class))]
    } else if decorators(program, binding).next().is_some() {
        Vec::new()
    } else if let Some(made) = inherited("__init__").or_else(|| inherited("__new__")) {
        super::signatures(program, made)
    } else if let Some(fields) = inherited_fields(program, class) {
        vec![plain(fields)]
    } else {
        vec![plain(Vec::new())]
    };
    let doc = docstring(program, binding);
    found
        .into_iter()
        .map(|it| Signature {
            label: format!("{}({})", symbol.name, it.parameters.join(", ")),
            parameters: it.parameters,
            doc: if doc.is_empty() { it.doc } else { doc.clone() },
        })
        .collect()
}

fn plain(parameters: Vec<String>) -> Signature {
    Signature {
        label: String::new(),
        parameters,
        doc: String::new(),
    }
}

fn has_fields(program: &Program, binding: &Binding) -> bool {
    decorators(program, binding).any(|name| FIELDS.contains(&name))
}

/// True when all that a class inherits is in the program, and no metaclass calls it.
fn is_whole(program: &Program, class: ScopeId, binding: &Binding, depth: usize) -> bool {
    const DEEPEST: usize = 16;
    let head = binding.signature.map(|head| one_line(program.text(head)));
    let bases = parameters(&head.unwrap_or_default());
    depth < DEEPEST
        && bases.iter().all(|base| {
            let name = base.split('[').next().unwrap_or_default();
            let outer = program.model.scope(class).and_then(|scope| scope.parent);
            PLAIN.contains(&name.rsplit('.').next().unwrap_or(name))
                || outer
                    .and_then(|outer| program.model.class_of(outer, name))
                    .and_then(|base| Some((base, made_by(program, base)?)))
                    .is_some_and(|(base, binding)| is_whole(program, base, binding, depth + 1))
        })
}

/// The binding of the class whose body `class` is.
fn made_by(program: &Program, class: ScopeId) -> Option<&Binding> {
    program
        .model
        .symbols()
        .flat_map(|(_, symbol)| &symbol.bindings)
        .find(|binding| binding.kind == BindingKind::Class && binding.opens == Some(class))
}

fn inherited_fields(program: &Program, class: ScopeId) -> Option<Vec<String>> {
    let base = program
        .model
        .ancestry(class)
        .into_iter()
        .find(|base| made_by(program, *base).is_some_and(|binding| has_fields(program, binding)))?;
    Some(fields(program, base))
}

/// The fields of a class and of its bases as parameters, in the order in which they are called.
fn fields(program: &Program, class: ScopeId) -> Vec<String> {
    let mut found: Vec<(String, String)> = Vec::new();
    for class in program.model.ancestry(class).into_iter().rev() {
        let takes_part = made_by(program, class).is_some_and(|binding| has_fields(program, binding));
        let Some(scope) = program.model.scope(class).filter(|_| takes_part) else {
            continue;
        };
        let mut symbols: Vec<(&Symbol, &Binding)> = scope
            .symbols
            .values()
            .filter_map(|id| program.model.symbol(*id))
            .filter_map(|symbol| Some((symbol, symbol.bindings.first()?)))
            .filter(|(_, binding)| binding.kind == BindingKind::Variable && binding.signature.is_some())
            .collect();
        symbols.sort_by_key(|(_, binding)| binding.name.start());
        for (symbol, binding) in symbols {
            let Some(field) = field(program, symbol, binding) else {
                continue;
            };
            match found.iter_mut().find(|(name, _)| *name == symbol.name) {
                Some((_, known)) => *known = field,
                None => found.push((symbol.name.to_string(), field)),
            }
        }
    }
    found.into_iter().map(|(_, field)| field).collect()
}

/// A field as a parameter: a default that a call makes is only hinted at.
fn field(program: &Program, symbol: &Symbol, binding: &Binding) -> Option<String> {
    let annotation = one_line(program.text(binding.signature?));
    let name = annotation.split('[').next()?.rsplit('.').next()?;
    match name {
        "ClassVar" => return None,
        "KW_ONLY" => return Some("*".to_owned()),
        _ => {}
    }
    let whole = one_line(program.text(binding.whole));
    let Some((_, default)) = whole
        .strip_prefix(symbol.name.as_str())
        .and_then(|rest| rest.split_once(&annotation))
        .and_then(|(_, rest)| rest.split_once('='))
    else {
        return Some(format!("{}: {annotation}", symbol.name));
    };
    let default = default.trim();
    let called = default
        .split_once('(')
        .map(|(callee, _)| callee.rsplit('.').next().unwrap_or(callee));
    match called {
        Some("field" | "ib" | "Factory") if default.contains("init=False") => None,
        Some("field" | "ib" | "Factory") if default.contains("default") || default.contains("factory") => {
            Some(format!("{}: {annotation} = ...", symbol.name))
        }
        Some("field" | "ib" | "Factory") => Some(format!("{}: {annotation}", symbol.name)),
        _ => Some(format!("{}: {annotation} = {default}", symbol.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(code: &str) -> Option<String> {
        let program = Program::plain(code);
        let symbol = program.model.module_symbol("Point")?;
        super::super::signatures(&program, symbol)
            .pop()
            .map(|it| it.label)
    }

    #[test]
    fn fields_are_parameters() {
        for (code, expected) in [
            ("class Point: ...", Some("Point()")),
            (
                "@dataclass\nclass Point:\n    x: int\n    y: int = 0\n    z: ClassVar[int] = 1\n    def f(self): ...",
                Some("Point(x: int, y: int = 0)"),
            ),
            (
                "@dataclasses.dataclass(frozen=True)\nclass Point:\n    a: list = field(default_factory=list)",
                Some("Point(a: list = ...)"),
            ),
            (
                "@dataclass\nclass A:\n    a: int\n@dataclass\nclass Point(A):\n    b: str",
                Some("Point(a: int, b: str)"),
            ),
            ("class Point(BaseModel):\n    x: int", None),
            ("@dataclass\nclass Point(Base):\n    x: int", None),
            ("@register\nclass Point: ...", None),
            ("class Point(metaclass=M): ...", None),
            (
                "class Point(Base):\n    def __init__(self, a): ...",
                Some("Point(a)"),
            ),
            (
                "class A:\n    def __init__(self, b): ...\nclass Point(A): ...",
                Some("Point(b)"),
            ),
        ] {
            assert_eq!(label(code).as_deref(), expected, "{code}");
        }
    }
}
