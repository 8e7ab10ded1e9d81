//! Connection files, good and bad, and the kernel that was given none.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::client::fixtures::{default_python, wait_until};
use crate::client::{Channel, Connection, Kernel};

fn run(arguments: &[&str], runtime: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_drupe"))
        .args(arguments)
        .arg("--python")
        .arg(default_python())
        .env("JUPYTER_RUNTIME_DIR", runtime)
        .output()
        .expect("the binary runs")
}

/// One clear message, exit status 2, and neither a panic nor a traceback.
#[track_caller]
fn assert_refused(output: &Output, needles: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for needle in needles {
        assert!(said.contains(needle), "{needle:?} is not in: {said}");
    }
    assert!(
        !said.contains("panicked") && !said.contains("Traceback"),
        "{said}"
    );
    assert!(
        (1..=4).contains(&said.trim().lines().count()),
        "not one clear message: {said}"
    );
}

#[track_caller]
fn assert_file_refused(content: &[u8], needles: &[&str]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("connection.json");
    std::fs::write(&path, content).expect("the file can be written");
    let name = path.display().to_string();
    let output = run(&["-f", &name], dir.path());
    assert_refused(&output, needles);
}

fn changed(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Vec<u8> {
    let mut json = Connection::tcp().json();
    change(json.as_object_mut().expect("an object"));
    json.to_string().into_bytes()
}

#[test]
fn a_bad_file_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let missing = dir.path().join("missing.json").display().to_string();
    assert_refused(&run(&["-f", &missing], dir.path()), &["missing.json"]);
    let folder = dir.path().display().to_string();
    assert_refused(&run(&["-f", &folder], dir.path()), &[&folder]);
    assert_file_refused(b"", &["connection.json"]);
    assert_file_refused(b"not json", &["connection.json"]);
    assert_file_refused(b"[1, 2]", &["connection.json"]);
    assert_file_refused(b"\xff\xfe", &["connection.json"]);
    assert_file_refused("[".repeat(100_000).as_bytes(), &["connection.json"]);
}

#[test]
fn a_field_that_is_missing_or_wrong_is_named() {
    for field in [
        "shell_port",
        "iopub_port",
        "stdin_port",
        "control_port",
        "hb_port",
        "key",
    ] {
        assert_file_refused(
            &changed(|json| drop(json.remove(field))),
            &["connection.json", field],
        );
    }
    assert_file_refused(
        &changed(|json| drop(json.insert("shell_port".into(), json!(70_000)))),
        &["shell_port"],
    );
    assert_file_refused(
        &changed(|json| drop(json.insert("hb_port".into(), json!("x")))),
        &["hb_port"],
    );
    assert_file_refused(
        &changed(|json| drop(json.insert("transport".into(), json!("pigeon")))),
        &["pigeon"],
    );
    assert_file_refused(
        &changed(|json| drop(json.insert("signature_scheme".into(), json!("hmac-rot13")))),
        &["hmac-rot13"],
    );
    assert_file_refused(
        &changed(|json| drop(json.insert("ip".into(), json!("999.1.1.1")))),
        &["999.1.1.1"],
    );
}

#[test]
fn a_port_in_use_is_named() {
    let holder = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = holder.local_addr().expect("an address").port();
    let content = changed(|json| drop(json.insert("control_port".into(), json!(port))));
    assert_file_refused(&content, &[&port.to_string()]);
}

#[test]
fn fields_that_nobody_knows_are_passed_over() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let connection = Connection::tcp();
    let mut json = connection.json();
    json["from_the_future"] = json!({"a": [1]});
    json["jupyter_session"] = json!("notebook.ipynb");
    let path = dir.path().join("connection.json");
    std::fs::write(&path, json.to_string()).expect("the file can be written");
    let mut kernel = Kernel::builder().spawn_with_file(dir, Some(&path), connection);
    kernel.attach();
    kernel.assert_alive();
}

#[test]
fn other_signature_schemes() {
    // The client signs with SHA-256 alone, so an unsigned kernel shows that the scheme is at least accepted.
    for scheme in ["hmac-sha512", "hmac-sha1", "hmac-md5"] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut connection = Connection::tcp();
        connection.key.clear();
        let mut json = connection.json();
        json["signature_scheme"] = json!(scheme);
        let path = dir.path().join("connection.json");
        std::fs::write(&path, json.to_string()).expect("the file can be written");
        let mut kernel = Kernel::builder().spawn_with_file(dir, Some(&path), connection);
        kernel.attach();
        kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    }
}

#[test]
fn every_way_to_name_the_file() {
    let binary = env!("CARGO_BIN_EXE_drupe");
    let python = default_python().display().to_string();
    for words in [
        &["-f", "{connection_file}"][..],
        &["run", "-f", "{connection_file}"],
        &["--f", "{connection_file}"],
        &["--f={connection_file}"],
        &["-f={connection_file}"],
        &["--connection-file", "{connection_file}"],
        &["--connection_file={connection_file}"],
        &["--IPKernelApp.connection_file={connection_file}"],
    ] {
        let mut command = vec![binary];
        command.extend_from_slice(words);
        command.extend_from_slice(&["--python", &python]);
        let mut kernel = Kernel::builder().command(&command).start();
        kernel.request(Channel::Shell, "kernel_info_request", json!({}));
    }
}

/// Front-ends add flags of their own. None of them may end the kernel.
#[test]
fn flags_that_front_ends_pass() {
    let mut kernel = Kernel::builder()
        .arg("--HistoryManager.hist_file=:memory:")
        .arg("--ZMQInteractiveShell.cache_size=7")
        .arg("--NoSuchClass.trait=value")
        .arg("--logfile=/dev/null")
        .arg("--loglevel=warning")
        .arg("--session-mode=notebook")
        .arg("--quiet")
        .arg("--matplotlib=inline")
        .arg("--from-the-future")
        .start();
    assert_eq!(
        kernel.execute("get_ipython().history_manager.hist_file").result(),
        "':memory:'"
    );
    assert_eq!(kernel.execute("get_ipython().cache_size").result(), "7");
}

#[test]
fn unix_sockets() {
    let mut kernel = Kernel::builder().ipc().start();
    kernel.request(Channel::Control, "kernel_info_request", json!({}));
    assert_eq!(kernel.run("print('over a file')"), "over a file\n");
    assert_eq!(kernel.heartbeat(b"ping"), [&b"ping"[..]]);
    let sockets: Vec<PathBuf> = (1..=5)
        .map(|n| kernel.dir.path().join(format!("kernel-{n}")))
        .collect();
    for socket in &sockets {
        let mode = std::fs::metadata(socket)
            .expect("a socket file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{socket:?}");
    }
    kernel.shutdown(Channel::Control);
    for socket in &sockets {
        assert!(!socket.exists(), "{socket:?} was left behind");
    }
}

/// Without `-f` the kernel writes the file itself, says how to connect, and takes it away at its end.
#[test]
fn without_a_file_it_writes_one() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let runtime = dir.path().join("runtime");
    let mut kernel = Kernel::builder().spawn_with_file(dir, None, Connection::tcp());
    let path = runtime.join(format!("kernel-{}.json", kernel.pid()));
    wait_until("the connection file is written", || path.exists());
    let mode = std::fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    kernel.connection = Connection::read(&path);
    assert!(!kernel.connection.key.is_empty());
    kernel.attach();
    assert_eq!(kernel.execute("1 + 1").result(), "2");
    let log = kernel.log();
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(log.contains("--existing") && log.contains(name), "{log}");
    kernel.shutdown(Channel::Control);
    assert!(!path.exists(), "the connection file was left behind");
}
