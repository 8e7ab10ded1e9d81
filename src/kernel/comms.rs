//! The comms that are open, so that `comm_info_request` is answered while a cell runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

/// Comm id → target name. Python reports what it opens and closes; the io thread adds the comms it serves itself.
#[derive(Default)]
pub struct CommTable(Mutex<BTreeMap<String, String>>);

impl CommTable {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn opened(&self, comm_id: String, target_name: String) {
        self.lock().insert(comm_id, target_name);
    }

    pub fn closed(&self, comm_id: &str) {
        self.lock().remove(comm_id);
    }

    /// The `comms` of a `comm_info_reply`, of one target or of all.
    pub fn info(&self, target_name: Option<&str>) -> Value {
        let comms: Map<String, Value> = self
            .lock()
            .iter()
            .filter(|(_, target)| target_name.is_none_or(|wanted| wanted == target.as_str()))
            .map(|(id, target)| (id.clone(), json!({ "target_name": target })))
            .collect();
        Value::Object(comms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_selects_its_comms() {
        let table = CommTable::default();
        table.opened("1".into(), "a".into());
        table.opened("2".into(), "b".into());
        table.closed("3");
        assert_eq!(table.info(Some("a")), json!({"1": {"target_name": "a"}}));
        table.closed("1");
        assert_eq!(table.info(None), json!({"2": {"target_name": "b"}}));
    }
}
