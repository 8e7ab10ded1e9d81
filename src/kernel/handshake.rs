//! Telling the launcher which ports the kernel has chosen, where it asked to be told instead of choosing them itself.
//!
//! Two launchers speak two forms: Positron's supervisor takes a signed `handshake_request` on a REP socket; the
//! enhancement proposal of Jupyter (JEP 66) has the kernel send one signed part from a DEALER and wait for a signed
//! part back. The registration file's fields tell which.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use zeromq::{DealerSocket, ReqSocket, Socket, SocketRecv, SocketSend, ZmqError, ZmqMessage};

use super::handle::{Handle, Note};
use crate::wire::message::to_json;
use crate::wire::messages::handshake::{
    HANDSHAKE_REPLY, HANDSHAKE_REQUEST, HandshakeReply, RegistrationContent,
};
use crate::wire::{Outgoing, Ports, Registration, RegistrationForm, WireError};

/// How long the launcher may take to answer. Positron's gives its kernels 30 s from start to answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
enum HandshakeError {
    #[error(transparent)]
    Transport(#[from] ZmqError),
    #[error("its answer cannot be used: {0}")]
    Wire(#[from] WireError),
    #[error("its answer is a {0}, not a {HANDSHAKE_REPLY}")]
    OtherAnswer(String),
    #[error("it refused the kernel: {0}")]
    Refused(String),
    #[error("it did not answer within {} s", PATIENCE.as_secs())]
    Silent,
}

/// Tell the launcher, in the background. The sockets are bound: it may connect before it has answered.
pub(super) fn announce(registration: Registration, ports: Ports, handle: Arc<Handle>) {
    tokio::task::spawn_local(async move {
        let told = tokio::time::timeout(PATIENCE, tell(&registration, ports)).await;
        match told.unwrap_or(Err(HandshakeError::Silent)) {
            Ok(()) => tracing::debug!("the launcher at {} knows the ports", registration.endpoint()),
            Err(error) => handle.note(Note::Unregistered(format!(
                "the launcher that waits at {} for the kernel's ports cannot be told: {error}",
                registration.endpoint()
            ))),
        }
    });
}

async fn tell(registration: &Registration, ports: Ports) -> Result<(), HandshakeError> {
    let mut session = registration.session()?;
    match &registration.form {
        RegistrationForm::Supervisor => {
            let mut socket = ReqSocket::new();
            socket.connect(&registration.endpoint()).await?;
            let request = Outgoing::new(HANDSHAKE_REQUEST, to_json(&ports));
            socket.send(message(session.seal(&[], &request))?).await?;
            let reply = session.open(socket.recv().await?.into_vec())?;
            if reply.header.msg_type != HANDSHAKE_REPLY {
                return Err(HandshakeError::OtherAnswer(reply.header.msg_type));
            }
            let reply: HandshakeReply = reply.content()?;
            if reply.status != "ok" {
                return Err(HandshakeError::Refused(reply.error.to_string()));
            }
        }
        RegistrationForm::Jep66 { kernel_id } => {
            let mut socket = DealerSocket::new();
            socket.connect(&registration.endpoint()).await?;
            let content = to_json(&RegistrationContent::new(kernel_id.as_str(), ports));
            socket.send(message(session.seal_single(content))?).await?;
            session.open_single(socket.recv().await?.into_vec())?;
        }
    }
    Ok(())
}

fn message(frames: Vec<Bytes>) -> Result<ZmqMessage, HandshakeError> {
    ZmqMessage::try_from(frames).map_err(|_| HandshakeError::Transport(ZmqError::Other("an empty message")))
}
