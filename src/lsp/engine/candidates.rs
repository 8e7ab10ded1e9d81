//! Completion candidates of a place in a program, from the source and from the session, merged.
//!
//! No name appears twice: where both halves know it, the session's type wins, and the source's rank stays.

mod imports;
mod list;
mod magics;
mod paths;
mod strings;

use std::collections::HashSet;

use super::Asker;
use super::builtins;
use super::given;
use crate::lsp::analysis::cursor::{Call, Cursor, Place};
use crate::lsp::analysis::model::{BindingKind, Scope, Spot, Symbol};
use crate::lsp::analysis::{Program, ScopeKind, describe};
use crate::lsp::live::{LiveAnswer, LiveGiven, LiveKind, LiveQuery};
use list::List;
use paths::paths;

/// At most this many candidates are given; the client is told that there are more.
pub const MOST: usize = 1000;

/// What a candidate is; Jupyter's and the protocol's kinds are made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A function or method.
    Function,
    /// A class.
    Class,
    /// A module.
    Module,
    /// A variable or any other object.
    Instance,
    /// A property, attribute, key or column.
    Property,
    /// A parameter of the call being typed.
    Parameter,
    /// A keyword.
    Keyword,
    /// A magic.
    Magic,
    /// A file or folder.
    Path,
}

impl Kind {
    /// As jedi, and so Jupyter's `_jupyter_types_experimental`, calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Class => "class",
            Self::Module => "module",
            Self::Instance => "instance",
            Self::Property => "property",
            Self::Parameter => "param",
            Self::Keyword => "keyword",
            Self::Magic => "magic",
            Self::Path => "path",
        }
    }

    fn from_live(kind: &LiveKind) -> Self {
        match kind {
            LiveKind::Function => Self::Function,
            LiveKind::Class => Self::Class,
            LiveKind::Module => Self::Module,
            LiveKind::Property => Self::Property,
            LiveKind::Keyword => Self::Keyword,
            LiveKind::Instance => Self::Instance,
        }
    }
}

/// One candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What is shown and inserted.
    pub label: String,
    /// What it is.
    pub kind: Kind,
    /// Its type or signature, on one line; may be empty.
    pub detail: String,
    /// Smaller comes first.
    pub rank: u8,
    /// The expression that describes it, for a later look.
    pub expression: String,
    /// What is inserted in place of the label, where that is something else; may be empty.
    pub insert: String,
    /// What is to be inserted elsewhere besides: an import.
    pub besides: Option<Insertion>,
}

/// Text that comes into a program without taking anything away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insertion {
    /// Before which byte of the program.
    pub offset: usize,
    /// What, line ends included.
    pub text: String,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The candidates, most useful first.
    pub candidates: Vec<Candidate>,
    /// The byte where the completed text starts.
    pub start: usize,
    /// True when there were more than [`MOST`].
    pub incomplete: bool,
}

/// Completes at byte `offset`.
pub fn at(program: &Program, offset: usize, asker: &mut Asker) -> Found {
    let cursor = program.cursor(offset);
    let spot = program.spot(offset);
    let typed = program.text(cursor.word);
    let mut list = match &cursor.place {
        Place::Key { quoted, .. } | Place::Text { quoted, .. } => List::new(&strings::read(typed, *quoted)),
        _ => List::new(typed),
    };
    if matches!(cursor.place, Place::Nothing | Place::Shell | Place::Module { .. })
        && let Some(found) = magics::arguments(program, offset, asker)
    {
        return found;
    }
    match &cursor.place {
        Place::Nothing => {}
        Place::Name => {
            if let Some(call) = cursor.calls.first().filter(|call| call.begins) {
                parameters(&mut list, program, spot, call, asker);
            }
            if let Some((base, index)) = &cursor.bracket
                && let Some(given) = given::of(program, spot, base, asker)
            {
                let owner = columns_of(base, *index).map(|owner| program.model.keys_given(spot, owner));
                strings::bare_keys(
                    &mut list,
                    base,
                    *index,
                    &given,
                    owner.into_iter().flatten(),
                    asker,
                );
            }
            names(&mut list, program, spot, &cursor, asker);
        }
        Place::Keyword { allowed } => {
            for name in *allowed {
                list.add(name, Kind::Keyword, "", 0, "");
            }
        }
        Place::Pattern => {
            names(&mut list, program, spot, &cursor, asker);
            let constants = ["None", "True", "False"];
            list.candidates.retain(|it| {
                matches!(it.kind, Kind::Class | Kind::Module) || constants.contains(&it.label.as_str())
            });
        }
        Place::Attribute { base } if base == "super()" => {
            for base in program.model.bases_around(spot.scope) {
                members(&mut list, program, spot, base, typed, asker);
            }
            if list.candidates.is_empty() {
                members(&mut list, program, spot, base, typed, asker);
            }
        }
        Place::Attribute { base } => members(&mut list, program, spot, base, typed, asker),
        Place::Key { base, index, quoted } => {
            if let Some(given) = given::of(program, spot, base, asker) {
                strings::keys(&mut list, base, *index, typed, *quoted, &given, asker);
            }
            if let Some(owner) = columns_of(base, *index) {
                strings::add_given(&mut list, program.model.keys_given(spot, owner), *quoted);
            }
        }
        Place::Text { alone, quoted } => {
            let calls: Vec<Call> = match alone {
                true => cursor.calls.clone(),
                false => Vec::new(),
            };
            let may_ask = calls
                .first()
                .is_some_and(|call| given::of(program, spot, &call.callee, asker).is_some());
            let known = may_ask && {
                let texts = calls.iter().flat_map(|it| [it.callee.as_str(), &it.written]);
                let given = given::of_all(program, spot, texts, asker);
                strings::arguments(&mut list, &calls, typed, *quoted, &given, asker)
            };
            if let Some((owner, _)) = calls.first().and_then(|it| it.callee.rsplit_once('.'))
                && list.candidates.iter().any(|it| it.detail == strings::COLUMN)
            {
                strings::add_given(&mut list, program.model.keys_given(spot, owner), *quoted);
            }
            if known {
                let before = program.source.get(..offset - typed.len()).unwrap_or_default();
                strings::tick(&mut list, &calls, before.ends_with('`'));
            }
            let folder = paths::folder(typed);
            // A string that is nobody's argument is a path only if it looks like one.
            let may_be_path = match calls.first() {
                Some(call) => paths::may_be(call, typed),
                None => !folder.is_empty(),
            };
            if !known && may_be_path {
                return in_folder(typed, offset, asker);
            }
        }
        Place::Shell => return in_folder(typed, offset, asker),
        Place::Module { package } => imports::modules(&mut list, program, package, asker),
        Place::Member { module } => imports::imported(&mut list, program, offset, module, typed, asker),
        Place::Magic { cell } => magics(&mut list, *cell, asker),
    }
    let mut found = list.finish(offset - typed.len());
    if cursor.place == Place::Name {
        imports::unbound(&mut found, program, offset, typed, asker);
    }
    found
}

/// What has the keys that may stand in the brackets of `base` after `index` commas: `df.loc[:, "` has the columns of `df`.
fn columns_of(base: &str, index: usize) -> Option<&str> {
    match (base.strip_suffix(".loc"), index) {
        (Some(table), 1) => Some(table),
        (None, 0) => Some(base),
        _ => None,
    }
}

/// Files and folders for a path of which `typed` is there.
fn in_folder(typed: &str, offset: usize, asker: &Asker) -> Found {
    let folder = paths::folder(typed);
    let name = typed.get(folder.len()..).unwrap_or_default();
    let mut list = List::new(name);
    paths(&mut list, folder, asker);
    list.finish(offset - name.len())
}

fn parameters(list: &mut List, program: &Program, spot: Spot, call: &Call, asker: &mut Asker) {
    if call.keyword.is_some() {
        return;
    }
    let signatures = super::description::signatures(program, spot, &call.callee, asker);
    for parameter in signatures
        .iter()
        .flat_map(|it| describe::keywords(&it.parameters, call.positional))
    {
        if let Some(name) = describe::parameter_name(parameter)
            && !call.given.iter().any(|given| given == name)
        {
            list.add(&format!("{name}="), Kind::Parameter, parameter, 0, "");
        }
    }
}

fn names(list: &mut List, program: &Program, spot: Spot, cursor: &Cursor, asker: &mut Asker) {
    // The parameters of a function are none of the names in its head.
    let is_opening = |scope: &Scope| {
        let head = cursor.head.filter(|_| scope.kind == ScopeKind::Function);
        head.is_some_and(|head| scope.range.start().to_usize() > head)
    };
    let is_parameter = |symbol: &Symbol| symbol.bindings.iter().all(|it| it.kind == BindingKind::Parameter);
    for (depth, (_, scope)) in program.model.visible(spot.scope).enumerate() {
        let rank = match (depth, scope.kind) {
            (_, ScopeKind::Module) => 3,
            (0, _) => 1,
            _ => 2,
        };
        for (name, id) in &scope.symbols {
            if !list.fits(name) {
                continue;
            }
            let symbol = program.model.symbol(*id);
            if is_opening(scope) && symbol.is_some_and(is_parameter) {
                continue;
            }
            // What the word being typed binds itself is no help in typing it.
            let is_other = |symbol: &&Symbol| {
                symbol.bindings.len() != 1
                    || symbol
                        .bindings
                        .iter()
                        .all(|it| it.name.start() != cursor.word.start())
            };
            if let Some(symbol) = symbol.filter(is_other) {
                add_symbol(list, program, spot, symbol, rank, name);
            }
        }
    }
    // A local variable is not the session's variable of the same name.
    let locals: HashSet<&str> = program
        .model
        .visible(spot.scope)
        .filter(|(_, scope)| scope.kind != ScopeKind::Module)
        .flat_map(|(_, scope)| scope.symbols.keys().map(|name| name.as_str()))
        .collect();
    for item in asker
        .snapshot
        .names
        .iter()
        .filter(|item| !locals.contains(item.name.as_str()))
    {
        let kind = Kind::from_live(&item.kind);
        list.add(&item.name, kind, &item.type_name, 3, &item.name);
    }
    for name in builtins::FUNCTIONS {
        list.add(name, Kind::Function, "", 5, name);
    }
    for name in builtins::TYPES {
        list.add(name, Kind::Class, "", 5, name);
    }
    for name in builtins::SESSION {
        list.add(name, Kind::Instance, "", 6, name);
    }
    let keywords = match cursor.begins {
        true => &builtins::KEYWORDS[..],
        false => &builtins::OPENINGS,
    };
    for name in keywords.iter().filter(|name| !builtins::INFIXES.contains(name)) {
        list.add(name, Kind::Keyword, "", 4, "");
    }
}

fn add_symbol(list: &mut List, program: &Program, spot: Spot, symbol: &Symbol, rank: u8, expression: &str) {
    let Some(binding) = program.model.binding(spot, symbol) else {
        return;
    };
    let kind = match &binding.kind {
        BindingKind::Function if describe::is_property(program, symbol) => Kind::Property,
        BindingKind::Function => Kind::Function,
        BindingKind::Class | BindingKind::Type => Kind::Class,
        BindingKind::Import { .. } => Kind::Module,
        _ => Kind::Instance,
    };
    let detail = match kind {
        Kind::Instance => describe::type_name(binding).unwrap_or_default().to_owned(),
        Kind::Property => describe::returned(program, binding)
            .unwrap_or_default()
            .to_owned(),
        _ => describe::headline(program, symbol, binding),
    };
    list.add(&symbol.name, kind, &detail, rank, expression);
}

fn members(list: &mut List, program: &Program, spot: Spot, base: &str, prefix: &str, asker: &mut Asker) {
    let class = program.model.class_of(spot, base).or_else(|| {
        let annotated = super::description::annotated(program, spot, base)?;
        program.model.class_of(spot, annotated)
    });
    if let Some(class) = class {
        for (depth, class) in program.model.ancestry(class).into_iter().enumerate() {
            let symbols = program.model.scope(class).into_iter().flat_map(|it| &it.symbols);
            for symbol in symbols.filter_map(|(_, id)| program.model.symbol(*id)) {
                let expression = format!("{base}.{}", symbol.name);
                add_symbol(list, program, spot, symbol, u8::from(depth > 0), &expression);
            }
        }
        for attribute in program.model.instance_attributes(class) {
            list.add(&attribute.name, Kind::Property, "", 0, "");
        }
        for outer in program.model.outer_bases(class) {
            if super::description::may_ask(program, spot, outer) {
                let before = list.candidates.len();
                let is_known = live_members(list, outer, prefix, &[], asker);
                if !is_known && list.candidates.len() == before {
                    imports::within(list, program, spot, outer, asker);
                }
            }
        }
    }
    let given = given::of(program, spot, base, asker);
    let is_known = given.is_some_and(|given| live_members(list, base, prefix, &given, asker));
    if list.candidates.is_empty() && !is_known {
        imports::within(list, program, spot, base, asker);
        if list.candidates.is_empty() && !list.late {
            imports::instance(list, program, spot, base, asker);
        }
    }
    if list.candidates.is_empty() {
        let literal = match base.chars().next() {
            Some('"' | '\'') => Some("str"),
            // `[1][0]` begins like a list, too.
            Some('[') if base.find(']') == Some(base.len() - 1) => Some("list"),
            _ => super::description::symbol_of(program, spot, base)
                .and_then(|symbol| program.model.binding(spot, symbol))
                .and_then(describe::type_name)
                .or_else(|| super::description::annotated(program, spot, base)),
        };
        for name in literal.map(builtins::members).unwrap_or_default() {
            list.add(name, Kind::Function, "", 1, "");
        }
    }
}

/// Whether the session knows what it is.
fn live_members(
    list: &mut List,
    expression: &str,
    prefix: &str,
    given: &[LiveGiven],
    asker: &mut Asker,
) -> bool {
    let query = LiveQuery::Members {
        expression: expression.to_owned(),
        prefix: prefix.to_owned(),
    };
    let answer = asker.complete(&query, given);
    match &answer {
        LiveAnswer::Known(items) => list.add_live(items, 1, expression),
        LiveAnswer::Busy if given.is_empty() => {
            let snapshot = std::sync::Arc::clone(&asker.snapshot);
            list.add_live(snapshot.members_of(expression), 1, expression);
        }
        _ => {}
    }
    matches!(answer, LiveAnswer::Known(_))
}

fn magics(list: &mut List, cell: bool, asker: &mut Asker) {
    let snapshot = std::sync::Arc::clone(&asker.snapshot);
    let (known, plain): (&[String], &[&str]) = match cell {
        true => (&snapshot.cell_magics, &builtins::CELL_MAGICS),
        false => (&snapshot.line_magics, &builtins::LINE_MAGICS),
    };
    let sign = if cell { "%%" } else { "%" };
    for name in known.iter().map(String::as_str).chain(plain.iter().copied()) {
        list.add(name, Kind::Magic, &format!("{sign}{name}"), 0, "");
    }
}
