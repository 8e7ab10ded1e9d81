//! What the io thread says: the queue of Python's output made into messages, and the messages of its own.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::io::Io;
use super::out::{Body, Channel, Out};
use super::parent::Parent;
use super::timers::Due;
use crate::lifecycle::{Action, Event};
use crate::transport::{Router, SendError};
use crate::wire::Outgoing;
use crate::wire::message::to_json;
use crate::wire::messages::iopub::{ExecutionState, Stream};

/// How often a question is sent anew to a client that is not connected yet.
const ASK_AGAIN: Duration = Duration::from_millis(10);

impl Io {
    pub(super) fn send(&mut self, out: Out) {
        if self.ladder.output_closed {
            return;
        }
        match out {
            Out::Stream { name, parent, text } => {
                let content = to_json(&Stream {
                    name: name.name(),
                    text: &text,
                });
                let topic = Bytes::from(format!("stream.{}", name.name()));
                self.publish(parent.as_ref(), Some(topic), Body::new("stream", content));
            }
            Out::Iopub { parent, topic, body } => self.publish(parent.as_ref(), topic, body),
            Out::Reply {
                id,
                channel,
                parent,
                body,
            } => {
                if self
                    .handle
                    .switch
                    .step(Event::Reply { id })
                    .contains(&Action::PassReply { id })
                {
                    self.reply(channel, &parent, body);
                } else {
                    tracing::info!("a late {} was dropped: its request has an answer", body.msg_type);
                }
            }
            Out::InputRequest { parent, content } => self.ask(parent, content),
            // Taken care of before; at the very end there is nothing left to abort.
            Out::Abort => {}
            Out::Began { id, parent, executes } => {
                self.status(Some(&parent), ExecutionState::Busy);
                if executes {
                    self.running = Some((id, parent));
                }
            }
            Out::Finished { id } => {
                if self.running.as_ref().is_some_and(|(running, _)| *running == id) {
                    self.running = None;
                }
                // The cell may have set SIGTERM to be ignored; it is how the kernel is told to end.
                self.handle.reclaim_sigterm();
                self.feed(Event::Finished { id });
                if self.aborting.as_ref().is_some_and(|abort| abort.cell == id) {
                    self.end_abort();
                }
            }
        }
    }

    /// Ask the user. A client whose stdin socket has not got here yet is asked when it has: it waits for the cell, and the
    /// cell for its answer.
    pub(super) fn ask(&mut self, parent: Parent, content: Bytes) {
        let message = outgoing(Some(&parent), Body::new("input_request", content.clone()));
        match self.stdin.send(self.session.seal(parent.identities(), &message)) {
            Err(SendError::NoSuchPeer) if self.handle.input.is_asked() => {
                self.question = Some((parent, content));
                self.timers.add(Instant::now() + ASK_AGAIN, Due::Ask);
            }
            Err(error) => tracing::info!("an input_request was not delivered: {error}"),
            Ok(()) => {}
        }
    }

    /// Publish a message on iopub.
    pub(super) fn publish(&self, parent: Option<&Parent>, topic: Option<Bytes>, body: Body) {
        let topic =
            topic.unwrap_or_else(|| Bytes::from(format!("kernel.{}.{}", self.session.id(), body.msg_type)));
        let message = outgoing(parent, body);
        self.iopub.publish(self.session.seal(&[topic], &message));
    }

    pub(super) fn status(&self, parent: Option<&Parent>, state: ExecutionState) {
        self.publish(
            parent,
            None,
            Body::new("status", Bytes::from_static(state.content())),
        );
    }

    /// `idle` after a request. A front-end shows the last status, whosever it is, so while a cell runs beside the request
    /// it is told so again.
    pub(super) fn idle(&self, parent: &Parent) {
        self.status(Some(parent), ExecutionState::Idle);
        // A cell that never comes back is answered at the end, and from then on it counts as idle.
        if let Some((id, running)) = &self.running
            && self.requests.contains_key(id)
        {
            self.status(Some(running), ExecutionState::Busy);
        }
    }

    /// Send a reply to where its request came from.
    pub(super) fn reply(&self, channel: Channel, parent: &Parent, body: Body) {
        let message = outgoing(Some(parent), body);
        let frames = self.session.seal(parent.identities(), &message);
        match channel {
            Channel::Shell => route(&self.shell, "shell", frames),
            Channel::Control => route(&self.control, "control", frames),
        }
    }
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

fn route(router: &Router, channel: &str, frames: Vec<Bytes>) {
    if let Err(error) = router.send(frames) {
        tracing::info!("a message on {channel} was not delivered: {error}");
    }
}
