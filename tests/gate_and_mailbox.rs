//! The gate and the mailbox on real threads and real descriptors, where the model checker does not go:
//! panics, time, order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use drupe::kernel::gate::Gate;
use drupe::kernel::mailbox::{CAPACITY, Mailbox};

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
fn a_panic_inside_leaves_the_gate_as_any_other_way_out() {
    let gate = Gate::new();
    let inside = gate.clone();
    let visitor = thread::spawn(move || {
        let _pass = inside.enter("fragile", "to panic");
        panic!("inside the gate");
    });
    assert!(visitor.join().is_err());
    assert_eq!(gate.list(), []);
    let (tell, told) = mpsc::channel();
    gate.close_then(move || tell.send(()).expect("a listener"));
    assert_eq!(told.try_recv(), Ok(()), "nobody is inside");
}

#[test]
fn those_who_do_not_leave_are_named() {
    let gate = Gate::new();
    let _first = gate.enter("drupe-lsp-1", "completion").expect("an open gate");
    let _second = gate
        .enter(String::from("worker"), "a callback")
        .expect("an open gate");
    let _resident = gate
        .register("Trio thread 1", "made elsewhere")
        .expect("an open gate");
    assert_eq!(gate.list().len(), 3);
    let (tell, told) = mpsc::channel();
    gate.close_then(move || {
        // When those two leave, nobody listens any more.
        let _ = tell.send(());
    });
    assert!(
        told.recv_timeout(Duration::from_millis(30)).is_err(),
        "two are inside"
    );
    let list = gate.list();
    let names: Vec<_> = list
        .iter()
        .filter(|inside| !inside.resident)
        .map(|inside| (&*inside.name, &*inside.purpose))
        .collect();
    assert_eq!(names, [("drupe-lsp-1", "completion"), ("worker", "a callback")]);
    assert!(gate.enter("late", "").is_none());
    assert!(gate.register("late", "").is_none());
    assert!(gate.is_closed());
}

#[test]
fn a_wait_ends_when_the_last_one_leaves() {
    let gate = Gate::new();
    let pass = gate.enter("slow", "").expect("an open gate");
    let leaver = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        drop(pass);
    });
    let (tell, told) = mpsc::channel();
    gate.close_then(move || tell.send(()).expect("a listener"));
    assert_eq!(told.recv_timeout(Duration::from_secs(5)), Ok(()));
    leaver.join().expect("the leaver");
}

#[test]
fn an_empty_gate_tells_at_once_and_residents_do_not_count() {
    let gate = Gate::new();
    let _resident = gate.register("foreign", "").expect("an open gate");
    let (tell, told) = mpsc::channel();
    gate.close_then(move || tell.send(()).expect("a listener"));
    assert_eq!(told.try_recv(), Ok(()));
}

#[test]
fn the_callback_may_use_the_gate() {
    let gate = Gate::new();
    let pass = gate.enter("last", "").expect("an open gate");
    let calls = Arc::new(AtomicUsize::new(0));
    let (inner, counted) = (gate.clone(), Arc::clone(&calls));
    gate.close_then(move || {
        assert!(inner.is_closed() && inner.list().is_empty());
        counted.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    drop(pass);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn items_come_in_order_and_some_out_of_turn() {
    let mailbox = Mailbox::new().expect("a descriptor");
    assert!(!is_readable(&mailbox));
    for n in 0..6 {
        mailbox.push(n, 100);
    }
    assert_eq!(mailbox.bytes(), 600);
    assert_eq!(mailbox.take_where(|n| n % 2 == 1), Some(1));
    assert_eq!(mailbox.take(), Some(0));
    assert_eq!(mailbox.drain_where(|n| *n > 3), [4, 5]);
    assert_eq!((mailbox.len(), mailbox.bytes()), (2, 200));
    assert!(is_readable(&mailbox));
    assert_eq!(mailbox.take_where(|n| *n == 9), None);
    // Whoever waits has seen that there is nothing for it; else an asyncio loop would spin behind a long
    // cell.
    assert!(!is_readable(&mailbox));
    assert_eq!(
        [mailbox.take(), mailbox.take(), mailbox.take()],
        [Some(2), Some(3), None]
    );
    assert_eq!(mailbox.bytes(), 0);
}

#[test]
fn nothing_is_taken_while_held_and_a_release_wakes() {
    let mailbox = Mailbox::new().expect("a descriptor");
    mailbox.hold();
    mailbox.push(1, 1);
    assert!(!is_readable(&mailbox));
    assert_eq!(mailbox.take(), None);
    mailbox.release();
    assert!(is_readable(&mailbox));
    assert_eq!(mailbox.take(), Some(1));
}

#[tokio::test]
async fn a_full_mailbox_says_so_and_tells_when_half_of_it_is_gone() {
    let mailbox = Arc::new(Mailbox::new().expect("a descriptor"));
    let size = CAPACITY / 4;
    for n in 0..4 {
        assert!(mailbox.has_room(), "{n}");
        mailbox.push(n, size);
    }
    assert!(!mailbox.has_room());
    let taker = {
        let mailbox = Arc::clone(&mailbox);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            assert_eq!(mailbox.take(), Some(0));
            assert!(!mailbox.has_room(), "one is not worth waking for");
            assert_eq!(mailbox.take(), Some(1));
        })
    };
    mailbox.room().await;
    assert!(mailbox.has_room());
    taker.join().expect("the taker");
    // Also when the end takes everything out.
    mailbox.push(4, CAPACITY);
    assert!(!mailbox.has_room());
    assert_eq!(mailbox.drain_where(|_| true), [2, 3, 4]);
    mailbox.room().await;
    assert!(mailbox.has_room());
}

#[test]
fn the_end_wakes_an_empty_mailbox() {
    let mailbox = Mailbox::<u8>::new().expect("a descriptor");
    mailbox.wake();
    assert!(is_readable(&mailbox));
    assert_eq!(mailbox.take(), None);
    assert!(!is_readable(&mailbox));
}

#[test]
fn a_panic_in_a_question_loses_nothing() {
    let mailbox = Arc::new(Mailbox::new().expect("a descriptor"));
    mailbox.push(1, 1);
    mailbox.push(2, 1);
    for drains in [true, false] {
        let asked = Arc::clone(&mailbox);
        let asker = thread::spawn(move || {
            let fragile = |n: &i32| -> bool { if *n == 2 { panic!("a bad question") } else { false } };
            if drains {
                asked.drain_where(fragile).len()
            } else {
                asked.take_where(fragile).iter().count()
            }
        });
        assert!(asker.join().is_err());
    }
    assert_eq!(
        (mailbox.take(), mailbox.take(), mailbox.bytes()),
        (Some(1), Some(2), 0)
    );
}

#[test]
fn a_hundred_thousand_items_cross_to_a_thread_that_sleeps_on_the_descriptor() {
    const ITEMS: usize = 100_000;
    let mailbox = Arc::new(Mailbox::new().expect("a descriptor"));
    let pushed = Arc::clone(&mailbox);
    let pusher = thread::spawn(move || (0..ITEMS).for_each(|n| pushed.push(n, 1)));
    let mut next = 0;
    while next < ITEMS {
        let mut fd = libc::pollfd {
            fd: mailbox.wake_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one live pollfd. A lost wake is a wait of ten seconds, and fails below.
        let ready = unsafe { libc::poll(&mut fd, 1, 10_000) };
        assert_eq!(ready, 1, "a wake was lost at {next}");
        while let Some(n) = mailbox.take() {
            assert_eq!(n, next);
            next += 1;
        }
    }
    pusher.join().expect("the pusher");
}
