//! The queue with a pipe behind it that is read, or is not.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

use super::*;

/// A log into a pipe, and the other end.
fn log() -> (&'static Log, File) {
    let (read, write) = std::io::pipe().expect("a pipe");
    let fd = OwnedFd::from(write).into_raw_fd();
    // SAFETY: nobody closes it.
    let to = unsafe { BorrowedFd::borrow_raw(fd) };
    (Log::new(to), File::from(OwnedFd::from(read)))
}

/// Reads lines until they are `enough`, in whole lines.
fn lines_until(read: &mut File, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
    let (mut got, mut buffer) = (Vec::new(), [0; 65536]);
    loop {
        let all = String::from_utf8_lossy(&got);
        let lines: Vec<String> = all.lines().map(str::to_owned).collect();
        if all.ends_with('\n') && enough(&lines) {
            return lines;
        }
        assert!(
            descriptor::readable(read.as_fd(), Duration::from_secs(10)),
            "nothing more came behind {} lines",
            lines.len()
        );
        let count = read.read(&mut buffer).expect("more");
        got.extend_from_slice(&buffer[..count]);
    }
}

/// Lines of which one has `text` in it.
fn with(text: &str) -> impl Fn(&[String]) -> bool {
    move |lines| lines.iter().any(|line| line.contains(text))
}

#[test]
fn lines_come_out_in_order_with_their_time() {
    let (log, mut read) = log();
    for number in 0..100 {
        log.line(None, format!("line {number}\n").as_bytes());
    }
    let lines = lines_until(&mut read, with("line 99"));
    assert_eq!(lines.len(), 100);
    for (number, line) in lines.iter().enumerate() {
        let (time, text) = line.split_once(' ').expect("a time and a line");
        assert_eq!(text, format!("line {number}"));
        time.parse::<Timestamp>().expect("a time");
    }
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_nobody_and_what_is_lost_is_told() {
    let (log, mut read) = log();
    let line = format!("{}\n", "x".repeat(999));
    let began = Instant::now();
    for _ in 0..10_000 {
        log.line(None, line.as_bytes());
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let began = Instant::now();
    log.flush(Duration::from_secs(60));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    // What is lost is told each time that the thread takes what waits.
    let lost = |line: &String| -> Option<usize> {
        let (before, _) = line.split_once(" lines were lost")?;
        before.rsplit(' ').next()?.parse().ok()
    };
    lines_until(&mut read, |lines| {
        let written = lines.iter().filter(|line| line.contains("xxx")).count();
        let lost: usize = lines.iter().filter_map(lost).sum();
        assert!(written + lost <= 10_000, "{written} and {lost}");
        lost > 0 && written + lost == 10_000
    });
    log.line(None, b"and on it goes\n");
    lines_until(&mut read, with("and on it goes"));
}

#[test]
fn what_was_said_last_is_written_before_the_end() {
    for _ in 0..200 {
        let (log, mut read) = log();
        log.line(None, b"last words\n");
        log.flush(Duration::from_secs(1));
        // Without waiting for anybody: it is in the pipe.
        let mut buffer = [0; 100];
        assert!(descriptor::readable(read.as_fd(), Duration::ZERO));
        let count = read.read(&mut buffer).expect("it");
        assert!(buffer[..count].ends_with(b" last words\n"));
    }
}

/// It has taken the line out of the queue, and comes to its write later.
#[test]
fn the_end_waits_for_whoever_is_about_to_write() {
    let (log, _read) = log();
    log.lock().writing = true;
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| log.flush(Duration::from_secs(60)));
        std::thread::sleep(UNREAD * 10);
        assert!(!flush.is_finished());
        log.lock().writing = false;
        log.written.notify_all();
    });
}

#[test]
fn a_forked_child_logs_without_the_thread_and_without_the_lock() {
    let (log, mut read) = log();
    log.line(None, b"the parent's\n");
    lines_until(&mut read, with("the parent's"));
    let held = log.lock();
    // SAFETY: the child writes one line and ends; it takes no lock and allocates nothing.
    let child = unsafe { libc::fork() };
    if child == 0 {
        log.line(None, b"the child's\n");
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    assert_eq!(lines_until(&mut read, with("the child's")), ["the child's"]);
    drop(held);
    let mut status = 0;
    // SAFETY: waits for the child that was just made.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0);
}
