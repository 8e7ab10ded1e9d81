//! The public names of all modules, found by how they begin.
//!
//! Filled by [`super::build`], read by every client at once. A name costs its own letters and twelve bytes.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::{Kind, usual};

/// A shorter word is short for too many names.
const SHORTEST: usize = 4;

/// One module, as it is kept on the disk too.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Module {
    /// Its dotted name; empty for the modules that stand alone.
    pub(super) name: String,
    /// What tells that its source is another.
    pub(super) stamp: u64,
    /// Its public names, each behind the letter of its kind, with spaces between.
    pub(super) names: String,
}

impl Module {
    /// The module that stands alone in which it is.
    pub(super) fn package(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// About how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.names.len()
    }
}

impl Kind {
    pub(super) fn letter(self) -> char {
        match self {
            Self::Function => 'f',
            Self::Class => 'c',
            Self::Module => 'm',
            Self::Value => 'v',
        }
    }

    fn of_letter(letter: &str) -> Self {
        match letter {
            "f" => Self::Function,
            "c" => Self::Class,
            "m" => Self::Module,
            _ => Self::Value,
        }
    }
}

/// A name that is not bound, and how it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The import that binds it, without a line end.
    pub import: String,
}

/// The names, sorted without regard to case.
#[derive(Debug, Default)]
pub(super) struct Names {
    modules: Vec<Module>,
    entries: Vec<Entry>,
    /// What tells that a folder of the search path holds other modules.
    pub(super) folders: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    module: u32,
    /// Of the name in the module's names; its letter stands before.
    start: u32,
    length: u32,
}

impl Names {
    pub(super) fn new(modules: Vec<Module>, folders: Vec<u64>) -> Self {
        let mut entries = Vec::new();
        for (module, number) in modules.iter().zip(0..) {
            let mut start = 0;
            for word in module.names.split(' ') {
                if word.len() > 1 {
                    entries.push(Entry {
                        module: number,
                        start: start + 1,
                        length: u32::try_from(word.len()).unwrap_or_default() - 1,
                    });
                }
                start += u32::try_from(word.len()).unwrap_or_default() + 1;
            }
        }
        entries.shrink_to_fit();
        let mut names = Self {
            modules,
            entries: Vec::new(),
            folders,
        };
        entries.sort_unstable_by(|left, right| compare(names.name(left), names.name(right)));
        names.entries = entries;
        names
    }

    /// How many names there are, and about how many bytes of memory they take.
    pub(super) fn size(&self) -> (usize, usize) {
        let bytes =
            self.modules.iter().map(Module::bytes).sum::<usize>() + self.entries.len() * size_of::<Entry>();
        (self.entries.len(), bytes)
    }

    /// As [`super::Index::starting`].
    pub(super) fn starting(&self, prefix: &str, most: usize) -> Vec<Hit> {
        let mut best: HashMap<&str, (Cost, &Entry)> = HashMap::new();
        let begun = self.range(prefix);
        // Where nothing begins just so, the word may be short for one with the same first letter.
        let is_begun = begun.iter().any(|entry| self.name(entry).starts_with(prefix));
        let first = prefix.get(..1).filter(|_| !is_begun && prefix.len() >= SHORTEST);
        let meant = first.map_or(&[][..], |first| self.range(first));
        let meant = meant
            .iter()
            .filter(|entry| is_short_for(prefix, self.name(entry)));
        for entry in begun.iter().chain(meant) {
            let name = self.name(entry);
            let cost = self.cost(entry);
            let known = best.entry(name).or_insert((cost, entry));
            if cost < known.0 {
                *known = (cost, entry);
            }
        }
        // Of different names, those of the more usual package come first, and of one package the shorter.
        let mut order: Vec<_> = best
            .into_iter()
            .map(|(name, ((unusual, depth, position, _), entry))| {
                let inexact = !name.starts_with(prefix);
                (inexact, unusual, position, depth, name.len(), name, entry)
            })
            .collect();
        order.sort_unstable_by_key(|order| (order.0, order.1, order.2, order.3, order.4, order.5));
        let mut hits: Vec<Hit> = usual::aliases()
            .filter(|(alias, module, _)| alias.starts_with(prefix) && self.has(module))
            .map(|(alias, _, import)| Hit::of_alias(alias, import))
            .collect();
        hits.dedup_by(|right, left| right.name == left.name);
        for (.., name, entry) in order {
            if hits.len() >= most {
                break;
            }
            if hits.iter().all(|hit| hit.name != name) {
                hits.push(self.hit(entry));
            }
        }
        hits
    }

    /// As [`super::Index::named`].
    pub(super) fn named(&self, name: &str, most: usize) -> Vec<Hit> {
        let mut entries: Vec<&Entry> = self
            .range(name)
            .iter()
            .filter(|entry| self.name(entry) == name)
            .collect();
        entries.sort_by_key(|entry| self.cost(entry));
        let aliases = usual::alias(name).filter(|(module, _)| self.has(module));
        let mut hits: Vec<Hit> = aliases.map(|(_, import)| Hit::of_alias(name, import)).collect();
        for entry in entries {
            let hit = self.hit(entry);
            if hits.iter().all(|known| known.import != hit.import) {
                hits.push(hit);
            }
        }
        hits.truncate(most);
        hits
    }

    fn has(&self, module: &str) -> bool {
        self.modules.iter().any(|known| known.name == module)
    }

    /// All entries whose name begins with `prefix`, in either case.
    fn range(&self, prefix: &str) -> &[Entry] {
        let head = |entry: &Entry| {
            let name = self.name(entry);
            compare(name.get(..prefix.len()).unwrap_or(name), prefix)
        };
        let start = self
            .entries
            .partition_point(|entry| head(entry) == Ordering::Less);
        let rest = self.entries.get(start..).unwrap_or_default();
        let length = rest.partition_point(|entry| head(entry) == Ordering::Equal);
        rest.get(..length).unwrap_or_default()
    }

    fn name(&self, entry: &Entry) -> &str {
        let start = entry.start as usize;
        self.modules
            .get(entry.module as usize)
            .and_then(|module| module.names.get(start..start + entry.length as usize))
            .unwrap_or_default()
    }

    fn module(&self, entry: &Entry) -> &str {
        self.modules
            .get(entry.module as usize)
            .map_or("", |module| module.name.as_str())
    }

    /// How unusual it is to import this name from this module. A module that is usual is meant as a whole.
    fn cost(&self, entry: &Entry) -> Cost {
        let module = self.module(entry);
        let (package, depth) = match module {
            "" => (self.name(entry), 0),
            module => (module, 1 + module.matches('.').count()),
        };
        let position = usual::position(package);
        (
            position.is_none(),
            depth,
            position.unwrap_or_default(),
            module.len(),
        )
    }

    fn hit(&self, entry: &Entry) -> Hit {
        let name = self.name(entry).to_owned();
        let module = self.modules.get(entry.module as usize);
        let letter = entry.start as usize - 1;
        let letter = module.and_then(|module| module.names.get(letter..=letter));
        let import = match self.module(entry) {
            "" => format!("import {name}"),
            module => format!("from {module} import {name}"),
        };
        Hit {
            name,
            kind: Kind::of_letter(letter.unwrap_or_default()),
            import,
        }
    }
}

/// Not usual, how deep, where among the usual, how long.
type Cost = (bool, usize, usize, usize);

impl Hit {
    pub(super) fn of_alias(alias: &str, import: &str) -> Self {
        Self {
            name: alias.to_owned(),
            kind: Kind::Module,
            import: import.to_owned(),
        }
    }
}

/// True when the letters of `typed` stand in `name` in order, each where a word starts or next to the one before: `LinReg` in
/// `LinearRegression`.
fn is_short_for(typed: &str, name: &str) -> bool {
    let mut typed = typed.bytes().peekable();
    let (mut before, mut is_next) = (b'_', true);
    for byte in name.bytes() {
        let is_start =
            before == b'_' || (byte.is_ascii_uppercase() && !before.is_ascii_uppercase()) && byte != b'_';
        let is_it = typed
            .peek()
            .is_some_and(|typed| typed.eq_ignore_ascii_case(&byte));
        is_next = (is_next || is_start) && is_it;
        if is_next {
            typed.next();
        }
        before = byte;
    }
    typed.peek().is_none()
}

fn compare(left: &str, right: &str) -> Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    left.bytes().map(lower).cmp(right.bytes().map(lower))
}
