//! What is logged, and where to: the stderr that the process was started with, or a file. Never to a notebook. How it gets
//! there is [`drupe::log`].

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::path::Path;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;

/// The log file, for as long as the process lives.
static FILE: OnceLock<File> = OnceLock::new();

/// The level of `DRUPE_LOG`, else of the command line, else `warn`.
fn level(option: Option<&str>) -> LevelFilter {
    std::env::var("DRUPE_LOG")
        .ok()
        .and_then(|name| name.parse().ok())
        .or_else(|| option.and_then(|name| name.parse().ok()))
        .unwrap_or(LevelFilter::WARN)
}

/// Begin to log. `real_stderr` is a duplicate that stays open. A log file that cannot be opened is said on stderr.
pub fn start(logfile: Option<&Path>, option: Option<&str>, real_stderr: RawFd) {
    // SAFETY: the duplicate made at the start is never closed.
    let stderr = unsafe { BorrowedFd::borrow_raw(real_stderr) };
    let level = level(option);
    let Some(path) = logfile else {
        return drupe::log::start(stderr, level);
    };
    match File::options().create(true).append(true).open(path) {
        Ok(file) => drupe::log::start(FILE.get_or_init(|| file).as_fd(), level),
        Err(error) => {
            drupe::log::start(stderr, level);
            tracing::warn!(
                "the log file {} cannot be opened: {error}; logging to stderr",
                path.display()
            );
        }
    }
}
