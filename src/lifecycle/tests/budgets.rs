//! The sum of the budgets, along every way down that the machine itself takes.

use std::time::Duration;

use crate::lifecycle::budget::{Budgets, LONGEST, SHORTEST, TOTAL};
use crate::lifecycle::{Action, Event, Leg, Lifecycle, Phase, Place, RequestKind, Rung, Trigger};

/// All ways down from here, each leg either done or over at the end of its budget: the longest in time.
fn longest_way(life: &Lifecycle, budgets: &Budgets) -> Duration {
    let Phase::Draining(draining) = life.phase() else {
        return Duration::ZERO;
    };
    let leg = draining.leg;
    let rest = [Event::Done(leg), Event::Over(leg)]
        .map(|event| {
            let mut next = life.clone();
            if next.step(event).is_empty() {
                Duration::ZERO
            } else {
                longest_way(&next, budgets)
            }
        })
        .into_iter()
        .max()
        .unwrap_or_default();
    budgets.of(leg.rung) + rest
}

fn begun(busy: bool) -> Lifecycle {
    let mut life = Lifecycle::new();
    life.step(Event::Ready);
    if busy {
        life.step(Event::Request {
            id: 1,
            kind: RequestKind::Execute,
        });
        life.step(Event::TakeEffect {
            id: 1,
            place: Place::Main,
        });
    }
    let actions = life.step(Event::Stop(Trigger::Terminate));
    let first = if busy { Rung::Interrupt } else { Rung::Tasks };
    assert_eq!(actions.last(), Some(&Action::Begin(Leg::main(first))));
    life
}

#[test]
fn no_way_down_takes_longer_than_the_watchdog_allows() {
    assert_eq!(
        TOTAL,
        Duration::from_millis(2300),
        "jupyter_client sends SIGTERM at 2500 ms"
    );
    let budgets = Budgets::default();
    assert_eq!(longest_way(&begun(true), &budgets), Duration::from_millis(2285));
    assert_eq!(longest_way(&begun(false), &budgets), Duration::from_millis(1765));
    assert!(longest_way(&begun(true), &budgets) < budgets.total());
}

#[test]
fn scaled_budgets_keep_the_order() {
    for total in [
        SHORTEST,
        Duration::from_millis(777),
        Duration::from_secs(60),
        LONGEST,
    ] {
        let budgets = Budgets::scaled(total);
        assert_eq!(budgets.total(), total);
        assert!(longest_way(&begun(true), &budgets) < total, "{total:?}");
        let last_two = budgets.of(Rung::Gate) + budgets.of(Rung::Reply);
        assert!(budgets.last_call() + last_two < total, "{total:?}");
        assert!(budgets.nudge_after(Rung::AtExit) < budgets.of(Rung::AtExit));
    }
}
