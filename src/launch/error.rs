//! Everything that can stand between a command line and a running core, each with the command that mends it.
//!
//! Made by the modules of `launch`, shown by `main` and by `drupe doctor`. All of these end the process with
//! status 2, as wrong usage does.

use std::path::PathBuf;

use super::environment::{MIN_PYTHON, Requirement, python_home};

/// A kernel cannot be started. `Display` says what is wrong; [`LaunchError::mend`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("no Python was found: {looked}")]
    NoPython { looked: String },
    #[error("{path} does not exist (chosen by {source_name})", path = .path.display())]
    PythonMissing { path: PathBuf, source_name: String },
    #[error("{path} is not an executable file (chosen by {source_name})", path = .path.display())]
    NotExecutable { path: PathBuf, source_name: String },
    #[error("{path} could not be asked about itself: {reason}", path = .path.display())]
    ProbeFailed { path: PathBuf, reason: String },
    #[error(
        "{path} is {implementation} {version}; drupe needs CPython {major}.{minor} or newer",
        path = .path.display(), major = MIN_PYTHON.0, minor = MIN_PYTHON.1
    )]
    Unsuitable {
        path: PathBuf,
        implementation: String,
        version: String,
    },
    #[error(
        "{path} is free-threaded Python {version}, which drupe does not run in yet \
         (see docs/decisions/free-threading.md)",
        path = .path.display()
    )]
    FreeThreaded {
        path: PathBuf,
        version: String,
        /// The command of the same Python with the GIL, such as `python3.14`.
        with_gil: String,
    },
    #[error(
        "{path} (Python {version}) {what}; drupe needs {needed}",
        path = .path.display(), what = missing_text(.missing), needed = needed_text(.missing)
    )]
    MissingModules {
        path: PathBuf,
        version: String,
        missing: Vec<Missing>,
        install: String,
    },
    #[error("the record {path} cannot be used: {reason}", path = .path.display())]
    BadRecord { path: PathBuf, reason: String },
    #[error("drupe's Python package was not found: looked in {looked}")]
    NoPackage { looked: String },
    #[error("drupe's core is missing: {path} does not exist", path = .path.display())]
    NoCore { path: PathBuf },
    #[error("{path} could not be loaded: {reason}", path = .path.display())]
    Load { path: PathBuf, reason: String },
    #[error("{path} could not be loaded: {reason}", path = .path.display())]
    Libpython { path: PathBuf, reason: String },
    #[error(
        "{path} is the library of Python {found}, not of Python {expected}",
        path = .path.display()
    )]
    OtherLibpython {
        path: PathBuf,
        found: String,
        expected: String,
    },
    #[error("{path} could not be started: {reason}", path = .path.display())]
    Exec { path: PathBuf, reason: String },
    #[error("the path {path} is not valid UTF-8, which drupe cannot pass on", path = .path.display())]
    NotUtf8 { path: PathBuf },
}

/// A module that the environment lacks, or has in a version that is too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub requirement: Requirement,
    /// The version found; `None` when the module is absent.
    pub found: Option<String>,
}

impl LaunchError {
    /// Whether the shared library is to blame, and so the interpreter itself may well run.
    #[must_use]
    pub fn leaves_the_second_door(&self) -> bool {
        matches!(self, Self::Libpython { .. } | Self::OtherLibpython { .. })
    }

    /// The command, or at least the deed, that mends it.
    #[must_use]
    pub fn mend(&self) -> String {
        match self {
            Self::NoPython { .. } | Self::PythonMissing { .. } | Self::NotExecutable { .. } => {
                "name a Python that exists: drupe --python /path/to/env/bin/python … \
                 (for an installed kernel: drupe install --replace --python /path/to/env/bin/python)"
                    .to_owned()
            }
            Self::ProbeFailed { path, .. } | Self::Exec { path, .. } => {
                let runs = format!("see whether it runs at all: {} -c pass", path.display());
                match python_home() {
                    Some(home) => format!("unset PYTHONHOME, which is {}; else {runs}", home.display()),
                    None => runs,
                }
            }
            Self::Unsuitable { .. } => {
                let newer = format!("python{}.{}", MIN_PYTHON.0, MIN_PYTHON.1 + 2);
                format!(
                    "make an environment with a newer Python: {}",
                    new_environment(&newer)
                )
            }
            Self::FreeThreaded { with_gil, .. } => format!(
                "choose a build with the GIL, {with_gil} and not {with_gil}t: {}",
                new_environment(with_gil)
            ),
            Self::MissingModules { install, .. } => install.clone(),
            Self::BadRecord { .. } => "write it anew: drupe install --replace".to_owned(),
            Self::NoPackage { .. } | Self::NoCore { .. } => {
                "build it (make build) or install drupe again, or point DRUPE_PACKAGE at the folder \
                 that holds _drupe.abi3.so"
                    .to_owned()
            }
            Self::Load { .. } | Self::Libpython { .. } | Self::OtherLibpython { .. } => {
                "run the other door, which needs no shared library: python -m drupe -f FILE; \
                 drupe doctor tells more"
                    .to_owned()
            }
            Self::NotUtf8 { .. } => "choose a path that is valid UTF-8".to_owned(),
        }
    }
}

/// The commands that make an environment of this Python's, and have the kernel run there.
fn new_environment(python: &str) -> String {
    format!(
        "{python} -m venv ENV && ENV/bin/python -m pip install ipython && \
         drupe install --replace --python ENV/bin/python"
    )
}

/// Such as `has no comm and only ipython 7.34.0`.
fn missing_text(missing: &[Missing]) -> String {
    let name = |one: &Missing| one.requirement.distribution.to_owned();
    let absent: Vec<String> = missing
        .iter()
        .filter(|one| one.found.is_none())
        .map(name)
        .collect();
    let old = |one: &Missing| Some(format!("{} {}", name(one), one.found.as_deref()?));
    let old: Vec<String> = missing.iter().filter_map(old).collect();
    match (absent.as_slice(), old.as_slice()) {
        (absent, []) => format!("has no {}", absent.join(", ")),
        ([], old) => format!("has only {}", old.join(", ")),
        (absent, old) => format!("has no {} and only {}", absent.join(", "), old.join(", ")),
    }
}

fn needed_text(missing: &[Missing]) -> String {
    let said: Vec<String> = missing.iter().map(|one| one.requirement.text()).collect();
    said.join(", ")
}
