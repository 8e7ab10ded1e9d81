//! What a string may hold where it stands: keys of mappings and columns of tables.

use super::Kind;
use super::list::List;
use crate::lsp::engine::Asker;
use crate::lsp::live::{LiveAnswer, LiveQuery};

pub(super) fn keys(list: &mut List, base: &str, prefix: &str, asker: &mut Asker) {
    let answer = asker.complete(&LiveQuery::Keys {
        expression: base.to_owned(),
        index: 0,
        prefix: prefix.to_owned(),
    });
    match answer {
        LiveAnswer::Known(items) => {
            for item in items {
                list.add(&item.name, Kind::Property, &item.type_name, 0, "");
            }
        }
        LiveAnswer::Busy => {
            let snapshot = std::sync::Arc::clone(&asker.snapshot);
            for key in snapshot.keys.get(base).map(Vec::as_slice).unwrap_or_default() {
                list.add(key, Kind::Property, "", 0, "");
            }
        }
        LiveAnswer::Unknown => {}
    }
}
