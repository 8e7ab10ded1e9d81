//! Files and folders as candidates. Read from the disk directly: no Python is needed for it.

use std::path::Path;

use super::Kind;
use super::list::List;
use crate::lsp::analysis::cursor::Call;
use crate::lsp::engine::Asker;

/// A folder is listed up to this many entries.
const MOST_ENTRIES: usize = 5000;

/// Callables that take the name of a file or folder, by their last name.
const TAKERS: [&str; 38] = [
    "FileIO",
    "Image",
    "Path",
    "PurePath",
    "ZipFile",
    "chdir",
    "copy",
    "copyfile",
    "copytree",
    "exists",
    "genfromtxt",
    "glob",
    "iglob",
    "imread",
    "imsave",
    "isdir",
    "isfile",
    "listdir",
    "load",
    "loadmat",
    "loadtxt",
    "makedirs",
    "memmap",
    "mkdir",
    "move",
    "open",
    "open_dataset",
    "remove",
    "rename",
    "rmtree",
    "run_path",
    "save",
    "savefig",
    "savetxt",
    "savez",
    "scandir",
    "unlink",
    "walk",
];

/// Keywords whose strings are no paths, whatever is called.
const NO_PATHS: [&str; 5] = ["encoding", "errors", "mode", "newline", "sep"];

/// True when an argument of `callee` is a path for sure, so that paths are offered before anything is typed.
fn are_taken_by(callee: &str) -> bool {
    let name = callee.rsplit('.').next().unwrap_or(callee);
    TAKERS.binary_search(&name).is_ok() || name.starts_with("read_") || name.starts_with("to_")
}

/// True when the argument of a call at the cursor, of which `typed` is there, may be a path as seen from the working directory.
pub(super) fn may_be(call: &Call, typed: &str) -> bool {
    let (object, name) = call.callee.rsplit_once('.').unwrap_or(("", &call.callee));
    let of_another_folder = match name {
        "joinpath" | "rglob" => true,
        "glob" => !matches!(object, "" | "glob"),
        _ => false,
    };
    let is_builtin = matches!(call.callee.as_str(), "open" | "io.open");
    let is_other = match &call.keyword {
        Some(keyword) => NO_PATHS.contains(&keyword.as_str()),
        None => is_builtin && call.index > 0,
    };
    // A home is a shell's, or that of a library that says so.
    let is_home = typed.starts_with('~') && (is_builtin || object == "os");
    !of_another_folder && !is_other && !is_home && (!typed.is_empty() || are_taken_by(&call.callee))
}

/// The bytes of `typed` that name a folder; what follows is the name being typed.
pub(super) fn folder(typed: &str) -> &str {
    let end = typed.rfind(['/', '\\']).map_or(0, |at| at + 1);
    typed.get(..end).unwrap_or_default()
}

/// Adds the entries of a folder, as seen from the session's working directory.
pub(super) fn paths(list: &mut List, folder: &str, asker: &Asker) {
    let folder = match (folder.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => Path::new(&asker.snapshot.directory).join(folder),
    };
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new(".").to_owned(),
        false => folder,
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten().take(MOST_ENTRIES) {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => list.add(&format!("{name}/"), Kind::Path, "folder", 0, ""),
            false => list.add(&name, Kind::Path, "file", 0, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_callables_take_paths_for_sure() {
        assert!(TAKERS.is_sorted());
        for callee in [
            "open",
            "pathlib.Path",
            "pd.read_csv",
            "df.to_parquet",
            "os.listdir",
        ] {
            assert!(are_taken_by(callee), "{callee}");
        }
        assert!(!are_taken_by("print") && !are_taken_by("df.groupby"));
    }
}
