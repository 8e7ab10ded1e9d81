//! Words about a symbol, taken from the source: its head, its docstring, its parameters.
//!
//! Used by hover, signature help, completion and the engine.

mod constructor;

use ruff_python_ast::Expr;
use ruff_python_parser::parse_expression;
use ruff_text_size::TextRange;

use super::Program;
use super::model::{Binding, BindingKind, ScopeKind, Symbol, Value};

/// The head of a callable: its label and the parameters within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// `name(a, b=1) -> int`, on one line.
    pub label: String,
    /// Each parameter as written, in order; the receiver of a method left out.
    pub parameters: Vec<String>,
    /// The docstring.
    pub doc: String,
}

/// One line of Python that introduces the symbol: `def f(a)`, `class C(B)`, `import x`, `x: int`.
pub fn headline(program: &Program, symbol: &Symbol, binding: &Binding) -> String {
    let signature = || one_line(program.text(binding.signature.unwrap_or(binding.name)));
    match &binding.kind {
        BindingKind::Function if is_property(program, symbol) => match returned(program, binding) {
            Some(returned) => format!("(property) {}: {}", symbol.name, one_line(returned)),
            None => format!("(property) {}", symbol.name),
        },
        BindingKind::Function => format!("def {}", signature()),
        BindingKind::Class => format!("class {}", signature()),
        BindingKind::Import { .. } => format!("import {}", signature()),
        BindingKind::FromImport { module, .. } => format!("from {module} import {}", signature()),
        BindingKind::Parameter => match binding.signature {
            Some(_) => format!("(parameter) {}: {}", symbol.name, signature()),
            None => format!("(parameter) {}", symbol.name),
        },
        _ => match (type_name(binding), binding.signature) {
            (_, Some(_)) => format!("{}: {}", symbol.name, signature()),
            (Some(name), _) => format!("{}: {name}", symbol.name),
            _ => symbol.name.to_string(),
        },
    }
}

/// The builtin type that the value's text shows.
pub fn type_name(binding: &Binding) -> Option<&str> {
    match &binding.value {
        Some(Value::Literal(name)) => Some(name),
        _ => None,
    }
}

/// The docstring, without its indentation.
pub fn docstring(program: &Program, binding: &Binding) -> String {
    binding
        .doc
        .map(|range| literal(program, range))
        .unwrap_or_default()
}

/// The signatures of a function of the program, of a class through what makes its instances: all overloads, or the
/// one that there is. Empty where the text does not say.
pub fn signatures(program: &Program, symbol: &Symbol) -> Vec<Signature> {
    let Some(last) = symbol.bindings.last() else {
        return Vec::new();
    };
    match last.kind {
        BindingKind::Function if !is_property(program, symbol) => {
            let overloads: Vec<Signature> = symbol
                .bindings
                .iter()
                .filter(|binding| decorators(program, binding).any(|name| name == "overload"))
                .filter_map(|binding| function(program, symbol, binding))
                .collect();
            match overloads.is_empty() {
                true => function(program, symbol, last).into_iter().collect(),
                false => overloads,
            }
        }
        BindingKind::Class => constructor::signatures(program, symbol, last),
        _ => Vec::new(),
    }
}

fn function(program: &Program, symbol: &Symbol, binding: &Binding) -> Option<Signature> {
    let is_method = program
        .model
        .scope(symbol.scope)
        .is_some_and(|scope| scope.kind == ScopeKind::Class);
    let has_receiver = is_method
        && binding
            .opens
            .and_then(|scope| program.model.scope(scope)?.receiver.as_ref())
            .is_some();
    let label = one_line(program.text(binding.signature?));
    let parameters = parameters(&label)
        .into_iter()
        .skip(usize::from(has_receiver))
        .collect();
    Some(Signature {
        label,
        parameters,
        doc: docstring(program, binding),
    })
}

/// True for a function that is read like an attribute.
pub fn is_property(program: &Program, symbol: &Symbol) -> bool {
    symbol.bindings.last().is_some_and(|binding| {
        decorators(program, binding).any(|name| {
            matches!(
                name,
                "property" | "cached_property" | "setter" | "getter" | "deleter"
            )
        })
    })
}

/// What a function is annotated to return.
pub fn returned<'p>(program: &'p Program, binding: &Binding) -> Option<&'p str> {
    let (_, returned) = program.text(binding.signature?).rsplit_once("->")?;
    Some(returned.trim())
}

/// The last names of the decorators of a function or class: `overload` of `@typing.overload`.
fn decorators<'p>(program: &'p Program, binding: &Binding) -> impl Iterator<Item = &'p str> {
    let head = TextRange::new(
        binding.whole.start(),
        binding.name.start().max(binding.whole.start()),
    );
    program
        .text(head)
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix('@'))
        .filter_map(|line| line.split(['(', '#']).next()?.trim().rsplit('.').next())
}

/// The parameters in the brackets of `label`, split at top-level commas; `/` and `*` stay as they are.
pub fn parameters(label: &str) -> Vec<String> {
    let Some(open) = label.find('(') else {
        return Vec::new();
    };
    let mut depth = 0_usize;
    let mut quote = None;
    let mut parameters = Vec::new();
    let mut start = open + 1;
    for (at, char) in label.char_indices().skip_while(|(at, _)| *at < open) {
        match (quote, char) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(char),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    push(&mut parameters, label.get(start..at));
                    break;
                }
            }
            (None, ',') if depth == 1 => {
                push(&mut parameters, label.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parameters
}

/// The parameters that a keyword can still give, where `taken` arguments stand before it without one.
pub fn keywords(parameters: &[String], taken: usize) -> impl Iterator<Item = &str> {
    let slash = parameters.iter().position(|it| it == "/");
    let star = parameters.iter().position(|it| it.starts_with('*'));
    let by_position = star.unwrap_or(parameters.len());
    let free = match slash {
        // The marker is no parameter itself.
        Some(slash) => slash.max(taken) + 1,
        None => taken,
    };
    parameters
        .iter()
        .enumerate()
        .filter(move |(index, it)| (*index >= by_position || *index >= free) && !it.starts_with('*'))
        .map(|(_, it)| it.as_str())
}

/// The bare name of a parameter as written: `*args: int = 1` is `args`; the markers `/` and `*` have none.
pub fn parameter_name(parameter: &str) -> Option<&str> {
    let name = parameter
        .trim_start_matches('*')
        .split([':', '=', ' '])
        .next()
        .unwrap_or_default();
    (!name.is_empty() && name != "/").then_some(name)
}

/// A docstring as `inspect.cleandoc` gives it: the common indentation of all lines but the first is removed.
pub fn clean(text: &str) -> String {
    let text = text.replace('\t', "        ");
    let margin = text
        .lines()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    let mut lines: Vec<&str> = text
        .lines()
        .enumerate()
        .map(|(index, line)| match index {
            0 => line.trim_start(),
            _ => line.get(margin..).unwrap_or_default(),
        })
        .map(str::trim_end)
        .collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let first = lines.iter().take_while(|line| line.is_empty()).count();
    lines.split_off(first).join("\n")
}

fn literal(program: &Program, range: TextRange) -> String {
    match parse_expression(program.text(range)) {
        Ok(parsed) => match parsed.expr() {
            Expr::StringLiteral(string) => clean(string.value.to_str()),
            _ => String::new(),
        },
        Err(_) => String::new(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn push(parameters: &mut Vec<String>, text: Option<&str>) {
    let text = text.unwrap_or_default().trim();
    if !text.is_empty() {
        parameters.push(text.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_from_the_source() {
        let program = Program::plain(
            "class A:\n    def f(self, a: 'x, y' = (1, 2), *rest,\n          key=None) -> int:\n        '''Do.\n\n            More.\n        '''\n",
        );
        let found = program
            .model
            .symbols()
            .find(|(_, symbol)| symbol.name == "f")
            .and_then(|(_, symbol)| signatures(&program, symbol).pop());
        let Some(found) = found else {
            panic!("no signature")
        };
        assert_eq!(found.label, "f(self, a: 'x, y' = (1, 2), *rest, key=None) -> int");
        assert_eq!(found.parameters, ["a: 'x, y' = (1, 2)", "*rest", "key=None"]);
        assert_eq!(found.doc, "Do.\n\nMore.");
        let names: Vec<_> = found
            .parameters
            .iter()
            .filter_map(|it| parameter_name(it))
            .collect();
        assert_eq!(names, ["a", "rest", "key"]);
    }

    #[test]
    fn what_a_position_has_given_is_no_keyword() {
        for (label, taken, left) in [
            ("f(a, b, *, c)", 0, "a b c"),
            ("f(a, b, *, c)", 1, "b c"),
            ("f(a, b, *, c)", 5, "c"),
            ("f(a, /)", 0, ""),
            ("f(a, /, b)", 0, "b"),
            ("f(a, /, b)", 1, "b"),
            ("f(a, /, b, c)", 2, "c"),
            ("f(a, *rest, c, **more)", 1, "c"),
        ] {
            let parameters = parameters(label);
            let found: Vec<_> = keywords(&parameters, taken).collect();
            assert_eq!(found.join(" "), left, "{label} {taken}");
        }
    }

    #[test]
    fn a_class_is_called_as_its_init() {
        let program = Program::plain("class A:\n  'Doc.'\n  def __init__(self, x): ...\n");
        let symbol = program.model.module_symbol("A");
        let found = symbol.and_then(|symbol| signatures(&program, symbol).pop());
        assert_eq!(
            found,
            Some(Signature {
                label: "A(x)".into(),
                parameters: vec!["x".into()],
                doc: "Doc.".into()
            })
        );
    }
}
