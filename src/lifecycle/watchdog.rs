//! The watchdog: the thread that ends the process when nothing else does.
//!
//! Started before anything else in the process, it notices SIGTERM, the parent's death and that user code has closed the
//! kernel's descriptors, reports them, and once armed ends the process at its deadline, whatever the io loop, Python or
//! the GIL are doing. If a reason to end that it has seen itself leads to nobody arming it, it takes the io loop to be
//! stuck and arms itself. Its last step takes no lock, allocates nothing and calls only `poll`, `write` and `_exit`; the
//! thread never enters Python and nobody joins it.

mod parent;
#[expect(
    unsafe_code,
    reason = "a handler is made of what may be called in one, and that is C"
)]
mod signal;

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parent::Parent;

use super::budget;
use crate::os::{
    self,
    descriptor::{self, Ready},
};

/// How often the thread looks at what no descriptor tells it: whether the kernel has another parent, whether
/// user code has reset SIGTERM. Half of the second within which a vanished parent is to be noticed.
const TICK: Duration = Duration::from_millis(500);

/// How long [`Watchdog::arm`] waits for the thread to confirm. It takes microseconds; this is for a machine
/// that is out of processor time.
const CONFIRM: Duration = Duration::from_millis(100);

/// Within which time of a SIGTERM that a handler of the user's was called for, another one is meant for the kernel
/// itself. Who sends a second one so soon saw that the first did not end it.
const AGAIN: Duration = Duration::from_secs(5);

/// What the watchdog has noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    /// SIGTERM, and no handler of the user's to say what is to become of it, or the second within five seconds. Reported
    /// each time.
    Terminate,
    /// The parent is gone. Reported once.
    ParentGone,
    /// User code has closed descriptors that were not its own, the kernel's sockets among them: nobody can say anything to it any
    /// more, and it can answer nobody. Reported once.
    DescriptorsGone,
    /// A signal came that Python has noted: the main thread may not know, where it had begun to wait just then. No reason to
    /// end. Reported each time.
    NotedByPython,
}

/// How a watchdog is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// The process whose end is the kernel's end (`JPY_PARENT_PID`, or given by hand); with it, a change of
    /// the process's own parent counts too, which is a wrapper's death. `None`: nobody is watched. Process 1
    /// never is.
    pub parent: Option<i32>,
    /// Whether to install the handler of SIGTERM. One watchdog in a process may.
    pub sigterm: bool,
    /// How long a reason that the watchdog has reported may go without anybody arming it.
    pub grace: Duration,
    /// The whole time from such a reason to the end, where the watchdog arms itself.
    pub total: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            parent: None,
            sigterm: true,
            grace: budget::UNARMED_GRACE,
            total: budget::TOTAL,
        }
    }
}

impl Config {
    /// The pid in `JPY_PARENT_PID`, if it is set and is one.
    pub fn parent_from_env() -> Option<i32> {
        std::env::var("JPY_PARENT_PID")
            .ok()?
            .trim()
            .parse()
            .ok()
            .filter(|&pid| pid > 0)
    }
}

/// Why there is no watchdog.
#[derive(Debug, thiserror::Error)]
pub enum WatchdogError {
    /// The system has no descriptor or no thread left.
    #[error("cannot start the watchdog: {0}")]
    System(#[from] std::io::Error),
}

/// A handle on the watchdog. Dropping it ends nothing.
#[derive(Debug, Clone)]
pub struct Watchdog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    started: Instant,
    /// The deadline in nanoseconds after `started`; 0 while unarmed.
    deadline: AtomicU64,
    /// Wakes the thread.
    wake: UnixStream,
    /// Readable for ever once the thread has seen the deadline.
    confirmed: UnixStream,
}

impl Shared {
    fn deadline(&self) -> Option<Instant> {
        match self.deadline.load(Ordering::SeqCst) {
            0 => None,
            nanos => Some(self.started + Duration::from_nanos(nanos)),
        }
    }

    /// The first deadline wins.
    fn set_deadline(&self, deadline: Instant) {
        let nanos = deadline.saturating_duration_since(self.started).as_nanos();
        let nanos = u64::try_from(nanos)
            .unwrap_or(u64::MAX / 2)
            .clamp(1, u64::MAX / 2);
        let _ = self
            .deadline
            .compare_exchange(0, nanos, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl Watchdog {
    /// Starts the thread. `report` is called on it for each thing noticed; it must not block and must not
    /// need the GIL.
    ///
    /// # Errors
    /// Where the system has no descriptor or thread left.
    pub fn start(config: Config, report: Box<dyn Fn(Noticed) + Send>) -> Result<Self, WatchdogError> {
        let (wake, woken) = nonblocking_pair()?;
        let (confirm, confirmed) = nonblocking_pair()?;
        let (term_in, term_out) = nonblocking_pair()?;
        let shared = Arc::new(Shared {
            started: Instant::now(),
            deadline: AtomicU64::new(0),
            wake,
            confirmed,
        });
        if config.sigterm {
            signal::install(term_in)?;
        }
        let thread = Thread {
            shared: Arc::clone(&shared),
            parent: config.parent.map(Parent::watch),
            config,
            report,
            woken,
            confirm,
            terminated: term_out,
            // That of this moment, before anybody captures it.
            stderr: descriptor::copy(std::io::stderr().as_fd()).ok(),
            noticed_at: None,
            is_deaf: false,
            shared_at: None,
            last_words: format!(
                "drupe (pid {}): not done in time, ended by the watchdog\n",
                std::process::id()
            ),
        };
        os::signal::with_all_blocked(|| {
            std::thread::Builder::new()
                .name("drupe-watchdog".into())
                .spawn(move || thread.run())
        })?;
        Ok(Self(shared))
    }

    /// Arms it: `total` from now the process ends with status 0. Idempotent: the first deadline stays. True
    /// when the thread has confirmed that it knows its deadline, so that the end is certain; false when it
    /// has not within 100 ms, then it may be asked again. Callable from any thread, with or without the GIL.
    #[must_use = "only a confirmed deadline is a promise"]
    pub fn arm(&self, total: Duration) -> bool {
        self.0.set_deadline(Instant::now() + total.min(budget::LONGEST));
        let _ = (&self.0.wake).write(&[1]);
        descriptor::readable(self.0.confirmed.as_fd(), CONFIRM)
    }

    /// Arms it without its descriptors where user code has closed these, or is about to within 100 ms; true where it has. The
    /// deadline holds half a second later at the latest, also where their numbers are somebody else's by now.
    #[must_use = "otherwise nothing is armed"]
    pub fn arm_if_descriptors_are_gone(&self, total: Duration) -> bool {
        let gone = descriptor::readable(self.0.wake.as_fd(), CONFIRM);
        if gone {
            self.0.set_deadline(Instant::now() + total.min(budget::LONGEST));
        }
        gone
    }

    /// When the process will end; `None` while unarmed.
    #[cfg(test)]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    /// How often SIGINT has come since the process began: known before [`Noticed::NotedByPython`] is told of the last one.
    pub fn interrupts(&self) -> u64 {
        signal::interrupts()
    }

    /// User code has just set SIGTERM by Python, to a handler of its own or to none: it comes here all the same, and such
    /// a handler is called as well. At the first call the handler of SIGINT must be Python's. Waits no longer than
    /// another thread needs for two system calls.
    pub fn share_sigterm(&self, users: bool) {
        signal::share(users);
    }

    /// Makes SIGTERM, and SIGINT where it is Python's, come here again if they have been set behind the kernel's back, by C code
    /// or by a library that puts back what it found; a handler that somebody has written in C stays. The thread does this by
    /// itself twice a second.
    pub fn reclaim_signals(&self) {
        signal::reclaim();
    }
}

struct Thread {
    shared: Arc<Shared>,
    parent: Option<Parent>,
    config: Config,
    report: Box<dyn Fn(Noticed) + Send>,
    woken: UnixStream,
    confirm: UnixStream,
    terminated: UnixStream,
    stderr: Option<OwnedFd>,
    noticed_at: Option<Instant>,
    /// Its descriptors have been closed: their numbers may be somebody else's by now.
    is_deaf: bool,
    /// The last SIGTERM that was also a handler's of the user's.
    shared_at: Option<Instant>,
    last_words: String,
}

impl Thread {
    fn run(mut self) {
        loop {
            let now = Instant::now();
            let deadline = self.deadline(now);
            if let Some(deadline) = deadline {
                if !self.is_deaf {
                    let _ = (&self.confirm).write(&[1]);
                }
                if deadline <= now {
                    self.end();
                }
            }
            let unarmed = self
                .noticed_at
                .filter(|_| deadline.is_none())
                .map(|at| at + self.config.grace);
            let until = deadline.or(unarmed).unwrap_or(now + TICK).min(now + TICK);
            self.wait(until.saturating_duration_since(now));
            if !self.is_deaf {
                self.hear();
            }
            if self.config.sigterm {
                signal::reclaim();
            }
        }
    }

    fn hear(&mut self) {
        self.read_signals();
        if self.parent.as_ref().is_some_and(Parent::is_gone) {
            self.parent = None;
            self.notice(Noticed::ParentGone);
        }
        empty(&self.woken);
    }

    /// The deadline that holds, after arming itself where nobody else did in time.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        if let Some(noticed_at) = self.noticed_at
            && now >= noticed_at + self.config.grace
        {
            self.shared.set_deadline(noticed_at + self.config.total);
        }
        self.shared.deadline()
    }

    fn read_signals(&mut self) {
        let mut came = [0; 64];
        while let Ok(count) = (&self.terminated).read(&mut came)
            && count > 0
        {
            for byte in came.into_iter().take(count) {
                let now = Instant::now();
                let again = self.shared_at.is_some_and(|last| now < last + AGAIN);
                if byte != signal::OURS {
                    self.tell(Noticed::NotedByPython);
                }
                if byte == signal::SHARED && !again {
                    self.shared_at = Some(now);
                } else if byte != signal::INTERRUPT {
                    self.notice(Noticed::Terminate);
                }
            }
        }
    }

    /// A reason to end: it is told, and counts from now.
    fn notice(&mut self, what: Noticed) {
        self.noticed_at.get_or_insert_with(Instant::now);
        self.tell(what);
    }

    fn tell(&self, what: Noticed) {
        // The watchdog outlives a fault in what it calls.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.report)(what)));
    }

    fn wait(&mut self, at_most: Duration) {
        if self.is_deaf {
            return std::thread::sleep(at_most);
        }
        let (woken, terminated) = (self.woken.as_fd(), self.terminated.as_fd());
        let parent = self.parent.as_ref().and_then(Parent::fd);
        let ready = descriptor::wait([Some(woken), Some(terminated), parent], Some(at_most));
        // Nobody else has their other ends, which live as long as the process.
        if ready[..2].contains(&Ready::Gone) {
            self.is_deaf = true;
            self.notice(Noticed::DescriptorsGone);
        }
    }

    fn end(&self) -> ! {
        if let Some(stderr) = self.stderr.as_ref().filter(|_| !self.is_deaf) {
            // A pipe that nobody reads must not hold up the end.
            descriptor::write_without_waiting(stderr.as_fd(), self.last_words.as_bytes());
        }
        os::process::exit_now(0)
    }
}

fn nonblocking_pair() -> std::io::Result<(UnixStream, UnixStream)> {
    let (a, b) = UnixStream::pair()?;
    a.set_nonblocking(true)?;
    b.set_nonblocking(true)?;
    Ok((a, b))
}

/// Reads away what is there.
fn empty(mut stream: &UnixStream) {
    let mut buffer = [0; 64];
    while matches!(stream.read(&mut buffer), Ok(n) if n > 0) {}
}
