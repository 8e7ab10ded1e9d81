//! Single lives told step by step: what a reader of the design would want to see spelled out.

use crate::lifecycle::record::Outcome;
use crate::lifecycle::{
    Action, Asker, Event, Lifecycle, MAIN, Phase, Place, Refusal, RequestKind, Rung, Trigger, Turn,
};

fn helper(rung: Rung, attempt: u8, resume: Rung) -> Turn {
    Turn {
        rung,
        attempt,
        resume,
    }
}

/// One turn after the other.
fn then(last: Turn, outcome: Outcome, next: Turn) -> [Action; 2] {
    [Action::Ended { turn: last, outcome }, Action::Begin(next)]
}

fn running() -> Lifecycle {
    let mut life = Lifecycle::new();
    assert_eq!(life.step(Event::Ready), []);
    life
}

fn running_a_cell() -> Lifecycle {
    let mut life = running();
    let id = 1;
    assert_eq!(
        life.step(Event::Request {
            id,
            kind: RequestKind::Execute,
            shell: MAIN
        }),
        [Action::Admit { id }]
    );
    assert_eq!(
        life.step(Event::TakeEffect {
            id,
            place: Place::Main
        }),
        [Action::Permit { id }]
    );
    life
}

const ASKER: Asker = Asker {
    id: 9,
    restart: false,
};

#[test]
fn an_idle_kernel_goes_straight_down() {
    let mut life = running();
    assert_eq!(
        life.step(Event::ShutdownRequest(ASKER)),
        [Action::ArmWatchdog, Action::Begin(Turn::main(Rung::Tasks))]
    );
    life.step(Event::Armed);
    for (done, next) in [
        (Rung::Tasks, Rung::Threads),
        (Rung::Threads, Rung::AtExit),
        (Rung::AtExit, Rung::Flush),
        (Rung::Flush, Rung::Gate),
    ] {
        assert_eq!(
            life.step(Event::Done(Turn::main(done))),
            then(Turn::main(done), Outcome::Done, Turn::main(next))
        );
    }
    assert_eq!(
        life.step(Event::Done(Turn::main(Rung::Gate))),
        [
            Action::Ended {
                turn: Turn::main(Rung::Gate),
                outcome: Outcome::Done
            },
            Action::Begin(Turn::main(Rung::Reply)),
            Action::CloseOutput,
            Action::ShutdownReply(ASKER),
            Action::Drain { round: 1 },
        ]
    );
    assert_eq!(
        life.step(Event::Drained { round: 1 }).last(),
        Some(&Action::Exit { status: 0 })
    );
    assert_eq!(*life.phase(), Phase::Exiting);
}

#[test]
fn a_cell_that_yields_to_the_interrupt_is_answered_by_itself() {
    let mut life = running_a_cell();
    let begun = life.step(Event::Stop(Trigger::Terminate));
    assert_eq!(
        begun,
        [Action::ArmWatchdog, Action::Begin(Turn::main(Rung::Interrupt))]
    );
    assert_eq!(life.step(Event::Reply { id: 1 }), [Action::PassReply { id: 1 }]);
    assert_eq!(
        life.step(Event::Finished { id: 1 }),
        [
            Action::Conclude { id: 1, missing: None },
            Action::Ended {
                turn: Turn::main(Rung::Interrupt),
                outcome: Outcome::Done
            },
            Action::Begin(Turn::main(Rung::Tasks))
        ]
    );
}

#[test]
fn a_stuck_cell_is_left_to_a_helper_and_answered_in_its_place() {
    let mut life = running_a_cell();
    life.step(Event::ShutdownRequest(ASKER));
    life.step(Event::Armed);
    let cell = Turn::main(Rung::Interrupt);
    let attach = helper(Rung::Attach, 1, Rung::Threads);
    assert_eq!(life.step(Event::Over(cell)), then(cell, Outcome::Over, attach));
    assert_eq!(life.step(Event::TakeUp(attach)), [Action::TakenUp(attach)]);
    let threads = attach.at(Rung::Threads);
    assert_eq!(
        life.step(Event::Done(attach)),
        then(attach, Outcome::Done, threads)
    );
    // Main comes to after all: its part is the helper's now.
    assert_eq!(life.step(Event::TakeUp(Turn::main(Rung::Tasks))), []);
    assert_eq!(life.step(Event::Done(Turn::main(Rung::Flush))), []);
    let gate = attach.at(Rung::Gate);
    assert_eq!(
        life.step(Event::Done(attach.at(Rung::Flush))),
        then(threads, Outcome::Done, gate)
    );
    let end = life.step(Event::Over(gate));
    assert!(
        end.contains(&Action::Conclude {
            id: 1,
            missing: Some(Refusal::Error)
        }),
        "{end:?}"
    );
    assert_eq!(life.step(Event::Reply { id: 1 }), [Action::DropReply { id: 1 }]);
}

#[test]
fn a_stuck_atexit_callback_costs_only_itself() {
    let mut life = running();
    life.step(Event::Stop(Trigger::AskExit));
    life.step(Event::Done(Turn::main(Rung::Threads)));
    let stuck = Turn::main(Rung::AtExit);
    let attach = helper(Rung::Attach, 1, Rung::Flush);
    assert_eq!(life.step(Event::Over(stuck)), then(stuck, Outcome::Over, attach));
    assert_eq!(
        life.step(Event::Done(attach)),
        then(attach, Outcome::Done, attach.at(Rung::Flush))
    );
}

#[test]
fn what_was_taken_up_in_time_is_not_taken_over() {
    let mut life = running();
    life.step(Event::Stop(Trigger::AskExit));
    let [tasks, threads] = [Rung::Tasks, Rung::Threads].map(Turn::main);
    for turn in [tasks, threads] {
        assert_eq!(life.step(Event::TakeUp(turn)), [Action::TakenUp(turn)]);
        assert_eq!(life.step(Event::TakeUp(turn)), [], "not twice");
    }
    // The word that the tasks are done is still on its way when their time has passed.
    assert_eq!(life.step(Event::Over(tasks)), then(tasks, Outcome::Done, threads));
    assert_eq!(life.step(Event::Done(tasks)), []);
}

#[test]
fn a_helper_that_attached_in_time_is_not_given_up() {
    let mut life = running_a_cell();
    life.step(Event::Stop(Trigger::Terminate));
    life.step(Event::Over(Turn::main(Rung::Interrupt)));
    let attach = helper(Rung::Attach, 1, Rung::Threads);
    assert_eq!(
        life.step(Event::TakeUp(attach.at(Rung::Threads))),
        [],
        "not before it is in"
    );
    life.step(Event::TakeUp(attach));
    assert_eq!(
        life.step(Event::Over(attach)),
        then(attach, Outcome::Done, attach.at(Rung::Threads))
    );
}

#[test]
fn a_helper_that_attaches_too_late_does_nothing() {
    let mut life = running_a_cell();
    life.step(Event::Stop(Trigger::Terminate));
    life.step(Event::Over(Turn::main(Rung::Interrupt)));
    let attach = helper(Rung::Attach, 1, Rung::Threads);
    life.step(Event::Over(attach));
    assert_eq!(life.step(Event::TakeUp(attach)), []);
}

#[test]
fn a_teardown_ahead_of_the_cells_end_is_heard() {
    // The cell's end comes through the queue of output, the word of the rungs beside it.
    let mut life = running_a_cell();
    life.step(Event::Stop(Trigger::Terminate));
    let flush = Turn::main(Rung::Flush);
    assert_eq!(life.step(Event::TakeUp(flush)), [Action::TakenUp(flush)]);
    assert_eq!(
        life.step(Event::Done(flush)),
        then(Turn::main(Rung::Interrupt), Outcome::Done, Turn::main(Rung::Gate))
    );
    assert_eq!(
        life.step(Event::Finished { id: 1 }),
        [Action::Conclude {
            id: 1,
            missing: Some(Refusal::Error)
        }]
    );
}

#[test]
fn the_deadline_cuts_short_what_is_under_way() {
    let mut life = running();
    life.step(Event::Stop(Trigger::AskExit));
    let end = life.step(Event::Deadline);
    assert!(end.contains(&Action::Ended {
        turn: Turn::main(Rung::Tasks),
        outcome: Outcome::CutShort
    }));
}

#[test]
fn a_request_on_its_way_is_refused_and_does_not_take_effect() {
    let mut life = running();
    life.step(Event::Request {
        id: 1,
        kind: RequestKind::Execute,
        shell: MAIN,
    });
    let begun = life.step(Event::ShutdownRequest(ASKER));
    assert!(begun.contains(&Action::Refuse {
        id: 1,
        how: Refusal::Aborted
    }));
    let late = life.step(Event::TakeEffect {
        id: 1,
        place: Place::Main,
    });
    assert_eq!(late, [Action::Withhold { id: 1 }]);
}

#[test]
fn requests_are_refused_by_kind_and_some_are_answered_still() {
    let mut life = running();
    life.step(Event::ShutdownRequest(ASKER));
    for (msg_type, expected) in [
        ("execute_request", Some(Refusal::Aborted)),
        ("complete_request", Some(Refusal::Error)),
        ("is_complete_request", Some(Refusal::Error)),
        ("nobody_knows_request", Some(Refusal::Error)),
        ("comm_open", Some(Refusal::CommClose)),
        ("comm_msg", Some(Refusal::Drop)),
        ("comm_close", Some(Refusal::Drop)),
        ("kernel_info_request", None),
        ("comm_info_request", None),
        ("interrupt_request", None),
        ("usage_request", None),
        ("connect_request", None),
    ] {
        let id = 5;
        let expected = expected.map_or(Action::Answer { id }, |how| Action::Refuse { id, how });
        let kind = RequestKind::of(msg_type);
        assert_eq!(
            life.step(Event::Request {
                id,
                kind,
                shell: MAIN
            }),
            [expected],
            "{msg_type}"
        );
    }
}

#[test]
fn a_language_server_in_flight_never_reports() {
    let mut life = running();
    assert_eq!(
        life.step(Event::Activate {
            id: 3,
            replaces: None
        }),
        [Action::StartServer { id: 3 }]
    );
    let begun = life.step(Event::ShutdownRequest(ASKER));
    assert_eq!(begun[..2], [Action::ArmWatchdog, Action::CloseServer { id: 3 }]);
    assert_eq!(
        life.step(Event::ServerReady { id: 3 }),
        [Action::CloseServer { id: 3 }]
    );
    let late = life.step(Event::Activate {
        id: 4,
        replaces: None,
    });
    assert_eq!(
        late,
        [Action::Refuse {
            id: 4,
            how: Refusal::CommClose
        }]
    );
}

#[test]
fn an_activation_replaces_that_of_the_same_client() {
    let mut life = running();
    for id in [3, 4] {
        assert_eq!(
            life.step(Event::Activate { id, replaces: None }),
            [Action::StartServer { id }]
        );
    }
    let again = Event::Activate {
        id: 5,
        replaces: Some(4),
    };
    assert_eq!(
        life.step(again),
        [Action::CloseServer { id: 4 }, Action::StartServer { id: 5 }]
    );
    assert_eq!(
        life.step(Event::ServerReady { id: 3 }),
        [Action::Announce { id: 3 }]
    );
}

#[test]
fn one_server_too_many_closes_the_oldest() {
    let mut life = running();
    for id in 1..=8 {
        assert_eq!(
            life.step(Event::Activate { id, replaces: None }),
            [Action::StartServer { id }]
        );
    }
    let one_more = Event::Activate {
        id: 9,
        replaces: Some(99),
    };
    assert_eq!(
        life.step(one_more),
        [Action::CloseServer { id: 1 }, Action::StartServer { id: 9 }]
    );
}

#[test]
fn a_kernel_that_is_starting_ends_without_python() {
    let mut life = Lifecycle::new();
    life.step(Event::Request {
        id: 1,
        kind: RequestKind::Execute,
        shell: MAIN,
    });
    assert_eq!(
        life.step(Event::ShutdownRequest(ASKER)),
        [
            Action::ArmWatchdog,
            Action::Refuse {
                id: 1,
                how: Refusal::Aborted
            },
            Action::Begin(Turn::main(Rung::Gate)),
        ]
    );
    assert_eq!(life.step(Event::Ready), []);
    assert!(!life.admitting());
}

#[test]
fn a_failed_start_keeps_its_status() {
    let mut life = Lifecycle::new();
    life.step(Event::Stop(Trigger::StartFailed { status: 2 }));
    let end = life.step(Event::Deadline);
    assert_eq!(end.last(), Some(&Action::Exit { status: 2 }));
}

#[test]
fn the_reply_waits_for_the_watchdog() {
    let mut life = running();
    life.step(Event::ShutdownRequest(ASKER));
    life.step(Event::Done(Turn::main(Rung::Flush)));
    let reply = life.step(Event::Done(Turn::main(Rung::Gate)));
    assert_eq!(reply.last(), Some(&Action::ArmWatchdog));
    assert_eq!(
        life.step(Event::Armed),
        [Action::ShutdownReply(ASKER), Action::Drain { round: 1 }]
    );
}

#[test]
fn an_asker_after_the_reply_has_one_of_its_own() {
    let mut life = running();
    life.step(Event::ShutdownRequest(ASKER));
    life.step(Event::Armed);
    life.step(Event::Done(Turn::main(Rung::Flush)));
    life.step(Event::Done(Turn::main(Rung::Gate)));
    let late = Asker {
        id: 10,
        restart: true,
    };
    assert_eq!(
        life.step(Event::ShutdownRequest(late)),
        [Action::ShutdownReply(late), Action::Drain { round: 2 }]
    );
    assert_eq!(life.step(Event::Drained { round: 1 }), []);
    assert_eq!(
        life.step(Event::Request {
            id: 1,
            kind: RequestKind::Immediate,
            shell: MAIN
        }),
        [Action::Ignore { id: 1 }]
    );
    assert_eq!(
        life.step(Event::Drained { round: 2 }).last(),
        Some(&Action::Exit { status: 0 })
    );
}

#[test]
fn who_is_told_that_a_turn_is_over_its_time() {
    let mut life = running_a_cell();
    assert!(!life.teardown_is_taken_up());
    life.step(Event::ShutdownRequest(ASKER));
    let main = Turn::main;
    // The cell goes on.
    assert!(life.is_waited_for(main(Rung::Interrupt)));
    assert!(life.is_not_passed(main(Rung::Interrupt)));
    // It has ended, and its last word is on its way: nothing in the teardown is meant by what holds the cell up.
    life.step(Event::TakeUp(main(Rung::Tasks)));
    assert!(life.teardown_is_taken_up());
    assert!(!life.is_waited_for(main(Rung::Interrupt)));
    assert!(!life.is_not_passed(main(Rung::Interrupt)));
    life.step(Event::Done(main(Rung::Tasks)));
    // The next has not been begun with; then it is, and takes its time.
    assert!(life.is_waited_for(main(Rung::Threads)));
    life.step(Event::TakeUp(main(Rung::Threads)));
    assert!(!life.is_waited_for(main(Rung::Threads)));
    assert!(life.is_not_passed(main(Rung::Threads)));
    assert!(!life.is_not_passed(main(Rung::Tasks)));
}
