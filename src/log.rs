//! Where log lines go: a queue, and one thread that writes it to stderr or to a file.
//!
//! Every thread logs, the io thread and those that hold the GIL among them, and whoever reads the other end of stderr may have
//! stopped reading. So a line is put into a bounded queue and nobody waits: what does not fit is lost and counted, and the
//! number is told as soon as there is room again. The thread is made for the first line; a kernel that has nothing to say has none.
//!
//! What is said again and again is said once a second ([`throttle`]).
//!
//! A forked child has the queue but not the thread, and the lock may be held by somebody who is not there: it writes by itself
//! what its stderr takes at once. At the end of the process [`flush`] hands over what is left, within milliseconds.

mod throttle;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::os::{descriptor, signal};
use throttle::{Kind, Throttle};

/// Bytes that may wait: some thousand lines.
const CAPACITY: usize = 256 << 10;

/// A pipe takes so much in one piece, or says before that it does not.
const PIECE: usize = 4096;

/// How long [`flush`] waits for what is being written, while it could be: who writes it is not on a processor.
const AT_THE_END: Duration = Duration::from_millis(200);

/// How long it waits where nobody takes it.
const UNREAD: Duration = Duration::from_millis(5);

static LOG: OnceLock<&'static Log> = OnceLock::new();

/// Begins to log to a descriptor that stays open. Once; a second start in one process, as in tests, changes nothing.
pub fn start(to: BorrowedFd<'static>, level: LevelFilter) {
    let log = LOG.get_or_init(|| Log::new(to));
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_target(true)
        .with_thread_names(true)
        // Put in front of a line when it is admitted.
        .without_time()
        .with_writer(ToLog(log))
        .try_init();
}

/// Hands over what waits, as much as is taken at once. For the very end of the process; takes a few milliseconds at most, or
/// what the system needs to let the thread end its line.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush(AT_THE_END);
    }
}

#[derive(Debug, Default)]
struct Queue {
    text: Vec<u8>,
    /// Lines that did not fit since `text` was last taken.
    lost: u64,
    throttle: Throttle,
    /// There is a thread.
    thread: bool,
    /// Somebody writes; what he writes is not in `text` any more.
    writing: bool,
}

impl Queue {
    /// A line with its end. Where there is no room it counts as lost.
    fn push(&mut self, line: &[u8]) {
        if self.text.len() + line.len() > CAPACITY {
            self.lost += 1;
            return;
        }
        self.text
            .extend_from_slice(format!("{:.6} ", Timestamp::now()).as_bytes());
        self.text.extend_from_slice(line);
    }

    /// What waits, and behind it what was lost and left out.
    fn take(&mut self, now: Instant) -> Vec<u8> {
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            let note = format!(
                "{:.6}  WARN drupe::log: {lost} lines were lost: nobody took what was written before\n",
                Timestamp::now()
            );
            self.text.extend_from_slice(note.as_bytes());
        }
        for line in self.throttle.reports(now) {
            self.push(line.as_bytes());
        }
        std::mem::take(&mut self.text)
    }
}

#[derive(Debug)]
struct Log {
    to: BorrowedFd<'static>,
    /// The process that has the thread.
    pid: u32,
    queue: Mutex<Queue>,
    /// Tells the thread that there is something.
    filled: Condvar,
    /// Tells [`Log::flush`] that something has been written.
    written: Condvar,
}

impl Log {
    /// Lives as long as the process.
    fn new(to: BorrowedFd<'static>) -> &'static Self {
        Box::leak(Box::new(Self {
            to,
            pid: std::process::id(),
            queue: Mutex::default(),
            filled: Condvar::new(),
            written: Condvar::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing in between could be half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One line and its end. Never waits but for others who do the same.
    fn line(&'static self, kind: Option<&Kind>, line: &[u8]) {
        if std::process::id() != self.pid {
            descriptor::write_without_waiting(self.to, line.get(..PIECE).unwrap_or(line));
            return;
        }
        let mut queue = self.lock();
        if kind.is_some_and(|kind| !queue.throttle.admits(kind, line, Instant::now())) {
            return;
        }
        queue.push(line);
        if !queue.thread {
            queue.thread = self.spawn();
        }
        if queue.thread {
            self.filled.notify_one();
        } else {
            drop(queue);
            self.flush(Duration::ZERO);
        }
    }

    fn spawn(&'static self) -> bool {
        let thread = std::thread::Builder::new()
            .name("drupe-log".into())
            .stack_size(128 << 10);
        signal::with_all_blocked(|| thread.spawn(|| self.write())).is_ok()
    }

    /// The thread. It alone waits for whoever reads.
    fn write(&self) {
        let mut queue = self.lock();
        loop {
            let now = Instant::now();
            let report = queue.throttle.next_report();
            if queue.writing || queue.text.is_empty() && report.is_none_or(|at| at > now) {
                let at_most = report.map_or(Duration::MAX, |at| at.saturating_duration_since(now));
                let at_most = at_most.clamp(Duration::from_millis(1), Duration::from_secs(3600));
                queue = self
                    .filled
                    .wait_timeout(queue, at_most)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
                continue;
            }
            let text = queue.take(now);
            queue.writing = true;
            drop(queue);
            // Where nobody can ever read it there is nobody to tell.
            let _ = descriptor::write_all(self.to, &text);
            queue = self.lock();
            queue.writing = false;
            self.written.notify_all();
        }
    }

    fn flush(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut queue = self.lock();
        while queue.writing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.written.wait_timeout(queue, left.min(UNREAD));
            let result;
            (queue, result) = waited.unwrap_or_else(PoisonError::into_inner);
            if result.timed_out() && queue.writing && !descriptor::takes_more(self.to) {
                return;
            }
        }
        queue.throttle.end();
        let text = queue.take(Instant::now());
        queue.writing = true;
        drop(queue);
        let written: usize = text
            .chunks(PIECE)
            .take_while(|piece| descriptor::write_without_waiting(self.to, piece))
            .map(<[u8]>::len)
            .sum();
        let mut queue = self.lock();
        queue.writing = false;
        // Where this was not the end after all, the thread goes on.
        queue.text.splice(..0, text.into_iter().skip(written));
        self.filled.notify_one();
    }
}

/// What the subscriber writes to.
struct ToLog(&'static Log);

/// The one line of an event.
struct Line {
    log: &'static Log,
    kind: Option<Kind>,
}

impl io::Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.log.line(self.kind.as_ref(), line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for ToLog {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            log: self.0,
            kind: None,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        Line {
            log: self.0,
            // Who asks for more than warnings wants all of it.
            kind: (*metadata.level() <= Level::WARN).then(|| metadata.callsite()),
        }
    }
}

#[cfg(test)]
mod tests;
