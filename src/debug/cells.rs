//! The files of cells: their names, which front-ends compute, too, and the thread that writes and reads them.
//!
//! A name is `ipykernel_<pid>/<hash>.py` in the folder for temporary files, the hash being MurmurHash2 of the cell's text:
//! the name that the shell gives to the cell's code. The io thread touches no file: a file system may hang.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use serde_json::{Value, json};

use super::vocabulary::Key;
use crate::os;

/// JupyterLab and ipykernel agree on it.
pub const SEED: u32 = 0xC70F_6907;

/// What follows the hash.
pub const SUFFIX: &str = ".py";

/// The longest file whose text is told, in bytes.
const LONGEST: u64 = 16 << 20;

/// Austin Appleby's MurmurHash2, 32 bits.
pub fn murmur2(data: &[u8], seed: u32) -> u32 {
    const MULTIPLIER: u32 = 0x5BD1_E995;
    // The length is a 32-bit number there, too.
    #[expect(clippy::cast_possible_truncation, reason = "as the original has it")]
    let mut mixed = seed ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let word = word
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
        let word = word.wrapping_mul(MULTIPLIER);
        let word = (word ^ word >> 24).wrapping_mul(MULTIPLIER);
        mixed = mixed.wrapping_mul(MULTIPLIER) ^ word;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let rest = rest
            .iter()
            .rev()
            .fold(0, |rest, byte| rest << 8 | u32::from(*byte));
        mixed = (mixed ^ rest).wrapping_mul(MULTIPLIER);
    }
    mixed = (mixed ^ mixed >> 13).wrapping_mul(MULTIPLIER);
    mixed ^ mixed >> 15
}

/// The folder for the files of this process's cells, which need not exist. The folder for temporary files is the one that
/// Python's `tempfile` finds.
pub fn folder() -> PathBuf {
    let named = ["TMPDIR", "TEMP", "TMP"].into_iter().filter_map(std::env::var_os);
    let usual = ["/tmp", "/var/tmp", "/usr/tmp"].map(PathBuf::from);
    let place = named
        .map(PathBuf::from)
        .chain(usual)
        .filter_map(|place| std::path::absolute(place).ok())
        .find(|place| os::file::is_writable_folder(place))
        .unwrap_or_else(|| PathBuf::from("/tmp"));
    place.join(format!("ipykernel_{}", std::process::id()))
}

/// The file of a cell.
pub fn file(folder: &Path, code: &[u8]) -> PathBuf {
    folder.join(format!("{}{SUFFIX}", murmur2(code, SEED)))
}

/// What is to be done with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Write a cell. The answer is `{"sourcePath"}`.
    Dump { code: String },
    /// Read a file. The answer is `{"content", "mimeType"}`.
    Read { path: PathBuf },
}

/// Is called with what a job has come to, on the thread.
pub type Answered = dyn Fn(Key, Result<Value, String>) + Send + Sync;

/// The thread, once it is needed. Nobody waits for it.
pub struct Files {
    folder: PathBuf,
    /// All cells have this name.
    named: Option<PathBuf>,
    answered: Arc<Answered>,
    jobs: Option<Sender<(Key, Job)>>,
}

impl Files {
    /// Cells are written to this folder, which need not exist; all to one file where the variable IPYKERNEL_CELL_NAME is set, as in
    /// ipykernel. Called before Python is up, which may change the environment.
    pub fn new(folder: PathBuf, answered: Arc<Answered>) -> Self {
        Files {
            folder,
            named: std::env::var_os("IPYKERNEL_CELL_NAME")
                .filter(|name| !name.is_empty())
                .map(PathBuf::from),
            answered,
            jobs: None,
        }
    }

    /// Whether the folder may have been made.
    pub fn were_used(&self) -> bool {
        self.jobs.is_some()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Have something done.
    pub fn run(&mut self, key: Key, job: Job) {
        if self.jobs.is_none() {
            self.jobs = self.start().ok();
        }
        let sent = self.jobs.as_ref().map(|jobs| jobs.send((key, job)));
        if !matches!(sent, Some(Ok(()))) {
            (self.answered)(key, Err("the system has no thread left".to_owned()));
        }
    }

    fn start(&self) -> io::Result<Sender<(Key, Job)>> {
        let (jobs, to_do) = channel::<(Key, Job)>();
        let (folder, answered) = (self.folder.clone(), Arc::clone(&self.answered));
        let named = self.named.clone();
        std::thread::Builder::new()
            .name("drupe-cells".into())
            .spawn(move || {
                os::signal::block_all();
                for (key, job) in to_do {
                    answered(key, carry_out(&folder, named.as_deref(), job));
                }
            })?;
        Ok(jobs)
    }
}

fn carry_out(folder: &Path, named: Option<&Path>, job: Job) -> Result<Value, String> {
    match job {
        Job::Dump { code } => {
            let path = named.map_or_else(|| file(folder, code.as_bytes()), Path::to_owned);
            dump(folder, &path, &code)
                .map_err(|error| format!("the cell cannot be written to {}: {error}", path.display()))?;
            Ok(json!({ "sourcePath": path.to_string_lossy() }))
        }
        Job::Read { path } => {
            let text = read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            Ok(json!({ "content": text, "mimeType": "text/x-python" }))
        }
    }
}

/// Only the user can read what is in the folder, or put something there.
fn dump(folder: &Path, path: &Path, code: &str) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(folder)?;
            if !found.is_dir() || found.mode() & 0o022 != 0 || found.uid() != os::process::user() {
                return Err(io::Error::other("its folder is not the user's own"));
            }
        }
        made => made?,
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(code.as_bytes())
}

fn read(path: &Path) -> io::Result<String> {
    let found = fs::metadata(path)?;
    // A pipe would be waited for.
    if !found.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if found.len() > LONGEST {
        return Err(io::Error::other("it is too long"));
    }
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}
