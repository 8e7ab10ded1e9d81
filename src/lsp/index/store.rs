//! What was read of the folders of search paths, in the user's cache: one file for each folder.
//!
//! Never the reason that something fails: what cannot be read, is of another version or of another folder is read from the
//! sources again, and where nothing can be written, nothing is. Files are written whole and renamed, so two kernels at once
//! write the same, one after the other.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::names::Module;
use crate::os;

/// Another program reads names in another way.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " 1");
/// A longer file is not drupe's.
const MOST_BYTES: u64 = 64 << 20;
/// Folders that are remembered; those that were written first are forgotten.
const MOST_FILES: usize = 64;

#[derive(Serialize, Deserialize)]
struct Stored<'a, T> {
    version: Cow<'a, str>,
    folder: Cow<'a, Path>,
    stamp: u64,
    modules: T,
}

/// What is known of a folder.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What told then that it holds other modules.
    pub(super) stamp: u64,
    /// What was read of it.
    pub(super) modules: Vec<Module>,
}

/// What is known of a folder; nothing, where it was never read.
pub(super) fn read(folder: &Path) -> Known {
    file(folder)
        .and_then(|file| read_from(&file, folder))
        .unwrap_or_default()
}

/// Remembers what was read of a folder.
pub(super) fn write(folder: &Path, stamp: u64, modules: &[Module]) {
    let Some(file) = file(folder) else { return };
    if let Err(error) = write_to(&file, folder, stamp, modules) {
        tracing::debug!(path = %file.display(), %error, "the index of modules could not be kept");
    }
}

pub(super) fn read_from(file: &Path, folder: &Path) -> Option<Known> {
    if file.metadata().ok()?.len() > MOST_BYTES {
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    let stored: Stored<'_, Vec<Module>> = serde_json::from_str(&text).ok()?;
    (stored.version == VERSION && stored.folder == folder).then_some(Known {
        stamp: stored.stamp,
        modules: stored.modules,
    })
}

pub(super) fn write_to(file: &Path, folder: &Path, stamp: u64, modules: &[Module]) -> io::Result<()> {
    let cache = file.parent().unwrap_or(file);
    std::fs::create_dir_all(cache)?;
    forget(cache);
    let mut new = tempfile::NamedTempFile::new_in(cache)?;
    let stored = Stored {
        version: VERSION.into(),
        folder: folder.into(),
        stamp,
        modules,
    };
    new.write_all(&serde_json::to_vec(&stored)?)?;
    new.persist(file)?;
    Ok(())
}

/// Makes room for one more.
fn forget(cache: &Path) {
    let entries = std::fs::read_dir(cache).into_iter().flatten().flatten();
    let mut files: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort_unstable();
    let surplus = (files.len() + 1).saturating_sub(MOST_FILES);
    for (_, path) in files.into_iter().take(surplus) {
        let _ = std::fs::remove_file(path);
    }
}

/// `~/.cache/drupe/modules/<hash>.json`.
fn file(folder: &Path) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    Some(
        os::folders::cache()?
            .join("modules")
            .join(format!("{:016x}.json", hasher.finish())),
    )
}
