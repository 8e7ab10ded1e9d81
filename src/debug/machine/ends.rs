//! How a session ends: pydevd has answered `disconnect`, its connection is lost, or the kernel ends. In each case everybody who waits for
//! pydevd is answered, and an interrupt that was still to be sent is sent.

use super::interrupts::Interrupt;
use super::{Machine, Phase};
use crate::debug::vocabulary::{Action, Answer, Command, Purpose, Refusal};

impl Machine {
    /// Whether the kernel ends.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// pydevd has let every thread go, and stops none any more.
    pub(super) fn session_over(&mut self, out: &mut Vec<Action>) {
        let stopped = self.is_stopped();
        self.stopped.clear();
        self.resuming = None;
        self.cleared = false;
        self.phase = Phase::Off;
        let interrupted = self.interrupt.take();
        self.drop_outstanding(Refusal::Ended, stopped, out);
        out.push(Action::Forget);
        if interrupted == Some(Interrupt::Resuming) {
            out.push(Action::Signal);
            if self.ended {
                // What is still worked out in a frame is ended by it, and not the cell.
                self.interrupt = Some(Interrupt::Signalled);
            }
        }
        if !self.ended {
            self.next_session(out);
        }
    }

    pub(super) fn gone(&mut self, out: &mut Vec<Action>) {
        if !self.connected || self.phase == Phase::Broken {
            return;
        }
        self.phase = Phase::Broken;
        self.stopped.clear();
        self.resuming = None;
        self.cleared = false;
        let interrupted = self.interrupt.take();
        self.refuse_waiting(Refusal::Broken, out);
        self.drop_outstanding(Refusal::Broken, false, out);
        self.outstanding.clear();
        out.extend([Action::Free, Action::Forget]);
        if interrupted == Some(Interrupt::Resuming) {
            out.push(Action::Signal);
        }
    }

    pub(super) fn end(&mut self, out: &mut Vec<Action>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.refuse_waiting(Refusal::KernelEnds, out);
        self.drop_outstanding(Refusal::KernelEnds, true, out);
        if matches!(self.phase, Phase::Ready | Phase::Attached) {
            self.send(Purpose::Disconnect, None, out);
            self.phase = Phase::Draining;
        }
    }

    /// Refuse what waits for pydevd. What a thread works out is remembered where it was `stopped` or the kernel ends, since it is to
    /// be interrupted.
    fn drop_outstanding(&mut self, why: Refusal, stopped: bool, out: &mut Vec<Action>) {
        let held = self.holds();
        let remembered = stopped || self.ended;
        self.outstanding.retain(|_, asked| {
            if let Some(key) = asked.key.take() {
                let answer = Answer::Refused(why);
                out.push(Action::Answer { key, answer });
            }
            match asked.purpose {
                Purpose::Client(Command::Frame) => remembered,
                Purpose::Client(Command::Disconnect) | Purpose::Disconnect => true,
                _ => false,
            }
        });
        if held {
            out.push(Action::Release);
        }
    }
}
