//! `environment.json`: what was found out about an interpreter, kept beside `kernel.json`, so that a start needs no
//! second process.
//!
//! Written by `drupe install`, read by `drupe run --environment FILE`. A record that no longer fits (the interpreter
//! was upgraded, the environment rebuilt, IPython replaced) is not an error: the interpreter is asked again and the
//! record renewed where its folder can be written. Must never be trusted about anything but where to look.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::error::LaunchError;
use super::fingerprint::Fingerprint;
use crate::os;

/// The shape of the file. Another number is a stale record.
const FORMAT: u32 = 1;

/// An environment and the files whose change makes its description stale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    /// The version of the `drupe` that wrote it, which may have asked fewer questions.
    drupe: String,
    pub environment: Environment,
    fingerprints: Vec<Fingerprint>,
}

/// What a file holds: a record, or at least the interpreter that it was about.
#[derive(Debug)]
pub enum Found {
    Fresh(Box<Record>),
    Stale { python: PathBuf },
}

impl Record {
    #[must_use]
    pub fn of(environment: Environment) -> Self {
        let mut watched = vec![
            environment.executable.clone(),
            environment.prefix.join("pyvenv.cfg"),
        ];
        watched.extend(environment.libpython.clone());
        watched.extend(
            environment
                .modules
                .values()
                .filter_map(|module| module.origin.clone()),
        );
        Self {
            format: FORMAT,
            drupe: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprints: watched.iter().map(|path| Fingerprint::of(path)).collect(),
            environment,
        }
    }

    /// Reads a record and compares it with the disk.
    ///
    /// # Errors
    /// The file is absent, or does not even name an interpreter.
    pub fn read(path: &Path) -> Result<Found, LaunchError> {
        let bad = |reason: String| LaunchError::BadRecord {
            path: path.to_owned(),
            reason,
        };
        let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
        let value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| bad(format!("not JSON: {error}")))?;
        let python = value
            .pointer("/environment/executable")
            .and_then(|python| python.as_str());
        let python = python.ok_or_else(|| bad("it names no interpreter".to_owned()))?;
        let python = PathBuf::from(python);
        match serde_json::from_value::<Self>(value) {
            Ok(record) if record.is_fresh() => Ok(Found::Fresh(Box::new(record))),
            _ => Ok(Found::Stale { python }),
        }
    }

    /// Writes the file beside its place, then moves it there: a kernel that starts meanwhile reads the old or the new.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        // Whoever may use the kernelspec may read it.
        os::file::replace(path, text.as_bytes(), 0o666)
    }

    fn is_fresh(&self) -> bool {
        self.format == FORMAT
            && self.drupe == env!("CARGO_PKG_VERSION")
            && self.fingerprints.iter().all(Fingerprint::holds)
            // One that lacks something is asked again: it may have been mended, which touches no file known here.
            && self.environment.require_suitable().is_ok()
    }
}
