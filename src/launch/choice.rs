//! Which interpreter: the flag, else the record, else the active environment, else `python3` on PATH.
//!
//! Called by `run`, `install` and `doctor`. A choice that was made by name (a flag, a record, `$VIRTUAL_ENV`) and
//! does not work is an error: running in another environment than the one asked for would be worse. Must never
//! resolve symbolic links.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::cache;
use super::environment::{Environment, python_home};
use super::error::LaunchError;
use super::record::{Found, Record};

/// Who chose the interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Flag,
    Record(PathBuf),
    VirtualEnv,
    CondaPrefix,
    Path,
    Kernelspec,
}

impl std::fmt::Display for Source {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag => to.write_str("--python"),
            Self::Record(path) => write!(to, "the record {}", path.display()),
            Self::VirtualEnv => to.write_str("$VIRTUAL_ENV"),
            Self::CondaPrefix => to.write_str("$CONDA_PREFIX"),
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

/// Chooses from `--python`, `--environment` and this process's environment variables, in that order.
///
/// # Errors
/// What was named does not exist or is not executable, or nothing was named and PATH has no Python.
pub fn choose(python: Option<&Path>, record: Option<&Path>) -> Result<Choice, LaunchError> {
    if let Some(given) = python {
        return named(given, Source::Flag);
    }
    if let Some(path) = record {
        let source = Source::Record(path.to_owned());
        return match Record::read(path)? {
            Found::Fresh(record) => Ok(Choice {
                source,
                python: record.environment.executable.clone(),
                fresh: Some(record),
            }),
            Found::Stale { python } => named(&python, source),
        };
    }
    for (variable, source) in [
        ("VIRTUAL_ENV", Source::VirtualEnv),
        ("CONDA_PREFIX", Source::CondaPrefix),
    ] {
        if let Some(folder) = std::env::var_os(variable).filter(|folder| !folder.is_empty()) {
            return named(Path::new(&folder), source);
        }
    }
    for name in ["python3", "python"] {
        if let Some(python) = search_path(name) {
            return Ok(Choice {
                source: Source::Path,
                python,
                fresh: None,
            });
        }
    }
    Err(LaunchError::NoPython {
        looked: "no --python was given, neither VIRTUAL_ENV nor CONDA_PREFIX is set, \
                 and there is no python3 on PATH"
            .to_owned(),
    })
}

impl Choice {
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
pub fn program(name: &str) -> Result<PathBuf, LaunchError> {
    named(Path::new(name), Source::Kernelspec).map(|choice| choice.python)
}

/// An interpreter given as a path, as an environment's folder, or as a name on PATH.
fn named(given: &Path, source: Source) -> Result<Choice, LaunchError> {
    let by_name = given.components().count() == 1 && !given.exists();
    let path = match by_name.then(|| search_path(given)).flatten() {
        Some(found) => found,
        // Absolute, since the kernel's working folder may be another one; links stay.
        None => std::path::absolute(given).unwrap_or_else(|_| given.to_owned()),
    };
    let python = if path.is_dir() { inside(&path) } else { path };
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
    Ok(Choice {
        source,
        python,
        fresh: None,
    })
}

/// The interpreter of an environment's folder.
fn inside(folder: &Path) -> PathBuf {
    let python3 = folder.join("bin/python3");
    let python = folder.join("bin/python");
    if !python.exists() && python3.exists() {
        python3
    } else {
        python
    }
}

fn search_path(name: impl AsRef<Path>) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name.as_ref()))
        .find(|file| is_executable(file))
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
