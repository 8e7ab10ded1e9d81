//! How long the exit ladder may take, and until when each of its rungs may go on. The io loop, Python's side and the
//! watchdog read their times here; the machine itself knows no time.
//!
//! There is one deadline, and time flows down: a rung may take all that is left but for the reserves of those after it.
//! So a thread that needs a second gets it, and one that never ends costs nobody their turn. Nothing sleeps a time out.

use std::time::Duration;

use super::ladder::{Rung, Turn};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The whole ladder, and so the watchdog's time. jupyter_client sends SIGTERM 2.5 s after its request
/// (half of `KernelManager.shutdown_wait_time`); what is left is for the process to be torn down in.
pub const TOTAL: Duration = ms(2300);

// What is kept for a rung however long those before it take.

/// For a helper to attach after a cell that could not be interrupted. The holders of the GIL that let it go at all do
/// so well within this; measured with compiled code that takes it in bursts. A machine with more to do than processors
/// has let a new thread wait as long for its first instruction, once in a hundred times.
const ATTACH: Duration = ms(300);
/// For executors, threads and children.
const THREADS: Duration = ms(200);
/// For the atexit functions.
const ATEXIT: Duration = ms(300);
/// For files and streams.
const FLUSH: Duration = ms(100);
/// For those inside the gate.
const GATE: Duration = ms(50);
/// For the replies and everything before them.
const REPLY: Duration = ms(150);

/// A fresh helper's wait for the GIL where Python answered a moment ago: ten of CPython's switch intervals (5 ms). With
/// 30 ms a loaded machine let one in several hundred come too late. Kept beside the reserve of each rung that a helper
/// may have to attach for.
const RELIEF: Duration = ms(55);
/// What Python's side is told to be done earlier than the rung is over, to answer by itself before it is given up.
const MARGIN: Duration = ms(40);
/// The same for the interrupt that reminds it.
const REMINDER: Duration = ms(20);
/// How long before the watchdog the io loop begins to end the process itself, wherever things stand.
const LAST_WRITES: Duration = ms(30);
/// How long before the watchdog it has written what was queued by then, as far as that was taken.
const LAST_RECORD: Duration = ms(15);
/// How long before the watchdog it is done, with the record too.
const LAST_MOMENT: Duration = ms(5);

/// How long a cell's `finally` blocks have after the first interrupt before they are interrupted too.
const CELL_AGAIN: Duration = ms(900);
/// How long the main thread may take to begin its teardown where no cell runs: longer, and it is in a callback of the
/// user's, which is interrupted as a cell is.
const CALLBACK: Duration = ms(200);
/// The time between two interrupts of the same rung.
pub const INTERRUPT_EVERY: Duration = ms(50);

/// How long a trigger that the watchdog itself has seen may go without anybody arming it, before it
/// takes the io loop to be stuck and arms itself.
pub const UNARMED_GRACE: Duration = ms(300);

/// The shortest total that [`Budgets::with_total`] takes; below it no rung could do anything.
pub const SHORTEST: Duration = ms(100);
/// The longest: a day. Beyond it a timer's arithmetic is not worth thinking about.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The times of one kernel. All of them count from the moment in which the end begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    total: Duration,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { total: TOTAL }
    }
}

impl Budgets {
    /// The times of a ladder of `total` (`--shutdown-timeout`, `DRUPE_SHUTDOWN_TIMEOUT`), which is taken into
    /// [`SHORTEST`]..=[`LONGEST`]. A longer ladder keeps the same reserves, so that all that was added is for whoever
    /// needs it; a shorter one has them in proportion.
    pub fn with_total(total: Duration) -> Self {
        Self {
            total: total.clamp(SHORTEST, LONGEST),
        }
    }

    /// The time until the watchdog ends the process.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// The time until the io loop ends the process itself, wherever things stand.
    pub fn deadline(&self) -> Duration {
        self.total - self.share(LAST_WRITES)
    }

    /// Until when what is queued at the deadline may still be written.
    pub fn last_write(&self) -> Duration {
        self.total - self.share(LAST_RECORD)
    }

    /// Until when the record of the end may be written.
    pub fn last_moment(&self) -> Duration {
        self.total - self.share(LAST_MOMENT)
    }

    /// When a turn that begins at `begun` is over. Never later than what is kept for those after it allows.
    pub fn end_of(&self, turn: Turn, begun: Duration) -> Duration {
        match turn.rung {
            // Perhaps nobody in Python has answered since the end began, so nothing says that the GIL is to be had soon. Who
            // gives up here gives up all that is left, so it also takes of the time of the threads.
            Rung::Attach if turn.resume == Rung::Threads => self.latest(Rung::Threads) - self.share(RELIEF),
            Rung::Attach => begun + self.share(RELIEF),
            Rung::Gate => (begun + self.share(GATE)).min(self.latest(Rung::Gate)),
            rung => self.latest(rung),
        }
    }

    /// Until when Python's side is to be done with a rung, to say so before it is over.
    pub fn end_in_python(&self, turn: Turn) -> Duration {
        self.latest(turn.rung).saturating_sub(self.share(MARGIN))
    }

    /// How long a cell's `finally` blocks have after an interrupt before they are interrupted too.
    pub fn cell_again(&self) -> Duration {
        self.share(CELL_AGAIN)
    }

    /// When the main thread is interrupted, or interrupted again, in a turn that begins at `begun`.
    pub fn interrupt_at(&self, turn: Turn, begun: Duration) -> Duration {
        match turn.rung {
            Rung::Interrupt => begun + self.cell_again(),
            Rung::Tasks => begun + self.share(CALLBACK),
            _ => self.reminder_at(turn),
        }
    }

    /// When the main thread is interrupted though it keeps to its time by itself: what it does may not let it.
    pub fn reminder_at(&self, turn: Turn) -> Duration {
        self.latest(turn.rung).saturating_sub(self.share(REMINDER))
    }

    /// The latest end of a rung: what is kept for those after it is still there.
    fn latest(&self, rung: Rung) -> Duration {
        let after_flush = GATE + REPLY;
        let after_atexit = RELIEF + FLUSH + after_flush;
        let after_threads = RELIEF + ATEXIT + after_atexit;
        let after_tasks = RELIEF + THREADS + after_threads;
        let kept = match rung {
            Rung::Interrupt => ATTACH + THREADS + after_threads,
            Rung::Attach | Rung::Tasks => after_tasks,
            Rung::Threads => after_threads,
            Rung::AtExit => after_atexit,
            Rung::Flush => after_flush,
            Rung::Gate => REPLY,
            Rung::Reply => LAST_WRITES,
        };
        self.total - self.share(kept)
    }

    /// A part of the usual ladder: as it is in a longer one, in proportion in a shorter one.
    fn share(&self, of_usual: Duration) -> Duration {
        if self.total >= TOTAL {
            return of_usual;
        }
        of_usual.mul_f64(self.total.as_secs_f64() / TOTAL.as_secs_f64())
    }
}
