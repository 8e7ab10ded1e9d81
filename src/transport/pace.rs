//! How long a subscriber has held up the others, and what it took meanwhile.
//!
//! Kept by XPUB for each subscriber, charged whenever its owner has waited in [`XPub::writable`](super::XPub::writable).
//! It reads no clock: the times are arguments.

use std::time::Duration;

use super::Limits;

/// The account of one subscriber.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How long the writer has waited for this one while another could have gone on, since `taken`.
    held_up: Duration,
    /// How long the writer has waited while nobody could go on, since this one last took anything.
    patience: Duration,
    /// Bytes that it had taken in all when `held_up` began.
    taken: u64,
    /// Bytes that it had taken in all when `patience` began.
    last: u64,
}

impl Pace {
    /// The writer has waited for this subscriber, which is at its budget and has taken `taken` bytes in its life.
    pub(super) fn charge(&mut self, waited: Duration, others_could_go_on: bool, taken: u64) {
        if taken != self.last {
            self.last = taken;
            self.patience = Duration::ZERO;
        }
        if others_could_go_on {
            self.held_up += waited;
        } else {
            self.patience += waited;
        }
    }

    /// Whether it is to be cut off. Where it was quick enough its account begins anew.
    pub(super) fn is_over(&mut self, limits: &Limits, taken: u64) -> bool {
        if self.patience >= limits.patience {
            return true;
        }
        if self.held_up < limits.held_up {
            return false;
        }
        let least = limits.pace.saturating_mul(self.held_up.as_millis() as u64) / 1000;
        self.held_up = Duration::ZERO;
        taken.saturating_sub(self.taken) < least
    }

    /// The writer is about to wait: how long it may before [`Pace::is_over`] is to be asked.
    pub(super) fn left(&mut self, limits: &Limits, others_can_go_on: bool, taken: u64) -> Duration {
        if self.held_up.is_zero() {
            self.taken = taken;
        }
        if others_can_go_on {
            limits.held_up.saturating_sub(self.held_up)
        } else {
            limits.patience.saturating_sub(self.patience)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn limits() -> Limits {
        Limits {
            held_up: 1000 * MS,
            pace: 1000,
            patience: 60_000 * MS,
            ..Limits::default()
        }
    }

    /// Waits in steps of `step` for a subscriber that takes `each` bytes in each of them; in which of them it is cut off.
    fn cut_off_in(pace: &mut Pace, taken: &mut u64, steps: u32, step: Duration, each: u64) -> Option<u32> {
        (1..=steps).find(|_| {
            assert!(pace.left(&limits(), true, *taken) > Duration::ZERO);
            *taken += each;
            pace.charge(step, true, *taken);
            pace.is_over(&limits(), *taken)
        })
    }

    #[test]
    fn who_takes_nothing_holds_up_others_for_a_second_in_all() {
        // What it took while it held up nobody does not count.
        let (mut pace, mut taken) = (Pace::default(), 1 << 30);
        assert_eq!(cut_off_in(&mut pace, &mut taken, 200, 10 * MS, 0), Some(100));
    }

    #[test]
    fn a_little_now_and_then_is_not_enough_and_the_pace_is() {
        let (mut pace, mut taken) = (Pace::default(), 0);
        assert_eq!(cut_off_in(&mut pace, &mut taken, 99, 100 * MS, 99), Some(10));
        let (mut pace, mut taken) = (Pace::default(), 0);
        assert_eq!(cut_off_in(&mut pace, &mut taken, 1000, 100 * MS, 100), None);
        // What it took in one second does not count for the next.
        let (mut pace, mut taken) = (Pace::default(), 0);
        assert_eq!(cut_off_in(&mut pace, &mut taken, 10, 100 * MS, 10_000), None);
        assert_eq!(cut_off_in(&mut pace, &mut taken, 99, 100 * MS, 0), Some(10));
    }

    #[test]
    fn where_nobody_else_is_held_up_a_byte_now_and_then_is_enough() {
        let mut pace = Pace::default();
        for round in 0..1000 {
            pace.charge(59_000 * MS, false, round);
            assert!(!pace.is_over(&limits(), round));
        }
        pace.charge(1000 * MS, false, 999);
        assert!(pace.is_over(&limits(), 999));
    }
}
