//! XPUB: what is published goes to every peer that subscribed to a prefix of it; the owner sees who subscribes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::drain::drain;
#[cfg(test)]
use super::hub::Counters;
use super::hub::{Objection, Pattern, Server};
use super::inbox::Inbox;
use super::peer::Link;
use super::zmtp::{Event, Hello, SocketType, encode};
use super::{Frames, Limits, Listener, PeerId};

/// Topics that one peer may hold, and bytes of all of them. Each is compared with each message.
const TOPICS: usize = 256;
const TOPIC_BYTES: usize = 64 << 10;

/// A peer's interest, reported as often as the peer says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    Subscribe { topic: Bytes, peer: PeerId },
    Unsubscribe { topic: Bytes, peer: PeerId },
}

/// An XPUB socket and its one owner.
#[derive(Debug)]
pub struct XPub {
    server: Server<Subscribers>,
}

impl XPub {
    /// Starts to serve; `name` is for the log. Must be called inside a `LocalSet`. Peers send nothing but
    /// subscriptions, so the limit of a command is the limit of their messages.
    ///
    /// # Errors
    /// When a listener cannot be registered with the runtime.
    pub fn bind(listeners: Vec<Listener>, name: &'static str, mut limits: Limits) -> io::Result<Self> {
        limits.message_bytes = limits.message_bytes.min(limits.command_bytes as u64);
        let pattern = Subscribers {
            inbox: Inbox::new(limits.inbound_budget),
            peers: RefCell::default(),
        };
        Ok(Self {
            server: Server::bind(listeners, name, limits, pattern)?,
        })
    }

    /// The next subscription, which is in force already. Loses nothing when dropped while waiting.
    #[cfg(test)]
    pub(super) async fn recv(&mut self) -> Subscription {
        self.server.hub.pattern.inbox.take().await
    }

    /// A subscription that has been read already, if there is one.
    pub fn try_recv(&mut self) -> Option<Subscription> {
        self.server.hub.pattern.inbox.try_take()
    }

    /// Returns when there is a subscription to take. May be dropped while waiting.
    pub async fn readable(&self) {
        self.server.hub.pattern.inbox.filled().await;
    }

    /// Queues a message for every peer with a subscription that is a prefix of its first frame. Never waits and
    /// drops nothing: who publishes much awaits [`XPub::writable`] first.
    pub fn publish(&self, frames: Frames) {
        let Some(topic) = frames.first() else {
            return;
        };
        let mut message = None;
        for peer in self
            .server
            .hub
            .pattern
            .peers
            .borrow()
            .values()
            .filter(|peer| peer.wants(topic))
        {
            // Encoded once, shared by all.
            let message: &Vec<Bytes> = message.get_or_insert_with(|| encode(&frames));
            peer.link.put(message.iter().cloned());
        }
    }

    /// Queues a message for one peer, whatever it subscribed to; a peer that has left is no error.
    pub fn publish_to(&self, peer: PeerId, frames: Frames) {
        if let Some(link) = self.server.hub.peer(peer)
            && !frames.is_empty()
        {
            link.put(encode(&frames));
        }
    }

    /// Returns when no peer is at its budget. One that takes nothing is cut off after a while, so this takes
    /// [`Limits::stuck_after`] at most, or as long as the slowest peer reads. May be dropped while waiting.
    pub async fn writable(&self) {
        let hub = &self.server.hub;
        loop {
            let progress = hub.progress.notified();
            if !hub
                .pattern
                .peers
                .borrow()
                .values()
                .any(|peer| peer.link.is_full())
            {
                return;
            }
            progress.await;
        }
    }

    /// Waits until the systems of all reading peers have every byte; false when `deadline` came first. Reads on
    /// meanwhile.
    pub async fn drain(&self, deadline: Instant) -> bool {
        drain(&self.server.hub, deadline).await
    }

    /// How many peers subscribe to anything.
    #[cfg(test)]
    pub(super) fn subscribers(&self) -> usize {
        self.server
            .hub
            .pattern
            .peers
            .borrow()
            .values()
            .filter(|peer| !peer.topics.is_empty())
            .count()
    }

    /// The descriptors of all peers.
    #[cfg(test)]
    pub(super) fn fds(&self) -> Vec<std::os::fd::RawFd> {
        self.server
            .hub
            .peers()
            .iter()
            .filter_map(|peer| peer.fd())
            .collect()
    }

    /// What has happened so far.
    #[cfg(test)]
    pub(super) fn counters(&self) -> Counters {
        self.server.hub.counters()
    }
}

#[derive(Debug)]
struct Subscriber {
    link: Rc<Link>,
    topics: Vec<Bytes>,
}

impl Subscriber {
    fn wants(&self, topic: &[u8]) -> bool {
        self.topics.iter().any(|prefix| topic.starts_with(prefix))
    }

    fn subscribe(&mut self, topic: &Bytes) -> Result<(), &'static str> {
        // As in libzmq, a prefix is held or it is not: SUB sockets do the counting.
        if self.topics.contains(topic) {
            return Ok(());
        }
        let bytes: usize = self.topics.iter().map(Bytes::len).sum();
        if self.topics.len() >= TOPICS || bytes + topic.len() > TOPIC_BYTES {
            return Err("too many topics");
        }
        // A copy: a slice would keep the whole block that it was read into alive.
        self.topics.push(Bytes::copy_from_slice(topic));
        Ok(())
    }
}

#[derive(Debug)]
struct Subscribers {
    inbox: Inbox<Subscription>,
    peers: RefCell<HashMap<PeerId, Subscriber>>,
}

impl Pattern for Subscribers {
    const SOCKET: SocketType = SocketType::XPub;

    fn admit(&self, link: &Rc<Link>, _: Hello) -> Result<(), &'static str> {
        let subscriber = Subscriber {
            link: link.clone(),
            topics: Vec::new(),
        };
        self.peers.borrow_mut().insert(link.id, subscriber);
        Ok(())
    }

    fn take(&self, link: &Rc<Link>, event: Event) -> Result<(), Objection> {
        let peer = link.id;
        let (bytes, subscription) = match event {
            Event::Subscribe(topic) => {
                if let Some(subscriber) = self.peers.borrow_mut().get_mut(&peer) {
                    subscriber.subscribe(&topic).map_err(Objection::End)?;
                }
                (topic.len(), Subscription::Subscribe { topic, peer })
            }
            Event::Cancel(topic) => {
                if let Some(subscriber) = self.peers.borrow_mut().get_mut(&peer) {
                    subscriber.topics.retain(|held| held != &topic);
                }
                (topic.len(), Subscription::Unsubscribe { topic, peer })
            }
            // XSUB peers may send messages upstream; nobody listens for them here.
            _ => return Err(Objection::Ignore("ignored a message to a publisher")),
        };
        self.inbox.put(subscription, bytes);
        Ok(())
    }

    fn gone(&self, link: &Link) {
        self.peers.borrow_mut().remove(&link.id);
    }

    fn has_room(&self) -> bool {
        self.inbox.has_room()
    }

    fn room(&self) -> &Notify {
        &self.inbox.room
    }
}
