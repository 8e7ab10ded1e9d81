//! Which interpreter: the flag, else the record, else that of an environment: where drupe is installed, or one that sees this
//! drupe; else the server's, else the active one; else `python3` on PATH.
//!
//! Called by `run`, `install` and `doctor`. A choice that was made by name (a flag, a record, `$VIRTUAL_ENV`) and
//! does not work is an error: running in another environment than the one asked for would be worse. Must never
//! resolve symbolic links.
//!
//! A drupe that is installed in an environment runs that environment's Python, whichever else is active. It may lie behind another
//! one: `uv run --with drupe` installs it into an environment that nobody is told of, and makes one for the command that
//! sees it and the project. That one is the right one, and is known by its kernelspec, which is a link to drupe's own. A
//! drupe that belongs to no environment serves the server's, or the active one.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::cache;
use super::environment::{Environment, python_home};
use super::error::LaunchError;
use super::package::{self, Home};
use super::record::{Found, Record};

/// What a front-end leaves in a kernelspec where it does not know that Jupyter puts the prefix of its own environment there.
const NO_PREFIX: &str = "{prefix}";

/// Who chose the interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Flag,
    Record(PathBuf),
    /// The environment of the Jupyter server, which its kernelspec names.
    Server,
    VirtualEnv,
    CondaPrefix,
    /// The environment that drupe is installed in.
    Beside,
    Path,
    Kernelspec,
}

impl std::fmt::Display for Source {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => to.write_str("--python"),
            Self::Record(path) => write!(to, "the record {}", path.display()),
            Self::Server => to.write_str("the server's --prefix"),
            Self::VirtualEnv => to.write_str("$VIRTUAL_ENV"),
            Self::CondaPrefix => to.write_str("$CONDA_PREFIX"),
            Self::Beside => to.write_str("where drupe is installed"),
            Self::Path => to.write_str("PATH"),
            Self::Kernelspec => to.write_str("a kernelspec"),
        }
    }
}

/// An interpreter that exists and may be executed.
#[derive(Debug)]
pub struct Choice {
    pub source: Source,
    pub python: PathBuf,
    fresh: Option<Box<Record>>,
}

/// What the command line says about it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// `--python`.
    pub python: Option<&'a Path>,
    /// `--environment`.
    pub record: Option<&'a Path>,
    /// `--prefix`.
    pub prefix: Option<&'a Path>,
}

/// Chooses from the command line and this process's environment variables.
///
/// # Errors
/// What was named does not exist or is not executable, or nothing was named and PATH has no Python.
pub fn choose(asked: Asked<'_>) -> Result<Choice, LaunchError> {
    if let Some(given) = asked.python {
        return named(given, Source::Flag, None);
    }
    if let Some(path) = asked.record {
        let source = Source::Record(path.to_owned());
        return match Record::read(path)? {
            Found::Fresh(record) => Ok(Choice {
                source,
                python: record.environment.executable.clone(),
                fresh: Some(record),
            }),
            Found::Stale { python } => named(&python, source, None),
        };
    }
    let home = package::find().ok().and_then(|package| Home::of(&package));
    let home = home.as_ref();
    let around = around(asked.prefix);
    let sees = |folder: &Path| home.is_some_and(|home| home.is_seen_from(folder));
    if let Some((folder, source)) = around.iter().find(|(folder, _)| sees(folder)) {
        return named(folder, source.clone(), home);
    }
    if let Some(python) = home.and_then(Home::python) {
        return Ok(Choice::of(python, Source::Beside));
    }
    // A user's own drupe was installed by one of the user's Pythons, and what it needs is seen by that one, but not from
    // virtual environments.
    if let Some(own) = home.map(|home| home.name.as_str()) {
        let near = around
            .iter()
            .map(|(folder, source)| (folder.join("bin"), source.clone()));
        let far = path_folders().map(|folder| (folder, Source::Path));
        let mut places = near.chain(far).map(|(bin, source)| (bin.join(own), source));
        if let Some((python, source)) = places.find(|(python, _)| is_nobodys(python)) {
            return Ok(Choice::of(python, source));
        }
    }
    if let Some((folder, source)) = around.into_iter().next() {
        return named(&folder, source, None);
    }
    let found = ["python3", "python"].into_iter().find_map(search_path);
    found
        .map(|python| Choice::of(python, Source::Path))
        .ok_or_else(|| LaunchError::NoPython {
            looked: "no --python was given, neither VIRTUAL_ENV nor CONDA_PREFIX is set, \
                     and there is no python3 on PATH"
                .to_owned(),
        })
}

/// The environments that this process finds itself in, the nearest first.
fn around(prefix: Option<&Path>) -> Vec<(PathBuf, Source)> {
    let variable = |name: &str| std::env::var_os(name).filter(|folder| !folder.is_empty());
    let prefix = prefix.filter(|given| *given != Path::new(NO_PREFIX));
    [
        (prefix.map(Path::to_owned), Source::Server),
        (variable("VIRTUAL_ENV").map(PathBuf::from), Source::VirtualEnv),
        (variable("CONDA_PREFIX").map(PathBuf::from), Source::CondaPrefix),
    ]
    .into_iter()
    .filter_map(|(folder, source)| Some((folder?, source)))
    .collect()
}

impl Choice {
    fn of(python: PathBuf, source: Source) -> Self {
        Self {
            source,
            python,
            fresh: None,
        }
    }

    /// The interpreter's account of itself: from its record, from the cache, or asked for now.
    ///
    /// # Errors
    /// See [`Environment::probe`].
    pub fn resolve(self, package: &Path) -> Result<Environment, LaunchError> {
        if let Some(record) = self.fresh {
            if python_home().is_some() {
                return Environment::probe(&self.python, package);
            }
            return Ok(record.environment);
        }
        if let Some(environment) = cache::get(&self.python) {
            self.renew(&environment);
            return Ok(environment);
        }
        let environment = Environment::probe(&self.python, package)?;
        cache::put(&self.python, &environment);
        self.renew(&environment);
        Ok(environment)
    }

    /// Writes a record that was stale anew, where its folder allows it.
    fn renew(&self, environment: &Environment) {
        if let Source::Record(path) = &self.source
            && let Err(error) = Record::of(environment.clone()).write(path)
        {
            tracing::debug!(path = %path.display(), %error, "the stale record could not be renewed");
        }
    }
}

/// A program as a kernelspec names it: a path, or a name on PATH.
///
/// # Errors
/// It does not exist or is not executable.
pub fn program(name: &Path) -> Result<PathBuf, LaunchError> {
    named(name, Source::Kernelspec, None).map(|choice| choice.python)
}

/// An interpreter given as a path, as an environment's folder, or as a name on PATH.
fn named(given: &Path, source: Source, home: Option<&Home>) -> Result<Choice, LaunchError> {
    let by_name = given.components().count() == 1 && !given.exists();
    let path = match by_name.then(|| search_path(given)).flatten() {
        Some(found) => found,
        // Absolute, since the kernel's working folder may be another one; links stay.
        None => std::path::absolute(given).unwrap_or_else(|_| given.to_owned()),
    };
    let python = if path.is_dir() { inside(&path, home) } else { path };
    if !python.exists() {
        return Err(LaunchError::PythonMissing {
            path: python,
            source_name: source.to_string(),
        });
    }
    if !is_executable(&python) {
        return Err(LaunchError::NotExecutable {
            path: python,
            source_name: source.to_string(),
        });
    }
    Ok(Choice::of(python, source))
}

/// The interpreter of an environment's folder. Where several share one, such as `/usr`, it is the one that drupe was installed for.
fn inside(folder: &Path, home: Option<&Home>) -> PathBuf {
    if let Some(python) = home.map(|home| folder.join("bin").join(&home.name))
        && is_executable(&python)
    {
        return python;
    }
    let python3 = folder.join("bin/python3");
    let python = folder.join("bin/python");
    if !python.exists() && python3.exists() {
        python3
    } else {
        python
    }
}

/// A Python outside of virtual environments.
fn is_nobodys(python: &Path) -> bool {
    let environment = python.parent().and_then(Path::parent);
    is_executable(python) && environment.is_some_and(|folder| !folder.join("pyvenv.cfg").exists())
}

fn search_path(name: impl AsRef<Path>) -> Option<PathBuf> {
    path_folders()
        .map(|folder| folder.join(name.as_ref()))
        .find(|file| is_executable(file))
}

fn path_folders() -> impl Iterator<Item = PathBuf> {
    let path: OsString = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.into_iter().filter(|folder| folder.is_absolute())
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
