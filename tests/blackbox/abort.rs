//! `stop_on_error`: an error aborts the execute requests that were queued behind it, and nothing else.

use serde_json::json;

use crate::client::session::execute_content;
use crate::client::{Channel, Client, Kernel, RequestId};

#[track_caller]
fn assert_aborted(kernel: &mut Client, request: &RequestId) {
    let reply = kernel.recv_shell_reply(request, "execute_reply");
    assert_eq!(reply.status(), "aborted", "{}", reply.summary());
    kernel.recv_iopub_busy(request);
    kernel.recv_iopub_idle(request);
}

/// A cell that fails when it is told to: by then, what is to be queued behind it has been read.
fn failing(kernel: &Kernel) -> String {
    let go = kernel.dir.path().join("go");
    format!("import os, time\nwhile not os.path.exists({go:?}): time.sleep(0.01)\n1/0")
}

/// Tells it to.
fn fail(kernel: &Kernel) {
    std::fs::write(kernel.dir.path().join("go"), "").expect("a file");
}

#[test]
fn queued_executes_are_aborted_and_answered() {
    let mut kernel = Kernel::start();
    let code = failing(&kernel);
    let failing = kernel.send_execute(&code);
    kernel.recv_iopub_busy(&failing);
    kernel.recv_iopub_execute_input(&failing, &code);
    let queued = [(); 3].map(|()| kernel.send_execute("print('must not run')"));
    // Its answer shows that what was sent before it has been read.
    kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    fail(&kernel);
    assert_eq!(kernel.finish_begun(&failing).error(), "ZeroDivisionError");
    for request in &queued {
        assert_aborted(&mut kernel, request);
    }
    kernel.assert_alive();
}

#[test]
fn other_requests_in_the_queue_are_answered() {
    let mut kernel = Kernel::start();
    let failing = kernel.send_execute(&failing(&kernel));
    let inspect = kernel.send_request(
        Channel::Shell,
        "inspect_request",
        json!({"code": "print", "cursor_pos": 5, "detail_level": 0}),
    );
    let comms = kernel.send_request(Channel::Shell, "comm_info_request", json!({}));
    let info = kernel.send_request(Channel::Shell, "kernel_info_request", json!({}));
    let mut replies = Vec::new();
    for _ in 0..4 {
        let reply = kernel.recv(Channel::Shell);
        if reply.is_child_of(&info) {
            fail(&kernel);
        }
        let expected = if reply.is_child_of(&failing) {
            "error"
        } else {
            "ok"
        };
        assert_eq!(reply.status(), expected, "{}", reply.summary());
        replies.push(reply.parent().expect("a parent"));
    }
    for request in [&failing, &info, &inspect, &comms] {
        assert!(replies.contains(request));
    }
    // The status messages of requests that are answered meanwhile come in between.
    let mut idle = 0;
    while idle < 4 {
        let message = kernel.recv(Channel::Iopub);
        idle += u32::from(message.is_state("idle"));
    }
    kernel.assert_alive();
}

#[test]
fn stop_on_error_false_goes_on() {
    let mut kernel = Kernel::start();
    let code = failing(&kernel);
    let mut content = execute_content(&code);
    content["stop_on_error"] = json!(false);
    let failing = kernel.send_request(Channel::Shell, "execute_request", content);
    kernel.recv_iopub_busy(&failing);
    kernel.recv_iopub_execute_input(&failing, &code);
    let next = kernel.send_execute("'ran'");
    kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    fail(&kernel);
    kernel.finish_begun(&failing).error();
    assert_eq!(kernel.finish_execute(&next, Some("'ran'")).result(), "'ran'");
}

#[test]
fn what_is_sent_after_the_error_runs() {
    let mut kernel = Kernel::start();
    for _ in 0..20 {
        kernel.execute("1/0").error();
        kernel.assert_alive();
    }
}

/// The reply is the signal that a front-end waits for: what it sends then is not "queued behind the error".
#[test]
fn what_is_sent_after_the_reply_runs() {
    let mut kernel = Kernel::start();
    for _ in 0..50 {
        let failing = kernel.send_execute("1/0");
        kernel.recv_shell_reply(&failing, "execute_reply");
        let next = kernel.send_execute("'ran'");
        let reply = kernel.recv_shell_reply(&next, "execute_reply");
        assert_eq!(reply.status(), "ok");
        kernel.recv_iopub_busy(&failing);
        kernel.recv_iopub_execute_input(&failing, "1/0");
        kernel.recv_outputs(&failing);
        kernel.recv_iopub_busy(&next);
        kernel.recv_iopub_execute_input(&next, "'ran'");
        kernel.recv_outputs(&next);
    }
}

#[test]
fn requests_of_a_second_client_in_the_queue_are_aborted_too() {
    let mut kernel = Kernel::start();
    let mut other = kernel.connect();
    let failing = kernel.send_execute(&failing(&kernel));
    kernel.recv_iopub_busy(&failing);
    let theirs = other.send_execute("print('must not run')");
    // A second request on the same connection shows that the first has been read.
    let info = other.send_request(Channel::Shell, "kernel_info_request", json!({}));
    other.recv_shell_reply(&info, "kernel_info_reply");
    fail(&kernel);
    assert_eq!(
        other.recv_shell_reply(&theirs, "execute_reply").status(),
        "aborted"
    );
    kernel.recv_shell_reply(&failing, "execute_reply");
    let mut idle = 0;
    while idle < 3 {
        idle += u32::from(kernel.recv(Channel::Iopub).is_state("idle"));
    }
}
