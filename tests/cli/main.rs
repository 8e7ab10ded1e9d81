//! The `drupe` command from outside: choosing a Python, refusing one, `install`, `uninstall`, `doctor`.
//!
//! Most tests run a stand-in for Python, a shell script that answers the probe as it is told to, so that every kind
//! of Python can be shown on every machine. Those that need a real one use `.venv` (or `DRUPE_TEST_PYTHON`), and the
//! core that `make build` made.

#![allow(clippy::unwrap_used)] // a test may

mod doctor;
mod install;
mod python;
mod world;

use world::{World, refuses, run, succeeds};

#[test]
fn help_and_version() {
    let world = World::new();
    assert!(succeeds(&mut world.drupe(&["--version"])).starts_with("drupe "));
    assert!(succeeds(&mut world.drupe(&["--help"])).contains("install"));
    assert!(succeeds(&mut world.drupe(&["run", "--help"])).contains("--shutdown-timeout"));
    assert!(succeeds(&mut world.drupe(&["-f", "x", "--help"])).contains("--shutdown-timeout"));
}

#[test]
fn wrong_usage_ends_with_2() {
    let world = World::new();
    refuses(&mut world.drupe(&["-f"]), 2, &["-f", "needs a value"]);
    refuses(
        &mut world.drupe(&["run", "--transport=udp"]),
        2,
        &["udp", "tcp or ipc"],
    );
    refuses(
        &mut world.drupe(&["--shutdown-timeout", "soon"]),
        2,
        &["soon", "seconds"],
    );
    let (code, _, stderr) = run(&mut world.drupe(&["instal"]));
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("install"),
        "a mistyped command is named: {stderr}"
    );
    let (code, _, _) = run(&mut world.drupe(&["install", "--user", "--sys-prefix"]));
    assert_eq!(code, Some(2));
}

/// Editors ask every program that a kernelspec names what Python it is.
#[test]
fn what_is_meant_for_python_starts_nothing() {
    let world = World::new();
    let python = world.python("python", &world.suitable());
    for words in [
        ["-c", "import sys"].as_slice(),
        &["-m", "ipykernel_launcher", "-f", "x"],
        &["-I", "/tmp/probe.py"],
        &["-Im", "venv"],
        &["-Wdefault", "-c", "pass"],
        &["-X", "utf8"],
        &["/tmp/probe.py"],
        &["probe.py", "-f", "x"],
        &["run", "-c", "pass"],
    ] {
        let mut command = world.drupe(words);
        command.args(["--python", &python]);
        refuses(&mut command, 2, &["is for Python", "nothing was started"]);
    }
}

/// `drupe … | head -1`: the reader is gone before the command has said all, and the command has not failed.
#[test]
fn a_reader_that_has_seen_enough() {
    let world = World::new();
    let python = world.python("python", &world.suitable());
    let python = ["--python", python.as_str()];
    for (words, more) in [
        (["--help"].as_slice(), [].as_slice()),
        (&["--version"], &[]),
        (&["last-exit"], &[]),
        (&["last-exit", "--json"], &[]),
        (&["doctor"], &python),
        (&["doctor", "--json"], &python),
        (&["install"], &python),
        (&["uninstall"], &[]),
        (&["lsp", "--help"], &[]),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = world.drupe(&[words, more].concat());
        let child = command
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .spawn();
        let output = child.unwrap().wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), stderr.as_str()),
            (Some(0), ""),
            "{words:?}"
        );
    }
}
