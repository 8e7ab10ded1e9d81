//! Starting with a registration file: the kernel chooses its ports and tells them, in both forms that exist.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use zeromq::{RepSocket, RouterSocket, Socket, SocketRecv, SocketSend, ZmqMessage};

use crate::client::message::{DELIMITER, Outgoing, signature};
use crate::client::sockets::{runtime, wait};
use crate::client::{Connection, Kernel, Message};

const KEY: &str = "a key of the launcher's making";

/// What the kernel told: its five ports.
fn connection(content: &Value) -> Connection {
    let port = |name: &str| {
        let port = &content[name];
        let number = port
            .as_u64()
            .or_else(|| port.as_str().and_then(|text| text.parse().ok()));
        let number = number.and_then(|number| u16::try_from(number).ok());
        number
            .filter(|number| *number > 0)
            .unwrap_or_else(|| panic!("{name} in {content}"))
    };
    Connection {
        transport: "tcp".into(),
        ip: "127.0.0.1".into(),
        shell: port("shell_port"),
        iopub: port("iopub_port"),
        stdin: port("stdin_port"),
        control: port("control_port"),
        heartbeat: port("hb_port"),
        key: KEY.into(),
    }
}

fn write(dir: &Path, file: &Value) -> PathBuf {
    let path = dir.join("registration.json");
    std::fs::write(&path, file.to_string()).expect("the registration file can be written");
    path
}

/// The launcher's socket, kept open until the kernel has read its answer.
struct Launcher {
    handle: tokio::runtime::Handle,
    _stop: oneshot::Sender<()>,
    port: u16,
}

impl Launcher {
    fn bind<S: Socket + Send + 'static>() -> (Self, S) {
        let (handle, stop) = runtime();
        let (socket, port) = wait(&handle, async {
            let mut socket = S::new();
            let endpoint = socket.bind("tcp://127.0.0.1:0").await?;
            let port = match endpoint {
                zeromq::Endpoint::Tcp(_, port) => port,
                _ => 0,
            };
            Ok::<_, zeromq::ZmqError>((socket, port))
        })
        .expect("the launcher's socket can be bound");
        (
            Self {
                handle,
                _stop: stop,
                port,
            },
            socket,
        )
    }

    fn recv<S: SocketRecv + Send + 'static>(&self, mut socket: S) -> (Vec<Bytes>, S) {
        let (message, socket) = wait(&self.handle, async move {
            let message = socket.recv().await?;
            Ok::<_, zeromq::ZmqError>((message, socket))
        })
        .expect("the kernel registers");
        (message.into_vec(), socket)
    }

    fn send<S: SocketSend + Send + 'static>(&self, mut socket: S, frames: Vec<Bytes>) -> S {
        let message = ZmqMessage::try_from(frames).expect("frames");
        wait(&self.handle, async move {
            socket.send(message).await?;
            Ok::<_, zeromq::ZmqError>(socket)
        })
        .expect("the launcher answers")
    }
}

fn supervisor_file(port: u16) -> Value {
    json!({
        "transport": "tcp",
        "signature_scheme": "hmac-sha256",
        "ip": "127.0.0.1",
        "key": KEY,
        "registration_port": port,
    })
}

#[track_caller]
fn works(mut kernel: Kernel, connection: Connection) {
    kernel.connection = connection;
    kernel.attach();
    kernel.request(crate::client::Channel::Shell, "kernel_info_request", json!({}));
    kernel.assert_alive();
}

/// Positron's supervisor: a REP socket, and a whole signed message each way.
#[test]
fn with_a_supervisor() {
    let (launcher, socket) = Launcher::bind::<RepSocket>();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = write(dir.path(), &supervisor_file(launcher.port));
    let kernel = Kernel::builder().spawn_with_file(dir, Some(&path), Connection::tcp());
    let (frames, socket) = launcher.recv(socket);
    let request = Message::open(KEY.as_bytes(), &frames).expect("a signed message");
    assert_eq!(request.msg_type(), "handshake_request");
    let connection = connection(&request.content);
    let mut reply = Outgoing::new(
        "launcher",
        "handshake_reply",
        json!({"status": "ok", "error": null, "capabilities": {}}),
    );
    reply.parent_header = request.header;
    let _socket = launcher.send(socket, reply.seal(KEY.as_bytes()));
    works(kernel, connection);
}

/// The enhancement proposal: a ROUTER, one signed part each way.
#[test]
fn with_a_jep_66_launcher() {
    let (launcher, socket) = Launcher::bind::<RouterSocket>();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = json!({
        "kernel_id": "kernel-7",
        "transport": "tcp",
        "signature_scheme": "hmac-sha256",
        "registration_ip": "127.0.0.1",
        "registration_port": launcher.port,
        "key": KEY,
    });
    let path = write(dir.path(), &file);
    let kernel = Kernel::builder().spawn_with_file(dir, Some(&path), Connection::tcp());
    let (frames, socket) = launcher.recv(socket);
    let [identity, delimiter, signed, content] = &frames[..] else {
        panic!("identity, delimiter, signature and one part: {frames:?}");
    };
    assert_eq!(&delimiter[..], DELIMITER);
    assert_eq!(
        &signed[..],
        signature(KEY.as_bytes(), std::slice::from_ref(content)).as_bytes()
    );
    let content: Value = serde_json::from_slice(content).expect("JSON");
    assert_eq!(content["kernel_id"], "kernel-7");
    let connection = connection(&content);
    let ack = Bytes::from_static(b"{\"status\": \"ok\"}");
    let signed = Bytes::from(signature(KEY.as_bytes(), std::slice::from_ref(&ack)));
    let _socket = launcher.send(
        socket,
        vec![identity.clone(), Bytes::from_static(DELIMITER), signed, ack],
    );
    works(kernel, connection);
}

/// A kernel that nobody wants says why it ends, and ends.
#[track_caller]
fn gives_up(mut kernel: Kernel, needle: &str) {
    let status = kernel.wait(Duration::from_secs(25));
    assert_eq!(status.code(), Some(2), "{}", kernel.log());
    let log = kernel.log();
    assert!(log.contains(needle), "{needle:?} is not in: {log}");
    assert!(!log.contains("Traceback"), "{log}");
}

#[test]
fn refused_by_the_launcher() {
    let (launcher, socket) = Launcher::bind::<RepSocket>();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = write(dir.path(), &supervisor_file(launcher.port));
    let kernel = Kernel::builder().spawn_with_file(dir, Some(&path), Connection::tcp());
    let (_, socket) = launcher.recv(socket);
    let reply = Outgoing::new(
        "launcher",
        "handshake_reply",
        json!({"status": "error", "error": "no room", "capabilities": {}}),
    );
    let _socket = launcher.send(socket, reply.seal(KEY.as_bytes()));
    gives_up(kernel, "no room");
}

#[test]
fn an_answer_that_is_signed_with_another_key() {
    let (launcher, socket) = Launcher::bind::<RepSocket>();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = write(dir.path(), &supervisor_file(launcher.port));
    let kernel = Kernel::builder().spawn_with_file(dir, Some(&path), Connection::tcp());
    let (_, socket) = launcher.recv(socket);
    let reply = Outgoing::new("launcher", "handshake_reply", json!({"status": "ok"}));
    let _socket = launcher.send(socket, reply.seal(b"another key"));
    gives_up(kernel, &launcher.port.to_string());
}

#[test]
fn nobody_listens_or_nobody_answers() {
    let [port] = crate::client::connection::free_ports();
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let silent_port = silent.local_addr().expect("an address").port();
    let kernels = [port, silent_port].map(|port| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = write(dir.path(), &supervisor_file(port));
        (
            Kernel::builder().spawn_with_file(dir, Some(&path), Connection::tcp()),
            port,
        )
    });
    for (kernel, port) in kernels {
        gives_up(kernel, &port.to_string());
    }
}
