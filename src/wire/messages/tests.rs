use serde_json::{Value, json};

use super::comm::{CommClose, CommId, CommInfoRequest};
use super::control::{ShutdownReply, ShutdownRequest, UsageReply};
use super::handshake::{HandshakeReply, RegistrationContent};
use super::info::{ConnectReply, HelpLink, KernelInfoReply, LanguageInfo, Prompts};
use super::iopub::{ExecutionState, IopubWelcome, Stream};
use super::stdin::InputReply;
use super::*;
use crate::wire::connection::Ports;
use crate::wire::json::{JsonError, object_from_slice};

const PORTS: Ports = Ports {
    shell: 1,
    iopub: 2,
    stdin: 3,
    control: 4,
    hb: 5,
};

fn written(content: &impl Serialize) -> Value {
    serde_json::to_value(content).expect("contents are JSON")
}

#[test]
fn kernel_info_has_every_field_of_the_protocol() {
    let mut info = KernelInfoReply::new("drupe", "0.1", LanguageInfo::python("3.12.1"));
    info.help_links.push(HelpLink {
        text: "Python".to_owned(),
        url: "https://docs.python.org".to_owned(),
    });
    assert_eq!(
        written(&info),
        json!({
            "status": "ok", "protocol_version": "5.5", "implementation": "drupe", "implementation_version": "0.1",
            "language_info": {
                "name": "python", "version": "3.12.1", "mimetype": "text/x-python", "file_extension": ".py",
                "pygments_lexer": "ipython3", "codemirror_mode": {"name": "ipython", "version": 3},
                "nbconvert_exporter": "python",
            },
            "banner": "", "help_links": [{"text": "Python", "url": "https://docs.python.org"}],
            "debugger": false, "supported_features": [],
        })
    );
    info.language_info.positron = Some(Prompts {
        input_prompt: ">>>".to_owned(),
        continuation_prompt: "...".to_owned(),
    });
    assert_eq!(
        written(&info)["language_info"]["positron"],
        json!({"input_prompt": ">>>", "continuation_prompt": "..."})
    );
}

#[test]
fn replies_are_as_front_ends_read_them() {
    let ports = json!({"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5});
    assert_eq!(written(&PORTS), ports);
    let mut connect = ports;
    connect["status"] = json!("ok");
    assert_eq!(written(&ConnectReply::new(PORTS)), connect);
    assert_eq!(written(&StatusReply::ABORTED), json!({"status": "aborted"}));
    assert_eq!(
        written(&ErrorReply::new("E", "why")),
        json!({"status": "error", "ename": "E", "evalue": "why", "traceback": []})
    );
    assert_eq!(
        written(&ShutdownReply::new(true)),
        json!({"status": "ok", "restart": true})
    );
    assert_eq!(written(&CommClose::new("c")), json!({"comm_id": "c", "data": {}}));
    let usage = UsageReply {
        hostname: "h".to_owned(),
        pid: 1,
        cpu_count: 2,
        ..UsageReply::default()
    };
    assert_eq!(
        written(&usage),
        json!({"hostname": "h", "pid": 1, "cpu_count": 2})
    );
    assert_eq!(
        written(&RegistrationContent::new("k", PORTS)),
        json!({"kernel_id": "k", "shell_port": "1", "iopub_port": "2", "stdin_port": "3", "control_port": "4", "hb_port": "5"})
    );
}

#[test]
fn outputs_are_as_front_ends_read_them() {
    for (state, name) in [
        (ExecutionState::Starting, "starting"),
        (ExecutionState::Busy, "busy"),
        (ExecutionState::Idle, "idle"),
    ] {
        let content: Value = serde_json::from_slice(state.content()).expect("JSON");
        assert_eq!(content, json!({"execution_state": name}));
    }
    assert_eq!(
        written(&Stream {
            name: "stdout",
            text: "a\n"
        }),
        json!({"name": "stdout", "text": "a\n"})
    );
    assert_eq!(
        written(&IopubWelcome { subscription: "" }),
        json!({"subscription": ""})
    );
}

#[test]
fn requests_may_be_sparse_and_may_hold_more() {
    fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, JsonError> {
        object_from_slice(text.as_bytes())
    }
    assert_eq!(
        read::<ShutdownRequest>("{}"),
        Ok(ShutdownRequest { restart: false })
    );
    assert_eq!(
        read::<ShutdownRequest>(r#"{"restart":true,"x":NaN}"#),
        Ok(ShutdownRequest { restart: true })
    );
    assert!(read::<ShutdownRequest>(r#"{"restart":"yes"}"#).is_err());
    assert_eq!(
        read::<CommInfoRequest>(r#"{"target_name":null}"#),
        Ok(CommInfoRequest::default())
    );
    assert_eq!(
        read::<CommClose>(r#"{"comm_id":"c","data":[5]}"#),
        Ok(CommClose::new("c"))
    );
    let comm = read::<CommId>(r#"{"comm_id":"c","data":{"x": NaN}}"#).expect("Python's JSON");
    assert_eq!(comm.comm_id, "c");
    assert!(read::<CommId>("{}").is_err());
    assert_eq!(
        read::<InputReply>(r#"{"value":"\udcff","status":"ok"}"#),
        Ok(InputReply {
            value: "\u{fffd}".to_owned()
        })
    );
    for text in ["{}", r#"{"value":null}"#, r#"{"value":5}"#, r#"["x"]"#] {
        assert!(read::<InputReply>(text).is_err(), "{text}");
    }
    let reply = read::<HandshakeReply>(r#"{"status":"ok","capabilities":{}}"#).expect("a reply");
    assert_eq!((reply.status.as_str(), reply.error), ("ok", Value::Null));
}
