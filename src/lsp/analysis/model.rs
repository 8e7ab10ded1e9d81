//! Scopes, symbols, bindings and uses of a program, as data.
//!
//! Built by the binder, read by every request. Indices are only ever made by the model itself. Names are those of the
//! syntax tree: a clone of one needs no memory of its own.

use ruff_python_ast::name::Name;
use ruff_text_size::{TextRange, TextSize};
use rustc_hash::{FxHashMap, FxHashSet};

use super::table::Table;

/// The index of a [`Scope`] in its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeId(pub(super) usize);

/// The index of a [`Symbol`] in its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolId(pub(super) usize);

/// From where a name is read. A scope by itself is read as when all of its program has run.
#[derive(Debug, Clone, Copy)]
pub struct Spot {
    /// The scope that the text there belongs to.
    pub scope: ScopeId,
    /// The byte up to which the program has been read.
    pub until: Option<TextSize>,
}

impl From<ScopeId> for Spot {
    fn from(scope: ScopeId) -> Self {
        Self { scope, until: None }
    }
}

/// What opens a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    /// The program itself.
    Module,
    /// A class body, whose names its functions do not see.
    Class,
    /// A `def`.
    Function,
    /// A `lambda`.
    Lambda,
    /// A comprehension or generator expression.
    Comprehension,
    /// The brackets of `def f[T]` and their like.
    TypeParameters,
}

/// A region in which names are bound.
#[derive(Debug)]
pub struct Scope {
    /// What opened it.
    pub kind: ScopeKind,
    /// The name of the function or class; empty for others.
    pub name: Name,
    /// The enclosing scope; `None` for the module.
    pub parent: Option<ScopeId>,
    /// The text that it covers.
    pub range: TextRange,
    /// Names bound here.
    pub symbols: FxHashMap<Name, SymbolId>,
    /// Names declared `global` here.
    pub globals: FxHashSet<Name>,
    /// Names declared `nonlocal` here.
    pub nonlocals: FxHashSet<Name>,
    /// The parameter that stands for the instance or the class, in a method.
    pub receiver: Option<Name>,
    /// The base classes as written, for a class.
    pub bases: Vec<Name>,
    /// True when names may appear here that no text shows: `locals()`, `exec`, a star import, `%run`.
    pub dynamic: bool,
}

/// How a name was bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingKind {
    /// `import module` (with the dotted name in full).
    Import {
        /// The dotted module name.
        module: Name,
    },
    /// `from module import member`.
    FromImport {
        /// The module, with its leading dots.
        module: Name,
        /// The member as it is called there.
        member: Name,
    },
    /// `def`.
    Function,
    /// `class`.
    Class,
    /// A parameter of a function or lambda.
    Parameter,
    /// A plain assignment.
    Variable,
    /// A target that is unpacked, looped over, matched or opened by `with`: bound for its neighbours' sake.
    Target,
    /// `except … as name`.
    Exception,
    /// A type parameter or type alias.
    Type,
}

/// What a value's text tells of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A literal or display of this builtin type.
    Literal(&'static str),
    /// A call of this dotted name.
    Call(Name),
    /// Another dotted name.
    Name(Name),
}

/// How a name has its value from a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is what the text gives.
    Assigned,
    /// It is each element of that in turn.
    Iterated,
    /// It is what that gives to a `with`.
    Entered,
    /// An operator has been applied to what it was before.
    Augmented,
}

/// Where a name's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The expression.
    pub text: TextRange,
    /// How the name, or the tuple that it is in, has its value from there.
    pub how: How,
    /// The name's place in a tuple of targets, and in a tuple within that.
    pub places: [Option<u8>; 2],
}

impl Origin {
    /// That of the name at `index` of a tuple which has its value so; none within more tuples than two.
    pub(super) fn at(mut self, index: usize) -> Option<Self> {
        let free = self.places.iter_mut().find(|place| place.is_none())?;
        *free = Some(u8::try_from(index).ok()?);
        Some(self)
    }
}

/// One place where a name is bound.
#[derive(Debug, Clone)]
pub struct Binding {
    /// How.
    pub kind: BindingKind,
    /// The identifier itself.
    pub name: TextRange,
    /// The whole statement, parameter or clause.
    pub whole: TextRange,
    /// The text that describes it: a function's or class's head, an annotation.
    pub signature: Option<TextRange>,
    /// The docstring's literal.
    pub doc: Option<TextRange>,
    /// What the value tells.
    pub value: Option<Value>,
    /// Where it is written.
    pub origin: Option<Origin>,
    /// The scope that a function or class opens.
    pub opens: Option<ScopeId>,
}

impl Binding {
    /// Where the name begins to mean what is bound: behind the value that it is given.
    fn end(&self) -> TextSize {
        match (&self.kind, &self.value) {
            (BindingKind::Variable, _) | (BindingKind::Target, Some(_)) => self.whole.end(),
            _ => self.name.end(),
        }
    }

    /// True when code at `until` comes behind this binding, or is its name.
    pub(super) fn is_before(&self, until: TextSize) -> bool {
        self.end() < until || (self.name.start() < until && until <= self.name.end())
    }
}

/// A name in a scope, with all places where it is bound and used.
#[derive(Debug)]
pub struct Symbol {
    /// The name.
    pub name: Name,
    /// Where it is bound.
    pub scope: ScopeId,
    /// The places that bind it, in order.
    pub bindings: Vec<Binding>,
    /// The identifiers that refer to it.
    pub uses: Vec<TextRange>,
    /// Named in a magic, in `__all__` or another place where a rename must not reach.
    pub mentioned: bool,
}

/// A use of a name that nothing in the program binds.
#[derive(Debug)]
pub struct Unresolved {
    /// The name.
    pub name: Name,
    /// The identifier.
    pub range: TextRange,
    /// True when a dynamic scope around it may bind it.
    pub excused: bool,
}

/// `base.name` where the base is an instance or a class of this program.
#[derive(Debug)]
pub struct AttributeUse {
    /// The class.
    pub class: ScopeId,
    /// The attribute.
    pub name: Name,
    /// The attribute's identifier.
    pub range: TextRange,
    /// True for an assignment.
    pub store: bool,
    /// Where what is assigned is written.
    pub origin: Option<Origin>,
}

/// `module.name` where the module was imported.
#[derive(Debug)]
pub struct ModuleUse {
    /// What the import binds.
    pub symbol: SymbolId,
    /// Which of its bindings is that import.
    pub binding: usize,
    /// The attribute.
    pub name: Name,
    /// The attribute's identifier.
    pub range: TextRange,
    /// True for an assignment.
    pub store: bool,
}

/// `base["key"] = …`: from there on it has that key or column.
#[derive(Debug)]
pub struct KeyGiven {
    /// Where it is written.
    pub scope: ScopeId,
    /// The dotted name before the bracket.
    pub base: Name,
    /// The key.
    pub key: Box<str>,
    /// The whole target.
    pub range: TextRange,
}

/// `f(name=…)` where `f` is a function of this program.
#[derive(Debug)]
pub struct KeywordUse {
    /// The scope of the function.
    pub function: ScopeId,
    /// The keyword.
    pub name: Name,
    /// The keyword's identifier.
    pub range: TextRange,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Model {
    pub(super) scopes: Vec<Scope>,
    pub(super) symbols: Vec<Symbol>,
    /// Names that nothing binds.
    pub unresolved: Vec<Unresolved>,
    /// Attributes of known classes.
    pub attributes: Vec<AttributeUse>,
    /// Attributes of imported modules.
    pub modules: Vec<ModuleUse>,
    /// Keys that are assigned, in the order of the text.
    pub keys: Vec<KeyGiven>,
    /// Keywords in calls of known functions.
    pub keywords: Vec<KeywordUse>,
    /// The attributes that are assigned through an instance or a class, by class.
    pub(super) assigned: FxHashMap<ScopeId, FxHashSet<Name>>,
    /// All of these by where they stand.
    pub(super) table: Table,
}
