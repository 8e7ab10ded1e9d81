//! What the kernel and its machine use, for `usage_request`. Read from `/proc` by a thread of its own, since the memory
//! map of a large process takes a while to sum up.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use super::block_signals;
use super::handle::Handle;
use crate::wire::message::to_json;
use crate::wire::messages::control::{HostMemory, UsageReply};

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
            block_signals();
            handle.measured(id, content());
        });
    if let Err(error) = spawned {
        tracing::warn!("no thread to measure the usage: {error}");
        answer.measured(id, unmeasured());
    }
}

fn content() -> Bytes {
    let pid = std::process::id();
    let processes = with_descendants(pid);
    to_json(&UsageReply {
        hostname: fs::read_to_string("/proc/sys/kernel/hostname")
            .unwrap_or_default()
            .trim()
            .to_owned(),
        pid,
        kernel_cpu: cpu_percent(&processes),
        kernel_memory: Some(processes.iter().map(|pid| memory(*pid)).sum()),
        host_cpu_percent: host_cpu_percent(),
        cpu_count: std::thread::available_parallelism()
            .map_or(1, |count| u32::try_from(count.get()).unwrap_or(1)),
        host_virtual_memory: host_memory(),
    })
}

/// The process and all that descend from it.
fn with_descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut all = vec![root];
    let mut next = 0;
    while let Some(pid) = all.get(next) {
        all.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    all
}

/// The fields of `/proc/<pid>/stat` from the state on: those before it may contain spaces.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Proportional set size in bytes, else resident set size.
fn memory(pid: u32) -> u64 {
    let pss = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .ok()
        .and_then(|text| kib(&text, "Pss:"));
    let rss = || {
        fs::read_to_string(format!("/proc/{pid}/status"))
            .ok()
            .and_then(|text| kib(&text, "VmRSS:"))
    };
    pss.or_else(rss).unwrap_or(0)
}

/// The bytes of a line such as `Pss:  1234 kB`.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

/// Processor time so far, in ticks, and when it was read.
type Reading = (Instant, HashMap<u32, u64>);

/// Percent of one processor that these processes took since the last call; 0 at the first.
fn cpu_percent(processes: &[u32]) -> Option<f64> {
    static LAST: Mutex<Option<Reading>> = Mutex::new(None);
    let ticks: HashMap<u32, u64> = processes
        .iter()
        .filter_map(|pid| {
            let fields = stat(*pid)?;
            Some((
                *pid,
                fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?,
            ))
        })
        .collect();
    let now = Instant::now();
    let last = LAST
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .replace((now, ticks.clone()));
    let Some((before, old)) = last else {
        return Some(0.0);
    };
    let used: u64 = ticks
        .iter()
        .filter_map(|(pid, ticks)| Some(ticks.saturating_sub(*old.get(pid)?)))
        .sum();
    // SAFETY: sysconf takes a number and returns one.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let seconds = (now - before).as_secs_f64();
    (seconds > 0.0 && per_second > 0).then(|| 100.0 * used as f64 / per_second as f64 / seconds)
}

/// Percent of all processors that were busy since the last call; nothing at the first.
fn host_cpu_percent() -> Option<f64> {
    static LAST: Mutex<Option<(u64, u64)>> = Mutex::new(None);
    let text = fs::read_to_string("/proc/stat").ok()?;
    let times: Vec<u64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|time| time.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; the guest times after them are in user and nice.
    let all: u64 = times.iter().take(8).sum();
    let idle = times.get(3)? + times.get(4).copied().unwrap_or(0);
    let last = LAST
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .replace((all, idle));
    let (old_all, old_idle) = last?;
    let (all, idle) = (all.saturating_sub(old_all), idle.saturating_sub(old_idle));
    (all > 0).then(|| 100.0 * all.saturating_sub(idle) as f64 / all as f64)
}

fn host_memory() -> Option<HostMemory> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let read = |name: &str| kib(&text, name).unwrap_or(0);
    let total = kib(&text, "MemTotal:")?;
    let available = read("MemAvailable:");
    let used = total.saturating_sub(available);
    Some(HostMemory {
        total,
        available,
        percent: if total > 0 {
            100.0 * used as f64 / total as f64
        } else {
            0.0
        },
        used,
        free: read("MemFree:"),
        active: read("Active:"),
        inactive: read("Inactive:"),
        buffers: read("Buffers:"),
        cached: read("Cached:"),
        shared: read("Shmem:"),
        slab: read("Slab:"),
    })
}
