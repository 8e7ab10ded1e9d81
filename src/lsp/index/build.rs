//! Collects the public names of all modules of a search path: of the modules that stand alone, of those in them, and of the
//! packages within these. What is deeper is imported by who knows where it is.
//!
//! Runs on a thread of the lowest priority. What has been read before is taken from the [`store`] where the file is as it
//! was. Everything is bounded: a search path that is too large or too slow is known in part.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::finder::{self, Finder, Place};
use super::names::{Module, Names};
use super::reader::Reader;
use super::store;
use crate::lsp::engine::builtins;
use crate::os;

/// Modules of one search path.
const MOST_MODULES: usize = 20_000;
/// Bytes of names.
const MOST_BYTES: usize = 16 << 20;
/// What is found later is left out.
const PATIENCE: Duration = Duration::from_secs(120);
/// What has been changed this recently may be changed once more with the same date: clocks of file systems tick every 4 to 10 ms.
pub(super) const TICKS: Duration = Duration::from_millis(20);

/// Folders whose modules nobody imports from elsewhere.
const INSIDE: [&str; 14] = [
    "test",
    "tests",
    "testing",
    "conftest",
    "setup",
    "docs",
    "doc",
    "examples",
    "benchmarks",
    "vendor",
    "site",
    "idlelib",
    "lib2to3",
    "turtledemo",
];

/// The names, or `None` when they are as `known`, or nobody wants them any more.
pub(super) fn names(finder: &Finder, known: Option<&Names>, wanted: &dyn Fn() -> bool) -> Option<Names> {
    os::process::be_last();
    let started = Instant::now();
    let folders: Vec<u64> = finder.folders().iter().map(|folder| stamp(&[folder])).collect();
    if known.is_some_and(|known| known.folders == folders) {
        return None;
    }
    let mut builder = Builder {
        finder,
        wanted,
        until: started + PATIENCE,
        modules: Vec::new(),
        bytes: 0,
        read: 0,
    };
    let mut alone = HashSet::new();
    for (folder, stamp) in finder.folders().iter().zip(&folders) {
        builder.folder(folder, *stamp, &mut alone)?;
    }
    // Some modules of the standard library have no file.
    alone.extend(builtins::MODULES.map(str::to_owned));
    let mut alone: Vec<String> = alone.into_iter().map(|name| format!("m{name}")).collect();
    alone.sort_unstable();
    let mut modules = builder.modules;
    modules.push(Module {
        name: String::new(),
        stamp: 0,
        names: alone.join(" "),
    });
    modules.shrink_to_fit();
    let (read, of) = (builder.read, modules.len());
    let names = Names::new(modules, folders);
    let (count, bytes) = names.size();
    tracing::debug!(elapsed = ?started.elapsed(), read, of, names = count, bytes, "modules can be completed");
    Some(names)
}

struct Builder<'a> {
    finder: &'a Finder,
    wanted: &'a dyn Fn() -> bool,
    until: Instant,
    modules: Vec<Module>,
    bytes: usize,
    read: usize,
}

impl Builder<'_> {
    /// `None` when nobody wants it any more.
    fn folder(&mut self, folder: &Path, stamp: u64, alone: &mut HashSet<String>) -> Option<()> {
        let known = store::read(folder);
        let mut modules = match known.stamp == stamp && is_installed(folder) {
            true => known.modules,
            false => self.look(folder, stamp, known.modules)?,
        };
        // What is found first hides what is found later.
        modules.retain(|module| !alone.contains(module.package()));
        alone.extend(modules.iter().map(|module| module.package().to_owned()));
        self.bytes += modules.iter().map(Module::bytes).sum::<usize>();
        self.modules.append(&mut modules);
        Some(())
    }

    /// All modules of a folder, read where they are others than `known`.
    fn look(&mut self, folder: &Path, stamp: u64, known: Vec<Module>) -> Option<Vec<Module>> {
        let mut look = Look {
            finder: self.finder,
            most: MOST_MODULES.saturating_sub(self.modules.len()),
            most_bytes: MOST_BYTES.saturating_sub(self.bytes),
            until: self.until,
            before: known
                .into_iter()
                .map(|module| (module.name.clone(), module))
                .collect(),
            modules: Vec::new(),
            bytes: 0,
            read: 0,
        };
        let mut packages = finder::list(folder);
        packages.sort_unstable();
        for (name, path) in packages {
            if !(self.wanted)() {
                return None;
            }
            if !is_inside(&name) {
                look.package(&name, folder, &path, 0);
            }
        }
        self.read += look.read;
        if !look.is_full() && !look.modules.is_empty() {
            store::write(folder, stamp, &look.modules);
        }
        Some(look.modules)
    }
}

/// One folder of the search path while it is looked through.
struct Look<'a> {
    finder: &'a Finder,
    most: usize,
    most_bytes: usize,
    until: Instant,
    /// What was known of it, by module.
    before: HashMap<String, Module>,
    modules: Vec<Module>,
    bytes: usize,
    read: usize,
}

impl Look<'_> {
    fn is_full(&self) -> bool {
        self.modules.len() >= self.most || self.bytes >= self.most_bytes || Instant::now() >= self.until
    }

    fn package(&mut self, name: &str, folder: &Path, path: &Path, depth: usize) {
        if self.is_full() {
            return;
        }
        let last = name.rsplit('.').next().unwrap_or_default();
        let Some(place) = Finder::new(vec![folder.to_owned()]).place(last, None) else {
            return;
        };
        self.module(name, &place);
        if depth < 2 && path.is_dir() {
            let mut inner = finder::list(path);
            inner.sort_unstable();
            for (inner, inner_path) in inner {
                let is_wanted = depth == 0 || inner_path.is_dir();
                if is_wanted && !inner.starts_with('_') && !is_inside(&inner) {
                    self.package(&format!("{name}.{inner}"), path, &inner_path, depth + 1);
                }
            }
        }
    }

    fn module(&mut self, name: &str, place: &Place) {
        let sources: Vec<&Path> = place.sources.iter().map(PathBuf::as_path).collect();
        let stamp = stamp(&sources);
        let known = self.before.remove(name).filter(|known| known.stamp == stamp);
        let module = known.unwrap_or_else(|| {
            self.read += 1;
            let found = Reader::new(self.finder).names(name, place);
            let names: Vec<String> = found
                .iter()
                .filter(|name| name.public && !name.name.starts_with('_'))
                .map(|name| format!("{}{}", name.kind.letter(), name.name))
                .collect();
            Module {
                name: name.to_owned(),
                stamp,
                names: names.join(" "),
            }
        });
        self.bytes += module.bytes();
        self.modules.push(module);
    }
}

/// Whether a folder is changed by installers alone, which tell by its own date: its files need not be looked at.
fn is_installed(folder: &Path) -> bool {
    let is_site = folder
        .file_name()
        .is_some_and(|name| name == "site-packages" || name == "dist-packages");
    is_site || folder.join("os.py").is_file()
}

fn is_inside(name: &str) -> bool {
    name.starts_with('_') || INSIDE.contains(&name)
}

/// What changes when one of the files does, or a folder's entries. Where that has just happened, it is like no other.
fn stamp(files: &[impl AsRef<Path>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files {
        let about = file.as_ref().metadata().ok();
        let changed = about.as_ref().and_then(|it| it.modified().ok());
        let now = SystemTime::now();
        let just = changed.filter(|at| now.duration_since(*at).is_ok_and(|age| age < TICKS));
        (about.map(|it| it.len()), changed, just.map(|_| now)).hash(&mut hasher);
    }
    hasher.finish()
}
