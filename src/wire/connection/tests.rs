use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn classic() -> Value {
    json!({"transport": "tcp", "ip": "127.0.0.1", "shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 0,
        "hb_port": 65535, "signature_scheme": "hmac-sha512", "key": "secret", "kernel_name": "drupe",
        "jupyter_session": "/a/b.ipynb", "curve_publickey": null, "later": {"a": [1]}})
}

fn parse(value: &Value) -> Result<ConnectionFile, ConnectionError> {
    ConnectionFile::parse(Path::new("/run/kernel-1.json"), value.to_string().as_bytes())
}

fn with(field: &str, value: Value) -> Value {
    let mut file = classic();
    file[field] = value;
    file
}

/// The error for a file, which must be one sentence that names the file and never shows the key.
fn refusal(file: &Value) -> String {
    let error = parse(file).expect_err("a faulty file").to_string();
    assert!(
        error.contains("/run/kernel-1.json") && !error.contains('\n') && !error.contains("secret"),
        "{error}"
    );
    error
}

#[test]
fn a_classic_file_is_read() {
    let Ok(ConnectionFile::Classic(info)) = parse(&classic()) else {
        panic!("not read")
    };
    assert_eq!(
        (info.transport, info.ip.as_str(), info.signature_scheme.as_str()),
        (Transport::Tcp, "127.0.0.1", "hmac-sha512")
    );
    assert_eq!(
        info.ports,
        Ports {
            shell: 1,
            iopub: 2,
            stdin: 3,
            control: 0,
            hb: 65535
        }
    );
    assert_eq!(info.key.as_bytes(), b"secret");
    assert_eq!(
        (info.kernel_name.as_deref(), info.jupyter_session.as_deref()),
        (Some("drupe"), Some("/a/b.ipynb"))
    );
    assert_eq!(info.extra.get("later"), Some(&json!({"a": [1]})));
    assert!(!format!("{info:?}").contains("secret"));
    assert!(info.session().is_ok());
}

#[test]
fn endpoints_are_zeromqs() {
    for (transport, ip, endpoint) in [
        (Transport::Tcp, "127.0.0.1", "tcp://127.0.0.1:5"),
        (Transport::Tcp, "::1", "tcp://[::1]:5"),
        (Transport::Tcp, "[::1]", "tcp://[::1]:5"),
        (Transport::Tcp, "*", "tcp://*:5"),
        (Transport::Ipc, "/run/k-ipc", "ipc:///run/k-ipc-5"),
    ] {
        assert_eq!(
            ConnectionInfo::generate(transport, ip, Ports::default()).endpoint(5),
            endpoint
        );
    }
}

#[test]
fn faults_are_told_by_field() {
    for field in [
        "transport",
        "ip",
        "key",
        "shell_port",
        "iopub_port",
        "stdin_port",
        "control_port",
        "hb_port",
    ] {
        for absent in [true, false] {
            let mut file = with(field, Value::Null);
            if absent {
                file.as_object_mut().expect("an object").remove(field);
            }
            assert!(refusal(&file).contains(&format!("lacks the field {field:?}")));
        }
    }
    for port in [
        json!(65536),
        json!(-1),
        json!(1.5),
        json!("80"),
        json!(1e300),
        json!([]),
        json!("8".repeat(1000)),
    ] {
        let error = refusal(&with("iopub_port", port));
        assert!(
            error.contains("\"iopub_port\"") && error.contains("no port") && error.len() < 250,
            "{error}"
        );
    }
    assert!(refusal(&with("transport", json!("inproc"))).contains("\"inproc\""));
    assert!(refusal(&with("signature_scheme", json!("hmac-crc32"))).contains("\"hmac-crc32\""));
    assert!(refusal(&with("key", json!(["secret"]))).contains("\"key\" must be a string"));
    assert!(refusal(&with("ip", json!(5))).contains("\"ip\" must be a string"));
    for field in ["curve_publickey", "curve_secretkey"] {
        assert!(refusal(&with(field, json!("secret"))).contains("CURVE"));
    }
    let mut file = classic();
    file.as_object_mut()
        .expect("an object")
        .remove("signature_scheme");
    assert!(
        matches!(parse(&file), Ok(ConnectionFile::Classic(info)) if info.signature_scheme == "hmac-sha256")
    );
}

#[test]
fn what_is_not_json_is_told_without_quoting_it() {
    let deep = "[".repeat(100_000);
    for text in [
        "",
        "{",
        "secret",
        "[1]",
        "null",
        "{\"key\": secret}",
        deep.as_str(),
        "\u{0}",
    ] {
        let error = ConnectionFile::parse(Path::new("/k.json"), text.as_bytes())
            .expect_err("not an object")
            .to_string();
        assert!(
            error.contains("/k.json is not a JSON object") && !error.contains("secret"),
            "{error}"
        );
    }
    assert!(ConnectionFile::parse(Path::new("k"), b"{\"key\":\"\xff\"}").is_err());
}

#[test]
fn both_registration_files_are_told_apart() {
    let common = json!({"transport": "tcp", "signature_scheme": "hmac-sha256", "key": "secret", "registration_port": 9});
    let file = |more: Value| {
        let mut file = common.clone();
        for (name, value) in more.as_object().expect("an object") {
            file[name] = value.clone();
        }
        file
    };
    let Ok(ConnectionFile::Registration(it)) = parse(&file(json!({"ip": "127.0.0.1"}))) else {
        panic!("not read")
    };
    assert_eq!(
        (it.form.clone(), it.endpoint().as_str()),
        (RegistrationForm::Supervisor, "tcp://127.0.0.1:9")
    );
    assert_eq!(it.key, Key::new("secret"));

    let jep = file(json!({"registration_ip": "10.0.0.1", "kernel_id": "k"}));
    let Ok(ConnectionFile::Registration(it)) = parse(&jep) else {
        panic!("not read")
    };
    assert_eq!(
        it.form,
        RegistrationForm::Jep66 {
            kernel_id: "k".to_owned()
        }
    );
    assert_eq!(it.endpoint(), "tcp://10.0.0.1:9");

    assert!(refusal(&file(json!({}))).contains("lacks the field \"ip\""));
    assert!(refusal(&file(json!({"registration_ip": "x"}))).contains("lacks the field \"kernel_id\""));
    assert!(refusal(&file(json!({"kernel_id": "x"}))).contains("lacks the field \"registration_ip\""));
    assert!(refusal(&file(json!({"ip": "x", "registration_port": 0}))).contains("1 to 65535"));
    assert!(refusal(&file(json!({"ip": "x", "registration_port": "9"}))).contains("no port"));
}

#[test]
fn faults_of_the_file_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("none.json");
    let error = ConnectionFile::read(&missing).expect_err("missing");
    assert!(matches!(error, ConnectionError::Missing { .. }) && error.to_string().contains("none.json"));
    assert!(matches!(
        ConnectionFile::read(folder.path()),
        Err(ConnectionError::Unreadable { .. })
    ));
    let huge = folder.path().join("huge.json");
    fs::write(&huge, vec![b' '; 2 << 20]).expect("a file");
    let error = ConnectionFile::read(&huge).expect_err("too large").to_string();
    assert!(error.contains("larger than 1 MiB"), "{error}");
}

#[test]
fn a_file_is_written_whole_and_for_the_owner_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("runtime/kernel-7.json");
    let info = ConnectionInfo::generate(
        Transport::Tcp,
        "127.0.0.1",
        Ports {
            shell: 5,
            ..Ports::default()
        },
    );
    info.write(&path).expect("written");
    assert_eq!(
        ConnectionFile::read(&path).expect("read"),
        ConnectionFile::Classic(info.clone())
    );
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(
        (mode(&path), mode(folder.path().join("runtime").as_path())),
        (0o600, 0o700)
    );

    let other = ConnectionInfo::generate(Transport::Tcp, "127.0.0.1", Ports::default());
    assert_ne!(other.key, info.key);
    other.write(&path).expect("written over");
    assert_eq!(
        ConnectionFile::read(&path).expect("read"),
        ConnectionFile::Classic(other.clone())
    );
    assert_eq!(
        fs::read_dir(folder.path().join("runtime"))
            .expect("a folder")
            .count(),
        1
    );

    let error = other
        .write(&path.join("below-a-file.json"))
        .expect_err("no folder")
        .to_string();
    assert!(
        error.contains("cannot write") && error.contains("below-a-file.json"),
        "{error}"
    );
    assert!(other.write(&folder.path().join("runtime")).is_err());
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        1,
        "no draft is left behind"
    );
}
