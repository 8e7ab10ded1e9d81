//! Forks of the kernel itself that were made after its children were dealt with: `multiprocessing.Pool`, for one, replaces
//! a worker that is told to end. Such a copy of the process, often stuck in a lock that a thread of ours held, would stay
//! for ever. Asked on the io thread, right before the process ends; needs no Python.

use std::fs;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Kill the direct children in this process's group that have never become another program.
pub fn kill() {
    if !any_children() {
        return;
    }
    let me = std::process::id();
    let Some((_, group)) = parent_and_group("self") else {
        return;
    };
    let Ok(own) = fs::read("/proc/self/cmdline") else {
        return;
    };
    let Ok(processes) = fs::read_dir("/proc") else {
        return;
    };
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let is_fork = parent_and_group(&pid.to_string()) == Some((me, group))
            && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == own);
        if is_fork {
            tracing::info!("a fork that came too late to be told to end is killed (pid {pid})");
            // The child is ours and not reaped: its number is nobody else's.
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

/// Whether there is any child, one that has ended and was not waited for included.
fn any_children() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, look).is_ok()
}

/// The parent's number and the group of a process.
fn parent_and_group(process: &str) -> Option<(u32, i32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
