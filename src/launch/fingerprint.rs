//! How a recorded file is seen to have changed: its size and the time of its last change.
//!
//! Used by [`super::record`] alone. Must stay cheap: a few `stat` calls stand between a command and its kernel.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

/// A file as it was, links followed. A file that was absent is remembered as absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub path: PathBuf,
    pub state: Option<State>,
}

/// Size in bytes, time of the last change in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub size: u64,
    pub modified_ns: u64,
}

impl Fingerprint {
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            state: State::of(path),
        }
    }

    /// Whether the file is still as it was.
    #[must_use]
    pub fn holds(&self) -> bool {
        State::of(&self.path) == self.state
    }
}

impl State {
    fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        // Nanoseconds since 1970 fit 64 bits until the year 2554.
        Some(Self {
            size: metadata.len(),
            modified_ns: u64::try_from(modified.as_nanos()).ok()?,
        })
    }
}
