//! The exit ladder as the io thread performs it: what the life cycle says of turns, the watchdog, the last messages
//! and the end. Called by the io loop for each such [`Action`], and when one of the ladder's timers is due.
//!
//! Nothing here waits, but for the record of the end, when everything else is done. A turn of Python's is begun by
//! waking Python; a timer says when it is over.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::handle::Note;
use super::io::Io;
use super::out::Body;
use super::timers::Due;
use crate::jupyter;
use crate::lifecycle::budget::INTERRUPT_EVERY;
use crate::lifecycle::record::{Abandoned, ExitRecord, Outcome};
use crate::lifecycle::{Action, Asker, Event, MAIN, Phase, Recorder, Rung, Trigger, Turn};
use crate::log;
use crate::os;
use crate::transport;
use crate::wire::message::to_json;
use crate::wire::messages::control::ShutdownReply;
use crate::wire::messages::iopub::ExecutionState;

/// How often the sockets are looked at while they drain.
const LOOK: Duration = Duration::from_millis(1);

/// How long the end waits for its record to be written: longer than a busy disk or processor keeps it, and no longer where the file
/// system hangs.
const RECORD_AT_MOST: Duration = Duration::from_millis(250);

/// How long the process stays after a cell has asked for the end and all is said. A console reads the cell's answer, which tells it to end
/// as well, only from a kernel that is alive, and looks for it every 50 ms. ipykernel stays for 0.1 s.
const FAREWELL: Duration = Duration::from_millis(150);

/// Where the end stands, as the io thread knows it.
#[derive(Default)]
pub(super) struct Ladder {
    began: Option<Instant>,
    /// The turn under way, and when it began.
    turn: Option<(Turn, Instant)>,
    record: Option<ExitRecord>,
    recorder: Option<Recorder>,
    pub(super) restart: bool,
    /// A cell has asked for it.
    asked: bool,
    pub(super) abandoned: Vec<Abandoned>,
    /// Nobody got into Python any more, and its stacks were asked for.
    stuck: bool,
    pub(super) output_closed: bool,
    /// The process is to end with this status as soon as what is queued is written.
    pub(super) exit: Option<u8>,
}

impl Ladder {
    pub(super) fn begun(&self) -> bool {
        self.began.is_some()
    }

    /// Note that a turn has ended, and how. Returns whether it was one of waiting for the GIL in vain: only then may
    /// the stacks be read without it, since nobody but its holder can change them.
    fn ended(&mut self, turn: Turn, outcome: Outcome) -> bool {
        if let (Some(record), Some((_, began))) = (&mut self.record, self.turn.take()) {
            record.end_rung(outcome, began.elapsed());
        }
        turn.rung == Rung::Attach && outcome == Outcome::Over
    }

    /// Note that a turn begins; returns when, counted from the beginning of the end.
    fn begins(&mut self, turn: Turn) -> Duration {
        let now = Instant::now();
        self.turn = Some((turn, now));
        if let Some(record) = &mut self.record {
            record.begin_rung(turn.rung.name());
        }
        self.began.map_or(Duration::ZERO, |began| now - began)
    }

    fn is_at(&self, turn: Turn) -> bool {
        self.turn.is_some_and(|(current, _)| current == turn)
    }
}

impl Io {
    /// Perform one of the actions that belong to the end.
    pub(super) fn end(&mut self, action: Action, events: &mut VecDeque<Event>) {
        match action {
            Action::ArmWatchdog => self.arm(events),
            Action::Begin(turn) => self.begin(turn),
            Action::Ended { turn, outcome } => {
                tracing::debug!(rung = turn.rung.name(), turn.attempt, ?outcome, "exit ladder");
                if self.ladder.ended(turn, outcome) {
                    self.ladder.stuck = true;
                    self.interpreter.request_stacks();
                    // Python would have; they have the last rungs' time for it.
                    os::children::ask();
                }
            }
            Action::CloseOutput => self.close_output(),
            Action::ShutdownReply(asker) => self.shutdown_reply(asker),
            Action::Drain { round } => self.timers.add(Instant::now(), Due::Drain(round)),
            Action::Exit { status } => self.ladder.exit = Some(status),
            other => tracing::error!(?other, "an action that is not one of the end"),
        }
    }

    /// The first thing at every end: from here on the process is certain to be gone in time. Nothing that could wait,
    /// such as a file system, comes before it.
    fn arm(&mut self, events: &mut VecDeque<Event>) {
        if self.handle.watchdog.arm(self.handle.budgets.total()) {
            events.push_back(Event::Armed);
        }
        if !self.ladder.begun() {
            let now = Instant::now();
            self.ladder.began = Some(now);
            let deadline = now + self.handle.budgets.deadline();
            self.timers.add(deadline, Due::Event(Event::Deadline));
            if let Phase::Draining(draining) = self.handle.switch.snapshot().phase() {
                self.ladder.asked = matches!(draining.trigger, Trigger::AskExit);
                self.keep_record(ExitRecord::begin(draining.trigger, self.ladder.restart));
            }
        }
        self.turns.end_abort();
        self.end_debugging();
        self.handle.begin_end();
        let lately = self.handle.budgets.cell_again();
        let busy = self.in_flight.busy_subshells();
        let busy = busy.filter(|shell| !self.in_flight.was_interrupted(*shell, lately));
        self.interrupt_shells(busy.collect());
        self.subshells.all().for_each(|subshell| subshell.mailbox.wake());
    }

    fn keep_record(&mut self, record: ExitRecord) {
        match Recorder::start(jupyter::runtime_dir) {
            Ok(recorder) => {
                // Should the watchdog have the last word, this much is known of the end.
                recorder.write(&record);
                self.ladder.recorder = Some(recorder);
            }
            Err(error) => tracing::warn!("no thread for the record of this end: {error}"),
        }
        self.ladder.record = Some(record);
    }

    fn begin(&mut self, turn: Turn) {
        let budgets = self.handle.budgets;
        let begun = self.ladder.begins(turn);
        tracing::debug!(rung = turn.rung.name(), turn.attempt, "exit ladder");
        let Some(began) = self.ladder.began else { return };
        // The last rung has no time of its own: it goes on until the deadline.
        if turn.rung != Rung::Reply {
            let end = began + budgets.end_of(turn, begun);
            self.timers.add(end, Due::Event(Event::Over(turn)));
        }
        match turn.rung {
            Rung::Interrupt => {
                os::children::note();
                if !self.main_was_interrupted() {
                    self.interrupt();
                }
            }
            Rung::Attach => self.interpreter.teardown_from_helper(turn),
            Rung::Tasks | Rung::Threads | Rung::AtExit | Rung::Flush => self.handle.mailbox.wake(),
            Rung::Gate => {
                let handle = Arc::clone(&self.handle);
                self.handle.gate.close_then(move || handle.note(Note::GateEmpty));
            }
            Rung::Reply => {}
        }
        // A helper cannot be interrupted; what it does is over when its turn is over.
        if turn.attempt == 0 && (turn.rung == Rung::Interrupt || turn.rung.in_python()) {
            let at = began + budgets.interrupt_at(turn, begun);
            self.timers.add(at, Due::InterruptAgain(turn));
        }
    }

    /// Whether the cell that runs has had its interrupt. jupyter_client's manager sends one right before its request, and a second
    /// one would strike in the cell's `finally` blocks.
    fn main_was_interrupted(&self) -> bool {
        let not_noted_yet = self.handle.watchdog.interrupts() != self.signals;
        not_noted_yet
            || self
                .in_flight
                .was_interrupted(MAIN, self.handle.budgets.cell_again())
    }

    /// Interrupt what the main thread does, as long as this turn waits for it.
    pub(super) fn interrupt_again(&mut self, turn: Turn) {
        let Some(began) = self.ladder.began.filter(|_| self.ladder.is_at(turn)) else {
            return;
        };
        let reminder = began + self.handle.budgets.reminder_at(turn);
        let now = Instant::now();
        // Once the main thread has taken it up, it keeps to its time by itself until the reminder.
        let is_late = now >= reminder;
        let (switch, interpreter) = (&self.handle.switch, &self.interpreter);
        let struck = switch.interrupt_turn(turn, is_late, || interpreter.interrupt_main());
        let next = if struck || is_late {
            now + INTERRUPT_EVERY
        } else {
            reminder
        };
        self.timers.add(next, Due::InterruptAgain(turn));
    }

    pub(super) fn gate_empty(&mut self) {
        if let Some((turn, _)) = self.ladder.turn
            && turn.rung == Rung::Gate
        {
            self.feed(Event::Done(turn));
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
            self.ladder.abandoned.push(Abandoned {
                what: "native thread".to_owned(),
                name: inside.name.to_string(),
                stack: format!(
                    "inside Python for {:.1} s: {}",
                    inside.since.elapsed().as_secs_f64(),
                    inside.purpose
                ),
            });
        }
        if self.ladder.stuck || !self.ladder.abandoned.is_empty() {
            let text = self.last_words();
            tracing::warn!("{text}");
            self.channels
                .stream(self.in_flight.cell_parent(), "stderr", &text);
        }
        self.ladder.output_closed = true;
    }

    /// What a user is to know of an end that needed force.
    fn last_words(&mut self) -> String {
        let mut text = "drupe: the kernel had to leave something behind to end in time.\n".to_owned();
        if self.ladder.stuck {
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
            self.ladder.abandoned.insert(0, stuck);
        }
        for Abandoned { what, name, stack } in &self.ladder.abandoned {
            text.push_str(&format!("  {what} {name}\n"));
            for line in stack.lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        text
    }

    /// The promise kept: the last message that the asker, and everybody on iopub, gets.
    fn shutdown_reply(&mut self, asker: Asker) {
        let Some(admitted) = self.in_flight.remove(asker.id) else {
            return;
        };
        let content = to_json(&ShutdownReply::new(asker.restart));
        self.channels.status(&admitted.parent, ExecutionState::Idle);
        let body = Body::new("shutdown_reply", content);
        self.channels
            .reply(admitted.channel, &admitted.parent, body.clone());
        self.channels.publish(Some(&admitted.parent), None, body);
    }

    /// See whether the systems of those who read have everything.
    pub(super) fn look_at_sockets(&mut self, round: u32) {
        if self.channels.are_drained() {
            self.feed(Event::Drained { round });
        } else {
            self.timers.add(Instant::now() + LOOK, Due::Drain(round));
        }
    }

    /// End the process with this status. What was queued together with the order to do so is written out first, as
    /// far as there is time before the watchdog.
    pub(super) async fn exit(&mut self, status: u8) -> ! {
        let budgets = self.handle.budgets;
        let began = self.ladder.began.unwrap_or_else(Instant::now);
        let recorder = self.ladder.recorder.take();
        if let Some(recorder) = &recorder {
            recorder.remove(std::mem::take(&mut self.own_files), self.debugging.folder());
            if let Some(mut record) = self.ladder.record.take() {
                record.abandoned = std::mem::take(&mut self.ladder.abandoned);
                record.status = Some(status);
                recorder.write(&record);
            }
        }
        while !self.channels.are_drained() && Instant::now() < began + budgets.last_write() {
            tokio::time::sleep(LOOK).await;
        }
        if self.ladder.asked {
            let left = (began + budgets.last_write()).saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(FAREWELL)).await;
        }
        if let Some(recorder) = recorder {
            let last_moment = began + budgets.last_moment();
            let left = last_moment.saturating_duration_since(Instant::now());
            if !recorder.finish(left.min(RECORD_AT_MOST)) {
                tracing::warn!("the record of this end could not be written in time");
            }
        }
        os::children::kill();
        transport::hang_up();
        log::flush();
        os::process::exit_now(i32::from(status))
    }
}
