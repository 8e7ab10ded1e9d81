//! REP, as far as a heartbeat needs it: every request comes back as it was, and nobody has to call anything.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::rc::Rc;

use tokio::sync::Notify;

use super::admission::Standing;
#[cfg(test)]
use super::hub::Counters;
use super::hub::{Objection, Pattern, Server};
use super::link::Link;
use super::zmtp::{Event, Hello, SocketType, encode};
use super::{Limits, Listener, PeerId};

/// An echoing REP socket. It answers for as long as it is not dropped.
#[derive(Debug)]
pub struct Rep {
    /// Serves as long as it is held.
    _server: Server<Echo>,
}

impl Rep {
    /// Starts to serve; `name` is for the log. Must be called inside a `LocalSet`. A request has at most 256 KiB.
    ///
    /// # Errors
    /// When a listener cannot be registered with the runtime.
    pub fn echo(listeners: Vec<Listener>, name: &'static str, limits: Limits) -> io::Result<Self> {
        Ok(Self {
            _server: Server::bind(listeners, name, limits.of_an_echo(), Echo::default())?,
        })
    }

    /// What has happened so far.
    #[cfg(test)]
    pub(super) fn counters(&self) -> Counters {
        self._server.hub.counters()
    }
}

#[derive(Debug, Default)]
struct Echo {
    /// Those who have asked for anything.
    asked: RefCell<HashSet<PeerId>>,
    /// Never told: there is always room, and a peer that does not take its echoes is not read from.
    room: Notify,
}

impl Pattern for Echo {
    const SOCKET: SocketType = SocketType::Rep;
    const CUTS_OFF_THE_STUCK: bool = true;
    const EVENT: usize = 4 << 10;

    fn standing(&self, link: &Link) -> Standing {
        match self.asked.borrow().contains(&link.id) {
            true => Standing::Active,
            false => Standing::Idle,
        }
    }

    fn admit(&self, _: &Rc<Link>, _: Hello) -> Result<(), &'static str> {
        Ok(())
    }

    fn take(&self, link: &Rc<Link>, event: Event) -> Result<(), Objection> {
        // The envelope of a request ends in an empty frame; without one it is none, and libzmq drops it as well.
        match event {
            Event::Message(frames) if frames.iter().any(|frame| frame.is_empty()) => {
                self.asked.borrow_mut().insert(link.id);
                link.put(encode(&frames));
                Ok(())
            }
            _ => Err(Objection::Ignore("ignored a request without a delimiter")),
        }
    }

    fn gone(&self, link: &Link) {
        self.asked.borrow_mut().remove(&link.id);
    }

    fn has_room(&self, _: &Link) -> bool {
        true
    }

    fn room(&self) -> &Notify {
        &self.room
    }
}
