//! Small things that several tests need.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::TIMEOUT;

/// The repository's folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The interpreter that kernels run unless a test says otherwise.
pub fn default_python() -> PathBuf {
    std::env::var_os("DRUPE_TEST_PYTHON").map_or_else(|| workspace().join(".venv/bin/python"), PathBuf::from)
}

/// Every interpreter to show: `DRUPE_TEST_PYTHONS` (separated by colons), else those of `.venvs/*`, else the
/// default one.
pub fn all_pythons() -> Vec<PathBuf> {
    if let Some(list) = std::env::var_os("DRUPE_TEST_PYTHONS") {
        return std::env::split_paths(&list).collect();
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(workspace().join(".venvs"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/python"))
        .filter(|python| python.exists())
        .collect();
    found.sort();
    if found.is_empty() {
        vec![default_python()]
    } else {
        found
    }
}

/// Installs a kernelspec for the default interpreter below `dir` and returns its command line: what a front-end
/// starts, with everything about the interpreter found out beforehand.
#[track_caller]
pub fn installed_command(dir: &Path) -> Vec<String> {
    let installed = Command::new(env!("CARGO_BIN_EXE_drupe"))
        .args(["install", "--name", "tested", "--prefix"])
        .arg(dir)
        .arg("--python")
        .arg(default_python())
        .output()
        .expect("the binary runs");
    assert!(
        installed.status.success(),
        "{}",
        String::from_utf8_lossy(&installed.stderr)
    );
    let spec = dir.join("share/jupyter/kernels/tested/kernel.json");
    let text = std::fs::read_to_string(spec).expect("a kernelspec was installed");
    let spec: serde_json::Value = serde_json::from_str(&text).expect("kernel.json is JSON");
    let words = spec["argv"].as_array().expect("argv");
    words
        .iter()
        .filter_map(|word| word.as_str())
        .map(str::to_owned)
        .collect()
}

/// Waits for a condition that nothing announces.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {TIMEOUT:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Resident memory of a process, in bytes.
pub fn resident_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("/proc is mounted");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS");
    let kibibytes: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("a number");
    kibibytes * 1024
}

/// A process that is gone, or that only waits to be reaped.
pub fn has_ended(pid: i64) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => true,
        Ok(stat) => stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z')),
    }
}

/// Repeatable noise (xorshift64).
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.next() >> 24) as u8).collect()
    }
}
