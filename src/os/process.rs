//! Processes: this one's end, its parent, its children.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;

use rustix::process::{Pid, Signal};

/// Ends the process at once: no destructor, no atexit function, no flush of anything. Async-signal-safe.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit takes a number and does not return.
    unsafe { libc::_exit(status) }
}

/// The number of the parent, which is another one when that has died; 0 where it cannot be seen.
pub fn parent() -> i32 {
    Pid::as_raw(rustix::process::getppid())
}

/// The number of a process's parent. `None` where there is no such process, or the system does not tell.
pub fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

/// The numbers of all processes. None where the system does not tell.
pub fn all() -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    processes.filter_map(number).collect()
}

/// The words of a process's command line. None where there is no such process, or the system does not tell.
pub fn words_of(pid: i32) -> Vec<String> {
    strings(&format!("/proc/{pid}/cmdline"))
}

/// A variable of the environment that a process of this user was started with. `None` where there is none, or the system does
/// not tell.
pub fn variable_of(pid: i32, name: &str) -> Option<String> {
    let mut variables = strings(&format!("/proc/{pid}/environ")).into_iter();
    variables.find_map(|variable| Some(variable.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

/// The strings of a file in which each ends with a zero.
fn strings(file: &str) -> Vec<String> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// The number of the user that this process runs as.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether there is a process of that number, of whomever.
pub fn exists(pid: i32) -> bool {
    let Some(pid) = Pid::from_raw(pid) else {
        return false;
    };
    match rustix::process::test_kill_process(pid) {
        Ok(()) | Err(rustix::io::Errno::PERM) => true,
        Err(_) => false,
    }
}

/// A descriptor that becomes readable when the process of that number ends.
///
/// # Errors
/// There is no such process, or the system has no such descriptors.
#[cfg(target_os = "linux")]
pub fn watch(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::pidfd_open(
        pid,
        rustix::process::PidfdFlags::empty(),
    )?)
}

/// Other systems have no such descriptors: the caller looks by itself.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn watch(_: i32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Interrupts this process's whole group where it leads one, itself included, as a terminal would; true when it does.
pub fn interrupt_own_group() -> bool {
    let leads = rustix::process::getpgrp() == rustix::process::getpid();
    if leads {
        // It cannot fail: this process is one of those that get it.
        let _ = rustix::process::kill_current_process_group(Signal::INT);
    }
    leads
}

/// Kills the group that a child leads. The child must not have been waited for: until then its number is nobody else's.
pub fn kill_group(leader: u32) {
    if let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        // It fails where everybody is gone already.
        let _ = rustix::process::kill_process_group(leader, Signal::KILL);
    }
}

/// Has the system kill the child of `command` when the thread that starts it ends, as at the end of this process. Where the
/// system cannot, the child must notice by itself, by the end of its input.
pub fn end_with_parent(command: &mut Command) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        let starter = rustix::process::getpid();
        // SAFETY: between fork and exec only two system calls are made, which are async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                // Of a parent that has died before this nothing is heard any more.
                match rustix::process::getppid() == Some(starter) {
                    true => Ok(()),
                    false => Err(io::ErrorKind::NotFound.into()),
                }
            });
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// The calling thread goes after everybody else's for the processors, where priority is a thread's own.
pub fn be_last() {
    // It cannot be refused: anybody may be nicer.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
}

/// How many descriptors this process may have open now.
pub fn most_descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    // No number is no limit.
    limit
        .current
        .map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}
