//! The two concurrent pieces between the io loop and Python, and the switch, under a model checker: loom runs
//! each test with every interleaving of its threads that its memory model allows.
//!
//! The very files of the kernel are compiled here a second time, on loom's primitives: they name theirs
//! through `super::sync`, which is this file's.

// Each file is whole, and a model uses a part of it.
#![allow(dead_code)]

#[path = "../src/lifecycle/descent.rs"]
mod descent;
#[path = "../src/kernel/gate.rs"]
mod gate;
#[path = "../src/lifecycle/ladder.rs"]
mod ladder;
#[path = "../src/lifecycle/machine.rs"]
mod machine;
#[path = "../src/kernel/mailbox.rs"]
mod mailbox;
#[path = "../src/lifecycle/step.rs"]
mod step;
#[path = "../src/lifecycle/switch.rs"]
mod switch;

mod sync {
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
}

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::mpsc::channel;
use loom::thread;

use drupe::os;
use gate::Gate;
use ladder::{Rung, Turn};
use machine::{Action, Asker, Event, Place, RequestKind, Trigger};
use mailbox::Mailbox;
use switch::Switch;

fn is_readable<T>(mailbox: &Mailbox<T>) -> bool {
    let mut fd = libc::pollfd {
        fd: mailbox.wake_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one live pollfd, and no wait.
    unsafe { libc::poll(&mut fd, 1, 0) == 1 }
}

#[test]
fn nobody_is_inside_a_gate_that_was_closed_and_found_empty() {
    // Every interleaving of three threads takes a minute. Those with up to three preemptions take a second,
    // and where there is a fault it shows with two.
    let mut some = loom::model::Builder::new();
    some.preemption_bound = Some(3);
    some.check(|| {
        let gate = Gate::new();
        let in_python = Arc::new(AtomicUsize::new(0));
        let visitors: Vec<_> = (0..2)
            .map(|_| {
                let (gate, in_python) = (gate.clone(), Arc::clone(&in_python));
                thread::spawn(move || {
                    if let Some(pass) = gate.enter("native", "test") {
                        in_python.fetch_add(1, Ordering::SeqCst);
                        in_python.fetch_sub(1, Ordering::SeqCst);
                        drop(pass);
                    }
                })
            })
            .collect();
        let (tell, told) = channel();
        let inside = Arc::clone(&in_python);
        gate.close_then(move || {
            assert_eq!(inside.load(Ordering::SeqCst), 0);
            tell.send(()).expect("a listener");
        });
        assert_eq!(told.recv(), Ok(()));
        assert_eq!(in_python.load(Ordering::SeqCst), 0);
        assert!(gate.enter("late", "test").is_none());
        for visitor in visitors {
            visitor.join().expect("a visitor");
        }
        assert_eq!(in_python.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn the_end_of_the_last_visit_is_told_exactly_once() {
    loom::model(|| {
        let gate = Gate::new();
        let told = Arc::new(AtomicUsize::new(0));
        let visitors: Vec<_> = (0..2)
            .map(|_| {
                let gate = gate.clone();
                thread::spawn(move || drop(gate.enter("native", "test")))
            })
            .collect();
        let (tell, watched) = (Arc::clone(&told), gate.clone());
        gate.close_then(move || {
            assert_eq!(watched.list(), []);
            tell.fetch_add(1, Ordering::SeqCst);
        });
        for visitor in visitors {
            visitor.join().expect("a visitor");
        }
        assert_eq!(told.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn what_waits_in_the_mailbox_keeps_its_descriptor_readable() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new().expect("a descriptor"));
        let pusher = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || {
                mailbox.push(1, 10);
                mailbox.push(2, 10);
            })
        };
        let taken: Vec<_> = (0..2).map_while(|_| mailbox.take()).collect();
        pusher.join().expect("the pusher");
        assert_eq!(mailbox.bytes(), 10 * (2 - taken.len()));
        if !mailbox.is_empty() {
            assert!(
                is_readable(&mailbox),
                "{} wait and nobody is woken",
                mailbox.len()
            );
        }
        let rest: Vec<_> = std::iter::from_fn(|| mailbox.take()).collect();
        assert_eq!([taken, rest].concat(), [1, 2]);
        assert!(!is_readable(&mailbox));
    });
}

#[test]
fn every_item_is_either_taken_before_the_hold_or_drained_after_it() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new().expect("a descriptor"));
        mailbox.push(1, 1);
        mailbox.push(2, 1);
        let taker = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || {
                [mailbox.take(), mailbox.take()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
            })
        };
        mailbox.hold();
        let waiting = mailbox.len();
        let drained = mailbox.drain_where(|_| true);
        assert_eq!(drained.len(), waiting, "something was taken in spite of the hold");
        let taken = taker.join().expect("the taker");
        assert_eq!([taken, drained].concat(), [1, 2]);
    });
}

#[test]
fn a_release_wakes_for_what_was_pushed_while_held() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::new().expect("a descriptor"));
        mailbox.hold();
        let pusher = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || mailbox.push(1, 1))
        };
        let releaser = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || mailbox.release())
        };
        let taken = mailbox.take();
        pusher.join().expect("the pusher");
        releaser.join().expect("the releaser");
        assert_eq!(taken.is_none(), is_readable(&mailbox) && !mailbox.is_empty());
    });
}

#[test]
fn a_request_takes_effect_or_is_refused_and_never_both() {
    loom::model(|| {
        let switch = Switch::new();
        let mailbox = Arc::new(Mailbox::new().expect("a descriptor"));
        assert_eq!(switch.step(Event::Ready), []);
        let id = 1;
        let kind = RequestKind::Execute;
        assert_eq!(
            switch.step(Event::Request { id, kind, shell: 0 }),
            [Action::Admit { id }]
        );
        mailbox.push(id, 1);
        let main = {
            let (switch, mailbox) = (switch.clone(), Arc::clone(&mailbox));
            thread::spawn(move || match mailbox.take() {
                Some(id) if switch.take_effect(id, Place::Main) => {
                    let still_admitting = switch.snapshot().admitting();
                    (1, still_admitting)
                }
                _ => (0, true),
            })
        };
        let asker = Asker {
            id: 2,
            restart: false,
        };
        let actions = switch.step(Event::ShutdownRequest(asker));
        let refused = actions
            .iter()
            .filter(|action| matches!(action, Action::Refuse { .. }))
            .count();
        // From here on nothing takes effect: whether it does was settled by the step.
        assert!(!switch.take_effect(id, Place::Main));
        let (ran, _) = main.join().expect("main");
        assert_eq!(ran + refused, 1);
        assert_eq!(switch.step(Event::Stop(Trigger::Terminate)), []);
    });
}

#[test]
fn an_interrupt_for_a_cell_never_meets_the_teardown() {
    loom::model(|| {
        let switch = Switch::new();
        assert_eq!(switch.step(Event::Ready), []);
        let (id, kind) = (1, RequestKind::Execute);
        let _ = switch.step(Event::Request { id, kind, shell: 0 });
        assert!(switch.take_effect(id, Place::Main));
        let asker = Asker {
            id: 2,
            restart: false,
        };
        let _ = switch.step(Event::ShutdownRequest(asker));
        let in_teardown = Arc::new(AtomicUsize::new(0));
        let main = {
            let (switch, in_teardown) = (switch.clone(), Arc::clone(&in_teardown));
            thread::spawn(move || {
                // The cell has ended by itself, and nobody has heard of it yet.
                assert!(switch.take_up(Turn::main(Rung::Tasks)));
                in_teardown.store(1, Ordering::SeqCst);
            })
        };
        let strike = || assert_eq!(in_teardown.load(Ordering::SeqCst), 0);
        switch.interrupt_request(strike);
        switch.interrupt_turn(Turn::main(Rung::Interrupt), false, strike);
        switch.interrupt_turn(Turn::main(Rung::Interrupt), true, strike);
        main.join().expect("main");
        switch.interrupt_request(|| panic!("the cell is over"));
    });
}
