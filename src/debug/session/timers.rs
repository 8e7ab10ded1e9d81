//! How long a session waits for what, and what is due when.
//!
//! Nothing is taken off the list before it is due: what has come in time has made its timer one that changes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::debug::vocabulary::{Command, Purpose, Seq};

/// How long the import of debugpy and the connection may take before a client is told. It may go on: the next `initialize` finds it done.
pub(super) const START: Duration = Duration::from_secs(15);
/// How long a helper may take.
pub(super) const HELP: Duration = Duration::from_secs(3);
/// How long an interrupted cell has until its breakpoints are back.
pub(super) const CELL: Duration = Duration::from_secs(1);

/// How long cells wait for their breakpoints to be back. As long as one cell waits in `drupe.debugger`: what has not come by then is not
/// waited for by the next.
pub(super) const RESTORE: Duration = Duration::from_secs(2);

/// How long pydevd may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The same for what may run code of the user's.
const FRAME: Duration = Duration::from_secs(60);
/// The same for `disconnect`: after it its client goes on.
const LEAVE: Duration = Duration::from_secs(2);
/// How long `stopped` may be held back for the list of threads.
const HOLD: Duration = Duration::from_millis(100);
/// How long an interrupt waits for threads to go on.
const RESUME: Duration = Duration::from_millis(200);
/// The same for the end of a session when the kernel ends.
const END: Duration = Duration::from_millis(100);

/// How long pydevd has for a request.
pub(super) fn answer(purpose: Purpose) -> Duration {
    match purpose {
        Purpose::Threads => HOLD,
        Purpose::Client(Command::Frame) => FRAME,
        Purpose::Client(Command::Disconnect) => LEAVE,
        _ => ANSWER,
    }
}

/// How long an interrupt waits for what it is to interrupt. `ends`: the kernel does.
pub(super) fn interrupt(ends: bool) -> Duration {
    if ends { END } else { RESUME }
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    Start,
    /// pydevd's answer.
    Late(Seq),
    Interrupt,
    Cell,
    /// pydevd's answers by which breakpoints are back, up to the request with this number.
    Restore(Seq),
    /// A question to the helper.
    Question(u64),
}

/// See the module. Those of one moment are due in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    set: BTreeMap<(Instant, u64), Timer>,
    last: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        self.last += 1;
        self.set.insert((at, self.last), timer);
    }

    /// When the first is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.set.keys().next().map(|(at, _)| *at)
    }

    /// The first, if it was due by `now`.
    pub(super) fn take(&mut self, now: Instant) -> Option<Timer> {
        let first = self.set.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_due_in_order_and_none_before_its_time() {
        let begin = Instant::now();
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(at(20), Timer::Cell);
        timers.set(at(10), Timer::Late(2));
        timers.set(at(10), Timer::Late(1));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.take(at(9)), None);
        assert_eq!(timers.take(at(10)), Some(Timer::Late(2)));
        assert_eq!(timers.take(at(10)), Some(Timer::Late(1)));
        assert_eq!(timers.take(at(10)), None);
        assert_eq!(timers.take(at(30)), Some(Timer::Cell));
        assert_eq!(timers.next(), None);
    }
}
