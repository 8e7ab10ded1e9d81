//! What can be imported: modules, and the names inside them; and names that an import would bind.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use ruff_python_ast::Expr;
use ruff_python_parser::parse_expression;
use ruff_text_size::Ranged;

use super::list::List;
use super::{Candidate, Found, Kind};
use crate::lsp::analysis::Program;
use crate::lsp::analysis::expression::is_word;
use crate::lsp::analysis::model::{BindingKind, How, Spot};
use crate::lsp::engine::{Asker, builtins, description, insertion};
use crate::lsp::index::{self, Hit};
use crate::lsp::live::{LiveAnswer, LiveQuery};

/// A shorter word is begun by too many names.
const SHORTEST: usize = 3;
/// Where something that is bound begins with a word, so many names or fewer are offered with their import besides, and
/// none for a shorter word.
const FEW: usize = 5;
const LONG: usize = 4;
/// Names that are not bound, in one list.
const MOST_UNBOUND: usize = 20;

/// Adds modules. `package` is `os.` of `import os.pa`: only the last part is typed anew, and a dot ends a word for
/// clients.
pub(super) fn modules(list: &mut List, program: &Program, package: &str, asker: &mut Asker) {
    if package.is_empty() {
        for name in builtins::MODULES {
            list.add(name, Kind::Module, "", 1, "");
        }
        let snapshot = Arc::clone(&asker.snapshot);
        for name in &snapshot.modules {
            list.add(name, Kind::Module, "", 0, "");
        }
    }
    let within = match package.trim_start_matches('.').is_empty() {
        true => package,
        false => package.trim_end_matches('.'),
    };
    let installed = asker.index().modules(within, folder(program, asker).as_deref());
    list.late |= installed.is_none();
    for module in installed.unwrap_or_default() {
        list.add(&module.name, Kind::Module, "", 0, "");
    }
}

pub(super) fn imported(
    list: &mut List,
    program: &Program,
    offset: usize,
    module: &str,
    prefix: &str,
    asker: &mut Asker,
) {
    let given = given(program, offset);
    // The compiler's flags stand beside the features that one imports.
    let is_flag = |name: &str| module == "__future__" && name.starts_with("CO_");
    // A module that is loaded is looked into: it has the names that are really there. Loading one would run its code.
    let query = LiveQuery::Members {
        expression: format!("sys.modules['{module}']"),
        prefix: prefix.to_owned(),
    };
    if module.chars().all(|char| char == '.' || is_word(char))
        && let LiveAnswer::Known(items) = asker.complete(&query, &[])
    {
        for item in items
            .iter()
            .filter(|item| !given.contains(item.name.as_str()) && !is_flag(&item.name))
        {
            list.add(
                &item.name,
                Kind::from_live(&item.kind),
                &item.type_name,
                0,
                &item.name,
            );
        }
    }
    let members = asker.index().members(module, folder(program, asker).as_deref());
    add(list, members, |name| !given.contains(name) && !is_flag(name));
    // What the program imports from there elsewhere is known to exist.
    for (_, symbol) in program.model.symbols() {
        for binding in &symbol.bindings {
            if let BindingKind::FromImport { module: from, member } = &binding.kind
                && from == module
                && !binding.name.is_empty()
                && member != prefix
                && !given.contains(member.as_str())
            {
                list.add(member, Kind::Instance, "", 2, "");
            }
        }
    }
}

/// Adds what stands in the module or the class that `base` is by an import of the program's: of one that is not loaded nobody else knows.
pub(super) fn within(list: &mut List, program: &Program, spot: Spot, base: &str, asker: &mut Asker) {
    if let Some((module, reached)) = imported_by(program, spot, base) {
        let folder = folder(program, asker);
        add(
            list,
            asker.index().attributes(module, &reached, folder.as_deref()),
            |_| true,
        );
    }
}

/// Adds the members of an instance of a class that is not loaded: of `base`, which is a parameter of that type, a call of the class or of
/// a function that returns one, or a name that has been given such a call.
pub(super) fn instance(list: &mut List, program: &Program, spot: Spot, base: &str, asker: &mut Asker) {
    if let Some(class) = description::annotated(program, spot, base) {
        return within(list, program, spot, class, asker);
    }
    let symbol = program.model.lookup(spot.scope, base);
    let origin = symbol
        .and_then(|id| program.model.symbol(id))
        .and_then(|symbol| program.model.binding(spot, symbol))
        .and_then(|binding| Some((binding, binding.origin?)));
    let (call, spot, places) = match origin {
        Some((binding, origin)) if origin.how == How::Assigned => {
            let above = Spot {
                scope: spot.scope,
                until: Some(origin.text.start().min(binding.name.start())),
            };
            (program.text(origin.text), above, origin.places)
        }
        Some(_) => return,
        None => (base, spot, [None; 2]),
    };
    let folder = folder(program, asker);
    let places: Vec<u8> = places.into_iter().flatten().collect();
    if let Some((module, reached)) = called(call).and_then(|callee| imported_by(program, spot, callee)) {
        add(
            list,
            asker.index().given(module, &reached, &places, folder.as_deref()),
            |_| true,
        );
    }
}

/// The dotted name that a call is one of; `None` where the text is something else, or goes on behind it.
fn called(text: &str) -> Option<&str> {
    let parsed = parse_expression(text).ok()?;
    let Expr::Call(call) = parsed.expr() else {
        return None;
    };
    let callee = text.get(call.func.range().to_std_range())?;
    is_dotted(callee).then_some(callee)
}

fn is_dotted(text: &str) -> bool {
    text.chars().all(|char| char == '.' || is_word(char))
}

/// The module that an import binds the first name of `base` to, and the names that lead from there.
fn imported_by<'p>(program: &'p Program, spot: Spot, base: &'p str) -> Option<(&'p str, Vec<&'p str>)> {
    if !is_dotted(base) {
        return None;
    }
    let mut names = base.split('.');
    let symbol = program.model.lookup(spot.scope, names.next()?)?;
    let binding = program.model.binding(spot, program.model.symbol(symbol)?)?;
    match &binding.kind {
        BindingKind::Import { module } => Some((module, names.collect())),
        BindingKind::FromImport { module, member } => {
            Some((module, std::iter::once(member.as_str()).chain(names).collect()))
        }
        _ => None,
    }
}

/// Adds what a module has by its source, as far as it is wanted.
fn add(list: &mut List, members: Option<Vec<index::Found>>, is_wanted: impl Fn(&str) -> bool) {
    list.late |= members.is_none();
    for found in members.unwrap_or_default() {
        if is_wanted(&found.name) {
            list.add(&found.name, of_index(found.kind), "", u8::from(!found.public), "");
        }
    }
}

/// Adds what nothing binds and an import would, with that import, behind everything that is bound.
pub(super) fn unbound(found: &mut Found, program: &Program, offset: usize, typed: &str, asker: &mut Asker) {
    // `$name` is the shell's as well, and whoever has typed a whole keyword means that.
    let before = program.source.get(..found.start).unwrap_or_default();
    if !asker.imports || found.incomplete || before.ends_with('$') || builtins::KEYWORDS.contains(&typed) {
        return;
    }
    let index = asker.index();
    let is_short = typed.chars().count() < SHORTEST;
    if typed.is_empty() {
        found.incomplete = true;
        return;
    }
    let most = MOST_UNBOUND + found.candidates.len().min(100);
    let mut hits = index.starting(typed, most);
    // With the next letter there may be others.
    found.incomplete = is_short || hits.len() >= most || !index.is_collected();
    // Of a word of two letters only what it stands for as a whole is meant: `np`.
    hits.retain(|hit| !is_short || hit.name == typed && index::alias(typed).next().is_some());
    let bound: HashSet<&str> = found.candidates.iter().map(|it| it.label.as_str()).collect();
    hits.retain(|hit| !bound.contains(hit.name.as_str()) && !is_everywhere(&hit.name));
    let is_begun = !is_short && found.candidates.iter().any(|it| it.label.starts_with(typed));
    if is_begun && (hits.len() > FEW || typed.chars().count() < LONG) {
        hits.retain(|hit| hit.name == typed);
        found.incomplete = true;
    }
    let rank = found.candidates.last().map_or(0, |last| last.rank).max(30);
    for hit in hits.into_iter().take(MOST_UNBOUND) {
        let candidate = with_import(program, offset, found.start, hit, rank);
        found.candidates.push(candidate);
    }
}

fn with_import(program: &Program, offset: usize, start: usize, hit: Hit, rank: u8) -> Candidate {
    let place = insertion::of_import(program, offset, &hit.import);
    // Two edits at the same place are none that a client has to accept: then the import is part of what is inserted.
    let (insert, besides) = match place.offset == start {
        true => (format!("{}{}", place.text, hit.name), None),
        false => (String::new(), Some(place)),
    };
    Candidate {
        label: hit.name,
        kind: of_index(hit.kind),
        detail: hit.import,
        rank,
        expression: String::new(),
        insert,
        besides,
    }
}

fn is_everywhere(name: &str) -> bool {
    builtins::FUNCTIONS.contains(&name)
        || builtins::TYPES.contains(&name)
        || builtins::KEYWORDS.contains(&name)
        || builtins::SESSION.contains(&name)
}

fn of_index(kind: index::Kind) -> Kind {
    match kind {
        index::Kind::Function => Kind::Function,
        index::Kind::Class => Kind::Class,
        index::Kind::Module => Kind::Module,
        index::Kind::Value => Kind::Instance,
    }
}

/// The folder of the program, from which relative imports are seen: the document's, else the session's.
fn folder(program: &Program, asker: &Asker) -> Option<PathBuf> {
    let uri = program.parts.first().map(|part| part.uri.0.as_str());
    let own = uri.and_then(index::folder_of).filter(|folder| folder.is_dir());
    own.or_else(|| Some(PathBuf::from(&asker.snapshot.directory)).filter(|folder| folder.is_absolute()))
}

/// The names that the statement at `offset` imports already: `a` of `from x import a, |`.
fn given(program: &Program, offset: usize) -> HashSet<&str> {
    let before = program.source.get(..offset).unwrap_or_default();
    let listed = before.rsplit_once("import").map_or("", |(_, listed)| listed);
    let mut names: Vec<&str> = listed
        .split(',')
        .filter_map(|name| {
            name.split(|char: char| !is_word(char))
                .find(|word| !word.is_empty())
        })
        .collect();
    // The last one is being typed.
    if !listed.trim_end_matches([' ', '(', '\\', '\n']).ends_with(',') {
        names.pop();
    }
    names.into_iter().collect()
}
