//! The processes that cells have started and that end with the kernel: who they are, and the end of those whom Python could
//! not end. Asked by the io thread and, through `drupe/children.py`, by the teardown. Where there is no `/proc`, nobody is
//! seen.
//!
//! The kernel's business are the others in its process group. A process in a group or a session of its own was meant to
//! outlive the kernel, and so was an orphan that ignores SIGHUP, as under `nohup`. Nothing here waits; a look costs about
//! 1 µs for each process of the machine.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, getpgrp, getpid, getsid, kill_process};

/// A process: its number, and its start in the system's ticks, which no other process of that number has.
type Child = (i32, u64);

static NOTED: OnceLock<Vec<Child>> = OnceLock::new();

/// Notes the descendants in this process's group, before anything is interrupted: a shell that the interrupt ends makes
/// orphans of its children, which are nobody's descendants then. Where the kernel leads its session that is not needed.
pub fn note() {
    if !leads_session() {
        NOTED.get_or_init(|| {
            let group = group();
            let started = |pid| Some((pid, group.get(&pid)?.start));
            descendants(&group).into_iter().filter_map(started).collect()
        });
    }
}

/// The processes that end with this one, without the helpers that clean up behind their users.
pub fn ours() -> Vec<i32> {
    let group = group();
    let mut found = descendants(&group);
    for (pid, start) in NOTED.get().into_iter().flatten() {
        if group.get(pid).is_some_and(|stat| stat.start == *start) && !found.contains(pid) {
            found.push(*pid);
        }
    }
    if leads_session() {
        // Nobody comes into the group but by descent: whoever is no descendant any more is an orphan.
        let orphans = group.keys().filter(|pid| !found.contains(pid));
        let orphans: Vec<i32> = orphans
            .copied()
            .filter(|&pid| !outlives_its_session(pid))
            .collect();
        found.extend(orphans);
    }
    found.retain(|pid| !group.get(pid).is_some_and(|stat| is_helper(*pid, stat)));
    found
}

/// Asks them all to end.
pub fn ask() {
    for pid in ours() {
        send(pid, Signal::TERM);
        // One that was stopped hears of it only now.
        send(pid, Signal::CONT);
    }
}

/// Kills those who are left: who came too late to be asked, such as the workers by which a pool replaces those that end, or
/// could not be asked, since nobody got into Python.
pub fn kill() {
    for pid in ours() {
        tracing::info!("a child that has not ended is killed (pid {pid})");
        send(pid, Signal::KILL);
    }
}

fn send(pid: i32, signal: Signal) {
    // It fails where it is gone already.
    let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, signal));
}

/// Whether the kernel was started in a session of its own.
fn leads_session() -> bool {
    getsid(None).is_ok_and(|session| session == getpid()) && getpgrp() == getpid()
}

/// What `/proc/PID/stat` says.
struct Stat {
    parent: i32,
    start: u64,
}

impl Stat {
    fn of(pid: Pid) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace().skip(1);
        Some(Self {
            parent: fields.next()?.parse().ok()?,
            start: fields.nth(17)?.parse().ok()?,
        })
    }
}

/// Whether a process is in a group. The system says 0 where the group's leader is outside of this container, which rustix does not
/// expect.
fn is_in(pid: Pid, group: Pid) -> bool {
    // SAFETY: it takes a number and gives one.
    unsafe { libc::getpgid(pid.as_raw_nonzero().get()) == group.as_raw_nonzero().get() }
}

/// The other processes in this one's group.
fn group() -> BTreeMap<i32, Stat> {
    let (me, own) = (getpid(), getpgrp());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes: Vec<Pid> = processes
        .filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?))
        .filter(|&pid| pid != me && is_in(pid, own))
        .collect();
    // The folder is closed by now: a session that has used up its descriptors may have one, and no second.
    let stats = processes
        .into_iter()
        .filter_map(|pid| Some((pid, Stat::of(pid)?)));
    stats.map(|(pid, stat)| (Pid::as_raw(Some(pid)), stat)).collect()
}

fn descendants(group: &BTreeMap<i32, Stat>) -> Vec<i32> {
    let mut found = Vec::new();
    let mut above = vec![Pid::as_raw(Some(getpid()))];
    while let Some(parent) = above.pop() {
        let children = group.iter().filter(|(_, stat)| stat.parent == parent);
        let children: Vec<i32> = children.map(|(pid, _)| *pid).collect();
        found.extend(&children);
        above.extend(children);
    }
    found
}

/// Whether it ignores SIGHUP: `nohup`'s way to say that it is to stay when all else ends. Where the kernel ignores it, too, as
/// under a server that was started so, it has only inherited that.
fn outlives_its_session(pid: i32) -> bool {
    ignores_hangup(pid) && !ignores_hangup(Pid::as_raw(Some(getpid())))
}

fn ignores_hangup(pid: i32) -> bool {
    let ignored = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let ignored = ignored.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & (1 << (Signal::HUP.as_raw() - 1)) != 0)
}

/// Whether it is a resource tracker or a fork server of `multiprocessing` or its like (loky, multiprocess), which are known
/// by the code that they were told to run. They end when the last of their users has, and take away what was left behind,
/// such as shared memory. The workers of a fork server, which are copies of it, are no helpers.
fn is_helper(pid: i32, stat: &Stat) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let runs = |name: &str| line.windows(name.len()).any(|part| part == name.as_bytes());
    runs("resource_tracker import main")
        || (runs("forkserver import main") && stat.parent == Pid::as_raw(Some(getpid())))
}
