//! How much work strangers may make: so much a second each, and so much more all together.
//!
//! A connection's task asks before a turn whether it may have one, and pays for it afterwards. Each stranger has a little of
//! its own, enough for a handshake, for subscriptions, for a heartbeat; whoever wants more draws from what all strangers
//! of a socket share. So a crowd that floods does not keep the thread busy, and whoever comes with one request does not stand
//! behind it. What is not read stays with its sender, whose system then takes no more of it.
//!
//! It reads no clock: the time is an argument.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// A stranger's own: sixteen requests a second ([`Pattern::EVENT`](super::hub::Pattern::EVENT)).
pub(super) const OWN: usize = 64 << 10;
/// What all strangers of a socket share, in a second. A few hundredths of the thread's time.
pub(super) const SHARED: usize = 16 << 20;

/// An account that fills by the second. What is paid may exceed what is there; then it is closed for a while.
#[derive(Debug)]
pub(super) struct Allowance {
    a_second: usize,
    most: i64,
    left: Cell<i64>,
    since: Cell<Instant>,
}

impl Allowance {
    /// So much a second, and at most so much at once.
    pub(super) fn new(a_second: usize, most: usize, now: Instant) -> Self {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        Self {
            a_second,
            most,
            left: Cell::new(most),
            since: Cell::new(now),
        }
    }

    /// None where there is something left, else when there will be.
    pub(super) fn closed_until(&self, now: Instant) -> Option<Instant> {
        let passed = now.saturating_duration_since(self.since.get());
        let earned =
            i64::try_from(passed.as_micros() * self.a_second as u128 / 1_000_000).unwrap_or(i64::MAX);
        // Otherwise who asks often would never earn anything.
        if earned > 0 {
            self.left
                .set(self.left.get().saturating_add(earned).min(self.most));
            self.since.set(now);
        }
        let missing = 1 - self.left.get();
        let missing = u64::try_from(missing).ok().filter(|missing| *missing > 0)?;
        Some(now + Duration::from_micros(1 + missing * 1_000_000 / self.a_second.max(1) as u64))
    }

    pub(super) fn pay(&self, cost: usize) {
        let cost = i64::try_from(cost).unwrap_or(i64::MAX);
        self.left.set(self.left.get().saturating_sub(cost));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_in_a_second_is_what_is_earned_in_it() {
        let mut now = Instant::now();
        let allowance = Allowance::new(1000, 100, now);
        let end = now + Duration::from_secs(10);
        let mut spent = 0;
        while now < end {
            match allowance.closed_until(now) {
                None => {
                    allowance.pay(70);
                    spent += 70;
                }
                Some(at) => {
                    assert!(at > now);
                    now = at;
                }
            }
        }
        assert!((10_000..10_300).contains(&spent), "{spent}");
    }

    #[test]
    fn asking_often_earns_as_much() {
        let began = Instant::now();
        let allowance = Allowance::new(1000, 1000, began);
        allowance.pay(2000);
        for micros in 0..900_000 {
            assert!(
                allowance
                    .closed_until(began + Duration::from_micros(micros))
                    .is_some()
            );
        }
        assert!(
            allowance
                .closed_until(began + Duration::from_millis(1100))
                .is_none()
        );
    }
}
