//! Forks of the kernel itself that were made after its children were dealt with: `multiprocessing.Pool`, for one, replaces
//! a worker that is told to end. Such a copy of the process, often stuck in a lock that a thread of ours held, would stay
//! for ever. Asked on the io thread, right before the process ends; needs no Python.

use std::fs;

use rustix::process::{Pid, Signal, getpid, kill_process};

use super::children;

/// Kill the direct children in this process's group that have never become another program.
pub fn kill() {
    if !children::any() {
        return;
    }
    let Ok(own) = fs::read("/proc/self/cmdline") else {
        return;
    };
    let me = Pid::as_raw(Some(getpid()));
    for (pid, stat) in children::group() {
        let is_fork =
            stat.parent == me && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == own);
        if is_fork {
            tracing::info!("a fork that came too late to be told to end is killed (pid {pid})");
            // The child is ours and not reaped: its number is nobody else's.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
