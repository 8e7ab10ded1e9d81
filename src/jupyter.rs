//! Jupyter's folders of this user, by the rules of jupyter_core. Reads the environment, never the disk.

use std::path::PathBuf;

fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Where kernelspecs and other data are: `JUPYTER_DATA_DIR`, else the system's place for a user's data. `None`
/// where the user has no home.
pub fn data_dir() -> Option<PathBuf> {
    if let Some(folder) = set("JUPYTER_DATA_DIR") {
        return Some(folder);
    }
    if cfg!(target_os = "macos") {
        return Some(set("HOME")?.join("Library/Jupyter"));
    }
    match set("XDG_DATA_HOME") {
        Some(folder) => Some(folder.join("jupyter")),
        None => Some(set("HOME")?.join(".local/share/jupyter")),
    }
}

/// Where connection files are: `JUPYTER_RUNTIME_DIR`, else a folder of the data. `None` where the user has no home.
pub fn runtime_dir() -> Option<PathBuf> {
    set("JUPYTER_RUNTIME_DIR").or_else(|| Some(data_dir()?.join("runtime")))
}
