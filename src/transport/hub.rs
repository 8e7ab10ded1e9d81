//! What the three patterns share: accepting, the caps on connections, the books, the end of a connection.
//!
//! A [`Server`] is what a pattern's owner holds; its [`Hub`] is shared with the tasks of its listeners and peers, all on
//! one thread, so `Cell` and `RefCell` do, and no borrow is ever held over an await.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::Instant;

use super::admission::{Standing, who_makes_room};
use super::allowance::{Allowance, SHARED};
use super::link::{Dropped, Link};
use super::listener::{Acceptor, SocketFile};
use super::peer::{self, Gone};
use super::zmtp::{Event, Hello, SocketType};
use super::{Limits, Listener, PeerId};

/// The pause after an accept that failed, for instance for want of descriptors: no spinning until there are some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What makes a socket a ROUTER, an XPUB or a REP. Nothing here may wait.
pub(super) trait Pattern: 'static {
    const SOCKET: SocketType;

    /// Whether a peer that stands at its budget is cut off after [`Limits::stuck_after`], whoever waits for it.
    const CUTS_OFF_THE_STUCK: bool;

    /// What it costs a stranger to have one message or command handed on, beside its bytes: about what could be read and
    /// hashed in the time that it takes.
    const EVENT: usize;

    /// What a peer past its handshake has shown of itself.
    fn standing(&self, link: &Link) -> Standing;

    /// Takes a peer whose handshake is in order, or says why not.
    fn admit(&self, link: &Rc<Link>, hello: Hello) -> Result<(), &'static str>;

    /// Takes what a peer sent.
    fn take(&self, link: &Rc<Link>, event: Event) -> Result<(), Objection>;

    /// Forgets a peer. Called for those that were never admitted, too, and maybe twice.
    fn gone(&self, link: &Link);

    /// Whether more should be read of this peer.
    fn has_room(&self, link: &Link) -> bool;

    /// Told (`notify_waiters`) when [`Pattern::has_room`] has become true.
    fn room(&self) -> &Notify;
}

/// What a pattern has against something that a peer sent.
pub(super) enum Objection {
    /// It makes no sense here, and is dropped.
    Ignore(&'static str),
    /// It ends the connection.
    End(&'static str),
}

/// What has happened on one socket so far.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Handshakes completed.
    pub ready: u64,
    /// Connections ended for what the peer sent or did not send in time, or turned away.
    pub refused: u64,
    /// Pending handshakes given up for newer ones.
    pub displaced: u64,
    /// Peers past their handshake that made room for newer ones.
    pub made_room: u64,
    /// Strangers given up because all of them together had begun too much.
    pub too_long: u64,
    /// Connections whose identity came back on a newer one.
    pub handed_over: u64,
    /// Peers cut off because they did not read.
    pub stuck: u64,
    /// Messages and commands that made no sense and were dropped.
    pub ignored: u64,
}

#[derive(Debug)]
pub(super) struct Hub<P> {
    pub(super) name: &'static str,
    pub(super) limits: Limits,
    pub(super) pattern: P,
    /// Told whenever a peer's queue has become empty or is no longer full, or a peer has left.
    pub(super) progress: Notify,
    pending: RefCell<VecDeque<Rc<Link>>>,
    ready: RefCell<HashMap<PeerId, Rc<Link>>>,
    counters: Cell<Counters>,
    /// What strangers may have done beyond what each has of its own.
    pub(super) shared: Allowance,
    /// Since when the socket drains; that never ends.
    draining: Cell<Option<Instant>>,
}

impl<P: Pattern> Hub<P> {
    /// The peers past their handshake.
    pub(super) fn peers(&self) -> Vec<Rc<Link>> {
        self.ready.borrow().values().cloned().collect()
    }

    pub(super) fn peer(&self, id: PeerId) -> Option<Rc<Link>> {
        self.ready.borrow().get(&id).cloned()
    }

    #[cfg(test)]
    pub(super) fn counters(&self) -> Counters {
        self.counters.get()
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        count(&mut counters);
        self.counters.set(counters);
    }

    /// Drops something that makes no sense, and says so once for each peer.
    pub(super) fn ignored(&self, link: &Link, what: &dyn std::fmt::Display) {
        self.count(|counters| counters.ignored += 1);
        link.warn(self.name, what);
    }

    /// Whether the peer is to be read from now. While the socket drains always: a connection that is closed with unread
    /// input is reset, and what was on its way out is lost.
    pub(super) fn reads(&self, link: &Link) -> bool {
        let waits = link.is_full() || link.owes_answers() || link.is_unopened();
        self.draining.get().is_some() || !waits && self.pattern.has_room(link)
    }

    /// Enters the state in which everything is read, if it has not been entered. Since when it lasts.
    pub(super) fn begin_drain(&self) -> Instant {
        let since = self.draining.get().unwrap_or_else(Instant::now);
        if self.draining.replace(Some(since)).is_none() {
            for link in self.peers() {
                link.wake();
            }
        }
        since
    }

    pub(super) fn admit(&self, link: &Rc<Link>, hello: Hello) -> Result<(), &'static str> {
        let chance = (self.counters.get().accepted as usize).wrapping_mul(0x9e37_79b9) >> 8;
        let ready = self.ready.borrow();
        let victim = who_makes_room(&ready, &self.limits, |link| self.pattern.standing(link), chance)?;
        drop(ready);
        self.pattern.admit(link, hello)?;
        if let Some(victim) = victim {
            self.give_up(&victim, Dropped::MadeRoom);
        }
        self.pending.borrow_mut().retain(|other| other.id != link.id);
        self.ready.borrow_mut().insert(link.id, link.clone());
        self.count(|counters| counters.ready += 1);
        tracing::debug!(socket = self.name, peer = %link.address, "connected");
        Ok(())
    }

    /// Ends a connection, which counts as gone from now on.
    pub(super) fn give_up(&self, link: &Link, reason: Dropped) {
        link.end(reason);
        self.forget(link);
    }

    fn forget(&self, link: &Link) {
        self.pending.borrow_mut().retain(|other| other.id != link.id);
        self.ready.borrow_mut().remove(&link.id);
        self.limits.strangers.release(link);
        self.pattern.gone(link);
    }

    /// The peer has sent a valid signature.
    pub(super) fn trust(&self, link: &Link) {
        if !link.is_known() {
            link.trust(self.limits.peer_budget);
            self.limits.strangers.release(link);
        }
    }

    /// A message of this peer is being opened.
    pub(super) fn opened(&self, link: &Rc<Link>) {
        link.opened();
        self.limits.strangers.charge(link);
    }

    pub(super) fn hand_on(&self, link: &Rc<Link>, event: Event) -> Result<(), Gone> {
        if self.draining.get().is_some() && !self.pattern.has_room(link) {
            self.ignored(link, &"dropped what came in during the drain");
            return Ok(());
        }
        match self.pattern.take(link, event) {
            Ok(()) => Ok(()),
            Err(Objection::End(reason)) => Err(Gone::Refused(reason)),
            Err(Objection::Ignore(what)) => {
                self.ignored(link, &what);
                Ok(())
            }
        }
    }

    pub(super) fn gone(&self, link: &Link, gone: &Gone) {
        self.forget(link);
        self.count(|counters| match gone {
            Gone::Left | Gone::Io(_) | Gone::Dropped(Dropped::Closed) => {}
            Gone::Protocol(_) | Gone::Handshake | Gone::Refused(_) => counters.refused += 1,
            Gone::Dropped(Dropped::Stuck | Dropped::Slow) => counters.stuck += 1,
            Gone::Dropped(Dropped::Displaced) => counters.displaced += 1,
            Gone::Dropped(Dropped::MadeRoom) => counters.made_room += 1,
            Gone::Dropped(Dropped::TooLong) => counters.too_long += 1,
            Gone::Dropped(Dropped::HandedOver) => counters.handed_over += 1,
        });
        match gone {
            Gone::Left | Gone::Io(_) | Gone::Dropped(Dropped::Closed) => {
                tracing::debug!(socket = self.name, peer = %link.address, "{gone}");
            }
            // Output or answers are lost, and somebody will miss them.
            Gone::Dropped(Dropped::Stuck | Dropped::Slow) => {
                tracing::warn!(socket = self.name, peer = %link.address, "{gone}");
            }
            gone => link.warn(self.name, gone),
        }
        self.progress.notify_waiters();
    }

    fn accepted(self: &Rc<Self>, stream: super::stream::Stream, address: String) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = PeerId(NEXT.fetch_add(1, Ordering::Relaxed));
        let link = Rc::new(Link::new(id, address, &stream, self.limits.stranger_budget));
        self.count(|counters| counters.accepted += 1);
        let mut pending = self.pending.borrow_mut();
        pending.push_back(link.clone());
        if pending.len() > self.limits.pending
            && let Some(oldest) = pending.pop_front()
        {
            oldest.end(Dropped::Displaced);
        }
        drop(pending);
        spawn_local(peer::run(self.clone(), stream, link));
    }
}

async fn accept<P: Pattern>(hub: Rc<Hub<P>>, acceptor: Acceptor) {
    let mut failing = false;
    loop {
        match acceptor.accept().await {
            Ok((stream, address)) => {
                failing = false;
                hub.accepted(stream, address);
            }
            // The client was gone before it was its turn.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !failing {
                    tracing::warn!(socket = hub.name, %error, "cannot accept connections for now");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        // A burst of connections must not keep those that are here waiting: one in each round of all tasks.
        tokio::task::yield_now().await;
    }
}

/// A bound socket. Dropping it closes its listeners and its connections, and removes its socket files.
#[derive(Debug)]
pub(super) struct Server<P: Pattern> {
    pub(super) hub: Rc<Hub<P>>,
    accepting: Vec<AbortHandle>,
    _files: Vec<SocketFile>,
}

impl<P: Pattern> Server<P> {
    /// # Errors
    /// When a listener cannot be made non-blocking or registered with the runtime.
    pub(super) fn bind(
        listeners: Vec<Listener>,
        name: &'static str,
        limits: Limits,
        pattern: P,
    ) -> io::Result<Self> {
        let hub = Rc::new(Hub {
            name,
            limits,
            pattern,
            progress: Notify::new(),
            pending: RefCell::default(),
            ready: RefCell::default(),
            counters: Cell::default(),
            shared: Allowance::new(SHARED, SHARED / 16, Instant::now()),
            draining: Cell::new(None),
        });
        let mut server = Self {
            hub,
            accepting: Vec::new(),
            _files: Vec::new(),
        };
        for listener in listeners {
            let (acceptor, file) = Acceptor::adopt(listener)?;
            server._files.extend(file);
            server
                .accepting
                .push(spawn_local(accept(server.hub.clone(), acceptor)).abort_handle());
        }
        Ok(server)
    }
}

impl<P: Pattern> Drop for Server<P> {
    fn drop(&mut self) {
        for task in &self.accepting {
            task.abort();
        }
        for link in self
            .hub
            .pending
            .borrow()
            .iter()
            .chain(self.hub.ready.borrow().values())
        {
            link.end(Dropped::Closed);
        }
    }
}
