//! The record of ends: how each of the last kernels ended, one JSON file each in Jupyter's runtime directory,
//! the newest 20 kept. The io loop has it written by [`super::recorder`] and `drupe last-exit` lists it. Writing
//! must never hold up or fail an exit: errors are logged and that is all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::ladder::Outcome;

/// How many records are kept.
pub const KEPT: usize = 20;
/// No record is larger; a larger file is somebody else's.
const LARGEST: u64 = 4 << 20;

/// How one kernel ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// When the end began, RFC 3339 in UTC.
    pub time: String,
    /// The kernel's process.
    pub pid: u32,
    /// Why it ended: `shutdown_request`, `SIGTERM`, ...
    pub trigger: String,
    /// Whether the first asker wanted a restart.
    pub restart: bool,
    /// The rungs in the order in which they began.
    pub rungs: Vec<RungRecord>,
    /// What did not end by itself.
    pub abandoned: Vec<Abandoned>,
    /// The process's exit status; `None` where the watchdog had to end it.
    pub status: Option<u8>,
}

/// How one rung went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RungRecord {
    /// [`super::Rung::name`].
    pub name: String,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// How it ended.
    pub outcome: Outcome,
}

/// Something that did not end by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abandoned {
    /// `cell`, `thread`, `child`, `atexit`, `task`, ...
    pub what: String,
    /// Its name: a thread's name, a child's pid and command, a callback.
    pub name: String,
    /// Where it stood, a Python stack where there is one.
    pub stack: String,
}

impl ExitRecord {
    /// A record of an end that begins now, of this process.
    pub fn begin(trigger: super::Trigger, restart: bool) -> Self {
        Self {
            time: format!("{:.6}", Timestamp::now()),
            pid: std::process::id(),
            trigger: trigger.to_string(),
            restart,
            rungs: Vec::new(),
            abandoned: Vec::new(),
            status: None,
        }
    }

    /// A rung begins.
    pub fn begin_rung(&mut self, name: &str) {
        self.rungs.push(RungRecord {
            name: name.to_owned(),
            ms: 0.0,
            outcome: Outcome::Unfinished,
        });
    }

    /// The last rung has ended, after `ran`.
    pub fn end_rung(&mut self, outcome: Outcome, ran: Duration) {
        if let Some(last) = self
            .rungs
            .last_mut()
            .filter(|last| last.outcome == Outcome::Unfinished)
        {
            last.ms = (ran.as_secs_f64() * 1e6).round() / 1e3;
            last.outcome = outcome;
        }
    }

    /// Whether force was needed: something was abandoned or ran out of its time.
    pub fn was_forced(&self) -> bool {
        self.status.is_none()
            || !self.abandoned.is_empty()
            || self.rungs.iter().any(|rung| rung.outcome != Outcome::Done)
    }

    /// Writes the record into `<runtime>/drupe/exits/`, in one step, and removes all but the newest. Written
    /// again it replaces its own earlier state, so it may be written when the end begins, in case the
    /// watchdog has the last word, and once more when it is complete. Errors are logged.
    pub fn write(&self, runtime: &Path) {
        let folder = folder(runtime);
        if let Err(error) = self.try_write(&folder) {
            tracing::warn!(folder = %folder.display(), %error, "the record of this end was not written");
        }
    }

    fn try_write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let json = serde_json::to_vec_pretty(self)?;
        let name = self.file_name();
        // One for each process, so that a kernel which was ended while it wrote leaves no more than one behind.
        let draft = folder.join(format!(".{}.draft", self.pid));
        let written = fs::write(&draft, json).and_then(|()| fs::rename(&draft, folder.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written?;
        for stale in files(folder)?.into_iter().skip(KEPT) {
            // Another kernel that ends at this moment may have been faster.
            let _ = fs::remove_file(stale);
        }
        Ok(())
    }

    /// Sorts by time as text; colons are not for every file system.
    fn file_name(&self) -> String {
        let time: String = self
            .time
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        format!("{time}-{}.json", self.pid)
    }
}

/// The records in Jupyter's runtime directory, newest first. What cannot be read as one is logged and left
/// out; a folder that is not there holds none.
///
/// # Errors
/// Where the folder is there and cannot be read.
pub fn list(runtime: &Path) -> io::Result<Vec<ExitRecord>> {
    let files = match files(&folder(runtime)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    Ok(files.iter().filter_map(|path| read(path)).collect())
}

fn read(path: &Path) -> Option<ExitRecord> {
    let record = || -> io::Result<ExitRecord> {
        let size = fs::metadata(path)?.len();
        if size > LARGEST {
            return Err(io::Error::other(format!(
                "{size} bytes are too many for a record"
            )));
        }
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    };
    record()
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "not a record of an end"))
        .ok()
}

fn folder(runtime: &Path) -> PathBuf {
    runtime.join("drupe").join("exits")
}

/// The record files, newest first.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .filter(|path| {
            !path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
        })
        .collect();
    files.sort_by(|a, b| b.cmp(a));
    Ok(files)
}
