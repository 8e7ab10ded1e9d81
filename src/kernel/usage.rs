//! The answer to `usage_request`: what the kernel and its machine use. Measured by a thread of its own, since the memory map
//! of a large process takes a while to sum up.

use std::sync::Arc;

use bytes::Bytes;

use super::handle::Handle;
use crate::os;
use crate::wire::message::to_json;
use crate::wire::messages::control::UsageReply;

/// The request that is answered from here.
pub(super) const REQUEST: &str = "usage_request";

/// What can be said without measuring.
pub(super) fn unmeasured() -> Bytes {
    to_json(&UsageReply {
        pid: std::process::id(),
        ..UsageReply::default()
    })
}

/// Measure, and hand the reply of request `id` to the io thread.
pub(super) fn measure(handle: Arc<Handle>, id: u64) {
    let answer = Arc::clone(&handle);
    let spawned = std::thread::Builder::new()
        .name("drupe-usage".into())
        .spawn(move || {
            os::signal::block_all();
            handle.measured(id, content());
        });
    if let Err(error) = spawned {
        tracing::warn!("no thread to measure the usage: {error}");
        answer.measured(id, unmeasured());
    }
}

fn content() -> Bytes {
    let pid = std::process::id();
    let processes = os::usage::with_descendants(pid);
    to_json(&UsageReply {
        hostname: os::usage::hostname(),
        pid,
        kernel_cpu: os::usage::cpu_percent(&processes),
        kernel_memory: os::usage::memory(&processes),
        host_cpu_percent: os::usage::host_cpu_percent(),
        cpu_count: std::thread::available_parallelism()
            .map_or(1, |count| u32::try_from(count.get()).unwrap_or(1)),
        host_virtual_memory: os::usage::host_memory(),
    })
}
