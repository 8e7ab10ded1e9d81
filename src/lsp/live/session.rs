//! The session as the kernel has it: [`Live`] over a way to ask Python and the snapshots that Python leaves.
//!
//! Made once by the side that knows Python and shared by every server. Snapshots are read only when somebody looks,
//! on the thread that looks: leaving one costs the main thread nothing but its bytes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::courier::{Carrier, Courier};
use super::{Live, LiveAnswer, LiveItem, LiveObject, LiveQuery, Snapshot, inspect_question};

/// A running session behind JSON.
pub struct LiveSession {
    courier: Courier,
    latest: Mutex<Latest>,
}

#[derive(Default)]
struct Latest {
    unread: Option<Vec<u8>>,
    snapshot: Arc<Snapshot>,
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
        self.lock().unread = Some(snapshot);
    }

    fn ask<T: DeserializeOwned>(&self, question: Vec<u8>, budget: Duration) -> LiveAnswer<T> {
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
        let unread = self.lock().unread.take();
        let Some(unread) = unread else {
            return Arc::clone(&self.lock().snapshot);
        };
        // Read without the lock: the main thread may be leaving the next one.
        let read = Snapshot::from_json(&unread);
        let mut latest = self.lock();
        match read {
            Ok(snapshot) => latest.snapshot = Arc::new(snapshot),
            Err(error) => tracing::warn!(%error, "a snapshot of the session cannot be read"),
        }
        Arc::clone(&latest.snapshot)
    }

    fn complete(&self, query: &LiveQuery, budget: Duration) -> LiveAnswer<Vec<LiveItem>> {
        self.ask(query.question(), budget)
    }

    fn inspect(&self, expression: &str, budget: Duration) -> LiveAnswer<LiveObject> {
        self.ask(inspect_question(expression), budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let LiveAnswer::Known(object) = session.inspect("x", budget) else {
            panic!("not known")
        };
        assert_eq!(object.preview, "1");
        let query = LiveQuery::Modules { prefix: "o".into() };
        assert_eq!(session.complete(&query, budget), LiveAnswer::Unknown);
    }
}
