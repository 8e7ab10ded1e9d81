//! What processes and the machine use, as Linux tells it in `/proc`. On a system without one, nothing is known and that is
//! what is said.

use std::collections::HashMap;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

/// A machine's memory in bytes, under the names that psutil gives on Linux.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct HostMemory {
    /// All there is.
    pub total: u64,
    /// What could be had without swapping.
    pub available: u64,
    /// What is in use, in percent of the total.
    pub percent: f64,
    /// In use.
    pub used: u64,
    /// Not used for anything.
    pub free: u64,
    /// Used of late.
    pub active: u64,
    /// Not used of late.
    pub inactive: u64,
    /// File system buffers.
    pub buffers: u64,
    /// File system cache.
    pub cached: u64,
    /// Shared between processes.
    pub shared: u64,
    /// The system's own tables.
    pub slab: u64,
}

/// The machine's name; empty where it is not known.
pub fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The process and all that descend from it.
pub fn with_descendants(root: u32) -> Vec<u32> {
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

/// The memory of these processes in bytes, pages that they share counted in part.
pub fn memory(processes: &[u32]) -> Option<u64> {
    Some(processes.iter().filter_map(|pid| memory_of(*pid)).sum()).filter(|sum| *sum > 0)
}

/// Proportional set size, else resident set size.
fn memory_of(pid: u32) -> Option<u64> {
    let pss = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .ok()
        .and_then(|text| kib(&text, "Pss:"));
    let rss = || {
        fs::read_to_string(format!("/proc/{pid}/status"))
            .ok()
            .and_then(|text| kib(&text, "VmRSS:"))
    };
    pss.or_else(rss)
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
pub fn cpu_percent(processes: &[u32]) -> Option<f64> {
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
pub fn host_cpu_percent() -> Option<f64> {
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

/// The machine's memory.
pub fn host_memory() -> Option<HostMemory> {
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
