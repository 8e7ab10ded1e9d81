//! The session as the kernel has it: [`Live`] over a way to ask Python and the snapshots that Python leaves.
//!
//! Made once by the side that knows Python and shared by every server. Snapshots are read only when somebody looks,
//! on the thread that looks: leaving one costs the main thread nothing but its bytes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::courier::{Carrier, Courier};
use super::{Live, LiveAnswer, LiveGiven, LiveItem, LiveObject, LiveQuery, Snapshot, inspect_question};

/// A running session behind JSON.
pub struct LiveSession {
    courier: Courier,
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    namespace: Left,
    /// The names of the frame that a thread is stopped in, and of what lies around it; they go before the namespace.
    frame: Option<Left>,
    /// The number of the present stop; 0 while nothing is stopped.
    stop: u64,
}

/// A snapshot as it was left, or as it has been read.
#[derive(Default)]
struct Left {
    unread: Option<Vec<u8>>,
    snapshot: Arc<Snapshot>,
}

impl Latest {
    /// What is to be shown: of this stop, or of none.
    fn of(&mut self, stop: Option<u64>) -> Option<&mut Left> {
        match stop {
            None => Some(&mut self.namespace),
            Some(stop) => self.frame.as_mut().filter(|_| self.stop == stop),
        }
    }
}

impl LiveSession {
    /// A session that answers questions (JSON, see `drupe.inspection`) through `carrier`, which is called on a thread
    /// of its own and may wait for the interpreter as long as that takes.
    pub fn new(carrier: Carrier) -> Self {
        Self {
            courier: Courier::new(carrier),
            latest: Mutex::default(),
        }
    }

    /// Leaves a new snapshot, as JSON. Never waits: called on the main thread after a cell.
    pub fn leave(&self, snapshot: Vec<u8>) {
        self.lock().namespace.unread = Some(snapshot);
    }

    /// A thread is stopped in a debugger, for the `stop`-th time; 0: nothing is stopped any more. The snapshot of the frame
    /// before is forgotten.
    pub fn stopped(&self, stop: u64) {
        let mut latest = self.lock();
        latest.stop = stop;
        latest.frame = None;
    }

    /// Leaves a snapshot of the frame of this stop, as JSON. One that comes when it is over is dropped.
    pub fn leave_frame(&self, stop: u64, snapshot: Vec<u8>) {
        let mut latest = self.lock();
        if stop != 0 && latest.stop == stop {
            latest.frame = Some(Left {
                unread: Some(snapshot),
                snapshot: Arc::clone(&latest.namespace.snapshot),
            });
        }
    }

    fn ask<T: DeserializeOwned>(&self, question: Vec<u8>, budget: Duration) -> LiveAnswer<T> {
        // Python would answer from the namespace, where the names of a stopped frame mean something else or nothing.
        if self.lock().frame.is_some() {
            return LiveAnswer::Busy;
        }
        match self.courier.ask(question, budget) {
            Some(answer) => LiveAnswer::from_json(&answer),
            None => LiveAnswer::Busy,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live for LiveSession {
    fn snapshot(&self) -> Arc<Snapshot> {
        let (stop, unread) = {
            let latest = &mut *self.lock();
            let stop = latest.frame.is_some().then_some(latest.stop);
            let left = latest.frame.as_mut().unwrap_or(&mut latest.namespace);
            match left.unread.take() {
                Some(unread) => (stop, unread),
                None => return Arc::clone(&left.snapshot),
            }
        };
        // Read without the lock: the main thread may be leaving the next one.
        let read = Snapshot::from_json(&unread).inspect_err(|error| {
            tracing::warn!(%error, "a snapshot of the session cannot be read");
        });
        let latest = &mut *self.lock();
        if let (Ok(snapshot), Some(left)) = (read, latest.of(stop)) {
            left.snapshot = Arc::new(snapshot);
        }
        let shown = latest.frame.as_ref().unwrap_or(&latest.namespace);
        Arc::clone(&shown.snapshot)
    }

    fn complete(
        &self,
        query: &LiveQuery,
        given: &[LiveGiven],
        budget: Duration,
    ) -> LiveAnswer<Vec<LiveItem>> {
        self.ask(query.question(given), budget)
    }

    fn inspect(&self, expression: &str, given: &[LiveGiven], budget: Duration) -> LiveAnswer<LiveObject> {
        self.ask(inspect_question(expression, given), budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_frame_goes_before_the_namespace_while_it_is_stopped() {
        let names = |name: &str| {
            format!(r#"{{"names":[{{"name":"{name}","kind":"instance","type":"int"}}]}}"#).into_bytes()
        };
        let session = LiveSession::new(Box::new(|_| Some(b"null".to_vec())));
        let shown = || {
            let snapshot = session.snapshot();
            let names: Vec<String> = snapshot.names.iter().map(|item| item.name.clone()).collect();
            names.join(" ")
        };
        session.leave(names("global"));
        session.leave_frame(0, names("nobody"));
        assert_eq!(shown(), "global");
        session.stopped(1);
        assert_eq!(shown(), "global");
        session.leave_frame(1, names("local"));
        assert_eq!((shown(), shown()), ("local".to_owned(), "local".to_owned()));
        let budget = Duration::from_secs(10);
        assert_eq!(session.inspect("local", &[], budget), LiveAnswer::Busy);
        // A step: the next stop has another frame, and what comes late is of the one before.
        session.stopped(2);
        session.leave_frame(1, names("late"));
        assert_eq!(shown(), "global");
        session.leave_frame(2, names("other"));
        session.leave(names("newer"));
        assert_eq!(shown(), "other");
        session.stopped(0);
        assert_eq!(shown(), "newer");
        assert_eq!(session.inspect("local", &[], budget), LiveAnswer::Unknown);
    }

    #[test]
    fn snapshots_and_answers() {
        let session = LiveSession::new(Box::new(|question| {
            let text = String::from_utf8_lossy(question).into_owned();
            Some(match text.contains("inspect") {
                true => br#"{"type":"int","preview":"1"}"#.to_vec(),
                false => b"null".to_vec(),
            })
        }));
        assert!(session.snapshot().names.is_empty());
        session.leave(br#"{"names":[{"name":"x","kind":"instance","type":"int"}],"unknown":1}"#.to_vec());
        let first = session.snapshot();
        assert_eq!(first.name("x").map(|item| item.type_name.as_str()), Some("int"));
        session.leave(b"nonsense".to_vec());
        assert!(Arc::ptr_eq(&first, &session.snapshot()));
        let budget = Duration::from_secs(10);
        let LiveAnswer::Known(object) = session.inspect("x", &[], budget) else {
            panic!("not known")
        };
        assert_eq!(object.preview, "1");
        let query = LiveQuery::Modules { prefix: "o".into() };
        assert_eq!(session.complete(&query, &[], budget), LiveAnswer::Unknown);
    }
}
