//! One connection: its handshake, its reads and its writes, in one task that is the only one to touch the socket.
//!
//! The hub starts the task, the patterns talk to it through its [`Link`]. It never waits for anything but its
//! own socket, its own queue and room in its pattern's inbox; a peer that misbehaves ends its task alone.

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

/// Reads before other peers have their turn.
const READS_PER_TURN: usize = 16;

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
    #[error("cut off, it does not read")]
    Stuck,
    #[error("{0}")]
    Dropped(Dropped),
}

/// Why this side ended a connection by its own decision.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    #[error("given up: too many handshakes at once, and this is the oldest")]
    Displaced,
    #[error("its identity came back on a newer connection")]
    HandedOver,
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
    /// Tells the task that the queue is no longer empty, that it is full, or that the connection is to end.
    wake: Notify,
    drop_it: Cell<Option<Dropped>>,
    warned: Cell<bool>,
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

    /// Ends the connection; what is still queued is lost.
    pub(super) fn drop_it(&self, reason: Dropped) {
        self.drop_it.set(Some(reason));
        self.wake.notify_one();
    }

    pub(super) fn is_full(&self) -> bool {
        self.outbox.borrow().is_full()
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

    /// Whether the system holds bytes from the peer that have not been read.
    pub(super) fn has_unread(&self) -> bool {
        self.fd
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
    let mut zmtp = Connection::new(P::SOCKET, hub.limits.zmtp());
    let Err(gone) = serve(&hub, &stream, &link, &mut zmtp).await;
    // The last word, an ERROR, goes out if the system takes it at once.
    link.outbox.borrow_mut().put(zmtp.take_output());
    let _: io::Result<()> = link.outbox.borrow_mut().write(&stream);
    link.fd.set(None);
    drop(stream);
    hub.gone(&link, &gone);
}

async fn serve<P: Pattern>(
    hub: &Hub<P>,
    stream: &Stream,
    link: &Rc<Link>,
    zmtp: &mut Connection,
) -> Result<std::convert::Infallible, Gone> {
    let handshake_until = Instant::now() + hub.limits.handshake;
    let mut ready = false;
    loop {
        if let Some(reason) = link.drop_it.get() {
            return Err(Gone::Dropped(reason));
        }
        link.outbox.borrow_mut().put(zmtp.take_output());
        let more = write(hub, stream, link)?;
        let reading = hub.reads(link);
        let interest = match (reading, more) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        let until = match ready {
            false => Some(handshake_until),
            true if link.is_full() => Some(link.outbox.borrow().progress() + hub.limits.stuck_after),
            true => None,
        };
        tokio::select! {
            biased;
            () = sleep_until(until.unwrap_or(handshake_until)), if until.is_some() => {
                return Err(if ready { Gone::Stuck } else { Gone::Handshake });
            }
            readiness = stream.ready(interest.unwrap_or(Interest::READABLE)), if interest.is_some() => {
                let readiness = readiness?;
                if reading && (readiness.is_readable() || readiness.is_read_closed()) {
                    read(hub, stream, link, zmtp, &mut ready)?;
                }
            }
            () = link.wake.notified() => {}
            () = hub.pattern.room().notified(), if !reading => {}
        }
        // Readiness that is already there does not wait, so other tasks would not get their turn.
        tokio::task::coop::consume_budget().await;
    }
}

/// Writes a turn's worth; true when something is left.
fn write<P: Pattern>(hub: &Hub<P>, stream: &Stream, link: &Link) -> Result<bool, Gone> {
    let mut outbox = link.outbox.borrow_mut();
    if outbox.is_empty() {
        return Ok(false);
    }
    let was_full = outbox.is_full();
    outbox.write(stream)?;
    if outbox.is_empty() || was_full && !outbox.is_full() {
        hub.progress.notify_waiters();
    }
    Ok(!outbox.is_empty())
}

/// Reads a turn's worth and hands on what it holds.
fn read<P: Pattern>(
    hub: &Hub<P>,
    stream: &Stream,
    link: &Rc<Link>,
    zmtp: &mut Connection,
    ready: &mut bool,
) -> Result<(), Gone> {
    for _ in 0..READS_PER_TURN {
        match stream.try_read(zmtp.input()) {
            Ok(0) => return Err(Gone::Left),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        }
        while let Some(event) = zmtp.poll()? {
            match event {
                Event::Hello(hello) => match hub.admit(link, hello) {
                    Ok(()) => {
                        zmtp.accept();
                        *ready = true;
                    }
                    Err(reason) => {
                        zmtp.refuse(reason);
                        return Err(Gone::Refused(reason));
                    }
                },
                Event::Ignored(command) => hub.odd(link, &format_args!("ignored the command {command:?}")),
                event => hub.hand_on(link, event)?,
            }
        }
        // PONGs and echoes may have been queued: a peer that takes none of them is not read further.
        link.outbox.borrow_mut().put(zmtp.take_output());
        if !hub.reads(link) {
            break;
        }
    }
    Ok(())
}
