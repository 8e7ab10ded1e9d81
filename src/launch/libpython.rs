//! Where an interpreter's shared library lies.
//!
//! Called once by the probe. Candidates come from the interpreter's own `sysconfig`, then from the layouts that are
//! known to disagree with it: Debian's (`/usr/lib/<multiarch>`, a static executable beside a shared library),
//! conda's (a static executable, the library in `<prefix>/lib`, `sysconfig` naming the archive), and Pythons that
//! were moved after they were built (`LIBDIR` is `/install/lib`). Must never name a library of another Python: the
//! system's folders are searched only for a Python that lives in them. [`super::load`] checks the version again.

use std::path::{Path, PathBuf};

use super::environment::Environment;

/// The first candidate that is a file.
#[must_use]
pub fn find(environment: &Environment) -> Option<PathBuf> {
    candidates(environment).into_iter().find(|path| path.is_file())
}

/// Every path that may be this interpreter's library, the likeliest first.
#[must_use]
pub fn candidates(environment: &Environment) -> Vec<PathBuf> {
    let folders = folders(environment);
    let mut paths = Vec::new();
    for name in names(environment) {
        paths.extend(folders.iter().map(|folder| folder.join(&name)));
    }
    paths
}

fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment
        .config
        .get(name)?
        .as_deref()
        .filter(|value| !value.is_empty())
}

/// The library's possible file names. Archives (`libpython3.12.a`) are what a static build names: left out.
fn names(environment: &Environment) -> Vec<String> {
    let (major, minor) = environment.version_info;
    let version = match variable(environment, "LDVERSION") {
        Some(version) => version.to_owned(),
        None => format!("{major}.{minor}"),
    };
    let said = ["INSTSONAME", "LDLIBRARY"].into_iter();
    let said = said
        .filter_map(|name| variable(environment, name))
        .map(str::to_owned);
    let built = [
        format!("libpython{version}.so.1.0"),
        format!("libpython{version}.so"),
        format!("libpython{version}.dylib"),
    ];
    let mut names = Vec::new();
    for name in said.chain(built) {
        if is_shared(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// `libpython3.12.so`, `….so.1.0`, `….dylib`, and the framework of a macOS build (`Python.framework/…/Python`).
fn is_shared(name: &str) -> bool {
    let path = Path::new(name);
    let extension = |wanted: &str| path.extension().is_some_and(|found| found == wanted);
    extension("so") || extension("dylib") || name.contains(".so.") || name.contains(".framework/")
}

fn folders(environment: &Environment) -> Vec<PathBuf> {
    let multiarch = variable(environment, "MULTIARCH");
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut add = |folder: PathBuf| {
        if let Some(multiarch) = multiarch {
            folders.push(folder.join(multiarch));
        }
        folders.push(folder);
    };
    if let Some(folder) = variable(environment, "LIBDIR") {
        add(folder.into());
    }
    add(environment.base_prefix.join("lib"));
    add(environment.prefix.join("lib"));
    if let Some(folder) = variable(environment, "PYTHONFRAMEWORKPREFIX") {
        folders.push(folder.into());
    }
    if environment.base_prefix == Path::new("/usr") {
        folders.push("/usr/lib64".into());
        folders.push("/lib64".into());
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(base_prefix: &str, config: &[(&str, &str)]) -> Environment {
        Environment {
            executable: "/venv/bin/python".into(),
            implementation: "cpython".to_owned(),
            version: "3.11.2".to_owned(),
            version_info: (3, 11),
            prefix: "/venv".into(),
            base_prefix: base_prefix.into(),
            bits: usize::BITS,
            free_threaded: false,
            has_pip: true,
            externally_managed: false,
            config: config
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
                .collect(),
            modules: Default::default(),
            libpython: None,
        }
    }

    fn offers(environment: &Environment, path: &str) -> bool {
        candidates(environment).contains(&PathBuf::from(path))
    }

    #[test]
    fn a_shared_build_is_where_it_says() {
        let config = [("INSTSONAME", "libpython3.11.so.1.0"), ("LIBDIR", "/opt/py/lib")];
        let found = candidates(&environment("/opt/py", &config));
        assert_eq!(
            found.first(),
            Some(&PathBuf::from("/opt/py/lib/libpython3.11.so.1.0"))
        );
    }

    #[test]
    fn debian_names_an_archive_and_ships_a_library() {
        let config = [
            ("INSTSONAME", "libpython3.11.a"),
            ("LDLIBRARY", "libpython3.11.a"),
            ("LIBDIR", "/usr/lib"),
            ("MULTIARCH", "x86_64-linux-gnu"),
        ];
        let environment = environment("/usr", &config);
        assert!(offers(
            &environment,
            "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0"
        ));
        assert!(
            candidates(&environment)
                .iter()
                .all(|path| !path.ends_with("libpython3.11.a"))
        );
    }

    #[test]
    fn conda_keeps_it_in_its_prefix() {
        let config = [
            ("LDLIBRARY", "libpython3.11.a"),
            ("LIBDIR", "/build/placeholder/lib"),
        ];
        assert!(offers(
            &environment("/opt/conda", &config),
            "/opt/conda/lib/libpython3.11.so"
        ));
    }

    #[test]
    fn a_python_that_was_moved_after_it_was_built() {
        let config = [("INSTSONAME", "libpython3.11.so.1.0"), ("LIBDIR", "/install/lib")];
        let environment = environment("/home/me/.local/share/uv/python/cpython-3.11", &config);
        let path = "/home/me/.local/share/uv/python/cpython-3.11/lib/libpython3.11.so.1.0";
        assert!(offers(&environment, path));
    }

    #[test]
    fn a_private_python_is_never_given_the_systems_library() {
        let config = [("LDLIBRARY", "libpython3.11.a"), ("LIBDIR", "/opt/py/lib")];
        let found = candidates(&environment("/opt/py", &config));
        assert!(found.iter().all(|path| !path.starts_with("/usr")));
    }
}
