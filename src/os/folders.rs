//! The system's places for what programs keep. Reads the environment, never the disk.

use std::path::PathBuf;

/// Where drupe keeps what it can find out again. `None` where the user has no home.
pub fn cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = match set("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None if cfg!(target_os = "macos") => PathBuf::from(set("HOME")?).join("Library/Caches"),
        None => PathBuf::from(set("HOME")?).join(".cache"),
    };
    cache.is_absolute().then(|| cache.join("drupe"))
}
