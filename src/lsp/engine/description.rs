//! What a name or expression is, from the source and from the session, merged: the session wins on type and
//! documentation, since it has the object itself.

use ruff_python_ast::name::Name;
use ruff_text_size::{TextRange, TextSize};

use super::Asker;
use super::builtins;
use super::given::{self, first_name};
use crate::lsp::analysis::cursor::Call;
use crate::lsp::analysis::describe::{self, Signature};
use crate::lsp::analysis::model::{BindingKind, Spot, Symbol, Value};
use crate::lsp::analysis::{Program, ScopeKind};
use crate::lsp::live::{LiveAnswer, LiveObject};

/// What is known about the expression under a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// One line of Python: `def f(a)`, `x: int`.
    pub headline: String,
    /// The documentation; may be empty.
    pub doc: String,
    /// A short text of the value; may be empty.
    pub preview: String,
    /// The dotted name under which a help viewer finds it.
    pub topic: String,
    /// The name under the cursor, in bytes of the program.
    pub range: TextRange,
}

impl Description {
    /// As a terminal shows it.
    pub fn plain_text(&self) -> String {
        [self.headline.as_str(), &self.preview, &self.doc]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("\n\n")
    }
}

/// Describes what stands at byte `offset`.
pub fn at(program: &Program, offset: usize, asker: &mut Asker) -> Option<Description> {
    let mut spot = program.spot(offset);
    if let Some((call, range)) = program.keyword_at(offset) {
        return parameter(program, spot, &call, asker).map(|headline| Description {
            headline,
            range,
            topic: call.callee,
            ..Description::default()
        });
    }
    let (expression, range) = program.expression_at(offset)?;
    // Wherever the cursor is in a name, the whole of it is meant.
    spot.until = Some(range.end());
    let mut found = of(program, spot, &expression, asker)?;
    found.range = range;
    Some(found)
}

/// The parameter that the keyword of an argument names.
fn parameter(program: &Program, spot: Spot, call: &Call, asker: &mut Asker) -> Option<String> {
    signatures(program, spot, &call.callee, asker)
        .into_iter()
        .flat_map(|it| it.parameters)
        .find(|it| describe::parameter_name(it) == call.keyword.as_deref())
        .map(|parameter| format!("(parameter) {parameter}"))
}

/// Describes an expression as it is read from a place.
pub fn of(
    program: &Program,
    spot: impl Into<Spot>,
    expression: &str,
    asker: &mut Asker,
) -> Option<Description> {
    let spot = spot.into();
    let inherited = through_super(program, spot, expression);
    let expression = inherited.as_deref().unwrap_or(expression);
    let symbol = symbol_of(program, spot, expression);
    let binding = symbol.and_then(|symbol| program.model.binding(spot, symbol));
    let mut found = symbol.zip(binding).map(|(symbol, binding)| Description {
        headline: describe::headline(program, symbol, binding),
        doc: describe::docstring(program, binding),
        preview: String::new(),
        topic: match &binding.kind {
            BindingKind::Import { module } => module.to_string(),
            BindingKind::FromImport { module, member } => format!("{module}.{member}"),
            _ => expression.to_owned(),
        },
        range: binding.name,
    });
    if let Some(object) = object(program, spot, expression, asker) {
        let live = from_live(expression, object);
        match &mut found {
            Some(found) => {
                let is_definition = ["def ", "class ", "(parameter)"]
                    .iter()
                    .any(|start| found.headline.starts_with(start));
                if !is_definition {
                    found.headline = live.headline;
                }
                if !live.doc.is_empty() {
                    found.doc = live.doc;
                }
                found.preview = live.preview;
                // What is imported keeps the name that it is imported by: `os.path`, and not `posixpath`.
                let is_imported = binding.is_some_and(|it| {
                    matches!(
                        it.kind,
                        BindingKind::Import { .. } | BindingKind::FromImport { .. }
                    )
                });
                if !live.topic.is_empty() && (!is_imported || found.topic.starts_with('.')) {
                    found.topic = live.topic;
                }
            }
            None => found = Some(live),
        }
    }
    found.or_else(|| {
        let is_type = builtins::TYPES.binary_search(&expression).is_ok();
        let is_function = builtins::FUNCTIONS.binary_search(&expression).is_ok();
        (is_type || is_function).then(|| Description {
            headline: format!("{} {expression}", if is_type { "class" } else { "def" }),
            doc: String::new(),
            preview: String::new(),
            topic: expression.to_owned(),
            range: TextRange::default(),
        })
    })
}

/// The signatures of what is called: of an overloaded function all of them. Empty when nobody knows.
pub fn signatures(
    program: &Program,
    spot: impl Into<Spot>,
    callee: &str,
    asker: &mut Asker,
) -> Vec<Signature> {
    let spot = spot.into();
    let inherited = through_super(program, spot, callee);
    let callee = inherited.as_deref().unwrap_or(callee);
    let from_source = symbol_of(program, spot, callee)
        .map(|symbol| describe::signatures(program, symbol))
        .unwrap_or_default();
    if !from_source.is_empty() {
        return from_source;
    }
    let Some(object) = object(program, spot, callee, asker).filter(|it| !it.signature.is_empty()) else {
        return Vec::new();
    };
    let name = callee.rsplit('.').next().unwrap_or(callee);
    let label = format!("{name}{}", object.signature);
    vec![Signature {
        // What is called on an instance is given that.
        parameters: describe::parameters(&label)
            .into_iter()
            .skip(usize::from(inherited.is_some()))
            .collect(),
        label,
        doc: object.doc,
    }]
}

/// `super().name` as the base class has it: `Base.name`.
fn through_super(program: &Program, spot: Spot, expression: &str) -> Option<String> {
    let name = expression.strip_prefix("super().")?;
    let model = &program.model;
    let bases = model.bases_around(spot.scope);
    let has_it = |base: &&Name| {
        let class = model.class_of(spot, base);
        class.is_some_and(|class| model.member(class, name).is_some())
    };
    let is_outside = |base: &&Name| model.class_of(spot, base).is_none();
    let base = bases.iter().find(has_it).or(bases.iter().find(is_outside))?;
    Some(format!("{base}.{name}"))
}

/// The class that the annotation of a parameter names; `None` beside it, and what it holds, left out.
pub fn annotated<'p>(program: &'p Program, spot: Spot, name: &str) -> Option<&'p str> {
    /// Forms of `typing` that are no classes.
    const FORMS: [&str; 7] = ["Any", "Callable", "Literal", "Optional", "Self", "Type", "Union"];
    let binding = program.model.binding(spot, symbol_of(program, spot, name)?)?;
    let annotation = program.text(
        binding
            .signature
            .filter(|_| binding.kind == BindingKind::Parameter)?,
    );
    let annotation = annotation.trim_matches(['"', '\'']).trim();
    let optional = annotation.strip_suffix("None").map(str::trim_end);
    let class = optional
        .and_then(|it| it.strip_suffix('|'))
        .unwrap_or(annotation)
        .trim();
    let brackets = class
        .find('[')
        .zip(class.rfind(']'))
        .unwrap_or((class.len(), class.len()));
    // One of several classes is none.
    if class
        .match_indices('|')
        .any(|(at, _)| at < brackets.0 || at > brackets.1)
    {
        return None;
    }
    let last = |class: &'p str| class.split('[').next().and_then(|it| it.rsplit('.').next());
    let class = match last(class)? {
        "Optional" | "Annotated" => class.split_once('[')?.1.split([',', ']']).next()?.trim(),
        _ => class,
    };
    let is_class = last(class).is_some_and(|it| !FORMS.contains(&it));
    class.split('[').next().map(str::trim).filter(|_| is_class)
}

/// The symbol of the program that a plain or dotted name means.
pub fn symbol_of<'p>(program: &'p Program, spot: Spot, expression: &str) -> Option<&'p Symbol> {
    let model = &program.model;
    let id = match expression.rsplit_once('.') {
        None => model.lookup(spot.scope, expression)?,
        Some((base, name)) => model.member(model.class_of(spot, base)?, name)?,
    };
    model.symbol(id)
}

/// True when the first name of `expression` is the session's, not a local variable's.
pub fn may_ask(program: &Program, spot: impl Into<Spot>, expression: &str) -> bool {
    program
        .model
        .lookup(spot.into().scope, first_name(expression))
        .and_then(|id| program.model.symbol(id))
        .and_then(|symbol| program.model.scope(symbol.scope))
        .is_none_or(|scope| scope.kind == ScopeKind::Module)
}

/// True when what the session has under the first name of `expression` is from before an edit: above `spot` the same cell
/// binds the name to a value whose text shows another type.
pub fn is_outdated(program: &Program, spot: Spot, expression: &str, asker: &Asker) -> bool {
    let name = first_name(expression);
    // The session's names are many, and mostly need not be looked through.
    shown_type(program, spot, name).is_some_and(|shown| {
        let known = asker.snapshot.name(name);
        known.is_some_and(|known| shown != known.type_name)
    })
}

/// The type of a name of the program's outermost scope, where the cell of `spot` binds it above and shows it for sure.
pub(super) fn shown_type<'p>(program: &'p Program, spot: Spot, name: &str) -> Option<&'p str> {
    let model = &program.model;
    let symbol = model.symbol(model.lookup(spot.scope, name)?)?;
    let binding = model.binding(spot, symbol)?;
    let runs_here = [spot.scope, model.enclosing_statement_scope(spot.scope)].contains(&symbol.scope);
    let is_module = model.scope(symbol.scope)?.kind == ScopeKind::Module;
    let until = spot
        .until
        .filter(|until| runs_here && binding.name.end() <= *until)?;
    let part = |at: TextSize| program.part_at(at.to_usize());
    if !is_module || binding.signature.is_some() || part(binding.name.start()) != part(until) {
        return None;
    }
    match binding.value.as_ref()? {
        Value::Literal(name) => Some(name),
        Value::Call(name) if !name.contains('.') => {
            let class = model.symbol(model.lookup(symbol.scope, name)?)?;
            let is_class = class.bindings.iter().all(|it| it.kind == BindingKind::Class);
            is_class.then_some(class.name.as_str())
        }
        _ => None,
    }
}

fn object(program: &Program, spot: Spot, expression: &str, asker: &mut Asker) -> Option<LiveObject> {
    let given = given::of(program, spot, expression, asker)?;
    match asker.inspect(expression, &given) {
        LiveAnswer::Known(object) => Some(object),
        LiveAnswer::Busy if given.is_empty() => {
            let snapshot = &asker.snapshot;
            snapshot.objects.get(expression).cloned().or_else(|| {
                let item = snapshot.name(expression)?;
                Some(LiveObject {
                    type_name: item.type_name.clone(),
                    kind: item.kind,
                    ..LiveObject::default()
                })
            })
        }
        _ => None,
    }
}

fn from_live(expression: &str, object: LiveObject) -> Description {
    let name = expression.rsplit('.').next().unwrap_or(expression);
    let headline = match object.kind.as_str() {
        "function" | "method" => format!("def {name}{}", object.signature),
        "class" => format!("class {name}{}", object.signature),
        "module" => format!("module {name}"),
        _ if object.type_name.is_empty() => name.to_owned(),
        _ => format!("{name}: {}", object.type_name),
    };
    Description {
        headline,
        doc: object.doc,
        preview: object.preview,
        topic: object.topic,
        range: TextRange::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_name_classes() {
        for (annotation, class) in [
            ("str", Some("str")),
            ("'str'", Some("str")),
            ("pd.DataFrame", Some("pd.DataFrame")),
            ("list[int | str]", Some("list")),
            ("dict[str, int] | None", Some("dict")),
            ("dict[str, int]", Some("dict")),
            ("str | None", Some("str")),
            ("Optional[pd.Series]", Some("pd.Series")),
            ("typing.Annotated[int, 'unit']", Some("int")),
            ("int | str", None),
            ("Any", None),
            ("typing.Callable[[int], str]", None),
        ] {
            let program = Program::plain(&format!("def f(a: {annotation}): a"));
            let spot = program.spot(program.source.len() - 1);
            assert_eq!(annotated(&program, spot, "a"), class, "{annotation}");
        }
    }
}
