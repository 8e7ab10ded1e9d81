//! A stderr that nobody reads, and those who would have the kernel write to it without end.

use std::io::Read;
use std::time::Duration;

use serde_json::json;

use crate::client::{Channel, Kernel};

/// Sends messages with a wrong signature.
fn forge(kernel: &Kernel, count: usize) {
    let forged = kernel
        .outgoing("kernel_info_request", json!({}))
        .seal(b"another key");
    for _ in 0..count {
        kernel.send_frames(Channel::Shell, forged.clone());
    }
}

/// At each level, down to the one at which every message makes several lines.
#[test]
fn a_full_pipe_changes_nothing() {
    for level in ["warn", "trace"] {
        let mut kernel = Kernel::builder().env("DRUPE_LOG", level).deaf().start();
        kernel.assert_alive();
        forge(&kernel, 5000);
        kernel.request(Channel::Control, "kernel_info_request", json!({}));
        assert_eq!(kernel.execute("6 * 7").result(), "42");
        // Python logs, too, with the GIL in its hand.
        kernel.run(
            "from drupe import _drupe\nfor n in range(5000): _drupe.log('error', f'line {n} ' + 'x' * 100)",
        );
        assert_eq!(kernel.execute("6 * 7").result(), "42");
        assert_eq!(kernel.heartbeat(b"still there?"), [&b"still there?"[..]]);
        kernel.shutdown(Channel::Control);
    }
}

/// A child of the kernel, forked while the pipe is full, logs and goes on.
#[test]
fn a_forked_child_does_not_hang_in_the_log() {
    let mut kernel = Kernel::builder().env("DRUPE_LOG", "trace").deaf().start();
    kernel.assert_alive();
    forge(&kernel, 5000);
    kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    let code = "import os\n\
                from drupe import _drupe\n\
                children = []\n\
                for _ in range(20):\n\
                \x20   child = os.fork()\n\
                \x20   if child == 0:\n\
                \x20       _drupe.log('error', 'a line of the child')\n\
                \x20       os._exit(7)\n\
                \x20   children.append(child)\n\
                [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [7] * 20";
    assert_eq!(kernel.execute(code).result(), "True");
}

#[test]
fn what_is_said_again_and_again_is_a_few_lines_and_their_number() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    forge(&kernel, 5000);
    kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    kernel.shutdown(Channel::Control);
    let log = kernel.log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("on shell was dropped"))
        .collect();
    assert!((2..20).contains(&lines.len()), "{log}");
    let more: usize = lines
        .iter()
        .filter_map(|line| {
            line.rsplit_once('(')?
                .1
                .split_once(" more like this")?
                .0
                .parse::<usize>()
                .ok()
        })
        .sum();
    let said = lines
        .iter()
        .filter(|line| !line.contains("more like this"))
        .count();
    assert_eq!(more + said, 5000, "{log}");
}

/// What is said at the very end is in the pipe when the process is gone: here the forced end, and what was left out.
#[test]
fn the_last_lines_are_written() {
    for _ in 0..5 {
        let mut kernel = Kernel::builder().deaf().start();
        let cell = "import threading, time\n\
                    threading.Thread(target=time.sleep, args=(60,), name='sleeper').start()";
        assert_eq!(kernel.run(cell), "");
        let request = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false}));
        kernel.recv_reply(Channel::Control, &request, "shutdown_reply");
        assert!(kernel.wait(Duration::from_secs(10)).success());
        kernel.recv_to_end(Channel::Iopub);
        let mut log = String::new();
        kernel.unread().read_to_string(&mut log).expect("text");
        assert!(log.contains("thread sleeper"), "{log:?}");
    }
}
