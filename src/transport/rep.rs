//! REP, as far as a heartbeat needs it: every request comes back as it was, and nobody has to call anything.

use std::io;
use std::rc::Rc;

use tokio::sync::Notify;

#[cfg(test)]
use super::hub::Counters;
use super::hub::{Objection, Pattern, Server};
use super::peer::Link;
use super::zmtp::{Event, Hello, SocketType, encode};
use super::{Limits, Listener};

/// An echoing REP socket. It answers for as long as it is not dropped.
#[derive(Debug)]
pub struct Rep {
    /// Serves as long as it is held.
    _server: Server<Echo>,
}

impl Rep {
    /// Starts to serve; `name` is for the log. Must be called inside a `LocalSet`.
    ///
    /// # Errors
    /// When a listener cannot be registered with the runtime.
    pub fn echo(listeners: Vec<Listener>, name: &'static str, limits: Limits) -> io::Result<Self> {
        Ok(Self {
            _server: Server::bind(listeners, name, limits, Echo::default())?,
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
    /// Never told: there is always room, and a peer that does not take its echoes is not read from.
    room: Notify,
}

impl Pattern for Echo {
    const SOCKET: SocketType = SocketType::Rep;

    fn admit(&self, _: &Rc<Link>, _: Hello) -> Result<(), &'static str> {
        Ok(())
    }

    fn take(&self, link: &Rc<Link>, event: Event) -> Result<(), Objection> {
        // The envelope of a request ends in an empty frame; without one it is none, and libzmq drops it as well.
        match event {
            Event::Message(frames) if frames.iter().any(|frame| frame.is_empty()) => {
                link.put(encode(&frames));
                Ok(())
            }
            _ => Err(Objection::Ignore("ignored a request without a delimiter")),
        }
    }

    fn gone(&self, _: &Link) {}

    fn has_room(&self) -> bool {
        true
    }

    fn room(&self) -> &Notify {
        &self.room
    }
}
