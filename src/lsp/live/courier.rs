//! Carries questions to where answers may take for ever, and comes back in time without them.
//!
//! Entering Python means waiting for the interpreter's lock, which has no deadline. So one detached daemon thread,
//! `drupe-lsp-live`, waits in everybody's place; who asks waits for it only as long as the budget allows. While it is
//! stuck, nobody else gets stuck: who asks while a question is out for longer than they would wait is told so at once.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Answers one question; `None` when Python cannot be entered any more.
pub type Carrier = Box<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send>;

/// The thread and its counter.
pub struct Courier {
    desk: Arc<Desk>,
}

struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Until the thread is started, which the first question does.
    carrier: Option<Carrier>,
    asked: u64,
    question: Option<(u64, Vec<u8>)>,
    /// Since when the thread is on its way.
    carrying: Option<Instant>,
    /// Who still waits, and what has come for them.
    waiting: HashMap<u64, Option<Answer>>,
}

/// What the carrier brought; `None` when it could not enter.
type Answer = Option<Vec<u8>>;

impl Courier {
    /// A courier that has not set out; no thread is started before the first question.
    pub fn new(carrier: Carrier) -> Self {
        Self {
            desk: Arc::new(Desk {
                state: Mutex::new(State {
                    carrier: Some(carrier),
                    asked: 0,
                    question: None,
                    carrying: None,
                    waiting: HashMap::new(),
                }),
                changed: Condvar::new(),
            }),
        }
    }

    /// Asks, and waits at most `budget` for the answer.
    pub fn ask(&self, question: Vec<u8>, budget: Duration) -> Option<Vec<u8>> {
        let until = Instant::now() + budget;
        let mut state = self.desk.lock();
        if let Some(carrier) = state.carrier.take() {
            let desk = Arc::clone(&self.desk);
            let thread = std::thread::Builder::new().name("drupe-lsp-live".into());
            if let Err(error) = thread.spawn(move || desk.run(&carrier)) {
                tracing::error!(%error, "no thread for questions to the session");
            }
        }
        while state.carrying.is_some() || state.question.is_some() {
            if state.carrying.is_some_and(|since| since.elapsed() >= budget) {
                return None;
            }
            state = self.desk.wait(state, until)?;
        }
        state.asked += 1;
        let id = state.asked;
        state.question = Some((id, question));
        state.waiting.insert(id, None);
        self.desk.changed.notify_all();
        loop {
            if let Some(Some(answer)) = state.waiting.get_mut(&id).map(Option::take) {
                state.waiting.remove(&id);
                return answer;
            }
            match self.desk.wait(state, until) {
                Some(again) => state = again,
                None => {
                    // A question that nobody has picked up is not asked any more.
                    let mut state = self.desk.lock();
                    state.question.take_if(|(waiting, _)| *waiting == id);
                    return state.waiting.remove(&id).flatten().flatten();
                }
            }
        }
    }
}

impl Desk {
    fn run(&self, carrier: &Carrier) {
        let mut state = self.lock();
        loop {
            let Some((id, question)) = state.question.take() else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.carrying = Some(Instant::now());
            drop(state);
            let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| carrier(&question)));
            state = self.lock();
            state.carrying = None;
            if let Some(place) = state.waiting.get_mut(&id) {
                *place = Some(answer.unwrap_or_default());
            }
            self.changed.notify_all();
        }
    }

    /// Waits for a change; `None` when the time is up.
    fn wait<'a>(&self, state: MutexGuard<'a, State>, until: Instant) -> Option<MutexGuard<'a, State>> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        let (state, _) = self
            .changed
            .wait_timeout(state, left)
            .unwrap_or_else(PoisonError::into_inner);
        Some(state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const BUDGET: Duration = Duration::from_millis(50);

    #[test]
    fn answers_come_back_to_who_asked() {
        let courier = Arc::new(Courier::new(Box::new(|question| Some(question.to_vec()))));
        let threads: Vec<_> = (0..8_u8)
            .map(|name| {
                let courier = Arc::clone(&courier);
                std::thread::spawn(move || {
                    (0..200).all(|_| courier.ask(vec![name], Duration::from_secs(10)) == Some(vec![name]))
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().is_ok_and(|all| all));
        }
    }

    #[test]
    fn a_stuck_courier_costs_one_budget_and_late_answers_go_to_nobody() {
        let (release, wait) = mpsc::channel::<()>();
        let courier = Courier::new(Box::new(move |question| {
            if question == b"stuck" {
                let _ = wait.recv();
            }
            Some(question.to_vec())
        }));
        let started = Instant::now();
        assert_eq!(courier.ask(b"stuck".to_vec(), BUDGET), None);
        let waited = started.elapsed();
        assert!(waited >= BUDGET);
        for _ in 0..50 {
            assert_eq!(courier.ask(b"next".to_vec(), BUDGET), None);
        }
        assert!(started.elapsed() - waited < 10 * BUDGET);
        // Who would wait longer than it has been out so far does.
        assert_eq!(courier.ask(b"patient".to_vec(), started.elapsed() + BUDGET), None);
        assert!(started.elapsed() >= waited + BUDGET);
        assert!(release.send(()).is_ok());
        let answer = courier.ask(b"last".to_vec(), Duration::from_secs(10));
        assert_eq!(answer.as_deref(), Some(&b"last"[..]));
    }

    #[test]
    fn a_panic_is_no_answer_and_no_end() {
        let courier = Courier::new(Box::new(|question| {
            assert_ne!(question, b"panic");
            Some(Vec::new())
        }));
        assert_eq!(courier.ask(b"panic".to_vec(), Duration::from_secs(10)), None);
        assert_eq!(courier.ask(Vec::new(), Duration::from_secs(10)), Some(Vec::new()));
    }
}
