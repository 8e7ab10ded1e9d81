//! Where modules are on the disk, by the rules of Python's own finder: packages, modules, extensions and namespaces.
//!
//! Used by the readers of this room. It lists folders and asks what files are there, and never opens one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Found, Kind};

/// A folder is listed up to this many entries.
const MOST_ENTRIES: usize = 20_000;
/// A folder without `__init__.py` is looked at up to this many entries for whether it is a package.
const MOST_LOOKED_AT: usize = 50;

/// Where a module's names and modules stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Its sources, stubs first; none for an extension or a namespace.
    pub(super) sources: Vec<PathBuf>,
    /// The folders in which its modules are; none for what is no package.
    pub(super) folders: Vec<PathBuf>,
    /// It is a package: what it imports from itself, it offers.
    pub(super) is_package: bool,
}

/// Finds modules in the folders of a search path.
#[derive(Debug)]
pub(super) struct Finder {
    folders: Vec<PathBuf>,
}

impl Finder {
    pub(super) fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// The search path.
    pub(super) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Where `module` is; one that begins with dots is seen from `folder`, an empty one is the search path itself.
    pub(super) fn place(&self, module: &str, folder: Option<&Path>) -> Option<Place> {
        let name = module.trim_start_matches('.');
        let start = match module.len() - name.len() {
            0 => Place {
                folders: self.folders.clone(),
                ..Place::default()
            },
            up => in_folder(folder?.ancestors().nth(up - 1)?),
        };
        name.split('.')
            .filter(|part| !part.is_empty())
            .try_fold(start, |package, part| find(&package.folders, part))
    }

    /// The modules in a package, each once, by name.
    pub(super) fn modules(&self, place: &Place) -> Vec<Found> {
        let mut found = BTreeMap::new();
        for folder in &place.folders {
            for (name, _) in list(folder) {
                let public = !name.starts_with('_');
                found.entry(name).or_insert(public);
            }
        }
        let module = |(name, public)| Found {
            name,
            kind: Kind::Module,
            public,
        };
        found.into_iter().map(module).collect()
    }
}

/// The package whose folder is `folder`, whether or not it says that it is one.
fn in_folder(folder: &Path) -> Place {
    Place {
        sources: existing(folder, "__init__"),
        folders: vec![folder.to_owned()],
        is_package: true,
    }
}

fn find(folders: &[PathBuf], name: &str) -> Option<Place> {
    let mut namespace = Vec::new();
    for folder in folders {
        let package = folder.join(name);
        let mut sources = existing(&package, "__init__");
        if !sources.is_empty() {
            // Types of a package may be installed beside it, in a folder of their own.
            sources.extend(existing(&folder.join(format!("{name}-stubs")), "__init__"));
            return Some(Place {
                sources,
                folders: vec![package],
                is_package: true,
            });
        }
        let sources = existing(folder, name);
        if !sources.is_empty() || has_extension(folder, name) {
            return Some(Place {
                sources,
                ..Place::default()
            });
        }
        if is_namespace(&package) {
            namespace.push(package);
        }
    }
    (!namespace.is_empty()).then_some(Place {
        folders: namespace,
        ..Place::default()
    })
}

/// `name.pyi` and `name.py` in a folder, as far as they are there.
fn existing(folder: &Path, name: &str) -> Vec<PathBuf> {
    ["pyi", "py"]
        .into_iter()
        .map(|ending| folder.join(format!("{name}.{ending}")))
        .filter(|file| file.is_file())
        .collect()
}

fn has_extension(folder: &Path, name: &str) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.take(MOST_ENTRIES).any(|entry| {
        let file = entry.file_name();
        file.to_str()
            .is_some_and(|file| file.ends_with(".so") && file.split('.').next() == Some(name))
    })
}

/// A folder without `__init__.py` is one where something in it can be imported.
fn is_namespace(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.take(MOST_LOOKED_AT).any(|entry| {
        let path = entry.path();
        match module_name(&path) {
            Some(_) if !path.is_dir() => true,
            Some(_) => !existing(&path, "__init__").is_empty(),
            None => false,
        }
    })
}

/// The modules whose files or folders are in `folder`, with what they are: a package, or a file.
pub(super) fn list(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .take(MOST_ENTRIES)
        .filter_map(|entry| {
            let path = entry.path();
            let name = module_name(&path)?;
            let is_folder = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                _ => path.is_dir(),
            };
            let has_ending = path.extension().is_some();
            let is_module = match is_folder {
                true => !has_ending && (!existing(&path, "__init__").is_empty() || is_namespace(&path)),
                false => has_ending,
            };
            is_module.then_some((name, path))
        })
        .collect()
}

/// What a file or folder would be imported as.
fn module_name(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let (name, ending) = file.split_once('.').unwrap_or((file, ""));
    let is_module = matches!(ending, "" | "py" | "pyi") || ending.ends_with("so");
    let is_identifier = name.chars().all(|char| char == '_' || char.is_alphanumeric())
        && !name.starts_with(|char: char| char.is_ascii_digit());
    (is_module
        && is_identifier
        && !name.is_empty()
        && !matches!(name, "__init__" | "__main__" | "__pycache__"))
    .then(|| name.to_owned())
}
