//! XPUB: what is published goes to every peer that subscribed to a prefix of it; the owner sees who subscribes.
//!
//! Each subscriber has a queue of its own. Where one is full the owner waits, as long as nobody else could go on or the
//! slow one keeps a pace ([`Limits::pace`]); one that does not keep it holds up the others for a second in all, and is cut
//! off. Where nobody else waits for it, it has minutes ([`Limits::patience`]): a front-end that is being debugged, or sleeps
//! with its laptop, loses nothing by being alone.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::admission::Standing;
#[cfg(test)]
use super::drain::drained;
use super::drain::is_drained;
#[cfg(test)]
use super::hub::Counters;
use super::hub::{Hub, Objection, Pattern, Server};
use super::inbox::Inbox;
use super::link::{Dropped, Link};
use super::pace::Pace;
use super::topics::Topics;
use super::zmtp::{Event, Hello, SocketType, encode};
use super::{Frames, Limits, Listener, PeerId};

/// How often, in published bytes, all queues together are looked at.
const LOOK_EVERY: usize = 4 << 20;

/// Without a byte taken for this long, a subscriber does not count as reading.
const DEAF_AFTER: Duration = Duration::from_secs(1);

/// A peer's interest in a topic that it had not subscribed to before. It is in force already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub topic: Bytes,
    pub peer: PeerId,
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
    pub fn bind(listeners: Vec<Listener>, name: &'static str, limits: Limits) -> io::Result<Self> {
        let pattern = Subscribers {
            inbox: Inbox::new(limits.inbound_budget),
            peers: RefCell::default(),
            published: Cell::new(0),
        };
        Ok(Self {
            server: Server::bind(listeners, name, limits.of_a_publisher(), pattern)?,
        })
    }

    /// The next subscription. Loses nothing when dropped while waiting.
    #[cfg(test)]
    pub(super) async fn recv(&mut self) -> Subscription {
        self.server.hub.pattern.inbox.take().await
    }

    /// A subscription that has been read already, if there is one. Each peer causes one for each of its topics, and no more
    /// of them than it may have topics, however often it comes and goes.
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
        let pattern = &self.server.hub.pattern;
        let mut message = None;
        for peer in pattern
            .peers
            .borrow()
            .values()
            .filter(|peer| peer.topics.want(topic))
        {
            // Encoded once, shared by all.
            let message: &Vec<Bytes> = message.get_or_insert_with(|| encode(&frames));
            peer.link.put(message.iter().cloned());
        }
        let published = pattern.published.get() + frames.iter().map(Bytes::len).sum::<usize>();
        pattern.published.set(published);
        if published >= LOOK_EVERY {
            pattern.published.set(0);
            self.keep_within_budget();
        }
    }

    /// Queues a message for one peer, whatever it subscribed to. A peer that has left is no error; one whose queue is full
    /// is cut off, since it would never know that this is missing.
    pub fn publish_to(&self, peer: PeerId, frames: Frames) {
        let hub = &self.server.hub;
        if let Some(link) = hub.peer(peer)
            && !frames.is_empty()
        {
            if link.is_full() {
                hub.give_up(&link, Dropped::Stuck);
            } else {
                link.put(encode(&frames));
            }
        }
    }

    /// Returns when no peer is at its budget. To be awaited only by who has something to publish: the time that is spent
    /// in here is what a slow peer is charged with. May be dropped while waiting.
    pub async fn writable(&self) {
        let hub = &self.server.hub;
        loop {
            let progress = hub.progress.notified();
            let Some(at_most) = hub.pattern.wait_at_most(&hub.limits) else {
                return;
            };
            let waiting = Waiting {
                hub,
                since: Instant::now(),
            };
            tokio::select! {
                () = progress => {}
                () = sleep_until(waiting.since + at_most) => {}
            }
        }
    }

    /// Whether the systems of all reading peers have every byte, and every byte of theirs has been read. From the first
    /// call on everything is read that comes.
    pub fn is_drained(&self) -> bool {
        is_drained(&self.server.hub)
    }

    /// Waits for [`XPub::is_drained`]; false when `deadline` came first.
    #[cfg(test)]
    pub(super) async fn drained(&self, deadline: Instant) -> bool {
        drained(&self.server.hub, deadline).await
    }

    /// How many peers subscribe to anything.
    #[cfg(test)]
    pub(super) fn subscribers(&self) -> usize {
        let peers = self.server.hub.pattern.peers.borrow();
        peers.values().filter(|peer| !peer.topics.is_empty()).count()
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

    /// Bytes in all queues.
    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.server.hub.peers().iter().map(|peer| peer.queued()).sum()
    }

    /// What has happened so far.
    #[cfg(test)]
    pub(super) fn counters(&self) -> Counters {
        self.server.hub.counters()
    }

    /// Many slow subscribers, each below its budget, may hold much. The one with the longest queue goes, and among equals
    /// the one that has taken the least in its life.
    fn keep_within_budget(&self) {
        let hub = &self.server.hub;
        loop {
            let links: Vec<Rc<Link>> = hub.peers();
            let queued: usize = links.iter().map(|link| link.queued()).sum();
            if queued <= hub.limits.subscribers_budget {
                return;
            }
            let longest = links
                .iter()
                .max_by_key(|link| (link.queued(), std::cmp::Reverse(link.taken())));
            let Some(longest) = longest else { return };
            hub.give_up(longest, Dropped::Stuck);
        }
    }
}

/// A stay in [`XPub::writable`]: when it ends, also by being dropped, those who were waited for are charged with it, and
/// cut off where it was too much.
struct Waiting<'a> {
    hub: &'a Hub<Subscribers>,
    since: Instant,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let (pattern, limits) = (&self.hub.pattern, &self.hub.limits);
        let waited = self.since.elapsed();
        let others = pattern.others_can_go_on();
        let mut slow = Vec::new();
        for peer in pattern
            .peers
            .borrow_mut()
            .values_mut()
            .filter(|peer| peer.link.is_full())
        {
            let taken = peer.link.taken();
            peer.pace.charge(waited, others, taken);
            if peer.pace.is_over(limits, taken) {
                slow.push((
                    peer.link.clone(),
                    if others { Dropped::Slow } else { Dropped::Stuck },
                ));
            }
        }
        for (link, reason) in slow {
            self.hub.give_up(&link, reason);
        }
    }
}

#[derive(Debug)]
struct Subscriber {
    link: Rc<Link>,
    topics: Topics,
    pace: Pace,
}

#[derive(Debug)]
struct Subscribers {
    inbox: Inbox<Subscription>,
    peers: RefCell<HashMap<PeerId, Subscriber>>,
    /// Bytes published since all queues were looked at.
    published: Cell<usize>,
}

impl Subscribers {
    /// Whether anybody could take more now.
    fn others_can_go_on(&self) -> bool {
        self.peers
            .borrow()
            .values()
            .any(|peer| !peer.topics.is_empty() && !peer.link.is_full())
    }

    /// How long the writer may wait before accounts are to be looked at again; none where it need not wait.
    fn wait_at_most(&self, limits: &Limits) -> Option<Duration> {
        let others = self.others_can_go_on();
        self.peers
            .borrow_mut()
            .values_mut()
            .filter(|peer| peer.link.is_full())
            .map(|peer| peer.pace.left(limits, others, peer.link.taken()))
            .min()
    }
}

impl Pattern for Subscribers {
    const SOCKET: SocketType = SocketType::XPub;
    const CUTS_OFF_THE_STUCK: bool = false;
    const EVENT: usize = 256;

    fn standing(&self, link: &Link) -> Standing {
        match self.peers.borrow().get(&link.id) {
            Some(peer) if !peer.topics.is_empty() => {
                let now = Instant::now();
                match link.stands_since(now.checked_sub(DEAF_AFTER).unwrap_or(now)) {
                    true => Standing::Deaf,
                    false => Standing::Active,
                }
            }
            _ => Standing::Idle,
        }
    }

    fn admit(&self, link: &Rc<Link>, _: Hello) -> Result<(), &'static str> {
        let subscriber = Subscriber {
            link: link.clone(),
            topics: Topics::default(),
            pace: Pace::default(),
        };
        self.peers.borrow_mut().insert(link.id, subscriber);
        Ok(())
    }

    fn take(&self, link: &Rc<Link>, event: Event) -> Result<(), Objection> {
        let mut peers = self.peers.borrow_mut();
        let Some(subscriber) = peers.get_mut(&link.id) else {
            return Ok(());
        };
        match event {
            Event::Subscribe(topic) => {
                if subscriber.topics.add(&topic).map_err(Objection::End)? {
                    let (bytes, peer) = (topic.len(), link.id);
                    self.inbox.put(Subscription { topic, peer }, bytes);
                }
            }
            Event::Cancel(topic) => subscriber.topics.remove(&topic),
            // XSUB peers may send messages upstream; nobody listens for them here.
            _ => return Err(Objection::Ignore("ignored a message to a publisher")),
        }
        Ok(())
    }

    fn gone(&self, link: &Link) {
        self.peers.borrow_mut().remove(&link.id);
    }

    fn has_room(&self, _: &Link) -> bool {
        self.inbox.has_room(true)
    }

    fn room(&self) -> &Notify {
        &self.inbox.room
    }
}
