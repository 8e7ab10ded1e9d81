//! The times of the ladder, along every way down that the machine itself takes.

use std::time::Duration;

use crate::lifecycle::budget::{Budgets, LONGEST, SHORTEST, TOTAL};
use crate::lifecycle::{Action, Event, Lifecycle, MAIN, Phase, Place, RequestKind, Rung, Trigger, Turn};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Where a ladder may stand: the life, how long it has been ending, and what each rung had at least.
fn ways_down(
    life: &Lifecycle,
    at: Duration,
    budgets: &Budgets,
    see: &mut dyn FnMut(Turn, Duration, Duration),
) {
    let Phase::Draining(draining) = life.phase() else {
        return;
    };
    let turn = draining.turn;
    let end = budgets.end_of(turn, at);
    see(turn, at, end);
    // Done at once, done in the last moment, or over.
    let done = match turn.rung {
        Rung::Interrupt => Event::Finished { id: 1 },
        _ => Event::Done(turn),
    };
    for (event, at) in [(done, at), (done, end), (Event::Over(turn), end)] {
        let mut next = life.clone();
        if !next.step(event).is_empty() {
            ways_down(&next, at, budgets, see);
        }
    }
}

fn begun(busy: bool) -> Lifecycle {
    let mut life = Lifecycle::new();
    life.step(Event::Ready);
    if busy {
        life.step(Event::Request {
            id: 1,
            kind: RequestKind::Execute,
            shell: MAIN,
        });
        life.step(Event::TakeEffect {
            id: 1,
            place: Place::Main,
        });
    }
    let actions = life.step(Event::Stop(Trigger::Terminate));
    let first = if busy { Rung::Interrupt } else { Rung::Tasks };
    assert_eq!(actions.last(), Some(&Action::Begin(Turn::main(first))));
    life
}

/// The least time that each rung has on any way down.
fn least(budgets: &Budgets) -> Vec<(Rung, Duration)> {
    let mut least: Vec<(Rung, Duration)> = Vec::new();
    for life in [begun(true), begun(false)] {
        ways_down(&life, Duration::ZERO, budgets, &mut |turn, at, end| {
            assert!(at <= end, "{turn:?} begins at {at:?}, after its end at {end:?}");
            assert!(end <= budgets.deadline(), "{turn:?} ends at {end:?}");
            let time = end - at;
            match least.iter_mut().find(|(rung, _)| *rung == turn.rung) {
                Some((_, known)) => *known = time.min(*known),
                None => least.push((turn.rung, time)),
            }
        });
    }
    least.sort_unstable();
    least
}

#[test]
fn every_rung_has_its_reserve_however_long_those_before_it_took() {
    assert_eq!(TOTAL, ms(2300), "jupyter_client sends SIGTERM at 2500 ms");
    assert_eq!(
        least(&Budgets::default()),
        [
            (Rung::Interrupt, ms(1090)),
            (Rung::Attach, ms(55)),
            (Rung::Tasks, ms(245)),
            // Where a helper waited for the GIL that long; 200 ms otherwise.
            (Rung::Threads, ms(55)),
            (Rung::AtExit, ms(300)),
            (Rung::Flush, ms(100)),
            (Rung::Gate, ms(50)),
            (Rung::Reply, ms(120)),
        ]
    );
}

#[test]
fn what_the_others_leave_is_for_whoever_needs_it() {
    let budgets = Budgets::default();
    let end = |rung| budgets.end_in_python(Turn::main(rung));
    // A thread, and an atexit function, of more than a second ends in its own time.
    assert_eq!(end(Rung::Tasks), ms(1295));
    assert_eq!(end(Rung::Threads), ms(1550));
    assert_eq!(end(Rung::AtExit), ms(1905));
    assert_eq!(end(Rung::Flush), ms(2060));
    let longer = Budgets::with_total(Duration::from_secs(60));
    assert_eq!(longer.end_in_python(Turn::main(Rung::Threads)), ms(60_000 - 750));
}

#[test]
fn a_reminder_comes_before_the_end_and_after_python_should_have_answered() {
    for total in [SHORTEST, ms(777), TOTAL, Duration::from_secs(60), LONGEST] {
        let budgets = Budgets::with_total(total);
        assert_eq!(budgets.total(), total);
        least(&budgets);
        for turn in Rung::IN_PYTHON.map(Turn::main) {
            let end = budgets.end_of(turn, Duration::ZERO);
            assert!(
                budgets.end_in_python(turn) < budgets.reminder_at(turn),
                "{turn:?}"
            );
            assert!(budgets.reminder_at(turn) < end, "{turn:?}");
            assert!(budgets.interrupt_at(turn, Duration::ZERO) <= budgets.reminder_at(turn));
        }
        assert!(budgets.deadline() < total);
    }
    assert_eq!(Budgets::with_total(ms(1)).total(), SHORTEST);
}
