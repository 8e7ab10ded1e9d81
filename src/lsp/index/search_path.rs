//! Where Python would look for modules: what a session says, or what can be told of an environment without running it.

use std::path::{Path, PathBuf};

/// Folders of a search path that are used.
const MOST: usize = 100;

/// A session's search path, as folders: what is no folder (an archive) is left out, and what is relative is seen from
/// the session's own.
pub(super) fn absolute(path: &[String], directory: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for entry in path.iter().take(MOST) {
        let folder = directory.join(entry);
        let folder = folder.components().collect::<PathBuf>();
        let is_archive = folder
            .extension()
            .is_some_and(|ending| ending == "zip" || ending == "egg");
        if folder.is_absolute() && !is_archive && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// The search path of `python`, or else of the environment that is active, as `drupe lsp` is started: first the folder
/// that it stands in. Empty where there is no Python.
pub fn of_environment(python: Option<&Path>) -> Vec<String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let mut folders: Vec<PathBuf> = std::env::current_dir().into_iter().collect();
    if let Some(path) = set("PYTHONPATH") {
        folders.extend(std::env::split_paths(&path));
    }
    let active = || {
        let prefix = set("VIRTUAL_ENV").or_else(|| set("CONDA_PREFIX"));
        prefix.map(|prefix| Path::new(&prefix).join("bin/python"))
    };
    let on_path = || {
        let path = set("PATH")?;
        let mut programs = std::env::split_paths(&path).map(|folder| folder.join("python3"));
        programs.find(|program| program.is_file())
    };
    let python = python.map(Path::to_owned).or_else(active).or_else(on_path);
    folders.extend(python.map(|python| of_python(&python)).unwrap_or_default());
    let text = |folder: PathBuf| folder.into_os_string().into_string().ok();
    folders.into_iter().filter_map(text).collect()
}

/// The standard library, then the packages of an environment, by its `pyvenv.cfg` or the place of its program.
fn of_python(python: &Path) -> Vec<PathBuf> {
    let python = std::path::absolute(python).unwrap_or_else(|_| python.to_owned());
    let prefix_of = |program: &Path| program.parent()?.parent().map(Path::to_owned);
    let Some(prefix) = prefix_of(&python) else {
        return Vec::new();
    };
    let settings = std::fs::read_to_string(prefix.join("pyvenv.cfg")).ok();
    let setting = |name: &str| {
        let lines = settings.as_deref().unwrap_or_default().lines();
        let mut found = lines.filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        });
        found.next()
    };
    let base = setting("home").and_then(|home| Path::new(&home).parent().map(Path::to_owned));
    let base = base
        .or_else(|| prefix_of(&python.canonicalize().ok()?))
        .unwrap_or_else(|| prefix.clone());
    let mut folders = Vec::new();
    let standard = libraries(&base);
    folders.extend(
        standard
            .iter()
            .flat_map(|library| [library.clone(), library.join("lib-dynload")]),
    );
    let mut sites: Vec<PathBuf> = libraries(&prefix)
        .iter()
        .map(|it| it.join("site-packages"))
        .collect();
    let is_closed = setting("include-system-site-packages").is_some_and(|value| value != "true");
    if !is_closed {
        sites.extend(standard.iter().map(|library| library.join("site-packages")));
        // Debian's own.
        sites.extend(standard.iter().map(|library| library.join("dist-packages")));
        let name = standard.first().and_then(|library| library.file_name());
        sites.extend(name.map(|name| base.join("local/lib").join(name).join("dist-packages")));
        sites.push(base.join("lib/python3/dist-packages"));
    }
    for site in sites.into_iter().filter(|site| site.is_dir()) {
        folders.push(site.clone());
        folders.extend(named_by_files(&site));
    }
    let mut known = std::collections::HashSet::new();
    folders.retain(|folder| folder.is_dir() && known.insert(folder.clone()));
    folders
}

/// `lib/python3.11` of a prefix; the newest one alone, as a prefix has one Python.
fn libraries(prefix: &Path) -> Vec<PathBuf> {
    let version = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix("python3.")?;
        name.trim_end_matches('t').parse::<u32>().ok()
    };
    let entries = std::fs::read_dir(prefix.join("lib"))
        .into_iter()
        .flatten()
        .flatten();
    let found = entries
        .map(|entry| entry.path())
        .filter(|path| version(path).is_some());
    found.max_by_key(version).into_iter().collect()
}

/// The folders that the `.pth` files of `site` name, as editable installs do. Lines of code are not run.
fn named_by_files(site: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(site).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "pth"))
        .collect();
    files.sort_unstable();
    let mut folders = Vec::new();
    for text in files.iter().filter_map(|file| std::fs::read_to_string(file).ok()) {
        let lines = text.lines().map(str::trim_end);
        let named = lines.filter(|line| {
            !line.is_empty()
                && !line.starts_with('#')
                && !line.starts_with("import ")
                && !line.starts_with("import\t")
        });
        folders.extend(named.map(|line| site.join(line)));
    }
    folders
}
