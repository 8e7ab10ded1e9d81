//! The child processes of the kernel that belong to its process group, and who they were when its end began. Asked by the
//! io thread at the end; needs no Python. Where there is no `/proc`, nobody is seen.

use std::fs;
use std::sync::OnceLock;

use rustix::process::{Pid, WaitId, WaitIdOptions, getpgid, getpgrp, getpid, getsid, waitid};

/// A process: its number, and its start in the system's ticks, which no other process of that number has.
pub type Child = (i32, u64);

static NOTED: OnceLock<Vec<Child>> = OnceLock::new();

/// Notes the descendants in this process's group, before anything is interrupted: a shell that the interrupt ends makes
/// orphans of its children, which are nobody's descendants then. Where the kernel leads a session of its own that is not
/// needed: there, whoever is in the group is a descendant (see `drupe/children.py`). About 1 µs for each process of the
/// machine.
pub fn note() {
    let leads = getsid(None).is_ok_and(|session| session == getpid());
    if !leads && any() {
        NOTED.get_or_init(descendants);
    }
}

/// Those who were noted.
pub fn noted() -> &'static [Child] {
    NOTED.get().map_or(&[], Vec::as_slice)
}

/// Whether there is any child, one that has ended and was not waited for included.
pub(super) fn any() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, look).is_ok()
}

/// The processes in this one's group, with what the system says of them.
pub(super) fn group() -> impl Iterator<Item = (Pid, Stat)> {
    let own = getpgrp();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?))
        .filter(move |&pid| getpgid(Some(pid)) == Ok(own))
        .filter_map(|pid| Some((pid, Stat::of(pid)?)))
}

/// What `/proc/PID/stat` says.
pub(super) struct Stat {
    /// The number of the parent.
    pub(super) parent: i32,
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

fn descendants() -> Vec<Child> {
    let all: Vec<_> = group().collect();
    let mut found = Vec::new();
    let mut above = vec![Pid::as_raw(Some(getpid()))];
    while let Some(parent) = above.pop() {
        for (pid, stat) in all.iter().filter(|(_, stat)| stat.parent == parent) {
            let pid = Pid::as_raw(Some(*pid));
            found.push((pid, stat.start));
            above.push(pid);
        }
    }
    found
}
