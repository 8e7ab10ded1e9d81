//! An `input_request` on its way to the client of its cell, which may not be connected on stdin yet.
//!
//! The io loop sends it, and again as long as somebody waits for the answer; the answer goes to the
//! [`InputSlot`], where the cell waits.

use std::time::Duration;

use bytes::Bytes;

use super::channels::Channels;
use super::input::InputSlot;
use super::parent::Parent;
use crate::transport::SendError;
use crate::wire::Message;
use crate::wire::messages::stdin::InputReply;

/// How often a question is sent anew to a client that is not connected yet.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(10);

/// The question that waits for its client.
#[derive(Debug, Default)]
pub(super) struct Question(Option<(Parent, Bytes)>);

impl Question {
    /// Ask the user. A client whose stdin socket has not got here yet is to be asked when it has, since it waits for the
    /// cell and the cell for its answer: then this returns true, and [`Question::again`] is due.
    pub(super) fn ask(
        &mut self,
        channels: &Channels,
        input: &InputSlot,
        parent: Parent,
        content: Bytes,
    ) -> bool {
        match channels.ask(&parent, content.clone()) {
            Err(SendError::NoSuchPeer) if input.is_asked() => {
                self.0 = Some((parent, content));
                return true;
            }
            Err(error) => tracing::info!("an input_request was not delivered: {error}"),
            Ok(()) => {}
        }
        false
    }

    /// Ask once more what was not delivered; as [`Question::ask`].
    pub(super) fn again(&mut self, channels: &Channels, input: &InputSlot) -> bool {
        match self.0.take() {
            Some((parent, content)) => self.ask(channels, input, parent, content),
            None => false,
        }
    }
}

/// The user's answer came, or what is sent in its place.
pub(super) fn answered(input: &InputSlot, message: &Message) {
    if message.header.msg_type != "input_reply" {
        tracing::warn!(
            "a message of type {:?} on stdin was dropped",
            message.header.msg_type
        );
        return;
    }
    match message.content::<InputReply>() {
        Ok(reply) => {
            if !input.answer(reply.value) {
                tracing::info!("an input_reply that nobody waits for was dropped");
            }
        }
        Err(error) => tracing::warn!("a message on stdin was dropped: {error}"),
    }
}
