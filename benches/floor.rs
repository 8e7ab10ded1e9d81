//! The floor under every round trip: a kernel that runs nothing, on drupe's own transport.
//!
//!     floor connection.json
//!
//! It answers `kernel_info_request`, and to an `execute_request` says busy, execute_input, the reply and idle, which is what each
//! kernel says for `pass`. `make bench` shows it beside the kernels; what a client measures of it is mostly the client's own.

use std::path::Path;

use bytes::Bytes;
use drupe::transport::{self, Limits, Listener, Rep, Router, XPub};
use drupe::wire::message::reply_type;
use drupe::wire::{ConnectionFile, Message, Outgoing, Session};

const INFO: &[u8] = br#"{"status":"ok","protocol_version":"5.3","implementation":"floor","implementation_version":"0",
"language_info":{"name":"none","version":"0","mimetype":"text/plain","file_extension":".txt"},"banner":"","help_links":[]}"#;
const DONE: &[u8] = br#"{"status":"ok","execution_count":1,"user_expressions":{},"payload":[]}"#;
const INPUT: &[u8] = br#"{"code":"","execution_count":1}"#;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let file = std::env::args().nth(1).ok_or("floor connection.json")?;
    let ConnectionFile::Classic(info) = ConnectionFile::read(Path::new(&file))? else {
        return Err("that is a registration file".into());
    };
    let listen = |port: u16| -> Result<Vec<Listener>, Failure> {
        Ok(vec![transport::bind(&info.endpoint(port).parse()?)?.0])
    };
    let ports = info.ports;
    let [shell, control, iopub, heartbeat] = [ports.shell, ports.control, ports.iopub, ports.hb].map(listen);
    let mut session = info.session()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let mut shell = Router::bind(shell?, "shell", Limits::default())?;
        let mut control = Router::bind(control?, "control", Limits::default())?;
        let iopub = XPub::bind(iopub?, "iopub", Limits::default())?;
        let _heartbeat = Rep::echo(heartbeat?, "heartbeat", Limits::default())?;
        loop {
            tokio::select! {
                () = shell.readable() => answer(&mut shell, &iopub, &mut session),
                () = control.readable() => answer(&mut control, &iopub, &mut session),
            }
        }
    })
}

fn answer(router: &mut Router, iopub: &XPub, session: &mut Session) {
    while let Some(frames) = router.try_recv() {
        let Ok(request) = session.open(frames) else {
            continue;
        };
        if let Some(identity) = request.identities.first() {
            router.trust(identity);
        }
        let said = |msg_type: &'static str, content: &'static [u8]| {
            publish(iopub, session, &request, msg_type, content)
        };
        said("status", br#"{"execution_state":"busy"}"#);
        let content = if request.header.msg_type == "execute_request" {
            said("execute_input", INPUT);
            DONE
        } else {
            INFO
        };
        let reply = outgoing(&request, reply_type(&request.header.msg_type), content);
        // A client that has gone needs no answer.
        let _ = router.send(session.seal(&request.identities, &reply));
        said("status", br#"{"execution_state":"idle"}"#);
    }
}

fn publish(
    iopub: &XPub,
    session: &Session,
    request: &Message,
    msg_type: &'static str,
    content: &'static [u8],
) {
    let message = outgoing(request, msg_type.to_owned(), content);
    iopub.publish(session.seal(&[Bytes::from_static(b"floor")], &message));
}

fn outgoing(request: &Message, msg_type: String, content: &'static [u8]) -> Outgoing {
    let mut message = Outgoing::new(msg_type, Bytes::from_static(content));
    message.parent = Some(request.header.raw.clone());
    message
}
