//! Small readings of expressions: dotted names, what a value tells of its type, docstrings.

use ruff_python_ast::name::Name;
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::lsp::analysis::model::{Binding, BindingKind, How, Origin, Value};

/// A binding without more to tell.
pub(super) fn plain(kind: BindingKind, name: TextRange, whole: TextRange) -> Binding {
    Binding {
        kind,
        name,
        whole,
        signature: None,
        doc: None,
        value: None,
        origin: None,
        opens: None,
    }
}

/// Where the value of a target is written; none where that is no Python: `files = !ls`.
pub(super) fn origin(value: &Expr, how: How) -> Option<Origin> {
    (!value.is_ipy_escape_command_expr()).then(|| Origin {
        text: value.range(),
        how,
        places: [None, None],
    })
}

/// `a.b.c` as text, when the expression is just that.
pub(super) fn dotted(expr: &Expr) -> Option<Name> {
    fn append(expr: &Expr, to: &mut String) -> Option<()> {
        match expr {
            Expr::Name(name) => to.push_str(&name.id),
            Expr::Attribute(attribute) => {
                append(&attribute.value, to)?;
                to.push('.');
                to.push_str(&attribute.attr.id);
            }
            _ => return None,
        }
        Some(())
    }
    if let Expr::Name(name) = expr {
        return Some(name.id.clone());
    }
    let mut text = String::new();
    append(expr, &mut text)?;
    Some(Name::from(text))
}

/// What a value's text tells of its type.
pub(super) fn value(expr: &Expr) -> Option<Value> {
    let literal = match expr {
        Expr::StringLiteral(_) | Expr::FString(_) => "str",
        Expr::BytesLiteral(_) => "bytes",
        Expr::BooleanLiteral(_) => "bool",
        Expr::NumberLiteral(number) => match number.value {
            ruff_python_ast::Number::Int(_) => "int",
            ruff_python_ast::Number::Float(_) => "float",
            ruff_python_ast::Number::Complex { .. } => "complex",
        },
        Expr::List(_) | Expr::ListComp(_) => "list",
        Expr::Dict(_) | Expr::DictComp(_) => "dict",
        Expr::Set(_) | Expr::SetComp(_) => "set",
        Expr::Tuple(_) => "tuple",
        Expr::Lambda(_) => "function",
        Expr::Call(call) => return dotted(&call.func).map(Value::Call),
        Expr::Await(_) => return None,
        _ => return dotted(expr).map(Value::Name),
    };
    Some(Value::Literal(literal))
}

/// What an annotation tells: `x: C` is as good as `x = C()`.
pub(super) fn annotated_value(annotation: &Expr) -> Option<Value> {
    match annotation {
        Expr::Subscript(subscript) => dotted(&subscript.value).map(Value::Call),
        Expr::StringLiteral(string) => Some(Value::Call(Name::new(string.value.to_str()))),
        _ => dotted(annotation).map(Value::Call),
    }
}

/// The strings of a list or tuple display.
pub(super) fn strings(expr: &Expr) -> Vec<String> {
    let elements = match expr {
        Expr::List(list) => &list.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        _ => return Vec::new(),
    };
    elements
        .iter()
        .filter_map(|element| match element {
            Expr::StringLiteral(string) => Some(string.value.to_str().to_owned()),
            _ => None,
        })
        .collect()
}

/// The docstring's literal of a body.
pub(super) fn docstring(body: &[Stmt]) -> Option<TextRange> {
    match body.first() {
        Some(Stmt::Expr(statement)) if statement.value.is_string_literal_expr() => {
            Some(statement.value.range())
        }
        _ => None,
    }
}
