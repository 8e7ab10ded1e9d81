//! `shutdown_request`: the reply is the last thing said, on every door, and then the process is gone.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::client::{Channel, Kernel, Message};

/// Everything on iopub until the process has ended.
fn last_words(kernel: &mut Kernel) -> Vec<Message> {
    let status = kernel.wait(Duration::from_secs(10));
    assert!(status.success(), "{status}\n{}", kernel.log());
    kernel.recv_to_end(Channel::Iopub)
}

fn types(messages: &[Message]) -> Vec<String> {
    messages.iter().map(Message::msg_type).collect()
}

#[test]
fn idle_on_control_and_on_shell() {
    for channel in [Channel::Control, Channel::Shell] {
        for restart in [false, true] {
            let mut kernel = Kernel::start();
            kernel.assert_alive();
            let content = json!({"restart": restart});
            let request = kernel.send_request(channel, "shutdown_request", content.clone());
            let reply = kernel.recv_reply(channel, &request, "shutdown_reply");
            assert_eq!(reply.content, json!({"status": "ok", "restart": restart}));
            let words = last_words(&mut kernel);
            let broadcast = words
                .iter()
                .filter(|message| message.msg_type() == "shutdown_reply");
            assert_eq!(broadcast.count(), 1, "{:?}", types(&words));
            for message in &words {
                assert!(message.is_child_of(&request), "{}", message.summary());
            }
            assert!(words.first().is_some_and(|message| message.is_state("busy")));
        }
    }
}

#[test]
fn before_python_is_up() {
    let mut kernel = Kernel::start();
    kernel.shutdown(Channel::Control);
}

/// A cell runs, and does not want to end.
#[test]
fn busy() {
    for code in [
        "import time\nprint('ready', flush=True)\ntime.sleep(60)",
        "print('ready', flush=True)\nwhile True: pass",
        "import asyncio\nprint('ready', flush=True)\nawait asyncio.sleep(60)",
        "import time\nprint('ready', flush=True)\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass",
    ] {
        let mut kernel = Kernel::start();
        let cell = kernel.send_execute(code);
        kernel.recv_iopub_busy(&cell);
        kernel.recv_iopub_execute_input(&cell, code);
        kernel.recv_iopub_stream(&cell, "stdout", "ready\n");
        let request = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false}));
        let reply = kernel.recv_reply(Channel::Control, &request, "shutdown_reply");
        assert_eq!(reply.status(), "ok");
        let words = last_words(&mut kernel);
        let at = words
            .iter()
            .position(|message| message.msg_type() == "shutdown_reply");
        let after = &words[at.expect("the reply on iopub") + 1..];
        assert!(
            after.iter().all(|message| message.is_state("idle")),
            "{:?}",
            types(&words)
        );
        // The cell's own reply, if there was time for one, is an error or aborted.
        for reply in kernel.recv_to_end(Channel::Shell) {
            assert_ne!(reply.status(), "ok", "{}", reply.summary());
        }
    }
}

#[test]
fn queued_requests_are_answered() {
    let mut kernel = Kernel::start();
    let code = "import time\nprint('ready', flush=True)\ntime.sleep(60)";
    let cell = kernel.send_execute(code);
    let queued = [(); 3].map(|()| kernel.send_execute("print('must not run')"));
    let inspect = kernel.send_request(
        Channel::Shell,
        "inspect_request",
        json!({"code": "print", "cursor_pos": 5}),
    );
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub_execute_input(&cell, code);
    kernel.recv_iopub_stream(&cell, "stdout", "ready\n");
    kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    let request = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false}));
    kernel.recv_reply(Channel::Control, &request, "shutdown_reply");
    let words = last_words(&mut kernel);
    let replies = kernel.recv_to_end(Channel::Shell);
    for request in &queued {
        let reply = replies
            .iter()
            .find(|reply| reply.is_child_of(request))
            .expect("a reply");
        assert_eq!(reply.status(), "aborted");
        let idle = |message: &&Message| message.is_state("idle") && message.is_child_of(request);
        assert_eq!(words.iter().filter(idle).count(), 1);
    }
    let reply = replies
        .iter()
        .find(|reply| reply.is_child_of(&inspect))
        .expect("a reply");
    assert_eq!(reply.status(), "error");
    assert!(!types(&words).contains(&"stream".to_owned()));
}

#[test]
fn output_of_atexit_comes_before_the_reply() {
    let mut kernel = Kernel::start();
    kernel.run("import atexit\natexit.register(print, 'last words')");
    let request = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false}));
    kernel.recv_reply(Channel::Control, &request, "shutdown_reply");
    let words = last_words(&mut kernel);
    let at = |wanted: &str| words.iter().position(|message| message.msg_type() == wanted);
    let (said, replied) = (at("stream"), at("shutdown_reply"));
    assert!(said.is_some() && said < replied, "{:?}", types(&words));
    assert_eq!(words[said.expect("just seen")].text("text"), "last words\n");
}

#[test]
fn twice_is_answered_twice() {
    let mut kernel = Kernel::start();
    let code = "import time\nprint('ready', flush=True)\ntime.sleep(60)";
    let cell = kernel.send_execute(code);
    kernel.recv_iopub_busy(&cell);
    let requests = [(); 2]
        .map(|()| kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false})));
    for request in &requests {
        kernel.recv_reply(Channel::Control, request, "shutdown_reply");
    }
    last_words(&mut kernel);
    kernel.recv_to_end(Channel::Shell);
}

#[test]
fn by_signal() {
    let mut kernel = Kernel::start();
    kernel.run("import atexit, pathlib\npath = pathlib.Path.cwd()");
    let mark = kernel.dir.path().join("atexit-ran");
    kernel.run(&format!("atexit.register(pathlib.Path({mark:?}).touch)"));
    kernel.signal(Signal::TERM);
    last_words(&mut kernel);
    assert!(mark.exists());
}

/// Whoever keeps a connection open after the end gets nothing more and delays nothing.
#[test]
fn with_other_clients_connected() {
    let mut kernel = Kernel::start();
    let others: Vec<_> = (0..5).map(|_| kernel.connect()).collect();
    kernel.shutdown(Channel::Control);
    drop(others);
}

#[test]
fn with_a_client_that_never_reads() {
    let mut kernel = Kernel::start();
    let mut deaf = crate::client::raw::RawPeer::connect(kernel.connection.iopub);
    deaf.handshake("SUB", b"");
    deaf.message(&[b"\x01"]);
    kernel
        .execute("for i in range(10_000): print('x' * 1000)")
        .assert_ok();
    kernel.shutdown(Channel::Control);
}

/// The newest record of an end, as the command line tells it.
fn last_exit(kernel: &Kernel) -> serde_json::Value {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_drupe"))
        .args(["last-exit", "--json"])
        .env("JUPYTER_RUNTIME_DIR", kernel.dir.path().join("runtime"))
        .output()
        .expect("drupe runs");
    let mut records: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    records[0].take()
}

/// Tasks that do not end are named with the line where they wait: those that swallow their cancellation, and those of a loop whose
/// thread never comes back from its cell.
#[test]
fn the_record_names_the_tasks_that_were_left() {
    let tasks = "import asyncio, time\n\
                 async def inner():\n    await asyncio.sleep(1e6)\n\
                 async def stubborn():\n    while True:\n        try:\n            await inner()\n        \
                 except asyncio.CancelledError:\n            pass\n\
                 task = asyncio.create_task(stubborn(), name='left')\n\
                 await asyncio.sleep(0)\n\
                 print('runs', flush=True)\n";
    let stuck = "while True:\n    try:\n        time.sleep(1)\n    except KeyboardInterrupt:\n        pass\n";
    for code in [tasks.to_owned(), tasks.to_owned() + stuck] {
        let mut kernel = Kernel::start();
        let cell = kernel.send_execute(&code);
        kernel.recv_iopub_busy(&cell);
        kernel.recv_iopub_execute_input(&cell, &code);
        kernel.recv_iopub_stream(&cell, "stdout", "runs\n");
        let request = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false}));
        kernel.recv_reply(Channel::Control, &request, "shutdown_reply");
        last_words(&mut kernel);
        // The cell's own reply, if there was time for one.
        kernel.recv_to_end(Channel::Shell);
        let record = last_exit(&kernel);
        let found = record["abandoned"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|left| left["what"] == "task");
        let found = found.unwrap_or_else(|| panic!("no task: {record}"));
        assert_eq!(found["name"], "left");
        let stack = found["stack"].as_str().unwrap_or_default();
        assert!(
            stack.contains("line 7, in stubborn") && stack.contains("line 3, in inner"),
            "{stack}"
        );
    }
}

/// What a forced end left behind is said on stderr before the reply, and kept for `drupe last-exit`.
#[test]
fn a_forced_end_is_told_and_kept() {
    let mut kernel = Kernel::start();
    let cell = "import threading, time\n\
                threading.Thread(target=time.sleep, args=(60,), name='sleeper').start()";
    assert_eq!(kernel.run(cell), "");
    let request = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": true}));
    kernel.recv_reply(Channel::Control, &request, "shutdown_reply");
    let words = last_words(&mut kernel);
    let told: String = words
        .iter()
        .filter(|message| message.msg_type() == "stream")
        .filter_map(|message| message.content["text"].as_str())
        .collect();
    assert!(told.contains("thread sleeper"), "{told:?}");
    assert_eq!(
        words.last().map(Message::msg_type).as_deref(),
        Some("shutdown_reply")
    );
    let record = last_exit(&kernel);
    assert_eq!(record["pid"], kernel.pid());
    assert_eq!(record["restart"], true);
    assert_eq!(record["status"], 0);
    assert_eq!(record["abandoned"][0]["name"], "sleeper");
    assert!(
        record["rungs"].as_array().is_some_and(|rungs| rungs.len() >= 5),
        "{record}"
    );
}

/// A folder on a file system that hangs, as a stale network mount does: whoever opens a file in it never comes back.
#[test]
fn a_runtime_folder_that_hangs_keeps_no_kernel() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let exits = kernel.dir.path().join("runtime/drupe/exits");
    std::fs::create_dir_all(&exits).expect("the folder of the records");
    // The record is written under this name first, and nobody reads from this pipe.
    let draft = exits.join(format!(".{}.draft", kernel.pid()));
    let made = std::process::Command::new("mkfifo").arg(&draft).status();
    assert!(made.expect("mkfifo runs").success());
    let began = Instant::now();
    kernel.shutdown(Channel::Control);
    let took = began.elapsed();
    assert!(took < Duration::from_millis(1500), "it took {took:?}");
    assert!(
        kernel.log().contains("could not be written in time"),
        "{}",
        kernel.log()
    );
}

/// What a record says of the rungs, in order: their names and what came of them.
fn rungs(kernel: &Kernel) -> Vec<String> {
    let exits = kernel.dir.path().join("runtime/drupe/exits");
    let files = std::fs::read_dir(exits).expect("the folder of the records");
    let paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    let [path] = &paths[..] else {
        panic!("one record, and no draft: {paths:?}")
    };
    let text = std::fs::read_to_string(path).expect("a record");
    let record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let rungs = record["rungs"].as_array().expect("rungs");
    let word = |rung: &serde_json::Value, key: &str| rung[key].as_str().expect("a word").to_owned();
    rungs
        .iter()
        .map(|rung| word(rung, "name") + " " + &word(rung, "outcome"))
        .collect()
}

#[test]
fn the_record_tells_how_each_rung_ended() {
    let mut kernel = Kernel::start();
    kernel.run("import threading, time\nthreading.Thread(target=time.sleep, args=(0.3,)).start()");
    let request = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false}));
    kernel.recv_reply(Channel::Control, &request, "shutdown_reply");
    last_words(&mut kernel);
    let all = [
        "tasks done",
        "threads done",
        "atexit done",
        "flush done",
        "gate done",
        "reply done",
    ];
    assert_eq!(rungs(&kernel), all, "the thread was waited for, and ended");
}

/// A helper does in its time what the main thread does not come to. On a busy machine its thread may come too late, so the best
/// of some plays counts.
#[test]
fn the_record_tells_of_a_cell_that_was_given_up() {
    let wanted = [
        "interrupt over",
        "attach done",
        "threads done",
        "atexit done",
        "flush done",
        "gate done",
        "reply done",
    ];
    let mut told = Vec::new();
    for _ in 0..3 {
        let mut kernel = Kernel::start();
        // "ready" is said inside the `try`: an interrupt that came between the two would end the cell.
        let code = "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\nexcept BaseException: pass\n\
                    while True:\n    try: time.sleep(60)\n    except BaseException: pass";
        let cell = kernel.send_execute(code);
        kernel.recv_iopub_busy(&cell);
        kernel.recv_iopub_execute_input(&cell, code);
        kernel.recv_iopub_stream(&cell, "stdout", "ready\n");
        let request = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false}));
        kernel.recv_reply(Channel::Control, &request, "shutdown_reply");
        last_words(&mut kernel);
        kernel.recv_to_end(Channel::Shell);
        told.push(rungs(&kernel));
        if told.iter().any(|rungs| *rungs == wanted) {
            return;
        }
    }
    panic!("{told:?}");
}
