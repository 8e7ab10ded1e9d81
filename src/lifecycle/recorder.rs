//! The thread that writes the record of an end, and that removes what is to go with the process. Started by the io
//! loop when the end has begun and the watchdog is armed: a folder may be on a file system that hangs, and whoever
//! touches it may never come back. Nobody waits for this thread longer than they say.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::ExitRecord;

enum Job {
    Write(Box<ExitRecord>),
    Remove {
        files: Vec<PathBuf>,
        folder: Option<PathBuf>,
    },
}

/// The io loop's end of it.
#[derive(Debug)]
pub struct Recorder {
    jobs: Sender<Job>,
    done: Receiver<()>,
}

impl Recorder {
    /// Starts the thread. `runtime` is called on it and gives Jupyter's runtime directory, where there is one.
    ///
    /// # Errors
    /// Where the system has no thread left; then this end has no record.
    pub fn start(runtime: impl FnOnce() -> Option<PathBuf> + Send + 'static) -> std::io::Result<Self> {
        let (jobs, to_do) = channel::<Job>();
        let (say_done, done) = channel();
        let work = move || {
            let runtime = runtime();
            for job in to_do {
                match (job, &runtime) {
                    (Job::Write(record), Some(runtime)) => record.write(runtime),
                    (Job::Write(_), None) => {}
                    (Job::Remove { files, folder }, _) => {
                        for file in files {
                            // Gone already, or not to be had: nothing is to be done about either any more.
                            let _ = std::fs::remove_file(file);
                        }
                        if let Some(folder) = folder {
                            let _ = std::fs::remove_dir_all(folder);
                        }
                    }
                }
                let _ = say_done.send(());
            }
        };
        std::thread::Builder::new()
            .name("drupe-record".into())
            .spawn(work)?;
        Ok(Self { jobs, done })
    }

    /// Has the record written as it stands. Does not wait.
    pub fn write(&self, record: &ExitRecord) {
        let _ = self.jobs.send(Job::Write(Box::new(record.clone())));
    }

    /// Has files removed, what a client would connect to, and a folder with all that is in it. Does not wait.
    pub fn remove(&self, files: Vec<PathBuf>, folder: Option<PathBuf>) {
        let _ = self.jobs.send(Job::Remove { files, folder });
    }

    /// Waits until everything is done, at most this long. Returns whether it is.
    pub fn finish(self, at_most: Duration) -> bool {
        let Self { jobs, done } = self;
        drop(jobs);
        let until = Instant::now() + at_most;
        loop {
            match done.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}
