//! The names that a module binds, read from its source or stub by ruff's parser.
//!
//! What only running it would tell stays unknown: names made in a loop, by `__getattr__`, or within an extension. What a
//! module imports from elsewhere is not followed but for `*`, so the kind of such a name is guessed from how it is written.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use ruff_python_ast::{Expr, Stmt, StmtImportFrom, Suite};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

use super::finder::{Finder, Place};
use super::{Found, Kind};
use crate::lsp::analysis::depth;

/// A longer file is generated: its names are not read.
const MOST_BYTES: u64 = 1 << 20;
/// Of one module.
const MOST_NAMES: usize = 5_000;
/// So many `import *` one within the other are followed.
const MOST_STARS: usize = 5;

/// Where a module has a name from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// It is made there.
    Own,
    /// It is imported from the same package.
    Package,
    /// It is imported from elsewhere.
    Other,
}

/// What one source binds.
#[derive(Default)]
struct Surface {
    names: Vec<(String, Kind, Origin)>,
    /// `__all__`, where it is written out.
    all: Option<Vec<String>>,
    /// `__all__` is made by more than a list of strings.
    is_made: bool,
    /// The modules from which everything is imported.
    stars: Vec<String>,
}

/// Reads modules of a search path.
pub(super) struct Reader<'a> {
    finder: &'a Finder,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(finder: &'a Finder) -> Self {
        Self { finder, depth: 0 }
    }

    /// The names of `module`, which is at `place`; each once, in the order of the source.
    pub(super) fn names(&mut self, module: &str, place: &Place) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut modules: Option<HashSet<String>> = None;
        // Of what only `__all__` has, no kind is written: it is imported when somebody asks for it, or made.
        let mut kind_of = |name: &str| {
            let listed = || self.finder.modules(place).into_iter().map(|it| it.name).collect();
            match modules.get_or_insert_with(listed).contains(name) {
                true => Kind::Module,
                false => guess(name),
            }
        };
        let mut add = |name: &str, kind: Option<Kind>, public: bool| match known.get(name) {
            Some(at) => {
                if let Some(known) = found.get_mut(*at) {
                    known.public |= public;
                }
            }
            None if found.len() < MOST_NAMES => {
                known.insert(name.to_owned(), found.len());
                found.push(Found {
                    name: name.to_owned(),
                    kind: kind.unwrap_or_else(|| kind_of(name)),
                    public,
                });
            }
            None => {}
        };
        for source in &place.sources {
            let is_stub = source.extension().is_some_and(|ending| ending == "pyi");
            let Some(surface) = surface(source, module, place) else {
                continue;
            };
            let all = surface.all.filter(|_| !surface.is_made);
            for (name, kind, origin) in &surface.names {
                let public = match &all {
                    Some(all) => all.contains(name),
                    None if name.starts_with('_') => false,
                    None => match origin {
                        Origin::Own => true,
                        // A stub says of an import whether it is offered; a package offers what it takes from itself.
                        Origin::Package => place.is_package && !is_stub,
                        Origin::Other => false,
                    },
                };
                add(name, Some(*kind), public);
            }
            for star in &surface.stars {
                for name in self.behind_star(star).into_iter().filter(|name| name.public) {
                    let public = all.as_ref().is_none_or(|all| all.contains(&name.name));
                    add(&name.name, Some(name.kind), public);
                }
            }
            for name in all.iter().flatten() {
                add(name, None, true);
            }
        }
        found
    }

    fn behind_star(&mut self, module: &str) -> Vec<Found> {
        if self.depth >= MOST_STARS {
            return Vec::new();
        }
        let Some(place) = self.finder.place(module, None) else {
            return Vec::new();
        };
        self.depth += 1;
        let names = self.names(module, &place);
        self.depth -= 1;
        names
    }
}

fn surface(file: &Path, module: &str, place: &Place) -> Option<Surface> {
    let mut surface = Surface::default();
    surface.read(&parsed(file)?, module, place);
    Some(surface)
}

/// The statements of a source, as far as its grammar goes; `None` for one that is too long or too deep.
pub(super) fn parsed(file: &Path) -> Option<Suite> {
    let size = file.metadata().ok()?.len();
    if size > MOST_BYTES {
        return None;
    }
    let bytes = std::fs::read(file).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    if depth::of(text) > depth::LIMIT {
        return None;
    }
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module)).try_into_module()?;
    Some(parsed.into_suite())
}

impl Surface {
    fn read(&mut self, body: &[Stmt], module: &str, place: &Place) {
        for stmt in body {
            match stmt {
                Stmt::FunctionDef(it) => self.own(&it.name, Kind::Function),
                Stmt::ClassDef(it) => self.own(&it.name, Kind::Class),
                Stmt::TypeAlias(it) => self.target(&it.name),
                Stmt::Assign(it) => {
                    let is_all = it.targets.iter().any(is_all);
                    if is_all {
                        self.offered(&it.value, true);
                    } else {
                        it.targets.iter().for_each(|target| self.target(target));
                    }
                }
                Stmt::AnnAssign(it) => match &it.value {
                    Some(value) if is_all(&it.target) => self.offered(value, true),
                    _ => self.target(&it.target),
                },
                Stmt::AugAssign(it) if is_all(&it.target) => self.offered(&it.value, false),
                Stmt::Expr(it) => self.extended(&it.value),
                Stmt::Import(it) => {
                    for alias in &it.names {
                        let name = match &alias.asname {
                            Some(name) => name.as_str(),
                            None => alias.name.split('.').next().unwrap_or_default(),
                        };
                        self.names.push((name.to_owned(), Kind::Module, Origin::Other));
                    }
                }
                Stmt::ImportFrom(it) => self.imported(it, module, place),
                Stmt::If(it) => {
                    self.read(&it.body, module, place);
                    for clause in &it.elif_else_clauses {
                        self.read(&clause.body, module, place);
                    }
                }
                Stmt::Try(it) => {
                    self.read(&it.body, module, place);
                    for ruff_python_ast::ExceptHandler::ExceptHandler(handler) in &it.handlers {
                        self.read(&handler.body, module, place);
                    }
                    self.read(&it.orelse, module, place);
                    self.read(&it.finalbody, module, place);
                }
                Stmt::With(it) => self.read(&it.body, module, place),
                _ => {}
            }
        }
    }

    fn own(&mut self, name: &str, kind: Kind) {
        self.names.push((name.to_owned(), kind, Origin::Own));
    }

    fn target(&mut self, target: &Expr) {
        match target {
            Expr::Name(name) => self.own(&name.id, Kind::Value),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|target| self.target(target)),
            Expr::List(list) => list.elts.iter().for_each(|target| self.target(target)),
            _ => {}
        }
    }

    fn imported(&mut self, stmt: &StmtImportFrom, module: &str, place: &Place) {
        let name = stmt.module.as_ref().map_or("", |name| name.as_str());
        let from = match stmt.level {
            0 => name.to_owned(),
            level => absolute(module, place.is_package, level, name),
        };
        let top = |module: &str| module.split('.').next().unwrap_or_default().to_owned();
        let is_within = !module.starts_with('.') && top(&from) == top(module) || stmt.level > 0;
        for alias in &stmt.names {
            if alias.name.as_str() == "*" {
                if is_within {
                    self.stars.push(from.clone());
                }
                continue;
            }
            let bound = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
            // What a package takes from itself while it is made are its modules.
            let kind = match name.is_empty() && stmt.level > 0 || place.is_package && from == module {
                true => Kind::Module,
                false => guess(&alias.name),
            };
            // `import x as x` is how a stub says that it offers it.
            let is_said = alias.asname.as_ref().is_some_and(|name| name.id == alias.name.id);
            let origin = match is_within {
                true if is_said => Origin::Own,
                true => Origin::Package,
                false => Origin::Other,
            };
            self.names.push((bound.to_owned(), kind, origin));
        }
    }

    /// The value of `__all__`, or what is added to it.
    fn offered(&mut self, value: &Expr, anew: bool) {
        let elements = match value {
            Expr::List(list) => &list.elts,
            Expr::Tuple(tuple) => &tuple.elts,
            _ => {
                self.is_made = true;
                return;
            }
        };
        let all = self.all.get_or_insert_default();
        if anew {
            all.clear();
        }
        for element in elements {
            match element {
                Expr::StringLiteral(text) => all.push(text.value.to_str().to_owned()),
                _ => self.is_made = true,
            }
        }
    }

    /// `__all__.extend([...])`, and `append`, whose argument is one more.
    fn extended(&mut self, value: &Expr) {
        if let Expr::Call(call) = value
            && let Expr::Attribute(method) = &*call.func
            && is_all(&method.value)
            && let [argument] = &*call.arguments.args
        {
            match (method.attr.as_str(), argument) {
                ("extend", value) => self.offered(value, false),
                ("append", Expr::StringLiteral(text)) => {
                    self.all
                        .get_or_insert_default()
                        .push(text.value.to_str().to_owned());
                }
                _ => self.is_made = true,
            }
        }
    }
}

fn is_all(target: &Expr) -> bool {
    matches!(target, Expr::Name(name) if name.id == "__all__")
}

/// What `from ..name import` means in `module`.
pub(super) fn absolute(module: &str, is_package: bool, level: u32, name: &str) -> String {
    let up = level as usize - usize::from(is_package);
    let parts: Vec<&str> = module.split('.').collect();
    let mut parts = parts
        .get(..parts.len().saturating_sub(up))
        .unwrap_or_default()
        .to_vec();
    if !name.is_empty() {
        parts.push(name);
    }
    parts.join(".")
}

/// What a name is by the way it is written: `LIMIT`, `Table`, `read`.
fn guess(name: &str) -> Kind {
    let first_is_upper = name.chars().next().is_some_and(char::is_uppercase);
    match name.chars().any(char::is_lowercase) {
        true if first_is_upper => Kind::Class,
        true => Kind::Function,
        false if name.chars().count() == 1 && first_is_upper => Kind::Class,
        false => Kind::Value,
    }
}
