//! How long each rung of the exit ladder may take, and the whole of it. The io loop and the watchdog read
//! their timers here; the machine itself knows no time. Budgets are upper bounds: nothing sleeps one out.

use std::time::Duration;

use super::ladder::Rung;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Interrupting the running cell.
pub const INTERRUPT: Duration = ms(520);
/// Cancelling tasks and running their `finally` blocks.
pub const TASKS: Duration = ms(300);
/// A helper's wait for the GIL where the running cell could not be interrupted. The holders of the
/// GIL that let it go at all do so well within this; measured with compiled code that takes it in bursts.
pub const HELPER: Duration = ms(300);
/// A fresh helper's wait where Python answered a moment ago: ten of CPython's switch intervals (5 ms). With 30 ms a loaded
/// machine let one in several hundred come too late.
pub const RELIEF: Duration = ms(55);
/// Executors, threads, children.
pub const THREADS: Duration = ms(500);
/// All atexit callbacks together.
pub const ATEXIT: Duration = ms(400);
/// Flushing files and streams.
pub const FLUSH: Duration = ms(200);
/// Waiting for those inside the gate.
pub const GATE: Duration = ms(50);
/// Sending the replies and everything before them.
pub const REPLY: Duration = ms(150);
/// The whole ladder, and so the watchdog's time. jupyter_client sends SIGTERM 2.5 s after its request
/// (half of `KernelManager.shutdown_wait_time`); what is left is for the process to be torn down in.
pub const TOTAL: Duration = ms(2300);

/// How long a trigger that the watchdog itself has seen may go without anybody arming it, before it
/// takes the io loop to be stuck and arms itself.
pub const UNARMED_GRACE: Duration = ms(300);

/// After how much of its budget a Python rung's crew is interrupted, in percent. Python keeps to the time by itself, so
/// this is for what it cannot get out of: late, in order not to cut off what would have been done in time.
const NUDGE_PERCENT: u32 = 95;
/// The same for a cell, which has been interrupted once at the beginning of its rung: its `finally` blocks have this
/// long before they are interrupted too.
const NUDGE_CELL_PERCENT: u32 = 65;
/// The time between two interrupts of the same rung.
pub const NUDGE_EVERY: Duration = ms(50);

/// The shortest total that [`Budgets::scaled`] takes; below it no rung could do anything.
pub const SHORTEST: Duration = ms(100);
/// The longest: a day. Beyond it a timer's arithmetic is not worth thinking about.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The budgets of one kernel.
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
    /// Budgets for a ladder of `total` (`--shutdown-timeout`, `DRUPE_SHUTDOWN_TIMEOUT`), every rung in
    /// proportion. Taken into [`SHORTEST`]..=[`LONGEST`].
    pub fn scaled(total: Duration) -> Self {
        Self {
            total: total.clamp(SHORTEST, LONGEST),
        }
    }

    /// The time from the first reason to end until the watchdog ends the process.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// The most that a rung may take.
    pub fn of(&self, rung: Rung) -> Duration {
        self.share(match rung {
            Rung::Interrupt => INTERRUPT,
            Rung::Tasks => TASKS,
            Rung::Helper => HELPER,
            Rung::Relief => RELIEF,
            Rung::Threads => THREADS,
            Rung::AtExit => ATEXIT,
            Rung::Flush => FLUSH,
            Rung::Gate => GATE,
            Rung::Reply => REPLY,
        })
    }

    /// When, counted from the beginning of a rung, the main thread is interrupted (again).
    pub fn nudge_after(&self, rung: Rung) -> Duration {
        let percent = if rung == Rung::Interrupt {
            NUDGE_CELL_PERCENT
        } else {
            NUDGE_PERCENT
        };
        self.of(rung) * percent / 100
    }

    /// When, counted from the first reason to end, `LastCall` is due: late arithmetic of a loaded
    /// machine must not cost the replies their time.
    pub fn last_call(&self) -> Duration {
        self.total - self.share(GATE) - self.share(REPLY) - self.share(ms(10))
    }

    fn share(&self, of_default: Duration) -> Duration {
        if self.total == TOTAL {
            return of_default;
        }
        of_default.mul_f64(self.total.as_secs_f64() / TOTAL.as_secs_f64())
    }
}
