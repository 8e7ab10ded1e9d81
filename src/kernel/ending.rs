//! The exit ladder as the io thread performs it: what the life cycle says of rungs, the watchdog, the last messages
//! and the end.
//!
//! Nothing here waits. A rung that Python does is begun by waking Python; a timer says when it is over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::time::Instant;

use super::handle::{Note, rung_place};
use super::io::Io;
use super::out::Body;
use super::timers::Due;
use crate::jupyter;
use crate::lifecycle::budget::NUDGE_EVERY;
use crate::lifecycle::record::{Abandoned, ExitRecord, Outcome};
use crate::lifecycle::{Action, Asker, Event, Leg, Phase, Rung};
use crate::os;
use crate::transport;
use crate::wire::message::to_json;
use crate::wire::messages::control::ShutdownReply;
use crate::wire::messages::iopub::{ExecutionState, Stream};

/// How often the sockets are looked at while they drain.
const LOOK: std::time::Duration = std::time::Duration::from_millis(1);

/// How long before the watchdog the io thread ends the process itself: the replies are out then, whatever is late.
const DEADLINE_MARGIN: std::time::Duration = std::time::Duration::from_millis(5);

/// Where the end stands.
#[derive(Default)]
pub(super) struct Ending {
    began: Option<Instant>,
    leg: Option<(Leg, Instant)>,
    record: Option<ExitRecord>,
    pub(super) restart: bool,
    pub(super) abandoned: Vec<Abandoned>,
    /// Stacks were asked for: somebody is stuck.
    stuck: bool,
    pub(super) output_closed: bool,
}

impl Ending {
    pub(super) fn begun(&self) -> bool {
        self.began.is_some()
    }
}

impl Io {
    /// Perform one of the actions that belong to the end.
    pub(super) fn end(&mut self, action: Action, events: &mut VecDeque<Event>) {
        match action {
            Action::ArmWatchdog => self.arm(events),
            Action::Begin(leg) => self.begin(leg),
            Action::CloseOutput => self.close_output(),
            Action::ShutdownReply(asker) => self.shutdown_reply(asker),
            Action::Drain { round } => self.timers.add(Instant::now(), Due::Drain(round)),
            Action::Exit { status } => self.exit(status),
            other => tracing::error!(?other, "an action that is not one of the end"),
        }
    }

    /// The first thing at every end: from here on the process is certain to be gone in time.
    fn arm(&mut self, events: &mut VecDeque<Event>) {
        let now = Instant::now();
        let budgets = self.handle.budgets;
        if self.ending.began.is_none() {
            self.ending.began = Some(now);
            self.timers
                .add(now + budgets.last_call(), Due::Event(Event::LastCall));
            self.timers.add(
                now + budgets.total() - DEADLINE_MARGIN,
                Due::Event(Event::Deadline),
            );
            if let Phase::Draining(draining) = self.handle.switch.snapshot().phase() {
                let record = ExitRecord::begin(draining.trigger, self.ending.restart);
                // Should the watchdog have the last word, this much is known of the end.
                if let Some(runtime) = jupyter::runtime_dir() {
                    record.write(&runtime);
                }
                self.ending.record = Some(record);
            }
        }
        if self.handle.watchdog.arm(budgets.total()) {
            events.push_back(Event::Armed);
        }
        self.aborting = None;
        self.handle.ending.store(true, Ordering::Release);
        self.handle.input.close();
        self.handle.mailbox.wake();
    }

    fn begin(&mut self, leg: Leg) {
        let now = Instant::now();
        let budgets = self.handle.budgets;
        self.record_rung(Some(leg), now);
        tracing::debug!(rung = leg.rung.name(), crew = leg.crew, "exit ladder");
        self.timers
            .add(now + budgets.of(leg.rung), Due::Event(Event::Over(leg)));
        match leg.rung {
            Rung::Interrupt => {
                // What the cell's `finally` blocks do is not interrupted again before they have had their time.
                self.interrupt();
                self.timers
                    .add(now + budgets.nudge_after(leg.rung), Due::Nudge(leg));
            }
            Rung::Helper | Rung::Relief => {
                self.handle.crew.store(leg.crew, Ordering::Release);
                self.interpreter.teardown_from_helper(leg.crew);
            }
            Rung::Tasks | Rung::Threads | Rung::AtExit | Rung::Flush => {
                self.handle.resume.store(rung_place(leg.rung), Ordering::Release);
                self.handle.mailbox.wake();
                self.timers
                    .add(now + budgets.nudge_after(leg.rung), Due::Nudge(leg));
            }
            Rung::Gate => {
                if self.nobody_got_in() {
                    self.ending.stuck = true;
                    self.interpreter.request_stacks();
                }
                let handle = Arc::clone(&self.handle);
                self.handle.gate.close_then(move || handle.note(Note::GateEmpty));
            }
            Rung::Reply => {}
        }
    }

    /// Note how the last rung went, and that the next one begins.
    fn record_rung(&mut self, next: Option<Leg>, now: Instant) {
        let last = std::mem::replace(&mut self.ending.leg, next.map(|leg| (leg, now)));
        let Some(record) = &mut self.ending.record else {
            return;
        };
        let (outcome, ran) = match last {
            Some((leg, began)) => {
                let ran = now - began;
                let over = ran >= self.handle.budgets.of(leg.rung);
                (if over { Outcome::Over } else { Outcome::Done }, ran)
            }
            None => (Outcome::Done, std::time::Duration::ZERO),
        };
        match next {
            Some(leg) => record.rung(leg.rung.name(), outcome, ran),
            None => record.end_rung(outcome, ran),
        }
    }

    /// Interrupt what the main thread does, as long as this rung waits for it.
    pub(super) fn nudge(&mut self, leg: Leg) {
        if self.ending.leg.is_none_or(|(current, _)| current != leg) {
            return;
        }
        // A helper cannot be interrupted; what it does is over when its rung is over.
        if leg.crew == 0 {
            self.interpreter.interrupt_main();
            self.timers.add(Instant::now() + NUDGE_EVERY, Due::Nudge(leg));
        }
    }

    /// The GIL never came back: the last rung was a helper's wait for it. Only then may the stacks be read without the
    /// GIL: nobody changes them, for nobody but its holder can run Python.
    fn nobody_got_in(&self) -> bool {
        let record = self.ending.record.as_ref();
        let waited = record.and_then(|record| record.rungs.iter().rev().nth(1));
        waited.is_some_and(|rung| {
            [Rung::Helper.name(), Rung::Relief.name()].contains(&rung.name.as_str())
                && rung.outcome != Outcome::Done
        })
    }

    pub(super) fn gate_empty(&mut self) {
        if let Some((leg, _)) = self.ending.leg
            && leg.rung == Rung::Gate
        {
            self.feed(Event::Done(leg));
        }
    }

    /// Send what was said so far, then what had to be left behind, and take nothing more.
    fn close_output(&mut self) {
        for out in self.handle.outbox.close() {
            self.send(out);
        }
        self.answer_what_is_left();
        for inside in self
            .handle
            .gate
            .list()
            .into_iter()
            .filter(|inside| !inside.resident)
        {
            self.ending.abandoned.push(Abandoned {
                what: "native thread".to_owned(),
                name: inside.name.to_string(),
                stack: format!(
                    "inside Python for {:.1} s: {}",
                    inside.since.elapsed().as_secs_f64(),
                    inside.purpose
                ),
            });
        }
        if self.ending.stuck || !self.ending.abandoned.is_empty() {
            let text = self.last_words();
            tracing::warn!("{text}");
            let content = to_json(&Stream {
                name: "stderr",
                text: &text,
            });
            let parent = self.running_parent().cloned();
            self.publish(
                parent.as_ref(),
                Some(Bytes::from_static(b"stream.stderr")),
                Body::new("stream", content),
            );
        }
        self.ending.output_closed = true;
    }

    /// What a user is to know of an end that needed force.
    fn last_words(&mut self) -> String {
        let mut text = "drupe: the kernel had to leave something behind to end in time.\n".to_owned();
        if self.ending.stuck {
            let stacks = self.interpreter.stacks();
            let stuck = Abandoned {
                what: "python".to_owned(),
                name: "threads".to_owned(),
                stack: if stacks.is_empty() {
                    "no stack could be had".to_owned()
                } else {
                    stacks
                },
            };
            self.ending.abandoned.insert(0, stuck);
        }
        for Abandoned { what, name, stack } in &self.ending.abandoned {
            text.push_str(&format!("  {what} {name}\n"));
            for line in stack.lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        text
    }

    /// The promise kept: the last message that the asker, and everybody on iopub, gets.
    fn shutdown_reply(&mut self, asker: Asker) {
        let Some(brief) = self.requests.remove(&asker.id) else {
            return;
        };
        let content = to_json(&ShutdownReply::new(asker.restart));
        self.status(Some(&brief.parent), ExecutionState::Idle);
        let body = Body::new("shutdown_reply", content);
        self.reply(brief.channel, &brief.parent, body.clone());
        self.publish(Some(&brief.parent), None, body);
    }

    /// See whether the systems of those who read have everything.
    pub(super) fn look_at_sockets(&mut self, round: u32) {
        let drained = self.control.is_drained()
            & self.shell.is_drained()
            & self.stdin.is_drained()
            & self.iopub.is_drained();
        if drained {
            self.feed(Event::Drained { round });
        } else {
            self.timers.add(Instant::now() + LOOK, Due::Drain(round));
        }
    }

    fn exit(&mut self, status: u8) {
        self.record_rung(None, Instant::now());
        if let (Some(mut record), Some(runtime)) = (self.ending.record.take(), jupyter::runtime_dir()) {
            record.abandoned = std::mem::take(&mut self.ending.abandoned);
            record.status = Some(status);
            record.write(&runtime);
        }
        for file in &self.own_files {
            let _ = std::fs::remove_file(file);
        }
        os::forks::kill();
        transport::hang_up();
        os::process::exit_now(i32::from(status))
    }
}
