//! Socket files: who may open them, what happens to those that are there already, and that none stay behind.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use zeromq::{DealerSocket, Socket, SocketRecv, SocketSend};

use super::*;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn a_socket_file_is_private_and_removed_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made").join("kernel-1");
    run(async {
        let (listener, endpoint) = bind(&Endpoint::Ipc(path.clone())).expect("bound");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("a folder")), 0o700);
        let mut router = Router::bind(vec![listener], "shell", Limits::default()).expect("a router");
        let mut dealer = DealerSocket::new();
        dealer.connect(&endpoint.to_string()).await.expect("a connection");
        dealer.send("hello".into()).await.expect("sent");
        let request = router.recv().await;
        assert_eq!(request[1], "hello");
        router.send(request).expect("a reply");
        assert_eq!(
            dealer.recv().await.expect("a reply").into_vec(),
            frames(["hello"])
        );
        assert!(bind(&Endpoint::Ipc(path.clone())).is_err_and(|e| e.kind() == std::io::ErrorKind::AddrInUse));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
        assert!(router.drained(deadline).await);
        drop(router);
        assert!(!path.exists());
    });
}

#[test]
fn a_stale_socket_file_is_replaced_and_any_other_file_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kernel-1");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    assert!(path.exists(), "left behind, as after a crash");
    drop(bind(&Endpoint::Ipc(path.clone())).expect("bound"));
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "precious").expect("written");
    assert!(bind(&Endpoint::Ipc(file.clone())).is_err_and(|e| e.kind() == std::io::ErrorKind::AlreadyExists));
    assert_eq!(std::fs::read(&file).expect("still there"), b"precious");
}

#[test]
fn a_port_in_use_is_an_error() {
    let (_listeners, endpoint) = tcp();
    let endpoint: Endpoint = endpoint.parse().expect("an endpoint");
    assert!(bind(&endpoint).is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse));
}

#[test]
fn one_socket_may_have_several_listeners() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let (mut listeners, tcp) = tcp();
        let ipc = Endpoint::Ipc(folder.path().join("both"));
        listeners.push(bind(&ipc).expect("bound").0);
        let mut router = Router::bind(listeners, "shell", Limits::default()).expect("a router");
        for endpoint in [tcp, ipc.to_string()] {
            let mut dealer = DealerSocket::new();
            dealer.connect(&endpoint).await.expect("a connection");
            dealer.send("hello".into()).await.expect("sent");
            assert_eq!(router.recv().await[1], "hello");
        }
    });
}
