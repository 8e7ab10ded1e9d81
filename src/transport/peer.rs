//! One connection: its handshake, its reads and its writes, in one task that is the only one to touch the socket.
//!
//! The hub starts the task, the patterns talk to it through its [`Link`]. It never waits for anything but its
//! own socket, its own queue and room in its pattern's inbox; a peer that misbehaves ends its task alone, and one that
//! floods has a [`Turn`] like everybody else.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::rc::Rc;

use bytes::Bytes;
use thiserror::Error;
use tokio::io::Interest;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::PeerId;
use super::hub::{Hub, Pattern};
use super::outbox::Outbox;
use super::stream::{Delivery, Stream};
use super::zmtp::{Connection, Event, ZmtpError};
use crate::os::socket;

/// What one connection may have done before all others have had their turn.
struct Turn {
    bytes: usize,
    /// Messages and commands to hand on.
    events: usize,
}

impl Turn {
    fn of(link: &Link) -> Self {
        // A tenth of a millisecond for a client, and a tenth of that for each of a crowd of strangers.
        match link.is_known() {
            true => Turn {
                bytes: 256 << 10,
                events: 256,
            },
            false => Turn {
                bytes: 32 << 10,
                events: 32,
            },
        }
    }

    fn is_over(&self) -> bool {
        self.bytes == 0 || self.events == 0
    }
}

/// Why a connection ended.
#[derive(Debug, Error)]
pub(super) enum Gone {
    #[error("the peer left")]
    Left,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Protocol(#[from] ZmtpError),
    #[error("no handshake in time")]
    Handshake,
    #[error("turned away: {0}")]
    Refused(&'static str),
    #[error("{0}")]
    Dropped(Dropped),
}

/// Why this side ended a connection by its own decision.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    #[error("given up: too many handshakes at once, and this is the oldest")]
    Displaced,
    #[error("given up: too many connections, and this one makes room for another")]
    MadeRoom,
    #[error("given up: strangers have begun too many long messages, and this one's is the longest")]
    TooLong,
    #[error("its identity came back on a newer connection")]
    HandedOver,
    #[error("cut off: it does not read")]
    Stuck,
    #[error("cut off: it reads more slowly than others who wait for it")]
    Slow,
    #[error("the socket is closed")]
    Closed,
}

/// A connection as the rest of the module sees it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: PeerId,
    /// For the log.
    pub(super) address: String,
    /// None once the task has ended, since the number may then belong to somebody else.
    fd: Cell<Option<RawFd>>,
    delivery: Delivery,
    outbox: RefCell<Outbox>,
    /// Tells the task that the queue is no longer empty, that it is full, that more may be read, or that the connection
    /// is to end.
    wake: Notify,
    drop_it: Cell<Option<Dropped>>,
    warned: Cell<bool>,
    /// It has sent a valid signature.
    known: Cell<bool>,
    /// A stranger's bytes of a message that has not come to its end.
    partial: Cell<usize>,
    /// A stranger's message that has been read and not been opened: one at a time.
    unopened: Cell<bool>,
    /// What has been read holds more than the last turn was long enough for.
    more: Cell<bool>,
}

impl Link {
    pub(super) fn new(id: PeerId, address: String, stream: &Stream, budget: usize) -> Self {
        Self {
            id,
            address,
            fd: Cell::new(Some(stream.fd())),
            delivery: stream.delivery(),
            outbox: RefCell::new(Outbox::new(budget)),
            wake: Notify::new(),
            drop_it: Cell::new(None),
            warned: Cell::new(false),
            known: Cell::new(false),
            partial: Cell::new(0),
            unopened: Cell::new(false),
            more: Cell::new(false),
        }
    }

    /// Queues one whole message. Its task writes it as soon as the caller lets other tasks run, along with
    /// whatever is queued until then.
    pub(super) fn put(&self, message: impl IntoIterator<Item = Bytes>) {
        let mut outbox = self.outbox.borrow_mut();
        let (was_empty, was_full) = (outbox.is_empty(), outbox.is_full());
        outbox.put(message);
        if was_empty != outbox.is_empty() || was_full != outbox.is_full() {
            self.wake.notify_one();
        }
    }

    /// Ends the connection; what is still queued is lost. The first reason stays.
    pub(super) fn drop_it(&self, reason: Dropped) {
        self.drop_it.set(self.drop_it.get().or(Some(reason)));
        self.wake.notify_one();
    }

    /// Has its task look again at what there is to do.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) fn is_known(&self) -> bool {
        self.known.get()
    }

    /// It has sent a valid signature: from now on it has `budget` bytes of queue. What it held as a stranger.
    pub(super) fn trust(&self, budget: usize) -> usize {
        self.known.set(true);
        self.outbox.borrow_mut().set_budget(budget);
        self.wake.notify_one();
        self.partial.take()
    }

    /// What a stranger holds of an unfinished message; it held so much before.
    pub(super) fn set_partial(&self, bytes: usize) -> usize {
        self.partial.replace(bytes)
    }

    pub(super) fn partial(&self) -> usize {
        self.partial.get()
    }

    /// A message has been handed on; a stranger is not read from until it has been taken.
    pub(super) fn handed_on(&self) {
        self.unopened.set(!self.is_known());
    }

    /// That message is being opened.
    pub(super) fn opened(&self) {
        if self.unopened.replace(false) {
            self.wake.notify_one();
        }
    }

    pub(super) fn is_unopened(&self) -> bool {
        self.unopened.get()
    }

    pub(super) fn is_full(&self) -> bool {
        self.outbox.borrow().is_full()
    }

    pub(super) fn has_room_for(&self, bytes: usize, beyond: usize) -> bool {
        self.outbox.borrow().has_room_for(bytes, beyond)
    }

    /// Bytes that wait to be written.
    pub(super) fn queued(&self) -> usize {
        self.outbox.borrow().bytes()
    }

    /// Bytes that the peer has taken in its life.
    pub(super) fn taken(&self) -> u64 {
        self.outbox.borrow().taken()
    }

    /// Whether something waits to be written, or has been written and is not safe in the peer's system yet.
    pub(super) fn owes(&self) -> bool {
        let fd = self.fd.get();
        let under_way = match self.delivery {
            Delivery::Written => None,
            Delivery::Sent => fd.and_then(socket::unsent),
            Delivery::Acknowledged => fd.and_then(socket::unacknowledged),
        };
        !self.outbox.borrow().is_empty() || under_way.is_some_and(|bytes| bytes > 0)
    }

    /// Whether something is queued and the peer has not taken a byte since `since`.
    pub(super) fn stands_since(&self, since: Instant) -> bool {
        let outbox = self.outbox.borrow();
        !outbox.is_empty() && outbox.progress() < since
    }

    #[cfg(test)]
    pub(super) fn fd(&self) -> Option<RawFd> {
        self.fd.get()
    }

    /// Whether there are bytes from the peer that have not been read, or not been handed on.
    pub(super) fn has_unread(&self) -> bool {
        self.more.get()
            || self
                .fd
                .get()
                .and_then(socket::unread)
                .is_some_and(|bytes| bytes > 0)
    }

    /// Writes to the log what is odd about this peer: the first time as a warning, then for debugging only.
    pub(super) fn warn(&self, socket: &str, what: &dyn std::fmt::Display) {
        if self.warned.replace(true) {
            tracing::debug!(socket, peer = %self.address, "{what}");
        } else {
            tracing::warn!(socket, peer = %self.address, "{what}");
        }
    }
}

/// The task of one connection.
pub(super) async fn run<P: Pattern>(hub: Rc<Hub<P>>, stream: Stream, link: Rc<Link>) {
    let mut peer = Peer {
        zmtp: Connection::new(P::SOCKET, hub.limits.zmtp()),
        hub,
        stream,
        link,
        ready: false,
    };
    let Err(gone) = peer.serve().await;
    let Peer {
        mut zmtp,
        hub,
        stream,
        link,
        ..
    } = peer;
    // The last word, an ERROR, goes out if the system takes it at once.
    link.outbox.borrow_mut().put(zmtp.take_output());
    let _: io::Result<()> = link.outbox.borrow_mut().write(&stream);
    link.fd.set(None);
    drop(stream);
    hub.gone(&link, &gone);
}

struct Peer<P: Pattern> {
    hub: Rc<Hub<P>>,
    stream: Stream,
    link: Rc<Link>,
    zmtp: Connection,
    /// The handshake is over.
    ready: bool,
}

impl<P: Pattern> Peer<P> {
    async fn serve(&mut self) -> Result<std::convert::Infallible, Gone> {
        let hub = self.hub.clone();
        let link = self.link.clone();
        let handshake_until = Instant::now() + hub.limits.handshake;
        loop {
            if let Some(reason) = link.drop_it.get() {
                return Err(Gone::Dropped(reason));
            }
            if link.is_known() {
                self.zmtp.allow(hub.limits.message_bytes);
            }
            let writes = self.write()?;
            let reads = hub.reads(&link);
            if reads && link.more.get() {
                self.turn(false)?;
                tokio::task::yield_now().await;
                continue;
            }
            let interest = match (reads, writes) {
                (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
                (true, false) => Some(Interest::READABLE),
                (false, true) => Some(Interest::WRITABLE),
                (false, false) => None,
            };
            let until = match self.ready {
                false => Some((handshake_until, Gone::Handshake)),
                true => self.stuck_at().map(|at| (at, Gone::Dropped(Dropped::Stuck))),
            };
            let (until, gone) = until.map_or((None, None), |(at, gone)| (Some(at), Some(gone)));
            tokio::select! {
                biased;
                () = sleep_until(until.unwrap_or(handshake_until)), if until.is_some() => {
                    return Err(gone.unwrap_or(Gone::Handshake));
                }
                readiness = self.stream.ready(interest.unwrap_or(Interest::READABLE)), if interest.is_some() => {
                    let readiness = readiness?;
                    if reads && (readiness.is_readable() || readiness.is_read_closed()) && self.turn(true)? {
                        tokio::task::yield_now().await;
                    }
                }
                () = link.wake.notified() => {}
                () = hub.pattern.room().notified(), if !reads => {}
            }
            // Readiness that is already there does not wait, so other tasks would not get their turn.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// When a peer that stands at its budget is cut off, where that is decided here: a publisher decides for itself.
    fn stuck_at(&self) -> Option<Instant> {
        (P::CUTS_OFF_THE_STUCK && self.link.is_full())
            .then(|| self.link.outbox.borrow().progress() + self.hub.limits.stuck_after)
    }

    /// Writes a turn's worth; true when something is left.
    fn write(&mut self) -> Result<bool, Gone> {
        let mut outbox = self.link.outbox.borrow_mut();
        outbox.put(self.zmtp.take_output());
        if outbox.is_empty() {
            return Ok(false);
        }
        let was_full = outbox.is_full();
        outbox.write(&self.stream)?;
        if outbox.is_empty() || was_full && !outbox.is_full() {
            self.hub.progress.notify_waiters();
        }
        Ok(!outbox.is_empty())
    }

    /// Reads a turn's worth, unless it is enough to go on with what was read before, and hands on what it holds. True when
    /// the turn was used up.
    fn turn(&mut self, read: bool) -> Result<bool, Gone> {
        let mut turn = Turn::of(&self.link);
        if read {
            while !self.link.more.get() && !turn.is_over() && self.hub.reads(&self.link) {
                match self.zmtp.fill(turn.bytes, |room| self.stream.try_read(room)) {
                    Ok(0) => return Err(Gone::Left),
                    Ok(count) => turn.bytes = turn.bytes.saturating_sub(count),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error.into()),
                }
                self.hand_on(&mut turn)?;
            }
        } else {
            self.hand_on(&mut turn)?;
        }
        if !self.link.is_known() {
            self.hub.weigh(&self.link, self.zmtp.partial());
        }
        Ok(turn.is_over())
    }

    fn hand_on(&mut self, turn: &mut Turn) -> Result<(), Gone> {
        self.link.more.set(true);
        while turn.events > 0 && self.hub.reads(&self.link) {
            let Some(event) = self.zmtp.poll()? else {
                self.link.more.set(false);
                break;
            };
            turn.events -= 1;
            match event {
                Event::Hello(hello) => match self.hub.admit(&self.link, hello) {
                    Ok(()) => {
                        self.zmtp.accept();
                        self.ready = true;
                    }
                    Err(reason) => {
                        self.zmtp.refuse(reason);
                        return Err(Gone::Refused(reason));
                    }
                },
                Event::Ignored(command) => self
                    .hub
                    .odd(&self.link, &format_args!("ignored the command {command:?}")),
                event => self.hub.hand_on(&self.link, event)?,
            }
        }
        // PONGs and echoes may have been queued: a peer that takes none of them is not read further.
        self.link.outbox.borrow_mut().put(self.zmtp.take_output());
        Ok(())
    }
}
