//! ROUTER: requests come in with the identity of who asked, replies go out to an identity.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::Notify;
#[cfg(test)]
use tokio::time::Instant;

use super::admission::Standing;
#[cfg(test)]
use super::drain::drained;
use super::drain::is_drained;
#[cfg(test)]
use super::hub::Counters;
use super::hub::{Objection, Pattern, Server};
use super::inbox::Inbox;
use super::link::{Dropped, Link};
use super::zmtp::{Event, Hello, SocketType, encode};
use super::{Frames, Limits, Listener, PeerId, SendError};

/// How often [`Router::sweep`] lets the peers read before it gives up on one that has something left.
const SWEEPS: usize = 64;
/// The same for strangers. It takes two for the runtime to notice that something has come and to have it read.
const SWEEPS_FOR_STRANGERS: usize = 4;

/// A ROUTER socket and its one owner.
#[derive(Debug)]
pub struct Router {
    server: Server<Peers>,
}

impl Router {
    /// Starts to serve; `name` is for the log. Must be called inside a `LocalSet`.
    ///
    /// # Errors
    /// When a listener cannot be registered with the runtime.
    pub fn bind(listeners: Vec<Listener>, name: &'static str, limits: Limits) -> io::Result<Self> {
        let pattern = Peers::new(limits.inbound_budget);
        Ok(Self {
            server: Server::bind(listeners, name, limits, pattern)?,
        })
    }

    /// The next message; its first frame is the identity of the peer. Loses nothing when dropped while waiting.
    #[cfg(test)]
    pub(super) async fn recv(&mut self) -> Frames {
        let arrived = self.server.hub.pattern.inbox.take().await;
        self.open(arrived)
    }

    /// A message that has been read already, if there is one.
    pub fn try_recv(&mut self) -> Option<Frames> {
        let arrived = self.server.hub.pattern.inbox.try_take()?;
        Some(self.open(arrived))
    }

    fn open(&self, arrived: Arrived) -> Frames {
        self.server.hub.opened(&arrived.link);
        arrived.frames
    }

    /// The message that began with this identity had a valid signature: its peer is no stranger any more. To be called
    /// before the next message is taken, with the frame itself and not with a copy of it: a name may have come to another
    /// connection since.
    pub fn trust(&self, identity: &Bytes) {
        let hub = &self.server.hub;
        if let Some(link) = hub.pattern.sender(identity) {
            hub.trust(&link);
        }
    }

    /// How many messages have been read and not been taken.
    pub fn waiting(&self) -> usize {
        self.server.hub.pattern.inbox.len()
    }

    /// Returns when there is a message to take. May be dropped while waiting.
    pub async fn readable(&self) {
        self.server.hub.pattern.inbox.filled().await;
    }

    /// Lets the peers read what has arrived at this machine by now, as far as budgets allow, so that
    /// [`Router::try_recv`] finds it.
    pub async fn sweep(&self) {
        let hub = &self.server.hub;
        for round in 0..SWEEPS {
            let counts = |peer: &Link| peer.is_known() || round < SWEEPS_FOR_STRANGERS;
            if !hub
                .peers()
                .iter()
                .any(|peer| counts(peer) && hub.reads(peer) && peer.has_unread())
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Queues a message for the peer that its first frame names. Never waits: a peer whose queue is full has its answers
    /// kept for it within bounds, and where those are reached it is cut off.
    ///
    /// # Errors
    /// When the peer is gone or has been cut off; the message is lost then, and this is the caller's to log.
    pub fn send(&self, frames: Frames) -> Result<(), SendError> {
        let Some((identity, parts)) = frames.split_first().filter(|(_, parts)| !parts.is_empty()) else {
            return Err(SendError::Empty);
        };
        let hub = &self.server.hub;
        let link = hub.pattern.by_identity.borrow().get(identity).cloned();
        let link = link.ok_or(SendError::NoSuchPeer)?;
        let bytes = parts.iter().map(Bytes::len).sum();
        if !link.has_room_for(bytes, hub.limits.answers_beyond) {
            hub.give_up(&link, Dropped::Stuck);
            return Err(SendError::CutOff);
        }
        link.put(encode(parts));
        Ok(())
    }

    /// Whether the systems of all reading peers have every byte, and every byte of theirs has been read. From the first
    /// call on everything is read that comes; what does not fit into the inbound budget is dropped.
    pub fn is_drained(&self) -> bool {
        is_drained(&self.server.hub)
    }

    /// Waits for [`Router::is_drained`]; false when `deadline` came first.
    #[cfg(test)]
    pub(super) async fn drained(&self, deadline: Instant) -> bool {
        drained(&self.server.hub, deadline).await
    }

    /// Whether a peer's bytes have arrived and not been read.
    #[cfg(test)]
    pub(super) fn server_unread(&self) -> bool {
        self.server.hub.peers().iter().any(|peer| peer.has_unread())
    }

    /// What has happened so far.
    #[cfg(test)]
    pub(super) fn counters(&self) -> Counters {
        self.server.hub.counters()
    }
}

/// A message and who sent it.
#[derive(Debug)]
struct Arrived {
    link: Rc<Link>,
    frames: Frames,
}

#[derive(Debug)]
struct Peers {
    inbox: Inbox<Arrived>,
    by_identity: RefCell<HashMap<Bytes, Rc<Link>>>,
    identities: RefCell<HashMap<PeerId, Bytes>>,
    nameless: Cell<u32>,
}

impl Pattern for Peers {
    const SOCKET: SocketType = SocketType::Router;
    const CUTS_OFF_THE_STUCK: bool = true;
    const EVENT: usize = 4 << 10;

    fn standing(&self, link: &Link) -> Standing {
        match link.is_known() {
            true => Standing::Known,
            false => Standing::Idle,
        }
    }

    fn admit(&self, link: &Rc<Link>, hello: Hello) -> Result<(), &'static str> {
        let identity = match hello.identity.first() {
            None => self.make_up_name(),
            Some(0) => return Err("identities that begin with a zero byte are the server's"),
            // A copy: a slice would keep the whole block that it was read into alive as long as the peer.
            Some(_) => Bytes::copy_from_slice(&hello.identity),
        };
        self.identities.borrow_mut().insert(link.id, identity.clone());
        if let Some(old) = self.by_identity.borrow_mut().insert(identity, link.clone()) {
            old.end(Dropped::HandedOver);
        }
        Ok(())
    }

    fn take(&self, link: &Rc<Link>, event: Event) -> Result<(), Objection> {
        if let Event::Message(mut frames) = event
            && let Some(identity) = self.identities.borrow().get(&link.id)
        {
            let bytes = frames.iter().map(|frame| frame.len() + size_of::<Bytes>()).sum();
            frames.insert(0, identity.clone());
            link.handed_on(bytes);
            let link = link.clone();
            self.inbox.put(Arrived { link, frames }, bytes);
        }
        Ok(())
    }

    fn gone(&self, link: &Link) {
        let Some(identity) = self.identities.borrow_mut().remove(&link.id) else {
            return;
        };
        let mut by_identity = self.by_identity.borrow_mut();
        // After a handover the name belongs to the newer connection.
        if by_identity
            .get(&identity)
            .is_some_and(|holder| holder.id == link.id)
        {
            by_identity.remove(&identity);
        }
    }

    fn has_room(&self, link: &Link) -> bool {
        self.inbox.has_room(link.is_known())
    }

    fn room(&self) -> &Notify {
        &self.inbox.room
    }
}

impl Peers {
    fn new(inbound_budget: usize) -> Self {
        Self {
            inbox: Inbox::new(inbound_budget),
            by_identity: RefCell::default(),
            identities: RefCell::default(),
            nameless: Cell::new(0),
        }
    }

    /// The connection that this very identity was put in front of a message of, if it still has its name.
    fn sender(&self, identity: &Bytes) -> Option<Rc<Link>> {
        let link = self.by_identity.borrow().get(identity).cloned()?;
        let identities = self.identities.borrow();
        let own = identities.get(&link.id)?;
        (own.as_ptr() == identity.as_ptr()).then_some(link)
    }

    /// A name for a peer that brought none: a zero byte, which no peer may begin its own with, and a number.
    fn make_up_name(&self) -> Bytes {
        loop {
            let number = self.nameless.get().wrapping_add(1);
            self.nameless.set(number);
            let mut name = BytesMut::with_capacity(5);
            name.put_u8(0);
            name.put_u32(number);
            let name = name.freeze();
            if !self.by_identity.borrow().contains_key(&name) {
                return name;
            }
        }
    }
}
