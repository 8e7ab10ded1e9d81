//! Any bytes as a connection file: an error in one sentence, or a connection that can be written and read again.

#![no_main]

use std::path::Path;

use drupe::wire::{ConnectionFile, ConnectionInfo};
use libfuzzer_sys::fuzz_target;

/// Without the values of unknown fields: numbers with a fraction may change in their last digit.
fn known(mut info: ConnectionInfo) -> (ConnectionInfo, Vec<String>) {
    let extra = std::mem::take(&mut info.extra);
    (info, extra.into_iter().map(|(name, _)| name).collect())
}

fuzz_target!(|data: &[u8]| {
    let path = Path::new("kernel.json");
    match ConnectionFile::parse(path, data) {
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("kernel.json") && !text.contains('\n'), "{text:?}");
            assert!(text.len() < 400, "{text:?}");
        }
        Ok(ConnectionFile::Registration(registration)) => {
            registration.session().expect("its scheme was checked");
            assert_ne!(registration.port, 0);
        }
        Ok(ConnectionFile::Classic(info)) => {
            info.session().expect("its scheme was checked");
            let written = serde_json::to_vec(&info).expect("a connection is JSON");
            let Ok(ConnectionFile::Classic(again)) = ConnectionFile::parse(path, &written) else {
                panic!(
                    "what was written cannot be read: {}",
                    String::from_utf8_lossy(&written)
                );
            };
            assert_eq!(known(again), known(info));
        }
    }
});
