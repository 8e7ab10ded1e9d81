//! Interpreters that were asked before: what spares a probe where no kernelspec's record does.
//!
//! Called by [`super::choice`] for `drupe run` alone. A cached answer is a [`Record`], with the same rule for
//! staleness; only a Python that drupe can run in is remembered, so that mending one is noticed at once. Must never be
//! the reason that a kernel does not start: whatever goes wrong here, the interpreter is asked again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::record::{Found, Record};
use crate::os;

/// What, beside the interpreter's path, decides which modules it finds.
const VARIABLES: [&str; 5] = [
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONNOUSERSITE",
    "PYTHONUSERBASE",
    "HOME",
];

/// What is known of `python`, if it still holds.
pub(super) fn get(python: &Path) -> Option<Environment> {
    match Record::read(&file(python)?) {
        Ok(Found::Fresh(record)) if record.environment.executable == python => Some(record.environment),
        _ => None,
    }
}

/// Remembers `python`, unless it is a shim (`pyenv`'s decides anew in each folder) or cannot run drupe.
pub(super) fn put(python: &Path, environment: &Environment) {
    if environment.executable != python || environment.require_suitable().is_err() {
        return;
    }
    let Some(path) = file(python) else { return };
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = written.and_then(|()| Record::of(environment.clone()).write(&path));
    if let Err(error) = written {
        tracing::debug!(path = %path.display(), %error, "the interpreter could not be remembered");
    }
}

/// `~/.cache/drupe/<hash>.json`. A collision of hashes is harmless: the record names its interpreter.
fn file(python: &Path) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let mut hasher = DefaultHasher::new();
    python.hash(&mut hasher);
    VARIABLES.map(set).hash(&mut hasher);
    Some(os::folders::cache()?.join(format!("{:016x}.json", hasher.finish())))
}
