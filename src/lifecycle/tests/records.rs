//! The record of ends on a real disk.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::lifecycle::Trigger;
use crate::lifecycle::record::{Abandoned, ExitRecord, KEPT, Outcome, list};

fn exits(runtime: &tempfile::TempDir) -> PathBuf {
    runtime.path().join("drupe").join("exits")
}

fn record(time: &str) -> ExitRecord {
    ExitRecord {
        time: time.to_owned(),
        ..ExitRecord::begin(Trigger::ShutdownRequest, true)
    }
}

#[test]
fn what_is_written_is_read() {
    let runtime = tempfile::tempdir().expect("a folder");
    let mut record = ExitRecord::begin(Trigger::Terminate, false);
    record.begin_rung("tasks");
    record.end_rung(Outcome::Done, Duration::from_micros(1_500));
    record.begin_rung("threads");
    record.write(runtime.path());
    assert!(record.was_forced(), "so far it has not come to an end");
    record.end_rung(Outcome::Over, Duration::from_millis(500));
    record.abandoned.push(Abandoned {
        what: "thread".to_owned(),
        name: "worker \u{1f351}".to_owned(),
        stack: "File \"<cell>\", line 1".to_owned(),
    });
    record.status = Some(0);
    record.write(runtime.path());
    assert_eq!(list(runtime.path()).expect("records"), [record.clone()]);
    assert_eq!(record.trigger, "SIGTERM");
    assert_eq!(record.rungs[0].ms, 1.5);
    assert_eq!(record.rungs[0].outcome, Outcome::Done);
    assert!(record.was_forced());
}

#[test]
fn the_newest_are_kept_and_come_first() {
    let runtime = tempfile::tempdir().expect("a folder");
    for n in 0..KEPT + 5 {
        record(&format!("2026-01-01T00:00:{n:02}.000000Z")).write(runtime.path());
    }
    let records = list(runtime.path()).expect("records");
    assert_eq!(records.len(), KEPT);
    assert_eq!(
        records[0].time,
        format!("2026-01-01T00:00:{:02}.000000Z", KEPT + 4)
    );
    assert!(records.windows(2).all(|pair| pair[0].time > pair[1].time));
    assert_eq!(
        fs::read_dir(exits(&runtime)).expect("the folder").count(),
        KEPT,
        "no drafts are left"
    );
}

#[test]
fn what_is_no_record_is_left_out() {
    let runtime = tempfile::tempdir().expect("a folder");
    assert_eq!(list(runtime.path()).expect("none"), []);
    record("2026-01-01T00:00:00.000000Z").write(runtime.path());
    for (name, text) in [
        ("a.json", "{"),
        ("b.json", "[1]"),
        ("c.txt", "x"),
        ("z.json", "\u{0}"),
    ] {
        fs::write(exits(&runtime).join(name), text).expect("a file");
    }
    fs::create_dir(exits(&runtime).join("folder.json")).expect("a folder");
    assert_eq!(list(runtime.path()).expect("records").len(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_no_error() {
    let runtime = tempfile::tempdir().expect("a folder");
    fs::write(runtime.path().join("drupe"), "a file where the folder should be").expect("a file");
    record("2026-01-01T00:00:00.000000Z").write(runtime.path());
}

#[test]
fn the_time_sorts_as_text() {
    let record = ExitRecord::begin(Trigger::AskExit, false);
    assert_eq!(
        record.time.len(),
        "2026-01-01T00:00:00.000000Z".len(),
        "{}",
        record.time
    );
    assert!(record.time.parse::<jiff::Timestamp>().is_ok());
}
