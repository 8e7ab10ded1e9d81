//! Where log lines go: the stderr that the process was started with, or a file. Never to a notebook.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;
use std::sync::Mutex;

use tracing::level_filters::LevelFilter;

/// Writes to the descriptor that was stderr at the start, whatever became of fd 2.
struct RealStderr(i32);

impl Write for RealStderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // SAFETY: the duplicate made at the start is never closed.
        let fd = unsafe { BorrowedFd::borrow_raw(self.0) };
        // SAFETY: pointer and length are of a live slice.
        let written = unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
        usize::try_from(written).map_err(|_| std::io::Error::last_os_error())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The level of `DRUPE_LOG`, else of the command line, else `warn`.
fn level(option: Option<&str>) -> LevelFilter {
    std::env::var("DRUPE_LOG")
        .ok()
        .and_then(|name| name.parse().ok())
        .or_else(|| option.and_then(|name| name.parse().ok()))
        .unwrap_or(LevelFilter::WARN)
}

/// Begin to log. `real_stderr` is a duplicate that stays open. A log file that cannot be opened is said on stderr.
pub fn start(logfile: Option<&Path>, option: Option<&str>, real_stderr: i32) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(level(option))
        .with_ansi(false)
        .with_target(true)
        .with_thread_names(true);
    let opened = logfile.map(|path| (path, File::options().create(true).append(true).open(path)));
    // A second start in one process, as in tests, keeps the first subscriber.
    match opened {
        Some((_, Ok(file))) => drop(builder.with_writer(Mutex::new(file)).try_init()),
        other => {
            drop(builder.with_writer(move || RealStderr(real_stderr)).try_init());
            if let Some((path, Err(error))) = other {
                tracing::warn!(
                    "the log file {} cannot be opened: {error}; logging to stderr",
                    path.display()
                );
            }
        }
    }
}
