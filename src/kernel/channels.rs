//! The five channels and the session behind them: what comes in is opened here, what is said is sealed and sent.
//!
//! Owned by the io loop, which listens; whoever has something to say is lent it for that. Nothing here waits, and nothing
//! here decides what is to be said.

use bytes::Bytes;

use super::bind::Listeners;
use super::out::{Body, Channel};
use super::parent::Parent;
use crate::transport::{Limits, Rep, Router, SendError, Subscription, XPub};
use crate::wire::message::to_json;
use crate::wire::messages::iopub::{ExecutionState, IopubWelcome, Stream};
use crate::wire::{Header, Message, Outgoing, Session};

/// See the module.
pub(super) struct Channels {
    session: Session,
    pub(super) shell: Router,
    pub(super) control: Router,
    pub(super) stdin: Router,
    pub(super) iopub: XPub,
    _heartbeat: Rep,
    /// Whoever subscribes is told that Python is still starting.
    starting: bool,
}

impl Channels {
    /// # Errors
    /// When a listener cannot be registered with the runtime.
    pub(super) fn new(listeners: Listeners, session: Session) -> std::io::Result<Self> {
        let Listeners {
            shell,
            control,
            stdin,
            iopub,
            heartbeat,
        } = listeners;
        // Clones, so that strangers of all five share what they may make it keep.
        let limits = Limits::default();
        Ok(Channels {
            session,
            shell: Router::bind(vec![shell], "shell", limits.clone())?,
            control: Router::bind(vec![control], "control", limits.clone())?,
            stdin: Router::bind(vec![stdin], "stdin", limits.clone())?,
            iopub: XPub::bind(vec![iopub], "iopub", limits.clone())?,
            _heartbeat: Rep::echo(vec![heartbeat], "heartbeat", limits.clone())?,
            starting: true,
        })
    }

    /// Python is up.
    pub(super) fn started(&mut self) {
        self.starting = false;
    }

    /// Check and open what came on a channel. What is not in order is dropped, with a line in the log.
    pub(super) fn open(&mut self, channel: Channel, frames: Vec<Bytes>) -> Option<Message> {
        let router = match channel {
            Channel::Shell => &self.shell,
            Channel::Control => &self.control,
        };
        open(&mut self.session, router, channel.name(), frames)
    }

    /// The same for stdin.
    pub(super) fn open_stdin(&mut self, frames: Vec<Bytes>) -> Option<Message> {
        open(&mut self.session, &self.stdin, "stdin", frames)
    }

    /// Whether no subscriber asks for a pause.
    pub(super) async fn is_writable(&self) -> bool {
        tokio::select! {
            biased;
            () = self.iopub.writable() => true,
            () = std::future::ready(()) => false,
        }
    }

    /// Publish a message on iopub.
    pub(super) fn publish(&self, parent: Option<&Parent>, topic: Option<Bytes>, body: Body) {
        let topic = topic.unwrap_or_else(|| self.topic(&body.msg_type));
        self.iopub
            .publish(self.session.seal(&[topic], &outgoing(parent, body)));
    }

    /// Publish text of a stream.
    pub(super) fn stream(&self, parent: Option<&Parent>, name: &str, text: &str) {
        let topic = Bytes::from(format!("stream.{name}"));
        let content = to_json(&Stream { name, text });
        self.publish(parent, Some(topic), Body::new("stream", content));
    }

    pub(super) fn status(&self, parent: &Parent, state: ExecutionState) {
        self.publish(
            Some(parent),
            None,
            Body::new("status", Bytes::from_static(state.content())),
        );
    }

    /// Send a reply to where its request came from.
    pub(super) fn reply(&self, channel: Channel, parent: &Parent, body: Body) {
        let frames = self
            .session
            .seal(parent.identities(), &outgoing(Some(parent), body));
        let (router, name) = match channel {
            Channel::Shell => (&self.shell, channel.name()),
            Channel::Control => (&self.control, channel.name()),
        };
        if let Err(error) = router.send(frames) {
            tracing::info!("a message on {name} was not delivered: {error}");
        }
    }

    /// Send a question to the client of a cell.
    ///
    /// Returns the number under which it was sent.
    ///
    /// # Errors
    /// Where that client is not connected on stdin, or reads nothing.
    pub(super) fn ask(&self, parent: &Parent, content: Bytes) -> Result<Option<String>, SendError> {
        let message = outgoing(Some(parent), Body::new("input_request", content));
        let frames = self.session.seal(parent.identities(), &message);
        // Behind the identities, the delimiter and the signature.
        let header = frames.get(parent.identities().len() + 2).cloned();
        self.stdin.send(frames)?;
        Ok(header
            .and_then(|header| Header::parse(header).ok())
            .map(|header| header.msg_id))
    }

    /// Greet who subscribes to something.
    pub(super) fn welcome(&self, subscription: Subscription) {
        let Subscription { topic, peer } = subscription;
        let Ok(name) = std::str::from_utf8(&topic) else {
            return;
        };
        let content = to_json(&IopubWelcome { subscription: name });
        let message = Outgoing::new("iopub_welcome", content);
        let identities = if topic.is_empty() {
            Vec::new()
        } else {
            vec![topic.clone()]
        };
        self.iopub
            .publish_to(peer, self.session.seal(&identities, &message));
        if self.starting {
            let starting = Outgoing::new("status", Bytes::from_static(ExecutionState::Starting.content()));
            let topic = self.topic("status");
            self.iopub
                .publish_to(peer, self.session.seal(&[topic], &starting));
        }
    }

    /// Whether every peer that reads has what was queued for it. From the first question on the sockets drain.
    pub(super) fn are_drained(&self) -> bool {
        self.control.is_drained()
            & self.shell.is_drained()
            & self.stdin.is_drained()
            & self.iopub.is_drained()
    }

    fn topic(&self, msg_type: &str) -> Bytes {
        format!("kernel.{}.{msg_type}", self.session.id()).into()
    }
}

/// Open a message; its signature shows that its sender is no stranger.
fn open(session: &mut Session, router: &Router, channel: &str, frames: Vec<Bytes>) -> Option<Message> {
    let message = session
        .open(frames)
        .inspect_err(|error| tracing::warn!("a message on {channel} was dropped: {error}"))
        .ok()?;
    if let Some(identity) = message.identities.first() {
        router.trust(identity);
    }
    Some(message)
}

fn outgoing(parent: Option<&Parent>, body: Body) -> Outgoing {
    Outgoing {
        msg_type: body.msg_type.into(),
        parent: parent.map(|parent| parent.header().clone()),
        metadata: body.metadata,
        content: body.content,
        buffers: body.buffers,
        created: body.created,
    }
}
