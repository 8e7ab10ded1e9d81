//! The members of classes that are not loaded, read from their sources: those of `df` in `df = pd.DataFrame(…)` while the import has
//! not run.
//!
//! A name is followed through the imports of modules to where it is defined, a class to its bases, and a function to the class that it
//! is annotated to return. What only running a module would tell stays unknown, and so does what an extension defines.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Decorator, ExceptHandler, Expr, Operator, Stmt, StmtClassDef, StmtFunctionDef, Suite};
use ruff_python_parser::parse_expression;

use super::finder::Finder;
use super::reader::{absolute, parsed};
use super::{Found, Kind, members};
use crate::lsp::analysis::depth;

/// So many modules are read for one question.
const MOST_MODULES: usize = 40;
/// A name is followed in so many steps, and a class to so many bases one above the other.
const FARTHEST: usize = 40;
/// Of one class.
const MOST_MEMBERS: usize = 5_000;

/// One source of a module.
struct Source {
    module: String,
    is_package: bool,
    body: Suite,
}

/// A class or a function, by where it is defined: at the top of a source.
type Definition = (Rc<Source>, Name);

/// What a name leads to.
#[derive(Clone)]
enum Target {
    Module(String),
    Defined(Definition),
    /// An instance of a class.
    Instance(Definition),
    /// A method of a class, of which it was asked for, or of a base of that.
    Method {
        name: Name,
        of: Definition,
        asked: Definition,
    },
}

/// What binds a name in a source.
enum Bound<'s> {
    Here,
    Module(String),
    From(String, &'s str),
    /// It is another name for that.
    As(&'s Expr),
    /// It is an instance of what this annotation says.
    Annotated(&'s Expr),
}

/// Reads the classes of a search path. It lives for one question.
pub(super) struct Classes<'a> {
    finder: &'a Finder,
    folder: Option<&'a Path>,
    read: HashMap<String, Vec<Rc<Source>>>,
    /// What names mean in a source, and whether they are bound there: one that is looked up already means nothing to those on its way,
    /// so that a circle of modules ends, and each name of each is looked up once.
    meant: HashMap<(*const Source, String), (Option<Target>, bool)>,
}

impl<'a> Classes<'a> {
    pub(super) fn new(finder: &'a Finder, folder: Option<&'a Path>) -> Self {
        Self {
            finder,
            folder,
            read: HashMap::new(),
            meant: HashMap::new(),
        }
    }

    /// What stands in the module or the class that `reached` leads to from `module`; nothing in anything else.
    pub(super) fn members(&mut self, module: &str, reached: &[String]) -> Vec<Found> {
        match self.follow(Target::Module(module.to_owned()), reached, FARTHEST) {
            Some(Target::Module(module)) => {
                let place = self.finder.place(&module, self.folder);
                place
                    .map(|place| members(self.finder, &module, &place))
                    .unwrap_or_default()
            }
            Some(Target::Defined(class) | Target::Instance(class)) => self.of_class(&class),
            _ => Vec::new(),
        }
    }

    /// The members of what a call of it gives: an instance, where it is a class, and where it is a function what that is annotated to
    /// return, at `places` of a tuple and of a tuple in that.
    pub(super) fn given(&mut self, module: &str, reached: &[String], places: &[u8]) -> Vec<Found> {
        let Some(target) = self
            .follow(Target::Module(module.to_owned()), reached, FARTHEST)
            .and_then(|target| self.callable(target))
        else {
            return Vec::new();
        };
        let (source, functions, asked) = match &target {
            Target::Module(_) | Target::Instance(_) => return Vec::new(),
            Target::Defined(class) if class_of(class).is_some() => {
                return match places {
                    [] => self.of_class(class),
                    _ => Vec::new(),
                };
            }
            Target::Defined((source, name)) => (source, functions(&source.body, name), None),
            Target::Method { name, of, asked } => {
                let body = class_of(of).map_or(&[][..], |it| &it.body);
                (&of.0, functions(body, name), Some(asked))
            }
        };
        // The last one is the function itself, behind its overloads.
        let mut told = functions.iter().rev().take(1).chain(&functions);
        let given = told.find_map(|function| {
            // What they say is what they yield, or what is awaited.
            let gives = !function.is_async && !function.decorator_list.iter().any(makes_context);
            let returns = function.returns.as_deref().filter(|_| gives)?;
            self.instance_of(source, returns, places, asked, FARTHEST)
        });
        given.map(|class| self.of_class(&class)).unwrap_or_default()
    }

    /// What a call of it calls.
    fn callable(&mut self, target: Target) -> Option<Target> {
        match target {
            Target::Instance(_) => self.follow(target, &["__call__".to_owned()], FARTHEST),
            other => Some(other),
        }
    }

    /// The class of which an annotation in `source` says that something is an instance; `own` is what it calls `Self`.
    fn instance_of(
        &mut self,
        source: &Rc<Source>,
        annotation: &Expr,
        places: &[u8],
        own: Option<&Definition>,
        far: usize,
    ) -> Option<Definition> {
        match annotation {
            // A string is one token where its source was measured.
            Expr::StringLiteral(text) if depth::of(text.value.to_str()) <= depth::LIMIT => {
                let quoted = parse_expression(text.value.to_str()).ok()?;
                self.instance_of(source, quoted.expr(), places, own, far)
            }
            // Of several the first that is a class: `DataFrame | TextFileReader`, `Figure | None`.
            Expr::BinOp(either) if either.op == Operator::BitOr => self
                .instance_of(source, &either.left, places, own, far)
                .or_else(|| self.instance_of(source, &either.right, places, own, far)),
            Expr::Subscript(of) => {
                let parameters = match &*of.slice {
                    Expr::Tuple(tuple) => &tuple.elts[..],
                    one => std::slice::from_ref(one),
                };
                match (last_word(&of.value)?, places) {
                    ("Optional" | "Union", _) => parameters
                        .iter()
                        .find_map(|it| self.instance_of(source, it, places, own, far)),
                    ("Annotated" | "Final" | "ClassVar", _) => {
                        self.instance_of(source, parameters.first()?, places, own, far)
                    }
                    ("tuple" | "Tuple", [place, rest @ ..]) => {
                        self.instance_of(source, parameters.get(usize::from(*place))?, rest, own, far)
                    }
                    (_, []) => self.instance_of(source, &of.value, places, own, far),
                    _ => None,
                }
            }
            Expr::Name(name) if name.id == "Self" && places.is_empty() => own.cloned(),
            // It may be whatever it is: an overload may say more.
            Expr::Name(_) | Expr::Attribute(_) if matches!(last_word(annotation), Some("Any" | "object")) => {
                None
            }
            Expr::Name(_) | Expr::Attribute(_) if places.is_empty() => {
                match self.named_by(source, annotation, far)? {
                    Target::Defined(class) if class_of(&class).is_some() => Some(class),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What a dotted name means in a source.
    fn named_by(&mut self, source: &Rc<Source>, expression: &Expr, far: usize) -> Option<Target> {
        let far = far.checked_sub(1)?;
        match expression {
            Expr::Name(name) => self.within(source, &name.id, far).0,
            Expr::Attribute(it) => {
                let base = self.named_by(source, &it.value, far)?;
                self.follow(base, &[it.attr.to_string()], far)
            }
            // A class that has been given its parameters.
            Expr::Subscript(it) => self.named_by(source, &it.value, far),
            _ => None,
        }
    }

    fn follow(&mut self, mut target: Target, reached: &[String], far: usize) -> Option<Target> {
        for name in reached {
            target = match target {
                Target::Module(module) => self.in_module(&module, name, far)?,
                Target::Defined(asked) | Target::Instance(asked) => Target::Method {
                    name: name.into(),
                    of: self.having(&asked, name, far)?,
                    asked,
                },
                Target::Method { .. } => return None,
            };
        }
        Some(target)
    }

    /// The class, or the first base of it, that has a method.
    fn having(&mut self, class: &Definition, method: &str, far: usize) -> Option<Definition> {
        let (mut waiting, mut seen) = (vec![class.clone()], HashSet::new());
        while let Some(class) = waiting.pop() {
            let definition = class_of(&class)?;
            if !functions(&definition.body, method).is_empty() {
                return Some(class);
            }
            if !seen.insert((class.0.module.clone(), class.1.clone())) {
                continue;
            }
            for base in definition.bases().iter().rev() {
                if let Some(Target::Defined(base)) = self.named_by(&class.0, base, far)
                    && class_of(&base).is_some()
                {
                    waiting.push(base);
                }
            }
        }
        None
    }

    fn in_module(&mut self, module: &str, name: &str, far: usize) -> Option<Target> {
        let far = far.checked_sub(1)?;
        for source in self.sources(module) {
            match self.within(&source, name, far) {
                (None, false) => {}
                (found, _) => return found,
            }
        }
        let inner = submodule(module, name);
        self.finder
            .place(&inner, self.folder)
            .map(|_| Target::Module(inner))
    }

    /// What `name` means in a source, and whether it is bound there.
    fn within(&mut self, source: &Rc<Source>, name: &str, far: usize) -> (Option<Target>, bool) {
        let key = (Rc::as_ptr(source), name.to_owned());
        if let Some(known) = self.meant.get(&key) {
            return known.clone();
        }
        self.meant.insert(key.clone(), (None, false));
        let meant = match far.checked_sub(1) {
            Some(far) => self.looked_up(source, name, far),
            None => (None, true),
        };
        self.meant.insert(key, meant.clone());
        meant
    }

    fn looked_up(&mut self, source: &Rc<Source>, name: &str, far: usize) -> (Option<Target>, bool) {
        let (bound, stars) = bound(source, &source.body, name);
        let is_bound = !bound.is_empty();
        // What is tried first may not be there: `try: from fast import …`, and what stands in for it below.
        let target = bound.into_iter().find_map(|bound| match bound {
            Bound::Here => Some(Target::Defined((Rc::clone(source), name.into()))),
            Bound::Module(module) => Some(Target::Module(module)),
            // A package takes its own modules from itself.
            Bound::From(module, member) if module == source.module => source
                .is_package
                .then(|| Target::Module(submodule(&module, member))),
            Bound::From(module, member) => self.in_module(&module, member, far),
            Bound::As(other) => self.named_by(source, other, far),
            Bound::Annotated(annotation) => self
                .instance_of(source, annotation, &[], None, far)
                .map(Target::Instance),
        });
        if is_bound {
            return (target, true);
        }
        let mut others = stars.into_iter().filter(|star| *star != source.module);
        (others.find_map(|star| self.in_module(&star, name, far)), false)
    }

    fn sources(&mut self, module: &str) -> Vec<Rc<Source>> {
        if let Some(known) = self.read.get(module) {
            return known.clone();
        }
        if self.read.len() >= MOST_MODULES {
            return Vec::new();
        }
        let place = self.finder.place(module, self.folder).unwrap_or_default();
        let bodies = place.sources.iter().filter_map(|file| parsed(file));
        let sources: Vec<_> = bodies
            .map(|body| {
                Rc::new(Source {
                    module: module.to_owned(),
                    is_package: place.is_package,
                    body,
                })
            })
            .collect();
        self.read.insert(module.to_owned(), sources.clone());
        sources
    }

    /// The members of a class, its own first and then those of its bases; each once.
    fn of_class(&mut self, class: &Definition) -> Vec<Found> {
        let mut members = Members::default();
        self.add(&mut members, class, FARTHEST);
        members.found
    }

    fn add(&mut self, members: &mut Members, class: &Definition, far: usize) {
        let (Some(far), Some(definition)) = (far.checked_sub(1), class_of(class)) else {
            return;
        };
        if !members.classes.insert((class.0.module.clone(), class.1.clone())) {
            return;
        }
        members.read(&definition.body);
        for base in definition.bases() {
            if let Some(Target::Defined(base)) = self.named_by(&class.0, base, far) {
                self.add(members, &base, far);
            }
        }
    }
}

/// Members while they are collected.
#[derive(Default)]
struct Members {
    found: Vec<Found>,
    known: HashSet<Name>,
    classes: HashSet<(String, Name)>,
}

impl Members {
    fn add(&mut self, name: &Name, kind: Kind) {
        if self.found.len() < MOST_MEMBERS && self.known.insert(name.clone()) {
            self.found.push(Found {
                name: name.to_string(),
                kind,
                public: !name.starts_with('_'),
            });
        }
    }

    fn read(&mut self, body: &[Stmt]) {
        each(body, &mut |stmt| {
            match stmt {
                Stmt::FunctionDef(it) => {
                    let kind = match it.decorator_list.iter().any(makes_property) {
                        true => Kind::Value,
                        false => Kind::Function,
                    };
                    self.add(&it.name.id, kind);
                }
                Stmt::ClassDef(it) => self.add(&it.name.id, Kind::Class),
                Stmt::Assign(it) => {
                    for target in &it.targets {
                        self.target(target);
                    }
                }
                Stmt::AnnAssign(it) => self.target(&it.target),
                _ => {}
            }
            false
        });
        // What methods give to their instance stands behind what the class says.
        each(body, &mut |stmt| {
            if let Stmt::FunctionDef(it) = stmt
                && let Some(receiver) = it.parameters.iter_non_variadic_params().next()
            {
                let mut given = Given {
                    receiver: receiver.name(),
                    members: self,
                };
                given.visit_body(&it.body);
            }
            false
        });
    }

    fn target(&mut self, target: &Expr) {
        match target {
            Expr::Name(name) => self.add(&name.id, Kind::Value),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|it| self.target(it)),
            _ => {}
        }
    }
}

/// Looks in a method for what it assigns to its instance.
struct Given<'m, 's> {
    receiver: &'s str,
    members: &'m mut Members,
}

impl Given<'_, '_> {
    fn target(&mut self, target: &Expr) {
        match target {
            Expr::Attribute(it) => {
                if matches!(&*it.value, Expr::Name(name) if name.id == self.receiver) {
                    self.members.add(&it.attr.id, Kind::Value);
                }
            }
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|it| self.target(it)),
            _ => {}
        }
    }
}

impl<'s> Visitor<'s> for Given<'_, '_> {
    fn visit_stmt(&mut self, stmt: &'s Stmt) {
        match stmt {
            Stmt::Assign(it) => it.targets.iter().for_each(|target| self.target(target)),
            Stmt::AnnAssign(it) => self.target(&it.target),
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, _: &'s Expr) {}
}

/// Calls `with` for each statement of a body and of what is done under a condition, until that says that it is done.
fn each<'s>(body: &'s [Stmt], with: &mut dyn FnMut(&'s Stmt) -> bool) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::If(it) => each(&it.body, with) || it.elif_else_clauses.iter().any(|it| each(&it.body, with)),
        Stmt::Try(it) => {
            each(&it.body, with)
                || it
                    .handlers
                    .iter()
                    .any(|ExceptHandler::ExceptHandler(it)| each(&it.body, with))
                || each(&it.orelse, with)
                || each(&it.finalbody, with)
        }
        Stmt::With(it) => each(&it.body, with),
        stmt => with(stmt),
    })
}

/// What binds `name`, in the order of the source, and the modules that everything is taken from.
fn bound<'s>(source: &Source, body: &'s [Stmt], name: &str) -> (Vec<Bound<'s>>, Vec<String>) {
    let is_it = |target: &Expr| matches!(target, Expr::Name(it) if it.id == name);
    let is_name = |value: &Expr| matches!(value, Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_));
    let (mut found, mut stars) = (Vec::new(), Vec::new());
    each(body, &mut |stmt| {
        match stmt {
            Stmt::ClassDef(it) if it.name.as_str() == name => found.push(Bound::Here),
            Stmt::FunctionDef(it) if it.name.as_str() == name => found.push(Bound::Here),
            Stmt::Import(it) => {
                for alias in &it.names {
                    let dotted = alias.name.as_str();
                    let top = dotted.split('.').next().unwrap_or_default();
                    match &alias.asname {
                        Some(own) if own.as_str() == name => found.push(Bound::Module(dotted.to_owned())),
                        None if top == name => found.push(Bound::Module(top.to_owned())),
                        _ => {}
                    }
                }
            }
            Stmt::ImportFrom(it) => {
                let of = it.module.as_ref().map_or("", |it| it.as_str());
                let from = match it.level {
                    0 => of.to_owned(),
                    level => absolute(&source.module, source.is_package, level, of),
                };
                for alias in &it.names {
                    if alias.name.as_str() == "*" {
                        stars.push(from.clone());
                    } else if alias.asname.as_ref().unwrap_or(&alias.name).as_str() == name {
                        found.push(Bound::From(from.clone(), alias.name.as_str()));
                    }
                }
            }
            Stmt::Assign(it) if it.targets.iter().any(is_it) && is_name(&it.value) => {
                found.push(Bound::As(&it.value));
            }
            Stmt::AnnAssign(it) if is_it(&it.target) => {
                let other = it.value.as_deref().filter(|it| is_name(it)).map(Bound::As);
                found.push(other.unwrap_or(Bound::Annotated(&it.annotation)));
            }
            Stmt::TypeAlias(it) if is_it(&it.name) && is_name(&it.value) => found.push(Bound::As(&it.value)),
            _ => {}
        }
        false
    });
    (found, stars)
}

fn class_of((source, name): &Definition) -> Option<&StmtClassDef> {
    let mut found = None;
    each(&source.body, &mut |stmt| {
        if let Stmt::ClassDef(it) = stmt
            && it.name.id == *name
        {
            found = Some(it);
        }
        found.is_some()
    });
    found
}

/// The functions of that name, in the order in which they are written.
fn functions<'s>(body: &'s [Stmt], name: &str) -> Vec<&'s StmtFunctionDef> {
    let mut found = Vec::new();
    each(body, &mut |stmt| {
        if let Stmt::FunctionDef(it) = stmt
            && it.name.as_str() == name
        {
            found.push(it);
        }
        false
    });
    found
}

/// `@property`, `@cached_property`, `@functools.cached_property`, `@name.setter`.
fn makes_property(decorator: &Decorator) -> bool {
    decorated_by(decorator)
        .is_some_and(|word| word.ends_with("property") || matches!(word, "setter" | "deleter"))
}

/// `@contextmanager`, `@contextlib.asynccontextmanager`.
fn makes_context(decorator: &Decorator) -> bool {
    decorated_by(decorator).is_some_and(|word| word.ends_with("contextmanager"))
}

fn decorated_by(decorator: &Decorator) -> Option<&str> {
    match &decorator.expression {
        Expr::Call(it) => last_word(&it.func),
        other => last_word(other),
    }
}

fn last_word(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(it) => Some(&it.id),
        Expr::Attribute(it) => Some(&it.attr),
        _ => None,
    }
}

fn submodule(module: &str, name: &str) -> String {
    let dot = if module.ends_with('.') { "" } else { "." };
    format!("{module}{dot}{name}")
}
