//! `input_request`s on their way to the clients of their cells, which may not be connected on stdin yet.
//!
//! The io loop sends each, and again as long as somebody waits for the answer; the answer goes to the [`Inputs`], where the
//! cell waits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use super::channels::Channels;
use super::input::{Inputs, Question};
use crate::transport::SendError;
use crate::wire::Message;
use crate::wire::json;
use crate::wire::messages::stdin::InputReply;

/// How often a question is sent anew to a client that is not connected yet.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(10);

/// The questions that wait for their clients.
#[derive(Debug, Default)]
pub(super) struct Unsent(Vec<(Arc<Question>, Bytes)>);

impl Unsent {
    /// Ask the user. A client whose stdin socket has not got here yet is to be asked when it has, since it waits for the
    /// cell and the cell for its answer: then this returns true, and [`Unsent::again`] is due.
    pub(super) fn ask(&mut self, channels: &Channels, question: Arc<Question>, content: Bytes) -> bool {
        match channels.ask(question.parent(), content.clone()) {
            Err(SendError::NoSuchPeer) if question.is_open() => {
                self.0.push((question, content));
                return self.0.len() == 1;
            }
            Err(error) => tracing::info!("an input_request was not delivered: {error}"),
            Ok(msg_id) => question.sent(msg_id),
        }
        false
    }

    /// Ask once more what was not delivered; whether this is due again.
    pub(super) fn again(&mut self, channels: &Channels) -> bool {
        for (question, content) in std::mem::take(&mut self.0) {
            self.ask(channels, question, content);
        }
        !self.0.is_empty()
    }
}

#[derive(Deserialize)]
struct ParentId {
    msg_id: Option<String>,
}

/// A user's answer came, or what is sent in its place.
pub(super) fn answered(inputs: &Inputs, message: &Message) {
    if message.header.msg_type != "input_reply" {
        tracing::warn!(
            "a message of type {:?} on stdin was dropped",
            message.header.msg_type
        );
        return;
    }
    match message.content::<InputReply>() {
        Ok(reply) => {
            let parent = json::object_from_slice::<ParentId>(&message.parent_header).ok();
            let names = parent.and_then(|parent| parent.msg_id);
            if !inputs.answer(names.as_deref().filter(|name| !name.is_empty()), reply.value) {
                tracing::info!("an input_reply that nobody waits for was dropped");
            }
        }
        Err(error) => tracing::warn!("a message on stdin was dropped: {error}"),
    }
}
