//! What is answered at once, always: `kernel_info`, `connect`, `usage`, the heartbeat, the welcome.

use std::path::Path;

use serde_json::json;

use crate::client::fixtures::installed_command;
use crate::client::{Channel, Kernel, Message};

/// A kernel whose Python starts when there is a file `go` in the folder, and says there when it has started.
fn before_python(dir: &Path) -> Kernel {
    let command = installed_command(dir);
    let [go, up] = ["go", "python-is-up"].map(|name| dir.join(name));
    let code = format!(
        "import pathlib, time\nwhile not pathlib.Path({go:?}).exists(): time.sleep(0.01)\npathlib.Path({up:?}).touch()\n"
    );
    std::fs::write(dir.join("sitecustomize.py"), code).expect("sitecustomize can be written");
    let path = dir.display().to_string();
    Kernel::builder()
        .command(&command)
        .env("PYTHONPATH", &path)
        .start()
}

#[track_caller]
fn assert_describes_python(reply: &Message) {
    assert_eq!(reply.status(), "ok");
    assert_eq!(reply.text("implementation"), "drupe");
    assert_eq!(reply.text("protocol_version"), "5.5");
    assert!(!reply.text("implementation_version").is_empty());
    let language = &reply.content["language_info"];
    assert_eq!(language["name"], "python");
    assert_eq!(language["mimetype"], "text/x-python");
    assert_eq!(language["file_extension"], ".py");
    assert!(
        language["version"]
            .as_str()
            .is_some_and(|version| version.starts_with("3."))
    );
    assert!(reply.content["banner"].is_string());
    assert!(reply.content["help_links"].is_array());
    assert!(reply.content["supported_features"].is_array());
}

#[test]
fn is_answered_on_shell_and_control() {
    let mut kernel = Kernel::start();
    for channel in [Channel::Shell, Channel::Control] {
        let reply = kernel.request(channel, "kernel_info_request", json!({}));
        assert_describes_python(&reply);
    }
}

#[test]
fn is_answered_before_python_is_up() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut kernel = before_python(dir.path());
    for channel in [Channel::Shell, Channel::Control] {
        let reply = kernel.request(channel, "kernel_info_request", json!({}));
        assert_describes_python(&reply);
    }
    assert_eq!(kernel.heartbeat(b"are you there?"), [&b"are you there?"[..]]);
    kernel.request(Channel::Control, "comm_info_request", json!({}));
    assert!(!dir.path().join("python-is-up").exists());
    std::fs::write(dir.path().join("go"), "").expect("a file");
    kernel.assert_alive();
    assert!(dir.path().join("python-is-up").exists());
}

#[test]
fn requests_wait_in_order_while_python_starts() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut kernel = before_python(dir.path());
    let cells = ["x = [1]", "x.append(2)", "x"];
    let requests = cells.map(|code| kernel.send_execute(code));
    let kernel_info = kernel.send_request(Channel::Shell, "kernel_info_request", json!({}));
    kernel.recv_shell_reply(&kernel_info, "kernel_info_reply");
    kernel.recv_iopub_busy(&kernel_info);
    kernel.recv_iopub_idle(&kernel_info);
    std::fs::write(dir.path().join("go"), "").expect("a file");
    let mut last = None;
    for (request, code) in requests.iter().zip(cells) {
        last = Some(kernel.finish_execute(request, Some(code)));
    }
    assert_eq!(last.expect("three outcomes").result(), "[1, 2]");
}

#[test]
fn is_answered_on_control_while_a_cell_runs() {
    let mut kernel = Kernel::start();
    let cell = kernel.send_execute("import time; time.sleep(1.5); print('done')");
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub(&cell, "execute_input");
    kernel.request(Channel::Control, "kernel_info_request", json!({}));
    let outputs = kernel.recv_outputs(&cell);
    assert_eq!(outputs.len(), 1);
    // What a front-end shows is the last status: that must not be the idle of the request beside the cell.
    assert_eq!(kernel.reminders, 1);
    kernel.recv_shell_reply(&cell, "execute_reply");
}

/// Nothing that Python can do keeps `kernel_info`, the heartbeat and shell itself from being answered.
#[test]
fn is_answered_while_c_code_holds_the_gil() {
    let mut kernel = Kernel::start();
    let code = "import ctypes; ctypes.PyDLL(None).sleep(2);";
    let cell = kernel.send_execute(code);
    kernel.recv_iopub_busy(&cell);
    kernel.recv_iopub_execute_input(&cell, code);
    std::thread::sleep(std::time::Duration::from_millis(100));
    for channel in [Channel::Control, Channel::Shell] {
        kernel.request(channel, "kernel_info_request", json!({}));
    }
    assert_eq!(kernel.heartbeat(b"ping"), [&b"ping"[..]]);
    assert!(kernel.recv_outputs(&cell).is_empty());
    kernel.recv_shell_reply(&cell, "execute_reply");
}

#[test]
fn heartbeat_echoes_any_bytes() {
    let kernel = Kernel::start();
    for ping in [&b"ping"[..], b"\x00\xff\x01", &[7; 100_000]] {
        assert_eq!(kernel.heartbeat(ping), [ping]);
    }
}

#[test]
fn every_subscription_is_welcomed_with_its_topic() {
    let mut kernel = Kernel::start();
    let topics = ["stream", "kernel.", "données"];
    let client = kernel.connect_with_topics(&topics);
    drop(client);
    kernel.assert_alive();
}

/// Front-ends that subscribe to one topic depend on its name.
#[test]
fn topics_name_the_kind_of_message() {
    let mut kernel = Kernel::start();
    let cell = kernel.send_execute("print('x')\n1");
    for (msg_type, topic) in [
        ("status", "status"),
        ("execute_input", "execute_input"),
        ("stream", "stream.stdout"),
        ("execute_result", "execute_result"),
        ("status", "status"),
    ] {
        let message = kernel.recv_iopub(&cell, msg_type);
        let first = message.topic.first().expect("a topic");
        let name = String::from_utf8_lossy(first);
        assert!(name.ends_with(topic), "the topic of a {msg_type} is {name}");
    }
    kernel.recv_shell_reply(&cell, "execute_reply");
}

#[test]
fn connect_names_the_ports() {
    let mut kernel = Kernel::start();
    let reply = kernel.request(Channel::Shell, "connect_request", json!({}));
    let ports = kernel.connection.clone();
    assert_eq!(reply.content["shell_port"], ports.shell);
    assert_eq!(reply.content["iopub_port"], ports.iopub);
    assert_eq!(reply.content["stdin_port"], ports.stdin);
    assert_eq!(reply.content["control_port"], ports.control);
    assert_eq!(reply.content["hb_port"], ports.heartbeat);
}

#[test]
fn usage_tells_the_process() {
    let mut kernel = Kernel::start();
    let reply = kernel.request(Channel::Control, "usage_request", json!({}));
    assert_eq!(reply.content["pid"], kernel.pid());
    assert!(reply.content["hostname"].is_string());
    assert!(reply.content["cpu_count"].as_u64().is_some_and(|count| count > 0));
    assert!(
        reply.content["kernel_memory"]
            .as_u64()
            .is_some_and(|bytes| bytes > 1_000_000)
    );
}

/// The parent's header comes back as it was sent: what the kernel does not know it must not lose.
#[test]
fn parent_header_keeps_unknown_fields() {
    let mut kernel = Kernel::start();
    for (channel, msg_type, content) in [
        (Channel::Shell, "kernel_info_request", json!({})),
        (
            Channel::Shell,
            "execute_request",
            json!({"code": "", "silent": true}),
        ),
    ] {
        let mut request = kernel.outgoing(msg_type, content);
        request.header["from_the_future"] = json!({"deep": [1, 2.5, null, "ü"]});
        request.header["username"] = json!("Zoë");
        let id = kernel.send(channel, &request);
        let reply = kernel.recv(channel);
        assert_eq!(reply.parent_header, request.header);
        assert_eq!(reply.header["session"].as_str().map(str::is_empty), Some(false));
        assert_eq!(reply.header["version"], "5.5");
        for _ in 0..2 {
            assert_eq!(kernel.recv_iopub(&id, "status").parent_header, request.header);
        }
    }
}

#[test]
fn unsigned_messages_are_taken_when_the_key_is_empty() {
    let mut kernel = Kernel::builder().unsigned().start();
    kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    kernel.assert_alive();
}

#[test]
fn an_unknown_request_gets_an_answer_or_is_passed_over() {
    let mut kernel = Kernel::start();
    let request = kernel.send_request(Channel::Shell, "teleport_request", json!({"to": "Mars"}));
    kernel.recv_iopub_busy(&request);
    kernel.recv_iopub_idle(&request);
    let patience = std::time::Duration::from_millis(200);
    if let Some(reply) = kernel.recv_within(Channel::Shell, patience) {
        assert_eq!(reply.msg_type(), "teleport_reply");
        assert_eq!(reply.status(), "error");
    }
    kernel.assert_alive();
}
