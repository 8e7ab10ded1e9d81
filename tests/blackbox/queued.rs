//! What waits behind a running cell: it is refused in one pass, it is bounded, and it is in nobody's way.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;

use crate::client::fixtures::resident_memory;
use crate::client::session::execute_content;
use crate::client::{Channel, Kernel, RequestId};

/// How long a `shutdown_reply` may take, whatever is queued: half of the time until the deadline, at which it comes in any case.
/// Whatever looks through the whole queue for each request in it takes longer behind a quarter of these.
const PROMPT: Duration = Duration::from_secs(1);

const MIB: usize = 1 << 20;

#[track_caller]
fn begin(kernel: &mut Kernel, code: &str) -> RequestId {
    let cell = kernel.send_execute(code);
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub_execute_input(&cell, code);
    cell
}

/// Comm messages to nobody with `size` bytes of buffers each.
fn send_comms(kernel: &Kernel, count: usize, size: usize) -> Vec<RequestId> {
    let buffer = Bytes::from(vec![7; size]);
    (0..count)
        .map(|n| {
            let mut message = kernel.outgoing("comm_msg", json!({"comm_id": "nobody", "data": {"n": n}}));
            message.buffers = vec![buffer.clone()];
            kernel.send(Channel::Shell, &message)
        })
        .collect()
}

/// Cells of `size` bytes.
fn send_executes(kernel: &Kernel, count: usize, size: usize) -> Vec<RequestId> {
    let code = format!("'{}'", "x".repeat(size));
    (0..count)
        .map(|_| kernel.send_request(Channel::Shell, "execute_request", execute_content(&code)))
        .collect()
}

/// Waits until the kernel has read what was sent on shell: a question that it answers beside the cell is behind it.
#[track_caller]
fn wait_until_read(kernel: &mut Kernel) {
    let request = kernel.send_request(Channel::Shell, "kernel_info_request", json!({}));
    kernel.recv_shell_reply(&request, "kernel_info_reply");
    kernel.recv_iopub_busy(&request);
    kernel.recv_iopub_idle(&request);
}

/// Asks for the end. Returns how long its reply took.
#[track_caller]
fn ask_for_the_end(kernel: &mut Kernel) -> Duration {
    let asked = Instant::now();
    let shutdown = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false}));
    kernel.recv_reply(Channel::Control, &shutdown, "shutdown_reply");
    asked.elapsed()
}

/// Takes everything that comes until the end. Every request has its idle, and its reply where it has one.
#[track_caller]
fn take_all(kernel: &mut Kernel, cell: &RequestId, requests: &[RequestId], replies: Option<&str>) {
    let mut idle = HashSet::new();
    loop {
        let message = kernel.recv(Channel::Iopub);
        if message.is_state("idle") {
            idle.extend(message.parent());
        }
        if message.msg_type() == "shutdown_reply" {
            break;
        }
    }
    let missing = requests.iter().filter(|request| !idle.contains(request)).count();
    assert_eq!(missing, 0, "of {} requests have no idle", requests.len());
    assert!(kernel.wait(Duration::from_secs(10)).success());
    let mut answers = HashMap::new();
    for reply in kernel.recv_to_end(Channel::Shell) {
        answers.insert(reply.parent().expect("a parent"), reply.status());
    }
    assert!(answers.remove(cell).is_some(), "the cell has its reply");
    for request in requests {
        assert_eq!(answers.get(request).map(String::as_str), replies);
    }
}

const SLEEP: &str = "import time; time.sleep(60)";

/// Plays an end behind which `queue` has put requests until its reply is prompt: what else this machine does can only make
/// it later.
#[track_caller]
fn assert_prompt(queue: impl Fn(&mut Kernel) -> Vec<RequestId>, replies: Option<&str>) {
    let mut times = Vec::new();
    for _ in 0..3 {
        let mut kernel = Kernel::start();
        let cell = begin(&mut kernel, SLEEP);
        let requests = queue(&mut kernel);
        times.push(ask_for_the_end(&mut kernel));
        take_all(&mut kernel, &cell, &requests, replies);
        if times.iter().any(|time| *time < PROMPT) {
            return;
        }
    }
    panic!("the replies took {times:?}");
}

/// The same behind requests that have been read.
#[track_caller]
fn are_refused_at_once(send: impl Fn(&Kernel) -> Vec<RequestId>, replies: Option<&str>) {
    let queue = |kernel: &mut Kernel| {
        let requests = send(kernel);
        wait_until_read(kernel);
        requests
    };
    assert_prompt(queue, replies);
}

#[test]
fn twenty_thousand_comm_messages_are_refused_at_once() {
    are_refused_at_once(|kernel| send_comms(kernel, 20_000, 0), None);
}

#[test]
fn five_thousand_cells_are_refused_at_once() {
    are_refused_at_once(|kernel| send_executes(kernel, 5_000, 10), Some("aborted"));
}

#[test]
fn sixty_megabytes_are_refused_at_once() {
    are_refused_at_once(|kernel| send_comms(kernel, 600, 100 << 10), None);
    are_refused_at_once(|kernel| send_executes(kernel, 600, 100 << 10), Some("aborted"));
}

#[test]
fn ten_thousand_cells_behind_a_failed_one_are_aborted_at_once() {
    let mut kernel = Kernel::start();
    let go = kernel.dir.path().join("go");
    let code = format!("import os, time\nwhile not os.path.exists({go:?}): time.sleep(0.01)\n1/0");
    let failing = begin(&mut kernel, &code);
    let queued = send_executes(&kernel, 10_000, 10);
    wait_until_read(&mut kernel);
    std::fs::write(go, "").expect("a file");
    assert_eq!(
        kernel.recv_shell_reply(&failing, "execute_reply").status(),
        "error"
    );
    let begun = Instant::now();
    for request in &queued {
        assert_eq!(
            kernel.recv_shell_reply(request, "execute_reply").status(),
            "aborted"
        );
    }
    let took = begun.elapsed();
    kernel.recv_outputs(&failing);
    for request in &queued {
        kernel.recv_iopub_busy(request);
        kernel.recv_iopub_idle(request);
    }
    kernel.assert_alive();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// A flood that nobody takes stops at the sockets. Control is answered, an interrupt gets through, and then everything
/// that waited is done.
#[test]
fn what_waits_is_bounded() {
    let mut kernel = Kernel::start();
    let cell = begin(&mut kernel, SLEEP);
    let before = resident_memory(kernel.pid());
    let requests = send_comms(&kernel, 400, MIB);
    // The kernel takes what it will; the rest is the client's.
    std::thread::sleep(Duration::from_secs(2));
    let grown = resident_memory(kernel.pid()).saturating_sub(before) as usize / MIB;
    assert!(grown < 160, "{grown} MiB for a flood of 400");
    for _ in 0..20 {
        let asked = Instant::now();
        kernel.request(Channel::Control, "kernel_info_request", json!({}));
        // Behind the flood it would come at the end of the cell, after a minute.
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
    kernel.request(Channel::Control, "interrupt_request", json!({}));
    assert_eq!(kernel.recv_shell_reply(&cell, "execute_reply").status(), "error");
    kernel.recv_outputs(&cell);
    for request in &requests {
        kernel.recv_iopub_busy(request);
        kernel.recv_iopub_idle(request);
    }
    kernel.assert_alive();
}

/// The same, and the end in place of an interrupt: those that were read are refused, and the reply waits for none of the
/// others.
#[test]
fn a_flood_that_stands_at_the_door_delays_no_end() {
    let flood = |kernel: &mut Kernel| {
        send_comms(kernel, 400, MIB);
        std::thread::sleep(Duration::from_secs(2));
        Vec::new()
    };
    assert_prompt(flood, None);
}

/// A cell that awaits a comm message gets it, though more waits in front of it than there is room for.
#[test]
fn a_cell_that_awaits_gets_its_message_through_a_flood() {
    let mut kernel = Kernel::start();
    let code = "import asyncio, time\nfrom comm import create_comm\ngot = asyncio.get_running_loop().create_future()\n\
                comm = create_comm(target_name='ask')\ncomm.on_msg(lambda message: got.set_result(message['content']['data']))\n\
                time.sleep(2)\nanswer = await asyncio.wait_for(got, 60)\nprint(answer)";
    let cell = begin(&mut kernel, code);
    let comm_id = kernel.recv_iopub(&cell, "comm_open").text("comm_id");
    send_comms(&kernel, 200, MIB);
    kernel.send_request(
        Channel::Shell,
        "comm_msg",
        json!({"comm_id": comm_id, "data": "tea"}),
    );
    let mut text = String::new();
    loop {
        let message = kernel.recv(Channel::Iopub);
        if message.msg_type() == "stream" {
            text.push_str(&message.text("text"));
        }
        if message.is_state("idle") && message.is_child_of(&cell) {
            break;
        }
    }
    assert_eq!(text, "tea\n");
    assert_eq!(kernel.recv_shell_reply(&cell, "execute_reply").status(), "ok");
}
