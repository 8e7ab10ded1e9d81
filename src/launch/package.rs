//! Where drupe's Python package lies, seen from the running binary.
//!
//! Called by `run`, `install` and `doctor`. Three layouts are known: an installed copy (`PREFIX/bin/drupe` with
//! `PREFIX/lib/drupe/drupe`), the build tree (`target/release/drupe` with `python/drupe`) and a wheel (`bin/drupe`
//! with the environment's site-packages). `DRUPE_PACKAGE` names another. Must never search PATH or `sys.path`: the
//! core must be the one that this binary was built with.

use std::path::{Path, PathBuf};

use super::error::LaunchError;

/// The core's file name, the same for every Python and every Unix.
pub const CORE: &str = "_drupe.abi3.so";

/// The running binary, links resolved.
///
/// # Errors
/// The operating system does not say where it is.
pub fn binary() -> Result<PathBuf, LaunchError> {
    let unknown = |error: std::io::Error| LaunchError::NoPackage {
        looked: format!("no place, since the path of the running binary is unknown ({error})"),
    };
    std::env::current_exe()
        .and_then(|path| path.canonicalize())
        .map_err(unknown)
}

/// The folder of the Python package.
///
/// # Errors
/// None of the layouts has one.
pub fn find() -> Result<PathBuf, LaunchError> {
    let candidates = match std::env::var_os("DRUPE_PACKAGE").filter(|path| !path.is_empty()) {
        Some(path) => vec![PathBuf::from(path)],
        None => candidates(&binary()?),
    };
    if let Some(found) = candidates
        .iter()
        .find(|folder| folder.join("__main__.py").is_file())
    {
        return found.canonicalize().map_err(|error| LaunchError::NoPackage {
            looked: format!("{} ({error})", found.display()),
        });
    }
    let looked: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    Err(LaunchError::NoPackage {
        looked: looked.join(", "),
    })
}

fn candidates(binary: &Path) -> Vec<PathBuf> {
    let Some(folder) = binary.parent() else {
        return Vec::new();
    };
    let Some(above) = folder.parent() else {
        return Vec::new();
    };
    let mut found = vec![above.join("lib/drupe/drupe")];
    if let Some(root) = above.parent() {
        found.push(root.join("python/drupe"));
    }
    found.extend(site_packages(&above.join("lib")));
    found
}

/// `lib/python3.12/site-packages/drupe`, for every Python that the environment's `lib` has: one, as a rule.
fn site_packages(lib: &Path) -> Vec<PathBuf> {
    let Ok(entries) = lib.read_dir() else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .map(|entry| entry.path().join("site-packages/drupe"))
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}
