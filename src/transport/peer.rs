//! One connection: its handshake, its reads and its writes, in one task that is the only one to touch the socket.
//!
//! The hub starts the task, the patterns talk to it through its [`Link`]. It never waits for anything but its
//! own socket, its own queue and room in its pattern's inbox; a peer that misbehaves ends its task alone, and one that
//! floods has a [`Turn`] like everybody else.

use std::io::{self, ErrorKind};
use std::rc::Rc;

use thiserror::Error;
use tokio::io::Interest;
use tokio::time::{Instant, sleep_until};

use super::allowance::{Allowance, OWN};
use super::hub::{Hub, Pattern};
use super::link::{Dropped, Link};
use super::stream::Stream;
use super::zmtp::{Connection, Event, ZmtpError};

/// What one connection may have done before all others have had their turn.
struct Turn {
    bytes: usize,
    /// Messages and commands to hand on.
    events: usize,
}

impl Turn {
    /// A tenth of a millisecond.
    const OF_A_CLIENT: Self = Turn {
        bytes: 256 << 10,
        events: 256,
    };
    /// A hundredth of one: there may be a crowd of them.
    const OF_A_STRANGER: Self = Turn {
        bytes: 16 << 10,
        events: 16,
    };

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

/// The task of one connection.
pub(super) async fn run<P: Pattern>(hub: Rc<Hub<P>>, stream: Stream, link: Rc<Link>) {
    let mut peer = Peer {
        zmtp: Connection::new(P::SOCKET, hub.limits.zmtp()),
        own: Allowance::new(OWN, OWN, Instant::now()),
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
    /// What it may have done as a stranger, before it draws on what all of them share.
    own: Allowance,
    /// The handshake is over.
    ready: bool,
}

impl<P: Pattern> Peer<P> {
    async fn serve(&mut self) -> Result<std::convert::Infallible, Gone> {
        let hub = self.hub.clone();
        let link = self.link.clone();
        let handshake_until = Instant::now() + hub.limits.handshake;
        loop {
            if let Some(reason) = link.ended.get() {
                return Err(Gone::Dropped(reason));
            }
            if link.is_known() {
                self.zmtp.allow(hub.limits.message_bytes);
            }
            let writes = self.write()?;
            let closed = self.closed_until();
            let reads = closed.is_none() && hub.reads(&link);
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
                () = sleep_until(closed.unwrap_or(handshake_until)), if closed.is_some() => {}
            }
            // Readiness that is already there does not wait, so other tasks would not get their turn.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// When a stranger may have its next turn, where that is not now.
    fn closed_until(&self) -> Option<Instant> {
        if self.link.is_known() {
            return None;
        }
        let now = Instant::now();
        let own = self.own.closed_until(now)?;
        Some(own.min(self.hub.shared.closed_until(now)?))
    }

    /// A stranger pays for its turn.
    fn pay(&self, cost: usize) {
        match self.own.closed_until(Instant::now()) {
            None => self.own.pay(cost),
            Some(_) => self.hub.shared.pay(cost),
        }
    }

    /// When a peer that stands at its budget is cut off, where that is decided here: a publisher decides for itself.
    fn stuck_at(&self) -> Option<Instant> {
        (P::CUTS_OFF_THE_STUCK && self.link.is_full())
            .then(|| self.link.outbox.borrow().progress() + self.hub.limits.stuck_after)
    }

    /// Writes a turn's worth; true when something is left.
    fn write(&mut self) -> Result<bool, Gone> {
        self.link.answer(self.zmtp.take_output());
        let mut outbox = self.link.outbox.borrow_mut();
        if outbox.is_empty() {
            return Ok(false);
        }
        let was_full = outbox.is_full();
        outbox.write(&self.stream)?;
        if outbox.is_empty() {
            self.link.answers.set(0);
        }
        if outbox.is_empty() || was_full && !outbox.is_full() {
            self.hub.progress.notify_waiters();
        }
        Ok(!outbox.is_empty())
    }

    /// Reads a turn's worth, unless it is enough to go on with what was read before, and hands on what it holds. True when
    /// the turn was used up.
    fn turn(&mut self, read: bool) -> Result<bool, Gone> {
        let whole = match self.link.is_known() {
            true => Turn::OF_A_CLIENT,
            false => Turn::OF_A_STRANGER,
        };
        let mut turn = Turn { ..whole };
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
            self.pay(whole.bytes - turn.bytes + (whole.events - turn.events) * P::EVENT);
            self.link.set_partial(self.zmtp.partial());
            self.hub.limits.strangers.charge(&self.link);
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
                    .ignored(&self.link, &format_args!("ignored the command {command:?}")),
                event => self.hub.hand_on(&self.link, event)?,
            }
        }
        // PONGs may have been queued: a peer that takes none of them is not read further.
        self.link.answer(self.zmtp.take_output());
        Ok(())
    }
}
