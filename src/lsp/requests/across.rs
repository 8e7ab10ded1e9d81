//! What is named under the cursor in all open documents: the module that defines it, and those that import it from there.
//!
//! A module is found by its path, as an import names it: no import is run and no file is read. Of several that fit,
//! the one nearest to the importing document is meant.

use std::collections::HashMap;
use std::sync::Arc;

use ruff_text_size::TextRange;

use super::occurrences::{Occurrence, of_symbol};
use crate::lsp::analysis::model::{Binding, BindingKind, ModuleUse};
use crate::lsp::analysis::{Program, ScopeKind, size};
use crate::lsp::documents::uri::decoded;

/// The places of one thing in all open documents.
#[derive(Debug)]
pub struct Everywhere {
    /// Its name where it is defined.
    pub name: String,
    /// Where it is named, and in which program.
    pub places: Vec<(Arc<Program>, Occurrence)>,
    /// The first place that binds it.
    pub definition: Option<(Arc<Program>, TextRange)>,
    /// Named where a rename cannot reach.
    pub mentioned: bool,
    /// The program that defines it is open, so that every place may be renamed alike.
    pub is_whole: bool,
}

/// Finds what is named at byte `offset` of `program`, one of `programs`.
pub fn everywhere(programs: &[Arc<Program>], program: &Arc<Program>, offset: usize) -> Option<Everywhere> {
    if let Some((home, name)) = home(programs, program, offset) {
        return linked(programs, &home, name);
    }
    let found = program.occurrences(offset)?;
    let here = |it| (Arc::clone(program), it);
    Some(Everywhere {
        definition: found.definition.map(|range| (Arc::clone(program), range)),
        name: found.name,
        mentioned: found.mentioned,
        places: found.places.into_iter().map(here).collect(),
        is_whole: false,
    })
}

/// The open module that defines, at its top, what is named at `offset`; and its name there.
fn home(programs: &[Arc<Program>], program: &Arc<Program>, offset: usize) -> Option<(Arc<Program>, String)> {
    let at = size(offset);
    if let Some(used) = program.model.module_at(offset) {
        let module = module_of(program, used)?;
        return Some((
            defining(programs, program, &module, &used.name)?,
            used.name.to_string(),
        ));
    }
    if let Some((module, member, _)) = imports(program).find(|(.., token)| token.contains_inclusive(at)) {
        return Some((defining(programs, program, module, member)?, member.to_owned()));
    }
    let symbol = program.model.symbol(program.model.symbol_at(offset)?.0)?;
    let import = symbol.bindings.iter().find_map(|binding| match &binding.kind {
        // Under another name it is this document's own.
        BindingKind::FromImport { module, member } if *member == symbol.name => Some(module),
        _ => None,
    });
    if let Some(module) = import {
        return Some((
            defining(programs, program, module, &symbol.name)?,
            symbol.name.to_string(),
        ));
    }
    let is_top = program.model.scope(symbol.scope)?.kind == ScopeKind::Module;
    let is_module = path_of(program).is_some_and(|path| !path.is_empty());
    (is_top && is_module && symbol.bindings.iter().any(defines))
        .then(|| (Arc::clone(program), symbol.name.to_string()))
}

/// The places of the name that `home` defines, there and in the programs that import it.
fn linked(programs: &[Arc<Program>], home: &Arc<Program>, name: String) -> Option<Everywhere> {
    let mut found = Everywhere {
        places: Vec::new(),
        definition: None,
        mentioned: false,
        is_whole: true,
        name,
    };
    let name = found.name.clone();
    let symbol = home.model.module_symbol(&name)?;
    let own = of_symbol(&home.model, symbol);
    found.mentioned = own.mentioned;
    found.definition = own.definition.map(|range| (Arc::clone(home), range));
    let mut add = |program: &Arc<Program>, mut places: Vec<Occurrence>| {
        places.sort_by_key(|it| (it.range.start(), !it.write));
        places.dedup_by_key(|it| it.range);
        let places = places.into_iter().map(|it| (Arc::clone(program), it));
        found.places.extend(places);
    };
    add(home, own.places);
    for program in programs.iter().filter(|it| !Arc::ptr_eq(it, home)) {
        let mut known: HashMap<String, bool> = HashMap::new();
        let mut is_home = |module: &str| match known.get(module) {
            Some(is_home) => *is_home,
            None => {
                let found = defining(programs, program, module, &name);
                let is_home = found.is_some_and(|it| Arc::ptr_eq(&it, home));
                known.insert(module.to_owned(), is_home);
                is_home
            }
        };
        let mut places = Vec::new();
        for (module, member, token) in imports(program) {
            if member == name && is_home(module) {
                places.push(Occurrence {
                    range: token,
                    write: true,
                });
            }
        }
        for (_, symbol) in program.model.symbols().filter(|(_, it)| it.name == name) {
            let comes_from_home = symbol.bindings.iter().any(|binding| match &binding.kind {
                BindingKind::FromImport { module, member } => *member == name && is_home(module),
                _ => false,
            });
            if comes_from_home {
                let own = of_symbol(&program.model, symbol);
                found.mentioned |= own.mentioned;
                places.extend(own.places);
            }
        }
        for used in program.model.modules.iter().filter(|it| it.name == name) {
            if module_of(program, used).is_some_and(|module| is_home(&module)) {
                places.push(Occurrence {
                    range: used.range,
                    write: used.store,
                });
            }
        }
        add(program, places);
    }
    Some(found)
}

/// The open program that `importer` means by `module`, if it defines `name` itself.
fn defining(
    programs: &[Arc<Program>],
    importer: &Arc<Program>,
    module: &str,
    name: &str,
) -> Option<Arc<Program>> {
    let wanted: Vec<String> = module
        .trim_start_matches('.')
        .split('.')
        .map(str::to_owned)
        .collect();
    let importer_path = folder_of(importer);
    programs
        .iter()
        .filter(|program| !Arc::ptr_eq(program, importer))
        .filter(|program| path_of(program).is_some_and(|path| path.ends_with(&wanted)))
        .filter(|program| {
            let symbol = program.model.module_symbol(name);
            symbol.is_some_and(|symbol| symbol.bindings.iter().any(defines))
        })
        .max_by_key(|program| {
            let path = folder_of(program);
            let shared = path.iter().zip(&importer_path).take_while(|(a, b)| a == b);
            shared.count()
        })
        .cloned()
}

fn defines(binding: &Binding) -> bool {
    !matches!(
        binding.kind,
        BindingKind::Import { .. } | BindingKind::FromImport { .. }
    )
}

/// The dotted name of a module as far as its path tells it; `None` for a notebook.
fn path_of(program: &Program) -> Option<Vec<String>> {
    let [part] = program.parts.as_slice() else {
        return None;
    };
    let path = decoded(part.uri.0.strip_suffix(".py")?);
    let mut path: Vec<String> = path.split('/').map(str::to_owned).collect();
    path.pop_if(|last| last == "__init__");
    Some(path)
}

fn folder_of(program: &Program) -> Vec<String> {
    let uri = program.parts.first().map_or("", |part| part.uri.0.as_str());
    let uri = decoded(uri);
    let folder = uri.rsplit_once('/').map_or("", |(folder, _)| folder);
    // A notebook's cell has a scheme of its own.
    let folder = folder.split_once(':').map_or(folder, |(_, path)| path);
    let names = folder.trim_start_matches('/').split('/');
    names.map(str::to_owned).collect()
}

/// Every `from module import member`: the module, the member, and where the member is named.
fn imports(program: &Program) -> impl Iterator<Item = (&str, &str, TextRange)> {
    let bindings = program.model.symbols().flat_map(|(_, symbol)| &symbol.bindings);
    bindings.filter_map(|binding| match &binding.kind {
        BindingKind::FromImport { module, member } => {
            let start = binding.signature?.start();
            let token = TextRange::at(start, size(member.len()));
            Some((module.as_str(), member.as_str(), token))
        }
        _ => None,
    })
}

/// The dotted name of the module whose attribute is used.
fn module_of(program: &Program, used: &ModuleUse) -> Option<String> {
    let binding = program.model.symbol(used.symbol)?.bindings.get(used.binding)?;
    let written = program.text(binding.signature?);
    match &binding.kind {
        // `import a.b as c`, then `c.name`; `import a.b`, then `a.b.name`.
        BindingKind::Import { module } if written.contains(" as ") => Some(module.to_string()),
        BindingKind::Import { .. } => Some(written.to_owned()),
        // `from a import b`, where `b` is a module.
        BindingKind::FromImport { module, member } => {
            let parent = module.trim_start_matches('.');
            let dot = if parent.is_empty() { "" } else { "." };
            Some(format!("{parent}{dot}{member}"))
        }
        _ => None,
    }
}
